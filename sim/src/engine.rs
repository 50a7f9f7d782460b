//! The engine: one run of a plan, as a transport that [`drive`](squall_nodes::drive) pulls inputs from.
//!
//! Virtual time moves in [`Engine::next_due`], which pops events until one is an input for a running node. What nodes ask
//! for is done in [`Engine::perform`]. Faults are in `faults`, what is seen goes through `see`.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use squall_nodes::{
    CallId, Change, Delivery, Effect, Effects, Fact, HostId, HostKey, Input, Node, NodeRng, Placed, Protocol,
    Seen, Span, Time, Token, Transport,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::digest::{Rolling, Tag};
use crate::draws::Draws;
use crate::event::{Datagram, Event, Payloads};
use crate::host::{Barrier, Host, RECEIVE_BUFFER, Waiting, Write};
use crate::network::{Cuts, Links, Passage, draw_latency};
use crate::outcome::{Digest, FaultDone, Traffic, Violation};
use crate::plan::{Plan, Trigger, address_of, host_at};
use crate::queue::{Full, Popped, Queue};
use crate::timers::{Armed, Due};
use crate::trace::{DropCause, Fate, Happening, Trace};
use crate::tracer::Tracer;
use crate::watch::{Judge, Stopwatches};

/// The longest payload that a UDP datagram can have over IPv4.
const LONGEST_DATAGRAM: usize = 65_507;
/// How many stale entries the queue may hold before anyone counts whether they outweigh the others.
const STALE_AT_LEAST: usize = 1024;
/// The violation of a run in which time stands still.
pub(crate) const TIME_PASSES: &str = "squall.time_passes";

/// One run of a plan. After the run it can be [`reset`](Engine::reset) for the next, and keeps what it allocated.
pub(crate) struct Engine<'p, P: Protocol> {
    pub(crate) plan: &'p Plan<P>,
    placed: &'p [Placed<P::Node>],
    keys: Vec<HostKey>,
    seed: u64,
    pub(crate) now: Time,
    queue: Queue<Event>,
    /// Entries of the queue that no longer mean anything.
    stale: usize,
    /// Events at the present instant, and how many there may be.
    at_this_instant: u64,
    most_at_an_instant: u64,
    pub(crate) events: u64,
    pub(crate) hosts: Vec<Host<P::Node>>,
    links: Links,
    pub(crate) cuts: Cuts,
    draws: Draws,
    payloads: Payloads,
    /// The datagram that is lent to a node.
    lent: Option<Datagram>,
    pub(crate) judge: Judge<P::Node>,
    /// When the queue's entry for the judge comes up, and its ticket; [`Time::MAX`] when there is none. Others are stale.
    judge_entry: (Time, u64),
    pub(crate) stopwatches: Stopwatches<'p>,
    /// For each step that waits for a fact, how many claims have matched.
    matched: Vec<u32>,
    /// Steps that a claim has triggered and that happen before anything else does.
    triggered: VecDeque<(u32, HostId)>,
    /// What resumed hosts find, before anything else comes up; each with its ticket.
    released: VecDeque<(u64, Event)>,
    /// How many datagrams cuts have dropped, and for each step the number of the last that it had a part in.
    cut_drops: u64,
    last_cut_drop: Vec<u64>,
    pub(crate) faults: Vec<FaultDone>,
    /// How many calls each entry of the workload made.
    pub(crate) calls_made: Vec<u64>,
    next_call: u64,
    pub(crate) traffic: Traffic,
    pub(crate) digest: Rolling,
    fact_bytes: Vec<u8>,
    pub(crate) tracer: Option<Box<Tracer>>,
    pub(crate) ended: Option<End>,
}

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its limit was reached, or nothing was left that could happen.
    Limit,
    /// A promise was broken.
    Violated,
    /// It had as many events as the plan allows.
    TooManyEvents,
    /// The queue could hold no more.
    QueueFull,
    /// More cuts lay over the links than there may.
    TooManyLayers,
    /// A node asked for something that is not simulated.
    NotSimulated { host: HostId, what: &'static str },
}

/// An input that is due, without what it borrows.
#[derive(Clone, Copy)]
struct Input1<T> {
    host: HostId,
    what: What<T>,
}

#[derive(Clone, Copy)]
enum What<T> {
    Start,
    /// The one in `lent`.
    Datagram,
    Timer(T),
    Command {
        entry: u32,
        call: CallId,
    },
    Persisted(Token),
}

type TimerOf<P> = <<P as Protocol>::Node as Node>::Timer;

impl<'p, P: Protocol> Engine<'p, P> {
    /// `placed` are the plan's hosts in their places; nothing runs until [`reset`](Self::reset).
    pub(crate) fn new(plan: &'p Plan<P>, placed: &'p [Placed<P::Node>]) -> Self {
        let hosts = plan.hosts.len();
        Engine {
            plan,
            placed,
            keys: plan.hosts.iter().map(|host| host.key).collect(),
            seed: 0,
            now: Time::ZERO,
            queue: Queue::new(),
            stale: 0,
            at_this_instant: 0,
            // Everyone may hear everyone at one instant, and a copy of it, and answer.
            most_at_an_instant: 100_000 + 4 * (hosts as u64).pow(2),
            events: 0,
            hosts: (0..hosts).map(|_| Host::new()).collect(),
            links: Links::new(&plan.network, hosts),
            cuts: Cuts::default(),
            draws: Draws::new(0),
            payloads: Payloads::default(),
            lent: None,
            judge: Judge::new(plan, placed),
            judge_entry: (Time::MAX, 0),
            stopwatches: Stopwatches::new(&plan.measures),
            matched: Vec::new(),
            triggered: VecDeque::new(),
            released: VecDeque::new(),
            cut_drops: 0,
            last_cut_drop: Vec::new(),
            faults: Vec::new(),
            calls_made: Vec::new(),
            next_call: 0,
            traffic: Traffic::default(),
            digest: Rolling::new(),
            fact_bytes: Vec::new(),
            tracer: None,
            ended: None,
        }
    }

    /// Makes ready for the run with `seed`.
    pub(crate) fn reset(&mut self, seed: u64, tracer: Option<Box<Tracer>>) {
        self.seed = seed;
        self.now = Time::ZERO;
        self.queue.clear();
        self.stale = 0;
        self.at_this_instant = 0;
        self.events = 0;
        for host in &mut self.hosts {
            host.clear();
        }
        self.links.clear();
        self.cuts.clear();
        self.draws = Draws::new(seed);
        self.payloads.clear();
        self.lent = None;
        self.judge = Judge::new(self.plan, self.placed);
        self.judge_entry = (Time::MAX, 0);
        self.stopwatches = Stopwatches::new(&self.plan.measures);
        self.matched.clear();
        self.matched.resize(self.plan.timeline.len(), 0);
        self.triggered.clear();
        self.released.clear();
        self.cut_drops = 0;
        self.last_cut_drop.clear();
        self.last_cut_drop.resize(self.plan.timeline.len(), 0);
        let undone = |label: &String| FaultDone {
            fault: label.clone(),
            at: None,
            affected: 0,
        };
        self.faults.clear();
        self.faults
            .extend(self.plan.timeline.iter().map(|step| undone(&step.label)));
        self.calls_made.clear();
        self.calls_made.resize(self.plan.workload.len(), 0);
        self.next_call = 0;
        self.traffic = Traffic::default();
        self.digest.clear();
        self.tracer = tracer;
        self.ended = None;
        self.begin();
    }

    /// Puts in what the plan holds: first boots, the timeline, the workload.
    fn begin(&mut self) {
        for (index, host) in self.plan.hosts.iter().enumerate() {
            let id = HostId(index as u32);
            if host.starts == Time::ZERO {
                self.boot(id);
            } else {
                self.push(host.starts, Event::Boot { host: id });
            }
        }
        for (index, step) in self.plan.timeline.iter().enumerate() {
            let event = Event::Step {
                step: index as u32,
                claimant: None,
            };
            match step.trigger {
                Trigger::At(at) => self.push(at, event),
                Trigger::Every { first, until, .. } if first < until => self.push(first, event),
                Trigger::Every { .. } | Trigger::When { .. } => {}
            }
        }
        for (index, work) in self.plan.workload.iter().enumerate() {
            if work.first < work.until {
                let event = Event::Work {
                    entry: index as u32,
                    ordinal: 0,
                };
                self.push(work.first, event);
            }
        }
        self.plan_judge();
    }

    /// How many datagrams are still on their way or held back for a paused host. What waits behind a write is not sent.
    pub(crate) fn in_flight(&self) -> u64 {
        self.traffic.sent + self.traffic.duplicated
            - self.traffic.delivered
            - self.traffic.lost
            - self.traffic.cut
            - self.traffic.to_nobody
            - self.traffic.overflowed
    }

    /// Boots the node of a host that is down.
    pub(crate) fn boot(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        host.incarnation = host.boots;
        host.boots += 1;
        host.ids = squall_nodes::Ids::default();
        host.disk.writes = 0;
        let rng = NodeRng::new(self.seed, self.keys[id.index()], host.incarnation);
        let placed = &self.placed[id.index()];
        host.node = Some(P::Node::boot(
            &placed.role,
            &placed.config,
            host.disk.contents.as_deref(),
            rng,
        ));
        let incarnation = host.incarnation;
        self.push(
            self.now,
            Event::Start {
                host: id,
                incarnation,
            },
        );
    }

    /// Takes down a host that is up: its memory is gone, and of a write under way the disk holds all or nothing.
    pub(crate) fn take_down(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        host.node = None;
        host.ports.clear();
        self.stale += host.timers.clear();
        if let Some(barrier) = host.barrier.take() {
            // Its own ordinal: the one of the write itself says how long the write takes.
            let word = self.draws.disk(
                self.keys[id.index()],
                host.incarnation,
                u64::MAX - host.disk.writes,
            );
            if word & 1 == 1 {
                host.disk.contents = Some(barrier.writing.bytes);
            }
        }
        let mut unread = host.paused.take().map_or_else(Vec::new, |held| held.events);
        if !self.released.is_empty() {
            // It was resumed a moment ago and has not found all that came in.
            self.released.retain(|entry| {
                let others = entry.1.host() != Some(id);
                if !others {
                    unread.push(*entry);
                }
                others
            });
        }
        for (_, event) in unread {
            if let Event::Datagram(datagram) = event {
                self.drop_arrived(datagram, DropCause::Down);
            }
        }
        self.sweep_queue();
    }

    /// Lets a paused host find what came in, in order and before anything else comes up.
    pub(crate) fn release_held(&mut self, id: HostId) {
        if let Some(held) = self.hosts[id.index()].paused.take() {
            self.released.extend(held.events);
        }
    }

    /// Shows one thing to everyone who watches.
    pub(crate) fn see(&mut self, seen: &Seen<'_, P::Node>) {
        self.judge.see(self.now, seen);
        if self.judge.violation.is_some() {
            self.ended.get_or_insert(End::Violated);
        }
        self.plan_judge();
    }

    pub(crate) fn push(&mut self, at: Time, event: Event) {
        if self.queue.push(at.as_nanos(), event) == Err(Full) {
            self.ended.get_or_insert(End::QueueFull);
        }
    }

    fn push_timer(&mut self, at: Time, host: HostId, place: u32) {
        let incarnation = self.hosts[host.index()].incarnation;
        match self.queue.push(
            at.as_nanos(),
            Event::Timer {
                host,
                incarnation,
                place,
            },
        ) {
            Ok(ticket) => self.hosts[host.index()]
                .timers
                .enter(place, at.as_nanos(), ticket),
            Err(Full) => {
                self.ended.get_or_insert(End::QueueFull);
            }
        }
    }

    /// Makes sure that an entry comes up when the judge is due.
    fn plan_judge(&mut self) {
        let due = self.judge.due().max(self.now);
        let (entry, _) = self.judge_entry;
        if due < entry {
            match self.queue.push(due.as_nanos(), Event::Judge) {
                Ok(ticket) => self.judge_entry = (due, ticket),
                Err(Full) => {
                    self.ended.get_or_insert(End::QueueFull);
                }
            }
            if entry != Time::MAX {
                self.stale += 1;
                self.sweep_queue();
            }
        }
    }

    /// Pops events until one is an input for a running node; `None` when the run is over.
    fn next_due(&mut self) -> Option<Input1<TimerOf<P>>> {
        if let Some(datagram) = self.lent.take() {
            self.payloads.release(&datagram);
        }
        loop {
            if self.ended.is_some() {
                return None;
            }
            let due = if let Some((ticket, event)) = self.released.pop_front() {
                self.take_released(ticket, event)
            } else {
                let limit = Time::ZERO + self.plan.limit;
                let Popped { at, ticket, event } = match self.queue.pop() {
                    Some(popped) if popped.at < limit.as_nanos() => popped,
                    beyond => {
                        // It is still on its way, as everything behind it.
                        if let Some(Popped { at, event, .. }) = beyond {
                            self.push(Time::from_nanos(at), event);
                        }
                        self.finish(limit);
                        return None;
                    }
                };
                let at = Time::from_nanos(at);
                if at > self.now {
                    self.now = at;
                    self.at_this_instant = 0;
                }
                self.at_this_instant += 1;
                if self.at_this_instant > self.most_at_an_instant {
                    self.stop_standing_still(event.host());
                    return None;
                }
                self.take(ticket, event)
            };
            if let Some(due) = due {
                self.count()?;
                return Some(due);
            }
        }
    }

    /// Counts an event; `None` when the run has had as many as it may.
    #[inline]
    fn count(&mut self) -> Option<()> {
        if self.events >= self.plan.max_events {
            self.ended.get_or_insert(End::TooManyEvents);
            return None;
        }
        self.events += 1;
        Some(())
    }

    /// Does what an event is about, or says for whom it is an input.
    #[inline]
    fn take(&mut self, ticket: u64, event: Event) -> Option<Input1<TimerOf<P>>> {
        match event {
            Event::Datagram(datagram) => self.take_datagram(ticket, datagram),
            Event::Timer {
                host,
                incarnation,
                place,
            } => self.take_timer(ticket, host, incarnation, place),
            Event::Start { host, incarnation } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest.head(
                    Tag::Start,
                    self.now.as_nanos(),
                    host.0,
                    u64::from(incarnation),
                    0,
                    0,
                );
                self.trace(Some(host), || Happening::Booted { incarnation });
                Some(Input1 {
                    host,
                    what: What::Start,
                })
            }
            Event::Written { host, incarnation } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.count()?;
                self.written(host);
                None
            }
            Event::Persisted {
                host,
                incarnation,
                token,
            } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest
                    .head(Tag::Persisted, self.now.as_nanos(), host.0, token.0, 0, 0);
                self.trace(Some(host), || Happening::Persisted { token: token.0 });
                Some(Input1 {
                    host,
                    what: What::Persisted(token),
                })
            }
            Event::Command {
                host,
                incarnation,
                entry,
                call,
            } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest
                    .head(Tag::Command, self.now.as_nanos(), host.0, call.0, entry, 0);
                Some(Input1 {
                    host,
                    what: What::Command { entry, call },
                })
            }
            // What has no node for a receiver counts too, so that no timeline or invariant goes on without end.
            Event::Work { entry, ordinal } => {
                self.count()?;
                self.work(entry, ordinal);
                None
            }
            Event::Boot { host } => {
                self.count()?;
                self.switch_on(host);
                None
            }
            Event::Step { step, claimant } => {
                self.count()?;
                self.repeat(step);
                self.strike(step as usize, claimant);
                None
            }
            Event::Judge if ticket != self.judge_entry.1 => {
                self.stale = self.stale.saturating_sub(1);
                None
            }
            Event::Judge => {
                self.judge_entry = (Time::MAX, 0);
                self.count()?;
                self.judge.look(self.now);
                if self.judge.violation.is_some() {
                    self.ended.get_or_insert(End::Violated);
                }
                self.plan_judge();
                None
            }
        }
    }

    /// `None` when the host is in another life, or paused: then it finds the event when it is resumed.
    fn hold_or(&mut self, ticket: u64, event: Event, host: HostId, incarnation: u32) -> Option<()> {
        let host = &mut self.hosts[host.index()];
        if !host.lives(incarnation) {
            return None;
        }
        match &mut host.paused {
            Some(held) => {
                held.events.push((ticket, event));
                None
            }
            None => Some(()),
        }
    }

    #[inline]
    fn take_datagram(&mut self, ticket: u64, datagram: Datagram) -> Option<Input1<TimerOf<P>>> {
        let to = datagram.to;
        let host = &mut self.hosts[to.index()];
        let cause = if self.cuts.any() && self.cuts.between(datagram.from, to).next().is_some() {
            Some(DropCause::Cut)
        } else if host.node.is_none() {
            Some(DropCause::Down)
        } else if !host.ports.contains(&datagram.to_port) {
            Some(DropCause::PortClosed)
        } else if let Some(held) = &mut host.paused {
            if held.bytes + usize::from(datagram.len) <= RECEIVE_BUFFER {
                held.bytes += usize::from(datagram.len);
                held.events.push((ticket, Event::Datagram(datagram)));
                return None;
            }
            Some(DropCause::BufferFull)
        } else {
            None
        };
        if let Some(why) = cause {
            self.drop_arrived(datagram, why);
            return None;
        }
        self.deliver(datagram)
    }

    /// What a host finds that was paused when it came up. A datagram has reached its machine: no cut stops it any more.
    #[cold]
    fn take_released(&mut self, ticket: u64, event: Event) -> Option<Input1<TimerOf<P>>> {
        let Event::Datagram(datagram) = event else {
            return self.take(ticket, event);
        };
        match &mut self.hosts[datagram.to.index()].paused {
            // It was paused again before it came to this one.
            Some(held) => {
                held.bytes += usize::from(datagram.len);
                held.events.push((ticket, event));
                None
            }
            None => self.deliver(datagram),
        }
    }

    /// Hands a datagram to the node on its host, which is running.
    #[inline]
    fn deliver(&mut self, datagram: Datagram) -> Option<Input1<TimerOf<P>>> {
        let to = datagram.to;
        let ports = u64::from(datagram.from_port) << 16 | u64::from(datagram.to_port);
        let (from, len) = (datagram.from.0, u32::from(datagram.len));
        self.digest
            .head(Tag::Datagram, self.now.as_nanos(), to.0, ports, from, len);
        match datagram.long() {
            None => self.digest.padded(&datagram.bytes),
            Some(_) => self.digest.bytes(datagram.payload(&self.payloads)),
        }
        self.traffic.delivered += 1;
        if self.tracer.is_some() {
            self.trace_received(&datagram);
        }
        self.lent = Some(datagram);
        Some(Input1 {
            host: to,
            what: What::Datagram,
        })
    }

    #[cold]
    fn drop_arrived(&mut self, datagram: Datagram, why: DropCause) {
        match why {
            DropCause::Cut => {
                self.traffic.cut += 1;
                self.cut(datagram.from, datagram.to);
            }
            DropCause::BufferFull => self.traffic.overflowed += 1,
            DropCause::Down | DropCause::PortClosed => self.traffic.to_nobody += 1,
        }
        self.digest_dropped(&datagram, Tag::Dropped, why as u64);
        let from = SocketAddrV4::new(address_of(datagram.from), datagram.from_port);
        self.trace(Some(datagram.to), || Happening::Dropped {
            from: from.to_string(),
            why,
        });
        self.payloads.release(&datagram);
    }

    #[inline]
    fn take_timer(
        &mut self,
        ticket: u64,
        host: HostId,
        incarnation: u32,
        place: u32,
    ) -> Option<Input1<TimerOf<P>>> {
        let machine = &mut self.hosts[host.index()];
        if !machine.lives(incarnation) {
            self.stale = self.stale.saturating_sub(1);
            return None;
        }
        if let Some(held) = &mut machine.paused {
            held.events.push((
                ticket,
                Event::Timer {
                    host,
                    incarnation,
                    place,
                },
            ));
            return None;
        }
        match machine.timers.due(place, ticket, self.now.as_nanos()) {
            Due::Fire(timer) => {
                let code = squall_nodes::Timer::code(&timer);
                self.digest
                    .head(Tag::Timer, self.now.as_nanos(), host.0, code, 0, 0);
                self.trace(Some(host), || Happening::Timer {
                    timer: format!("{timer:?}"),
                });
                Some(Input1 {
                    host,
                    what: What::Timer(timer),
                })
            }
            Due::Later(at) => {
                self.push_timer(Time::from_nanos(at), host, place);
                None
            }
            Due::Nothing => None,
            Due::Stale => {
                self.stale = self.stale.saturating_sub(1);
                None
            }
        }
    }

    /// A write is on the disk: what waited behind it goes on, up to the next write.
    fn written(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        let Some(barrier) = host.barrier.take() else {
            return;
        };
        let Barrier { writing, mut queue } = *barrier;
        let incarnation = host.incarnation;
        host.disk.contents = Some(writing.bytes);
        for token in writing.tokens {
            self.push(
                self.now,
                Event::Persisted {
                    host: id,
                    incarnation,
                    token,
                },
            );
        }
        while let Some(waiting) = queue.pop_front() {
            match waiting {
                Waiting::Send { port, to, bytes } => self.send(id, port, to, &bytes),
                Waiting::Claim(fact) => {
                    self.claim(id, fact);
                    if !self.goes_on(id, incarnation) {
                        return;
                    }
                }
                Waiting::Answer { call, answer } => self.answer(id, call, &answer),
                Waiting::Persist(write) => {
                    self.start_write(
                        id,
                        Barrier {
                            writing: write,
                            queue,
                        },
                    );
                    return;
                }
            }
        }
    }

    fn start_write(&mut self, id: HostId, barrier: Barrier<P::Node>) {
        let host = &mut self.hosts[id.index()];
        let word = self
            .draws
            .disk(self.keys[id.index()], host.incarnation, host.disk.writes);
        host.disk.writes += 1;
        let (incarnation, len) = (host.incarnation, barrier.writing.bytes.len() as u32);
        let token = barrier.writing.tokens.first().map_or(0, |token| token.0);
        self.digest
            .head(Tag::Write, self.now.as_nanos(), id.0, token, 0, len);
        self.digest.bytes(&barrier.writing.bytes);
        if let Some(tracer) = &mut self.tracer {
            let hash = xxh3_64(&barrier.writing.bytes);
            tracer.note(self.now, Some(id), Happening::Persisting { token, len, hash });
        }
        host.barrier = Some(Box::new(barrier));
        let takes = draw_latency(&self.plan.persist, word);
        self.push(
            self.now + takes,
            Event::Written {
                host: id,
                incarnation,
            },
        );
    }

    /// Whether the rest of what a node asked for is still to be done.
    fn goes_on(&mut self, id: HostId, incarnation: u32) -> bool {
        while self.ended.is_none()
            && let Some((step, claimant)) = self.triggered.pop_front()
        {
            self.strike(step as usize, Some(claimant));
        }
        self.ended.is_none() && self.hosts[id.index()].lives(incarnation)
    }

    /// Sends a datagram from a host's port.
    #[inline]
    fn send(&mut self, from: HostId, port: u16, to: SocketAddrV4, bytes: &[u8]) {
        self.traffic.sent += 1;
        let receiver = host_at(*to.ip());
        let known = receiver.index() < self.hosts.len();
        if !known || bytes.len() > LONGEST_DATAGRAM || !self.hosts[from.index()].ports.contains(&port) {
            self.traffic.to_nobody += 1;
            self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::NoSuchPlace);
            self.trace_sent(from, port, to, bytes, Fate::NoSuchPlace);
            return;
        }
        // The draw comes first, so that a cut changes nothing for what is sent after it.
        let passage = self.links.send(&self.draws, &self.keys, from, receiver);
        if self.cuts.any() && self.cut(from, receiver) {
            self.traffic.cut += 1;
            self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::Cut);
            self.trace_sent(from, port, to, bytes, Fate::Cut);
            return;
        }
        let fate = match passage {
            Passage::Lost => {
                self.traffic.lost += 1;
                self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::Lost);
                Fate::Lost
            }
            Passage::Once(latency) => {
                self.launch(latency, from, port, receiver, to.port(), bytes);
                Fate::Underway
            }
            Passage::Twice(first, second) => {
                self.traffic.duplicated += 1;
                self.launch(first, from, port, receiver, to.port(), bytes);
                self.launch(second, from, port, receiver, to.port(), bytes);
                Fate::Doubled
            }
        };
        if self.tracer.is_some() {
            self.trace_sent(from, port, to, bytes, fate);
        }
    }

    #[inline]
    fn launch(
        &mut self,
        latency: Span,
        from: HostId,
        from_port: u16,
        to: HostId,
        to_port: u16,
        bytes: &[u8],
    ) {
        let len = bytes.len() as u16;
        let Ok(bytes) = self.payloads.store(bytes) else {
            self.ended.get_or_insert(End::QueueFull);
            return;
        };
        self.push(
            self.now + latency,
            Event::Datagram(Datagram {
                to,
                from,
                from_port,
                to_port,
                len,
                bytes,
            }),
        );
    }

    /// Whether a cut is in the way; counts for each that is.
    #[cold]
    fn cut(&mut self, from: HostId, to: HostId) -> bool {
        let mut cut = false;
        self.cut_drops += 1;
        for step in self.cuts.between(from, to) {
            // A step that lies in the way with several layers has dropped one datagram all the same.
            if self.last_cut_drop[step] != self.cut_drops {
                self.last_cut_drop[step] = self.cut_drops;
                self.faults[step].affected += 1;
            }
            cut = true;
        }
        cut
    }

    /// Digests a datagram that is never on its way, with all its bytes: what a node says counts, whether it is heard or not.
    #[cold]
    fn digest_unsent(&mut self, from: HostId, port: u16, to: HostId, to_port: u16, bytes: &[u8], fate: Fate) {
        let ports = u64::from(port) << 16 | u64::from(to_port);
        self.digest.head(
            Tag::Dropped,
            self.now.as_nanos(),
            to.0,
            ports << 8 | (16 + fate as u64),
            from.0,
            bytes.len() as u32,
        );
        self.digest.bytes(bytes);
    }

    /// Digests a datagram that no node took.
    #[cold]
    fn digest_dropped(&mut self, datagram: &Datagram, tag: Tag, why: u64) {
        let ports = u64::from(datagram.from_port) << 16 | u64::from(datagram.to_port);
        self.digest.head(
            tag,
            self.now.as_nanos(),
            datagram.to.0,
            ports << 8 | why,
            datagram.from.0,
            u32::from(datagram.len),
        );
        self.digest.bytes(datagram.payload(&self.payloads));
    }

    /// The digest of the run that is over, with what is still on its way or held back.
    pub(crate) fn finish_digest(&mut self) -> Digest {
        let mut under_way: Vec<(u64, u64, Datagram)> = Vec::new();
        let mut note = |at, ticket, event| {
            if let Event::Datagram(datagram) = event {
                under_way.push((at, ticket, datagram));
            }
        };
        for Popped { at, ticket, event } in self.queue.pending() {
            note(at, ticket, event);
        }
        let held = self.hosts.iter().filter_map(|host| host.paused.as_ref());
        for (ticket, event) in held.flat_map(|held| &held.events).chain(&self.released) {
            note(0, *ticket, *event);
        }
        under_way.sort_unstable_by_key(|(at, ticket, _)| (*at, *ticket));
        for (_, _, datagram) in under_way {
            self.digest_dropped(&datagram, Tag::InFlight, 0);
        }
        self.digest.finish()
    }

    /// A claim is seen, and triggers what waits for it.
    fn claim(&mut self, id: HostId, fact: <P::Node as Node>::Fact) {
        self.fact_bytes.clear();
        fact.encode(&mut self.fact_bytes);
        let len = self.fact_bytes.len() as u32;
        self.digest
            .head(Tag::Fact, self.now.as_nanos(), id.0, fact.index() as u64, 0, len);
        self.digest.bytes(&self.fact_bytes);
        self.trace(Some(id), || Happening::Fact {
            name: fact.name().to_owned(),
            says: format!("{fact:?}"),
        });
        let incarnation = self.hosts[id.index()].incarnation;
        self.see(&Seen::Fact {
            host: id,
            incarnation,
            fact: &fact,
        });
        self.stopwatches.fact(self.now, id, &fact, &self.judge.world);
        let index = fact.index();
        for (step, planned) in self.plan.timeline.iter().enumerate() {
            if let Trigger::When { fact, by, nth, after } = &planned.trigger
                && *fact == index
                && (by.is_empty() || by.contains(&id))
            {
                self.matched[step] += 1;
                if self.matched[step] == *nth {
                    if after.is_zero() {
                        self.triggered.push_back((step as u32, id));
                    } else {
                        self.push(
                            self.now + *after,
                            Event::Step {
                                step: step as u32,
                                claimant: Some(id),
                            },
                        );
                    }
                }
            }
        }
    }

    fn answer(&mut self, id: HostId, call: CallId, answer: &<P::Node as Node>::Answer) {
        let says = format!("{answer:?}");
        self.digest.head(
            Tag::Answer,
            self.now.as_nanos(),
            id.0,
            call.0,
            0,
            says.len() as u32,
        );
        self.digest.bytes(says.as_bytes());
        self.trace(Some(id), || Happening::Answer { call: call.0, says });
        self.see(&Seen::Answer {
            host: id,
            call,
            answer,
        });
    }

    /// Makes the next call of an entry of the workload, and plans the one after.
    fn work(&mut self, entry: u32, ordinal: u64) {
        let work = &self.plan.workload[entry as usize];
        let word = self.draws.work(entry as usize, ordinal);
        let place = crate::draws::below(word, work.of.len() as u64) as usize;
        let id = work.of[place];
        let host = &self.hosts[id.index()];
        if host.is_up() {
            let incarnation = host.incarnation;
            let call = CallId(self.next_call);
            self.next_call += 1;
            self.calls_made[entry as usize] += 1;
            self.trace(Some(id), || Happening::Call {
                call: call.0,
                says: format!("{:?}", work.command),
            });
            self.see(&Seen::Call {
                host: id,
                call,
                command: &work.command,
            });
            self.push(
                self.now,
                Event::Command {
                    host: id,
                    incarnation,
                    entry,
                    call,
                },
            );
        }
        if let Some(interval) = work.interval {
            let next = self.now + interval;
            if next < work.until {
                self.push(
                    next,
                    Event::Work {
                        entry,
                        ordinal: ordinal + 1,
                    },
                );
            }
        }
    }

    /// Plans the next time of a step that happens again and again.
    fn repeat(&mut self, step: u32) {
        if let Trigger::Every { interval, until, .. } = self.plan.timeline[step as usize].trigger {
            let next = self.now + interval;
            if next < until {
                self.push(next, Event::Step { step, claimant: None });
            }
        }
    }

    /// Switches on a host that starts late.
    fn switch_on(&mut self, host: HostId) {
        let disk = self.hosts[host.index()].disk.at_boot();
        let incarnation = self.hosts[host.index()].boots;
        self.boot(host);
        self.change(
            Change::Up {
                host,
                incarnation,
                disk,
            },
            "start",
        );
    }

    /// The world changed.
    pub(crate) fn change(&mut self, change: Change, fault: &str) {
        let bytes = postcard::to_allocvec(&change).expect("a change is plain data");
        self.digest.head(
            Tag::World,
            self.now.as_nanos(),
            u32::MAX,
            0,
            0,
            bytes.len() as u32,
        );
        self.digest.bytes(&bytes);
        self.trace(None, || Happening::World {
            change: change.clone(),
            fault: fault.to_owned(),
        });
        self.see(&Seen::World(&change));
    }

    /// Nothing more can happen: time goes on to the limit, and all invariants look once more.
    fn finish(&mut self, limit: Time) {
        self.now = limit;
        self.judge.look_at_the_end(limit);
        self.ended = Some(if self.judge.violation.is_some() {
            End::Violated
        } else {
            End::Limit
        });
    }

    #[cold]
    fn stop_standing_still(&mut self, host: Option<HostId>) {
        let name = host.map(|host| self.plan.hosts[host.index()].placed.name.clone());
        let host = host.map_or(u32::MAX, |host| host.0);
        self.digest.head(
            Tag::Stopped,
            self.now.as_nanos(),
            host,
            self.at_this_instant,
            0,
            0,
        );
        let last = match &name {
            Some(name) => format!(
                "the last was for {name}; most likely a node there arms a timer for the present instant, or two nodes \
                 answer each other without latency, again and again"
            ),
            None => "the last was for no host; most likely an invariant is due at the present instant again and again".into(),
        };
        self.judge.violation = Some(Violation {
            invariant: TIME_PASSES.to_owned(),
            promised: "Time moves on: no instant has more events than a cluster of this size can need."
                .to_owned(),
            detail: format!(
                "more than {} events came up at {} without time moving on; {last}",
                self.most_at_an_instant, self.now
            ),
            at: self.now,
            hosts: name.into_iter().collect(),
        });
        self.ended = Some(End::Violated);
    }

    /// A node asks for something that this version does not simulate.
    #[cold]
    fn refuse(&mut self, id: HostId, what: &'static str) {
        self.ended.get_or_insert(End::NotSimulated { host: id, what });
    }

    /// Sweeps the queue when stale entries outweigh the others.
    fn sweep_queue(&mut self) {
        if self.stale < STALE_AT_LEAST || self.stale * 2 < self.queue.len() {
            return;
        }
        let (hosts, judge_entry) = (&self.hosts, self.judge_entry.1);
        self.queue.retain(|ticket, event| match event {
            Event::Judge => ticket == judge_entry,
            Event::Timer {
                host,
                incarnation,
                place,
            } => {
                let host = &hosts[host.index()];
                host.lives(*incarnation) && host.timers.counts(*place, ticket)
            }
            _ => true,
        });
        self.stale = 0;
    }

    #[inline]
    pub(crate) fn trace(&mut self, host: Option<HostId>, what: impl FnOnce() -> Happening) {
        if let Some(tracer) = &mut self.tracer {
            tracer.note(self.now, host, what());
        }
    }

    #[cold]
    fn trace_sent(&mut self, from: HostId, port: u16, to: SocketAddrV4, bytes: &[u8], fate: Fate) {
        if let Some(tracer) = &mut self.tracer {
            let source = SocketAddrV4::new(address_of(from), port);
            tracer.sent(self.now, from, source, to, bytes, fate);
        }
    }

    #[cold]
    fn trace_received(&mut self, datagram: &Datagram) {
        if let Some(tracer) = &mut self.tracer {
            let from = SocketAddrV4::new(address_of(datagram.from), datagram.from_port);
            let to = SocketAddrV4::new(address_of(datagram.to), datagram.to_port);
            tracer.received(self.now, datagram.to, from, to, datagram.payload(&self.payloads));
        }
    }

    /// The trace of the run that is over.
    pub(crate) fn take_trace(&mut self) -> Option<Trace> {
        self.tracer.take().map(|tracer| tracer.finish())
    }
}

impl<P: Protocol> Transport<P::Node> for Engine<'_, P> {
    #[inline]
    fn receive(&mut self) -> Option<Delivery<'_, P::Node>> {
        let Input1 { host: id, what } = self.next_due()?;
        let host = &mut self.hosts[id.index()];
        let input = match what {
            What::Datagram => {
                let datagram = self.lent.as_ref().expect("a datagram that is due is lent");
                Input::Datagram {
                    on: SocketAddrV4::new(address_of(id), datagram.to_port),
                    from: SocketAddrV4::new(address_of(datagram.from), datagram.from_port),
                    bytes: datagram.payload(&self.payloads),
                }
            }
            What::Timer(timer) => Input::Timer(timer),
            What::Start => Input::Start,
            What::Persisted(token) => Input::Persisted(token),
            What::Command { entry, call } => Input::Command {
                call,
                command: &self.plan.workload[entry as usize].command,
            },
        };
        let node = host.node.as_mut().expect("inputs are due on hosts that are up");
        Some(Delivery {
            host: id,
            now: self.now,
            node,
            ids: &mut host.ids,
            input,
        })
    }

    #[inline]
    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, P::Node>) {
        let incarnation = self.hosts[id.index()].incarnation;
        for effect in effects {
            match effect {
                Effect::Arm { timer, at } => {
                    let at = at.max(now);
                    let (place, todo) = self.hosts[id.index()].timers.arm(timer, at.as_nanos());
                    if todo != Armed::Covered {
                        self.push_timer(at, id, place);
                        if todo == Armed::PushAndForget {
                            self.stale += 1;
                            self.sweep_queue();
                        }
                    }
                }
                Effect::Disarm { timer } => self.hosts[id.index()].timers.disarm(timer),
                Effect::Bind { port } => {
                    let ports = &mut self.hosts[id.index()].ports;
                    if !ports.contains(&port) {
                        ports.push(port);
                    }
                }
                Effect::Send { port, to, bytes } => match &mut self.hosts[id.index()].barrier {
                    None => self.send(id, port, to, bytes),
                    Some(barrier) => barrier.queue.push_back(Waiting::Send {
                        port,
                        to,
                        bytes: bytes.to_vec(),
                    }),
                },
                Effect::Claim(fact) => match &mut self.hosts[id.index()].barrier {
                    None => {
                        self.claim(id, fact);
                        if !self.goes_on(id, incarnation) {
                            return;
                        }
                    }
                    Some(barrier) => barrier.queue.push_back(Waiting::Claim(fact)),
                },
                Effect::Answer { call, answer } => match &mut self.hosts[id.index()].barrier {
                    None => self.answer(id, call, &answer),
                    Some(barrier) => barrier.queue.push_back(Waiting::Answer { call, answer }),
                },
                Effect::Persist { token, bytes } => match &mut self.hosts[id.index()].barrier {
                    None => {
                        let writing = Write {
                            tokens: vec![token],
                            bytes: bytes.to_vec(),
                        };
                        self.start_write(id, Barrier::new(writing));
                    }
                    Some(barrier) => barrier.persist(token, bytes),
                },
                Effect::Multicast { .. } | Effect::Join { .. } | Effect::Leave { .. } => {
                    self.refuse(id, "multicast")
                }
                Effect::Listen { .. }
                | Effect::Dial { .. }
                | Effect::Write { .. }
                | Effect::PauseReading { .. }
                | Effect::ResumeReading { .. }
                | Effect::Close { .. } => self.refuse(id, "streams"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
