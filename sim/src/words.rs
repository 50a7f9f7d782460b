//! Laws of links and disks, and what happens when, in words, for people who look a file over.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::{Fact, HostId, Node, Protocol, Time};

use crate::plan::{Cue, Latency, LinkLaw, Plan, PlannedHost, Trigger};
use crate::runner::{Happens, LawCast};

/// The laws of a plan: of all links, of those between zones and those that differ by themselves, and of disks.
pub(crate) fn laws<P: Protocol>(plan: &Plan<P>) -> Vec<LawCast> {
    let network = &plan.network;
    let cast = |of: String, law: &LinkLaw| LawCast {
        of,
        says: law_in_words(law),
    };
    let mut laws = vec![cast("links".to_owned(), &network.default)];
    let zones = &network.zones;
    for ((from, to), law) in &zones.laws {
        let name = |zone: &u32| zones.names[*zone as usize].as_str();
        let back = zones
            .laws
            .binary_search_by_key(&(*to, *from), |(pair, _)| *pair)
            .is_ok_and(|place| zones.laws[place].1 == *law);
        match (from == to, back) {
            (true, _) => laws.push(cast(format!("in {}", name(from)), law)),
            // Said of the way there.
            (false, true) if from > to => {}
            (false, true) => laws.push(cast(format!("{} <> {}", name(from), name(to)), law)),
            (false, false) => laws.push(cast(format!("{} > {}", name(from), name(to)), law)),
        }
    }
    for links in alike(&network.links) {
        let [from, to] = [ends(&links, |(from, _)| *from), ends(&links, |(_, to)| *to)];
        // Each of some with each of others, or a number.
        let crossed = from
            .iter()
            .map(|from| to.iter().filter(|to| *to != from).count())
            .sum::<usize>();
        let of = match crossed == links.len() {
            true => format!("{} > {}", names(&plan.hosts, &from), names(&plan.hosts, &to)),
            false => format!("{} links", links.len()),
        };
        laws.push(cast(of, network.law(links[0].0, links[0].1)));
    }
    laws.push(LawCast {
        of: "disks".to_owned(),
        says: latency_in_words(&plan.persist),
    });
    laws
}

/// What is done to the world, in the order of the file.
pub(crate) fn timeline<P: Protocol>(plan: &Plan<P>) -> Vec<Happens> {
    let step = |step: &crate::plan::Step| Happens {
        when: trigger_in_words(plan, &step.trigger),
        what: step.label.clone(),
    };
    plan.timeline.iter().map(step).collect()
}

/// What is asked, in the order of the file.
pub(crate) fn workload<P: Protocol>(plan: &Plan<P>) -> Vec<Happens> {
    let work = |work: &crate::plan::Work<P::Node>| Happens {
        when: match work.interval {
            Some(interval) => format!(
                "every {interval} from {} to {}",
                since(work.first),
                since(work.until)
            ),
            None => since(work.first),
        },
        what: work.label.clone(),
    };
    plan.workload.iter().map(work).collect()
}

/// `2s`, `every 1s from 1s to 9s`, `when anyone claims promoted for the 2nd time, 20ms later`.
fn trigger_in_words<P: Protocol>(plan: &Plan<P>, trigger: &Trigger) -> String {
    let (cue, by, nth, after) = match trigger {
        Trigger::At(at) => return since(*at),
        Trigger::Every {
            first,
            interval,
            until,
        } => return format!("every {interval} from {} to {}", since(*first), since(*until)),
        Trigger::When { cue, by, nth, after } => (cue, by, nth, after),
    };
    let who = match by.as_slice() {
        [] => "anyone".to_owned(),
        [one] => names(&plan.hosts, &[*one]),
        many => format!("one of {}", names(&plan.hosts, many)),
    };
    let does = match cue {
        Cue::Fact(fact) => format!("claims {}", <<P::Node as Node>::Fact as Fact>::NAMES[*fact]),
        Cue::PersistBegun => "begins a write".to_owned(),
        Cue::PersistCompleted => "has completed a write".to_owned(),
        Cue::Send(to) => match to.as_slice() {
            [] => "has sent a datagram".to_owned(),
            [one] => format!("has sent a datagram to {}", names(&plan.hosts, &[*one])),
            many => format!("has sent a datagram to one of {}", names(&plan.hosts, many)),
        },
        Cue::Open(to) => match to.as_slice() {
            [] => "has opened a connection".to_owned(),
            [one] => format!("has opened a connection to {}", names(&plan.hosts, &[*one])),
            many => format!("has opened a connection to one of {}", names(&plan.hosts, many)),
        },
    };
    let nth = match (nth, by.as_slice()) {
        (1, _) => String::new(),
        (nth, [_]) => format!(" for the {} time", ordinal(*nth)),
        (nth, _) => format!(", the {} time in all", ordinal(*nth)),
    };
    let after = match after.is_zero() {
        true => String::new(),
        false => format!(", {after} later"),
    };
    format!("when {who} {does}{nth}{after}")
}

fn since(time: Time) -> String {
    match time.since(Time::ZERO) {
        span if span.is_zero() => "0s".to_owned(),
        span => span.to_string(),
    }
}

/// `2nd`, `13th`.
pub(crate) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `64 KiB`, `1500 bytes`.
pub(crate) fn queue_in_words(bytes: u64) -> String {
    scaled(bytes, 1_024, &["bytes", "KiB", "MiB"])
}

/// `2ms, 2 % lost, 10 Mbit/s with a queue of 64 KiB, packets up to 1500 bytes`.
fn law_in_words(law: &LinkLaw) -> String {
    let share = |ratio: f64, what: &str| (ratio > 0.0).then(|| format!("{} {what}", percent(ratio)));
    let parts = [
        Some(latency_in_words(&law.latency)),
        share(law.loss, "lost"),
        share(law.duplicate, "doubled"),
        share(law.reorder, &format!("held back by up to {}", law.reorder_by)),
        share(law.corrupt, "corrupted"),
        law.bandwidth.map(|bits| {
            let (bits, queue) = (
                scaled(bits, 1_000, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]),
                queue_in_words(law.queue),
            );
            format!("{bits} with a queue of {queue}")
        }),
        law.mtu.map(|bytes| format!("packets up to {bytes} bytes")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `20ms, give or take 3ms`.
fn latency_in_words(latency: &Latency) -> String {
    match latency {
        Latency::Constant(span) => span.to_string(),
        Latency::Uniform(low, high) => format!("{low} to {high}"),
        Latency::Normal { mean, deviation } => format!("{mean}, give or take {deviation}"),
        Latency::LogNormal { median, sigma } => {
            format!("{median} in the median, log-normal with sigma {sigma}")
        }
        Latency::Exponential { min, mean } if min.is_zero() => format!("{mean} in the mean, exponential"),
        Latency::Exponential { min, mean } => format!("{min} and an exponential {mean} more"),
        Latency::Pareto { min, shape } => format!("{min} and more, with a tail of shape {shape}"),
        Latency::Empirical(samples) => match samples.as_ref() {
            [] => "nothing".to_owned(),
            [only] => only.to_string(),
            [least, .., most] => format!("{least} to {most}, by {} samples", samples.len()),
        },
    }
}

/// `2 %`, `0.1 %`.
fn percent(ratio: f64) -> String {
    // What is a ratio in decimals is a percentage in decimals, but for what the binary form adds to it.
    let percent = (ratio * 1e8).round() / 1e6;
    format!("{percent} %")
}

/// A whole number in the largest unit that is exact; each unit is so many of the one before.
fn scaled(count: u64, step: u64, units: &[&str]) -> String {
    let (mut count, mut unit) = (count, 0);
    while count > 0 && count.is_multiple_of(step) && unit + 1 < units.len() {
        count /= step;
        unit += 1;
    }
    format!("{count} {}", units[unit])
}

type Pair = (HostId, HostId);

/// Links by the law that they share, in the order of the first of each.
fn alike(links: &[(Pair, Arc<LinkLaw>)]) -> Vec<Vec<Pair>> {
    let mut place_of: BTreeMap<*const LinkLaw, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Pair>> = Vec::new();
    for (link, law) in links {
        let place = *place_of.entry(Arc::as_ptr(law)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(*link),
            None => groups.push(vec![*link]),
        }
    }
    groups
}

fn ends(links: &[Pair], end: impl Fn(&Pair) -> HostId) -> Vec<HostId> {
    let mut ends: Vec<HostId> = links.iter().map(end).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// `s`, `c1, c2`, `c1 … c4 (4)` of neighbours, `7 hosts`.
fn names<N: Node>(hosts: &[PlannedHost<N>], named: &[HostId]) -> String {
    const MOST_LISTED: usize = 3;
    let name = |host: &HostId| hosts[host.index()].placed.name.as_str();
    let are_neighbours = named.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0);
    match named {
        [first, .., last] if named.len() > MOST_LISTED && are_neighbours => {
            format!("{} … {} ({})", name(first), name(last), named.len())
        }
        _ if named.len() > MOST_LISTED => format!("{} hosts", named.len()),
        _ => named.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use squall_nodes::Span;

    use super::*;

    #[test]
    fn a_law_is_told_part_by_part_and_only_what_there_is_of_it() {
        let ms = Span::from_millis;
        let mut law = LinkLaw::delaying(Latency::Constant(ms(2)));
        assert_eq!(law_in_words(&law), "2ms");
        law = LinkLaw {
            loss: 0.07,
            duplicate: 0.001,
            reorder: 0.5,
            reorder_by: ms(20),
            corrupt: 1.0,
            bandwidth: Some(1_500_000),
            queue: 65_536,
            mtu: Some(1_500),
            ..law
        };
        assert_eq!(
            law_in_words(&law),
            "2ms, 7 % lost, 0.1 % doubled, 50 % held back by up to 20ms, 100 % corrupted, \
             1500 kbit/s with a queue of 64 KiB, packets up to 1500 bytes"
        );
    }

    #[test]
    fn numbers_are_counted_as_people_do() {
        let told = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 1_013].map(ordinal);
        assert_eq!(
            told,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "1013th"
            ]
        );
    }

    #[test]
    fn every_law_of_latency_has_its_words() {
        let ms = Span::from_millis;
        for (latency, words) in [
            (Latency::Uniform(ms(1), ms(10)), "1ms to 10ms"),
            (
                Latency::Normal {
                    mean: ms(20),
                    deviation: ms(3),
                },
                "20ms, give or take 3ms",
            ),
            (
                Latency::LogNormal {
                    median: ms(20),
                    sigma: 0.5,
                },
                "20ms in the median, log-normal with sigma 0.5",
            ),
            (
                Latency::Exponential {
                    min: Span::ZERO,
                    mean: ms(5),
                },
                "5ms in the mean, exponential",
            ),
            (
                Latency::Exponential {
                    min: ms(1),
                    mean: ms(5),
                },
                "1ms and an exponential 5ms more",
            ),
            (
                Latency::Pareto {
                    min: ms(1),
                    shape: 1.5,
                },
                "1ms and more, with a tail of shape 1.5",
            ),
            (
                Latency::Empirical([ms(1), ms(2), ms(9)].into()),
                "1ms to 9ms, by 3 samples",
            ),
            (Latency::Empirical([ms(7)].into()), "7ms"),
        ] {
            assert_eq!(latency_in_words(&latency), words);
        }
    }
}
