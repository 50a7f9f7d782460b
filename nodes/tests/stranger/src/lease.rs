//! A lease service: one keeper lends one thing to one worker at a time.
//!
//! A worker asks the keeper, again and again, with the time on its own clock in each question. The keeper lends the thing to
//! the first in its queue for the length of a lease, and sends the time of that worker's question back. The worker counts
//! the lease from *its question*, the keeper from its answer, which is later; so the worker has always stopped when the
//! keeper lends to the next, whatever was lost, late or doubled in between. A worker that is done early hands the lease
//! back.
//!
//! There are three rule sets, two of them flawed. A `Hasty` keeper lends again as soon as it is back from a crash, though a
//! lease of its former life may not have run out. An `Unfair` one lends to whoever came last. A `Sound` one waits for the
//! length of a lease before it lends again, and lends to whoever came first.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    ConfigOf, Describe, Input, InvariantKind, Misfit, Node, NodeRng, Outbox, Placed, Protocol, Span, Time,
    facts,
};

use crate::config::{LeaseConfig, Rules, assemble};
use crate::invariants::{EveryWorkerGetsIt, OneHolder, turn_bound};
use crate::wire::Packet;

/// The protocol that scenario files call `lease`.
pub struct Lease;

impl Protocol for Lease {
    const NAME: &'static str = "lease";
    const RULES: &'static [&'static str] = &["Hasty", "Unfair", "Sound"];
    const ABOUT: &'static str = "one keeper lends one thing to one worker at a time";
    type Node = LeaseNode;

    fn config(_profile: &str, rules: &str) -> ConfigOf<Self> {
        LeaseConfig::new(match rules {
            "Hasty" => Rules::Hasty,
            "Unfair" => Rules::Unfair,
            _ => Rules::Sound,
        })
    }

    fn assemble(hosts: &mut [Placed<LeaseNode>]) -> Result<(), Vec<Misfit>> {
        assemble(hosts)
    }

    fn invariants() -> Vec<InvariantKind<LeaseNode>> {
        vec![
            InvariantKind::always(
                "one_holder",
                "At any moment at most one worker holds the lease.",
                |_| OneHolder::default(),
            ),
            InvariantKind::in_quiet(
                "everyone_works",
                "A worker that can talk to the keeper holds the lease again and again.",
                turn_bound,
                |setup| EveryWorkerGetsIt::new(setup, turn_bound(setup)),
            ),
        ]
    }

    fn shortest_timeout(config: &LeaseConfig) -> Span {
        config.lease
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Words)
    }
}

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It lends.
    Keeper,
    /// It borrows.
    Worker,
}

facts! {
    /// What a node claims.
    pub enum LeaseFact {
        /// The keeper lends: from now on to a worker, until a time on its clock.
        "lent" => Lent { to: SocketAddrV4, until: Time },
        /// A worker holds the lease, at the latest until a time on its clock.
        "held" => Held { until: Time },
        /// A worker has handed the lease back, or knows that it ran out.
        "returned" => Returned,
    }
}

/// A node's named alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseTimer {
    /// The keeper: what is lent comes back by itself.
    RunsOut,
    /// The keeper: leases of a former life have run out.
    Open,
    /// A worker: it asks, for the first time or again.
    Ask,
    /// A worker: its work is done.
    Done,
}

impl squall_nodes::Timer for LeaseTimer {
    fn code(&self) -> u64 {
        *self as u64
    }
}

/// The node.
#[derive(Clone)]
pub struct LeaseNode {
    config: LeaseConfig,
    part: Part,
}

#[derive(Clone)]
enum Part {
    Keeper(Keeper),
    Worker(Worker),
}

#[derive(Clone, Default)]
struct Keeper {
    door: Door,
    lent: Option<Lent>,
    /// Who wants it next, with the time of the latest question; nobody twice.
    queue: VecDeque<(SocketAddrV4, Time)>,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    Closed,
}

#[derive(Clone)]
struct Lent {
    to: SocketAddrV4,
    asked: Time,
}

#[derive(Clone, Default)]
struct Worker {
    /// When this life began: what was asked before, a former life asked.
    began: Time,
    /// The question that is answered by the lease it holds, or by the last that it held.
    answered: Option<Time>,
    working: bool,
}

impl Node for LeaseNode {
    type Role = Role;
    type Config = LeaseConfig;
    type Command = ();
    type Answer = ();
    type Timer = LeaseTimer;
    type Fact = LeaseFact;

    fn boot(role: &Role, config: &LeaseConfig, _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        let part = match role {
            Role::Keeper => Part::Keeper(Keeper::default()),
            Role::Worker => Part::Worker(Worker::default()),
        };
        LeaseNode {
            config: config.clone(),
            part,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match &mut self.part {
            Part::Keeper(keeper) => keeper.take(&self.config, now, input, out),
            Part::Worker(worker) => worker.take(&self.config, now, input, out),
        }
    }
}

impl Keeper {
    fn take(
        &mut self,
        config: &LeaseConfig,
        now: Time,
        input: Input<'_, LeaseNode>,
        out: &mut Outbox<LeaseNode>,
    ) {
        match input {
            Input::Start => {
                out.bind(config.port);
                if config.rules != Rules::Hasty {
                    self.door = Door::Closed;
                    out.arm(LeaseTimer::Open, now + config.lease);
                }
            }
            Input::Timer(LeaseTimer::Open) => {
                self.door = Door::Open;
                self.lend_next(config, now, out);
            }
            Input::Timer(LeaseTimer::RunsOut) => {
                self.lent = None;
                self.lend_next(config, now, out);
            }
            Input::Datagram { from, bytes, .. } => match Packet::read(bytes) {
                Some(Packet::Ask { at }) => self.asked(config, now, from, at, out),
                Some(Packet::Return { at }) => {
                    if self
                        .lent
                        .as_ref()
                        .is_some_and(|lent| lent.to == from && lent.asked == at)
                    {
                        self.lent = None;
                        out.disarm(LeaseTimer::RunsOut);
                        self.lend_next(config, now, out);
                    }
                }
                // A keeper is lent nothing, and what cannot be read says nothing.
                Some(Packet::Lend { .. }) | None => {}
            },
            // The alarms of a worker are never set here; nobody calls it, and it has no disk and no streams.
            _ => {}
        }
    }

    fn asked(
        &mut self,
        config: &LeaseConfig,
        now: Time,
        from: SocketAddrV4,
        at: Time,
        out: &mut Outbox<LeaseNode>,
    ) {
        if let Some(lent) = self.lent.as_ref().filter(|lent| lent.to == from) {
            // Our answer is lost or on its way. It is said again as it was, so that the lease grows no longer by it.
            let asked = lent.asked;
            Packet::Lend { asked }.send(config.port, from, out);
        } else if let Some(waiting) = self.queue.iter_mut().find(|(who, _)| *who == from) {
            waiting.1 = waiting.1.max(at);
        } else if self.queue.len() < config.workers as usize {
            self.queue.push_back((from, at));
        }
        if self.lent.is_none() {
            self.lend_next(config, now, out);
        }
    }

    fn lend_next(&mut self, config: &LeaseConfig, now: Time, out: &mut Outbox<LeaseNode>) {
        if self.door == Door::Closed {
            return;
        }
        let next = match config.rules {
            Rules::Unfair => self.queue.pop_back(),
            Rules::Hasty | Rules::Sound => self.queue.pop_front(),
        };
        if let Some((to, asked)) = next {
            let until = now + config.lease;
            self.lent = Some(Lent { to, asked });
            out.arm(LeaseTimer::RunsOut, until);
            out.claim(LeaseFact::Lent { to, until });
            Packet::Lend { asked }.send(config.port, to, out);
        }
    }
}

impl Worker {
    fn take(
        &mut self,
        config: &LeaseConfig,
        now: Time,
        input: Input<'_, LeaseNode>,
        out: &mut Outbox<LeaseNode>,
    ) {
        match input {
            Input::Start => {
                self.began = now;
                out.bind(config.port);
                self.ask(config, now, out);
            }
            Input::Timer(LeaseTimer::Ask) => self.ask(config, now, out),
            Input::Timer(LeaseTimer::Done) => {
                self.working = false;
                out.claim(LeaseFact::Returned);
                if let Some(at) = self.answered {
                    Packet::Return { at }.send(config.port, config.keeper, out);
                }
                out.arm(LeaseTimer::Ask, now + config.ask_again);
            }
            Input::Datagram { from, bytes, .. } if from == config.keeper => {
                if let Some(Packet::Lend { asked }) = Packet::read(bytes) {
                    self.lent(config, now, asked, out);
                }
            }
            // Who is not the keeper has nothing to say here; the rest does not happen to a worker.
            _ => {}
        }
    }

    fn ask(&mut self, config: &LeaseConfig, now: Time, out: &mut Outbox<LeaseNode>) {
        Packet::Ask { at: now }.send(config.port, config.keeper, out);
        out.arm(LeaseTimer::Ask, now + config.ask_again);
    }

    fn lent(&mut self, config: &LeaseConfig, now: Time, asked: Time, out: &mut Outbox<LeaseNode>) {
        // An answer that was late, doubled or forged lends nothing: a lease is counted from a question of this life that
        // had no answer yet.
        let until = asked + config.lease;
        let is_news = asked >= self.began && self.answered.is_none_or(|answered| answered < asked);
        if self.working || !is_news || asked > now || until <= now {
            return;
        }
        self.answered = Some(asked);
        self.working = true;
        out.disarm(LeaseTimer::Ask);
        out.arm(LeaseTimer::Done, until.min(now + config.work));
        out.claim(LeaseFact::Held { until });
    }
}

/// Puts packets into words, for traces.
struct Words;

impl Describe for Words {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        match Packet::read(bytes) {
            Some(Packet::Ask { at }) => format!("ask, at {at}"),
            Some(Packet::Lend { asked }) => format!("lend, to whoever asked at {asked}"),
            Some(Packet::Return { at }) => format!("return, what was asked for at {at}"),
            None => format!("{} bytes that are no packet", bytes.len()),
        }
    }
}
