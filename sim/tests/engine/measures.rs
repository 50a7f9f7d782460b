//! Lengths of time that are measured in a run.

use squall_nodes::{HostId, Span};
use squall_sim::outcome::Measured;
use squall_sim::plan::{Measure, Moment};

use crate::node::{BAD, Claim, Do, FOUND, On, Rule, SAID, on, say, start};
use crate::plans::{A, B, C, Draft, kill, lay, ms, partition, plan, restart};

fn measure(from: Moment, to: Moment, each: Option<&[HostId]>) -> Measure {
    Measure {
        name: "time".to_owned(),
        from,
        to,
        each: each.map(<[HostId]>::to_vec),
    }
}

fn measured(draft: Draft) -> Measured {
    draft.run(1).measures.remove(0)
}

/// Says something so long after the beginning, each time.
fn says_at(times: &[u64]) -> Vec<Rule> {
    let arm = times
        .iter()
        .map(|time| Do::Arm(*time, ms(*time)))
        .collect::<Vec<_>>();
    std::iter::once(start(arm))
        .chain(times.iter().map(|time| on(On::Timer(*time), [say("x")])))
        .collect()
}

#[test]
fn a_measure_goes_from_each_start_to_the_first_end_after_it() {
    let found = |times: &[u64]| {
        let mut rules = says_at(times);
        for rule in times
            .iter()
            .map(|time| on(On::Timer(*time), [Do::Arm(1_000 + time, ms(7))]))
        {
            rules.push(rule);
        }
        rules.extend(
            times
                .iter()
                .map(|time| on(On::Timer(1_000 + time), [Do::Recall, Do::Recall])),
        );
        rules
    };
    let draft = plan()
        .host("a", found(&[10, 30, 50]))
        // A start while the clock runs starts nothing.
        .host("b", says_at(&[12, 994]))
        .measure(measure(Moment::Fact(SAID), Moment::Fact(FOUND), None));
    let Measured {
        name,
        samples,
        unfinished,
    } = measured(draft);
    assert_eq!((name.as_str(), samples, unfinished), ("time", vec![ms(7); 3], 1));
}

#[test]
fn a_fault_starts_a_clock_when_it_touches_something() {
    let draft = plan()
        .host("a", says_at(&[100]))
        .host("b", [])
        .at(ms(20), restart(&[B]))
        .at(ms(40), kill(&[B]))
        .measure(measure(Moment::Fault("restart"), Moment::Fact(SAID), None))
        .measure(measure(Moment::Fault("kill"), Moment::Fact(SAID), None));
    let measures = draft.run(1).measures;
    assert_eq!((&measures[0].samples, measures[0].unfinished), (&vec![], 0));
    assert_eq!(measures[1].samples, [ms(60)]);
    // A cut is laid whether or not anything is sent across it.
    let cut = plan()
        .host("a", says_at(&[100]))
        .at(ms(30), lay(partition(&[&[A]])))
        .measure(measure(Moment::Fault("partition"), Moment::Fact(SAID), None));
    assert_eq!(measured(cut).samples, [ms(70)]);
}

#[test]
fn each_waits_for_the_last_of_those_who_are_up_all_the_time() {
    let draft = |faults: &dyn Fn(Draft) -> Draft| {
        let draft = plan()
            .host("a", says_at(&[110, 300]))
            .host("b", says_at(&[130]))
            .host("c", says_at(&[170]))
            .host(
                "d",
                [
                    start([Do::Arm(1, ms(100))]),
                    on(On::Timer(1), [Do::Claim(Claim::Bad)]),
                ],
            )
            .measure(measure(Moment::Fact(BAD), Moment::Fact(SAID), Some(&[A, B, C])));
        measured(faults(draft))
    };
    assert_eq!(draft(&|draft| draft).samples, [ms(70)]);
    let down_before = draft(&|draft| draft.at(ms(50), kill(&[C])));
    assert_eq!(
        down_before.samples,
        [ms(30)],
        "who is down when the clock starts is not waited for"
    );
    let down_meanwhile = draft(&|draft| draft.at(ms(150), kill(&[C])));
    assert_eq!(
        down_meanwhile.samples,
        [ms(30)],
        "nor who goes down while it runs"
    );
    let back_again = draft(&|draft| draft.at(ms(150), kill(&[C])).at(ms(151), restart(&[C])));
    assert_eq!(back_again.samples, [ms(30)]);
    let nobody = draft(&|draft| draft.at(ms(105), kill(&[A, B, C])));
    assert_eq!(
        (nobody.samples, nobody.unfinished),
        (vec![], 0),
        "nobody is left to get there"
    );
    let never = draft(&|draft| draft.limit(ms(160)));
    assert_eq!((never.samples, never.unfinished), (Vec::<Span>::new(), 1));
}
