//! A fluent way to make plans for the test protocol.

use std::sync::Arc;

use squall_nodes::{Crash, HostId, HostKey, Placed, Span, Time, Tolerance};
use squall_sim::machine::{Lateness, Machine};
use squall_sim::plan::{
    Clock, Cue, CutPlan, DiskOnRestart, Expect, Fault, Latency, Layer, LinkChange, LinkLaw, Measure, Network,
    Origin, Plan, PlannedHost, PlannedInvariant, Step, StreamLaw, Target, Trigger, Work, Zones, address_of,
};
use squall_sim::{Outcome, Prepared};

use crate::node::{Puppets, Rule, Script};
use crate::stories::Story;

/// The hosts, in the order in which a test names them.
pub(crate) const A: HostId = HostId(0);
pub(crate) const B: HostId = HostId(1);
pub(crate) const C: HostId = HostId(2);
pub(crate) const D: HostId = HostId(3);

pub(crate) const fn us(us: u64) -> Span {
    Span::from_micros(us)
}

pub(crate) const fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

/// The instant `after` the beginning.
pub(crate) fn at(after: Span) -> Time {
    Time::ZERO + after
}

/// A plan in the making: links take a millisecond and writes ten, and it ends after a second.
pub(crate) fn plan() -> Draft {
    Draft(Plan {
        scenario: "by hand".to_owned(),
        rules: "Standard",
        hosts: Vec::new(),
        network: Network::of(link(Latency::Constant(ms(1)))),
        persist: Latency::Constant(ms(10)),
        lateness: None,
        timeline: Vec::new(),
        workload: Vec::new(),
        limit: Span::from_secs(1),
        max_events: 1_000_000,
        invariants: Vec::new(),
        measures: Vec::new(),
        expect: Expect::Held,
        tolerated: Tolerance {
            loss: 0.05,
            latency: ms(100),
        },
        live_tolerance: Span::ZERO,
    })
}

/// A link that does nothing to datagrams but take its time.
pub(crate) fn link(latency: Latency) -> LinkLaw {
    LinkLaw::delaying(latency)
}

pub(crate) struct Draft(Plan<Puppets>);

impl Draft {
    /// The same once more, as far as its hosts, its links and its timeline go.
    pub(crate) fn again(&self) -> Self {
        let mut again = plan().limit(self.0.limit);
        for PlannedHost {
            placed,
            key,
            starts,
            clock,
        } in &self.0.hosts
        {
            again.0.hosts.push(PlannedHost {
                placed: Placed {
                    name: placed.name.clone(),
                    ip: placed.ip,
                    role: placed.role.clone(),
                    config: (),
                },
                key: *key,
                starts: *starts,
                clock: *clock,
            });
        }
        again.0.network = self.0.network.clone();
        again.0.persist = self.0.persist.clone();
        again.0.timeline = self.0.timeline.clone();
        again
    }

    pub(crate) fn host(self, name: &str, rules: impl Into<Vec<Rule>>) -> Self {
        self.late_host(name, Span::ZERO, rules)
    }

    pub(crate) fn late_host(mut self, name: &str, starts: Span, rules: impl Into<Vec<Rule>>) -> Self {
        let id = HostId(self.0.hosts.len() as u32);
        self.0.hosts.push(PlannedHost {
            placed: Placed {
                name: name.to_owned(),
                ip: address_of(id),
                role: Script::new(rules),
                config: (),
            },
            key: HostKey::of(name),
            starts: at(starts),
            clock: Clock::default(),
        });
        self
    }

    /// What of the timeline lays the first layer.
    pub(crate) fn first_laid(&self) -> Option<Fault> {
        let mut faults = self.0.timeline.iter().map(|step| &step.fault);
        faults.find(|fault| matches!(fault, Fault::Lay(_))).cloned()
    }

    /// What all links are like that are not named.
    pub(crate) fn links(mut self, law: LinkLaw) -> Self {
        self.0.network.default = Arc::new(law);
        self
    }

    pub(crate) fn link(mut self, from: HostId, to: HostId, law: LinkLaw) -> Self {
        self.0.network.links.push(((from, to), Arc::new(law)));
        self.0.network.links.sort_unstable_by_key(|(pair, _)| *pair);
        self
    }

    /// What the kernels go by in streams.
    pub(crate) fn streams(mut self, law: StreamLaw) -> Self {
        self.0.network.streams = law;
        self
    }

    pub(crate) fn zones(mut self, zones: Zones) -> Self {
        self.0.network.zones = zones;
        self
    }

    pub(crate) fn persist_takes(mut self, latency: Latency) -> Self {
        self.0.persist = latency;
        self
    }

    pub(crate) fn timers_are_late(mut self, by: Latency) -> Self {
        self.0.lateness = Some(Lateness::always(by));
        self
    }

    /// As late as on a machine.
    pub(crate) fn on(mut self, machine: &Machine) -> Self {
        self.0.lateness = Some(Lateness::of(machine));
        self
    }

    pub(crate) fn live_tolerance(mut self, tolerance: Span) -> Self {
        self.0.live_tolerance = tolerance;
        self
    }

    /// The clock of the host that was added last.
    pub(crate) fn clock(mut self, offset: Span, drift_ppm: i32) -> Self {
        if let Some(host) = self.0.hosts.last_mut() {
            host.clock = Clock { offset, drift_ppm };
        }
        self
    }

    pub(crate) fn at(self, after: Span, fault: Fault) -> Self {
        self.step(Trigger::At(at(after)), fault)
    }

    pub(crate) fn every(self, first: Span, interval: Span, until: Span, fault: Fault) -> Self {
        let (first, until) = (at(first), at(until));
        self.step(
            Trigger::Every {
                first,
                interval,
                until,
            },
            fault,
        )
    }

    /// At the first claim of a fact, by anyone, at once.
    pub(crate) fn when(self, fact: usize, fault: Fault) -> Self {
        let trigger = Trigger::When {
            cue: Cue::Fact(fact),
            by: Vec::new(),
            nth: 1,
            after: Span::ZERO,
        };
        self.step(trigger, fault)
    }

    pub(crate) fn step(mut self, trigger: Trigger, fault: Fault) -> Self {
        let label = format!("{} #{}", fault.kind(), self.0.timeline.len());
        self.0.timeline.push(Step {
            trigger,
            fault,
            label,
        });
        self
    }

    /// What reports call the step that was added last.
    pub(crate) fn labelled(mut self, label: &str) -> Self {
        if let Some(step) = self.0.timeline.last_mut() {
            label.clone_into(&mut step.label);
        }
        self
    }

    pub(crate) fn call(mut self, after: Span, of: HostId, command: &str) -> Self {
        self.0.workload.push(Work {
            first: at(after),
            interval: None,
            until: Time::MAX,
            of: vec![of],
            command: command.to_owned(),
            label: format!("call {command}"),
        });
        self
    }

    pub(crate) fn calls(mut self, interval: Span, until: Span, of: &[HostId], command: &str) -> Self {
        self.0.workload.push(Work {
            first: at(interval),
            interval: Some(interval),
            until: at(until),
            of: of.to_vec(),
            command: command.to_owned(),
            label: format!("calls {command}"),
        });
        self
    }

    pub(crate) fn invariant(mut self, kind: usize, name: &str, params: &str, origin: Origin) -> Self {
        self.0.invariants.push(PlannedInvariant {
            kind,
            name: format!("puppets.{name}"),
            params: params.to_owned(),
            origin,
        });
        self
    }

    pub(crate) fn measure(mut self, measure: Measure) -> Self {
        self.0.measures.push(measure);
        self
    }

    pub(crate) fn limit(mut self, limit: Span) -> Self {
        self.0.limit = limit;
        self
    }

    pub(crate) fn max_events(mut self, max_events: u64) -> Self {
        self.0.max_events = max_events;
        self
    }

    pub(crate) fn expect(mut self, expect: Expect) -> Self {
        self.0.expect = expect;
        self
    }

    pub(crate) fn prepare(self) -> impl Prepared {
        squall_sim::prepare(self.0, 0)
    }

    pub(crate) fn run(self, seed: u64) -> Outcome {
        self.prepare().worker().run(seed)
    }

    pub(crate) fn trace(self, seed: u64) -> Story {
        let (outcome, trace) = self.prepare().worker().trace(seed);
        Story { outcome, trace }
    }
}

pub(crate) fn targets(hosts: &[HostId]) -> Vec<Target> {
    hosts.iter().copied().map(Target::Host).collect()
}

pub(crate) fn kill(hosts: &[HostId]) -> Fault {
    Fault::Crash(Crash::Kill, targets(hosts))
}

pub(crate) fn lay(cut: CutPlan) -> Fault {
    Fault::Lay(Layer::Cut(cut))
}

pub(crate) fn heal(cut: CutPlan) -> Fault {
    Fault::Heal(Layer::Cut(cut))
}

pub(crate) fn kill_actor() -> Fault {
    Fault::Crash(Crash::Kill, vec![Target::Actor])
}

pub(crate) fn lay_over(layer: Layer) -> Fault {
    Fault::Lay(layer)
}

pub(crate) fn heal_layer(layer: Layer) -> Fault {
    Fault::Heal(layer)
}

pub(crate) fn slow(hosts: &[HostId], by: Span) -> Layer {
    Layer::Slow {
        who: targets(hosts),
        by,
    }
}

pub(crate) fn slow_disk(hosts: &[HostId], by: Span) -> Layer {
    Layer::SlowDisk {
        who: targets(hosts),
        by,
    }
}

pub(crate) fn failing_disk(hosts: &[HostId], share: f64) -> Layer {
    Layer::FailingDisk {
        who: targets(hosts),
        share,
    }
}

pub(crate) fn drift(hosts: &[HostId], ppm: i32) -> Layer {
    Layer::Drift {
        who: targets(hosts),
        ppm,
    }
}

pub(crate) fn jump(hosts: &[HostId], by: Span) -> Fault {
    Fault::Jump {
        who: targets(hosts),
        by,
    }
}

pub(crate) fn restart_with(hosts: &[HostId], disk: DiskOnRestart) -> Fault {
    Fault::Restart {
        who: targets(hosts),
        disk,
    }
}

pub(crate) fn restart(hosts: &[HostId]) -> Fault {
    Fault::Restart {
        who: targets(hosts),
        disk: DiskOnRestart::Kept,
    }
}

pub(crate) fn restart_wiped(hosts: &[HostId]) -> Fault {
    Fault::Restart {
        who: targets(hosts),
        disk: DiskOnRestart::Wiped,
    }
}

pub(crate) fn pause(hosts: &[HostId]) -> Fault {
    Fault::Pause(targets(hosts))
}

pub(crate) fn resume(hosts: &[HostId]) -> Fault {
    Fault::Resume(targets(hosts))
}

pub(crate) fn partition(groups: &[&[HostId]]) -> CutPlan {
    CutPlan::Partition(groups.iter().map(|group| targets(group)).collect())
}

pub(crate) fn one_way(from: &[HostId], to: &[HostId]) -> CutPlan {
    CutPlan::OneWay {
        from: targets(from),
        to: targets(to),
    }
}

/// `over` reaches everyone, and the sides nobody else.
pub(crate) fn bridge(over: &[HostId], sides: &[&[HostId]]) -> CutPlan {
    CutPlan::Bridge {
        over: targets(over),
        sides: sides.iter().map(|side| targets(side)).collect(),
    }
}

pub(crate) fn ring(hosts: &[HostId], reach: u32) -> CutPlan {
    CutPlan::Ring {
        hosts: targets(hosts),
        reach,
    }
}

pub(crate) fn flap(cut: CutPlan, down: Span, up: Span) -> Layer {
    Layer::Flap { cut, down, up }
}

/// What lies over the links from some hosts to others.
pub(crate) fn changed(from: &[HostId], to: &[HostId], change: LinkChange) -> Layer {
    Layer::Links {
        from: targets(from),
        to: targets(to),
        change,
    }
}
