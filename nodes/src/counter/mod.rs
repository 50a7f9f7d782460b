//! A replicated counter: the smallest protocol that is linearizable, and how to have that judged.
//!
//! # The story
//!
//! Every replica takes calls, to add to the counter or to read it, and hands them to the leader in batches, one at a time. The leader
//! does them one after the other, gives the counter as it stands then to all others, and answers when a majority has it on its disks.
//! A read takes the same way: only so can the leader know that nobody leads in its place by now.
//!
//! The leader is chosen as in the protocol of the elected leader: numbers follow the list, the last has the highest, and of
//! those that are there the one with the highest number is the first to miss a leader. It opens a *term* of its own, above every
//! one that it knows of, and leads when a majority follows it there. Who follows takes nothing of a lower term any more, has
//! written that down, and tells the newest state that it has. The leader goes on from the newest of those: what an
//! earlier leader has answered a majority had, and any two majorities share a replica. It answers nothing before a majority has that state
//! in its own term. (L. Lamport, *The Part-Time Parliament*, 1998, with a state in place of a log.)
//!
//! What is lost is sent again, and what comes twice is done once: the state holds for each replica the last batch that was done for it,
//! by the replica's life and a number. The life is counted on the disk.
//!
//! # What is promised
//!
//! Calls and answers are all that [`Linearizable`](crate::history::Linearizable) looks at: it would judge any other way to build a
//! counter as well.
//!
//! | rule set | what it leaves out | what breaks |
//! |---|---|---|
//! | `Hasty` | The leader answers when it has counted, and not when a majority has. | `linearizable`, where the leader is cut off or dies |
//! | `Local` | Who is asked what the counter stands at answers by what it has itself. | `linearizable`, where it is behind |
//! | `Quorum` | nothing | nothing |
//!
//! Nothing is promised of replicas whose disks lose what they had said was written. A disk that cannot be read is found out, and its
//! replica takes no part any more; one that is wiped or stale cannot be told from another.

mod caller;
mod config;
mod facts;
mod invariants;
mod leading;
mod replica;
mod state;
mod wire;

use serde::{Deserialize, Serialize};

pub use config::{Config, MOST_MEMBERS, Rules};
pub use facts::CounterFact;
pub use state::Term;

use crate::node::{self, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::time::{Span, Time};
use replica::Replica;
use state::{Op, Saved};
use wire::Describer;

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

impl Protocol for Counter {
    const NAME: &'static str = "counter";
    const RULES: &'static [&'static str] = &["Hasty", "Local", "Quorum"];
    const ABOUT: &'static str = "replicas count together, and answer as if they were one";
    type Node = CounterNode;

    fn config(_profile: &str, rules: &str) -> Config {
        Config::new(match rules {
            "Hasty" => Rules::Hasty,
            "Local" => Rules::Local,
            "Quorum" => Rules::Quorum,
            other => panic!("counter has no rule set \"{other}\""),
        })
    }

    fn assemble(hosts: &mut [Placed<CounterNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn invariants() -> Vec<InvariantKind<CounterNode>> {
        invariants::all()
    }

    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.timeout
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer)
    }
}

/// What a host may be: there is only one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Counts with the others.
    Replica,
}

/// What can be asked of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Add to the counter, and tell what it stands at then.
    Add(u32),
    /// Tell what it stands at.
    Read,
    /// Tell how this replica stands.
    Status,
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// What the counter stands at.
    Value(i64),
    /// Too many calls wait: this one was dropped, and is not done.
    Busy,
    /// The replica takes no part: the call is not done.
    OutOfService,
    /// To [`Command::Status`].
    Status {
        /// What it does.
        doing: Doing,
        /// The highest term that it follows.
        term: Term,
        /// What the counter stands at as far as it knows; whether a majority knows is not said.
        value: i64,
    },
}

/// What a replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doing {
    /// It follows a leader, or waits for one.
    Following,
    /// It stands for leader.
    Standing,
    /// It leads.
    Leading,
    /// A write to its disk failed: it does nothing until the next one is begun.
    Failing,
}

/// The alarms of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// No leader was heard for too long.
    Silence,
    /// The leader's next heartbeat is due.
    Heartbeat,
    /// What was not answered is to be sent again.
    Resend,
    /// What could not be written to the disk is written again.
    Disk,
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        match self {
            Timer::Silence => 0,
            Timer::Heartbeat => 1,
            Timer::Resend => 2,
            Timer::Disk => 3,
        }
    }
}

/// A replica.
#[derive(Clone, Debug)]
pub struct CounterNode(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Replica(Box<Replica>),
    /// It claims why, and does nothing.
    Out(CounterFact),
}

impl Node for CounterNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = CounterFact;

    fn boot(_role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        let saved = disk.map_or_else(|| Some(Saved::default()), Saved::decode);
        CounterNode(match (config.number(), saved) {
            (Err(why), _) => Kind::Out(CounterFact::RefusedToStart { why }),
            (Ok(_), None) => Kind::Out(CounterFact::DiskUnreadable),
            (Ok(me), Some(saved)) => Kind::Replica(Box::new(Replica::boot(config.clone(), me, saved, rng))),
        })
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&mut self.0, input) {
            (Kind::Replica(replica), Input::Start) => replica.start(now, out),
            (Kind::Replica(replica), Input::Datagram { from, bytes, .. }) => {
                replica.datagram(now, from, bytes, out);
            }
            (Kind::Replica(replica), Input::Timer(timer)) => replica.timer(now, timer, out),
            (Kind::Replica(replica), Input::Command { call, command }) => match command {
                Command::Add(by) => replica.call(now, call, Op::Add(*by), out),
                Command::Read => replica.call(now, call, Op::Read, out),
                Command::Status => replica.status(call, out),
            },
            (Kind::Replica(replica), Input::Persisted(token)) => replica.written(now, token, out),
            (Kind::Replica(replica), Input::PersistFailed(token)) => replica.write_failed(now, token, out),
            (Kind::Out(why), Input::Start) => out.claim(why.clone()),
            (Kind::Out(_), Input::Command { call, .. }) => out.answer(call, Answer::OutOfService),
            // One has no streams; the other has bound no port, armed no timer and written nothing.
            (Kind::Replica(_) | Kind::Out(_), _) => {}
        }
    }
}
