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
//!         (name: "s", role: Server, zone: "eu"),
//!         (name: "c1..c4", role: Client, zone: "eu", starts: "10ms"),
//!         (name: "slow", role: Client, zone: "us", config: (client_timeout: "1s")),
//!         (name: "fast", role: Client, zone: "ap", clock: (offset: "3s", drift_ppm: 200)),
//!     ],
//!     network: (
//!         latency: Uniform("1ms", "10ms"),
//!         loss: 0.01, duplicate: 0.001, reorder: 0.01, reorder_by: "20ms", corrupt: 0.001,
//!         bandwidth: "100Mbit/s", queue: "64KiB", mtu: 1500,
//!         zones: [
//!             (between: ["eu", "us", "ap"], latency: LogNormal(median: "20ms", sigma: 0.1)),
//!             (from: "us", to: "eu", latency: Normal(mean: "20ms", deviation: "2ms")),
//!             (within: "eu", latency: Exponential(mean: "500us", min: "100us")),
//!         ],
//!         links: [
//!             (from: "s", to: "c1..c4", loss: 0.02),
//!             (from: ["c1", "c2"], to: "*", latency: Constant("3ms")),
//!             (from: "c3", to: "c4", latency: Pareto(min: "1ms", shape: 2.5), bandwidth: "10Mbit/s"),
//!             (from: "c4", to: "c3", latency: Empirical(["80us", "100us", "5ms"])),
//!         ],
//!         streams: (min_rto: "200ms", user_timeout: "20s", send_buffer: "64KiB", connections: 100),
//!     ),
//!     persist: Uniform("500us", "2ms"),
//!     tolerated: (loss: 0.05, latency: "100ms"),
//!     live: (tolerance: "200ms"),
//!     timeline: [
//!         At("2s", PowerCut("s")),
//!         When(fact: "promoted", by: "c1..c4", nth: 1, after: "20ms", do: Partition([["@actor", "c1"], ["c3"]])),
//!         When(persist: Completed, by: "c1", nth: 2, do: Kill("@actor")),
//!         When(persist: Begun, by: "c2", do: Slow(who: "@actor", by: "20ms")),
//!         When(send_to: "s", by: "c3", nth: 9, do: Jump(who: "@actor", by: "2s")),
//!         Every(interval: "1s", from: "3s", until: "6s", do: Pause(["c3", "c4"])),
//!         Every(interval: "1s", from: "3500ms", until: "6s", do: Resume(["c3", "c4"])),
//!         At("4s", OneWay(from: "c1", to: ["c2", "slow"])),
//!         At("5s", Heal(OneWay(from: "c1", to: ["c2", "slow"]))),
//!         At("5s", Bridge(over: "c3", sides: [["s", "c1"], ["c2", "c4"]])),
//!         At("5s", Ring(["s", "c1", "c2", "c3", "c4"])),
//!         At("6s", Ring(hosts: ["s", "c1..c4", "slow", "fast"], reach: 2)),
//!         At("6s", Flap(cut: OneWay(from: "slow", to: "s"), down: "300ms", up: "200ms")),
//!         At("6s", Link(from: "s", to: "*", loss: 0.5, mtu: 576)),
//!         At("6500ms", HealAll),
//!         At("7s", Restart("s")),
//!         At("8s", Kill("c4")),
//!         At("9s", Wipe("c4")),
//!         At("10s", SlowDisk(who: "s", by: "50ms")),
//!         At("10s", FailingDisk(who: ["c1", "c2"], share: 0.5)),
//!         At("10s", Drift(who: "fast", ppm: -5000)),
//!         At("11s", Heal(SlowDisk(who: "s", by: "50ms"))),
//!         At("12s", PowerCut("c1..c2")),
//!         At("13s", Restart("c1", Stale)),
//!         At("13s", Restart("c2", Torn)),
//!         At("14s", Kill("c3")),
//!         At("15s", Restart("c3", Corrupt)),
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
//! | `tolerated` | how bad links may be while liveness is asked for: `loss` below 1, what is corrupted included, and the 99.9th percentile of `latency`, with `reorder_by` where more than one of 1000 is reordered and with what a full queue takes where there is a bandwidth; that of `persist` is held to the same. Where any is worse, no group is ever quiet | 5 %, and a third of the shortest timeout of any host |
//! | `live` | how a live run is judged: `(tolerance: "200ms")` is how much later than in the simulator things may come. Every promise of quiet has that much more time, and a host that its machine keeps from running for longer disturbs its group as a pause would. Where that leaves a promise no quiet that the file leaves it, the run is inconclusive | 100 ms |
//! | `timeline` | what is done to the world; see below. At most [`MOST_ENTRIES`] entries | nothing |
//! | `workload` | what clients and operators ask; see below. At most [`MOST_ENTRIES`] entries | nothing |
//! | `limit` | when the run ends: more than nothing, at most a day | `"30s"` |
//! | `max_events` | after how many events a run is stopped, as inconclusive: 1 to 10 000 000 000 | 100 000 000 |
//! | `invariants` | promises that have to have something to judge, with their parameters | none is written |
//! | `without` | promises that would judge by themselves and are not to: `["name", …]`; or, in braces, such a list for each rule set that is to do without some, as in `{ Original: ["ids_unique"] }` | all that apply judge |
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
//! | field | what it says | when left out |
//! |---|---|---|
//! | `name` | what the host is called | *needed* |
//! | `role` | a role of the protocol's | *needed* |
//! | `zone` | the data centre, rack or continent that it is in, for `zones` of `network` | none |
//! | `starts` | when it first boots | `"0s"` |
//! | `clock` | `offset`: how far its own clock is ahead of true time when the run begins. `drift_ppm`: by how many millionths it is fast, or slow where it is negative: −500 000 to 1 000 000 | right |
//! | `config` | settings in place of everyone's | none |
//!
//! A name, of a host or of a zone, begins with a letter and goes on with letters, digits, `-` and `_`, up to 64 in all. `"c1..c4"` stands for `c1`, `c2`, `c3` and `c4`; no number begins with a needless zero. Names are unique.
//!
//! Wherever else hosts are named, it is by a name, a range, `"*"` for all, or a list of those that names nobody twice.
//! Everything in a file together may name [`MOST_NAMED`] hosts, each range counted in full.
//!
//! ## Network
//!
//! | field | what it says | when left out |
//! |---|---|---|
//! | `latency` | how long a datagram is on its way: a law, see below | `Uniform("1ms", "10ms")` |
//! | `loss` | the share that is lost | 0 |
//! | `duplicate` | the share that arrives twice | 0 |
//! | `reorder` | the share that is held back | 0 |
//! | `reorder_by` | for how long at most | `"20ms"` |
//! | `corrupt` | the share that arrives with one byte turned into another one | 0 |
//! | `bandwidth` | how much each link carries in a second, in each direction by itself: a whole number above 0 of `bit/s`, `kbit/s`, `Mbit/s` or `Gbit/s`, which are powers of 1000. A datagram counts with 28 bytes of headers | without a bound |
//! | `queue` | how much may wait for the bandwidth; what finds no room is dropped. A whole number of `B`, `kB`, `KiB`, `MB` or `MiB`, 29 bytes at least. It is refused in a file without any `bandwidth` | `"256KiB"` |
//! | `mtu` | the longest packet in bytes, 28 of headers included: 29 to 65 535. What is longer is dropped, and nobody is told | without a bound |
//! | `zones` | links that differ by the zones of their ends: `from: "eu", to: "us"` is one direction, `between: ["eu", "us"]` all directions among two zones or more, `within: "eu"` the links inside one. The other fields are laid over those of `network` and of entries before. Every zone of a host is named | none |
//! | `links` | links that differ: `from` and `to` name hosts, the other fields are laid over those of `network`, of `zones` and of entries before | none |
//! | `streams` | what the kernels of all hosts go by in streams; see below | see below |
//!
//! All entries of `zones` and `links`, and all `Link`s of the timeline, may lay laws over [`MOST_LINKS`] links together, each entry
//! counted in full.
//!
//! ## Streams
//!
//! Streams are TCP, packet by packet: what links do to datagrams, they do to packets of streams, each with 40 bytes of headers and no
//! longer than the `mtu` or 1500 bytes. What is lost or corrupted is sent again, later and later.
//!
//! | field | what it says | when left out |
//! |---|---|---|
//! | `min_rto` | how long after a round trip something is sent again at the earliest of which nothing was heard; the next time after twice as long, and so on, up to two minutes | `"200ms"` |
//! | `user_timeout` | for how long nothing may be acknowledged of what was written, be it cut off or be there no room for it, until the connection is given up; longer than `min_rto` | `"20s"` |
//! | `connect_timeout` | how long it may take to open a connection | `"10s"` |
//! | `send_buffer` | how much that was written a kernel holds for a connection until it is acknowledged: a whole number of `B`, `kB`, `KiB`, `MB` or `MiB`, up to 1024 MiB | `"64KiB"` |
//! | `receive_buffer` | how much that came in it holds until the node reads it | `"128KiB"` |
//! | `backlog` | how much more than its send buffer holds a node may have written to a connection: beyond it, the connection is reset | `"16MiB"` |
//! | `backlogs` | the same, of all connections of a host together | four times `backlog` |
//! | `connections` | how many connections a host has at once that others have opened, those that are being closed included, 1 to 262 144; while there are as many, whoever dials is refused, and what its kernel has opened for it meanwhile is reset. As many again its node may open itself | 1024 |
//! | `of_peer` | of those that others have opened, how many one host may have; what it opens beyond is reset | 256 |
//! | `listen_backlog` | how many connections to a port may be open that its node has not been told of, 1 to 65 535; one more, as Linux has it. What is dialled beyond is not heard, and dialled again | 128 |
//!
//! ## Laws of latency
//!
//! | law | what is drawn | for |
//! |---|---|---|
//! | `Constant("3ms")` | always the same | arithmetic by hand |
//! | `Uniform("1ms", "10ms")` | from the first to the second, which is excluded, each as likely | a plain network |
//! | `Normal(mean: "20ms", deviation: "3ms")` | the bell curve; what would be less than nothing is nothing | many small delays in a row |
//! | `LogNormal(median: "20ms", sigma: 0.5)` | its logarithm is normal, with `sigma` for a deviation: at 0.5, one of 1000 takes 4.7 medians | the Internet |
//! | `Exponential(mean: "5ms", min: "1ms")` | `min`, or nothing without it, and on top of it an exponential time of that mean | waiting behind others |
//! | `Pareto(min: "1ms", shape: 1.5)` | at least `min`; the share above x is (min / x)^shape, with no mean at a shape of 1 and below | heavy tails |
//! | `Empirical(["80us", "100us", "5ms"])` | the samples, written in any order, are quantiles at equal steps, and between two of them it is uniform | what was measured |
//!
//! What a law says is shorter than the run. A latency that is drawn may be longer, up to ten years.
//!
//! ## Timeline
//!
//! - `At("2s", fault)`: at a time before the end. Hosts that begin with the run have started, and have said what they say first, when
//!   anything at `"0s"` happens; what is to be there before them, such as a law of a link, stands in `network`.
//! - `Every(interval: "1s", from: "1s", until: "9s", do: fault)`: again and again, `until` excluded. The interval is at least
//!   [`SHORTEST_INTERVAL`], the times are at most [`MOST_TIMES`]. Without `from` the first time is one interval after the
//!   beginning; without `until` it goes on to the end.
//! - `When(…, by: "c1..c4", nth: 1, after: "20ms", do: fault)`: once, that long after the nth time that one of these hosts does
//!   something. Without `by` it is anyone, without `nth` the first time, without `after` at once, before the rest of what the
//!   node asked for with the same input. Only here `"@actor"` names whoever did it. It waits for one of:
//!   - `fact: "promoted"`: claims a fact.
//!   - `persist: Begun`: begins to write to its disk.
//!   - `persist: Completed`: has written to its disk; what waited behind the write has not gone on yet.
//!   - `send_to: "c1"`: has sent a datagram to one of these hosts, whatever becomes of it; `"*"` is to anyone.
//!   - `open_to: "c1"`: has dialled a connection to one of these hosts, and it is open; its node has not been told yet.
//!
//! [Every fault under every trigger](crate::plan#every-fault-under-every-trigger) has a test that shows what is seen of it. The
//! faults that happen:
//!
//! | fault | what it does |
//! |---|---|
//! | `Kill("a")`, `PowerCut("a")` | takes hosts down |
//! | `Restart("a")`, `Wipe("a")` | boots hosts that are down, with what is on their disks or with nothing; `Restart("a", Kept)` and `Restart("a", Wiped)` are the same two |
//! | `Restart("a", Stale)` | with what was there before the last write, which had begun, or was only said to be done |
//! | `Restart("a", Torn)` | with the beginning of that write, over what was there before |
//! | `Restart("a", Corrupt)` | with what is on their disks, one byte of it turned into another one |
//! | `Pause("a")`, `Resume("a")` | stops hosts, which keep their memory; lets them run again |
//! | `Jump(who: "a", by: "2s")` | moves clocks forward |
//!
//! The faults that last, each until it is healed; several may lie over the same links and hosts, and come and go in any order:
//!
//! | fault | what it does |
//! |---|---|
//! | `Partition([["a", "b"], ["c"]])` | nothing passes between the groups; hosts that none names are one more group |
//! | `OneWay(from: "a", to: ["b", "c"])` | nothing passes from the first to the second |
//! | `Bridge(over: "c", sides: [["a", "b"], ["d", "e"]])` | nothing passes between the sides, but everything to and from those between them; hosts that nothing names are one more side |
//! | `Ring(["a", "b", "c", "d", "e"])` | each reaches its neighbours in this order, on either side, and nobody else; `Ring(hosts: […], reach: 2)` those up to two places away. At least 2 × reach + 2 hosts. Hosts that it does not name reach each other, and nobody in it. Where `"@actor"` turns out to be one whom it names besides, and so few are left, it is not laid, and the run is inconclusive |
//! | `Flap(cut: Partition([["a"]]), down: "300ms", up: "200ms")` | any of these four, cut and open and cut again: first cut. Each at least [`SHORTEST_INTERVAL`], [`MOST_TIMES`] times at most before the end |
//! | `Link(from: "a", to: "*", loss: 0.5)` | links get other laws: any fields of `network` but `zones`, `links` and `streams`. Of several over a link, the one laid last has the last word on each field. It touches the datagrams whose law would be another one without it |
//! | `Slow(who: "a", by: "20ms")` | each input takes so long, one after the other; several add up |
//! | `SlowDisk(who: "a", by: "50ms")` | writes that begin take so much longer; several add up |
//! | `FailingDisk(who: "a", share: 0.5)` | this share of writes, all without `share`, come to nothing |
//! | `Drift(who: "a", ppm: 500)` | clocks go faster by so many millionths, or slower where it is negative, −500 000 to 1 000 000 and not 0; several add up, and to the clock's own drift, and what they come to is kept within the same bounds |
//!
//! and what ends them:
//!
//! | fault | what it does |
//! |---|---|
//! | `Heal(Partition(…))`, `Heal(Slow(…))`, … | takes away the latest layer that an equal fault has laid, in whatever order its hosts are written; only of a ring the order counts |
//! | `HealAll` | takes away all layers over links: cuts, flaps and other laws. Those over hosts stay |
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
//! a later version. `format: 1` leads it. What rule sets have by themselves, where they differ, no file can say, and is told in
//! comments: it follows the protocol.
//!
//! # What cannot be
//!
//! A file larger than 1 MiB ([`LARGEST`]) or nested deeper than [`places::DEEPEST`] levels is not read. Beyond unknown names
//! and numbers out of bounds, a file is refused that heals what was never there or, at known times, what is already healed, restarts who can never be down, resumes who
//! can never be paused, names a fault or a time that is never reached, has a zone of which nothing is said, measures from a fault
//! that is not in it, or asks in writing for a promise of quiet that it leaves no time for.
//!
//! Quiet is what is left of a run when all is taken away that disturbs:
//!
//! - everybody: the beginning of the run; a cut or another law of links is laid or healed, wherever it is, or a flap turns;
//! - the hosts that can all reach a host, and the host: it goes up or down, is paused or resumed; it becomes slow or less so, its disk
//!   ailing or sound, or its clock changes its rate or jumps; others come to reach it or reach it no more; a datagram from it or to it
//!   finds a queue full, is longer than the MTU, or is a straggler: it arrives later than is tolerated since a `Link` kept it, which
//!   may have been healed by then; a stream that was stuck goes on;
//! - the same, for as long as it lasts: the host is slow, has a slow or failing disk (a write that a layer has made slow outlasts the
//!   layer) or a clock that drifts by more than 1000 ppm; a link among these hosts is beyond what is tolerated because of a `Link`; a
//!   stream among them is stuck: what it sent was cut off, or came to a host without power, or went over such a link, or to a paused host that
//!   has no room for it, and it has not come or been given up yet, since its sender backs off.
//!
//! Nobody is ever quiet where `network` or `persist` is beyond what is tolerated by itself.

mod cast;
pub(crate) mod complaint;
pub(crate) mod desk;
mod faults;
pub(crate) mod file;
mod history;
mod labels;
mod latencies;
pub(crate) mod laws;
mod measures;
pub(crate) mod names;
mod network;
pub mod places;
mod promises;
mod quiet;
mod resolve;
pub(crate) mod resolved;
pub(crate) mod settings;
mod streams;
mod timeline;
mod triggers;
mod workload;
mod zones;

pub use cast::{MOST_HOSTS, MOST_NAMED};
pub use complaint::{Complaint, Complaints, Place, Style};
pub use file::{FORMAT, Flaw, LARGEST, ScenarioFile};
pub use laws::MOST_LINKS;
pub(crate) use quiet::never_judged;
pub use resolve::{resolve, resolve_at};
pub use resolved::resolved;
pub use timeline::MOST_ENTRIES;
pub use triggers::{MOST_TIMES, SHORTEST_INTERVAL};
