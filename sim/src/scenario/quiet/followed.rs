//! A story at known times, told step by step to a [`World`] of its own, which knows what quiet is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use squall_nodes::{Change, Cut, DiskAtBoot, DiskState, HostId, Links, Resident, Span, Time, World};

use super::Course;
use crate::plan::{Clock, Fault, Layer, Step, Target, Trigger, address_of};
use crate::scenario::cast::host_of;

/// How many steps following a story may take, about: a tenth of a second. A step is a host that was looked at, or a link.
const MOST_EFFORT: u64 = 30_000_000;
/// What a law of a link takes, in such steps.
const EFFORT_OF_LAW: u64 = 30;

/// The longest time for which some group is quiet; `None` when it takes too long to find.
///
/// No step of the story waits for anything. Queues of links that are full, which only a run knows of, are not.
pub(super) fn followed(course: &Course<'_>) -> Option<Span> {
    let mut story = Story::new(course);
    while let Some(Reverse((at, _, next))) = story.coming.pop() {
        if at >= Time::ZERO + course.limit {
            continue;
        }
        if story.effort + story.world.effort() > MOST_EFFORT {
            return None;
        }
        story.reach(at);
        match next {
            Coming::Boot(host) => story.boot(host, DiskAtBoot::Fresh),
            Coming::Step(step) => story.step(step),
            Coming::Turn(flap) => story.turn(flap),
        }
    }
    story.reach(Time::ZERO + course.limit);
    Some(story.longest)
}

struct Story<'p> {
    course: &'p Course<'p>,
    world: World,
    /// What comes, as a run has it: by time, then in the order in which it was found to come.
    coming: BinaryHeap<Reverse<(Time, u64, Coming)>>,
    found: u64,
    machines: Vec<State>,
    /// The layers that are there, in the order in which they were laid.
    layers: Vec<Laid<'p>>,
    numbers: u32,
    now: Time,
    longest: Span,
    effort: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    Boot(HostId),
    Step(usize),
    Turn(u32),
}

#[derive(Clone, Copy)]
struct State {
    power: Power,
    slow: u32,
    ailing: u32,
    drift_ppm: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    /// It has not booted yet.
    Off,
    Down,
    Running,
    Paused,
}

/// A layer that is there.
enum Laid<'p> {
    Cut(u32, Cut),
    Flap {
        /// Its own number.
        flap: u32,
        cut: Cut,
        down: Span,
        up: Span,
        /// The number of the cut, while it cuts.
        cutting: Option<u32>,
    },
    Other(&'p Layer),
}

impl<'p> Story<'p> {
    fn new(course: &'p Course<'p>) -> Self {
        let hosts = || course.hosts.iter().zip((0..).map(HostId));
        let residents = hosts().map(|(host, id)| Resident {
            name: String::new(),
            ip: address_of(id),
            up: host.starts == Time::ZERO,
            drift_ppm: host.drift_ppm,
        });
        let machines = hosts().map(|(host, _)| State {
            power: if host.starts == Time::ZERO {
                Power::Running
            } else {
                Power::Off
            },
            slow: 0,
            ailing: 0,
            drift_ppm: i64::from(host.drift_ppm),
        });
        let mut story = Story {
            course,
            world: World::new(residents, Links::Tolerated),
            coming: BinaryHeap::new(),
            found: 0,
            machines: machines.collect(),
            layers: Vec::new(),
            numbers: 0,
            now: Time::ZERO,
            longest: Span::ZERO,
            effort: 0,
        };
        for (host, id) in hosts().filter(|(host, _)| host.starts > Time::ZERO) {
            story.expect(host.starts, Coming::Boot(id));
        }
        for (index, step) in course.steps.iter().enumerate() {
            match step.trigger {
                Trigger::At(at) => story.expect(at, Coming::Step(index)),
                Trigger::Every { first, .. } => story.expect(first, Coming::Step(index)),
                // Not in a story that is followed.
                Trigger::When { .. } => {}
            }
        }
        story
    }

    fn expect(&mut self, at: Time, what: Coming) {
        self.found += 1;
        self.coming.push(Reverse((at, self.found, what)));
    }

    /// Comes to a time: who has been quiet until then has been for so long.
    fn reach(&mut self, at: Time) {
        if at > self.now {
            let quiet = self
                .world
                .groups()
                .iter()
                .map(|group| at.since(group.quiet_since));
            self.longest = quiet.fold(self.longest, Span::max);
            self.effort += self.world.groups().len() as u64;
            self.now = at;
        }
    }

    fn change(&mut self, change: &Change) {
        self.world.apply(self.now, change);
    }

    fn step(&mut self, index: usize) {
        let Step { trigger, fault, .. } = &self.course.steps[index];
        if let Trigger::Every { interval, until, .. } = trigger {
            let next = self.now + *interval;
            if next < *until {
                self.expect(next, Coming::Step(index));
            }
        }
        self.effort += 1;
        match fault {
            Fault::Crash(how, who) => self.each(who, |story, host| {
                if matches!(story.power(host), Power::Running | Power::Paused) {
                    story.machines[host.index()].power = Power::Down;
                    story.change(&Change::Down { host, how: *how });
                }
            }),
            Fault::Restart { who, .. } => self.each(who, |story, host| {
                if story.power(host) == Power::Down {
                    story.boot(host, DiskAtBoot::Kept);
                }
            }),
            Fault::Pause(who) => self.each(who, |story, host| {
                if story.power(host) == Power::Running {
                    story.machines[host.index()].power = Power::Paused;
                    story.change(&Change::Paused { host });
                }
            }),
            Fault::Resume(who) => self.each(who, |story, host| {
                if story.power(host) == Power::Paused {
                    story.machines[host.index()].power = Power::Running;
                    story.change(&Change::Resumed { host });
                }
            }),
            Fault::Jump { who, by } => self.each(who, |story, host| {
                story.change(&Change::Jumped { host, by: *by });
            }),
            Fault::Lay(layer) => self.lay(layer),
            Fault::Heal(layer) => {
                if let Some(place) = self.latest(layer) {
                    self.heal(place);
                }
            }
            Fault::HealAll => {
                let is_over_links =
                    |laid: &Laid<'_>| !matches!(laid, Laid::Other(layer) if !layer.is_over_links());
                while let Some(place) = self.layers.iter().position(is_over_links) {
                    self.heal(place);
                }
            }
        }
    }

    fn each(&mut self, who: &[Target], mut act: impl FnMut(&mut Self, HostId)) {
        self.effort += who.len() as u64;
        for host in who.iter().filter_map(host_of) {
            act(self, host);
        }
    }

    fn power(&self, host: HostId) -> Power {
        self.machines[host.index()].power
    }

    fn boot(&mut self, host: HostId, disk: DiskAtBoot) {
        self.machines[host.index()].power = Power::Running;
        self.change(&Change::Up {
            host,
            incarnation: 0,
            disk,
        });
    }

    fn lay(&mut self, layer: &'p Layer) {
        match layer {
            Layer::Cut(plan) => {
                let cut = plan.resolve(self.course.hosts.len(), None);
                let layer = self.number();
                self.layers.push(Laid::Cut(layer, cut.clone()));
                self.change(&Change::Cut { layer, cut });
            }
            Layer::Flap { cut, down, up } => {
                let flap = self.number();
                self.layers.push(Laid::Flap {
                    flap,
                    cut: cut.resolve(self.course.hosts.len(), None),
                    down: *down,
                    up: *up,
                    cutting: None,
                });
                self.turn(flap);
            }
            other => {
                self.layers.push(Laid::Other(other));
                self.felt(other, 1);
            }
        }
    }

    /// The latest layer that an equal fault has laid.
    fn latest(&mut self, layer: &Layer) -> Option<usize> {
        self.effort += self.layers.len() as u64;
        let hosts = self.course.hosts.len();
        let layers = &self.layers;
        match layer {
            Layer::Cut(plan) => {
                let healed = plan.resolve(hosts, None);
                layers
                    .iter()
                    .rposition(|laid| matches!(laid, Laid::Cut(_, cut) if *cut == healed))
            }
            Layer::Flap { cut, down, up } => {
                let healed = (&cut.resolve(hosts, None), down, up);
                layers.iter().rposition(
                    |laid| matches!(laid, Laid::Flap { cut, down, up, .. } if (cut, down, up) == healed),
                )
            }
            other => layers
                .iter()
                .rposition(|laid| matches!(laid, Laid::Other(layer) if *layer == other)),
        }
    }

    fn heal(&mut self, place: usize) {
        self.effort += self.layers.len() as u64;
        match self.layers.remove(place) {
            Laid::Cut(layer, _)
            | Laid::Flap {
                cutting: Some(layer), ..
            } => self.change(&Change::Healed { layer }),
            // While it is open, nobody sees that it will not cut again.
            Laid::Flap { cutting: None, .. } => {}
            Laid::Other(layer) => self.felt(layer, -1),
        }
    }

    /// A flap cuts, or opens, unless it was healed in the meantime.
    fn turn(&mut self, which: u32) {
        let fresh = self.number();
        self.effort += self.layers.len() as u64;
        let found = self.layers.iter_mut().find_map(|laid| match laid {
            Laid::Flap {
                flap,
                cut,
                down,
                up,
                cutting,
            } if *flap == which => Some((cut, *down, *up, cutting)),
            _ => None,
        });
        let Some((cut, down, up, cutting)) = found else {
            return;
        };
        let (change, next) = match cutting.take() {
            Some(layer) => (Change::Healed { layer }, up),
            None => {
                *cutting = Some(fresh);
                let cut = cut.clone();
                (Change::Cut { layer: fresh, cut }, down)
            }
        };
        self.expect(self.now + next, Coming::Turn(which));
        self.change(&change);
    }

    /// What a layer that is no cut does when it is laid or, `by` −1, healed.
    fn felt(&mut self, layer: &Layer, by: i64) {
        let count = |count: u32| count.saturating_add_signed(if by > 0 { 1 } else { -1 });
        match layer {
            Layer::Slow { who, by: length } => self.each(who, |story, host| {
                let machine = &mut story.machines[host.index()];
                machine.slow = count(machine.slow);
                // How slow it is is not the question.
                let by = if machine.slow > 0 { *length } else { Span::ZERO };
                story.change(&Change::Slowed { host, by });
            }),
            Layer::SlowDisk { who, .. } | Layer::FailingDisk { who, .. } => self.each(who, |story, host| {
                let machine = &mut story.machines[host.index()];
                let was = machine.ailing;
                machine.ailing = count(was);
                let state = match machine.ailing {
                    0 => DiskState::Sound,
                    _ => DiskState::Ailing,
                };
                // A disk that stays as ill as it was is no change.
                if (was > 0) != (machine.ailing > 0) {
                    story.change(&Change::Disk { host, state });
                }
            }),
            Layer::Drift { who, ppm } => self.each(who, |story, host| {
                let machine = &mut story.machines[host.index()];
                let rate = |drift: i64| drift.clamp(Clock::SLOWEST_PPM.into(), Clock::FASTEST_PPM.into());
                let was = rate(machine.drift_ppm);
                machine.drift_ppm += by * i64::from(*ppm);
                let ppm = rate(machine.drift_ppm);
                if ppm != was {
                    // Within the bounds of a clock, which are those of 32 bits and more.
                    let ppm = i32::try_from(ppm).unwrap_or(Clock::FASTEST_PPM);
                    story.change(&Change::Drift { host, ppm });
                }
            }),
            Layer::Links { .. } => {
                let beyond = self.beyond();
                self.change(&Change::Links { beyond });
            }
            Layer::Cut(_) | Layer::Flap { .. } => {}
        }
    }

    /// The links that are beyond what is tolerated, sorted.
    fn beyond(&mut self) -> Vec<(HostId, HostId)> {
        let mut laws = BTreeMap::new();
        for laid in &self.layers {
            let Laid::Other(Layer::Links { from, to, change }) = laid else {
                continue;
            };
            self.effort += EFFORT_OF_LAW * from.len() as u64 * to.len() as u64;
            if self.effort > MOST_EFFORT {
                // The story is given up when it comes to its next step.
                return Vec::new();
            }
            for from in from.iter().filter_map(host_of) {
                for to in to.iter().filter_map(host_of).filter(|to| *to != from) {
                    let network = self.course.network;
                    let law = laws
                        .entry((from, to))
                        .or_insert_with(|| network.law(from, to).as_ref().clone());
                    *law = change.over(law);
                }
            }
        }
        laws.retain(|_, law| !law.is_within(&self.course.tolerated));
        laws.into_keys().collect()
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }
}
