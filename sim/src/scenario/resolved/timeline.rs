//! What is done to the world and when, as files write it.

use squall_nodes::{Crash, Fact, Node, Protocol};

use super::names::Names;
use super::network::change;
use super::{span, time};
use crate::plan::{Cue, CutPlan, DiskOnRestart, Fault, Layer, Step, Target, Trigger};

/// An entry of the timeline.
pub(super) fn step<P: Protocol>(step: &Step, names: &Names<'_>) -> String {
    let Step {
        trigger,
        fault: what,
        // By what it does.
        label: _,
    } = step;
    let what = fault(what, names);
    match trigger {
        Trigger::At(at) => format!("At({}, {what}),", time(*at)),
        Trigger::Every {
            first,
            interval,
            until,
        } => format!(
            "Every(interval: \"{interval}\", from: {}, until: {}, do: {what}),",
            time(*first),
            time(*until)
        ),
        Trigger::When {
            cue: of,
            by,
            nth,
            after,
        } => {
            let of = cue::<P>(of, names);
            let by = match by.as_slice() {
                [] => String::new(),
                by => format!(", by: {}", names.hosts(by)),
            };
            format!("When({of}{by}, nth: {nth}, after: {}, do: {what}),", span(*after))
        }
    }
}

fn cue<P: Protocol>(cue: &Cue, names: &Names<'_>) -> String {
    match cue {
        Cue::Fact(fact) => format!("fact: \"{}\"", name_of_fact::<P>(*fact)),
        Cue::PersistBegun => "persist: Begun".to_owned(),
        Cue::PersistCompleted => "persist: Completed".to_owned(),
        Cue::Send(to) if to.is_empty() => "send_to: \"*\"".to_owned(),
        Cue::Send(to) => format!("send_to: {}", names.hosts(to)),
        Cue::Open(to) if to.is_empty() => "open_to: \"*\"".to_owned(),
        Cue::Open(to) => format!("open_to: {}", names.hosts(to)),
    }
}

fn fault(fault: &Fault, names: &Names<'_>) -> String {
    let who = |who: &[Target]| names.targets(who);
    match fault {
        Fault::Crash(Crash::Kill, of) => format!("Kill({})", who(of)),
        Fault::Crash(Crash::PowerCut, of) => format!("PowerCut({})", who(of)),
        Fault::Restart { who: of, disk } => match disk {
            DiskOnRestart::Kept => format!("Restart({})", who(of)),
            DiskOnRestart::Wiped => format!("Wipe({})", who(of)),
            DiskOnRestart::Stale => format!("Restart({}, Stale)", who(of)),
            DiskOnRestart::Torn => format!("Restart({}, Torn)", who(of)),
            DiskOnRestart::Corrupt => format!("Restart({}, Corrupt)", who(of)),
        },
        Fault::Pause(of) => format!("Pause({})", who(of)),
        Fault::Resume(of) => format!("Resume({})", who(of)),
        Fault::Jump { who: of, by } => format!("Jump(who: {}, by: \"{by}\")", who(of)),
        Fault::Lay(of) => layer(of, names),
        Fault::Heal(of) => format!("Heal({})", layer(of, names)),
        Fault::HealAll => "HealAll".to_owned(),
    }
}

fn layer(layer: &Layer, names: &Names<'_>) -> String {
    let who = |who: &[Target]| names.targets(who);
    match layer {
        Layer::Cut(of) => cut(of, names),
        Layer::Flap { cut: of, down, up } => {
            format!("Flap(cut: {}, down: \"{down}\", up: \"{up}\")", cut(of, names))
        }
        Layer::Links { from, to, change: of } => format!(
            "Link(from: {}, to: {}, {})",
            who(from),
            who(to),
            change(of).join(", ")
        ),
        Layer::Slow { who: of, by } => format!("Slow(who: {}, by: \"{by}\")", who(of)),
        Layer::SlowDisk { who: of, by } => format!("SlowDisk(who: {}, by: \"{by}\")", who(of)),
        Layer::FailingDisk { who: of, share } => format!("FailingDisk(who: {}, share: {share:?})", who(of)),
        Layer::Drift { who: of, ppm } => format!("Drift(who: {}, ppm: {ppm})", who(of)),
    }
}

fn cut(cut: &CutPlan, names: &Names<'_>) -> String {
    let who = |who: &[Target]| names.targets(who);
    match cut {
        CutPlan::Partition(groups) => format!("Partition({})", names.groups(groups)),
        CutPlan::OneWay { from, to } => format!("OneWay(from: {}, to: {})", who(from), who(to)),
        CutPlan::Bridge { over, sides } => {
            format!("Bridge(over: {}, sides: {})", who(over), names.groups(sides))
        }
        CutPlan::Ring { hosts, reach } => format!("Ring(hosts: {}, reach: {reach})", who(hosts)),
    }
}

/// The name of the fact at a place.
pub(super) fn name_of_fact<P: Protocol>(place: usize) -> &'static str {
    <<P::Node as Node>::Fact as Fact>::NAMES[place]
}
