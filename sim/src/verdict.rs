//! What a run comes to: its verdict, whether the file expects it, and what keeps it from being an answer.

use squall_nodes::{Promise, Protocol};

use crate::outcome::{FaultDone, InvariantDone, Verdict, Violation};
use crate::plan::{DiskOnRestart, Expect, Fault, Layer, Origin, Plan, Step};

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether it is the one that the file expects.
    pub as_expected: bool,
    /// Why the run is inconclusive, in sentences; empty unless it is.
    pub doubts: Vec<String>,
}

/// What was done in a run.
pub struct Done<'a> {
    /// The timeline, in the order of the file.
    pub faults: &'a [FaultDone],
    /// How many calls each entry of the workload made.
    pub calls: &'a [u64],
    /// What was judged, and how often.
    pub invariants: &'a [InvariantDone],
    /// The entries of the timeline whose ring was so small, with whoever triggered it, that it was not laid.
    pub unlaid: &'a [usize],
    /// What a live run's machine kept from being judged, in sentences.
    pub missed: &'a [String],
}

impl Answer {
    /// Of a run of `plan`: the first promise that was broken in it, what was done, and why it was stopped before its end, if it was.
    pub fn of<P: Protocol>(
        plan: &Plan<P>,
        violation: Option<&Violation>,
        done: &Done<'_>,
        cut_short: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut doubts = Vec::new();
        if violation.is_none() {
            doubts.extend(cut_short);
            // What a run that was cut short has not done says nothing.
            if doubts.is_empty() {
                doubts = done.doubts(plan);
            }
        }
        let verdict = match (violation, doubts.is_empty()) {
            (Some(_), _) => Verdict::Violated,
            (None, true) => Verdict::Held,
            (None, false) => Verdict::Inconclusive,
        };
        let as_expected = match (&plan.expect, violation) {
            (Expect::Held, _) => verdict == Verdict::Held,
            (Expect::Violated(names), Some(violation)) => names.contains(&violation.invariant),
            (Expect::Violated(_), None) => false,
        };
        Answer {
            verdict,
            as_expected,
            doubts,
        }
    }
}

impl Done<'_> {
    /// What the file asks for and never happened.
    fn doubts<P: Protocol>(&self, plan: &Plan<P>) -> Vec<String> {
        let done = self.faults.iter().zip(&plan.timeline);
        let doubt = |(place, (fault, step)): (usize, (&FaultDone, &Step))| match self.unlaid.contains(&place)
        {
            true => fault.no_ring(),
            false => fault.doubt(&step.fault),
        };
        let mut doubts: Vec<String> = done.enumerate().filter_map(doubt).collect();
        let silent = |(work, calls): (&crate::plan::Work<_>, &u64)| {
            (*calls == 0).then(|| format!("{} made no call: nobody it could ask was up", work.label))
        };
        doubts.extend(plan.workload.iter().zip(self.calls).filter_map(silent));
        doubts.extend(self.invariants.iter().filter_map(InvariantDone::doubt));
        doubts.extend(self.missed.iter().cloned());
        doubts
    }
}

impl FaultDone {
    /// That a ring was not laid.
    fn no_ring(&self) -> Option<String> {
        let (label, at) = (&self.fault, self.at?);
        Some(format!(
            "{label} was not laid at {at}: whoever triggered it is one of those whom the ring names besides, which leaves so few hosts \
             that everyone in it reaches everyone"
        ))
    }

    fn doubt(&self, planned: &Fault) -> Option<String> {
        let label = &self.fault;
        match (self.at, self.affected) {
            (None, _) => Some(format!("{label} never happened: what triggers it did not come")),
            (Some(at), 0) => Some(match (planned, planned.missed()) {
                (Fault::Restart { .. }, Some(missed)) => {
                    format!("{label} damaged nothing when it happened at {at}: {missed}")
                }
                (_, Some(missed)) => format!("{label} touched nothing, laid at {at}: {missed}"),
                (_, None) => format!("{label} touched nothing when it happened at {at}"),
            }),
            (Some(_), _) => None,
        }
    }
}

impl Fault {
    /// What there was not for a fault that touched nothing, where more can be said than that.
    fn missed(&self) -> Option<&'static str> {
        match self {
            Fault::Restart {
                disk: DiskOnRestart::Stale | DiskOnRestart::Torn | DiskOnRestart::Corrupt,
                ..
            } => Some("whoever came up again had no write on its disk to damage"),
            Fault::Lay(Layer::SlowDisk { .. }) => Some("no write began while it was there"),
            Fault::Lay(Layer::FailingDisk { .. }) => {
                Some("no write was due while it was there, or none that it made fail")
            }
            Fault::Lay(Layer::Slow { .. }) => Some("nothing came in while it was there"),
            Fault::Lay(Layer::Drift { .. }) => {
                Some("nothing came in while it was there, or the clock went as fast without it")
            }
            Fault::Lay(Layer::Links { .. }) => {
                Some("no datagram crossed the links while it was there, or it changed nothing")
            }
            Fault::Lay(Layer::Cut(_) | Layer::Flap { .. })
            | Fault::Crash(..)
            | Fault::Restart { .. }
            | Fault::Pause(_)
            | Fault::Resume(_)
            | Fault::Heal(_)
            | Fault::HealAll
            | Fault::Jump { .. } => None,
        }
    }
}

impl InvariantDone {
    fn doubt(&self) -> Option<String> {
        if let Some(why) = &self.undecided {
            return Some(format!("{} could not be decided: {why}", self.name));
        }
        if self.judged > 0 || self.origin != Origin::Written {
            return None;
        }
        let why = match self.promise {
            Promise::Always => "nothing happened that it speaks of".to_owned(),
            Promise::InQuiet { bound } => {
                format!("it takes {bound} of quiet, and then something that it speaks of")
            }
        };
        let name = &self.name;
        Some(format!(
            "{name} is written in the file and was never judged: {why}"
        ))
    }
}
