//! All who watch a live run: the judge, the stopwatches, the trace and the digest. They are shown what was seen in the order of its
//! times, as in a simulation.

use squall_nodes::{CallId, Change, Fact, HostId, Node, Placed, Protocol, Seen, Span, Time, encode_data};
use squall_sim::live::{Cause, changed};
use squall_sim::outcome::{Digest, InvariantDone, Measured, Violation};
use squall_sim::plan::Plan;
use squall_sim::trace::{Happening, Trace, TraceEvent};
use squall_sim::watch::{Judge, Stopwatches};
use xxhash_rust::xxh3::Xxh3;

use crate::missed::Missed;

/// Something that was seen.
pub(crate) enum Sight<N: Node> {
    /// The world changed.
    Change {
        /// How.
        change: Change,
        /// By what.
        by: Cause,
    },
    /// A node booted.
    Booted {
        /// Its host.
        host: HostId,
        /// Its life.
        incarnation: u32,
    },
    /// A node claimed a fact.
    Fact {
        /// Its host.
        host: HostId,
        /// What.
        fact: N::Fact,
    },
    /// A node is called.
    Call {
        /// Its host.
        host: HostId,
        /// Under which number.
        call: u64,
        /// What was asked.
        command: N::Command,
    },
    /// A node answered.
    Answer {
        /// Its host.
        host: HostId,
        /// Which call.
        call: u64,
        /// What it said.
        answer: N::Answer,
    },
    /// A fault of this kind touched something.
    Struck(&'static str),
}

/// All who watch.
pub(crate) struct Audience<'p, P: Protocol> {
    plan: &'p Plan<P>,
    judge: Judge<P::Node>,
    missed: Missed,
    stopwatches: Stopwatches<'p>,
    trace: Trace,
    digest: Xxh3,
    /// The present life of each host, or its last.
    incarnations: Vec<u32>,
    bytes: Vec<u8>,
}

/// What they have seen in the end.
pub(crate) struct Watched {
    pub(crate) violation: Option<Violation>,
    pub(crate) invariants: Vec<InvariantDone>,
    /// What the machine kept from being judged, in sentences.
    pub(crate) missed: Vec<String>,
    pub(crate) measures: Vec<Measured>,
    pub(crate) digest: Digest,
    pub(crate) trace: Trace,
}

impl<'p, P: Protocol> Audience<'p, P> {
    /// All who watch a run of a plan.
    pub(crate) fn new(plan: &'p Plan<P>, placed: &[Placed<P::Node>], slack: Span) -> Self {
        let judge = Judge::new(plan, placed, slack);
        let promises = judge.promises_of_quiet();
        let promises = promises.map(|(name, bound)| (name.to_owned(), bound)).collect();
        Audience {
            plan,
            missed: Missed::new(promises, judge.world(), slack),
            judge,
            stopwatches: Stopwatches::new(&plan.measures),
            trace: Trace {
                hosts: placed.iter().map(|placed| placed.name.clone()).collect(),
                ips: placed.iter().map(|placed| placed.ip).collect(),
                events: Vec::new(),
            },
            digest: Xxh3::new(),
            incarnations: vec![0; placed.len()],
            bytes: Vec::new(),
        }
    }

    /// Whether a promise was broken. Nothing more is to be shown then.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.judge.violation().is_some()
    }

    /// Time passes: invariants look that are due by then.
    pub(crate) fn pass(&mut self, until: Time) {
        while self.judge.due() <= until && self.judge.violation().is_none() {
            let due = self.judge.due();
            self.judge.look(due);
        }
    }

    /// Shows them one thing.
    pub(crate) fn see(&mut self, at: Time, sight: &Sight<P::Node>) {
        self.pass(at);
        if self.is_satisfied() {
            return;
        }
        match sight {
            Sight::Change { change, by } => {
                if let Change::Down { host, .. } = change {
                    self.stopwatches.down(*host);
                }
                self.digest(at, None, 1, |bytes| encode_data(change, bytes));
                self.missed.see(at, change, &by.label, self.judge.world());
                let seen = Seen::World(change);
                self.judge.see(at, &seen);
                let what = changed(self.plan, &self.trace.hosts, change, by);
                self.note(at, None, what);
            }
            Sight::Booted { host, incarnation } => {
                self.incarnations[host.index()] = *incarnation;
                self.digest(at, Some(*host), 2, |bytes| encode_data(incarnation, bytes));
                let incarnation = *incarnation;
                self.note(at, Some(*host), Happening::Booted { incarnation });
            }
            Sight::Fact { host, fact } => {
                self.digest(at, Some(*host), 3, |bytes| fact.encode(bytes));
                let (name, says) = (fact.name().to_owned(), format!("{fact:?}"));
                self.note(at, Some(*host), Happening::Fact { name, says });
                let incarnation = self.incarnations[host.index()];
                let seen = Seen::Fact {
                    host: *host,
                    incarnation,
                    fact,
                };
                self.judge.see(at, &seen);
                self.stopwatches.fact(at, *host, fact, self.judge.world());
            }
            Sight::Call { host, call, command } => {
                self.digest(at, Some(*host), 4, |bytes| encode_data(&(call, command), bytes));
                let (call, says) = (*call, format!("{command:?}"));
                self.note(at, Some(*host), Happening::Call { call, says });
                let seen = Seen::Call {
                    host: *host,
                    call: CallId(call),
                    command,
                };
                self.judge.see(at, &seen);
            }
            Sight::Answer { host, call, answer } => {
                self.digest(at, Some(*host), 5, |bytes| encode_data(&(call, answer), bytes));
                let (call, says) = (*call, format!("{answer:?}"));
                self.note(at, Some(*host), Happening::Answer { call, says });
                let seen = Seen::Answer {
                    host: *host,
                    call: CallId(call),
                    answer,
                };
                self.judge.see(at, &seen);
            }
            Sight::Struck(kind) => self.stopwatches.fault(at, kind, self.judge.world()),
        }
    }

    /// The run is over, at this time.
    pub(crate) fn end(mut self, at: Time) -> Watched {
        self.pass(at);
        if !self.is_satisfied() {
            self.judge.look_at_the_end(at);
        }
        let violation = self.judge.violation().cloned();
        if let Some(violation) = &violation {
            let invariant = violation.invariant.clone();
            self.note(violation.at, None, Happening::Violated { invariant });
        }
        Watched {
            violation,
            invariants: self.judge.done(),
            missed: self.missed.end(at, self.judge.world()),
            measures: self.stopwatches.done(),
            digest: Digest(self.digest.digest128()),
            trace: self.trace,
        }
    }

    fn note(&mut self, at: Time, host: Option<HostId>, what: Happening) {
        self.trace.events.push(TraceEvent { at, host, what });
    }

    fn digest(&mut self, at: Time, host: Option<HostId>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        write(&mut self.bytes);
        self.digest.update(&at.as_nanos().to_le_bytes());
        let host = host.map_or(u32::MAX, |host| host.0);
        self.digest.update(&host.to_le_bytes());
        self.digest.update(&[kind]);
        self.digest.update(&(self.bytes.len() as u64).to_le_bytes());
        self.digest.update(&self.bytes);
    }
}
