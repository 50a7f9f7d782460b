//! leader's behaviour: its messages under any bytes and any cuts ([`wire`]), strangers at its door ([`doors`]) and messages that they forge
//! ([`forged`]), its story ([`story`]), disks that fail ([`disk`]), storms of faults ([`storm`]), and what each of its changes is for
//! ([`twins`]), all in the small world of [`world`].

mod disk;
mod doors;
mod forged;
mod storm;
mod story;
mod twins;
mod wire;
mod world;
