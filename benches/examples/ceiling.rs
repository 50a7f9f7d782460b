//! How much memory a run can take: floods a run until it is stopped, and prints the most that this process has held.
//!
//! `short`: datagrams that lie in the queue; `long`: the longest there are; `both`: so long that the queue and the bytes held come to
//! their ends at about the same time; `again`: the longest there are, which arrive, and then as `both`; `behind`: as `both`, behind a
//! write that takes its time; `contents`: writes of 64 KiB to many disks; `all`: one host does as in `short`, and one as in `behind`.

use std::net::SocketAddrV4;
use std::{env, fs};

use serde::{Deserialize, Serialize};
use squall_nodes::{
    ConfigOf, Describe, HostId, HostKey, Input, InvariantKind, Node, NodeRng, Outbox, Placed, Protocol, Span,
    Time, Tolerance, facts,
};
use squall_sim::plan::{Clock, Expect, Latency, LinkLaw, Network, Plan, PlannedHost, address_of};
use squall_sim::prepare;
use squall_sim::runner::Prepared;

fn main() {
    let named = env::args().nth(1);
    let Some(way) = WAYS.iter().find(|(name, ..)| named.as_deref() == Some(name)) else {
        let names: Vec<&str> = WAYS.iter().map(|(name, ..)| *name).collect();
        eprintln!("usage: ceiling {}", names.join("|"));
        std::process::exit(2);
    };
    let (name, roles, hosts) = *way;
    let outcome = prepare(plan(roles, hosts), 0).worker().run(0);
    let peak = fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let peak = peak.map_or("unknown".to_owned(), |peak| format!("{} MiB", peak >> 10));
    println!(
        "{name}: at most {peak}; {} datagrams; {:?}",
        outcome.traffic.sent, outcome.doubts
    );
}

/// The ways to flood, each with its name, what hosts do, in turn, and how many they are.
const WAYS: [(&str, &[Way], u32); 7] = [
    ("short", &[SHORT], 1),
    (
        "long",
        &[Way::Send {
            first: LONGEST,
            then: LONGEST,
        }],
        1,
    ),
    (
        "both",
        &[Way::Send {
            first: JUST_LONG,
            then: JUST_LONG,
        }],
        1,
    ),
    (
        "again",
        &[Way::Send {
            first: LONGEST,
            then: JUST_LONG,
        }],
        1,
    ),
    ("behind", &[Way::SendBehindAWrite], 1),
    ("contents", &[Way::Write], 20_000),
    ("all", &[SHORT, Way::SendBehindAWrite], 2),
];

const SHORT: Way = Way::Send { first: 8, then: 8 };

/// The longest payload of a datagram over IPv4.
const LONGEST: usize = 65_507;
/// One byte more than lies in the queue.
const JUST_LONG: usize = 33;
/// The latency of the links; what is first said arrives, and what is then said does not.
const UNDER_WAY: Span = Span::from_secs(100);
const FIRST: Span = Span::from_secs(1);
const PORT: u16 = 7000;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    /// So many bytes in each datagram of the first second, as many of them as may be held, and in each after they have arrived.
    Send {
        first: usize,
        then: usize,
    },
    SendBehindAWrite,
    Write,
}

struct Flood;

#[derive(Clone)]
struct Flooding {
    way: Way,
    sent: usize,
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

impl Node for Flooding {
    type Role = Way;
    type Config = ();
    type Command = ();
    type Answer = ();
    type Timer = Next;
    type Fact = Claim;

    fn boot(way: &Way, (): &(), _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        Flooding { way: *way, sent: 0 }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => {
                out.bind(PORT);
                if let Way::SendBehindAWrite = self.way {
                    out.persist(b"what all of it waits for");
                }
            }
            Input::Timer(Next) => match self.way {
                Way::Send { first, then } if first != then => {
                    // All that may be held but a little, so that the run goes on.
                    if self.sent < 30_000 {
                        self.send(first, 1_000, out);
                    } else if now > Time::ZERO + UNDER_WAY + FIRST {
                        self.send(then, 1_000, out);
                    }
                }
                Way::Send { then, .. } => self.send(then, 1_000, out),
                Way::SendBehindAWrite => self.send(JUST_LONG, 1_000, out),
                Way::Write => {
                    out.persist(&[7; 1 << 16]);
                }
            },
            _ => return,
        }
        out.arm(Next, now + Span::from_millis(10));
    }
}

impl Flooding {
    fn send(&mut self, bytes: usize, count: usize, out: &mut Outbox<Self>) {
        let payload = out.encode(|into| into.resize(into.len() + bytes, 7));
        for _ in 0..count {
            out.send(PORT, SocketAddrV4::new(address_of(HostId(0)), PORT), payload);
        }
        self.sent += count;
    }
}

fn plan(roles: &[Way], hosts: u32) -> Plan<Flood> {
    let host = |id: u32| {
        let name = format!("n{id}");
        PlannedHost {
            key: HostKey::of(&name),
            placed: Placed {
                name,
                ip: address_of(HostId(id)),
                role: roles[id as usize % roles.len()],
                config: (),
            },
            starts: Time::ZERO,
            clock: Clock::default(),
        }
    };
    let arrives = roles
        .iter()
        .any(|way| matches!(way, Way::Send { first, then } if first != then));
    let waits = roles.iter().any(|way| matches!(way, Way::SendBehindAWrite));
    let writes = roles.iter().any(|way| matches!(way, Way::Write));
    Plan {
        scenario: "flood".to_owned(),
        rules: "Standard",
        hosts: (0..hosts).map(host).collect(),
        network: Network::of(LinkLaw::delaying(Latency::Constant(if arrives {
            UNDER_WAY
        } else {
            UNDER_WAY * 10
        }))),
        persist: Latency::Constant(if waits {
            UNDER_WAY * 10
        } else {
            Span::from_millis(1)
        }),
        lateness: None,
        timeline: Vec::new(),
        workload: Vec::new(),
        limit: if writes { FIRST / 10 } else { UNDER_WAY * 5 },
        max_events: u64::MAX,
        invariants: Vec::new(),
        measures: Vec::new(),
        expect: Expect::Held,
        tolerated: Tolerance {
            loss: 0.0,
            latency: UNDER_WAY * 10,
        },
        live_tolerance: Span::ZERO,
    }
}

impl Protocol for Flood {
    const NAME: &'static str = "flood";
    const ABOUT: &'static str = "hosts that ask for more than there is room for";
    type Node = Flooding;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {}

    fn invariants() -> Vec<InvariantKind<Flooding>> {
        Vec::new()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Length;
        impl Describe for Length {
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
                format!("{} bytes", bytes.len())
            }
        }
        Box::new(Length)
    }
}
