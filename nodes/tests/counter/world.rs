//! A small world for the counter's tests: a clock, datagrams that all arrive, disks that write, and what the counter promises at every
//! moment held against what happens.
//!
//! It is a [`Transport`] under [`drive`] and nothing more; the engine for users is the simulator's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::counter::{Answer, Command, Counter, CounterFact, CounterNode, Role, Timer};
use squall_nodes::stream::StreamLaw;
use squall_nodes::{
    CallId, Delivery, Effect, Effects, HostId, HostKey, Ids, Input, Invariant, Links, Node, NodeRng, Outbox,
    Placed, Protocol, Resident, Seen, Setup, Span, Time, Token, Tolerance, Transport, Unwitnessed, World,
    drive,
};

const FIRST: u32 = 0x0a00_0001;
/// How long a datagram and a write take.
const LATENCY: Span = Span::from_millis(2);

/// The world.
pub(crate) struct CounterWorld {
    /// Every fact, with by whom it was claimed.
    pub(crate) facts: Vec<(HostId, CounterFact)>,
    pub(crate) answers: Vec<(CallId, Answer)>,
    /// The last datagrams that were sent: from, to, and the bytes.
    pub(crate) sent: Vec<(HostId, HostId, Vec<u8>)>,
    world: World,
    hosts: Vec<Host>,
    queue: BTreeMap<(Time, u64), (HostId, Event)>,
    sequence: u64,
    calls: u64,
    now: Time,
    until: Time,
    current: Event,
    terms_grow: Box<dyn Invariant<CounterNode>>,
}

struct Host {
    address: SocketAddrV4,
    node: CounterNode,
    ids: Ids,
    timers: BTreeMap<u64, u64>,
}

#[derive(Clone, Debug)]
enum Event {
    Start,
    Datagram(SocketAddrV4, Vec<u8>),
    Timer(Timer, u64),
    Written(Token),
    Ask(CallId, Command),
}

impl CounterWorld {
    /// So many replicas under the rules in which nothing is left out.
    pub(crate) fn new(replicas: u32, seed: u64) -> Self {
        let placed = |i: u32| Placed {
            name: format!("n{}", i + 1),
            ip: Ipv4Addr::from(FIRST + i),
            role: Role::Replica,
            config: Counter::config("", "Quorum"),
        };
        let mut placed: Vec<Placed<CounterNode>> = (0..replicas).map(placed).collect();
        Counter::assemble(&mut placed).expect("the cast is a cluster");
        let setup = Setup {
            hosts: &placed,
            rules: "Quorum",
            streams: StreamLaw::default(),
            tolerated: Tolerance {
                loss: 0.0,
                latency: Span::from_millis(10),
            },
        };
        let kinds = Counter::invariants();
        let terms_grow = kinds.iter().find(|kind| kind.name() == "terms_grow");
        let terms_grow = terms_grow.expect("the counter promises it").build("()", &setup);
        let residents = placed.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let world = World::new(residents, Links::Tolerated);
        let host = |host: &Placed<CounterNode>| Host {
            address: SocketAddrV4::new(host.ip, host.config.port),
            node: CounterNode::boot(
                &host.role,
                &host.config,
                None,
                NodeRng::new(seed, HostKey::of(&host.name), 0),
            ),
            ids: Ids::default(),
            timers: BTreeMap::new(),
        };
        let mut own = CounterWorld {
            facts: Vec::new(),
            answers: Vec::new(),
            sent: Vec::new(),
            world,
            hosts: placed.iter().map(host).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            calls: 0,
            now: Time::ZERO,
            until: Time::ZERO,
            current: Event::Start,
            terms_grow: terms_grow.expect("it has no parameters").invariant,
        };
        for host in 0..replicas {
            own.push(Time::ZERO, HostId(host), Event::Start);
        }
        own
    }

    /// Lets time pass. Fails where a term does not grow.
    pub(crate) fn run(&mut self, ms: u64) -> &mut Self {
        self.until = self.now + Span::from_millis(ms);
        drive(self, &mut Outbox::new(), &mut Unwitnessed);
        self.now = self.until;
        self
    }

    /// Something comes in at a host that says that another has sent it, whoever has.
    pub(crate) fn forge(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let from = self.hosts[from].address;
        self.push(self.now, HostId(to as u32), Event::Datagram(from, bytes));
    }

    pub(crate) fn ask(&mut self, host: usize, command: Command) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        self.push(self.now, HostId(host as u32), Event::Ask(call, command));
        call
    }

    /// What a call was answered last.
    pub(crate) fn answer_to(&self, call: CallId) -> Option<&Answer> {
        let own = self.answers.iter().rfind(|(to, _)| *to == call);
        own.map(|(_, answer)| answer)
    }

    fn push(&mut self, at: Time, host: HostId, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), (host, event));
    }
}

impl Transport<CounterNode> for CounterWorld {
    fn receive(&mut self) -> Option<Delivery<'_, CounterNode>> {
        let (id, event) = loop {
            let (&(at, _), _) = self.queue.first_key_value()?;
            if at > self.until {
                return None;
            }
            self.now = at;
            let (_, (id, event)) = self.queue.pop_first()?;
            let timers = &mut self.hosts[id.index()].timers;
            match &event {
                Event::Timer(timer, armed) => {
                    let code = squall_nodes::Timer::code(timer);
                    if timers.get(&code) == Some(armed) {
                        timers.remove(&code);
                        break (id, event);
                    }
                }
                _ => break (id, event),
            }
        };
        self.current = event;
        let host = &mut self.hosts[id.index()];
        Some(Delivery {
            host: id,
            incarnation: 0,
            now: self.now,
            node: &mut host.node,
            ids: &mut host.ids,
            input: match &self.current {
                Event::Start => Input::Start,
                Event::Datagram(from, bytes) => Input::Datagram {
                    on: host.address,
                    from: *from,
                    bytes,
                },
                Event::Timer(timer, _) => Input::Timer(*timer),
                Event::Written(token) => Input::Persisted(*token),
                Event::Ask(call, command) => Input::Command { call: *call, command },
            },
        })
    }

    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, CounterNode>) {
        let address = self.hosts[id.index()].address;
        for effect in effects {
            match effect {
                Effect::Send { to, bytes, .. } => {
                    if let Some(to) = self.world.host_at(*to.ip()) {
                        self.sent.push((id, to, bytes.to_vec()));
                        self.push(now + LATENCY, to, Event::Datagram(address, bytes.to_vec()));
                    }
                }
                Effect::Arm { timer, at } => {
                    self.push(at.max(now), id, Event::Timer(timer, self.sequence + 1));
                    let code = squall_nodes::Timer::code(&timer);
                    let armed = self.sequence;
                    self.hosts[id.index()].timers.insert(code, armed);
                }
                Effect::Disarm { timer } => {
                    let code = squall_nodes::Timer::code(&timer);
                    self.hosts[id.index()].timers.remove(&code);
                }
                Effect::Persist { token, .. } => self.push(now + LATENCY, id, Event::Written(token)),
                Effect::Claim(fact) => {
                    let seen = Seen::Fact {
                        host: id,
                        incarnation: 0,
                        fact: &fact,
                    };
                    if let Err(breach) = self.terms_grow.on_seen(now, &seen, &self.world) {
                        panic!("at {now}: {}", breach.detail);
                    }
                    self.facts.push((id, fact));
                }
                Effect::Answer { call, answer } => self.answers.push((call, answer)),
                // It binds one port, at its start.
                _ => {}
            }
        }
        let old = self.sent.len().saturating_sub(1_000);
        self.sent.drain(..old);
    }
}
