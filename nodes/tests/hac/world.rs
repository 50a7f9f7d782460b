//! A small world for hac's tests: a clock, lossy links, disks, faults, and every promise of hac held against what happens.
//!
//! It is a [`Transport`] under [`drive`] and nothing more; the engine for users is the simulator's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::hac::{Answer, Command, Config, Hac, HacFact, HacNode, Role, Timer};
use squall_nodes::{
    Breach, CallId, Change, Crash, Cut, Delivery, DiskAtBoot, DiskState, Effect, Effects, Fact, HostId,
    HostKey, Ids, Input, Invariant, Links, Node, NodeRng, Outbox, Placed, Protocol, Resident, Seen, Setup,
    Span, Time, Token, Tolerance, Transport, Unwitnessed, World, drive,
};

/// The address of the first host.
pub(crate) const FIRST: u32 = 0x0a00_0001;

/// The world.
pub(crate) struct HacWorld {
    pub(crate) world: World,
    /// Every fact, with when and by whom it was claimed.
    pub(crate) facts: Vec<(Time, HostId, HacFact)>,
    started: Vec<(Time, HostId, u32)>,
    /// Every answer.
    pub(crate) answers: Vec<Answer>,
    /// Every datagram that was sent: when, from, to, bytes.
    pub(crate) sent: Vec<(Time, HostId, SocketAddrV4, Vec<u8>)>,
    /// The first broken promise.
    pub(crate) breach: Option<(&'static str, Time, Breach)>,
    pub(crate) latency: (Span, Span),
    /// Lost datagrams in a thousand, and repeated ones.
    pub(crate) loss: u64,
    pub(crate) duplicates: u64,
    /// Datagrams in a thousand of which one bit is flipped.
    pub(crate) corrupt: u64,
    hosts: Vec<Host>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    now: Time,
    until: Time,
    rng: NodeRng,
    invariants: Vec<(&'static str, Box<dyn Invariant<HacNode>>)>,
    current: Event,
    layers: Vec<u32>,
}

struct Host {
    placed: Placed<HacNode>,
    node: Option<HacNode>,
    ids: Ids,
    seed: u64,
    incarnation: u32,
    paused: bool,
    inbox: Vec<Event>,
    disk: Option<Vec<u8>>,
    writes: Writes,
    /// Of how many failed writes the node has not been told. What it wants said until then is dropped.
    untold: u32,
    writes_tried: u64,
    timers: BTreeMap<u64, (Time, u64)>,
}

/// What becomes of writes to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Complete,
    Fail,
}

/// What a test does to the world.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Crash(usize),
    Restart(usize),
    RestartWiped(usize),
    Pause(usize),
    Resume(usize),
    /// Its writes fail from now on.
    FailDisk(usize),
    MendDisk(usize),
    /// Each host's group.
    Partition(Vec<u32>),
    OneWay(usize, usize),
    HealAll,
}

#[derive(Clone, Debug)]
enum Event {
    Start(HostId, u32),
    Datagram {
        to: HostId,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Timer(HostId, u32, Timer, u64),
    /// A write is over.
    Written(HostId, u32, Token, Writes),
    Ask(HostId),
    Fault(Fault),
    Nothing,
}

/// Settings of the profile `brisk` with latencies that it takes, and nothing lost.
pub(crate) fn brisk(
    rules: &str,
    hosts: &[(&str, Role)],
    seed: u64,
    change: impl Fn(&mut Config),
) -> HacWorld {
    let placed = hosts.iter().enumerate().map(|(i, (name, role))| {
        let mut config = Hac::config("brisk", rules);
        change(&mut config);
        Placed {
            name: (*name).to_owned(),
            ip: Ipv4Addr::from(FIRST + i as u32),
            role: *role,
            config,
        }
    });
    HacWorld::new(rules, placed.collect(), seed)
}

/// A server `s` and clients `c1`, `c2`, …
pub(crate) fn cast(clients: usize) -> Vec<(&'static str, Role)> {
    const NAMES: [&str; 9] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];
    std::iter::once(("s", Role::Server))
        .chain(NAMES[..clients].iter().map(|name| (*name, Role::Client)))
        .collect()
}

impl HacWorld {
    pub(crate) fn new(rules: &str, mut placed: Vec<Placed<HacNode>>, seed: u64) -> Self {
        Hac::assemble(&mut placed).expect("the cast is a cluster");
        Self::populated(rules, placed, seed)
    }

    /// Hosts that know their own addresses, and nothing of each other.
    pub(crate) fn strangers(cast: &[(&str, Role)]) -> Self {
        let placed = cast.iter().enumerate().map(|(i, (name, role))| {
            let (ip, mut config) = (Ipv4Addr::from(FIRST + i as u32), Hac::config("brisk", "Hardened"));
            config.address = Some(SocketAddrV4::new(ip, config.port));
            Placed {
                name: (*name).to_owned(),
                ip,
                role: *role,
                config,
            }
        });
        Self::populated("Hardened", placed.collect(), 1)
    }

    fn populated(rules: &str, placed: Vec<Placed<HacNode>>, seed: u64) -> Self {
        let tolerated = Tolerance {
            loss: 0.05,
            latency: Span::from_millis(50),
        };
        let setup = Setup {
            hosts: &placed,
            rules,
            tolerated,
            streams: squall_nodes::stream::StreamLaw::default(),
        };
        let built = Hac::invariants()
            .into_iter()
            .filter(|kind| kind.applies(&setup))
            .map(|kind| {
                let built = kind.build("()", &setup).expect("no parameters are needed");
                (kind.name(), built.invariant)
            });
        let invariants = built.collect();
        let residents = placed.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let world = World::new(residents, Links::Tolerated);
        let hosts = placed.into_iter().map(|placed| Host {
            placed,
            node: None,
            ids: Ids::default(),
            seed,
            incarnation: 0,
            paused: false,
            inbox: Vec::new(),
            disk: None,
            writes: Writes::Complete,
            untold: 0,
            writes_tried: 0,
            timers: BTreeMap::new(),
        });
        let mut net = HacWorld {
            world,
            facts: Vec::new(),
            started: Vec::new(),
            answers: Vec::new(),
            sent: Vec::new(),
            breach: None,
            latency: (Span::from_millis(1), Span::from_millis(5)),
            loss: 0,
            duplicates: 0,
            corrupt: 0,
            hosts: hosts.collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            now: Time::ZERO,
            until: Time::ZERO,
            rng: NodeRng::new(seed, HostKey(0), 0),
            invariants,
            current: Event::Nothing,
            layers: Vec::new(),
        };
        for index in 0..net.hosts.len() {
            net.boot(index);
        }
        net
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ms: u64) -> &mut Self {
        self.until = self.now + Span::from_millis(ms);
        drive(self, &mut Outbox::new(), &mut Unwitnessed);
        self.now = self.until;
        self
    }

    /// Does something to the world at once.
    pub(crate) fn fault(&mut self, fault: Fault) -> &mut Self {
        self.apply(fault);
        self
    }

    /// Does something to the world in a while.
    pub(crate) fn fault_in(&mut self, ms: u64, fault: Fault) {
        let at = self.now + Span::from_millis(ms);
        self.push(at, Event::Fault(fault));
    }

    /// Puts a datagram into the network.
    pub(crate) fn inject(&mut self, from: SocketAddrV4, to: usize, bytes: &[u8]) -> &mut Self {
        let event = Event::Datagram {
            to: HostId(to as u32),
            from,
            bytes: bytes.to_vec(),
        };
        self.push(self.now, event);
        self
    }

    /// Asks a host for its status.
    pub(crate) fn status(&mut self, host: usize) -> Answer {
        self.push(self.now, Event::Ask(HostId(host as u32)));
        self.run(0);
        self.answers.pop().expect("a running node answers at once")
    }

    pub(crate) fn disk(&mut self, host: usize) -> &mut Option<Vec<u8>> {
        &mut self.hosts[host].disk
    }

    pub(crate) fn addr(&self, host: usize) -> SocketAddrV4 {
        SocketAddrV4::new(self.hosts[host].placed.ip, 7400)
    }

    /// The names of the facts that a host claimed, one after the other, without tables.
    pub(crate) fn story(&self, host: usize) -> Vec<&'static str> {
        let own = self.facts.iter().filter(|(_, by, _)| by.index() == host);
        own.map(|(_, _, fact)| fact.name())
            .filter(|name| *name != "table")
            .collect()
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// How many writes a host has begun, whatever became of them.
    pub(crate) fn writes_tried(&self, host: usize) -> u64 {
        self.hosts[host].writes_tried
    }

    /// How often a host has started, for each of its lives: more than once when it started over.
    pub(crate) fn lives(&self, host: usize) -> impl Iterator<Item = usize> {
        let count = |life: &u32| {
            let started = |(_, by, in_life): &&(Time, HostId, u32)| by.index() == host && in_life == life;
            self.started.iter().filter(started).count()
        };
        let lives: Vec<usize> = (0..=self.hosts[host].incarnation)
            .map(|life| count(&life))
            .collect();
        lives.into_iter()
    }

    /// Who serves: up, and served last of all that it claimed.
    pub(crate) fn servers(&self) -> Vec<usize> {
        let serves = |host: &usize| {
            let own = self.facts.iter().rev().filter(|(_, by, _)| by.index() == *host);
            let mut standings = own.filter_map(|(_, _, fact)| match fact {
                HacFact::Serving { .. } => Some(true),
                HacFact::SteppedDown { .. } | HacFact::Started { .. } => Some(false),
                _ => None,
            });
            self.world.is_up(HostId(*host as u32)) && standings.next() == Some(true)
        };
        (0..self.hosts.len()).filter(serves).collect()
    }

    /// Fails with the first broken promise, if there is one.
    #[track_caller]
    pub(crate) fn assert_held(&self) {
        if let Some((name, at, breach)) = &self.breach {
            panic!("{name} at {at}: {}\n{}", breach.detail, self.last_facts(60));
        }
    }

    /// Judges nothing but the named promise.
    pub(crate) fn judge_only(&mut self, name: &str) -> &mut Self {
        self.invariants.retain(|(own, _)| *own == name);
        self
    }

    /// Every promise that was held against something.
    pub(crate) fn judged(&self) -> Vec<&'static str> {
        let judged = self
            .invariants
            .iter()
            .filter(|(_, invariant)| invariant.judged() > 0);
        judged.map(|(name, _)| *name).collect()
    }

    fn last_facts(&self, count: usize) -> String {
        let facts = self
            .facts
            .iter()
            .filter(|(_, _, fact)| !matches!(fact, HacFact::Table { .. }));
        let facts: Vec<_> = facts.collect();
        let lines = facts[facts.len().saturating_sub(count)..].iter();
        lines
            .map(|(at, host, fact)| format!("{at} {} {fact:?}\n", self.world.name(*host)))
            .collect()
    }

    fn boot(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let rng = NodeRng::new(host.seed, HostKey::of(&host.placed.name), host.incarnation);
        host.node = Some(HacNode::boot(
            &host.placed.role,
            &host.placed.config,
            host.disk.as_deref(),
            rng,
        ));
        host.ids = Ids::default();
        let event = Event::Start(HostId(index as u32), host.incarnation);
        self.push(self.now, event);
    }

    fn push(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    fn apply(&mut self, fault: Fault) {
        let id = |index: usize| HostId(index as u32);
        match fault {
            Fault::Crash(index) if self.hosts[index].node.take().is_some() => {
                let host = &mut self.hosts[index];
                host.timers.clear();
                host.inbox.clear();
                host.untold = 0;
                host.paused = false;
                self.change(Change::Down {
                    host: id(index),
                    how: Crash::PowerCut,
                });
            }
            Fault::Restart(index) | Fault::RestartWiped(index) if self.hosts[index].node.is_none() => {
                let host = &mut self.hosts[index];
                host.incarnation += 1;
                let wiped = matches!(fault, Fault::RestartWiped(_));
                if wiped {
                    host.disk = None;
                }
                let disk = if wiped {
                    DiskAtBoot::Wiped
                } else {
                    DiskAtBoot::Kept
                };
                let incarnation = host.incarnation;
                self.change(Change::Up {
                    host: id(index),
                    incarnation,
                    disk,
                });
                self.boot(index);
            }
            Fault::Pause(index) if self.hosts[index].node.is_some() && !self.hosts[index].paused => {
                self.hosts[index].paused = true;
                self.change(Change::Paused { host: id(index) });
            }
            Fault::Resume(index) if self.hosts[index].paused => {
                self.hosts[index].paused = false;
                for event in std::mem::take(&mut self.hosts[index].inbox) {
                    self.push(self.now, event);
                }
                self.change(Change::Resumed { host: id(index) });
            }
            Fault::FailDisk(index) if self.hosts[index].writes == Writes::Complete => {
                self.hosts[index].writes = Writes::Fail;
                let (host, state) = (id(index), DiskState::Ailing);
                self.change(Change::Disk { host, state });
            }
            Fault::MendDisk(index) if self.hosts[index].writes == Writes::Fail => {
                self.hosts[index].writes = Writes::Complete;
                let (host, state) = (id(index), DiskState::Sound);
                self.change(Change::Disk { host, state });
            }
            Fault::Partition(groups) => self.cut(Cut::Groups(groups)),
            Fault::OneWay(from, to) => {
                let mark = |marked: usize| (0..self.hosts.len()).map(|i| i == marked).collect();
                self.cut(Cut::OneWay {
                    from: mark(from),
                    to: mark(to),
                });
            }
            Fault::HealAll => {
                for layer in std::mem::take(&mut self.layers) {
                    self.change(Change::Healed { layer });
                }
            }
            // It touches nothing: the host is up already, or down, or running.
            _ => {}
        }
    }

    fn cut(&mut self, cut: Cut) {
        self.sequence += 1;
        let layer = self.sequence as u32;
        self.layers.push(layer);
        self.change(Change::Cut { layer, cut });
    }

    fn change(&mut self, change: Change) {
        self.world.apply(self.now, &change);
        self.see(&Seen::World(&change));
    }

    fn see(&mut self, seen: &Seen<'_, HacNode>) {
        if self.breach.is_some() {
            // A run ends with its first breach; nothing is asked of an invariant after it.
            return;
        }
        for (name, invariant) in &mut self.invariants {
            if let Err(breach) = invariant.on_seen(self.now, seen, &self.world) {
                self.breach.get_or_insert((name, self.now, breach));
            }
        }
    }

    fn judge_due(&mut self, before: Time) {
        while self.breach.is_none() {
            let due = self
                .invariants
                .iter()
                .map(|(_, invariant)| invariant.due())
                .min()
                .unwrap_or(Time::MAX);
            if due > before || due == Time::MAX {
                return;
            }
            for (name, invariant) in &mut self.invariants {
                if invariant.due() == due
                    && let Err(breach) = invariant.on_due(due, &self.world)
                {
                    self.breach.get_or_insert((name, due, breach));
                }
            }
        }
    }

    /// Takes the next event that is an input; `None` when time is up.
    fn next_input(&mut self) -> Option<HostId> {
        loop {
            let (&(at, sequence), _) = self.queue.first_key_value()?;
            if at > self.until {
                self.judge_due(self.until);
                return None;
            }
            self.judge_due(at);
            self.now = at;
            let event = self.queue.remove(&(at, sequence))?;
            let host = match &event {
                Event::Fault(fault) => {
                    self.apply(fault.clone());
                    continue;
                }
                Event::Start(host, incarnation) | Event::Written(host, incarnation, ..) => {
                    if self.hosts[host.index()].incarnation != *incarnation {
                        continue;
                    }
                    *host
                }
                Event::Timer(host, incarnation, timer, armed) => {
                    let place = &mut self.hosts[host.index()];
                    let code = squall_nodes::Timer::code(timer);
                    if place.incarnation != *incarnation
                        || place.timers.get(&code).map(|(_, n)| n) != Some(armed)
                    {
                        continue;
                    }
                    if !place.paused {
                        place.timers.remove(&code);
                    }
                    *host
                }
                Event::Datagram { to, from, .. } => {
                    let reaches = self
                        .world
                        .host_at(*from.ip())
                        .is_none_or(|from| self.world.can_reach(from, *to));
                    if !reaches {
                        continue;
                    }
                    *to
                }
                Event::Ask(host) => *host,
                Event::Nothing => continue,
            };
            let place = &mut self.hosts[host.index()];
            if place.paused {
                place.inbox.push(event);
            } else if place.node.is_some() {
                self.current = event;
                return Some(host);
            }
        }
    }
}

impl Transport<HacNode> for HacWorld {
    fn receive(&mut self) -> Option<Delivery<'_, HacNode>> {
        let id = self.next_input()?;
        let host = &mut self.hosts[id.index()];
        let on = SocketAddrV4::new(host.placed.ip, host.placed.config.port);
        if let Event::Written(_, _, _, Writes::Fail) = self.current {
            host.untold -= 1;
        }
        let input = match &self.current {
            Event::Datagram { from, bytes, .. } => Input::Datagram {
                on,
                from: *from,
                bytes,
            },
            Event::Timer(_, _, timer, _) => Input::Timer(*timer),
            Event::Written(_, _, token, Writes::Complete) => Input::Persisted(*token),
            Event::Written(_, _, token, Writes::Fail) => Input::PersistFailed(*token),
            Event::Ask(_) => Input::Command {
                call: CallId(0),
                command: &Command::Status,
            },
            Event::Start(..) | Event::Fault(_) | Event::Nothing => Input::Start,
        };
        let node = host.node.as_mut()?;
        Some(Delivery {
            host: id,
            incarnation: host.incarnation,
            now: self.now,
            node,
            ids: &mut host.ids,
            input,
        })
    }

    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, HacNode>) {
        let own = SocketAddrV4::new(
            self.hosts[id.index()].placed.ip,
            self.hosts[id.index()].placed.config.port,
        );
        let incarnation = self.hosts[id.index()].incarnation;
        for effect in effects {
            match effect {
                // It waited behind a write that failed.
                Effect::Send { .. } | Effect::Persist { .. } | Effect::Claim(_) | Effect::Answer { .. }
                    if self.hosts[id.index()].untold > 0 => {}
                Effect::Send { to, bytes, .. } => {
                    self.sent.push((now, id, to, bytes.to_vec()));
                    let Some(receiver) = self.world.host_at(*to.ip()) else {
                        continue;
                    };
                    let copies = 1 + u64::from(self.rng.below(1000) < self.duplicates);
                    for _ in 0..copies {
                        let at = now + self.rng.span(self.latency.0, self.latency.1);
                        if self.rng.below(1000) >= self.loss && self.world.can_reach(id, receiver) {
                            let mut bytes = bytes.to_vec();
                            if self.rng.below(1000) < self.corrupt {
                                let bit = self.rng.below(bytes.len() as u64 * 8) as usize;
                                bytes[bit / 8] ^= 1 << (bit % 8);
                            }
                            self.push(
                                at,
                                Event::Datagram {
                                    to: receiver,
                                    from: own,
                                    bytes,
                                },
                            );
                        }
                    }
                }
                Effect::Arm { timer, at } => {
                    self.push(
                        at.max(now),
                        Event::Timer(id, incarnation, timer, self.sequence + 1),
                    );
                    let code = squall_nodes::Timer::code(&timer);
                    let sequence = self.sequence;
                    self.hosts[id.index()].timers.insert(code, (at, sequence));
                }
                Effect::Disarm { timer } => {
                    self.hosts[id.index()]
                        .timers
                        .remove(&squall_nodes::Timer::code(&timer));
                }
                Effect::Persist { token, bytes } => {
                    self.hosts[id.index()].writes_tried += 1;
                    let writes = self.hosts[id.index()].writes;
                    self.push(now, Event::Written(id, incarnation, token, writes));
                    match writes {
                        Writes::Complete => self.hosts[id.index()].disk = Some(bytes.to_vec()),
                        Writes::Fail => self.hosts[id.index()].untold += 1,
                    }
                }
                Effect::Claim(fact) => {
                    self.see(&Seen::Fact {
                        host: id,
                        incarnation,
                        fact: &fact,
                    });
                    if let HacFact::Started { .. } = fact {
                        self.started.push((now, id, incarnation));
                    }
                    self.facts.push((now, id, fact));
                }
                Effect::Answer { answer, .. } => self.answers.push(answer),
                // hac opens one port and never another.
                _ => {}
            }
        }
    }
}

/// Disks that fail in the storm's six seconds, one or two of them and each once or twice. In the end all are mended.
pub(crate) fn failing_disks(world: &mut HacWorld, hosts: usize, seed: u64) {
    let mut rng = NodeRng::new(seed, HostKey(2), 0);
    for _ in 0..2 {
        let host = rng.below(hosts as u64) as usize;
        let mut at = 0;
        for _ in 0..2 {
            at += rng.below(2_500);
            world.fault_in(at, Fault::FailDisk(host));
            at += 1 + rng.below(1_500);
            world.fault_in(at, Fault::MendDisk(host));
        }
    }
    for host in 0..hosts {
        world.fault_in(8_500, Fault::MendDisk(host));
    }
}

/// Twelve faults over six seconds; then everything is healed, and everyone is back or most are.
pub(crate) fn storm(world: &mut HacWorld, hosts: usize, seed: u64) {
    let mut rng = NodeRng::new(seed, HostKey(1), 0);
    let mut at = 0;
    for _ in 0..12 {
        at += 200 + rng.below(600);
        let host = rng.below(hosts as u64) as usize;
        let other = rng.below(hosts as u64) as usize;
        let fault = match rng.below(9) {
            0 | 1 => Fault::Crash(host),
            2 | 3 => Fault::Restart(host),
            4 => Fault::RestartWiped(host),
            5 => Fault::Pause(host),
            6 => Fault::Partition((0..hosts).map(|_| rng.below(2) as u32).collect()),
            7 => Fault::OneWay(host, other),
            _ => Fault::HealAll,
        };
        world.fault_in(at, fault);
    }
    world.fault_in(at + 100, Fault::HealAll);
    for host in 0..hosts {
        world.fault_in(at + 100 + rng.below(400), Fault::Resume(host));
        if rng.below(3) > 0 {
            world.fault_in(at + 100 + rng.below(400), Fault::Restart(host));
        }
    }
}
