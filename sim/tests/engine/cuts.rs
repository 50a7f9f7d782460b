//! Layers of cuts: what they keep apart, what they count, how they are healed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use squall_nodes::{Change, HostId, Span};
use squall_sim::Verdict;
use squall_sim::plan::{CutPlan, Fault, Latency};

use crate::node::{Rule, beat, send, start};
use crate::plans::{A, B, C, D, Draft, heal, lay, link, ms, one_way, partition, plan, us};
use crate::stories::Story;

const ALL: [HostId; 4] = [A, B, C, D];

/// Four hosts, each of which says something to all others every 10 ms.
fn talkers() -> Draft {
    ["a", "b", "c", "d"]
        .into_iter()
        .zip(ALL)
        .fold(plan(), |plan, (name, host)| plan.host(name, talker(host)))
}

fn talker(host: HostId) -> Vec<Rule> {
    let others: Vec<HostId> = ALL.into_iter().filter(|other| *other != host).collect();
    beat(&others, ms(10), ms(10))
}

/// Who heard whom from a time on, up to another: `a<b` says that a heard b.
fn heard(story: &Story, from: Span, to: Span) -> Vec<String> {
    let mut pairs = BTreeSet::new();
    for host in ALL {
        let name = &story.trace.hosts[host.index()];
        for line in story.of(host) {
            let (when, what) = line.split_once(' ').unwrap();
            if let Some((_, whom)) = what.split_once(" from ")
                && what.starts_with("hears")
                && (from..to).contains(&when.parse::<Span>().unwrap())
            {
                pairs.insert(format!("{name}<{whom}"));
            }
        }
    }
    pairs.into_iter().collect()
}

#[test]
fn nothing_passes_between_groups_and_hosts_that_none_names_are_one_more() {
    let story = talkers()
        .at(ms(15), lay(partition(&[&[A], &[B]])))
        .limit(ms(39))
        .trace(1);
    assert_eq!(heard(&story, ms(0), ms(15)).len(), 12);
    assert_eq!(heard(&story, ms(15), ms(39)), ["c<d", "d<c"]);
    // Two rounds of the ten datagrams that go from one group to another.
    assert_eq!(story.affected(), [20]);
    assert_eq!(story.outcome.traffic.cut, 20);
}

#[test]
fn a_one_way_cut_leaves_the_way_back_open() {
    let story = talkers()
        .at(ms(15), lay(one_way(&[A, B], &[B, C])))
        .limit(ms(29))
        .trace(1);
    let cut = ["a>b", "a>c", "b>c"].map(|pair| {
        let (from, to) = pair.split_once('>').unwrap();
        format!("{to}<{from}")
    });
    let after = heard(&story, ms(15), ms(29));
    assert_eq!(after.len(), 12 - cut.len());
    assert!(cut.iter().all(|pair| !after.contains(pair)), "{after:?}");
    assert_eq!(story.affected(), [3]);
}

#[test]
fn what_is_on_its_way_when_a_cut_is_laid_is_lost_unless_it_is_healed_in_time() {
    let cut = || one_way(&[A], &[B]);
    let sender = || start([send(B, "hello"), send(C, "hello")]);
    let story = plan()
        .host("a", [sender()])
        .host("b", [])
        .host("c", [])
        .links(link(Latency::Constant(ms(10))))
        .at(ms(5), lay(cut()))
        .trace(1);
    assert_eq!(story.of(B)[1..], ["10ms misses Cut from a".to_owned()]);
    assert_eq!(story.words(C), ["hello"]);
    assert_eq!((story.affected(), story.outcome.traffic.cut), (vec![1], 1));
    let healed = plan()
        .host("a", [sender()])
        .host("b", [])
        .host("c", [])
        .links(link(Latency::Constant(ms(10))))
        .at(ms(5), lay(cut()))
        .at(ms(9), heal(cut()))
        .trace(1);
    assert_eq!(healed.words(B), ["hello"]);
    assert_eq!(healed.affected(), [0, 1]);
}

#[test]
fn healing_takes_away_the_latest_equal_layer_and_leaves_the_others() {
    let (halves, pairs) = (
        || partition(&[&[A, B], &[C, D]]),
        || partition(&[&[A, C], &[B, D]]),
    );
    let story = talkers()
        .at(ms(11), lay(halves()))
        .at(ms(12), lay(pairs()))
        .at(ms(13), lay(halves()))
        .at(ms(21), heal(halves()))
        .at(ms(31), heal(halves()))
        .at(ms(41), heal(halves()))
        .at(ms(42), heal(pairs()))
        .limit(ms(59))
        .trace(1);
    let none: [&str; 0] = [];
    assert_eq!(heard(&story, ms(13), ms(22)), none);
    assert_eq!(
        heard(&story, ms(22), ms(32)),
        none,
        "the first of the two is still there"
    );
    assert_eq!(heard(&story, ms(32), ms(42)), ["a<c", "b<d", "c<a", "d<b"]);
    assert_eq!(heard(&story, ms(50), ms(59)).len(), 12);
    // Each layer drops 8 of the 12 of a round; the first meets those of 10 ms on their way.
    assert_eq!(story.affected(), [24, 24, 8, 1, 1, 0, 1]);
    assert_eq!(
        story
            .changes()
            .iter()
            .filter(|(_, change)| matches!(change, Change::Healed { .. }))
            .count(),
        3
    );
}

#[test]
fn heal_all_takes_away_the_layers_that_there_are_and_none_that_is_laid_later() {
    let story = talkers()
        .at(ms(11), lay(partition(&[&[A]])))
        .at(ms(12), lay(one_way(&[B], &[C])))
        .at(ms(21), Fault::HealAll)
        .at(ms(32), lay(partition(&[&[D]])))
        .at(ms(51), Fault::HealAll)
        .at(ms(52), Fault::HealAll)
        .limit(ms(69))
        .trace(1);
    assert_eq!(heard(&story, ms(22), ms(32)).len(), 12);
    assert_eq!(heard(&story, ms(32), ms(52)).len(), 6);
    assert_eq!(heard(&story, ms(52), ms(69)).len(), 12);
    let affected = story.affected();
    assert_eq!((affected[2], affected[4], affected[5]), (2, 1, 0));
    assert_eq!(affected[3], 6 * 2);
    assert_eq!(story.outcome.verdict, Verdict::Inconclusive);
    assert_eq!(
        story.outcome.doubts,
        ["heal_all #5 touched nothing when it happened at 0.052s"]
    );
}

#[test]
fn a_fault_that_lies_in_the_way_twice_has_dropped_a_datagram_once() {
    let story = plan()
        .host("a", beat(&[B], us(5_500), ms(1)))
        .host("b", [])
        .every(ms(1), ms(1), ms(4), lay(one_way(&[A], &[B])))
        .at(ms(4), lay(partition(&[&[A], &[B]])))
        .limit(ms(8))
        .trace(1);
    assert_eq!(story.affected(), [3, 3]);
    assert_eq!(story.outcome.traffic.cut, 3);
}

#[test]
fn cuts_without_end_stop_the_run_before_they_stop_the_machine() {
    let cut = || lay(partition(&[&[A], &[B]]));
    let outcome = talkers()
        .every(us(1), us(1), Span::from_secs(3_600), cut())
        .limit(Span::from_secs(3_600))
        .run(1);
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert_eq!(outcome.virtual_time, us(1_001));
    assert_eq!(
        outcome.doubts,
        [
            "the run was stopped at 0.001001s, when more than 1000 layers of cuts lay over the links; heal them, or cut less often"
        ]
    );
}

/// One thing that is done to the links.
#[derive(Clone, Debug)]
enum Act {
    Cut(CutPlan),
    /// Heals what the nth cut so far has laid, if that is still there.
    Heal(prop::sample::Index),
    HealAll,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let some = || prop::sample::subsequence(ALL.to_vec(), 0..=4);
    let cut = prop_oneof![
        (some(), some()).prop_map(|(first, second)| {
            let second: Vec<HostId> = second.into_iter().filter(|host| !first.contains(host)).collect();
            partition(&[&first, &second])
        }),
        (some(), some()).prop_map(|(from, to)| one_way(&from, &to)),
    ];
    prop::collection::vec(
        prop_oneof![
            4 => cut.prop_map(Act::Cut),
            3 => any::<prop::sample::Index>().prop_map(Act::Heal),
            1 => Just(Act::HealAll),
        ],
        1..20,
    )
}

/// The pairs that a cut keeps apart, as anyone would write it down.
fn pairs(cut: &CutPlan) -> BTreeSet<(HostId, HostId)> {
    let is = |who: &[squall_sim::plan::Target], host| who.contains(&squall_sim::plan::Target::Host(host));
    let all = || ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to)));
    match cut {
        CutPlan::Partition(groups) => {
            let group = |host| groups.iter().position(|group| is(group, host));
            all().filter(|(from, to)| group(*from) != group(*to)).collect()
        }
        CutPlan::OneWay { from, to } => all()
            .filter(|(a, b)| a != b && is(from, *a) && is(to, *b))
            .collect(),
        CutPlan::Bridge { .. } | CutPlan::Ring { .. } => unreachable!("they are not drawn here"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// An act at each 10 ms and 5; what is said at the next 10 ms is heard by those whom the layers let hear.
    #[test]
    fn layers_do_what_a_plain_list_of_them_does(acts in acts()) {
        let mut draft = talkers().limit(ms(10 * acts.len() as u64 + 19));
        let mut layers: Vec<(usize, BTreeSet<(HostId, HostId)>)> = Vec::new();
        let mut laid: Vec<CutPlan> = Vec::new();
        let (mut affected, mut expected) = (Vec::new(), Vec::new());
        for (step, act) in acts.iter().enumerate() {
            affected.push(0);
            let fault = match act {
                Act::Cut(cut) => {
                    layers.push((step, pairs(cut)));
                    laid.push(cut.clone());
                    lay(cut.clone())
                }
                Act::Heal(which) => {
                    let none = partition(&[]);
                    let cut = laid.get(which.index(laid.len().max(1))).unwrap_or(&none);
                    // Cuts are equal when they are the same for every host, however they are written.
                    let same = |(step, _): &(usize, _)| match &acts[*step] {
                        Act::Cut(other) => sides(other) == sides(cut),
                        Act::Heal(_) | Act::HealAll => false,
                    };
                    if let Some(place) = layers.iter().rposition(same) {
                        layers.remove(place);
                        affected[step] += 1;
                    }
                    heal(cut.clone())
                }
                Act::HealAll => {
                    affected[step] += layers.len() as u64;
                    layers.clear();
                    Fault::HealAll
                }
            };
            draft = draft.at(ms(10 * step as u64 + 15), fault);
            let mut through = Vec::new();
            for from in ALL {
                for to in ALL.into_iter().filter(|to| *to != from) {
                    let in_the_way: Vec<usize> =
                        layers.iter().filter(|(_, pairs)| pairs.contains(&(from, to))).map(|(step, _)| *step).collect();
                    for step in &in_the_way {
                        affected[*step] += 1;
                    }
                    if in_the_way.is_empty() {
                        let name = |host: HostId| ["a", "b", "c", "d"][host.index()];
                        through.push(format!("{}<{}", name(to), name(from)));
                    }
                }
            }
            through.sort();
            expected.push(through);
        }
        let story = draft.trace(1);
        for (step, through) in expected.iter().enumerate() {
            let round = ms(10 * step as u64 + 20);
            prop_assert_eq!(&heard(&story, round, round + ms(10)), through, "after {:?}", &acts[..=step]);
        }
        prop_assert_eq!(story.affected(), affected);
    }
}

/// What a cut comes to for each host.
fn sides(cut: &CutPlan) -> Vec<(Option<usize>, bool, bool)> {
    let is = |who: &[squall_sim::plan::Target], host| who.contains(&squall_sim::plan::Target::Host(host));
    ALL.map(|host| match cut {
        CutPlan::Partition(groups) => (
            Some(
                groups
                    .iter()
                    .position(|group| is(group, host))
                    .unwrap_or(groups.len()),
            ),
            false,
            false,
        ),
        CutPlan::OneWay { from, to } => (None, is(from, host), is(to, host)),
        CutPlan::Bridge { .. } | CutPlan::Ring { .. } => unreachable!("they are not drawn here"),
    })
    .to_vec()
}
