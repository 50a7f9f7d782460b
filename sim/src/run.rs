//! Runs: a plan and a seed in, an outcome out. This is the one public path to the engine.

use squall_nodes::{Outbox, Placed, Promise, Protocol, Setup, Span, Unwitnessed, drive, ron_options};

use crate::engine::{End, Engine, MOST_EFFORT, MOST_HELD, MOST_LAYERS};
use crate::machine::{Calibrated, Machine};
use crate::outcome::{FaultDone, InvariantDone, Outcome, Verdict};
use crate::plan::{DiskOnRestart, Expect, Fault, Layer, Origin, Plan};
use crate::runner::{HostCast, LawCast, Prepared, PromiseMade, Runner, Worker};
use crate::scenario::{Complaints, ScenarioFile, never_judged, resolve, resolved};
use crate::trace::{Happening, Trace};
use crate::tracer::{Depth, Tracer};

/// A protocol for the command line, behind an object-safe door.
pub fn registered<P: Protocol>() -> Box<dyn Runner> {
    Box::new(Registered::<P>(std::marker::PhantomData))
}

/// Makes a plan ready to run, any number of times and on any number of threads.
pub fn prepare<P: Protocol>(plan: Plan<P>, seed: u64) -> impl Prepared {
    let placed = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    Ready { plan, placed, seed }
}

struct Registered<P>(std::marker::PhantomData<P>);

struct Ready<P: Protocol> {
    plan: Plan<P>,
    placed: Vec<Placed<P::Node>>,
    /// The seed that is taken when none is given.
    seed: u64,
}

struct Bench<'p, P: Protocol> {
    ready: &'p Ready<P>,
    engine: Engine<'p, P>,
    outbox: Outbox<P::Node>,
}

impl<P: Protocol> Runner for Registered<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        P::ABOUT
    }

    fn rules(&self) -> &'static [&'static str] {
        P::RULES
    }

    fn profiles(&self) -> &'static [&'static str] {
        P::PROFILES
    }

    fn invariants(&self) -> Vec<(&'static str, &'static str)> {
        P::invariants()
            .iter()
            .map(|kind| (kind.name(), kind.says()))
            .collect()
    }

    fn facts(&self) -> &'static [&'static str] {
        <<P::Node as squall_nodes::Node>::Fact as squall_nodes::Fact>::NAMES
    }

    fn prepare(&self, file: &ScenarioFile, rules: &'static str) -> Result<Box<dyn Prepared>, Complaints> {
        Ok(Box::new(prepare(resolve::<P>(file, rules)?, file.seed())))
    }

    fn prepare_on(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        machine: &Machine,
    ) -> Result<(Box<dyn Prepared>, Calibrated), Complaints> {
        let mut plan = resolve::<P>(file, rules)?;
        let calibrated = machine.lay_under(&mut plan);
        Ok((Box::new(prepare(plan, file.seed())), calibrated))
    }

    fn resolved(&self, file: &ScenarioFile) -> Result<String, Complaints> {
        resolved::<P>(file)
    }
}

impl<P: Protocol> Prepared for Ready<P> {
    fn scenario(&self) -> &str {
        &self.plan.scenario
    }

    fn rules(&self) -> &'static str {
        self.plan.rules
    }

    fn expect(&self) -> &Expect {
        &self.plan.expect
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn limit(&self) -> Span {
        self.plan.limit
    }

    fn hosts(&self) -> Vec<HostCast> {
        let zones = &self.plan.network.zones;
        let zone_of = |place: usize| zones.of.get(place).copied().flatten();
        let hosts = self.placed.iter().zip(&self.plan.hosts).enumerate();
        hosts
            .map(|(place, (placed, host))| HostCast {
                name: placed.name.clone(),
                // A role that RON cannot write is still told apart by its `Debug` form.
                role: ron_options()
                    .to_string(&placed.role)
                    .unwrap_or_else(|_| format!("{:?}", placed.role)),
                zone: zone_of(place).map(|zone| zones.names[zone as usize].clone()),
                clock: host.clock,
            })
            .collect()
    }

    fn laws(&self) -> Vec<LawCast> {
        crate::words::laws(&self.plan)
    }

    fn promises(&self) -> Vec<PromiseMade> {
        let setup = Setup {
            hosts: &self.placed,
            rules: self.plan.rules,
            tolerated: self.plan.tolerated,
        };
        let kinds = P::invariants();
        let made = |planned: &crate::plan::PlannedInvariant| {
            let kind = &kinds[planned.kind];
            let built = kind
                .build(&planned.params, &setup)
                .expect("parameters are checked when a plan is made");
            let (promise, by_default): (Promise, Promise) = (built.promise, built.by_default);
            PromiseMade {
                name: planned.name.clone(),
                says: kind.says(),
                promise,
                by_default,
                origin: planned.origin,
            }
        };
        self.plan.invariants.iter().map(made).collect()
    }

    fn never_judged(&self) -> Vec<String> {
        never_judged(&self.plan, &self.promises())
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(Bench {
            ready: self,
            engine: Engine::new(&self.plan, &self.placed),
            outbox: Outbox::new(),
        })
    }
}

impl<P: Protocol> Worker for Bench<'_, P> {
    fn run(&mut self, seed: u64) -> Outcome {
        self.run_with(seed, None)
    }

    fn seen(&mut self, seed: u64) -> (Outcome, Trace) {
        self.traced(seed, Depth::Seen)
    }

    fn trace(&mut self, seed: u64) -> (Outcome, Trace) {
        self.traced(seed, Depth::All)
    }
}

impl<P: Protocol> Bench<'_, P> {
    fn traced(&mut self, seed: u64, depth: Depth) -> (Outcome, Trace) {
        let hosts = self
            .ready
            .placed
            .iter()
            .map(|placed| placed.name.clone())
            .collect();
        let ips = self.ready.placed.iter().map(|placed| placed.ip).collect();
        let tracer = Tracer::new(hosts, ips, P::describer(), depth);
        let outcome = self.run_with(seed, Some(Box::new(tracer)));
        (outcome, self.engine.take_trace().unwrap_or_default())
    }

    fn run_with(&mut self, seed: u64, tracer: Option<Box<Tracer>>) -> Outcome {
        self.engine.reset(seed, tracer);
        drive(&mut self.engine, &mut self.outbox, &mut Unwitnessed);
        self.outcome(seed)
    }

    fn outcome(&mut self, seed: u64) -> Outcome {
        let engine = &mut self.engine;
        let plan = engine.plan;
        let violation = engine.judge.violation.take();
        if let Some(violation) = &violation {
            let invariant = violation.invariant.clone();
            engine.trace(None, || Happening::Violated { invariant });
        }
        let invariants = engine.judge.done();
        let doubts = if violation.is_some() {
            Vec::new()
        } else {
            self.doubts(&invariants)
        };
        let verdict = match (&violation, doubts.is_empty()) {
            (Some(_), _) => Verdict::Violated,
            (None, true) => Verdict::Held,
            (None, false) => Verdict::Inconclusive,
        };
        let as_expected = match (&plan.expect, &violation) {
            (Expect::Held, _) => verdict == Verdict::Held,
            (Expect::Violated(names), Some(violation)) => names.contains(&violation.invariant),
            (Expect::Violated(_), None) => false,
        };
        let engine = &mut self.engine;
        Outcome {
            scenario: plan.scenario.clone(),
            rules: plan.rules,
            seed,
            verdict,
            as_expected,
            expect: plan.expect.clone(),
            violation,
            doubts,
            digest: engine.finish_digest(),
            events: engine.events,
            virtual_time: engine.now.since(squall_nodes::Time::ZERO),
            measures: engine.stopwatches.done(),
            faults: engine.faults.clone(),
            invariants,
            traffic: engine.traffic,
        }
    }

    /// What keeps a run without a violation from being an answer: it was cut short, or something that the file asks for
    /// never happened.
    fn doubts(&self, invariants: &[InvariantDone]) -> Vec<String> {
        let (engine, plan) = (&self.engine, self.engine.plan);
        let mut doubts = Vec::new();
        match engine.ended {
            Some(End::TooManyEvents) => doubts.push(format!(
                "the run was stopped after {} events, at {}; raise max_events, lower limit, or take fewer hosts",
                plan.max_events, engine.now
            )),
            Some(End::QueueFull) => {
                doubts.push(format!("the run was stopped at {}, when more events were waiting than fit", engine.now));
            }
            Some(End::TooMuchHeld) => doubts.push(format!(
                "the run was stopped at {}, when more than {} GiB waited behind writes to disks, for paused hosts and on \
                 their way; make persist, the pauses or latencies shorter, lower limit, or take fewer hosts",
                engine.now,
                MOST_HELD >> 30
            )),
            Some(End::TooMuchEffort) => doubts.push(format!(
                "the run was stopped at {}, when it had taken more than {} billion steps to follow who reaches whom \
                 and what faults wait for; let faults come less often, heal cuts, let fewer wait, or take fewer hosts",
                engine.now,
                MOST_EFFORT / 1_000_000_000
            )),
            Some(End::TooManyLayers) => doubts.push(format!(
                "the run was stopped at {}, when more than {MOST_LAYERS} layers lay over the links or over the hosts; \
                 heal them, or lay them less often",
                engine.now
            )),
            Some(End::NotSimulated { host, what }) => doubts.push(format!(
                "the run was stopped at {}: {} asked for {what}, which this version does not simulate",
                engine.now,
                plan.hosts[host.index()].placed.name
            )),
            Some(End::Limit | End::Violated) | None => {}
        }
        if doubts.is_empty() {
            let done = engine.faults.iter().zip(&plan.timeline);
            doubts.extend(done.filter_map(|(fault, step)| fault.doubt(&step.fault)));
            let silent = |(work, calls): (&crate::plan::Work<_>, &u64)| {
                (*calls == 0).then(|| format!("{} made no call: nobody it could ask was up", work.label))
            };
            doubts.extend(plan.workload.iter().zip(&engine.calls_made).filter_map(silent));
            doubts.extend(invariants.iter().filter_map(InvariantDone::doubt));
        }
        doubts
    }
}

impl FaultDone {
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
        (self.judged == 0 && self.origin == Origin::Written)
            .then(|| format!("{} is written in the file and was never judged", self.name))
    }
}
