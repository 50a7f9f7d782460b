//! What the machine kept from being judged: the stretches of quiet in which a promise was to be held against what was seen, and never
//! was, since hosts were kept from running or a change was long in the making.
//!
//! It is found with a second world, the one that there would be on a machine without such faults of its own. Where that one is quiet for
//! long enough for a promise, and the real one in the same stretch never, the run says nothing of the promise there.

use std::collections::BTreeMap;

use squall_nodes::{Change, Group, HostId, Span, Time, World};
use squall_sim::live::Stalls;

/// How many stretches are told of, each in a sentence of its own.
const MOST_TOLD: usize = 4;

/// What was kept from being judged so far.
pub(crate) struct Missed {
    /// Every promise of quiet, and for how long a group is quiet before it is judged.
    promises: Vec<(String, Span)>,
    /// The world without what the machine did to it.
    spared: World,
    /// How much longer than in a simulation things may take.
    tolerance: Span,
    /// One for each group of the spared world, in its order.
    stretches: Vec<Stretch>,
    /// The changes that are being made, with what they are called, since when.
    making: Vec<(u32, String, Time)>,
    /// Who is being kept from running now, and for how long in all.
    stalled: BTreeMap<HostId, Span>,
    found: Vec<String>,
}

/// A group between two disturbances of the spared world.
struct Stretch {
    group: Group,
    /// What disturbed it last; `None` when that was the start of the run.
    after: Option<String>,
    /// Whether the real world was quiet for long enough in it, by promise.
    judged: Vec<bool>,
    stalls: BTreeMap<HostId, Stalls>,
    /// Changes that took longer to be made than is tolerated.
    slow: Vec<(String, Span)>,
}

impl Missed {
    /// Nothing so far, in a world that is about to begin; `promises` are those of quiet with their bounds.
    pub(crate) fn new(promises: Vec<(String, Span)>, world: &World, tolerance: Span) -> Self {
        let mut missed = Missed {
            promises,
            spared: world.clone(),
            tolerance,
            stretches: Vec::new(),
            making: Vec::new(),
            stalled: BTreeMap::new(),
            found: Vec::new(),
        };
        missed.begin_stretches(Time::ZERO, None);
        missed
    }

    /// The world changes; `real` is how it was until then, and `label` what changes it.
    pub(crate) fn see(&mut self, at: Time, change: &Change, label: &str, real: &World) {
        self.mark(at, real);
        match change {
            Change::Stalled { host, by } => {
                self.stall(*host, *by);
                return;
            }
            Change::Unsettled { by } => {
                self.making.push((*by, label.to_owned(), at));
                // In the spared world it is made at once.
                self.spared.apply(at, &Change::Settled { by: *by });
            }
            Change::Settled { by } => {
                let place = self.making.iter().position(|(making, ..)| making == by);
                let made = place.map(|place| self.making.remove(place));
                match made {
                    Some((_, label, since)) if at.since(since) > self.tolerance => {
                        let slow = (label, at.since(since));
                        for stretch in &mut self.stretches {
                            stretch.slow.push(slow.clone());
                        }
                        return;
                    }
                    _ => self.spared.apply(at, change),
                }
            }
            other => self.spared.apply(at, other),
        }
        self.begin_stretches(at, Some(label));
    }

    /// The run is over: what was kept from being judged, in sentences.
    pub(crate) fn end(mut self, at: Time, real: &World) -> Vec<String> {
        self.mark(at, real);
        for stretch in std::mem::take(&mut self.stretches) {
            self.close(stretch, at);
        }
        let more = self.found.len().saturating_sub(MOST_TOLD);
        self.found.truncate(MOST_TOLD);
        if more > 0 {
            let more = counted(more as u64, "stretch of quiet was", "stretches of quiet were");
            self.found.push(format!("{more} not judged for the like besides"));
        }
        self.found
    }

    /// Notes which promises the real world was quiet for long enough for.
    fn mark(&mut self, at: Time, real: &World) {
        for stretch in &mut self.stretches {
            let Some(first) = stretch.group.hosts.first() else {
                continue;
            };
            let same = real
                .group_of(*first)
                .filter(|group| group.hosts == stretch.group.hosts);
            if let Some(group) = same {
                for (judged, (_, bound)) in stretch.judged.iter_mut().zip(&self.promises) {
                    *judged |= is_due(group, *bound, at);
                }
            }
        }
    }

    /// A stall is told of twice: when it begins and when it ends.
    fn stall(&mut self, host: HostId, by: Span) {
        if self.stalled.remove(&host).is_none() {
            self.stalled.insert(host, by);
            let stretch = self
                .stretches
                .iter_mut()
                .find(|stretch| stretch.group.contains(host));
            if let Some(stretch) = stretch {
                stretch.stalls.entry(host).or_default().add(by);
            }
        }
    }

    /// Ends the stretches of all groups that are others now, or were disturbed, and begins theirs.
    fn begin_stretches(&mut self, at: Time, label: Option<&str>) {
        let mut before = std::mem::take(&mut self.stretches);
        let groups = self.spared.groups().to_vec();
        let mut stretches = Vec::with_capacity(groups.len());
        for group in groups {
            let same = before.iter().position(|stretch| stretch.group == group);
            stretches.push(match same {
                Some(place) => before.swap_remove(place),
                None => {
                    let mut stalls: BTreeMap<HostId, Stalls> = BTreeMap::new();
                    for (host, by) in self.stalled.iter().filter(|(host, _)| group.contains(**host)) {
                        stalls.entry(*host).or_default().add(*by);
                    }
                    Stretch {
                        group,
                        after: label.map(str::to_owned),
                        judged: vec![false; self.promises.len()],
                        stalls,
                        slow: Vec::new(),
                    }
                }
            });
        }
        self.stretches = stretches;
        for stretch in before {
            self.close(stretch, at);
        }
    }

    /// A stretch is over.
    fn close(&mut self, stretch: Stretch, at: Time) {
        let promises = self.promises.iter().zip(&stretch.judged);
        let missed = promises.filter(|((_, bound), judged)| !**judged && is_due(&stretch.group, *bound, at));
        let missed: Vec<&str> = missed.map(|((name, _), _)| name.as_str()).collect();
        if missed.is_empty() {
            return;
        }
        let mut why = Vec::new();
        if !stretch.stalls.is_empty() {
            let names = stretch.stalls.keys().map(|host| self.spared.name(*host));
            let names: Vec<&str> = names.collect();
            let count = stretch.stalls.values().map(|stalls| stalls.count).sum();
            let longest = stretch.stalls.values().map(|stalls| stalls.longest).max();
            why.push(format!(
                "the machine kept {} from running {}, {} at most",
                listed(&names),
                counted(count, "time", "times"),
                in_millis(longest.unwrap_or(Span::ZERO))
            ));
        }
        let slow = stretch
            .slow
            .iter()
            .map(|(label, took)| format!("{label} took {} to be made", in_millis(*took)));
        why.extend(slow);
        let pending = self
            .making
            .iter()
            .filter(|(.., since)| at.since(*since) > self.tolerance);
        why.extend(
            pending
                .map(|(_, label, since)| format!("{label} was not made in {}", in_millis(at.since(*since)))),
        );
        if why.is_empty() {
            why.push("the machine had other work to do".to_owned());
        }
        let after = match &stretch.after {
            Some(label) => format!("after {label}"),
            None => "after the start of the run".to_owned(),
        };
        let found = format!(
            "{}: {} could not be judged {after}",
            why.join(", and "),
            listed(&missed)
        );
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }
}

/// Whether a group has been quiet for long enough.
fn is_due(group: &Group, bound: Span, at: Time) -> bool {
    group.quiet_since != Time::MAX && group.quiet_since + bound <= at
}

/// Names as a sentence has them.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// Rounded up, as people read it.
fn in_millis(span: Span) -> Span {
    Span::from_millis(span.as_nanos().div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use squall_nodes::{Cut, Links, Resident};

    use super::*;

    const C1: HostId = HostId(1);
    const TOLERANCE: Span = Span::from_millis(100);

    /// The real world, and what was missed in it of a promise that takes a second of quiet and one that takes a minute.
    struct Scene {
        real: World,
        missed: Missed,
    }

    impl Scene {
        fn new() -> Self {
            let resident = |(nth, name): (u8, &str)| Resident {
                name: name.to_owned(),
                ip: Ipv4Addr::new(10, 0, 0, nth),
                up: true,
                drift_ppm: 0,
            };
            let residents = (0..).zip(["s", "c1", "c2"]).map(resident);
            let real = World::new(residents, Links::Tolerated).with_slack(TOLERANCE);
            let promises = vec![
                ("x.second".to_owned(), Span::from_secs(1)),
                ("x.minute".to_owned(), Span::from_secs(60)),
            ];
            let missed = Missed::new(promises, &real, TOLERANCE);
            Scene { real, missed }
        }

        fn see(&mut self, ms: u64, change: &Change, label: &str) {
            self.missed.see(at(ms), change, label, &self.real);
            self.real.apply(at(ms), change);
        }

        /// `c1` does not run for 303 ms.
        fn stall(&mut self, from: u64) {
            let by = Span::from_millis(303);
            let change = Change::Stalled { host: C1, by };
            self.see(from, &change, "the machine");
            self.see(from + 303, &change, "the machine");
        }

        fn cut(&mut self, ms: u64) {
            let cut = Cut::Groups(vec![0, 0, 1]);
            self.see(ms, &Change::Cut { layer: 1, cut }, "partition(s c1 | c2)");
        }

        fn heal(&mut self, ms: u64) {
            self.see(ms, &Change::Healed { layer: 1 }, "heal_all");
        }

        fn end(self, ms: u64) -> Vec<String> {
            self.missed.end(at(ms), &self.real)
        }
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn stalls_that_leave_no_quiet_after_a_fault_are_a_doubt_though_the_promise_was_judged_before_it() {
        let mut scene = Scene::new();
        scene.cut(2_000);
        scene.heal(5_000);
        for nth in 0..4 {
            scene.stall(5_500 + 1_000 * nth);
        }
        assert_eq!(
            scene.end(9_500),
            [
                "the machine kept c1 from running 4 times, 303ms at most: x.second could not be judged after heal_all"
            ]
        );
    }

    #[test]
    fn only_the_group_of_who_was_stalled_was_not_judged() {
        let mut scene = Scene::new();
        scene.cut(2_000);
        // It began before the partition and ends in it.
        scene.stall(2_900);
        scene.heal(4_000);
        assert_eq!(
            scene.end(10_000),
            [
                "the machine kept c1 from running 1 time, 303ms at most: x.second could not be judged after partition(s c1 | c2)"
            ]
        );
    }

    #[test]
    fn what_the_file_leaves_no_time_for_is_no_doubt_and_neither_is_what_was_judged_all_the_same() {
        let mut scene = Scene::new();
        scene.cut(2_000);
        // Less than the second and the tolerance, with or without the stall.
        scene.heal(3_050);
        scene.stall(3_100);
        scene.cut(4_100);
        // Stalled, but long enough ago.
        scene.heal(5_300);
        scene.stall(5_400);
        assert_eq!(scene.end(7_000), Vec::<String>::new());
    }

    #[test]
    fn a_change_that_is_made_late_or_never_is_a_doubt_and_one_within_tolerance_is_none() {
        let by = 3;
        let made = |took: u64, end: u64| {
            let mut scene = Scene::new();
            scene.cut(2_000);
            scene.see(5_000, &Change::Unsettled { by }, "heal_all");
            scene.heal(5_000);
            scene.see(5_000 + took, &Change::Settled { by }, "heal_all");
            scene.end(end)
        };
        // Just as long as the promise takes, without and with what making it took.
        assert_eq!(made(90, 6_110), Vec::<String>::new());
        assert_eq!(made(90, 6_195), Vec::<String>::new());
        assert_eq!(
            made(700, 6_500),
            ["heal_all took 700ms to be made: x.second could not be judged after heal_all"]
        );
        assert_eq!(made(700, 7_000), Vec::<String>::new());

        let mut scene = Scene::new();
        scene.see(2_000, &Change::Unsettled { by }, "heal_all");
        assert_eq!(
            scene.end(8_000),
            ["heal_all was not made in 6s: x.second could not be judged after heal_all"]
        );
    }

    #[test]
    fn of_many_stretches_a_few_are_told() {
        let mut scene = Scene::new();
        for nth in 0..9 {
            let host = HostId(2);
            scene.see(
                2_000 * nth + 10,
                &Change::Resumed { host },
                &format!("resume({nth})"),
            );
            scene.stall(2_000 * nth + 700);
            scene.stall(2_000 * nth + 1_500);
        }
        let found = scene.end(20_000);
        assert_eq!(found.len(), MOST_TOLD + 1, "{found:?}");
        assert_eq!(
            found[MOST_TOLD],
            "4 stretches of quiet were not judged for the like besides"
        );
    }
}
