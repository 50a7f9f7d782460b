//! How often calls are answered: at most once and rightly, always; and at all, in quiet. Both together are *exactly once*.
//!
//! Both are building blocks. A protocol names them among its own promises and says which of its answers count:
//!
//! ```
//! use squall_nodes::history::{AnsweredInQuiet, AnsweredOnce, Worth};
//! use squall_nodes::{InvariantKind, Node, Setup, Span};
//!
//! /// Of a protocol whose commands are numbers to be doubled, and whose answers are what comes of it.
//! fn promises<N: Node<Command = i64, Answer = i64>>() -> Vec<InvariantKind<N>> {
//!     fn bound<N: Node>(_: &Setup<'_, N>) -> Span {
//!         Span::from_secs(1)
//!     }
//!     vec![
//!         InvariantKind::always(
//!             "answered_once",
//!             "a call is answered at most once, with twice its number",
//!             |_| AnsweredOnce::new(|asked: &i64, got| match asked.wrapping_mul(2) {
//!                 due if due == *got => Worth::Right,
//!                 due => Worth::Wrong { due: due.to_string() },
//!             }),
//!         ),
//!         InvariantKind::in_quiet(
//!             "answered",
//!             "a call is answered within a second",
//!             bound,
//!             |setup| AnsweredInQuiet::new(bound(setup), |_| true, |_, _| true, |_, _| true),
//!         ),
//!     ]
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::invariant::{Always, Breach, InQuiet, Judged};
use crate::node::{CallId, HostId, Node};
use crate::seen::{Change, Seen};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// What an answer is worth to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is what the call had to get.
    Right,
    /// It is not.
    Wrong {
        /// What the call had to get, in words.
        due: String,
    },
    /// It does not count: it tells how far things are, and another one may come.
    Aside,
}

/// Always: a call gets at most one answer that counts, from whom it was made to, and the right one; and nobody answers what was not
/// asked.
///
/// Whether an answer is right is told by the call alone. Where it hangs on what happened before,
/// [`Linearizable`](super::Linearizable) judges that, and here every answer is right.
pub struct AnsweredOnce<N: Node> {
    worth: fn(&N::Command, &N::Answer) -> Worth,
    calls: BTreeMap<CallId, Asked<N>>,
}

struct Asked<N: Node> {
    host: HostId,
    /// What was asked, until that is answered.
    command: Option<N::Command>,
}

impl<N: Node> AnsweredOnce<N> {
    /// `worth` says what an answer is worth.
    pub fn new(worth: fn(&N::Command, &N::Answer) -> Worth) -> Self {
        AnsweredOnce {
            worth,
            calls: BTreeMap::new(),
        }
    }
}

impl<N: Node> Clone for AnsweredOnce<N> {
    fn clone(&self) -> Self {
        let copy = |(id, asked): (&CallId, &Asked<N>)| {
            let (host, command) = (asked.host, asked.command.clone());
            (*id, Asked { host, command })
        };
        AnsweredOnce {
            worth: self.worth,
            calls: self.calls.iter().map(copy).collect(),
        }
    }
}

impl<N: Node> Always<N> for AnsweredOnce<N> {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, N>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::Call { host, call, command } => {
                let (host, command) = (*host, Some((*command).clone()));
                self.calls.insert(*call, Asked { host, command });
                Ok(Judged::NotConcerned)
            }
            Seen::Answer { host, call, answer } => {
                let (name, id) = (world.name(*host), call.0);
                let Some(asked) = self.calls.get_mut(call) else {
                    let detail =
                        format!("{name} answered call {id} with `{answer:?}`, and nobody has made that call");
                    return Err(Breach::new(detail, [*host]));
                };
                if asked.host != *host {
                    let detail = format!(
                        "{name} answered call {id} with `{answer:?}`, which was made to {}",
                        world.name(asked.host)
                    );
                    return Err(Breach::new(detail, [*host, asked.host]));
                }
                let Some(command) = &asked.command else {
                    let detail = format!("{name} answered call {id} again, with `{answer:?}`");
                    return Err(Breach::new(detail, [*host]));
                };
                match (self.worth)(command, answer) {
                    Worth::Aside => return Ok(Judged::NotConcerned),
                    Worth::Right => asked.command = None,
                    Worth::Wrong { due } => {
                        let detail = format!(
                            "{name} answered call {id} (`{command:?}`) with `{answer:?}` and not with {due}"
                        );
                        return Err(Breach::new(detail, [*host]));
                    }
                }
                Ok(Judged::Yes)
            }
            Seen::World(_) | Seen::Fact { .. } => Ok(Judged::NotConcerned),
        }
    }
}

/// In quiet: a call to a host that has not gone down since is answered within a bound.
///
/// The bound runs from the call, and from when the group was disturbed last. A call whose host has gone down is promised nothing.
pub struct AnsweredInQuiet<N: Node> {
    bound: Span,
    concerns: fn(&N::Command) -> bool,
    counts: fn(&N::Command, &N::Answer) -> bool,
    serves: fn(&Group, &World) -> bool,
    /// The calls of each host that have no answer that counts.
    open: BTreeMap<HostId, BTreeMap<CallId, (Time, N::Command)>>,
    /// The hosts of which a call was answered since they came up.
    answered: BTreeSet<HostId>,
}

impl<N: Node> AnsweredInQuiet<N> {
    /// `bound` is that of the promise; `concerns` says which commands have to be answered, `counts` which answers do that, and `serves` in
    /// which groups: those with a majority, say.
    pub fn new(
        bound: Span,
        concerns: fn(&N::Command) -> bool,
        counts: fn(&N::Command, &N::Answer) -> bool,
        serves: fn(&Group, &World) -> bool,
    ) -> Self {
        AnsweredInQuiet {
            bound,
            concerns,
            counts,
            serves,
            open: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }
}

impl<N: Node> Clone for AnsweredInQuiet<N> {
    fn clone(&self) -> Self {
        AnsweredInQuiet {
            bound: self.bound,
            concerns: self.concerns,
            counts: self.counts,
            serves: self.serves,
            open: self.open.clone(),
            answered: self.answered.clone(),
        }
    }
}

impl<N: Node> InQuiet<N> for AnsweredInQuiet<N> {
    fn observe(&mut self, at: Time, seen: &Seen<'_, N>, _world: &World) -> Judged {
        match seen {
            Seen::Call { host, call, command } if (self.concerns)(command) => {
                let calls = self.open.entry(*host).or_default();
                calls.insert(*call, (at, (*command).clone()));
            }
            Seen::Answer { host, call, answer } => {
                if let Some(calls) = self.open.get_mut(host)
                    && let Some((_, command)) = calls.get(call)
                    && (self.counts)(command, answer)
                {
                    calls.remove(call);
                    self.answered.insert(*host);
                }
            }
            Seen::World(Change::Down { host, .. }) => {
                self.open.remove(host);
                self.answered.remove(host);
            }
            Seen::Call { .. } | Seen::World(_) | Seen::Fact { .. } => {}
        }
        // An answer breaks no promise; that there is none is found by looking again and again.
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        if !(self.serves)(group, world) {
            return Ok(Judged::NotConcerned);
        }
        let mut judged = Judged::NotConcerned;
        for host in &group.hosts {
            let calls = self.open.get(host).into_iter().flatten();
            // The one that has waited longest; they are not in the order of their times in every world.
            let longest = calls.min_by_key(|(call, (called, _))| (*called, **call));
            if let Some((call, (called, command))) = longest
                && *called + self.bound + world.slack() < at
            {
                let (name, waited) = (world.name(*host), at.since(*called));
                let detail = format!(
                    "call {} (`{command:?}`) of {name} has had no answer for {waited}",
                    call.0
                );
                return Err(Breach::new(detail, [*host]));
            }
            // It was held against something where a call was made and answered, or still has time.
            if longest.is_some() || self.answered.contains(host) {
                judged = Judged::Yes;
            }
        }
        Ok(judged)
    }
}
