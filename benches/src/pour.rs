//! The pouring node: it opens a stream to the next in a ring, writes as much as it is to, as quickly as it is let, and closes it.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    Always, Breach, Closed, ConfigOf, ConnId, Describe, Input, InvariantKind, Judged, Misfit, Node, NodeRng,
    Outbox, Placed, Protocol, Seen, Setup, Span, StreamEvent, Time, World, facts,
};

const PORT: u16 = 7000;
/// How many bytes are written at a time: more than a send buffer holds, so that whoever writes is told when there is room again.
const CHUNK: usize = 128 << 10;

/// The protocol of the benchmarks of streams: `pour`.
pub struct Pour;

/// What every host is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum PourRole {
    /// It pours.
    Pourer,
}

/// The settings of a pouring node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PourConfig {
    /// How many bytes it writes.
    pub bytes: u64,
    /// To whom; the next host when not given.
    pub to: Option<SocketAddrV4>,
}

facts! {
    /// What a pouring node claims.
    pub enum PourFact {
        /// A stream to it has ended.
        "emptied" => Emptied {
            /// How many bytes came in.
            bytes: u64,
            /// How it ended.
            how: Closed,
        },
    }
}

/// It has no timers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PourTimer {}

impl squall_nodes::Timer for PourTimer {
    fn code(&self) -> u64 {
        match *self {}
    }
}

/// A pouring node.
#[derive(Clone)]
pub struct PourNode {
    to: Option<SocketAddrV4>,
    /// Where it pours.
    conn: Option<ConnId>,
    /// How much it has still to write.
    left: u64,
    /// What came in.
    came: u64,
}

impl Node for PourNode {
    type Role = PourRole;
    type Config = PourConfig;
    type Command = ();
    type Answer = ();
    type Timer = PourTimer;
    type Fact = PourFact;

    fn boot(_role: &PourRole, config: &PourConfig, _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        PourNode {
            to: config.to,
            conn: None,
            left: config.bytes,
            came: 0,
        }
    }

    fn handle(&mut self, _now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => {
                out.listen(PORT);
                self.conn = self.to.map(|to| out.dial(to));
            }
            Input::Stream { conn, event } => match event {
                StreamEvent::Opened | StreamEvent::Writable => self.pour(conn, out),
                StreamEvent::Bytes(bytes) => self.came += bytes.len() as u64,
                StreamEvent::Closed(how) if self.conn != Some(conn) => {
                    let bytes = self.came;
                    out.claim(PourFact::Emptied { bytes, how });
                }
                // Of its own it knows when it may write; nobody else writes to it.
                StreamEvent::Accepted { .. } | StreamEvent::Blocked | StreamEvent::Closed(_) => {}
            },
            // There are none.
            Input::Datagram { .. }
            | Input::Timer(_)
            | Input::Command { .. }
            | Input::Persisted(_)
            | Input::PersistFailed(_) => {}
        }
    }
}

impl PourNode {
    fn pour(&mut self, conn: ConnId, out: &mut Outbox<Self>) {
        let len = self.left.min(CHUNK as u64) as usize;
        let payload = out.encode(|into| into.resize(into.len() + len, b'x'));
        out.write(conn, payload);
        self.left -= len as u64;
        if self.left == 0 {
            out.close(conn);
        }
    }
}

impl Protocol for Pour {
    const NAME: &'static str = "pour";
    const ABOUT: &'static str =
        "the benchmarks' streams: each node writes to the next as quickly as it is let";
    type Node = PourNode;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {
        PourConfig {
            bytes: 1 << 20,
            to: None,
        }
    }

    fn assemble(hosts: &mut [Placed<PourNode>]) -> Result<(), Vec<Misfit>> {
        let addresses: Vec<SocketAddrV4> = hosts
            .iter()
            .map(|host| SocketAddrV4::new(host.ip, PORT))
            .collect();
        for (host, next) in hosts.iter_mut().zip(addresses.iter().cycle().skip(1)) {
            host.config.to.get_or_insert(*next);
        }
        Ok(())
    }

    fn invariants() -> Vec<InvariantKind<PourNode>> {
        vec![InvariantKind::always(
            "whole",
            "What is poured comes in, all of it, and then its end.",
            Whole::new,
        )]
    }

    fn shortest_timeout(_config: &PourConfig) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Words;
        impl Describe for Words {
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
                format!("{} bytes", bytes.len())
            }
        }
        Box::new(Words)
    }
}

/// What is poured comes in.
#[derive(Clone)]
struct Whole {
    bytes: Vec<u64>,
}

impl Whole {
    fn new(setup: &Setup<'_, PourNode>) -> Self {
        let poured = |host: &Placed<PourNode>| host.config.bytes;
        Whole {
            bytes: setup.hosts.iter().map(poured).collect(),
        }
    }
}

impl Always<PourNode> for Whole {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, PourNode>, world: &World) -> Result<Judged, Breach> {
        let Seen::Fact { host, fact, .. } = seen else {
            return Ok(Judged::NotConcerned);
        };
        let PourFact::Emptied { bytes, how } = fact;
        // The one before it in the ring has poured.
        let count = self.bytes.len();
        let poured = self.bytes[(host.index() + count - 1) % count];
        if *bytes == poured && *how == Closed::Orderly {
            return Ok(Judged::Yes);
        }
        let detail = format!("{} got {bytes} of {poured} bytes: {how:?}", world.name(*host));
        Err(Breach::new(detail, [*host]))
    }
}
