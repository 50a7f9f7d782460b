//! Live nodes under bad input and faults: garbage and floods on every port, disks and folders that are not what they should be, and
//! processes that are killed while they write. Nothing here waits for a time to pass: only for what is seen, and that with a bound.

#![expect(
    clippy::disallowed_types,
    reason = "these tests are what sends to a live node whatever comes to anybody's mind"
)]

mod cluster;
mod datagrams;
mod disks;
mod folders;
mod garbage;
mod killed;
mod log;
mod mounts;
mod operators;
