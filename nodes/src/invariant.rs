//! Invariants: what a protocol promises, judged from what is seen.
//!
//! A promise is either kept *always* (safety), or *in quiet* (liveness and convergence): once a group has been left alone
//! for a bound, and until it is disturbed again. [`Always`] and [`InQuiet`] are what a protocol writes; the rest of the
//! house sees an [`Invariant`].

use crate::node::{HostId, Node};
use crate::seen::Seen;
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// A promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What was seen in place of what was promised, in a sentence that names the hosts.
    pub detail: String,
    /// The hosts whose last events tell the story.
    pub hosts: Vec<HostId>,
}

impl Breach {
    /// A breach by `hosts`, told in a sentence.
    pub fn new(detail: impl Into<String>, hosts: impl IntoIterator<Item = HostId>) -> Self {
        Breach {
            detail: detail.into(),
            hosts: hosts.into_iter().collect(),
        }
    }
}

/// Whether a look at the run was a judgement, or had nothing to do with the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The promise was held against what was seen.
    Yes,
    /// There was nothing to hold it against.
    NotConcerned,
}

/// A promise that holds at every moment.
pub trait Always<N: Node>: Clone + 'static {
    /// Looks at one thing that was seen at `at`; the world has taken it in already.
    ///
    /// # Errors
    ///
    /// The breach, when the promise is broken.
    fn judge(&mut self, at: Time, seen: &Seen<'_, N>, world: &World) -> Result<Judged, Breach>;

    /// Why it could not decide, as [`Invariant::undecided`] has it.
    fn undecided(&self) -> Option<String> {
        None
    }
}

/// A promise that holds in every group that has been quiet for the bound.
pub trait InQuiet<N: Node>: Clone + 'static {
    /// Takes in one thing that was seen at `at`. What it returns says whether groups are to be judged anew.
    fn observe(&mut self, at: Time, seen: &Seen<'_, N>, world: &World) -> Judged;

    /// Judges a group that has been quiet for the bound.
    ///
    /// # Errors
    ///
    /// The breach, when the promise is broken.
    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach>;

    /// Why it could not decide, as [`Invariant::undecided`] has it.
    fn undecided(&self) -> Option<String> {
        None
    }
}

/// An invariant at work in one run.
pub trait Invariant<N: Node> {
    /// Looks at one thing that was seen.
    ///
    /// # Errors
    ///
    /// The breach, when the promise is broken.
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, N>, world: &World) -> Result<(), Breach>;

    /// When it wants to look again though nothing is seen; [`Time::MAX`] for never.
    fn due(&self) -> Time;

    /// Looks at the world at a time that was [`due`](Invariant::due), or at the end of the run.
    ///
    /// # Errors
    ///
    /// The breach, when the promise is broken.
    fn on_due(&mut self, at: Time, world: &World) -> Result<(), Breach>;

    /// How many judgements it has made.
    fn judged(&self) -> u64;

    /// Why it could not hold all of what was seen against the promise, if it could not: what it would have taken, in words that are
    /// the same in every run, such as "it takes more than 1000 steps". A run in which no promise is broken is inconclusive then.
    fn undecided(&self) -> Option<String> {
        None
    }

    /// A copy in the same state, for checkpoints.
    fn boxed_clone(&self) -> Box<dyn Invariant<N>>;
}

/// Puts an [`Always`] to work.
pub fn always<N: Node>(judge: impl Always<N>) -> Box<dyn Invariant<N>> {
    Box::new(AtEveryMoment { judge, judged: 0 })
}

/// Puts an [`InQuiet`] to work: each group is judged when it has been quiet for `bound`, when what was seen concerns the
/// promise, and every `again` besides.
pub fn in_quiet<N: Node>(bound: Span, again: Span, judge: impl InQuiet<N>) -> Box<dyn Invariant<N>> {
    let again = again.max(Span::from_millis(1));
    // Time 0 is before anything can be quiet; the first change of the world or the first due time sets this right.
    Box::new(OnceQuiet {
        judge,
        bound,
        again,
        due: Time::ZERO + bound,
        judged: 0,
    })
}

#[derive(Clone)]
struct AtEveryMoment<J> {
    judge: J,
    judged: u64,
}

impl<N: Node, J: Always<N>> Invariant<N> for AtEveryMoment<J> {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, N>, world: &World) -> Result<(), Breach> {
        // The look that finds a breach is a judgement too.
        let judged = self.judge.judge(at, seen, world);
        self.judged += u64::from(!matches!(judged, Ok(Judged::NotConcerned)));
        judged.map(|_| ())
    }

    fn due(&self) -> Time {
        Time::MAX
    }

    fn on_due(&mut self, _at: Time, _world: &World) -> Result<(), Breach> {
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn undecided(&self) -> Option<String> {
        self.judge.undecided()
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<N>> {
        Box::new(self.clone())
    }
}

#[derive(Clone)]
struct OnceQuiet<J> {
    judge: J,
    bound: Span,
    again: Span,
    due: Time,
    judged: u64,
}

impl<J> OnceQuiet<J> {
    fn look<N: Node>(&mut self, group: &Group, at: Time, world: &World) -> Result<(), Breach>
    where
        J: InQuiet<N>,
    {
        let judged = self.judge.judge(group, at, world);
        self.judged += u64::from(!matches!(judged, Ok(Judged::NotConcerned)));
        judged.map(|_| ())
    }

    fn is_quiet(&self, group: &Group, at: Time) -> bool {
        group.quiet_since != Time::MAX && group.quiet_since + self.bound <= at
    }

    /// The next time at which a group will have been quiet for the bound, or is to be looked at again.
    fn plan(&mut self, at: Time, world: &World) {
        let next = |group: &Group| match group.quiet_since {
            Time::MAX => Time::MAX,
            since if since + self.bound > at => since + self.bound,
            _ => at + self.again,
        };
        self.due = world.groups().iter().map(next).min().unwrap_or(Time::MAX);
    }
}

impl<N: Node, J: InQuiet<N>> Invariant<N> for OnceQuiet<J> {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, N>, world: &World) -> Result<(), Breach> {
        let concerned = self.judge.observe(at, seen, world);
        if let Seen::World(_) = seen {
            self.plan(at, world);
        }
        if concerned == Judged::NotConcerned {
            return Ok(());
        }
        let host = match seen {
            Seen::World(_) => None,
            Seen::Fact { host, .. } | Seen::Call { host, .. } | Seen::Answer { host, .. } => Some(*host),
        };
        match host {
            Some(host) => match world.group_of(host) {
                Some(group) if self.is_quiet(group, at) => self.look(group, at, world),
                _ => Ok(()),
            },
            None => Invariant::<N>::on_due(self, at, world),
        }
    }

    fn due(&self) -> Time {
        self.due
    }

    fn on_due(&mut self, at: Time, world: &World) -> Result<(), Breach> {
        for group in world.groups() {
            if self.is_quiet(group, at) {
                self.look(group, at, world)?;
            }
        }
        self.plan(at, world);
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn undecided(&self) -> Option<String> {
        self.judge.undecided()
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<N>> {
        Box::new(self.clone())
    }
}
