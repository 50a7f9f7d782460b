//! Layers of cuts: what they keep apart, what they count, how they are healed.

use std::collections::BTreeSet;

use squall_nodes::{Change, HostId, Span};
use squall_sim::Verdict;
use squall_sim::plan::{CutPlan, Fault, Latency, LinkChange, Target};
use squall_sim::trace::Trace;

use crate::node::{Do, On, Rule, SAID, beat, on, say, send, start};
use crate::plans::{
    A, B, C, D, Draft, bridge, changed, flap, heal, lay, lay_over, link, ms, one_way, partition, plan, ring,
    targets, us,
};
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
fn a_bridge_keeps_the_sides_apart_and_reaches_them_all() {
    let story = talkers()
        .at(ms(15), lay(bridge(&[C], &[&[A], &[B]])))
        .limit(ms(29))
        .trace(1);
    // d, which nothing names, is one more side.
    let through = ["a<c", "b<c", "c<a", "c<b", "c<d", "d<c"];
    assert_eq!(heard(&story, ms(15), ms(29)), through);
    assert_eq!(story.affected(), [6]);
}

#[test]
fn in_a_ring_each_reaches_its_neighbours_and_nobody_outside() {
    let story = talkers()
        .at(ms(15), lay(ring(&[A, C, B, D], 1)))
        .at(ms(25), heal(ring(&[A, C, B, D], 1)))
        .at(ms(25), lay(ring(&[A, B, C], 1)))
        .at(ms(26), heal(ring(&[C, B, A], 1)))
        .limit(ms(39))
        .trace(1);
    let all_but = |apart: [&str; 4]| -> Vec<String> {
        let all = heard(&story, ms(0), ms(15));
        all.into_iter()
            .filter(|pair| !apart.contains(&pair.as_str()))
            .collect()
    };
    assert_eq!(
        heard(&story, ms(15), ms(25)),
        all_but(["a<b", "b<a", "c<d", "d<c"])
    );
    // Three in a ring are all neighbours; and a ring is another one when it goes the other way round.
    let three = ["a<b", "a<c", "b<a", "b<c", "c<a", "c<b"];
    assert_eq!(heard(&story, ms(25), ms(39)), three);
    assert_eq!(story.affected(), [4, 1, 6, 0]);
}

#[test]
fn a_flap_cuts_and_opens_in_turn_until_it_is_healed() {
    let flapping = || flap(partition(&[&[A], &[B, C, D]]), ms(20), ms(10));
    let story = talkers()
        .at(ms(15), Fault::Lay(flapping()))
        .at(ms(68), Fault::Heal(flapping()))
        .at(ms(69), Fault::Heal(flapping()))
        .limit(ms(109))
        .trace(1);
    let a_hears = |from| heard(&story, ms(from), ms(from + 10)).contains(&"a<b".to_owned());
    let rounds: Vec<u64> = (1..10)
        .map(|round| 10 * round)
        .filter(|from| a_hears(*from))
        .collect();
    // It cuts from 15 to 35 and from 45 to 65 ms, and is healed while it is open.
    assert_eq!(rounds, [10, 40, 70, 80, 90]);
    // Six datagrams a round: of 20, 30, 50 and 60 ms.
    assert_eq!(story.affected(), [24, 1, 0]);
    let changes: Vec<(Span, bool)> = story
        .changes()
        .into_iter()
        .map(|(when, change)| (when, matches!(change, Change::Cut { .. })))
        .collect();
    assert_eq!(
        changes,
        [(ms(15), true), (ms(35), false), (ms(45), true), (ms(65), false)]
    );
}

#[test]
fn a_flap_that_is_healed_while_it_cuts_opens_at_once() {
    let story = talkers()
        .at(ms(15), Fault::Lay(flap(partition(&[&[A]]), ms(20), ms(10))))
        .at(ms(25), Fault::HealAll)
        .limit(ms(59))
        .trace(1);
    assert_eq!(heard(&story, ms(25), ms(59)).len(), 12);
    assert_eq!(story.affected(), [6, 1]);
    let numbers: Vec<u32> = story
        .changes()
        .iter()
        .map(|(_, change)| match change {
            Change::Cut { layer, .. } | Change::Healed { layer } => *layer,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers.len(), 2);
    assert_eq!(numbers[0], numbers[1]);
}

#[test]
fn a_healed_flap_does_not_turn_over_once_more() {
    let flapping = || flap(partition(&[&[A]]), ms(2), ms(2));
    let outcome = talkers()
        .every(us(0), us(1_000), ms(200), Fault::Lay(flapping()))
        .every(us(500), us(1_000), ms(200), Fault::Heal(flapping()))
        .limit(ms(400))
        .run(1);
    assert_eq!(outcome.faults[1].affected, 200);
    assert_eq!(outcome.traffic.delivered, outcome.traffic.sent);
    // The flaps and their healings, and starts, beats and datagrams: no turn is among the events.
    assert_eq!(outcome.events, 400 + 4 + 4 * 39 + outcome.traffic.delivered);
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
fn layers_without_end_stop_the_run_before_they_stop_the_machine() {
    let change = LinkChange {
        loss: Some(0.5),
        ..LinkChange::default()
    };
    let layers = [
        lay(partition(&[&[A], &[B]])),
        Fault::Lay(flap(partition(&[&[A], &[B]]), ms(1), ms(1))),
        Fault::Lay(changed(&[A], &[B], change)),
    ];
    for layer in layers {
        let kind = layer.kind();
        let outcome = talkers()
            .every(us(1), us(1), Span::from_secs(3_600), layer)
            .limit(Span::from_secs(3_600))
            .run(1);
        assert_eq!(outcome.verdict, Verdict::Inconclusive);
        assert_eq!(
            outcome.doubts,
            [
                "the run was stopped at 0.001001s, when more than 1000 layers lay over the links or over the hosts; heal them, or lay them less often"
            ],
            "{kind}"
        );
    }
}

#[test]
fn in_a_trace_who_is_outside_a_ring_and_who_is_over_a_bridge_have_no_number() {
    let story = talkers()
        .at(ms(1), lay(ring(&[D, A, B], 1)))
        .at(ms(2), lay(bridge(&[C], &[&[A], &[B, D]])))
        .limit(ms(3))
        .trace(1);
    let cuts = |text: &str| -> Vec<String> {
        let lines = text.split("\"cut\":").skip(1);
        lines
            .map(|line| line.split("},\"fault").next().unwrap().to_owned())
            .collect()
    };
    let text = serde_json::to_string(&story.trace).unwrap();
    assert_eq!(
        cuts(&text),
        [
            r#"{"Ring":{"place":[1,2,null,0],"len":3,"reach":1}}}"#,
            r#"{"Bridge":[0,1,null,1]}}"#
        ]
    );
    let read: Trace = serde_json::from_str(&text).unwrap();
    assert_eq!(read, story.trace, "and nothing of it is lost");
}

/// A ring of these and of whoever triggers it.
fn ring_with_actor(hosts: &[HostId]) -> CutPlan {
    let mut named = targets(hosts);
    named.push(Target::Actor);
    CutPlan::Ring {
        hosts: named,
        reach: 1,
    }
}

#[test]
fn a_ring_in_which_who_triggered_it_is_named_besides_is_not_laid_when_it_is_too_small() {
    let laid = |fault: Fault| {
        // It claims in the end, so that the rest of its day is under the ring.
        let mut claims = talker(A);
        claims.push(on(On::Timer(2), [say("now")]));
        claims.push(start([Do::Arm(2, ms(5))]));
        plan()
            .host("a", claims)
            .host("b", talker(B))
            .host("c", talker(C))
            .host("d", talker(D))
            .host("e", [])
            .when(SAID, fault)
            .limit(ms(50))
            .trace(1)
    };
    for fault in [
        lay(ring_with_actor(&[A, B, C])),
        lay_over(flap(ring_with_actor(&[A, B, C]), ms(1), ms(1))),
    ] {
        let story = laid(fault);
        assert_eq!(story.changes(), [], "nothing is laid");
        assert_eq!((story.affected(), story.outcome.traffic.cut), (vec![0], 0));
        assert_eq!(story.outcome.verdict, Verdict::Inconclusive);
        let doubts = &story.outcome.doubts;
        assert!(
            doubts.len() == 1
                && doubts[0].contains("was not laid at 0.005s: whoever triggered it is one of those"),
            "{doubts:?}"
        );
    }
    // With another who triggers it, or with enough others, it is one.
    for hosts in [&[B, C, D][..], &ALL] {
        let story = laid(lay(ring_with_actor(hosts)));
        assert_eq!(story.changes().len(), 1, "{hosts:?}");
        assert!(
            story.affected()[0] > 0 && story.outcome.verdict == Verdict::Held,
            "{hosts:?}"
        );
    }
}
