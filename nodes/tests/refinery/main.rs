//! refinery's behaviour: its packets under any bytes and any cuts ([`wire`]), who is let in and who is not ([`gate`]), and the tree and
//! its masters ([`tree`]). All of it runs in the small world of [`world`].

mod gate;
mod tree;
mod wire;
mod world;
