//! What the counter promises, each in quiet with its bound as a formula of the settings.
//!
//! **`calls_answered`** takes, one after the other, with `T` the timeout, `S` the stagger, `R` the time to send again, `L` the tolerated
//! latency, which a write takes at most as well, `N` the number of replicas, and `k(n)` the tries until one of `n` datagrams that must
//! all arrive has failed every time with a probability of at most 10⁻⁹:
//!
//! 1. `3·(L + T + S·N + k(2)·R + 4L)` until somebody leads. Whoever waits longest for a leader stands after `L + T + S·N`, half an `S`
//!    of which is luck, and is followed when the question and the answer have come through and both were written down. It may have
//!    stood in too low a term, and learns the highest one of the group by it; it or another then waits once more, and of those who
//!    stand at one time the one in the highest term goes through when the others have heard of it, which may take until they stand again.
//! 2. `k(2)·R + 4L` until a majority has the leader's first state.
//! 3. `2·(2·k(2)·R + 6L)` until the calls that were asked for, and those that waited behind them, are with the leader, are on the
//!    disks of a majority, and are told.

use crate::history::{
    AnsweredInQuiet, AnsweredOnce, Counter, CounterOp, CounterRet, Goes, Linearizable, Reading, Told, Worth,
};
use crate::invariant::{Always, Breach, Judged};
use crate::protocol::{InvariantKind, Setup, Tolerance};
use crate::seen::{Change, DiskAtBoot, Seen};
use crate::time::{Span, Time};
use crate::world::World;

use super::config::Config;
use super::facts::CounterFact;
use super::state::Term;
use super::{Answer, Command, CounterNode};

/// Every promise, those of every moment first.
pub(super) fn all() -> Vec<InvariantKind<CounterNode>> {
    let reading = Reading {
        op: |command| match command {
            Command::Add(by) => Some(CounterOp::Add(i64::from(*by))),
            Command::Read => Some(CounterOp::Read),
            Command::Status => None,
        },
        ret: |_, answer| match answer {
            Answer::Value(value) => Told::Returned(CounterRet::Value(*value)),
            Answer::Busy | Answer::OutOfService => Told::Refused,
            Answer::Status { .. } => Told::Nothing,
        },
    };
    vec![
        Linearizable::kind(
            "linearizable",
            "all answers together are those of one counter that does one thing after the other, each between its call and its answer",
            reading,
            |_| Counter {
                first: 0,
                goes: Goes::Up,
            },
        ),
        InvariantKind::always(
            "answered_once",
            "a call is answered at most once, by whom it was made to, and with what such a call comes back with",
            |_| AnsweredOnce::new(worth),
        ),
        InvariantKind::always(
            "terms_grow",
            "a replica never goes back to a term below one that it has claimed, unless it has lost its disk",
            |setup| TermsGrow(vec![Term::default(); setup.hosts.len()]),
        ),
        InvariantKind::in_quiet(
            "calls_answered",
            "in a group with a majority of all replicas every call is answered",
            bound,
            |setup| {
                let counts = |command: &_, answer: &_| worth(command, answer) == Worth::Right;
                AnsweredInQuiet::new(
                    bound(setup),
                    |_| true,
                    counts,
                    |group, world| group.hosts.len() > world.len() / 2,
                )
            },
        ),
    ]
}

fn worth(command: &Command, answer: &Answer) -> Worth {
    let due = match (command, answer) {
        (_, Answer::OutOfService)
        | (Command::Add(_) | Command::Read, Answer::Value(_) | Answer::Busy)
        | (Command::Status, Answer::Status { .. }) => return Worth::Right,
        (Command::Add(_) | Command::Read, Answer::Status { .. }) => "a value",
        (Command::Status, Answer::Value(_) | Answer::Busy) => "a status",
    };
    Worth::Wrong { due: due.to_owned() }
}

fn bound(setup: &Setup<'_, CounterNode>) -> Span {
    let longest = |span: fn(&Config) -> Span| {
        setup
            .hosts
            .iter()
            .map(|host| span(&host.config))
            .max()
            .unwrap_or_default()
    };
    let Tolerance { loss, latency } = setup.tolerated;
    let both_arrive = (1.0 - loss) * (1.0 - loss);
    let tries = Tolerance {
        loss: 1.0 - both_arrive,
        latency,
    };
    let exchange = longest(|config| config.resend) * u64::from(tries.retries());
    let stands =
        longest(|config| config.timeout) + longest(|config| config.stagger) * setup.hosts.len() as u64;
    let elected = (latency + stands + exchange + latency * 4) * 3;
    let ready = exchange + latency * 4;
    let told = (exchange * 2 + latency * 6) * 2;
    elected + ready + told
}

/// Always: a replica's terms grow. By host, the highest term that it has claimed.
#[derive(Clone)]
struct TermsGrow(Vec<Term>);

impl Always<CounterNode> for TermsGrow {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, CounterNode>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::World(Change::Up { host, disk, .. }) => {
                match disk {
                    DiskAtBoot::Fresh | DiskAtBoot::Kept => {}
                    DiskAtBoot::Wiped | DiskAtBoot::Stale | DiskAtBoot::Torn | DiskAtBoot::Corrupt => {
                        self.0[host.index()] = Term::default();
                    }
                }
                Ok(Judged::NotConcerned)
            }
            Seen::Fact {
                host,
                fact:
                    CounterFact::Started { term, .. }
                    | CounterFact::Standing { term }
                    | CounterFact::Leading { term }
                    | CounterFact::Following { term }
                    | CounterFact::SteppedDown { term },
                ..
            } => {
                let highest = &mut self.0[host.index()];
                if *term < *highest {
                    let name = world.name(*host);
                    let detail = format!("{name} is in term {term:?} and was in {highest:?}");
                    return Err(Breach::new(detail, [*host]));
                }
                *highest = *term;
                Ok(Judged::Yes)
            }
            Seen::World(_) | Seen::Fact { .. } | Seen::Call { .. } | Seen::Answer { .. } => {
                Ok(Judged::NotConcerned)
            }
        }
    }
}
