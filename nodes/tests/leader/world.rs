//! A small world for leader's tests: a clock, connections, disks, faults, and every promise of leader held against what happens.
//!
//! It is a [`Transport`] under [`drive`] and nothing more; the engine for users is the simulator's. Its connections are simpler than
//! those: what is written comes in order, in pieces, after a latency; what a cut keeps comes when it is healed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::leader::wire::Message;
use squall_nodes::leader::{Answer, Command, Config, Leader, LeaderFact, LeaderNode, Role, Timer};
use squall_nodes::stream::StreamLaw;
use squall_nodes::{
    Breach, CallId, Change, Closed, ConnId, Crash, Cut, Delivery, DiskAtBoot, DiskState, Effect, Effects,
    Fact, HostId, HostKey, Ids, Input, Invariant, Links, Node, NodeRng, Outbox, Placed, Protocol, Resident,
    Seen, Setup, Span, StreamEvent, Time, Token, Tolerance, Transport, Unwitnessed, World, drive,
};

/// The address of the first host.
const FIRST: u32 = 0x0a00_0001;
/// After how long a connection that a cut keeps is tried again.
const RETRANSMIT: Span = Span::from_millis(200);
/// After how long it is given up.
const GIVEN_UP: Span = Span::from_secs(20);
/// How late at most something comes in on a connection that no cut keeps: what is lost is sent again once, and not lost again.
const LATEST: Span = Span::from_millis(300);

/// The world.
pub(crate) struct LeaderWorld {
    pub(crate) world: World,
    /// Every fact, with when and by whom it was claimed.
    pub(crate) facts: Vec<(Time, HostId, LeaderFact)>,
    /// Every answer, with the call that it is to.
    pub(crate) answers: Vec<(CallId, Answer)>,
    /// The first broken promise.
    pub(crate) breach: Option<(&'static str, Time, Breach)>,
    pub(crate) latency: (Span, Span),
    /// Of how many pieces in a thousand the first try is lost.
    pub(crate) loss: u64,
    /// How long a write takes until its node is told what became of it.
    pub(crate) write: Span,
    /// How many connections each host has opened.
    pub(crate) dials: Vec<u64>,
    /// How many connections that nobody has answered a host has at most; what it dials beyond is refused.
    pub(crate) places: u64,
    /// How many it has.
    dialling: Vec<u64>,
    /// What those say to everyone who dials them in whose place somebody else answers, by host.
    impostors: BTreeMap<HostId, Vec<u8>>,
    hosts: Vec<Host>,
    /// Both ends of every connection: the other end of each.
    ends: BTreeMap<(HostId, ConnId), End>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    calls: u64,
    now: Time,
    until: Time,
    rng: NodeRng,
    invariants: Vec<(&'static str, Box<dyn Invariant<LeaderNode>>)>,
    current: Event,
    layers: Vec<u32>,
}

struct Host {
    placed: Placed<LeaderNode>,
    node: Option<LeaderNode>,
    ids: Ids,
    seed: u64,
    incarnation: u32,
    paused: bool,
    inbox: Vec<Event>,
    disk: Option<Vec<u8>>,
    writes: Writes,
    /// Of how many failed writes the node has not been told. What it wants said until then is dropped.
    untold: u32,
    timers: BTreeMap<u64, (Time, u64)>,
}

/// One end of a connection, as its host sees it.
#[derive(Clone, Copy)]
struct End {
    other: HostId,
    conn: Option<ConnId>,
    /// When the last of what was written to it comes to the other end.
    free: Time,
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
    Kill(usize),
    Restart(usize),
    RestartWiped(usize),
    Pause(usize),
    Resume(usize),
    /// Its writes fail from now on.
    FailDisk(usize),
    MendDisk(usize),
    /// Each host's group.
    Partition(Vec<u32>),
    HealAll,
}

#[derive(Clone, Debug)]
enum Event {
    Start(HostId, u32),
    /// A dialler's first packet comes to a host.
    Dialled {
        from: HostId,
        conn: ConnId,
        to: HostId,
        incarnation: u32,
        since: Time,
    },
    Stream(HostId, u32, ConnId, Happening),
    /// Something of a connection comes to its other end.
    Comes {
        from: HostId,
        to: HostId,
        incarnation: u32,
        conn: ConnId,
        what: Happening,
        since: Time,
    },
    Timer(HostId, u32, Timer, u64),
    Written(HostId, u32, Token, Writes),
    Ask(HostId, CallId, Command),
    Fault(Fault),
    Nothing,
}

#[derive(Clone, Debug)]
enum Happening {
    Opened,
    Accepted(SocketAddrV4),
    Bytes(Vec<u8>),
    Closed(Closed),
}

/// Settings of the profile `brisk` with latencies that it takes: peers `p1`, `p2`, … and the starter `s`, which is the last.
pub(crate) fn brisk(rules: &str, peers: usize, seed: u64, change: impl Fn(&mut Config)) -> LeaderWorld {
    let placed = (0..=peers).map(|i| {
        let mut config = Leader::config("brisk", rules);
        change(&mut config);
        let (name, role) = match i {
            i if i == peers => ("s".to_owned(), Role::Starter),
            i => (format!("p{}", i + 1), Role::Peer),
        };
        Placed {
            name,
            ip: Ipv4Addr::from(FIRST + i as u32),
            role,
            config,
        }
    });
    LeaderWorld::new(rules, placed.collect(), seed)
}

impl LeaderWorld {
    fn new(rules: &str, mut placed: Vec<Placed<LeaderNode>>, seed: u64) -> Self {
        Leader::assemble(&mut placed).expect("the cast is a cluster");
        let tolerated = Tolerance {
            loss: 0.05,
            latency: Span::from_millis(50),
        };
        let setup = Setup {
            hosts: &placed,
            rules,
            streams: StreamLaw {
                user_timeout: LATEST,
                ..StreamLaw::default()
            },
            tolerated,
        };
        let kinds = Leader::invariants().into_iter();
        let invariants = kinds
            .map(|kind| {
                let built = kind.build("()", &setup).expect("no parameters are needed");
                (kind.name(), built.invariant)
            })
            .collect();
        let residents = placed.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let world = World::new(residents, Links::Tolerated);
        let placed_count = placed.len();
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
            timers: BTreeMap::new(),
        });
        let mut net = LeaderWorld {
            world,
            facts: Vec::new(),
            answers: Vec::new(),
            breach: None,
            latency: (Span::from_millis(1), Span::from_millis(5)),
            loss: 0,
            write: Span::ZERO,
            dials: vec![0; placed_count],
            places: u64::MAX,
            dialling: vec![0; placed_count],
            impostors: BTreeMap::new(),
            hosts: hosts.collect(),
            ends: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            calls: 0,
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

    /// Asks a host something in a while.
    pub(crate) fn ask_in(&mut self, ms: u64, host: usize, command: Command) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        let at = self.now + Span::from_millis(ms);
        self.push(at, Event::Ask(HostId(host as u32), call, command));
        call
    }

    /// Somebody who is no node opens a connection to a host.
    pub(crate) fn intrude(&mut self, host: usize, from: Ipv4Addr) -> ConnId {
        self.intrude_in(0, host, from)
    }

    fn intrude_in(&mut self, ms: u64, host: usize, from: Ipv4Addr) -> ConnId {
        let id = HostId(host as u32);
        let place = &mut self.hosts[host];
        let (conn, life) = (ConnId(place.ids.draw()), place.incarnation);
        let end = End {
            other: id,
            conn: None,
            free: Time::ZERO,
        };
        self.ends.insert((id, conn), end);
        let accepted = Happening::Accepted(SocketAddrV4::new(from, 40_000));
        let at = self.now + Span::from_millis(ms);
        self.push(at, Event::Stream(id, life, conn, accepted));
        conn
    }

    /// And something comes in on it in a while.
    pub(crate) fn feed_in(&mut self, ms: u64, host: usize, conn: ConnId, bytes: &[u8]) {
        let (id, life) = (HostId(host as u32), self.hosts[host].incarnation);
        let at = self.now + Span::from_millis(ms);
        self.push(
            at,
            Event::Stream(id, life, conn, Happening::Bytes(bytes.to_vec())),
        );
    }

    /// A message comes in on a connection of its own in a while, from who is no node.
    pub(crate) fn forge_in(&mut self, ms: u64, host: usize, message: &Message) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let conn = self.intrude_in(ms, host, Ipv4Addr::new(192, 0, 2, 1));
        self.feed_in(ms, host, conn, &bytes);
    }

    /// From now on somebody else answers at the address of a host that is down, and says this to everyone who dials it.
    pub(crate) fn impersonate(&mut self, host: usize, says: &[u8]) {
        assert!(self.hosts[host].node.is_none(), "there is somebody there");
        self.impostors.insert(HostId(host as u32), says.to_vec());
    }

    /// Puts something on a host's disk.
    pub(crate) fn put_on_disk(&mut self, host: usize, bytes: Vec<u8>) -> &mut Self {
        self.hosts[host].disk = Some(bytes);
        self
    }

    pub(crate) fn address(&self, host: usize) -> SocketAddrV4 {
        let Placed { ip, config, .. } = &self.hosts[host].placed;
        SocketAddrV4::new(*ip, config.port)
    }

    /// Whether a host has a connection, as far as it has not closed it.
    pub(crate) fn is_open(&self, host: usize, conn: ConnId) -> bool {
        self.ends.contains_key(&(HostId(host as u32), conn))
    }

    /// Asks everyone to calculate and to say something, every so often for as long.
    pub(crate) fn chatter(&mut self, every_ms: u64, until_ms: u64) {
        for (count, at) in (0..until_ms).step_by(every_ms as usize).enumerate() {
            let host = self.rng.below(self.hosts.len() as u64) as usize;
            let command = match count % 2 {
                0 => Command::Calc(format!("{count}/3")),
                _ => Command::Chat(format!("word {count}")),
            };
            self.ask_in(at, host, command);
        }
    }

    /// What a call was answered.
    pub(crate) fn answers_to(&self, call: CallId) -> Vec<&Answer> {
        let own = self.answers.iter().filter(|(to, _)| *to == call);
        own.map(|(_, answer)| answer).collect()
    }

    /// The names of the facts that a host claimed, one after the other.
    pub(crate) fn story(&self, host: usize) -> Vec<&'static str> {
        let own = self.facts.iter().filter(|(_, by, _)| by.index() == host);
        own.map(|(_, _, fact)| fact.name()).collect()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.facts
            .iter()
            .filter(|(_, _, fact)| fact.name() == name)
            .count()
    }

    pub(crate) fn hosts(&self) -> usize {
        self.hosts.len()
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
        let lines = self.facts[self.facts.len().saturating_sub(count)..].iter();
        lines
            .map(|(at, host, fact)| format!("{at} {} {fact:?}\n", self.world.name(*host)))
            .collect()
    }

    fn boot(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let rng = NodeRng::new(host.seed, HostKey::of(&host.placed.name), host.incarnation);
        host.node = Some(LeaderNode::boot(
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

    fn delay(&mut self) -> Span {
        self.rng.span(self.latency.0, self.latency.1)
    }

    fn apply(&mut self, fault: Fault) {
        let id = |index: usize| HostId(index as u32);
        match fault {
            Fault::Kill(index) if self.hosts[index].node.take().is_some() => {
                let host = &mut self.hosts[index];
                host.timers.clear();
                host.inbox.clear();
                host.untold = 0;
                host.paused = false;
                let own: Vec<(HostId, ConnId)> = self
                    .ends
                    .range((id(index), ConnId(0))..=(id(index), ConnId(u64::MAX)))
                    .map(|(end, _)| *end)
                    .collect();
                for (host, conn) in own {
                    self.pass_on(host, conn, Happening::Closed(Closed::Reset));
                    self.ends.remove(&(host, conn));
                }
                self.change(Change::Down {
                    host: id(index),
                    how: Crash::Kill,
                });
            }
            Fault::Restart(index) | Fault::RestartWiped(index) if self.hosts[index].node.is_none() => {
                let host = &mut self.hosts[index];
                host.incarnation += 1;
                let wiped = matches!(fault, Fault::RestartWiped(_));
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
            Fault::Partition(groups) => {
                self.sequence += 1;
                let layer = self.sequence as u32;
                self.layers.push(layer);
                let cut = Cut::Groups(groups);
                self.change(Change::Cut { layer, cut });
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

    fn change(&mut self, change: Change) {
        self.world.apply(self.now, &change);
        self.see(&Seen::World(&change));
    }

    fn see(&mut self, seen: &Seen<'_, LeaderNode>) {
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

    /// Sends something to the other end of a connection, after what was sent before.
    fn pass_on(&mut self, from: HostId, conn: ConnId, what: Happening) {
        let mut delay = self.delay();
        if self.rng.below(1000) < self.loss {
            delay = delay + RETRANSMIT;
        }
        let Some(end) = self.ends.get_mut(&(from, conn)) else {
            return;
        };
        let (Some(conn), to) = (end.conn, end.other) else {
            return;
        };
        end.free = end.free.max(self.now + delay);
        let (at, incarnation) = (end.free, self.hosts[to.index()].incarnation);
        self.push(
            at,
            Event::Comes {
                from,
                to,
                incarnation,
                conn,
                what,
                since: self.now,
            },
        );
    }

    /// The first packet of a dialler has come; its answer takes as long again.
    fn dialled(&mut self, from: HostId, conn: ConnId, to: HostId, incarnation: u32) {
        let back = self.now + self.delay();
        if let Some(says) = self.impostors.get(&to).cloned() {
            let end = End {
                other: to,
                conn: None,
                free: Time::ZERO,
            };
            self.ends.insert((from, conn), end);
            self.push(back, Event::Stream(from, incarnation, conn, Happening::Opened));
            for piece in says.chunks(64 << 10) {
                let bytes = Happening::Bytes(piece.to_vec());
                self.push(back, Event::Stream(from, incarnation, conn, bytes));
            }
            return;
        }
        let host = &mut self.hosts[to.index()];
        if host.node.is_none() {
            let refused = Happening::Closed(Closed::Refused);
            self.push(back, Event::Stream(from, incarnation, conn, refused));
            return;
        }
        let accepted = ConnId(host.ids.draw());
        let (life, port) = (host.incarnation, host.placed.config.port);
        let end = |other, conn| End {
            other,
            conn: Some(conn),
            free: Time::ZERO,
        };
        self.ends.insert((from, conn), end(to, accepted));
        self.ends.insert((to, accepted), end(from, conn));
        let from_ip = self.hosts[from.index()].placed.ip;
        let address = SocketAddrV4::new(from_ip, port ^ 0x8000);
        let accept = Event::Stream(to, life, accepted, Happening::Accepted(address));
        self.push(self.now, accept);
        self.push(back, Event::Stream(from, incarnation, conn, Happening::Opened));
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
            let host = match event.clone() {
                Event::Fault(fault) => {
                    self.apply(fault);
                    continue;
                }
                Event::Dialled {
                    from,
                    conn,
                    to,
                    incarnation,
                    since,
                } => {
                    if self.world.can_reach(from, to) && self.world.can_reach(to, from) {
                        self.dialling[from.index()] -= 1;
                        self.dialled(from, conn, to, incarnation);
                    } else if self.now.since(since) > Span::from_secs(3) {
                        self.dialling[from.index()] -= 1;
                        let timed_out = Happening::Closed(Closed::TimedOut);
                        self.push(self.now, Event::Stream(from, incarnation, conn, timed_out));
                    } else {
                        self.push(self.now + RETRANSMIT, event);
                    }
                    continue;
                }
                Event::Comes {
                    from,
                    to,
                    incarnation,
                    conn,
                    what,
                    since,
                } => {
                    if !self.world.can_reach(from, to) {
                        // A process that is gone sends nothing again.
                        let is_there = self.hosts[from.index()].node.is_some();
                        if is_there && self.now.since(since) < GIVEN_UP {
                            self.push(self.now + RETRANSMIT, event);
                        }
                        continue;
                    }
                    self.push(self.now, Event::Stream(to, incarnation, conn, what));
                    continue;
                }
                Event::Start(host, incarnation) | Event::Written(host, incarnation, ..) => {
                    if self.hosts[host.index()].incarnation != incarnation {
                        continue;
                    }
                    host
                }
                Event::Stream(host, incarnation, conn, what) => {
                    // What this end has closed, it hears nothing of any more; what was never opened, only that.
                    let is_known = self.ends.contains_key(&(host, conn));
                    let is_end = matches!(what, Happening::Closed(_));
                    if self.hosts[host.index()].incarnation != incarnation || !(is_known || is_end) {
                        continue;
                    }
                    host
                }
                Event::Timer(host, incarnation, timer, armed) => {
                    let place = &mut self.hosts[host.index()];
                    let code = squall_nodes::Timer::code(&timer);
                    if place.incarnation != incarnation
                        || place.timers.get(&code).map(|(_, n)| *n) != Some(armed)
                    {
                        continue;
                    }
                    if !place.paused {
                        place.timers.remove(&code);
                    }
                    host
                }
                Event::Ask(host, call, command) => {
                    if self.hosts[host.index()].node.is_some() {
                        self.see(&Seen::Call {
                            host,
                            call,
                            command: &command,
                        });
                    }
                    host
                }
                Event::Nothing => continue,
            };
            let place = &mut self.hosts[host.index()];
            if place.paused {
                place.inbox.push(event);
            } else if place.node.is_some() {
                if let Event::Stream(_, _, conn, Happening::Closed(_)) = event {
                    self.ends.remove(&(host, conn));
                }
                self.current = event;
                return Some(host);
            }
        }
    }
}

impl Transport<LeaderNode> for LeaderWorld {
    fn receive(&mut self) -> Option<Delivery<'_, LeaderNode>> {
        let id = self.next_input()?;
        let host = &mut self.hosts[id.index()];
        if let Event::Written(_, _, _, Writes::Fail) = self.current {
            host.untold -= 1;
        }
        let port = host.placed.config.port;
        let input = match &self.current {
            Event::Stream(_, _, conn, what) => Input::Stream {
                conn: *conn,
                event: match what {
                    Happening::Opened => StreamEvent::Opened,
                    Happening::Accepted(from) => StreamEvent::Accepted { port, from: *from },
                    Happening::Bytes(bytes) => StreamEvent::Bytes(bytes),
                    Happening::Closed(how) => StreamEvent::Closed(*how),
                },
            },
            Event::Timer(_, _, timer, _) => Input::Timer(*timer),
            Event::Written(_, _, token, Writes::Complete) => Input::Persisted(*token),
            Event::Written(_, _, token, Writes::Fail) => Input::PersistFailed(*token),
            Event::Ask(_, call, command) => Input::Command { call: *call, command },
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

    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, LeaderNode>) {
        let incarnation = self.hosts[id.index()].incarnation;
        for effect in effects {
            if self.hosts[id.index()].untold > 0
                && !matches!(effect, Effect::Arm { .. } | Effect::Disarm { .. })
            {
                // It waited behind a write that failed; so does a write.
                if let Effect::Persist { token, .. } = effect {
                    self.hosts[id.index()].untold += 1;
                    self.push(
                        now + self.write,
                        Event::Written(id, incarnation, token, Writes::Fail),
                    );
                }
                continue;
            }
            match effect {
                Effect::Dial { conn, to } => {
                    self.dials[id.index()] += 1;
                    let Some(to) = self.world.host_at(*to.ip()) else {
                        // There is nobody, as a list may say that was forged.
                        let refused = Happening::Closed(Closed::Refused);
                        self.push(now, Event::Stream(id, incarnation, conn, refused));
                        continue;
                    };
                    if self.dialling[id.index()] >= self.places {
                        let refused = Happening::Closed(Closed::Refused);
                        self.push(now, Event::Stream(id, incarnation, conn, refused));
                        continue;
                    }
                    self.dialling[id.index()] += 1;
                    let at = now + self.delay();
                    let dialled = Event::Dialled {
                        from: id,
                        conn,
                        to,
                        incarnation,
                        since: now,
                    };
                    self.push(at, dialled);
                }
                Effect::Write { conn, bytes } => {
                    let cut = self.rng.below(bytes.len() as u64) as usize;
                    let (front, back) = bytes.split_at(cut);
                    for piece in [front, back].into_iter().filter(|piece| !piece.is_empty()) {
                        self.pass_on(id, conn, Happening::Bytes(piece.to_vec()));
                    }
                }
                Effect::Close { conn } => {
                    self.pass_on(id, conn, Happening::Closed(Closed::Orderly));
                    self.ends.remove(&(id, conn));
                }
                Effect::Arm { timer, at } => {
                    let event = Event::Timer(id, incarnation, timer, self.sequence + 1);
                    self.push(at.max(now), event);
                    let code = squall_nodes::Timer::code(&timer);
                    let sequence = self.sequence;
                    self.hosts[id.index()].timers.insert(code, (at, sequence));
                }
                Effect::Disarm { timer } => {
                    let code = squall_nodes::Timer::code(&timer);
                    self.hosts[id.index()].timers.remove(&code);
                }
                Effect::Persist { token, bytes } => {
                    let writes = self.hosts[id.index()].writes;
                    self.push(now + self.write, Event::Written(id, incarnation, token, writes));
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
                    self.facts.push((now, id, fact));
                }
                Effect::Answer { call, answer } => {
                    self.see(&Seen::Answer {
                        host: id,
                        call,
                        answer: &answer,
                    });
                    self.answers.push((call, answer));
                }
                // It listens from its start on, and neither pauses reading nor has datagrams.
                _ => {}
            }
        }
    }
}

/// Twelve faults over six seconds; then everything is healed, and everyone is back or most are.
pub(crate) fn storm(world: &mut LeaderWorld, seed: u64) {
    let hosts = world.hosts();
    let mut rng = NodeRng::new(seed, HostKey(1), 0);
    let mut at = 0;
    for _ in 0..12 {
        at += 200 + rng.below(600);
        let host = rng.below(hosts as u64) as usize;
        let fault = match rng.below(8) {
            0 | 1 => Fault::Kill(host),
            2 | 3 => Fault::Restart(host),
            4 => Fault::RestartWiped(host),
            5 => Fault::Pause(host),
            6 => Fault::Partition((0..hosts).map(|_| rng.below(2) as u32).collect()),
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

/// Disks that fail in the storm's six seconds, one or two of them and each once or twice. In the end all are mended.
pub(crate) fn failing_disks(world: &mut LeaderWorld, seed: u64) {
    let hosts = world.hosts();
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
