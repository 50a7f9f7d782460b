//! A run with its trace, and questions to it.

use std::net::SocketAddrV4;

use squall_nodes::{Change, HostId, Span, Time};
use squall_sim::Outcome;
use squall_sim::plan::host_at;
use squall_sim::trace::{Happening, Trace, TraceEvent};

pub(crate) struct Story {
    pub(crate) outcome: Outcome,
    pub(crate) trace: Trace,
}

impl Story {
    /// Everything that happened to a host, a line an event: `10ms sends hello to b`.
    pub(crate) fn of(&self, host: HostId) -> Vec<String> {
        let own = |event: &&TraceEvent| event.host == Some(host);
        self.trace
            .events
            .iter()
            .filter(own)
            .map(|event| format!("{} {}", since(event.at), self.line(&event.what)))
            .collect()
    }

    /// What a host's node heard, and when.
    pub(crate) fn heard(&self, host: HostId) -> Vec<(Span, String)> {
        self.pick(host, |what| match what {
            Happening::Received { says, .. } => Some(says.clone()),
            _ => None,
        })
    }

    /// What a host's node heard, without the times.
    pub(crate) fn words(&self, host: HostId) -> Vec<String> {
        self.heard(host).into_iter().map(|(_, says)| says).collect()
    }

    /// What a host's node claimed, and when.
    pub(crate) fn claimed(&self, host: HostId) -> Vec<(Span, String)> {
        self.pick(host, |what| match what {
            Happening::Fact { says, .. } => Some(says.clone()),
            _ => None,
        })
    }

    /// Everything that a host's node read from a connection, in order.
    pub(crate) fn read(&self, host: HostId, conn: u64) -> String {
        let pieces = self.pick(host, |what| match what {
            Happening::Read { conn: of, says, .. } if *of == conn => Some(says.concat()),
            _ => None,
        });
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    /// In which pieces a host's node read a connection, and when.
    pub(crate) fn pieces(&self, host: HostId, conn: u64) -> Vec<(Span, String)> {
        self.pick(host, |what| match what {
            Happening::Read { conn: of, says, .. } if *of == conn => Some(says.concat()),
            _ => None,
        })
    }

    /// Everything that a host's node wrote to a connection, in order.
    pub(crate) fn wrote(&self, host: HostId, conn: u64) -> String {
        let pieces = self.pick(host, |what| match what {
            Happening::Wrote { conn: of, says, .. } if *of == conn => Some(says.concat()),
            _ => None,
        });
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    /// What a host's node was told of its connections but bytes, and when.
    pub(crate) fn told(&self, host: HostId) -> Vec<String> {
        let told = self.pick(host, |what| match what {
            Happening::Opened { .. }
            | Happening::Accepted { .. }
            | Happening::Blocked { .. }
            | Happening::Writable { .. }
            | Happening::Closed { .. } => Some(self.line(what)),
            _ => None,
        });
        told.into_iter()
            .map(|(when, what)| format!("{when} {what}"))
            .collect()
    }

    /// When a host's timers went off.
    pub(crate) fn timers(&self, host: HostId) -> Vec<(Span, String)> {
        self.pick(host, |what| match what {
            Happening::Timer { timer } => Some(timer.clone()),
            _ => None,
        })
    }

    /// How the world changed, and when.
    pub(crate) fn changes(&self) -> Vec<(Span, Change)> {
        let change = |event: &TraceEvent| match &event.what {
            Happening::World { change, .. } => Some((since(event.at), change.clone())),
            _ => None,
        };
        self.trace.events.iter().filter_map(change).collect()
    }

    /// How much each entry of the timeline touched.
    pub(crate) fn affected(&self) -> Vec<u64> {
        self.outcome.faults.iter().map(|fault| fault.affected).collect()
    }

    /// The name of the host at an address.
    pub(crate) fn name_at(&self, address: &str) -> String {
        let address: SocketAddrV4 = address.parse().expect("a trace has whole addresses");
        self.trace
            .hosts
            .get(host_at(*address.ip()).index())
            .cloned()
            .unwrap_or_else(|| address.to_string())
    }

    fn pick(&self, host: HostId, what: impl Fn(&Happening) -> Option<String>) -> Vec<(Span, String)> {
        let own = |event: &&TraceEvent| event.host == Some(host);
        self.trace
            .events
            .iter()
            .filter(own)
            .filter_map(|event| Some((since(event.at), what(&event.what)?)))
            .collect()
    }

    fn line(&self, what: &Happening) -> String {
        match what {
            Happening::Booted { incarnation } => format!("boots for life {incarnation}"),
            Happening::Sent { to, says, .. } => format!("sends {says} to {}", self.name_at(to)),
            Happening::Received { from, says, .. } => format!("hears {says} from {}", self.name_at(from)),
            Happening::Dropped { from, why } => format!("misses {why:?} from {}", self.name_at(from)),
            Happening::Timer { timer } => format!("wakes by {timer}"),
            Happening::Persisting { token, .. } => format!("writes {token}"),
            Happening::Persisted { token } => format!("has written {token}"),
            Happening::PersistFailed { token } => format!("has failed to write {token}"),
            Happening::Fact { says, .. } => format!("claims {says}"),
            Happening::Call { says, .. } => format!("is asked {says}"),
            Happening::Answer { says, .. } => format!("answers {says}"),
            Happening::Listening { port } => format!("listens on {port}"),
            Happening::Dialling { conn, to } => format!("dials {} as {conn}", self.name_at(to)),
            Happening::Opened { conn, to } => format!("has opened {conn} to {}", self.name_at(to)),
            Happening::Accepted { conn, from, .. } => format!("accepts {conn} from {}", self.name_at(from)),
            Happening::Wrote { conn, says, .. } => format!("writes {} to {conn}", shown(says)),
            Happening::Read { conn, says, .. } => format!("reads {} from {conn}", shown(says)),
            Happening::PausedReading { conn } => format!("stops to read {conn}"),
            Happening::ResumedReading { conn } => format!("goes on to read {conn}"),
            Happening::Blocked { conn } => format!("is blocked on {conn}"),
            Happening::Writable { conn } => format!("may write to {conn}"),
            Happening::Closing { conn, .. } => format!("closes {conn}"),
            Happening::Closed { conn, why, .. } => format!("loses {conn}: {why:?}"),
            other => format!("{other:?}"),
        }
    }
}

/// What a piece of a stream says, cut short.
fn shown(says: &[String]) -> String {
    let all = says.concat();
    match all.len() {
        0..=40 => all,
        long => format!("{long} bytes"),
    }
}

fn since(time: Time) -> Span {
    time.since(Time::ZERO)
}
