//! What links are like, as files write it: every part of every law.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::HostId;

use super::names::Names;
use super::page::Page;
use crate::plan::{Fault, Layer, LinkChange, LinkLaw, Network, Step, Zones};
use crate::scenario::laws::{BANDWIDTHS, SIZES};
use crate::scenario::streams::parts;

/// Writes `network`.
pub(super) fn network(page: &mut Page, network: &Network, timeline: &[Step], names: &Names<'_>) {
    let Network {
        default,
        zones,
        links,
        streams,
    } = network;
    let queues = Queues::of(network, timeline);
    page.open("network: (");
    for part in law(default, queues) {
        page.line(&format!("{part},"));
    }
    page.list("zones", between_zones(zones, queues).into_iter());
    page.list("links", own_links(links, names, queues).into_iter());
    page.field("streams", format!("({})", parts(streams)));
    page.close("),");
}

/// Whether queues say anything: where no link has a bandwidth, nothing waits in them, and no file may name them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Queues {
    Used,
    Unused,
}

impl Queues {
    pub(super) fn of(network: &Network, timeline: &[Step]) -> Self {
        let changed = |step: &Step| match &step.fault {
            Fault::Lay(layer) | Fault::Heal(layer) => match layer {
                Layer::Links { change, .. } => change.bandwidth.is_some(),
                Layer::Cut(_)
                | Layer::Flap { .. }
                | Layer::Slow { .. }
                | Layer::SlowDisk { .. }
                | Layer::FailingDisk { .. }
                | Layer::Drift { .. } => false,
            },
            Fault::Crash(..)
            | Fault::Restart { .. }
            | Fault::Pause(_)
            | Fault::Resume(_)
            | Fault::Jump { .. }
            | Fault::HealAll => false,
        };
        if network.laws().any(|law| law.bandwidth.is_some()) || timeline.iter().any(changed) {
            Queues::Used
        } else {
            Queues::Unused
        }
    }
}

/// Every part of a law. A bandwidth and an MTU that are not there cannot be written, and no part of a file takes away one that is
/// there.
fn law(law: &LinkLaw, queues: Queues) -> Vec<String> {
    let LinkLaw {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    } = law;
    change(&LinkChange {
        latency: Some(latency.clone()),
        loss: Some(*loss),
        duplicate: Some(*duplicate),
        reorder: Some(*reorder),
        reorder_by: Some(*reorder_by),
        corrupt: Some(*corrupt),
        bandwidth: *bandwidth,
        queue: (queues == Queues::Used).then_some(*queue),
        mtu: *mtu,
    })
}

/// The parts of a change that it has, as a file has them.
pub(in crate::scenario) fn change(change: &LinkChange) -> Vec<String> {
    let LinkChange {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    } = change;
    let ratio = |name: &str, ratio: &Option<f64>| ratio.map(|ratio| format!("{name}: {ratio:?}"));
    let parts = [
        latency.as_ref().map(|law| format!("latency: {law}")),
        ratio("loss", loss),
        ratio("duplicate", duplicate),
        ratio("reorder", reorder),
        reorder_by.map(|by| format!("reorder_by: \"{by}\"")),
        ratio("corrupt", corrupt),
        bandwidth.map(|bits| format!("bandwidth: \"{}\"", amount(bits, &BANDWIDTHS))),
        queue.map(|bytes| format!("queue: \"{}\"", amount(bytes, &SIZES))),
        mtu.map(|bytes| format!("mtu: {bytes}")),
    ];
    parts.into_iter().flatten().collect()
}

/// A whole number in the largest unit that is exact.
pub(crate) fn amount(number: u64, units: &[(&str, u64)]) -> String {
    // Nothing is a multiple of every unit.
    let is_exact = |size: u64| number >= size && number.is_multiple_of(size);
    let exact = units.iter().filter(|(_, size)| is_exact(*size));
    // Each list of units begins with the least, which measures everything.
    let (unit, size) = exact.max_by_key(|(_, size)| *size).unwrap_or(&units[0]);
    format!("{}{unit}", number / size)
}

/// The links between zones, and inside them.
fn between_zones(zones: &Zones, queues: Queues) -> Vec<String> {
    let Zones {
        names,
        // With the hosts.
        of: _,
        laws,
    } = zones;
    let entry = |((from, to), of): &((u32, u32), Arc<LinkLaw>)| {
        let [one, other] = [from, to].map(|zone| &names[*zone as usize]);
        let which = if from == to {
            format!("within: \"{one}\"")
        } else {
            format!("from: \"{one}\", to: \"{other}\"")
        };
        format!("({which}, {}),", law(of, queues).join(", "))
    };
    laws.iter().map(entry).collect()
}

/// The links with laws of their own, those with the same law together as far as they go from each of some to each of others.
fn own_links(links: &[((HostId, HostId), Arc<LinkLaw>)], names: &Names<'_>, queues: Queues) -> Vec<String> {
    // Laws by what they say, in the order in which they come.
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut laws: Vec<String> = Vec::new();
    let mut by_from: BTreeMap<(usize, HostId), Vec<HostId>> = BTreeMap::new();
    let mut last: Option<(&Arc<LinkLaw>, usize)> = None;
    for ((from, to), of) in links {
        let number = match last {
            // Thousands of links share one law: it is put into words once in a row.
            Some((before, number)) if Arc::ptr_eq(before, of) => number,
            _ => {
                let text = law(of, queues).join(", ");
                *numbers.entry(text).or_insert_with_key(|text| {
                    laws.push(text.clone());
                    laws.len() - 1
                })
            }
        };
        last = Some((of, number));
        by_from.entry((number, *from)).or_default().push(*to);
    }
    let mut entries = Vec::new();
    for (number, from, to) in together(by_from) {
        let (from, to) = (names.hosts(&from), names.hosts(&to));
        entries.push(format!("(from: {from}, to: {to}, {}),", laws[number]));
    }
    entries
}

/// Puts together from whom links with one law go to the same hosts; a link from a host to itself counts as there or not, as it
/// suits, since there is none.
fn together(by_from: BTreeMap<(usize, HostId), Vec<HostId>>) -> Vec<(usize, Vec<HostId>, Vec<HostId>)> {
    let mut same: BTreeMap<(usize, Vec<HostId>), Vec<HostId>> = BTreeMap::new();
    for ((number, from), to) in by_from {
        same.entry((number, to)).or_default().push(from);
    }
    let mut whole: BTreeMap<(usize, Vec<HostId>), Vec<HostId>> = BTreeMap::new();
    let mut entries = Vec::new();
    for ((number, to), from) in same {
        match from.as_slice() {
            [one] => {
                let mut with_itself = to;
                let place = with_itself.partition_point(|host| host < one);
                with_itself.insert(place, *one);
                whole.entry((number, with_itself)).or_default().push(*one);
            }
            _ => entries.push((number, from, to)),
        }
    }
    for ((number, mut to), mut from) in whole {
        from.sort_unstable();
        if let [one] = from.as_slice() {
            to.retain(|host| host != one);
        }
        entries.push((number, from, to));
    }
    entries.sort();
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn links_that_are_put_together_are_the_links_that_there_were(
            hosts in 2..7u32,
            laws in prop::collection::vec(0..4usize, 49),
        ) {
            // Of four numbers, the last is that of links without a law of their own.
            let all = || (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to))).filter(|(from, to)| from != to);
            let law = |(from, to): (u32, u32)| laws[(from * 7 + to) as usize];
            let mut by_from: BTreeMap<(usize, HostId), Vec<HostId>> = BTreeMap::new();
            for link in all().filter(|link| law(*link) < 3) {
                by_from.entry((law(link), HostId(link.0))).or_default().push(HostId(link.1));
            }
            let mut there = BTreeMap::new();
            for (number, from, to) in together(by_from) {
                for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from.0, to.0))) {
                    if from != to {
                        prop_assert_eq!(there.insert((from, to), number), None);
                    }
                }
            }
            let expected: BTreeMap<(u32, u32), usize> =
                all().map(|link| (link, law(link))).filter(|(_, law)| *law < 3).collect();
            prop_assert_eq!(there, expected);
        }
    }

    #[test]
    fn links_among_all_hosts_are_one_entry() {
        let hosts = |hosts: &[u32]| hosts.iter().map(|host| HostId(*host)).collect::<Vec<_>>();
        let by_from = (0..4u32).map(|from| {
            let to = (0..4).filter(|to| *to != from).collect::<Vec<_>>();
            ((0, HostId(from)), hosts(&to))
        });
        let everyone = hosts(&[0, 1, 2, 3]);
        assert_eq!(together(by_from.collect()), [(0, everyone.clone(), everyone)]);
        let to_one = [0, 2].map(|from| ((7, HostId(from)), hosts(&[1])));
        assert_eq!(together(to_one.into()), [(7, hosts(&[0, 2]), hosts(&[1]))]);
    }
}
