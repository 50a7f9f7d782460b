//! What a message costs in allocations, and a write to a disk: none. It has a program of its own since the counting allocator is
//! the whole program's.

use std::net::SocketAddrV4;

use allocation_counter::measure;
use serde::{Deserialize, Serialize};
use squall_benches::workload;
use squall_nodes::{
    ConfigOf, Describe, HostId, HostKey, Input, InvariantKind, Node, NodeRng, Outbox, Placed, Protocol, Span,
    Time, Tolerance, facts,
};
use squall_sim::plan::{Clock, Expect, Latency, LinkLaw, Network, Plan, PlannedHost, address_of};
use squall_sim::runner::Prepared;
use squall_sim::{Outcome, Verdict, prepare};

/// How often a run of a worker that has run before asks for memory.
fn allocations(prepared: &dyn Prepared) -> u64 {
    counted(prepared, 1, |outcome| {
        assert_eq!(workload::sound(outcome), Ok(()));
    })
}

fn counted(prepared: &dyn Prepared, runs_before: u32, check: impl Fn(&Outcome)) -> u64 {
    let mut worker = prepared.worker();
    // The first run takes what room the run needs, and a worker keeps it. What waits behind writes takes more of it in another order
    // of the spares, until each has as much as any of them needs.
    for _ in 0..runs_before {
        check(&worker.run(1));
    }
    let mut outcome = None;
    let counted = measure(|| outcome = Some(worker.run(1)));
    check(&outcome.expect("it ran"));
    counted.count_total
}

#[test]
fn a_run_of_twice_as_many_messages_takes_no_more_allocations() {
    let (short, long) = (Span::from_secs(2), Span::from_secs(4));
    for nodes in [5, 25] {
        let runs = [short, long].map(|limit| allocations(&*workload::w1(nodes, limit)));
        assert_eq!(runs[0], runs[1], "{nodes} nodes that all beat to each other");
    }
    let runs = [short, long].map(|limit| allocations(&*workload::w4(200, 10, limit)));
    assert_eq!(runs[0], runs[1], "200 nodes that beat to ten others each");
}

#[test]
fn what_is_allocated_is_counted() {
    // Each node takes memory when it boots: were nothing counted, the other test could not fail.
    let few = allocations(&*workload::w1(5, Span::from_secs(2)));
    let many = allocations(&*workload::w1(25, Span::from_secs(2)));
    assert!(0 < few && few < many, "{few}, {many}");
}

#[test]
fn neither_long_messages_nor_what_links_do_to_them_take_allocations() {
    let plain = LinkLaw::delaying(Latency::Uniform(Span::from_millis(1), Span::from_millis(10)));
    let laws = [
        plain.clone(),
        LinkLaw {
            loss: 0.2,
            ..plain.clone()
        },
        LinkLaw {
            duplicate: 0.2,
            ..plain.clone()
        },
        LinkLaw {
            corrupt: 0.2,
            ..plain.clone()
        },
        LinkLaw {
            reorder: 0.2,
            reorder_by: Span::from_millis(5),
            ..plain.clone()
        },
        // A datagram of 1 200 bytes takes 12 ms: some wait, and some find no room.
        LinkLaw {
            bandwidth: Some(800_000),
            queue: 3_000,
            ..plain.clone()
        },
        LinkLaw {
            mtu: Some(600),
            ..plain
        },
    ];
    // Within what lies in an event itself, and beyond; one byte more than that, too.
    for bytes in [8, 32, 33, 1_200] {
        for law in &laws {
            let talk = Talk {
                bytes,
                writes: Writes::Never,
            };
            let runs = SECONDS.map(|seconds| said(talk, law, MILLISECOND, seconds));
            assert_eq!(runs[0], runs[1], "{bytes} bytes over {law:?}");
        }
    }
}

#[test]
fn writes_to_disks_and_what_waits_behind_them_take_no_allocations() {
    let law = LinkLaw::delaying(Latency::Uniform(Span::from_millis(1), Span::from_millis(10)));
    for (writes, each_round) in [
        (Writes::Once, 1),
        (Writes::Growing, 1),
        (Writes::AfterEachMessage, 4),
    ] {
        // Done before the next round; and now and then so late that what is asked for in several rounds waits.
        let late = Latency::Uniform(PAUSE / (10 * each_round), PAUSE * 3 / (2 * each_round));
        for bytes in [8, 33, 1_200] {
            for persist in [MILLISECOND, late.clone()] {
                let talk = Talk { bytes, writes };
                let runs = [3, 6].map(|seconds| said(talk, &law, persist.clone(), seconds));
                assert_eq!(runs[0], runs[1], "{talk:?}, each of which takes {persist:?}");
            }
        }
    }
}

/// Virtual seconds of a short run and a long one; both long enough for all room to be taken.
const SECONDS: [u64; 2] = [20, 40];
const PORT: u16 = 7000;
const PAUSE: Span = Span::from_millis(10);
/// How long a write takes where nobody writes anything, or hardly.
const MILLISECOND: Latency = Latency::Constant(Span::from_millis(1));

/// The allocations of a run in which three nodes talk to each other.
fn said(talk: Talk, law: &LinkLaw, persist: Latency, seconds: u64) -> u64 {
    let host = |id: u32| {
        let name = format!("n{id}");
        PlannedHost {
            key: HostKey::of(&name),
            placed: Placed {
                name,
                ip: address_of(HostId(id)),
                role: talk,
                config: (),
            },
            starts: Time::ZERO,
            clock: Clock::default(),
        }
    };
    let plan: Plan<Talks> = Plan {
        scenario: "talk".to_owned(),
        rules: "Standard",
        hosts: (0..TALKERS).map(host).collect(),
        network: Network::of(law.clone()),
        persist,
        lateness: None,
        timeline: Vec::new(),
        workload: Vec::new(),
        limit: Span::from_secs(seconds),
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
    let runs_before = if talk.writes == Writes::Never { 1 } else { 4 };
    counted(&prepare(plan, 0), runs_before, |outcome| {
        assert_eq!(outcome.verdict, Verdict::Held);
        assert!(outcome.traffic.sent > 500 * seconds, "{:?}", outcome.traffic);
    })
}

const TALKERS: u32 = 3;

struct Talks;

/// What a node says each time, to everyone, and writes to its disk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Talk {
    bytes: usize,
    writes: Writes,
}

/// How often a node writes to its disk as much as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Writes {
    Never,
    /// Before it says anything: all of it waits.
    Once,
    /// Before, between and after what it says to one and another.
    AfterEachMessage,
    /// As `Once`, but another length each time.
    Growing,
}

#[derive(Clone)]
struct Talker {
    talk: Talk,
    rounds: usize,
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
    type Role = Talk;
    type Config = ();
    type Command = ();
    type Answer = ();
    type Timer = Next;
    type Fact = Claim;

    fn boot(talk: &Talk, (): &(), _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        Talker {
            talk: *talk,
            rounds: 0,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => out.bind(PORT),
            Input::Timer(Next) => {
                const WORDS: [u8; 1_200] = [7; 1_200];
                let Talk { bytes, writes } = self.talk;
                let words = &WORDS[..bytes];
                self.rounds += 1;
                match writes {
                    Writes::Never => {}
                    Writes::Once | Writes::AfterEachMessage => {
                        out.persist(words);
                    }
                    Writes::Growing => {
                        out.persist(&words[..1 + self.rounds % bytes]);
                    }
                }
                let payload = out.payload(words);
                for host in 0..TALKERS {
                    out.send(PORT, SocketAddrV4::new(address_of(HostId(host)), PORT), payload);
                    if writes == Writes::AfterEachMessage {
                        out.persist(words);
                    }
                }
            }
            _ => return,
        }
        out.arm(Next, now + PAUSE);
    }
}

impl Protocol for Talks {
    const NAME: &'static str = "talk";
    const ABOUT: &'static str = "hosts that say the same to each other again and again";
    type Node = Talker;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {}

    fn invariants() -> Vec<InvariantKind<Talker>> {
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
