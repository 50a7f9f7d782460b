//! Scenario files: a story in [RON](https://docs.rs/ron), read with the place of everything in it and turned into a
//! [`Plan`](crate::plan::Plan).
//!
//! [`ScenarioFile`] is a file that is well-formed; [`resolve`] makes a plan of it when the protocol is known, or gives
//! [`Complaints`]: everything that is wrong with it, each with its line and with what would be right. What is not RON is
//! complained about alone, since nothing behind it can be made sense of.
//!
//! # The format
//!
//! The smallest file names a protocol and its hosts. This one has every field:
//!
//! ```
//! # let text = r##"
//! // The server loses power; its clients elect another; the old one comes back and must not reign beside it.
//! Scenario(
//!     format: 1,
//!     protocol: "hac",
//!     profile: "brisk",
//!     config: (client_timeout: "310ms"),
//!     hosts: [
//!         (name: "s", role: Server),
//!         (name: "c1..c4", role: Client, starts: "10ms"),
//!         (name: "slow", role: Client, config: (client_timeout: "1s")),
//!     ],
//!     network: (
//!         latency: Uniform("1ms", "10ms"),
//!         loss: 0.01, duplicate: 0.001, reorder: 0.01, reorder_by: "20ms",
//!         links: [
//!             (from: "s", to: "c1..c4", loss: 0.02),
//!             (from: ["c1", "c2"], to: "*", latency: Constant("3ms")),
//!         ],
//!     ),
//!     persist: Uniform("500us", "2ms"),
//!     tolerated: (loss: 0.05, latency: "100ms"),
//!     timeline: [
//!         At("2s", PowerCut("s")),
//!         When(fact: "promoted", by: "c1..c4", nth: 1, after: "20ms", do: Partition([["@claimant", "c1"], ["c3"]])),
//!         Every(interval: "1s", from: "3s", until: "6s", do: Pause(["c3", "c4"])),
//!         Every(interval: "1s", from: "3500ms", until: "6s", do: Resume(["c3", "c4"])),
//!         At("4s", OneWay(from: "c1", to: ["c2", "slow"])),
//!         At("5s", Heal(OneWay(from: "c1", to: ["c2", "slow"]))),
//!         At("6500ms", HealAll),
//!         At("7s", Restart("s")),
//!         At("8s", Kill("c4")),
//!         At("9s", Wipe("c4")),
//!     ],
//!     workload: [
//!         At(time: "1s", of: "c1", command: Status),
//!         Every(interval: "100ms", from: "1s", until: "9s", of: "*", command: Status),
//!     ],
//!     limit: "40s",
//!     max_events: 10_000_000,
//!     invariants: [one_server(bound: "5s"), tables_agree()],
//!     without: ["ids_unique"],
//!     measures: [
//!         Latency(name: "failover", from: Fault(PowerCut), to: Fact(name: "rejoined", each: Client)),
//!         Latency(name: "doubt", from: Fact(name: "suspected"), to: Fact(name: "promoted")),
//!     ],
//!     expect: { Original: Violated("hac.one_server"), Hardened: Held },
//!     tags: ["live", "flaw"],
//!     seed: 7,
//!     scenery: [8, 9],
//!     flaw: NeedsFaults,
//! )
//! # "##;
//! # let file = squall_sim::scenario::ScenarioFile::parse("example.ron", text.to_owned()).unwrap();
//! # assert_eq!((file.protocol(), file.seed(), file.scenery()), ("hac", 7, &[8, 9][..]));
//! # assert!(file.story().starts_with("The server loses power"));
//! ```
//!
//! A length of time is a whole number with a unit, in quotes: `"310ms"`, `"2s"`, `"1m 30s"`, `"250us"`; at most ten years,
//! and what is meant to happen happens before the end of the run. A ratio is a number from 0 to 1. Nothing in a file is
//! infinite or NaN, and no field or key is written twice.
//!
//! | field | what it says | when left out |
//! |---|---|---|
//! | `format` | the version of the format: 1 | 1 |
//! | `protocol` | the protocol's name | *needed* |
//! | `profile` | one of the protocol's named sets of settings | its first |
//! | `config` | settings by the protocol's own field names, in place of the profile's; fields of fields too | none |
//! | `hosts` | who takes part; see below. At least one, at most [`MOST_HOSTS`] | *needed* |
//! | `network` | what links are like; see below | see below |
//! | `persist` | how long a write to a disk takes: a law of latency | `Uniform("500us", "2ms")` |
//! | `tolerated` | how bad links may be while liveness is asked for: `loss` below 1, and the 99.9th percentile of `latency`, with `reorder_by` where more than one of 1000 is reordered; that of `persist` is held to the same. Where any is worse, no group is ever quiet | 5 %, and a third of the shortest timeout of any host |
//! | `timeline` | what is done to the world; see below. At most [`MOST_ENTRIES`] entries | nothing |
//! | `workload` | what clients and operators ask; see below. At most [`MOST_ENTRIES`] entries | nothing |
//! | `limit` | when the run ends: more than nothing, at most a day | `"30s"` |
//! | `max_events` | after how many events a run is stopped, as inconclusive: 1 to 10 000 000 000 | 100 000 000 |
//! | `invariants` | promises that have to have something to judge, with their parameters | none is written |
//! | `without` | promises that would judge by themselves and are not to | all that apply judge |
//! | `measures` | lengths of time that are measured; see below. At most 100 | none |
//! | `expect` | `Held`, `Violated("name")` or `Violated(["name", …])`; or, in braces, one of them for every rule set | `Held` |
//! | `tags` | what the file is for: words of small letters, digits, `-` and `_`, at most 64 | none |
//! | `seed` | the seed of a single run: 0 to 2⁶⁴ − 1 | 0 |
//! | `scenery` | in a file tagged `flaw`: entries of the timeline, counted from 0, without which the verdict is the same | none |
//! | `flaw` | in a file tagged `flaw`: `NeedsFaults`, or `NeedsNoFault` when the flaw shows without a timeline | `NeedsFaults` |
//!
//! Invariants are named with the protocol's name ahead or without it, except in `invariants`, where RON allows no dot.
//!
//! ## Hosts
//!
//! Each entry has a `name`, a `role` of the protocol's, and may say when the host first boots (`starts`, default `"0s"`) and
//! what `config` has in place of everyone's. A name begins with a letter and goes on with letters, digits, `-` and `_`, up
//! to 64 in all. `"c1..c4"` stands for `c1`, `c2`, `c3` and `c4`; no number begins with a needless zero. Names are unique.
//!
//! Wherever else hosts are named, it is by a name, a range, `"*"` for all, or a list of those that names nobody twice.
//! Everything in a file together may name [`MOST_NAMED`] hosts, each range counted in full.
//!
//! ## Network
//!
//! | field | what it says | when left out |
//! |---|---|---|
//! | `latency` | how long a datagram is on its way: `Constant("3ms")`, or `Uniform("1ms", "10ms")`, the second excluded | `Uniform("1ms", "10ms")` |
//! | `loss` | the share that is lost | 0 |
//! | `duplicate` | the share that arrives twice | 0 |
//! | `reorder` | the share that is held back | 0 |
//! | `reorder_by` | for how long at most | `"20ms"` |
//! | `links` | links that differ: `from` and `to` name hosts, the other fields are laid over those of `network` and of entries before. At most [`MOST_LINKS`] links, each entry counted in full | none |
//!
//! ## Timeline
//!
//! - `At("2s", fault)`: at a time before the end.
//! - `Every(interval: "1s", from: "1s", until: "9s", do: fault)`: again and again, `until` excluded. The interval is at least
//!   [`SHORTEST_INTERVAL`], the times are at most [`MOST_TIMES`]. Without `from` the first time is one interval after the
//!   beginning; without `until` it goes on to the end.
//! - `When(fact: "promoted", by: "c1..c4", nth: 1, after: "20ms", do: fault)`: once, that long after the nth claim of a fact by
//!   one of these hosts. Without `by` it is anyone, without `nth` the first claim, without `after` at once. Only here
//!   `"@claimant"` names whoever claimed the fact.
//!
//! The faults:
//!
//! | fault | what it does |
//! |---|---|
//! | `Kill("a")`, `PowerCut("a")` | takes hosts down |
//! | `Restart("a")`, `Wipe("a")` | boots hosts that are down, with what is on their disks or with nothing |
//! | `Pause("a")`, `Resume("a")` | stops hosts, which keep their memory; lets them run again |
//! | `Partition([["a", "b"], ["c"]])` | nothing passes between the groups; hosts that none names are one more group |
//! | `OneWay(from: "a", to: ["b", "c"])` | nothing passes from the first to the second |
//! | `Heal(Partition(…))`, `Heal(OneWay(…))` | takes away the latest layer that an equal cut has laid, in whatever order its hosts are written |
//! | `HealAll` | takes away all layers |
//!
//! ## Workload
//!
//! `At(time: "2s", of: "c1", command: …)` and `Every(interval: "100ms", from: "1s", until: "9s", of: "*", command: …)`, with the same
//! bounds as in the timeline. One of the hosts that `of` names is asked each time; the command is the protocol's.
//!
//! ## Measures
//!
//! `Latency(name: "failover", from: moment, to: moment)`, where a moment is `Fault(PowerCut)`, a kind of fault by its name
//! (a `Wipe` is a `Restart`), or `Fact(name: "promoted")`, for short `Fact("promoted")`. In `to`, `each: Client` asks that every host with
//! that role reaches it; `each: "c1..c4"` names them.
//!
//! # The resolved form
//!
//! [`resolved()`] writes a file with everything in it that it leaves out: settings, hosts one by one, every part of every law, bounds
//! of promises. It says the same under each rule set, to the digest of every run, and goes on doing so when a default is changed in
//! a later version. `format: 1` leads it. What rule sets have by themselves is told in comments.
//!
//! # What cannot be
//!
//! A file larger than 1 MiB ([`LARGEST`]) or nested deeper than [`places::DEEPEST`] levels is not read. Beyond unknown names
//! and numbers out of bounds, a file is refused that heals what was never cut, restarts who can never be down, resumes who
//! can never be paused, names a fault or a time that is never reached, measures from a fault that is not in it, or asks in
//! writing for a promise of quiet that it leaves no time for.

mod cast;
mod complaint;
mod desk;
mod file;
mod history;
mod measures;
mod names;
mod network;
pub mod places;
mod promises;
mod resolve;
mod resolved;
mod settings;
mod timeline;
mod workload;

pub use cast::{MOST_HOSTS, MOST_NAMED};
pub use complaint::{Complaint, Complaints, Place, Style};
pub use file::{FORMAT, Flaw, LARGEST, ScenarioFile};
pub use network::MOST_LINKS;
pub use resolve::resolve;
pub use resolved::resolved;
pub use timeline::{MOST_ENTRIES, MOST_TIMES, SHORTEST_INTERVAL};
