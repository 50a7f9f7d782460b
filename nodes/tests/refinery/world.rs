//! A small world for refinery's tests: a clock, streams that keep the order of their bytes and cut them anywhere, crashes, partitions,
//! and every promise of refinery held against what happens.
//!
//! It is a [`Transport`] under [`drive`] and nothing more; the engine for users is the simulator's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::refinery::{Answer, Command, Config, Refinery, RefineryFact, RefineryNode, Role, Timer};
use squall_nodes::{
    Breach, CallId, Change, Closed, ConnId, Crash, Cut, Delivery, DiskAtBoot, Effect, Effects, Fact, HostId,
    HostKey, Ids, Input, Invariant, Links, Node, NodeRng, Outbox, Placed, Protocol, Resident, Seen, Setup,
    Span, StreamEvent, Time, Token, Tolerance, Transport, Unwitnessed, World, drive,
};

/// The address of the first host.
pub(crate) const FIRST: u32 = 0x0a00_0001;

/// A dial that nobody answers is over after this; so is a connection on which what was written arrives nowhere.
const TIMEOUT: Span = Span::from_secs(20);

/// The world.
pub(crate) struct RefineryWorld {
    pub(crate) world: World,
    /// Every fact, with when and by whom it was claimed.
    pub(crate) facts: Vec<(Time, HostId, RefineryFact)>,
    /// Every answer.
    pub(crate) answers: Vec<Answer>,
    /// The first broken promise.
    pub(crate) breach: Option<(&'static str, Time, Breach)>,
    /// What has come in on the connections of a stranger, in the order in which they came.
    pub(crate) strangers: Vec<Stranger>,
    hosts: Vec<Host>,
    /// Those in whose place a stranger answers.
    impostors: BTreeSet<HostId>,
    pipes: Vec<Pipe>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    now: Time,
    until: Time,
    rng: NodeRng,
    invariants: Vec<(&'static str, Box<dyn Invariant<RefineryNode>>)>,
    current: Event,
    layers: Vec<u32>,
}

/// A test that has dialled a host, from an address at which no host is.
#[derive(Debug, Default)]
pub(crate) struct Stranger {
    pub(crate) heard: Vec<u8>,
    pub(crate) is_over: bool,
}

struct Host {
    placed: Placed<RefineryNode>,
    node: Option<RefineryNode>,
    ids: Ids,
    seed: u64,
    incarnation: u32,
    /// Whether it has lost power: it answers nothing at all.
    is_dark: bool,
    listens: bool,
    disk: Option<Vec<u8>>,
    timers: BTreeMap<u64, u64>,
}

/// A connection.
struct Pipe {
    ends: [End; 2],
    /// For each direction, by the end that writes: what is on its way, and when the last of it arrives.
    on_its_way: [(Vec<u8>, Time); 2],
    /// Whether an end has closed in order.
    closed: [bool; 2],
    is_over: [bool; 2],
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Host {
        host: HostId,
        life: u32,
        conn: ConnId,
    },
    Stranger(usize),
    /// It was never accepted.
    Nobody,
}

/// What a test does to the world.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Kill(usize),
    PowerCut(usize),
    Restart(usize),
    RestartWiped(usize),
    /// Each host's group.
    Partition(Vec<u32>),
    /// Nothing passes from these hosts to those.
    OneWay(Vec<usize>, Vec<usize>),
    HealAll,
}

#[derive(Clone, Debug)]
enum Event {
    Start(HostId, u32),
    /// A dial arrives.
    Knock(usize, SocketAddrV4, Time),
    Opened(usize),
    /// What an end has written arrives at the other.
    Arrive(usize, usize, Time),
    Over(usize, usize, Closed),
    Timer(HostId, u32, Timer, u64),
    Written(HostId, u32, Token),
    Ask(HostId),
    /// A node is told something of a connection.
    Tell(HostId, ConnId, Told),
    Nothing,
}

#[derive(Clone, Debug)]
enum Told {
    Opened,
    Accepted(SocketAddrV4),
    Bytes(Vec<u8>),
    Closed(Closed),
}

/// Settings of the profile `brisk`.
pub(crate) fn brisk(
    rules: &str,
    hosts: &[(&str, Role)],
    seed: u64,
    change: impl Fn(&str, &mut Config),
) -> RefineryWorld {
    let placed = hosts.iter().enumerate().map(|(i, (name, role))| {
        let mut config = Refinery::config("brisk", rules);
        change(name, &mut config);
        Placed {
            name: (*name).to_owned(),
            ip: Ipv4Addr::from(FIRST + i as u32),
            role: role.clone(),
            config,
        }
    });
    RefineryWorld::new(rules, placed.collect(), seed)
}

/// A master `m`, a standby `s` where there is to be one, and nodes `n1`, `n2`, …
pub(crate) fn cast(standby: bool, nodes: usize) -> Vec<(&'static str, Role)> {
    const NAMES: [&str; 9] = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"];
    let mut cast = vec![("m", Role::Master)];
    cast.extend(standby.then_some(("s", Role::Standby)));
    let kind = || Role::Node("crusher".to_owned());
    cast.extend(NAMES[..nodes].iter().map(|name| (*name, kind())));
    cast
}

impl RefineryWorld {
    fn new(rules: &str, mut placed: Vec<Placed<RefineryNode>>, seed: u64) -> Self {
        Refinery::assemble(&mut placed).expect("the cast is a cluster");
        let tolerated = Tolerance {
            loss: 0.0,
            latency: Span::from_millis(10),
        };
        let setup = Setup {
            hosts: &placed,
            rules,
            tolerated,
            streams: squall_nodes::stream::StreamLaw::default(),
        };
        let built = Refinery::invariants()
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
            is_dark: false,
            listens: false,
            disk: None,
            timers: BTreeMap::new(),
        });
        let mut net = RefineryWorld {
            world,
            facts: Vec::new(),
            answers: Vec::new(),
            breach: None,
            strangers: Vec::new(),
            hosts: hosts.collect(),
            impostors: BTreeSet::new(),
            pipes: Vec::new(),
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

    /// Starts a host again, under an id that may be another's.
    pub(crate) fn rename(&mut self, host: usize, id: &str) -> &mut Self {
        self.fault(Fault::Kill(host));
        self.hosts[host].placed.config.id = Some(id.to_owned());
        self.fault(Fault::Restart(host))
    }

    /// Judges nothing but the named promise.
    pub(crate) fn judge_only(&mut self, name: &str) -> &mut Self {
        self.invariants.retain(|(own, _)| *own == name);
        self
    }

    /// Dials a host as a stranger. Returns which connection of a stranger it is.
    pub(crate) fn dial(&mut self, host: usize) -> usize {
        let stranger = self.strangers.len();
        self.strangers.push(Stranger::default());
        let to = self.addr(host);
        self.connect(End::Stranger(stranger), to);
        stranger
    }

    /// From now on a stranger answers at the address of a host that is down: each who dials it finds another one there, the last of
    /// `strangers`.
    pub(crate) fn impersonate(&mut self, host: usize) -> &mut Self {
        assert!(self.hosts[host].node.is_none(), "there is somebody there");
        self.impostors.insert(HostId(host as u32));
        self
    }

    /// Writes something as a stranger.
    pub(crate) fn say(&mut self, stranger: usize, bytes: &[u8]) -> &mut Self {
        let own = End::Stranger(stranger);
        let at = |pipe: &Pipe| pipe.ends.iter().position(|end| *end == own);
        let mut pipes = self.pipes.iter().enumerate();
        if let Some((pipe, end)) = pipes.find_map(|(pipe, state)| Some((pipe, at(state)?))) {
            self.write(pipe, end, bytes);
        }
        self
    }

    /// Puts something on a host's disk.
    pub(crate) fn put_on_disk(&mut self, host: usize, bytes: Vec<u8>) -> &mut Self {
        self.hosts[host].disk = Some(bytes);
        self
    }

    /// Since when the world has been.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// What has come in for a stranger, as text.
    pub(crate) fn heard(&self, stranger: usize) -> String {
        String::from_utf8_lossy(&self.strangers[stranger].heard).into_owned()
    }

    /// Asks a host for its status.
    pub(crate) fn status(&mut self, host: usize) -> Answer {
        self.push(self.now, Event::Ask(HostId(host as u32)));
        self.run(0);
        self.answers.pop().expect("a running node answers at once")
    }

    pub(crate) fn addr(&self, host: usize) -> SocketAddrV4 {
        SocketAddrV4::new(self.hosts[host].placed.ip, 7500)
    }

    /// The names of the facts that a host claimed, one after the other.
    pub(crate) fn story(&self, host: usize) -> Vec<&'static str> {
        let own = self.facts.iter().filter(|(_, by, _)| by.index() == host);
        own.map(|(_, _, fact)| fact.name()).collect()
    }

    /// What a host has claimed.
    pub(crate) fn facts_of(&self, host: usize) -> impl Iterator<Item = &RefineryFact> {
        let own = self.facts.iter().filter(move |(_, by, _)| by.index() == host);
        own.map(|(_, _, fact)| fact)
    }

    /// Fails with the first broken promise, if there is one.
    #[track_caller]
    pub(crate) fn assert_held(&self) {
        if let Some((name, at, breach)) = &self.breach {
            panic!("{name} at {at}: {}\n{}", breach.detail, self.last_facts(60));
        }
    }

    pub(crate) fn last_facts(&self, count: usize) -> String {
        let lines = self.facts[self.facts.len().saturating_sub(count)..].iter();
        lines
            .map(|(at, host, fact)| format!("{at} {} {fact:?}\n", self.world.name(*host)))
            .collect()
    }

    fn boot(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let rng = NodeRng::new(host.seed, HostKey::of(&host.placed.name), host.incarnation);
        host.node = Some(RefineryNode::boot(
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

    fn latency(&mut self) -> Span {
        self.rng.span(Span::from_millis(1), Span::from_millis(5))
    }

    fn connect(&mut self, own: End, to: SocketAddrV4) {
        self.pipes.push(Pipe {
            ends: [own, End::Nobody],
            on_its_way: [(Vec::new(), Time::ZERO), (Vec::new(), Time::ZERO)],
            closed: [false; 2],
            is_over: [false; 2],
        });
        let at = self.now + self.latency();
        self.push(at, Event::Knock(self.pipes.len() - 1, to, self.now));
    }

    fn write(&mut self, pipe: usize, end: usize, bytes: &[u8]) {
        let at = self.now + self.latency();
        let state = &mut self.pipes[pipe];
        if state.is_over[end] || state.closed[end] {
            return;
        }
        state.on_its_way[end].0.extend_from_slice(bytes);
        state.on_its_way[end].1 = at.max(state.on_its_way[end].1);
        let at = state.on_its_way[end].1;
        self.push(at, Event::Arrive(pipe, end, self.now));
    }

    fn close(&mut self, pipe: usize, end: usize) {
        let at = (self.now + self.latency()).max(self.pipes[pipe].on_its_way[end].1);
        self.pipes[pipe].closed[end] = true;
        self.pipes[pipe].is_over[end] = true;
        self.push(at, Event::Arrive(pipe, end, self.now));
    }

    /// Whether something can get from one end to the other now.
    fn reaches(&self, pipe: usize, from: usize) -> bool {
        let [from, to] = [from, 1 - from].map(|end| match self.pipes[pipe].ends[end] {
            End::Host { host, .. } => Some(host),
            End::Stranger(_) | End::Nobody => None,
        });
        let is_dark = to.is_some_and(|to| self.hosts[to.index()].is_dark);
        let is_cut = from
            .zip(to)
            .is_some_and(|(from, to)| !self.world.can_reach(from, to));
        !is_dark && !is_cut
    }

    /// Whether the process is there that an end belongs to.
    fn lives(&self, end: End) -> bool {
        match end {
            End::Host { host, life, .. } => {
                let host = &self.hosts[host.index()];
                host.node.is_some() && host.incarnation == life
            }
            End::Stranger(_) => true,
            End::Nobody => false,
        }
    }

    fn tell(&mut self, pipe: usize, end: usize, told: Told) {
        let own = self.pipes[pipe].ends[end];
        if self.pipes[pipe].is_over[end] || !self.lives(own) {
            return;
        }
        if let Told::Closed(_) = told {
            self.pipes[pipe].is_over[end] = true;
        }
        match own {
            End::Host { host, conn, .. } => self.push(self.now, Event::Tell(host, conn, told)),
            End::Stranger(stranger) => match told {
                Told::Bytes(bytes) => self.strangers[stranger].heard.extend(bytes),
                Told::Closed(_) => self.strangers[stranger].is_over = true,
                Told::Opened | Told::Accepted(_) => {}
            },
            End::Nobody => {}
        }
    }

    fn knock(&mut self, pipe: usize, to: SocketAddrV4, since: Time) {
        let own = self.pipes[pipe].ends[0];
        let (from, port) = match own {
            End::Host { host, .. } => (self.world.ip(host), 50_000 + pipe as u16 % 10_000),
            End::Stranger(stranger) => (Ipv4Addr::new(10, 9, 9, 9), 50_000 + stranger as u16 % 10_000),
            End::Nobody => return,
        };
        let host = self.world.host_at(*to.ip());
        let dialler = match own {
            End::Host { host, .. } => Some(host),
            _ => None,
        };
        let reaches = host.is_some_and(|host| {
            let is_cut = dialler
                .is_some_and(|from| !self.world.can_reach(from, host) || !self.world.can_reach(host, from));
            !self.hosts[host.index()].is_dark && !is_cut
        });
        let Some(host) = host.filter(|_| reaches) else {
            if self.now.since(since) > TIMEOUT {
                return self.tell(pipe, 0, Told::Closed(Closed::TimedOut));
            }
            return self.push(self.now + Span::from_secs(1), Event::Knock(pipe, to, since));
        };
        let back = self.now + self.latency();
        if self.impostors.contains(&host) {
            self.pipes[pipe].ends[1] = End::Stranger(self.strangers.len());
            self.strangers.push(Stranger::default());
            self.push(back, Event::Opened(pipe));
            return self.push(back, Event::Arrive(pipe, 0, self.now));
        }
        let place = &mut self.hosts[host.index()];
        if place.node.is_none() || !place.listens {
            return self.push(back, Event::Over(pipe, 0, Closed::Refused));
        }
        let (life, conn) = (place.incarnation, ConnId(place.ids.draw()));
        self.pipes[pipe].ends[1] = End::Host { host, life, conn };
        let from = SocketAddrV4::new(from, port);
        self.tell(pipe, 1, Told::Accepted(from));
        self.push(back, Event::Opened(pipe));
        // What was written before it was open.
        self.push(back, Event::Arrive(pipe, 0, self.now));
    }

    fn arrive(&mut self, pipe: usize, from: usize, since: Time) {
        let to = 1 - from;
        if self.pipes[pipe].ends[1] == End::Nobody {
            return;
        }
        if !self.reaches(pipe, from) {
            if self.now.since(since) > TIMEOUT {
                return self.tell(pipe, from, Told::Closed(Closed::TimedOut));
            }
            return self.push(
                self.now + Span::from_millis(200),
                Event::Arrive(pipe, from, since),
            );
        }
        if !self.lives(self.pipes[pipe].ends[to]) {
            return self.tell(pipe, from, Told::Closed(Closed::Reset));
        }
        let mut bytes = std::mem::take(&mut self.pipes[pipe].on_its_way[from].0);
        while !bytes.is_empty() {
            // Anywhere, most often nowhere.
            let cut = match self.rng.below(3) {
                0 => 1 + self.rng.below(bytes.len() as u64) as usize,
                _ => bytes.len(),
            };
            let rest = bytes.split_off(cut);
            self.tell(pipe, to, Told::Bytes(bytes));
            bytes = rest;
        }
        if self.pipes[pipe].closed[from] {
            self.tell(pipe, to, Told::Closed(Closed::Orderly));
        }
    }

    /// What a kernel tells the peers of a process that has died.
    fn reset_all(&mut self, host: HostId) {
        let life = self.hosts[host.index()].incarnation;
        let is_own =
            |end: End| matches!(end, End::Host { host: own, life: of, .. } if own == host && of == life);
        for pipe in 0..self.pipes.len() {
            for end in 0..2 {
                if is_own(self.pipes[pipe].ends[end]) && !self.pipes[pipe].is_over[end] {
                    self.pipes[pipe].is_over[end] = true;
                    if self.reaches(pipe, end) {
                        let at = self.now + self.latency();
                        self.push(at, Event::Over(pipe, 1 - end, Closed::Reset));
                    }
                }
            }
        }
    }

    fn apply(&mut self, fault: Fault) {
        let id = |index: usize| HostId(index as u32);
        match fault {
            Fault::Kill(index) | Fault::PowerCut(index) if self.hosts[index].node.is_some() => {
                let how = match fault {
                    Fault::Kill(_) => Crash::Kill,
                    _ => Crash::PowerCut,
                };
                if how == Crash::Kill {
                    self.reset_all(id(index));
                }
                let host = &mut self.hosts[index];
                host.node = None;
                host.timers.clear();
                host.listens = false;
                host.is_dark = how == Crash::PowerCut;
                let host = id(index);
                self.change(Change::Down { host, how });
            }
            Fault::Restart(index) | Fault::RestartWiped(index) if self.hosts[index].node.is_none() => {
                let wiped = matches!(fault, Fault::RestartWiped(_));
                let host = &mut self.hosts[index];
                host.incarnation += 1;
                host.is_dark = false;
                if wiped {
                    host.disk = None;
                }
                let disk = match (wiped, &host.disk) {
                    (true, _) => DiskAtBoot::Wiped,
                    (false, None) => DiskAtBoot::Fresh,
                    (false, Some(_)) => DiskAtBoot::Kept,
                };
                let incarnation = host.incarnation;
                self.change(Change::Up {
                    host: id(index),
                    incarnation,
                    disk,
                });
                self.boot(index);
            }
            Fault::Partition(groups) => {
                self.sequence += 1;
                let layer = self.sequence as u32;
                self.layers.push(layer);
                self.change(Change::Cut {
                    layer,
                    cut: Cut::Groups(groups),
                });
            }
            Fault::OneWay(from, to) => {
                self.sequence += 1;
                let layer = self.sequence as u32;
                self.layers.push(layer);
                let [from, to] = [from, to]
                    .map(|marked| (0..self.hosts.len()).map(|host| marked.contains(&host)).collect());
                self.change(Change::Cut {
                    layer,
                    cut: Cut::OneWay { from, to },
                });
            }
            Fault::HealAll => {
                for layer in std::mem::take(&mut self.layers) {
                    self.change(Change::Healed { layer });
                }
            }
            // It touches nothing: the host is up already, or down.
            _ => {}
        }
    }

    fn change(&mut self, change: Change) {
        self.world.apply(self.now, &change);
        self.see(&Seen::World(&change));
    }

    fn see(&mut self, seen: &Seen<'_, RefineryNode>) {
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
            let due = self.invariants.iter().map(|(_, invariant)| invariant.due()).min();
            let due = due.unwrap_or(Time::MAX);
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
                Event::Knock(pipe, to, since) => {
                    self.knock(*pipe, *to, *since);
                    continue;
                }
                Event::Opened(pipe) => {
                    self.tell(*pipe, 0, Told::Opened);
                    continue;
                }
                Event::Arrive(pipe, from, since) => {
                    self.arrive(*pipe, *from, *since);
                    continue;
                }
                Event::Over(pipe, end, why) => {
                    self.tell(*pipe, *end, Told::Closed(*why));
                    continue;
                }
                Event::Start(host, life) | Event::Written(host, life, _) => {
                    if self.hosts[host.index()].incarnation != *life {
                        continue;
                    }
                    *host
                }
                Event::Timer(host, life, timer, armed) => {
                    let place = &mut self.hosts[host.index()];
                    let code = squall_nodes::Timer::code(timer);
                    if place.incarnation != *life || place.timers.get(&code) != Some(armed) {
                        continue;
                    }
                    place.timers.remove(&code);
                    *host
                }
                Event::Tell(host, ..) | Event::Ask(host) => *host,
                Event::Nothing => continue,
            };
            if self.hosts[host.index()].node.is_some() {
                self.current = event;
                return Some(host);
            }
        }
    }
}

impl Transport<RefineryNode> for RefineryWorld {
    fn receive(&mut self) -> Option<Delivery<'_, RefineryNode>> {
        let id = self.next_input()?;
        let host = &mut self.hosts[id.index()];
        let input = match &self.current {
            Event::Tell(_, conn, told) => Input::Stream {
                conn: *conn,
                event: match told {
                    Told::Opened => StreamEvent::Opened,
                    Told::Accepted(from) => StreamEvent::Accepted {
                        port: 7500,
                        from: *from,
                    },
                    Told::Bytes(bytes) => StreamEvent::Bytes(bytes),
                    Told::Closed(why) => StreamEvent::Closed(*why),
                },
            },
            Event::Timer(_, _, timer, _) => Input::Timer(*timer),
            Event::Written(_, _, token) => Input::Persisted(*token),
            Event::Ask(_) => Input::Command {
                call: CallId(0),
                command: &Command::Status,
            },
            _ => Input::Start,
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

    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, RefineryNode>) {
        let life = self.hosts[id.index()].incarnation;
        let place = |net: &Self, conn: ConnId| {
            let own = End::Host { host: id, life, conn };
            let at = |pipe: &Pipe| pipe.ends.iter().position(|end| *end == own);
            let mut pipes = net.pipes.iter().enumerate().rev();
            pipes.find_map(|(pipe, state)| Some((pipe, at(state)?)))
        };
        for effect in effects {
            match effect {
                Effect::Listen { .. } => self.hosts[id.index()].listens = true,
                Effect::Dial { conn, to } => self.connect(End::Host { host: id, life, conn }, to),
                Effect::Write { conn, bytes } => {
                    if let Some((pipe, end)) = place(self, conn) {
                        self.write(pipe, end, bytes);
                    }
                }
                Effect::Close { conn } => {
                    if let Some((pipe, end)) = place(self, conn) {
                        self.close(pipe, end);
                    }
                }
                Effect::Arm { timer, at } => {
                    let sequence = self.sequence + 1;
                    self.push(at.max(now), Event::Timer(id, life, timer, sequence));
                    let code = squall_nodes::Timer::code(&timer);
                    self.hosts[id.index()].timers.insert(code, sequence);
                }
                Effect::Disarm { timer } => {
                    let code = squall_nodes::Timer::code(&timer);
                    self.hosts[id.index()].timers.remove(&code);
                }
                // A disk that takes no time: nothing has to wait behind it.
                Effect::Persist { token, bytes } => {
                    self.hosts[id.index()].disk = Some(bytes.to_vec());
                    self.push(now, Event::Written(id, life, token));
                }
                Effect::Claim(fact) => {
                    self.see(&Seen::Fact {
                        host: id,
                        incarnation: life,
                        fact: &fact,
                    });
                    self.facts.push((now, id, fact));
                }
                Effect::Answer { answer, .. } => self.answers.push(answer),
                // refinery sends no datagrams, and reads whatever comes.
                _ => {}
            }
        }
    }
}
