//! What faults are called in reports.

use super::cast::Cast;
use super::resolved::network::change as parts;
use crate::plan::{CutPlan, DiskOnRestart, Fault, Layer, Target};

/// A fault as reports name it.
pub(super) fn label(cast: &Cast, fault: &Fault) -> String {
    match fault {
        Fault::Restart { who, disk } => match disk {
            DiskOnRestart::Kept => format!("restart({})", cast.label(who)),
            DiskOnRestart::Wiped => format!("wipe({})", cast.label(who)),
            DiskOnRestart::Stale => format!("restart({}, stale)", cast.label(who)),
            DiskOnRestart::Torn => format!("restart({}, torn)", cast.label(who)),
            DiskOnRestart::Corrupt => format!("restart({}, corrupt)", cast.label(who)),
        },
        Fault::Crash(_, who) | Fault::Pause(who) | Fault::Resume(who) => {
            format!("{}({})", fault.kind(), cast.label(who))
        }
        Fault::Jump { who, by } => format!("jump({}, {by})", cast.label(who)),
        Fault::Lay(layer) => layer_label(cast, layer),
        Fault::Heal(layer) => format!("heal({})", layer_label(cast, layer)),
        Fault::HealAll => fault.kind().to_owned(),
    }
}

fn layer_label(cast: &Cast, layer: &Layer) -> String {
    let kind = layer.kind();
    match layer {
        Layer::Cut(plan) => cut_label(cast, plan),
        Layer::Flap { cut, down, up } => format!("{kind}({}, {down} down, {up} up)", cut_label(cast, cut)),
        Layer::Links { from, to, change } => {
            // Between a host and itself there is no link: where one host is to all, it is to all others.
            let others: Vec<Target> = match from.as_slice() {
                [one] => to.iter().copied().filter(|target| target != one).collect(),
                _ => to.clone(),
            };
            format!(
                "{kind}({} > {}, {})",
                cast.label(from),
                cast.label(&others),
                parts(change).join(", ")
            )
        }
        Layer::Slow { who, by } | Layer::SlowDisk { who, by } => format!("{kind}({}, {by})", cast.label(who)),
        Layer::FailingDisk { who, share } => format!("{kind}({}, {share})", cast.label(who)),
        Layer::Drift { who, ppm } => format!("{kind}({}, {ppm:+} ppm)", cast.label(who)),
    }
}

fn cut_label(cast: &Cast, cut: &CutPlan) -> String {
    let groups = |groups: &[Vec<Target>]| {
        let groups: Vec<String> = groups.iter().map(|group| cast.label(group)).collect();
        groups.join(" | ")
    };
    match cut {
        CutPlan::Partition(sides) => format!("partition({})", groups(sides)),
        CutPlan::OneWay { from, to } => format!("one_way({} > {})", cast.label(from), cast.label(to)),
        CutPlan::Bridge { over, sides } => format!("bridge({} over {})", groups(sides), cast.label(over)),
        CutPlan::Ring { hosts, reach: 1 } => format!("ring({})", cast.label(hosts)),
        CutPlan::Ring { hosts, reach } => format!("ring({}, reach {reach})", cast.label(hosts)),
    }
}
