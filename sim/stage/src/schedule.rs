//! What is to happen when, in real time: what the plan has happen by itself, what facts have triggered, and flaps that turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use squall_nodes::{HostId, Protocol, Time};
use squall_sim::plan::Plan;
use squall_sim::timeline;

/// Everything that is to happen by itself, by time; what is due at one time comes in the order in which it was put in.
#[derive(Default)]
pub(crate) struct Schedule {
    due: BinaryHeap<Reverse<(Time, u64, Due)>>,
    put_in: u64,
}

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// By the plan, by itself.
    Planned(timeline::Due),
    /// An entry of the timeline, triggered by what this host did.
    Triggered(u32, HostId),
    /// The flap of this number turns over.
    Turn(u32),
}

impl Schedule {
    /// What a plan has happen by itself, for a run that begins at time 0. Who boots then is started by itself.
    pub(crate) fn of<P: Protocol>(plan: &Plan<P>) -> Self {
        let mut schedule = Schedule::default();
        for (at, due) in timeline::begun(plan) {
            if !matches!(due, timeline::Due::Boot(_)) || at > Time::ZERO {
                schedule.put(at, Due::Planned(due));
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
        if let Due::Planned(planned) = due
            && let Some((next, planned)) = timeline::again(plan, at, planned)
        {
            self.put(next, Due::Planned(planned));
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
        let kill = Due::Planned(timeline::Due::Step(1));
        assert_eq!(
            seen,
            [
                (10, kill),
                (20, Due::Planned(timeline::Due::Boot(HostId(1)))),
                (20, kill),
                (30, Due::Planned(timeline::Due::Step(0))),
                (30, kill)
            ]
        );
    }
}
