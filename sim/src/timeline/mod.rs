//! What a plan has happen by itself and in answer to what nodes do: which of it is due when, in simulated and in live runs.
//!
//! - Here: what is due by itself, and what comes again. Who keeps it until then is the world's: an event queue, or a schedule in real
//!   time.
//! - [`cues`]: what waits for something that a node does.

pub mod cues;

use squall_nodes::{HostId, Protocol, Time};

use crate::plan::{Plan, Trigger};

/// Something that happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A host boots for the first time.
    Boot(HostId),
    /// The entry at this place of the timeline happens.
    Step(u32),
    /// The entry at this place of the workload calls, for the nth time, counted from 0.
    Call(u32, u64),
}

/// The first time of all that a plan has happen by itself, for a run that begins at time 0: boots, then the timeline, then the workload,
/// each in the order of the plan. Of what is due at one time, what comes earlier here happens first.
pub fn begun<P: Protocol>(plan: &Plan<P>) -> impl Iterator<Item = (Time, Due)> {
    let boots = (0..).zip(&plan.hosts);
    let boots = boots.map(|(host, planned)| (planned.starts, Due::Boot(HostId(host))));
    let steps = (0..).zip(&plan.timeline).filter_map(|(step, planned)| {
        let first = match planned.trigger {
            Trigger::At(at) => Some(at),
            Trigger::Every { first, until, .. } => (first < until).then_some(first),
            Trigger::When { .. } => None,
        };
        first.map(|first| (first, Due::Step(step)))
    });
    let calls = (0..).zip(&plan.workload);
    let calls = calls.filter(|(_, work)| work.first < work.until);
    let calls = calls.map(|(entry, work)| (work.first, Due::Call(entry, 0)));
    boots.chain(steps).chain(calls)
}

/// When it happens once more that was due at a time, if it does.
pub fn again<P: Protocol>(plan: &Plan<P>, at: Time, due: Due) -> Option<(Time, Due)> {
    let (interval, until, due) = match due {
        Due::Boot(_) => return None,
        Due::Step(step) => match plan.timeline[step as usize].trigger {
            Trigger::Every { interval, until, .. } => (interval, until, due),
            Trigger::At(_) | Trigger::When { .. } => return None,
        },
        Due::Call(entry, nth) => {
            let work = &plan.workload[entry as usize];
            (work.interval?, work.until, Due::Call(entry, nth + 1))
        }
    };
    let next = at + interval;
    (next < until).then_some((next, due))
}

#[cfg(test)]
mod tests {
    use squall_nodes::Span;
    use squall_nodes::echo::Echo;

    use super::*;
    use crate::scenario::{ScenarioFile, resolve};

    #[test]
    fn all_of_a_plan_comes_in_its_order_and_what_comes_again_ends_before_its_end() {
        let text = r#"Scenario(
            protocol: "echo",
            hosts: [(name: "s", role: Server), (name: "a", role: Asker, starts: "20ms")],
            timeline: [
                At("30ms", Restart("s")),
                Every(interval: "10ms", from: "10ms", until: "30ms", do: Kill("s")),
                When(fact: "asked", do: Kill("a")),
            ],
            limit: "1s",
        )"#;
        let file = ScenarioFile::parse("x.ron", text.to_owned()).unwrap();
        let plan = resolve::<Echo>(&file, "Standard").unwrap_or_else(|wrong| panic!("{wrong}"));
        let at = |ms| Time::ZERO + Span::from_millis(ms);
        let kill = Due::Step(1);
        let first = [
            (at(0), Due::Boot(HostId(0))),
            (at(20), Due::Boot(HostId(1))),
            (at(30), Due::Step(0)),
            (at(10), kill),
        ];
        assert_eq!(begun(&plan).collect::<Vec<_>>(), first);
        assert_eq!(again(&plan, at(10), kill), Some((at(20), kill)));
        for (when, once) in [
            (at(20), kill),
            (at(30), Due::Step(0)),
            (at(20), Due::Boot(HostId(1))),
        ] {
            assert_eq!(again(&plan, when, once), None);
        }
    }
}
