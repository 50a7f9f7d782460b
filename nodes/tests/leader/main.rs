//! leader's behaviour: its messages under any bytes and any cuts ([`wire`]), its story ([`story`]) and storms of faults ([`storm`]), both in
//! the small world of [`world`].

mod storm;
mod story;
mod wire;
mod world;
