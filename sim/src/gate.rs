//! The determinism gate: runs a seed twice, and says where two runs that should be one part ways.
//!
//! Equal scenario, seed and version give equal runs. A node that reads a clock, draws from a stream that is not its own,
//! iterates over a `HashMap` or keeps something from run to run breaks that, and with it every seed that was ever
//! reported. The gate finds out, and names the first event that differs.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::HostId;

use crate::outcome::{Digest, Outcome};
use crate::runner::{Prepared, Worker};
use crate::trace::{Happening, Trace, TraceEvent};

/// How many more runs, with traces, are held against the first one when two runs differ: what differs may come and go.
const TRIES: usize = 8;

/// Runs `seed` twice: on a worker that is fresh, and on the same one when it has a run behind it.
///
/// # Errors
///
/// The [`Difference`], when the runs are not equal in all that an [`Outcome`] holds, their digests first of all.
pub fn recheck(prepared: &dyn Prepared, seed: u64) -> Result<Outcome, Box<Difference>> {
    let mut worker = prepared.worker();
    let (first, second) = (worker.run(seed), worker.run(seed));
    match Difference::between(prepared, &first, &second) {
        None => Ok(first),
        Some(difference) => Err(difference),
    }
}

/// Two runs of one seed were not equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The scenario: the path of its file.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The digests of the two runs. They are equal where only what was made of equal events differs: a verdict, a measure.
    pub digests: [Digest; 2],
    /// Where two further runs part, as their traces show it; `None` when none of several showed anything.
    pub parting: Option<Parting>,
}

/// The first event that is not the same in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// How many events are the same.
    pub index: usize,
    /// What comes next in one run; `None` when it is over.
    pub first: Option<TraceEvent>,
    /// What comes next in the other; `None` when it is over.
    pub second: Option<TraceEvent>,
    /// The hosts' names, by [`HostId`].
    pub hosts: Vec<String>,
    /// The hosts' addresses, by [`HostId`].
    pub ips: Vec<Ipv4Addr>,
}

impl Difference {
    /// How two runs of one seed of `prepared` differ; `None` when they are equal in all that an [`Outcome`] holds.
    ///
    /// When they do, the seed is run several times more, with traces, to find the event at which runs part.
    pub fn between(prepared: &dyn Prepared, first: &Outcome, second: &Outcome) -> Option<Box<Difference>> {
        (first != second).then(|| {
            Box::new(Difference {
                scenario: prepared.scenario().to_owned(),
                seed: first.seed,
                digests: [first.digest, second.digest],
                parting: find_parting(&mut *prepared.worker(), prepared, first.seed),
            })
        })
    }

    /// As [`between`](Difference::between), where the first of the runs is one of a worker that has others behind it. What it
    /// has kept of them may be what makes the difference, so that the event is sought in a trace of that worker's first.
    pub fn seen_by(
        worker: &mut dyn Worker,
        prepared: &dyn Prepared,
        first: &Outcome,
        second: &Outcome,
    ) -> Option<Box<Difference>> {
        (first != second).then(|| {
            Box::new(Difference {
                scenario: prepared.scenario().to_owned(),
                seed: first.seed,
                digests: [first.digest, second.digest],
                parting: find_parting(worker, prepared, first.seed),
            })
        })
    }
}

/// Holds a trace of `worker` against one of a worker of its own, and then traces runs until one is not like the first.
fn find_parting(worker: &mut dyn Worker, prepared: &dyn Prepared, seed: u64) -> Option<Parting> {
    let (_, first) = worker.trace(seed);
    let mut fresh = prepared.worker();
    (0..TRIES).find_map(|_| Parting::between(&first, &fresh.trace(seed).1))
}

impl Parting {
    /// Where two traces part; `None` when they are equal.
    pub fn between(first: &Trace, second: &Trace) -> Option<Parting> {
        let longest = first.events.len().max(second.events.len());
        let index = (0..longest).find(|index| first.events.get(*index) != second.events.get(*index))?;
        Some(Parting {
            index,
            first: first.events.get(index).cloned(),
            second: second.events.get(index).cloned(),
            hosts: first.hosts.clone(),
            ips: first.ips.clone(),
        })
    }
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    /// Two lines: what the one run has where they part, and what the other has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { scenario, seed, .. } = self;
        match &self.parting {
            Some(parting) => write!(f, "{scenario}: two runs of seed {seed} differ {parting}"),
            None => write!(
                f,
                "{scenario}: two runs of seed {seed} differ, with digests {} and {}\n\
                 but no event of {TRIES} more runs does: what differs comes and goes, or no trace shows it",
                self.digests[0], self.digests[1]
            ),
        }
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |event| Told { event, of: self };
        // Counted from 1, as people count.
        write!(
            f,
            "from event {} on; one has: {}\nand the other has: {}",
            self.index + 1,
            told(self.first.as_ref()),
            told(self.second.as_ref())
        )
    }
}

/// An event in words, with the names of the hosts in it.
struct Told<'a> {
    event: Option<&'a TraceEvent>,
    of: &'a Parting,
}

impl Told<'_> {
    fn host(&self, host: HostId) -> &str {
        let name = self.of.hosts.get(host.index());
        name.map_or("an unknown host", String::as_str)
    }

    /// An address of a trace, with the host's name in place of its IP address.
    fn place(&self, address: &str) -> String {
        let named = address.parse::<SocketAddrV4>().ok().and_then(|address| {
            let place = self.of.ips.iter().position(|ip| ip == address.ip())?;
            let host = HostId(u32::try_from(place).ok()?);
            Some(format!("{}:{}", self.host(host), address.port()))
        });
        named.unwrap_or_else(|| address.to_owned())
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(event) = self.event else {
            return f.write_str("nothing more, it is over");
        };
        let who = event.host.map_or("the world", |host| self.host(host));
        write!(f, "at {}, {who} ", event.at)?;
        match &event.what {
            Happening::Booted { incarnation } => write!(f, "boots for life {incarnation}"),
            Happening::Sent {
                to,
                fate,
                says,
                len,
                hash,
            } => {
                let to = self.place(to);
                write!(
                    f,
                    "sends {says:?} to {to} ({fate:?}, {len} bytes, hash {hash:016x})"
                )
            }
            Happening::Received {
                from,
                says,
                len,
                hash,
            } => {
                let from = self.place(from);
                write!(f, "receives {says:?} from {from} ({len} bytes, hash {hash:016x})")
            }
            Happening::Dropped { from, why } => {
                write!(f, "drops a datagram from {} ({why:?})", self.place(from))
            }
            Happening::Timer { timer } => write!(f, "is woken by its timer {timer}"),
            Happening::Listening { port } => write!(f, "listens on port {port}"),
            Happening::Dialling { conn, to } => write!(f, "dials {} as connection {conn}", self.place(to)),
            Happening::Wrote {
                conn,
                to,
                says,
                len,
                hash,
            } => {
                let (to, says) = (self.place(to), says.join("; "));
                write!(
                    f,
                    "writes {says:?} to connection {conn} with {to} ({len} bytes, hash {hash:016x})"
                )
            }
            Happening::PausedReading { conn } => write!(f, "reads no more from connection {conn}"),
            Happening::ResumedReading { conn } => write!(f, "reads from connection {conn} again"),
            Happening::Closing { conn, to } => write!(f, "closes connection {conn} with {}", self.place(to)),
            Happening::Opened { conn, to } => {
                write!(f, "is told that connection {conn} to {} is open", self.place(to))
            }
            Happening::Accepted { conn, port, from } => {
                let from = self.place(from);
                write!(f, "accepts connection {conn} from {from} on port {port}")
            }
            Happening::Read {
                conn,
                from,
                says,
                len,
                hash,
            } => {
                let (from, says) = (self.place(from), says.join("; "));
                write!(
                    f,
                    "reads {says:?} from connection {conn} with {from} ({len} bytes, hash {hash:016x})"
                )
            }
            Happening::Blocked { conn } => write!(f, "is told that connection {conn} takes no more"),
            Happening::Writable { conn } => write!(f, "is told that connection {conn} takes more again"),
            Happening::Closed { conn, with, why } => {
                let with = self.place(with);
                write!(f, "is told that connection {conn} with {with} is over ({why:?})")
            }
            Happening::Persisting { token, len, hash } => {
                write!(
                    f,
                    "begins write {token} to its disk ({len} bytes, hash {hash:016x})"
                )
            }
            Happening::Persisted { token } => write!(f, "has written {token} to its disk"),
            Happening::PersistFailed { token } => write!(f, "fails to write {token} to its disk"),
            Happening::Fact { says, .. } => write!(f, "claims {says}"),
            Happening::Call { call, says } => write!(f, "is asked {says} by call {call}"),
            Happening::Answer { call, says } => write!(f, "answers {says} to call {call}"),
            Happening::World { change, fault, .. } => write!(f, "changes by {fault}: {change:?}"),
            Happening::Violated { invariant } => write!(f, "breaks {invariant}"),
        }
    }
}
