//! What the engine does, seen from outside: plans made by hand go through `prepare`, `worker` and `run` or `trace`, as
//! every other plan does. One subject a module; `node` and `plans` are what they share.

mod node;
mod plans;
mod promises;
mod stories;

mod ailments;
mod causes;
mod clocks;
mod crashes;
mod cuts;
mod damaged_disks;
mod determinism;
mod effect_triggers;
mod failing_disks;
mod keyed_randomness;
mod lateness;
mod layers;
mod links;
mod measures;
mod pause;
mod persist;
mod slow_hosts;
mod stops;
mod streams;
mod table;
mod triggers;
mod verdicts;
