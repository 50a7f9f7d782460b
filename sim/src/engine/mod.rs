//! The engine: one run of a plan, as a transport that [`drive`](squall_nodes::drive) pulls inputs from.
//!
//! Here are what a run consists of, how it is made ready, and the two doors of the transport. Virtual time moves behind
//! [`receive`](Transport::receive); what nodes ask for is done in [`perform`](Transport::perform). Behind them:
//!
//! - `take`: from the queue to the next input, with `arrive` for datagrams; `script`: what the plan has happen.
//! - `send`, `disk`, `see`: a datagram's way out, the persist barrier, what is seen by those who watch; `cues`: what waits for
//!   what nodes do.
//! - `faults`: what is done to the world; `layers`: what lies over the links; `ailments`: what lies over hosts, and `slow` hosts;
//!   `power`: hosts go up and down. `bounds`: what no run may exceed, and how it ends.
//! - The parts of which a run consists: `queue` (the timing wheel) and the `event`s in it, `host` and its `timers`, its `clock`
//!   and the `contents` of its disk, the `spares` that are used again, `network` (links, their laws, and the layers over them).

mod ailments;
mod arrive;
mod bounds;
mod clock;
mod contents;
mod cues;
mod disk;
mod event;
mod faults;
mod host;
mod layers;
mod network;
mod power;
mod queue;
mod script;
mod see;
mod send;
mod slow;
mod spares;
mod streams;
mod take;
#[cfg(test)]
mod tests;
mod timers;
mod wakes;

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use squall_nodes::{
    Delivery, Effect, Effects, Fact, HostId, HostKey, Input, Node, Placed, Protocol, Span, Time, Transport,
};

use crate::digest::Rolling;
use crate::draws::Draws;
use crate::layers::Layers;
use crate::outcome::{FaultDone, Traffic};
use crate::plan::{Plan, address_of, host_at};
use crate::timeline::cues::{Cues, Deed, Triggered};
use crate::trace::{Happening, Trace};
use crate::tracer::Tracer;
use crate::watch::{Judge, Stopwatches};

pub(crate) use bounds::{End, MOST_EFFORT, MOST_HELD};
pub(crate) use layers::MOST_LAYERS;
pub(crate) use streams::MOST_CONNECTIONS;

use ailments::Ailments;
use clock::Clock;
use event::{Datagram, Event, Payloads};
use host::{Host, Waiting, Write};
use network::Links;
use queue::{Full, Queue};
pub(crate) use see::By;
use spares::{Barriers, Buffers};
use streams::{Asked, Streams};
use take::{DueInput, What};
use timers::Upkeep;
use wakes::Wake;

/// One run of a plan. After the run it can be [`reset`](Engine::reset) for the next, and keeps what it allocated.
pub(crate) struct Engine<'p, P: Protocol> {
    pub(crate) plan: &'p Plan<P>,
    placed: &'p [Placed<P::Node>],
    keys: Vec<HostKey>,
    seed: u64,
    pub(crate) now: Time,
    queue: Queue<Event>,
    /// How each host was woken last, where the plan says how late hosts are; else empty.
    wakes: Vec<Wake>,
    /// Entries of the queue that no longer mean anything.
    stale: usize,
    /// Events at the present instant, and how many there may be.
    at_this_instant: u64,
    most_at_an_instant: u64,
    pub(crate) events: u64,
    /// After so many events nothing more is received, until this is raised: the run rests, and goes on where it was.
    pub(crate) rest_at: u64,
    pub(crate) hosts: Vec<Host<P::Node>>,
    links: Links<'p>,
    streams: Streams,
    layers: Layers,
    draws: Draws,
    payloads: Payloads,
    /// What was allocated and is not used now.
    buffers: Buffers,
    barriers: Barriers<P::Node>,
    /// How many bytes lie on disks, wait behind writes and wait for paused or slow hosts; and how many may, together with the
    /// payloads.
    held: usize,
    most_held: usize,
    /// How many connections there may be at once.
    most_connections: usize,
    /// The long payload of the datagram that a node was told of last.
    told: Option<Datagram>,
    /// The judge as it is before a run.
    fresh_judge: Judge<P::Node>,
    pub(crate) judge: Judge<P::Node>,
    /// How much effort its world, the links and the cues may come to.
    most_effort: u64,
    /// When the queue's entry for the judge comes up, and its ticket; [`Time::MAX`] when there is none. Others are stale.
    judge_entry: (Time, u64),
    pub(crate) stopwatches: Stopwatches<'p>,
    /// The layers over hosts.
    ailments: Ailments,
    cues: Cues,
    /// Steps that a node has triggered, with that node's host, and that happen before anything else does.
    triggered: VecDeque<(u32, HostId)>,
    /// The buffer for what a deed triggers.
    cued: Vec<Triggered>,
    /// What hosts find that go on, before anything else comes up; each with its ticket.
    released: VecDeque<(u64, Event)>,
    /// How many datagrams cuts have dropped, and for each step the number of the last that it had a part in.
    cut_drops: u64,
    last_cut_drop: Vec<u64>,
    pub(crate) faults: Vec<FaultDone>,
    /// The steps that laid nothing when they happened: rings of too few hosts.
    pub(crate) unlaid: Vec<usize>,
    /// How many calls each entry of the workload made.
    pub(crate) calls_made: Vec<u64>,
    next_call: u64,
    pub(crate) traffic: Traffic,
    /// Datagrams on their way that are neither in the queue nor held back: the run was stopped over them.
    stranded: u64,
    pub(crate) digest: Rolling,
    data_bytes: Vec<u8>,
    /// For the datagrams that are held back when a run ends, with their tickets.
    held_back: Vec<(u64, Datagram)>,
    pub(crate) tracer: Option<Box<Tracer>>,
    pub(crate) ended: Option<End>,
}

impl<'p, P: Protocol> Engine<'p, P> {
    /// `placed` are the plan's hosts in their places; nothing runs until [`reset`](Self::reset).
    pub(crate) fn new(plan: &'p Plan<P>, placed: &'p [Placed<P::Node>]) -> Self {
        let hosts = plan.hosts.len();
        let slack = match plan.lateness {
            None => Span::ZERO,
            Some(_) => plan.live_tolerance,
        };
        let fresh_judge = Judge::new(plan, placed, slack);
        Engine {
            plan,
            placed,
            keys: plan.hosts.iter().map(|host| host.key).collect(),
            seed: 0,
            now: Time::ZERO,
            queue: Queue::new(),
            wakes: match plan.lateness {
                None => Vec::new(),
                Some(_) => vec![Wake::default(); hosts],
            },
            stale: 0,
            at_this_instant: 0,
            // Everyone may hear everyone at one instant, and a copy of it, and answer.
            most_at_an_instant: 100_000 + 4 * (hosts as u64).pow(2),
            events: 0,
            rest_at: u64::MAX,
            hosts: (0..hosts).map(|_| Host::new()).collect(),
            links: Links::new(&plan.network, plan.tolerated, hosts),
            streams: Streams::default(),
            layers: Layers::default(),
            draws: Draws::new(0),
            payloads: Payloads::default(),
            buffers: Buffers::default(),
            barriers: Barriers::default(),
            held: 0,
            most_held: MOST_HELD,
            most_connections: MOST_CONNECTIONS,
            told: None,
            judge: fresh_judge.copy(),
            fresh_judge,
            most_effort: MOST_EFFORT,
            judge_entry: (Time::MAX, 0),
            stopwatches: Stopwatches::new(&plan.measures),
            ailments: Ailments::default(),
            cues: Cues::new(<<P::Node as Node>::Fact as Fact>::NAMES.len()),
            triggered: VecDeque::new(),
            cued: Vec::new(),
            released: VecDeque::new(),
            cut_drops: 0,
            last_cut_drop: Vec::new(),
            faults: Vec::new(),
            unlaid: Vec::new(),
            calls_made: Vec::new(),
            next_call: 0,
            traffic: Traffic::default(),
            stranded: 0,
            digest: Rolling::new(),
            data_bytes: Vec::new(),
            held_back: Vec::new(),
            tracer: None,
            ended: None,
        }
    }

    /// Makes ready for the run with `seed`.
    pub(crate) fn reset(&mut self, seed: u64, tracer: Option<Box<Tracer>>) {
        self.seed = seed;
        self.now = Time::ZERO;
        self.queue.clear();
        self.wakes.fill(Wake::default());
        self.stale = 0;
        self.at_this_instant = 0;
        self.events = 0;
        self.rest_at = u64::MAX;
        for (host, planned) in self.hosts.iter_mut().zip(&self.plan.hosts) {
            host.clear(&mut self.barriers, &mut self.buffers);
            host.clock = Clock::planned(planned.clock);
        }
        self.links.clear();
        self.streams.clear(&mut self.buffers);
        self.layers.clear();
        self.draws = Draws::new(seed);
        self.payloads.clear(&mut self.buffers);
        self.held = 0;
        self.told = None;
        self.judge = self.fresh_judge.copy();
        self.judge_entry = (Time::MAX, 0);
        self.stopwatches = Stopwatches::new(&self.plan.measures);
        self.ailments.clear();
        self.cues.reset(&self.plan.timeline);
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
        self.unlaid.clear();
        self.faults.clear();
        self.faults
            .extend(self.plan.timeline.iter().map(|step| undone(&step.label)));
        self.calls_made.clear();
        self.calls_made.resize(self.plan.workload.len(), 0);
        self.next_call = 0;
        self.traffic = Traffic::default();
        self.stranded = 0;
        self.digest.clear();
        self.tracer = tracer;
        self.ended = None;
        self.begin();
    }

    #[inline(always)]
    pub(super) fn push(&mut self, at: Time, event: Event) {
        if self.queue.push(at.as_nanos(), event) == Err(Full) {
            self.ended.get_or_insert(End::QueueFull);
        }
    }

    #[inline]
    pub(crate) fn trace(&mut self, host: Option<HostId>, what: impl FnOnce() -> Happening) {
        if let Some(tracer) = &mut self.tracer {
            tracer.note(self.now, host, what());
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
        let DueInput { host: id, what } = self.next_due()?;
        if let Some(wake) = self.wakes.get_mut(id.index()) {
            wake.is_up(self.now);
        }
        let host = &mut self.hosts[id.index()];
        let now = match &host.clock {
            None => self.now,
            Some(clock) => {
                for step in &host.drifted_by {
                    self.faults[*step as usize].affected += 1;
                }
                clock.local(self.now)
            }
        };
        let input = match what {
            What::Datagram(place) => {
                let Event::Datagram(datagram) = self.queue.event(place) else {
                    unreachable!("a datagram lies where one is due");
                };
                Input::Datagram {
                    on: SocketAddrV4::new(address_of(id), datagram.to_port),
                    from: SocketAddrV4::new(address_of(datagram.from), datagram.from_port),
                    bytes: datagram.payload(&self.payloads),
                }
            }
            What::Timer(timer) => Input::Timer(timer),
            What::Start => Input::Start,
            What::Persisted(token) => Input::Persisted(token),
            What::PersistFailed(token) => Input::PersistFailed(token),
            What::Stream => {
                let (conn, event) = self.streams.event();
                Input::Stream { conn, event }
            }
            What::Command { entry, call } => Input::Command {
                call,
                command: &self.plan.workload[entry as usize].command,
            },
        };
        let node = host.node.as_mut().expect("inputs are due on hosts that are up");
        Some(Delivery {
            host: id,
            incarnation: host.incarnation,
            now,
            node,
            ids: &mut host.ids,
            input,
        })
    }

    #[inline]
    fn perform(&mut self, id: HostId, now: Time, effects: Effects<'_, P::Node>) {
        self.perform_all(id, now, effects);
        if self.hosts[id.index()].held.is_some() {
            self.work_on(id);
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Does what the node on a host asked for when its clock showed `now`.
    #[inline]
    fn perform_all(&mut self, id: HostId, now: Time, effects: Effects<'_, P::Node>) {
        let incarnation = self.hosts[id.index()].incarnation;
        for effect in effects {
            match effect {
                Effect::Arm { timer, at } => {
                    let at = at.max(now);
                    let host = &mut self.hosts[id.index()];
                    let up = host.reaches(at, self.now);
                    let upkeep = host.timers.arm(timer, at.as_nanos(), up.as_nanos());
                    self.keep_up(id, up, upkeep);
                }
                Effect::Disarm { timer } => {
                    let upkeep = self.hosts[id.index()].timers.disarm(timer);
                    self.keep_up(id, Time::MAX, upkeep);
                }
                Effect::Bind { port } => {
                    self.hosts[id.index()].ports.open(port);
                }
                Effect::Send { port, to, bytes } => match &mut self.hosts[id.index()].barrier {
                    None => {
                        self.send(id, port, to, bytes);
                        if !self.cued(id, incarnation, Deed::SentTo(host_at(*to.ip()))) {
                            return;
                        }
                    }
                    Some(_) => {
                        let bytes = self.buffers.filled(bytes);
                        self.wait(id, Waiting::Send { port, to, bytes });
                    }
                },
                Effect::Claim(fact) => match &mut self.hosts[id.index()].barrier {
                    None => {
                        self.claim(id, fact);
                        if !self.goes_on(id, incarnation) {
                            return;
                        }
                    }
                    Some(_) => self.wait(id, Waiting::Claim(fact)),
                },
                Effect::Answer { call, answer } => match &mut self.hosts[id.index()].barrier {
                    None => self.answer(id, call, &answer),
                    Some(_) => self.wait(id, Waiting::Answer { call, answer }),
                },
                Effect::Persist { token, bytes } => match &mut self.hosts[id.index()].barrier {
                    None => {
                        let bytes = self.buffers.filled(bytes);
                        let mut barrier = self.barriers.take();
                        barrier.tokens.push_back(token);
                        self.start_write(id, Write { persists: 1, bytes }, barrier);
                        if !self.cued(id, incarnation, Deed::BegunToPersist) {
                            return;
                        }
                    }
                    Some(barrier) if barrier.has_failed() => self.tell_of_failure(id, token),
                    Some(barrier) => {
                        let before = barrier.bytes;
                        barrier.persist(token, bytes, &mut self.buffers);
                        let after = barrier.bytes;
                        self.account(before, after);
                    }
                },
                Effect::Multicast { .. } | Effect::Join { .. } | Effect::Leave { .. } => {
                    self.refuse(id, "multicast")
                }
                // Each by itself: an effect that is handed on as a whole would have to be made first, for datagrams and timers too.
                Effect::Listen { port } => self.ask(id, Asked::Listen { port }),
                Effect::Dial { conn, to } => self.ask(id, Asked::Dial { conn, to }),
                Effect::Write { conn, bytes } => self.ask_to_write(id, conn, bytes),
                Effect::PauseReading { conn } => self.ask(id, Asked::PauseReading { conn }),
                Effect::ResumeReading { conn } => self.ask(id, Asked::ResumeReading { conn }),
                Effect::Close { conn } => self.ask(id, Asked::Close { conn }),
            }
        }
    }

    /// Does about the queue what a timer armed for `at`, or taken back, asks for.
    #[inline]
    fn keep_up(&mut self, id: HostId, at: Time, upkeep: Upkeep) {
        match upkeep {
            Upkeep::Nothing => {}
            Upkeep::Push(place) => self.push_timer(at, id, place),
            Upkeep::PushAndForget(place) => {
                self.push_timer(at, id, place);
                self.stale += 1;
                self.sweep_queue();
            }
            Upkeep::Forget => {
                self.stale += 1;
                self.sweep_queue();
            }
            Upkeep::Recall => self.stale = self.stale.saturating_sub(1),
        }
    }

    /// Pushes the entry of the timer at `place`, which is to come up `at`.
    pub(super) fn push_timer(&mut self, at: Time, host: HostId, place: u32) {
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
}
