//! What equal layers have in common: two that come to the same for every host have one key, however they are written.

use squall_nodes::HostId;

use crate::plan::{CutPlan, Layer, Target};
use crate::scenario::cast::host_of;

/// What equal layers have in common, in an order: the kind, the hosts, and all else in words.
pub(super) type Key = (&'static str, Vec<Vec<Option<HostId>>>, String);

pub(super) fn names_the_actor((_, hosts, _): &Key) -> bool {
    hosts.iter().flatten().any(Option::is_none)
}

/// What a layer has in common with its equals, in a world of so many hosts.
pub(super) fn key(layer: &Layer, world: usize) -> Key {
    let hosts = |targets: &Vec<Target>| targets.iter().map(host_of).collect::<Vec<_>>();
    let of_cut = |cut: &CutPlan| match cut {
        CutPlan::Partition(groups) => (sides(groups, &[], world), String::new()),
        CutPlan::OneWay { from, to } => (vec![hosts(from), hosts(to)], String::new()),
        CutPlan::Bridge { over, sides: named } => {
            let mut all = vec![hosts(over)];
            all.extend(sides(named, over, world));
            (all, String::new())
        }
        CutPlan::Ring { hosts: ring, reach } => (vec![hosts(ring)], reach.to_string()),
    };
    let (hosts, rest) = match layer {
        Layer::Cut(cut) => of_cut(cut),
        Layer::Flap { cut, down, up } => {
            let (hosts, rest) = of_cut(cut);
            let kind = Layer::Cut(cut.clone()).kind();
            (hosts, format!("{kind} {rest} {down} {up}"))
        }
        Layer::Links { from, to, change } => (vec![hosts(from), hosts(to)], format!("{change:?}")),
        Layer::Slow { who, by } | Layer::SlowDisk { who, by } => (vec![hosts(who)], by.to_string()),
        Layer::FailingDisk { who, share } => (vec![hosts(who)], share.to_string()),
        Layer::Drift { who, ppm } => (vec![hosts(who)], ppm.to_string()),
    };
    (layer.kind(), hosts, rest)
}

/// The sides of a cut, in an order of their own and without the largest, which the others say: hosts that none names are one more
/// side, so that what one file names another need not. `over` are on no side.
///
/// Where somebody is not known, nothing can be left out.
fn sides(named: &[Vec<Target>], over: &[Target], world: usize) -> Vec<Vec<Option<HostId>>> {
    let hosts = |side: &Vec<Target>| side.iter().map(host_of).collect::<Vec<_>>();
    let mut sides: Vec<Vec<Option<HostId>>> = named.iter().map(hosts).collect();
    let known = |targets: &[Target]| targets.iter().all(|target| host_of(target).is_some());
    if !known(over) || !named.iter().all(|side| known(side)) {
        return sides;
    }
    let longest = sides.iter().map(Vec::len).max().unwrap_or(0);
    let all = sides.iter().map(Vec::len).sum::<usize>() + over.len();
    let rest = world.saturating_sub(all);
    if rest <= longest {
        // Only now is it looked up: it is no more work than the sides that are named.
        let mut left = vec![true; world];
        for host in named.iter().flatten().chain(over).filter_map(host_of) {
            left[host.index()] = false;
        }
        let rest = (0..).map(HostId).zip(left).filter(|(_, left)| *left);
        sides.push(rest.map(|(host, _)| Some(host)).collect());
        sides.iter_mut().for_each(|side| side.sort_unstable());
        sides.retain(|side| !side.is_empty());
        sides.sort_unstable_by(|one, other| one.len().cmp(&other.len()).then(other.cmp(one)));
        sides.pop();
    }
    sides.iter_mut().for_each(|side| side.sort_unstable());
    sides.sort_unstable();
    sides
}
