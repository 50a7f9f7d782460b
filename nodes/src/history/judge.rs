//! Linearizability as a promise of every moment, judged while a run goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::online::{Looked, Online};
use super::operation::{Bounds, Explanation, Reading, Told};
use super::spec::Spec;
use crate::invariant::{Breach, Invariant};
use crate::node::{CallId, HostId, Node};
use crate::protocol::{Built, InvariantKind, Promise, Setup};
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::World;

/// The answers that nodes give could have been given by one object that does one thing after the other, each between its call and its
/// answer.
///
/// It is judged at every answer and at the end of the run: by [`Online`], of which the page says what that is. A call that nobody answers
/// may have had effect at any time since it was made, or never. Where it takes more than the bounds allow the run is inconclusive.
pub struct Linearizable<N: Node, S: Spec> {
    reading: Reading<N::Command, N::Answer, S>,
    online: Online<S>,
    /// The calls that are operations and have no answer that counts: who was called, and for what.
    calls: BTreeMap<CallId, (HostId, S::Op)>,
    /// Those of each host, since it came up.
    open: BTreeMap<HostId, BTreeSet<CallId>>,
    judged: u64,
}

impl<N: Node, S: Spec> Linearizable<N, S> {
    /// Of nothing yet.
    pub fn new(spec: S, reading: Reading<N::Command, N::Answer, S>, bounds: Bounds) -> Self {
        Linearizable {
            reading,
            online: Online::new(spec, bounds),
            calls: BTreeMap::new(),
            open: BTreeMap::new(),
            judged: 0,
        }
    }

    /// The promise under a name, for [`Protocol::invariants`](crate::Protocol::invariants). `says` is the promise in one sentence.
    pub fn kind(
        name: &'static str,
        says: &'static str,
        reading: Reading<N::Command, N::Answer, S>,
        spec: fn(&Setup<'_, N>) -> S,
    ) -> InvariantKind<N> {
        InvariantKind::judged_by(name, says, move |setup| Built {
            invariant: Box::new(Self::new(spec(setup), reading, Bounds::default())),
            promise: Promise::Always,
            by_default: Promise::Always,
        })
    }

    fn looked(
        &mut self,
        looked: Result<Looked, Box<Explanation>>,
        answered: Option<(CallId, HostId)>,
        world: &World,
    ) -> Result<(), Breach> {
        let explanation = match looked {
            Ok(Looked::Later) => return Ok(()),
            Ok(Looked::Holds) => {
                self.judged += u64::from(answered.is_some());
                return Ok(());
            }
            Err(explanation) => explanation,
        };
        self.judged += 1;
        let host = |id: &CallId| match (answered, self.calls.get(id)) {
            (Some((call, host)), _) if call == *id => Some(host),
            (_, call) => call.map(|(host, _)| *host),
        };
        let mut hosts = Vec::new();
        for other in std::iter::once(&explanation.call)
            .chain(&explanation.open)
            .filter_map(host)
        {
            if !hosts.contains(&other) {
                hosts.push(other);
            }
        }
        let detail = match host(&explanation.call) {
            Some(host) => format!("at {}, {explanation}", world.name(host)),
            None => explanation.to_string(),
        };
        Err(Breach::new(detail, hosts))
    }
}

impl<N: Node, S: Spec> Clone for Linearizable<N, S> {
    fn clone(&self) -> Self {
        Linearizable {
            reading: self.reading,
            online: self.online.clone(),
            calls: self.calls.clone(),
            open: self.open.clone(),
            judged: self.judged,
        }
    }
}

impl<N: Node, S: Spec> Invariant<N> for Linearizable<N, S> {
    fn on_seen(&mut self, _at: Time, seen: &Seen<'_, N>, world: &World) -> Result<(), Breach> {
        match seen {
            Seen::Call { host, call, command } => {
                let Some(op) = (self.reading.op)(command) else {
                    return Ok(());
                };
                self.calls.insert(*call, (*host, op.clone()));
                self.open.entry(*host).or_default().insert(*call);
                self.online.called(*call, op);
                Ok(())
            }
            Seen::Answer { host, call, answer } => {
                // Of several answers the first counts that says something.
                let Some((asked, op)) = self.calls.get(call) else {
                    return Ok(());
                };
                let looked = match (self.reading.ret)(op, answer) {
                    Told::Nothing => return Ok(()),
                    Told::Returned(ret) => self.online.returned(*call, ret),
                    Told::Refused => self.online.refused(*call),
                    Told::Unknown => self.online.unknown(*call),
                };
                if let Some(open) = self.open.get_mut(asked) {
                    open.remove(call);
                }
                self.calls.remove(call);
                self.looked(looked, Some((*call, *host)), world)
            }
            Seen::World(Change::Down { host, .. }) => {
                for call in self.open.remove(host).unwrap_or_default() {
                    let looked = self.online.lost(call);
                    self.looked(looked, None, world)?;
                }
                Ok(())
            }
            Seen::World(_) | Seen::Fact { .. } => Ok(()),
        }
    }

    fn due(&self) -> Time {
        Time::MAX
    }

    /// Nothing is due before the end of the run.
    fn on_due(&mut self, _at: Time, world: &World) -> Result<(), Breach> {
        let looked = match self.online.end() {
            // What was never asked holds against nothing.
            Ok(_) => Ok(Looked::Later),
            broken => broken,
        };
        self.looked(looked, None, world)
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn undecided(&self) -> Option<String> {
        self.online.undecided().map(str::to_owned)
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<N>> {
        Box::new(self.clone())
    }
}
