//! The protocol of these tests: one host sends, another hears; the trace says when, and what.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    ConfigOf, Describe, HostId, HostKey, Input, InvariantKind, Node, NodeRng, Outbox, Placed, Protocol, Span,
    Time, Tolerance, facts,
};
use squall_sim::outcome::Traffic;
use squall_sim::plan::{Clock, Expect, Latency, LinkLaw, Network, Plan, PlannedHost, address_of};
use squall_sim::trace::{Fate, Happening};
use squall_sim::{Prepared, prepare};

const PORT: u16 = 7000;
const SOURCE: HostId = HostId(0);
const SINK: HostId = HostId(1);

/// What a source sends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// How many datagrams.
    pub(crate) count: u64,
    /// How many of them at once.
    pub(crate) at_once: u64,
    /// How long each payload is; 8 bytes at least.
    pub(crate) bytes: usize,
    pub(crate) gaps: Gaps,
}

/// The times between one sending and the next.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Gaps {
    Even(Span),
    /// Exponential, with this mean: a Poisson process.
    Poisson(Span),
}

/// What came of a stream.
pub(crate) struct Seen {
    pub(crate) traffic: Traffic,
    /// Of each datagram, in the order of sending, when it was sent and what became of it at once.
    pub(crate) sent: Vec<(u64, Fate)>,
    /// When each that was heard was heard, and what it said, in the order of hearing.
    pub(crate) heard: Vec<(u64, Vec<u8>)>,
}

impl Stream {
    /// `count` datagrams of 8 bytes, ten at once, and a millisecond between.
    pub(crate) fn of(count: u64) -> Self {
        Stream {
            count,
            at_once: 10,
            bytes: 8,
            gaps: Gaps::Even(Span::from_millis(1)),
        }
    }

    /// What becomes of it on a link of this law, as counted.
    pub(crate) fn count(self, law: LinkLaw, seed: u64) -> Traffic {
        self.prepare(law).worker().run(seed).traffic
    }

    /// What becomes of it on a link of this law, one by one.
    pub(crate) fn watch(self, law: LinkLaw, seed: u64) -> Seen {
        let (outcome, trace) = self.prepare(law).worker().trace(seed);
        let mut seen = Seen {
            traffic: outcome.traffic,
            sent: Vec::new(),
            heard: Vec::new(),
        };
        for event in trace.events {
            let at = event.at.as_nanos();
            match event.what {
                Happening::Sent { fate, .. } => seen.sent.push((at, fate)),
                Happening::Received { says, .. } => seen.heard.push((at, unhex(&says))),
                _ => {}
            }
        }
        seen
    }

    fn prepare(self, law: LinkLaw) -> impl Prepared {
        let host = |id: HostId, name: &str, role| PlannedHost {
            placed: Placed {
                name: name.to_owned(),
                ip: address_of(id),
                role,
                config: (),
            },
            key: HostKey::of(name),
            starts: Time::ZERO,
            clock: Clock::default(),
        };
        let plan: Plan<Streams> = Plan {
            scenario: "truth".to_owned(),
            rules: "Standard",
            hosts: vec![host(SOURCE, "source", Some(self)), host(SINK, "sink", None)],
            network: Network::of(law),
            persist: Latency::Constant(Span::ZERO),
            lateness: None,
            timeline: Vec::new(),
            workload: Vec::new(),
            // Whatever law: everything that arrives at all arrives by then.
            limit: Span::LONGEST,
            max_events: u64::MAX,
            invariants: Vec::new(),
            measures: Vec::new(),
            expect: Expect::Held,
            tolerated: Tolerance {
                loss: 0.0,
                latency: Span::ZERO,
            },
            live_tolerance: Span::ZERO,
        };
        prepare(plan, 0)
    }
}

impl Seen {
    /// How long each datagram that was heard was on its way, by its number; for streams of which no byte is changed.
    pub(crate) fn latencies(&self) -> Vec<(usize, u64)> {
        let took = |(at, says): &(u64, Vec<u8>)| {
            let number = number_of(says);
            (number, at - self.sent[number].0)
        };
        self.heard.iter().map(took).collect()
    }
}

/// What the datagram of a number says: the number, and bytes that count on.
pub(crate) fn words(number: u64, bytes: usize) -> Vec<u8> {
    let mut says = number.to_be_bytes().to_vec();
    says.extend((8..bytes).map(|place| place as u8));
    says
}

fn number_of(says: &[u8]) -> usize {
    let mut number = [0; 8];
    number.copy_from_slice(&says[..8]);
    u64::from_be_bytes(number) as usize
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).expect("what is said is told in hex") as u8;
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

struct Streams;

#[derive(Clone)]
struct Talker {
    stream: Option<Stream>,
    sent: u64,
    rng: NodeRng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Next;

impl squall_nodes::Timer for Next {
    fn code(&self) -> u64 {
        1
    }
}

facts! {
    enum Claim {
        /// Nobody claims anything here.
        "nothing" => Nothing,
    }
}

impl Node for Talker {
    type Role = Option<Stream>;
    type Config = ();
    type Command = ();
    type Answer = ();
    type Timer = Next;
    type Fact = Claim;

    fn boot(role: &Option<Stream>, (): &(), _disk: Option<&[u8]>, rng: NodeRng) -> Self {
        Talker {
            stream: *role,
            sent: 0,
            rng,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let Some(stream) = self.stream else {
            out.bind(PORT);
            return;
        };
        match input {
            Input::Start => out.bind(PORT),
            Input::Timer(Next) => {
                let until = stream.count.min(self.sent + stream.at_once);
                for number in self.sent..until {
                    let payload = out.payload(&words(number, stream.bytes));
                    out.send(PORT, SocketAddrV4::new(address_of(SINK), PORT), payload);
                }
                self.sent = until;
            }
            _ => return,
        }
        if self.sent < stream.count {
            out.arm(Next, now + stream.gaps.next(&mut self.rng));
        }
    }
}

impl Gaps {
    fn next(self, rng: &mut NodeRng) -> Span {
        match self {
            Gaps::Even(span) => span,
            Gaps::Poisson(mean) => {
                const PARTS: u64 = 1 << 52;
                let unit = (rng.below(PARTS) as f64 + 0.5) / PARTS as f64;
                Span::from_nanos(libm::round(-libm::log(unit) * mean.as_nanos() as f64) as u64)
            }
        }
    }
}

impl Protocol for Streams {
    const NAME: &'static str = "streams";
    const ABOUT: &'static str = "one host sends to another";
    type Node = Talker;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {}

    fn invariants() -> Vec<InvariantKind<Talker>> {
        Vec::new()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Hex;
        impl Describe for Hex {
            /// The first bytes: of long ones no more is looked at.
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let shown = if bytes.len() <= 64 { bytes } else { &bytes[..8] };
                let pair = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)] as char);
                shown.iter().flat_map(pair).collect()
            }
        }
        Box::new(Hex)
    }
}
