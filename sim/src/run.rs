//! Runs: a plan and a seed in, an outcome out. This is the one public path to the engine.

use std::sync::atomic::{AtomicBool, Ordering};

use squall_nodes::{
    Outbox, Placed, Promise, Protocol, Setup, Span, Tolerance, Unwitnessed, drive, ron_options,
};

use crate::engine::{End, Engine, MOST_CONNECTIONS, MOST_EFFORT, MOST_HELD, MOST_LAYERS};
use crate::machine::{Calibrated, Machine};
use crate::outcome::Outcome;
use crate::plan::{Expect, Origin, Plan, PlannedInvariant};
use crate::runner::{Happens, HostCast, LOOK_EACH, LawCast, Prepared, PromiseMade, Runner, Stopped, Worker};
use crate::scenario::{Complaints, ScenarioFile, never_judged, resolve, resolved};
use crate::trace::{Happening, Trace};
use crate::tracer::{Depth, Tracer};
use crate::verdict::{Answer, Done};

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

impl<P: Protocol> Ready<P> {
    /// What invariants may know before the run.
    fn setup(&self) -> Setup<'_, P::Node> {
        Setup {
            hosts: &self.placed,
            rules: self.plan.rules,
            tolerated: self.plan.tolerated,
            streams: self.plan.network.streams,
        }
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

    fn tolerated(&self) -> Tolerance {
        self.plan.tolerated
    }

    fn timeline(&self) -> Vec<Happens> {
        crate::words::timeline(&self.plan)
    }

    fn workload(&self) -> Vec<Happens> {
        crate::words::workload(&self.plan)
    }

    fn promises(&self) -> Vec<PromiseMade> {
        let setup = self.setup();
        let kinds = P::invariants();
        let made = |planned: &PlannedInvariant| {
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
        let (setup, kinds) = (self.setup(), P::invariants());
        let is_of_others = |planned: &&PlannedInvariant| {
            planned.origin == Origin::Written && !kinds[planned.kind].applies(&setup)
        };
        let of_others = self.plan.invariants.iter().filter(is_of_others).map(|planned| {
            format!(
                "{} is written, and is nothing that {} promises of a cluster of such hosts: no run judges it, or what a run says of it means \
                 nothing; take it out of `invariants`",
                planned.name,
                P::NAME
            )
        });
        of_others
            .chain(never_judged(&self.plan, &self.promises()))
            .collect()
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
    fn run_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<Outcome, Stopped> {
        self.run_with(seed, None, stop)
    }

    fn seen_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        self.traced(seed, Depth::Seen, stop)
    }

    fn trace_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        self.traced(seed, Depth::All, stop)
    }
}

impl<P: Protocol> Bench<'_, P> {
    fn traced(&mut self, seed: u64, depth: Depth, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        let hosts = self
            .ready
            .placed
            .iter()
            .map(|placed| placed.name.clone())
            .collect();
        let ips = self.ready.placed.iter().map(|placed| placed.ip).collect();
        let tracer = Tracer::new(hosts, ips, [P::describer(), P::describer()], depth);
        let outcome = self.run_with(seed, Some(Box::new(tracer)), stop);
        let trace = self.engine.take_trace().unwrap_or_default();
        Ok((outcome?, trace))
    }

    fn run_with(
        &mut self,
        seed: u64,
        tracer: Option<Box<Tracer>>,
        stop: &AtomicBool,
    ) -> Result<Outcome, Stopped> {
        self.engine.reset(seed, tracer);
        while self.engine.ended.is_none() {
            if stop.load(Ordering::Relaxed) {
                return Err(Stopped { at: self.engine.now });
            }
            self.engine.rest_at = self.engine.events.saturating_add(LOOK_EACH);
            drive(&mut self.engine, &mut self.outbox, &mut Unwitnessed);
        }
        Ok(self.outcome(seed))
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
        let cut_short = cut_short(&self.engine);
        let engine = &self.engine;
        let Answer {
            verdict,
            as_expected,
            doubts,
        } = Answer::of(
            plan,
            violation.as_ref(),
            &Done {
                faults: &engine.faults,
                calls: &engine.calls_made,
                invariants: &invariants,
                unlaid: &engine.unlaid,
                missed: &[],
            },
            cut_short,
        );
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
}

/// Why a run was stopped before its end, if it was.
fn cut_short<P: Protocol>(engine: &Engine<'_, P>) -> Option<String> {
    let plan = engine.plan;
    match engine.ended {
        Some(End::TooManyEvents) => Some(format!(
            "the run was stopped after {} events, at {}; raise max_events, lower limit, or take fewer hosts",
            plan.max_events, engine.now
        )),
        Some(End::QueueFull) => Some(format!(
            "the run was stopped at {}, when more events were waiting than fit",
            engine.now
        )),
        Some(End::TooMuchHeld) => Some(format!(
            "the run was stopped at {}, when more than {} GiB lay on disks, waited behind writes and for paused hosts, and \
             were on their way; make persist, the pauses or latencies shorter, lower limit, or take fewer hosts",
            engine.now,
            MOST_HELD >> 30
        )),
        Some(End::TooMuchEffort) => Some(format!(
            "the run was stopped at {}, when it had taken more than {} billion steps to follow who reaches whom \
             and what faults wait for; let faults come less often, heal cuts, let fewer wait, or take fewer hosts",
            engine.now,
            MOST_EFFORT / 1_000_000_000
        )),
        Some(End::TooManyLayers) => Some(format!(
            "the run was stopped at {}, when more than {MOST_LAYERS} layers lay over the links or over the hosts; \
             heal them, or lay them less often",
            engine.now
        )),
        Some(End::TooManyConnections) => Some(format!(
            "the run was stopped at {}, when there were more than {MOST_CONNECTIONS} connections; close them, dial fewer, or \
             take fewer hosts",
            engine.now
        )),
        Some(End::NotSimulated { host, what }) => Some(format!(
            "the run was stopped at {}: {} asked for {what}, which this version does not simulate",
            engine.now,
            plan.hosts[host.index()].placed.name
        )),
        Some(End::Limit | End::Violated) | None => None,
    }
}
