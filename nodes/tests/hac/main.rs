//! hac's behaviour: its packets under any bytes ([`wire`]), its story ([`failover`]), on disks that fail ([`disks`]), that of peers ([`peers`]),
//! storms of faults ([`storm`]), and what each of its changes is for ([`twins`]). All of it runs in the small world of [`world`].

mod disks;
mod failover;
mod peers;
mod storm;
mod twins;
mod wire;
mod world;
