//! What is to happen when: the timeline's times, flaps that turn, first boots, and calls.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use squall_nodes::{HostId, Protocol, Time};
use squall_sim::plan::{Plan, Trigger};

/// Everything that is to happen by itself, by time; what is due at one time comes in the order in which it was put in.
#[derive(Default)]
pub(crate) struct Schedule {
    due: BinaryHeap<Reverse<(Time, u64, Due)>>,
    put_in: u64,
}

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A host boots for the first time.
    Boot(HostId),
    /// An entry of the timeline happens; triggered by what this host did.
    Step(usize, Option<HostId>),
    /// The flap of this number turns over.
    Turn(u32),
    /// An entry of the workload calls, for the nth time, counted from 0.
    Call(usize, u64),
}

impl Schedule {
    /// What a plan has happen by itself, for a run that begins at time 0.
    pub(crate) fn of<P: Protocol>(plan: &Plan<P>) -> Self {
        let mut schedule = Schedule::default();
        for (host, planned) in (0..).zip(&plan.hosts) {
            if planned.starts > Time::ZERO {
                schedule.put(planned.starts, Due::Boot(HostId(host)));
            }
        }
        for (step, planned) in plan.timeline.iter().enumerate() {
            let first = match planned.trigger {
                Trigger::At(at) => Some(at),
                Trigger::Every { first, until, .. } => (first < until).then_some(first),
                Trigger::When { .. } => None,
            };
            if let Some(first) = first {
                schedule.put(first, Due::Step(step, None));
            }
        }
        for (entry, work) in plan.workload.iter().enumerate() {
            if work.first < work.until {
                schedule.put(work.first, Due::Call(entry, 0));
            }
        }
        schedule
    }

    /// Puts something in.
    pub(crate) fn put(&mut self, at: Time, due: Due) {
        self.put_in += 1;
        self.due.push(Reverse((at, self.put_in, due)));
    }

    /// When the next thing is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out the next thing that is due by now. What happens again and again is put in once more, for its next time.
    pub(crate) fn take<P: Protocol>(&mut self, now: Time, plan: &Plan<P>) -> Option<(Time, Due)> {
        if self.next()? > now {
            return None;
        }
        let Reverse((at, _, due)) = self.due.pop()?;
        let again = match due {
            // What a fact triggers happens once.
            Due::Step(step, None) => match plan.timeline[step].trigger {
                Trigger::Every { interval, until, .. } => Some((interval, until, due)),
                Trigger::At(_) | Trigger::When { .. } => None,
            },
            Due::Call(entry, nth) => {
                let work = &plan.workload[entry];
                let next = Due::Call(entry, nth + 1);
                work.interval.map(|interval| (interval, work.until, next))
            }
            Due::Boot(_) | Due::Step(_, Some(_)) | Due::Turn(_) => None,
        };
        if let Some((interval, until, due)) = again
            && at + interval < until
        {
            self.put(at + interval, due);
        }
        Some((at, due))
    }
}

#[cfg(test)]
mod tests {
    use squall_nodes::Span;
    use squall_nodes::echo::Echo;
    use squall_sim::scenario::{ScenarioFile, resolve};

    use super::*;

    #[test]
    fn a_plan_comes_up_in_the_order_of_its_times_and_what_comes_again_comes_again() {
        let text = r#"Scenario(
            protocol: "echo",
            hosts: [(name: "s", role: Server), (name: "a", role: Asker, starts: "20ms")],
            timeline: [
                At("30ms", Restart("s")),
                Every(interval: "10ms", from: "10ms", until: "40ms", do: Kill("s")),
                When(fact: "asked", do: Kill("a")),
            ],
            limit: "1s",
        )"#;
        let file = ScenarioFile::parse("x.ron", text.to_owned()).unwrap();
        let plan = resolve::<Echo>(&file, "Standard").unwrap_or_else(|wrong| panic!("{wrong}"));
        let mut schedule = Schedule::of(&plan);
        let mut seen = Vec::new();
        while let Some((at, due)) = schedule.take(Time::ZERO + Span::from_secs(1), &plan) {
            seen.push((at.as_nanos() / 1_000_000, due));
        }
        let kill = Due::Step(1, None);
        assert_eq!(
            seen,
            [
                (10, kill),
                (20, Due::Boot(HostId(1))),
                (20, kill),
                (30, Due::Step(0, None)),
                (30, kill)
            ]
        );
    }
}
