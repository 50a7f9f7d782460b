//! What a run is watched by: the world as it is seen, the invariants over it, the measures, the counts.

use squall_nodes::{
    Breach, Fact, HostId, Invariant, Links, Node, Placed, Promise, Protocol, Resident, Seen, Setup, Span,
    Time, World,
};

use crate::outcome::{InvariantDone, Measured, Quiet, Violation};
use crate::plan::{Measure, Moment, Origin, Plan};

/// The invariants of one run and the world that they judge.
pub struct Judge<N: Node> {
    pub(crate) world: World,
    invariants: Vec<AtWork<N>>,
    /// When the next of them wants to look.
    due: Time,
    /// The first broken promise.
    pub(crate) violation: Option<Violation>,
}

struct AtWork<N: Node> {
    name: String,
    says: &'static str,
    promise: Promise,
    origin: Origin,
    invariant: Box<dyn Invariant<N>>,
}

impl<N: Node> Judge<N> {
    /// The judge of a run that is about to begin. To build the invariants takes time: runs of one plan copy one judge.
    /// In it every promise of quiet has `slack` more time: nothing in a simulation, the scenario's tolerance in a live run, and in a
    /// simulation whose timers go off as late as a machine's.
    pub fn new<P: Protocol<Node = N>>(plan: &Plan<P>, placed: &[Placed<N>], slack: Span) -> Self {
        let setup = Setup {
            hosts: placed,
            rules: plan.rules,
            tolerated: plan.tolerated,
            streams: plan.network.streams,
        };
        let kinds = P::invariants();
        let invariants = plan
            .invariants
            .iter()
            .map(|planned| {
                let kind = &kinds[planned.kind];
                let built = kind
                    .build(&planned.params, &setup)
                    .expect("parameters are checked when a plan is made");
                AtWork {
                    name: planned.name.clone(),
                    says: kind.says(),
                    promise: built.promise,
                    origin: planned.origin,
                    invariant: built.invariant,
                }
            })
            .collect();
        let residents = plan.hosts.iter().map(|host| Resident {
            name: host.placed.name.clone(),
            ip: host.placed.ip,
            up: host.starts == Time::ZERO,
            drift_ppm: host.clock.drift_ppm,
        });
        let links = if plan.links_are_tolerated() {
            Links::Tolerated
        } else {
            Links::Beyond
        };
        let mut judge = Judge {
            world: World::new(residents, links).with_slack(slack),
            invariants,
            due: Time::MAX,
            violation: None,
        };
        judge.plan_ahead();
        judge
    }

    /// A copy in the same state.
    pub fn copy(&self) -> Self {
        let copy = |work: &AtWork<N>| AtWork {
            name: work.name.clone(),
            says: work.says,
            origin: work.origin,
            promise: work.promise,
            invariant: work.invariant.boxed_clone(),
        };
        Judge {
            world: self.world.clone(),
            invariants: self.invariants.iter().map(copy).collect(),
            due: self.due,
            violation: self.violation.clone(),
        }
    }

    /// The world as it was seen so far.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The first promise that was broken, if one was.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Every promise of quiet, and for how long a group is to be quiet before it is judged.
    pub fn promises_of_quiet(&self) -> impl Iterator<Item = (&str, Span)> {
        self.invariants.iter().filter_map(|work| match work.promise {
            Promise::InQuiet { bound } => Some((work.name.as_str(), bound)),
            Promise::Always => None,
        })
    }

    /// When an invariant wants to look again.
    pub fn due(&self) -> Time {
        self.due
    }

    /// Shows the invariants one thing.
    pub fn see(&mut self, at: Time, seen: &Seen<'_, N>) {
        if let Seen::World(change) = seen {
            self.world.apply(at, change);
        }
        for work in &mut self.invariants {
            if let Err(breach) = work.invariant.on_seen(at, seen, &self.world) {
                self.violation
                    .get_or_insert_with(|| work.violation(at, breach, &self.world));
            }
        }
        self.plan_ahead();
    }

    /// Lets those look whose time has come.
    pub fn look(&mut self, at: Time) {
        for work in &mut self.invariants {
            if work.invariant.due() <= at {
                work.look(at, &self.world, &mut self.violation);
            }
        }
        self.plan_ahead();
    }

    /// Lets all look for a last time.
    pub fn look_at_the_end(&mut self, at: Time) {
        for work in &mut self.invariants {
            work.look(at, &self.world, &mut self.violation);
        }
    }

    /// What was judged, and how often.
    pub fn done(&self) -> Vec<InvariantDone> {
        let done = |work: &AtWork<N>| InvariantDone {
            name: work.name.clone(),
            judged: work.invariant.judged(),
            undecided: work.invariant.undecided(),
            origin: work.origin,
            promise: match work.promise {
                Promise::InQuiet { bound } => Promise::InQuiet {
                    bound: bound + self.world.slack(),
                },
                Promise::Always => Promise::Always,
            },
        };
        self.invariants.iter().map(done).collect()
    }

    fn plan_ahead(&mut self) {
        self.due = self
            .invariants
            .iter()
            .map(|work| work.invariant.due())
            .min()
            .unwrap_or(Time::MAX);
    }
}

impl<N: Node> AtWork<N> {
    fn look(&mut self, at: Time, world: &World, violation: &mut Option<Violation>) {
        if let Err(breach) = self.invariant.on_due(at, world) {
            violation.get_or_insert_with(|| self.violation(at, breach, world));
        }
    }

    fn violation(&self, at: Time, breach: Breach, world: &World) -> Violation {
        let quiet = match (self.promise, breach.hosts.first()) {
            (Promise::InQuiet { bound }, Some(host)) => world.group_of(*host).map(|group| Quiet {
                since: Time::ZERO + group.quiet_since.since(Time::ZERO + world.slack()),
                bound,
                tolerance: world.slack(),
            }),
            _ => None,
        };
        Violation {
            quiet,
            invariant: self.name.clone(),
            promised: self.says.to_owned(),
            detail: breach.detail,
            at,
            hosts: breach
                .hosts
                .iter()
                .map(|host| world.name(*host).to_owned())
                .collect(),
        }
    }
}

/// The clocks of one run's measures.
pub struct Stopwatches<'p> {
    measures: &'p [Measure],
    watches: Vec<Stopwatch>,
}

#[derive(Default)]
struct Stopwatch {
    running: Option<Running>,
    samples: Vec<Span>,
}

struct Running {
    since: Time,
    /// Who is still to get there; `None` when it takes but one, whoever it is.
    waiting: Option<Vec<HostId>>,
    /// When the last of those who got there did.
    arrived: Option<Time>,
}

impl<'p> Stopwatches<'p> {
    /// All of them at rest.
    pub fn new(measures: &'p [Measure]) -> Self {
        Stopwatches {
            measures,
            watches: measures.iter().map(|_| Stopwatch::default()).collect(),
        }
    }

    /// A fault of a kind touched something.
    pub fn fault(&mut self, at: Time, kind: &'static str, world: &World) {
        self.moment(at, world, None, |moment| *moment == Moment::Fault(kind));
    }

    /// A fact was claimed.
    pub fn fact<F: Fact>(&mut self, at: Time, host: HostId, fact: &F, world: &World) {
        let index = fact.index();
        self.moment(at, world, Some(host), |moment| *moment == Moment::Fact(index));
    }

    /// A host went down: nobody waits for it any more.
    pub fn down(&mut self, host: HostId) {
        for watch in &mut self.watches {
            watch.given_up(host);
        }
    }

    /// What was measured so far.
    pub fn done(&self) -> Vec<Measured> {
        let measured = |(measure, watch): (&Measure, &Stopwatch)| Measured {
            name: measure.name.clone(),
            samples: watch.samples.clone(),
            unfinished: u32::from(watch.running.is_some()),
        };
        self.measures.iter().zip(&self.watches).map(measured).collect()
    }

    fn moment(&mut self, at: Time, world: &World, host: Option<HostId>, is: impl Fn(&Moment) -> bool) {
        for (measure, watch) in self.measures.iter().zip(&mut self.watches) {
            if watch.running.is_some() {
                if is(&measure.to) {
                    watch.reached(at, host);
                }
            } else if is(&measure.from) {
                let up =
                    |hosts: &Vec<HostId>| hosts.iter().copied().filter(|host| world.is_up(*host)).collect();
                watch.running = Some(Running {
                    since: at,
                    waiting: measure.each.as_ref().map(up),
                    arrived: None,
                });
            }
        }
    }
}

impl Stopwatch {
    /// Someone got there.
    fn reached(&mut self, at: Time, host: Option<HostId>) {
        let Some(running) = &mut self.running else { return };
        match &mut running.waiting {
            None => running.arrived = Some(at),
            Some(waiting) => {
                let before = waiting.len();
                waiting.retain(|waiting| Some(*waiting) != host);
                if waiting.len() < before {
                    running.arrived = Some(at);
                }
            }
        }
        self.stop_if_all_arrived();
    }

    /// Someone who was waited for went down.
    fn given_up(&mut self, host: HostId) {
        if let Some(Running {
            waiting: Some(waiting),
            ..
        }) = &mut self.running
        {
            waiting.retain(|waiting| *waiting != host);
            self.stop_if_all_arrived();
        }
    }

    fn stop_if_all_arrived(&mut self) {
        let Some(running) = &self.running else { return };
        match (&running.waiting, running.arrived) {
            (Some(waiting), _) if !waiting.is_empty() => {}
            (_, Some(arrived)) => {
                self.samples.push(arrived.since(running.since));
                self.running = None;
            }
            // Everyone who was waited for is down, and nobody got there: there is nothing to measure.
            (Some(_), None) => self.running = None,
            (None, None) => {}
        }
    }
}
