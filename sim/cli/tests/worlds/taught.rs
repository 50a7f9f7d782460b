//! Everything that a scenario file can say of networks, disks, clocks and faults can be learnt from one of `scenarios/`, in which
//! it makes a difference: under some rule set, with the seed of the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_nodes::counter::Counter;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_nodes::{Protocol, Span};
use squall_sim::outcome::Outcome;
use squall_sim::plan::{
    Clock, Cue, DiskOnRestart, Fault, Latency, Layer, LinkChange, LinkLaw, Plan, Trigger,
};
use squall_sim::prepare;
use squall_sim::runner::Prepared;
use squall_sim::scenario::{ScenarioFile, resolve};

use crate::library;

/// What can be learnt, in words.
type Taught = BTreeSet<String>;

#[test]
fn every_fault_trigger_disk_and_part_of_a_law_can_be_learnt_from_a_file_in_which_it_touches_something() {
    let mut taught = Taught::new();
    // What is tagged `scale` is there for its size.
    for file in library::files().iter().filter(|file| !file.is_tagged("scale")) {
        match file.protocol() {
            "counter" => teach::<Counter>(file, &mut taught),
            "echo" => teach::<Echo>(file, &mut taught),
            "hac" => teach::<Hac>(file, &mut taught),
            "leader" => teach::<Leader>(file, &mut taught),
            "refinery" => teach::<Refinery>(file, &mut taught),
            other => panic!("{}: nobody here knows the protocol {other}", file.name()),
        }
    }
    let missing: Vec<String> = all().into_iter().filter(|what| !taught.contains(what)).collect();
    assert!(missing.is_empty(), "no file teaches {}", missing.join(", "));
}

/// Everything that there is to learn.
fn all() -> Vec<String> {
    let faults = Fault::KINDS.iter().map(|kind| format!("fault {kind}"));
    let others = [
        "at",
        "every",
        "when fact",
        "when persist begun",
        "when persist completed",
        "when send",
        "disk kept",
        "disk wiped",
        "disk stale",
        "disk torn",
        "disk corrupt",
        "latency constant",
        "latency uniform",
        "latency normal",
        "latency log-normal",
        "latency exponential",
        "latency pareto",
        "latency empirical",
        "loss",
        "duplicate",
        "reorder",
        "corrupt",
        "bandwidth",
        "queue",
        "mtu",
        "zones",
        "links",
        "clock drift",
    ];
    faults.chain(others.into_iter().map(str::to_owned)).collect()
}

fn teach<P: Protocol>(file: &ScenarioFile, taught: &mut Taught) {
    for rules in P::RULES {
        let plan = || -> Plan<P> {
            resolve(file, rules).unwrap_or_else(|complaints| panic!("{}: {complaints:?}", file.name()))
        };
        let run = |plan: Plan<P>| prepare(plan, 0).worker().run(file.seed());
        let outcome = run(plan());
        faults(&plan(), &outcome, taught);
        parts(&plan(), &outcome, taught);
        // What shows in no count shows in what would have been without it.
        let mut differs = |what: &str, change: &dyn Fn(&mut Plan<P>)| {
            if taught.contains(what) {
                return;
            }
            let mut other = plan();
            change(&mut other);
            if run(other).digest != outcome.digest {
                taught.insert(what.to_owned());
            }
        };
        let name = name(&plan().network.default.latency);
        differs(name, &|plan| {
            change_default(plan, |law| {
                law.latency = Latency::Constant(law.latency.percentile_999() + Span::from_nanos(1));
            });
        });
        differs("reorder", &|plan| change_default(plan, |law| law.reorder = 0.0));
        differs("zones", &|plan| plan.network.zones.laws.clear());
        differs("links", &|plan| plan.network.links.clear());
        differs("clock drift", &|plan| {
            for host in &mut plan.hosts {
                host.clock = Clock {
                    drift_ppm: 0,
                    ..host.clock
                };
            }
        });
    }
}

fn change_default<P: Protocol>(plan: &mut Plan<P>, change: impl FnOnce(&mut LinkLaw)) {
    let mut law = plan.network.default.as_ref().clone();
    change(&mut law);
    plan.network.default = Arc::new(law);
}

/// What the timeline teaches: what happened and touched something.
fn faults<P: Protocol>(plan: &Plan<P>, outcome: &Outcome, taught: &mut Taught) {
    for (step, done) in plan.timeline.iter().zip(&outcome.faults) {
        if done.at.is_none() || done.affected == 0 {
            continue;
        }
        taught.insert(format!("fault {}", step.fault.kind()));
        let trigger = match &step.trigger {
            Trigger::At(_) => "at",
            Trigger::Every { .. } => "every",
            Trigger::When { cue, .. } => match cue {
                Cue::Fact(_) => "when fact",
                Cue::PersistBegun => "when persist begun",
                Cue::PersistCompleted => "when persist completed",
                Cue::Send(_) => "when send",
                Cue::Open(_) => "when open",
            },
        };
        taught.insert(trigger.to_owned());
        if let Fault::Restart { disk, .. } = &step.fault {
            let disk = match disk {
                DiskOnRestart::Kept => "disk kept",
                DiskOnRestart::Wiped => "disk wiped",
                DiskOnRestart::Stale => "disk stale",
                DiskOnRestart::Torn => "disk torn",
                DiskOnRestart::Corrupt => "disk corrupt",
            };
            taught.insert(disk.to_owned());
        }
    }
}

/// What became of datagrams by the parts of laws that are written, wherever they are.
fn parts<P: Protocol>(plan: &Plan<P>, outcome: &Outcome, taught: &mut Taught) {
    let laid = plan.timeline.iter().filter_map(|step| match &step.fault {
        Fault::Lay(Layer::Links { change, .. }) => Some(change.clone()),
        _ => None,
    });
    let laws = plan.network.laws().map(|law| LinkChange {
        loss: Some(law.loss),
        duplicate: Some(law.duplicate),
        corrupt: Some(law.corrupt),
        bandwidth: law.bandwidth,
        queue: Some(law.queue).filter(|queue| *queue != LinkLaw::QUEUE),
        mtu: law.mtu,
        ..LinkChange::default()
    });
    let changes: Vec<LinkChange> = laws.chain(laid).collect();
    let is_written = |part: &dyn Fn(&LinkChange) -> bool| changes.iter().any(part);
    let traffic = &outcome.traffic;
    for (what, count, written) in [
        ("loss", traffic.lost, is_written(&|law| law.loss > Some(0.0))),
        (
            "duplicate",
            traffic.duplicated,
            is_written(&|law| law.duplicate > Some(0.0)),
        ),
        (
            "corrupt",
            traffic.corrupted,
            is_written(&|law| law.corrupt > Some(0.0)),
        ),
        (
            "bandwidth",
            traffic.congested,
            is_written(&|law| law.bandwidth.is_some()),
        ),
        ("queue", traffic.congested, is_written(&|law| law.queue.is_some())),
        ("mtu", traffic.too_long, is_written(&|law| law.mtu.is_some())),
    ] {
        if written && count > 0 {
            taught.insert(what.to_owned());
        }
    }
}

fn name(latency: &Latency) -> &'static str {
    match latency {
        Latency::Constant(_) => "latency constant",
        Latency::Uniform(..) => "latency uniform",
        Latency::Normal { .. } => "latency normal",
        Latency::LogNormal { .. } => "latency log-normal",
        Latency::Exponential { .. } => "latency exponential",
        Latency::Pareto { .. } => "latency pareto",
        Latency::Empirical(_) => "latency empirical",
    }
}
