//! Every decision has its own randomness: what is added or taken away in one place changes no draw in another. Whole runs
//! are held against each other, by the names of hosts and by what is said.

use squall_nodes::Span;
use squall_sim::plan::{Fault, Latency, LinkChange, LinkLaw};
use squall_sim::trace::{Fate, Happening};

use crate::node::{Do, On, Rule, on, send, start};
use crate::plans::{A, B, C, Draft, changed, heal, kill, lay, link, ms, one_way, pause, plan, resume, us};
use crate::stories::Story;
use squall_nodes::HostId;

/// A link on which everything is drawn.
fn rough() -> LinkLaw {
    LinkLaw {
        loss: 0.2,
        duplicate: 0.2,
        reorder: 0.2,
        reorder_by: ms(9),
        ..link(Latency::Uniform(us(100), ms(3)))
    }
}

/// Says something to each of `to` at times of its own drawing, and more when it hears something.
fn talker(to: &[HostId]) -> Vec<Rule> {
    let mut then: Vec<Do> = to.iter().map(|to| send(*to, "#")).collect();
    then.push(Do::ArmWithin(1, ms(1), ms(9)));
    vec![start([Do::ArmWithin(1, ms(1), ms(9))]), on(On::Timer(1), then)]
}

fn talkers() -> Draft {
    plan()
        .host("a", talker(&[B, C]))
        .host("b", talker(&[A, C]))
        .host("c", talker(&[A, B]))
        .links(rough())
        .persist_takes(Latency::Uniform(ms(1), ms(9)))
}

/// A run without its addresses: when, who, what, and with whom.
fn lines(story: &Story) -> Vec<String> {
    let line = |event: &squall_sim::trace::TraceEvent| {
        let who = event
            .host
            .map_or("the world", |host| story.trace.hosts[host.index()].as_str());
        let what = match &event.what {
            Happening::Sent { to, fate, says, .. } => {
                format!("sends {says} to {} {fate:?}", story.name_at(to))
            }
            Happening::Received { from, says, .. } => format!("hears {says} from {}", story.name_at(from)),
            Happening::Dropped { from, why } => format!("drops {why:?} from {}", story.name_at(from)),
            other => format!("{other:?}"),
        };
        format!("{} {who} {what}", event.at)
    };
    story.trace.events.iter().map(line).collect()
}

#[test]
fn taking_away_a_fault_that_touched_nothing_changes_no_event() {
    let without = talkers().trace(5);
    let with = talkers()
        .at(ms(50), resume(&[A]))
        .at(ms(60), Fault::HealAll)
        .at(ms(70), heal(one_way(&[A], &[B])))
        .at(ms(80), kill(&[]))
        .at(ms(90), pause(&[]))
        .trace(5);
    assert_eq!(with.affected(), [0; 5]);
    assert_eq!(lines(&with), lines(&without));
    assert_eq!(with.outcome.digest, without.outcome.digest);
    assert!(without.outcome.traffic.lost > 50 && without.outcome.traffic.duplicated > 50);
}

#[test]
fn taking_away_a_cut_changes_no_draw_of_what_it_let_pass_and_of_what_came_later() {
    let without = talkers().trace(5);
    let with = talkers()
        .at(ms(100), lay(one_way(&[A], &[B])))
        .at(ms(200), Fault::HealAll)
        .trace(5);
    assert!(with.affected()[0] > 10);
    // But for the cut itself and what a said to b, both runs are the same event for event.
    let others = |story: &Story| -> Vec<String> {
        let touched = |line: &String| {
            line.contains(" a sends ") && line.contains(" to b ")
                || line.contains(" b hears ") && line.contains(" from a")
                || line.contains(" b drops ")
                || line.contains("the world")
        };
        lines(story).into_iter().filter(|line| !touched(line)).collect()
    };
    assert_eq!(others(&with), others(&without));
    let fates = |story: &Story| -> Vec<Fate> { fates(story, "a", "b") };
    for (with, without) in fates(&with).into_iter().zip(fates(&without)) {
        assert!(with == without || with == Fate::Cut);
    }
}

/// What became of each datagram that one host sent to another.
fn fates(story: &Story, from: &str, to: &str) -> Vec<Fate> {
    let fate = |event: &squall_sim::trace::TraceEvent| match &event.what {
        Happening::Sent { to: whom, fate, .. }
            if story.trace.hosts[event.host?.index()] == from && story.name_at(whom) == to =>
        {
            Some(*fate)
        }
        _ => None,
    };
    story.trace.events.iter().filter_map(fate).collect()
}

#[test]
fn a_silent_host_anywhere_in_the_list_changes_nothing_for_the_others() {
    let at_place = |place: usize| {
        // The others keep their order; who comes after the silent one has another number and address.
        let id = |host: usize| HostId((host + usize::from(host >= place)) as u32);
        let (a, b, c) = (id(0), id(1), id(2));
        let mut draft = plan();
        for (host, (name, to)) in [("a", [b, c]), ("b", [a, c]), ("c", [a, b])]
            .into_iter()
            .enumerate()
        {
            if host == place {
                draft = draft.host("silent", []);
            }
            draft = draft.host(name, talker(&to));
        }
        if place == 3 {
            draft = draft.host("silent", []);
        }
        draft.links(rough()).trace(5)
    };
    let without = lines(&talkers().trace(5));
    for place in 0..=3 {
        let story = at_place(place);
        assert_eq!(story.trace.hosts[place], "silent");
        let others: Vec<String> = lines(&story)
            .into_iter()
            .filter(|line| !line.contains(" silent "))
            .collect();
        assert_eq!(others, without, "the silent host is at place {place}");
    }
}

#[test]
fn one_more_message_from_a_to_b_changes_no_draw_on_another_link_and_none_before_it() {
    let more = |extra: bool| {
        let mut rules = talker(&[B, C]);
        if extra {
            rules.extend([
                start([Do::Arm(2, ms(300))]),
                on(On::Timer(2), [send(B, "one more")]),
            ]);
        } else {
            rules.extend([start([Do::Arm(2, ms(300))])]);
        }
        plan()
            .host("a", rules)
            .host("b", talker(&[A, C]))
            .host("c", talker(&[A, B]))
            .links(rough())
            .trace(5)
    };
    let (with, without) = (more(true), more(false));
    let said = |story: &Story| {
        lines(story)
            .iter()
            .filter(|line| line.contains("one more"))
            .count()
    };
    assert!(said(&with) >= 1);
    assert_eq!(said(&without), 0);
    // What a says counts on by one, so what it says is left out; when and to whom is not.
    let others = |story: &Story| -> Vec<String> {
        lines(story)
            .into_iter()
            .filter(|line| !(line.contains(" to b ") && line.contains(" a ")))
            .filter(|line| !(line.contains(" b ") && line.contains(" from a")))
            .map(|line| match line.split_once(" a sends ") {
                Some((when, rest)) => format!("{when} a sends {}", rest.split_once(' ').unwrap().1),
                None => line,
            })
            .map(|line| match line.split_once(" c hears ") {
                Some((when, rest)) if rest.ends_with("from a") => format!("{when} c hears from a"),
                _ => line,
            })
            .collect()
    };
    assert_eq!(others(&with), others(&without));
    // On the link itself the nth datagram has the nth draws: one more is one more at the end.
    let (long, short) = (fates(&with, "a", "b"), fates(&without, "a", "b"));
    assert_eq!(long.len(), short.len() + 1);
    assert_eq!(long[..short.len()], short);
}

#[test]
fn turning_loss_off_changes_no_other_draw() {
    let lossless = LinkLaw { loss: 0.0, ..rough() };
    let (with, without) = (talkers().trace(5), talkers().links(lossless).trace(5));
    let (some, all) = (heard(&with), heard(&without));
    assert_eq!(without.outcome.traffic.lost, 0);
    assert!(with.outcome.traffic.lost > 50);
    // Nobody answers anybody, so all that is said is the same; what was lost is heard as well, and the rest as before.
    assert_eq!(with.outcome.traffic.sent, without.outcome.traffic.sent);
    assert!(some.len() < all.len());
    let mut rest = all.iter();
    for line in &some {
        assert!(
            rest.any(|other| other == line),
            "{line} is not heard at that time any more"
        );
    }
    for (with, without) in fates(&with, "a", "b").into_iter().zip(fates(&without, "a", "b")) {
        assert!(with == without || with == Fate::Lost);
    }
}

fn heard(story: &Story) -> Vec<String> {
    lines(story)
        .into_iter()
        .filter(|line| line.contains(" hears "))
        .collect()
}

#[test]
fn turning_duplicates_off_changes_no_latency() {
    let single = LinkLaw {
        duplicate: 0.0,
        ..rough()
    };
    let (with, without) = (talkers().trace(5), talkers().links(single).trace(5));
    let twice = heard(&with);
    assert!(with.outcome.traffic.duplicated > 50);
    for line in heard(&without) {
        assert!(twice.contains(&line), "{line}");
    }
    assert_eq!(with.outcome.traffic.lost, without.outcome.traffic.lost);
}

/// What was heard where, when and from whom, and not what it said.
fn times(story: &Story) -> Vec<String> {
    let mut times: Vec<String> = heard(story)
        .into_iter()
        .map(|line| {
            let (when, rest) = line.split_once(" hears ").unwrap();
            format!("{when} from {}", rest.rsplit_once(" from ").unwrap().1)
        })
        .collect();
    // What comes at one instant was sent in an order that only what it said would tell.
    times.sort();
    times
}

#[test]
fn turning_corruption_off_changes_no_other_draw() {
    let law = |corrupt| LinkLaw { corrupt, ..rough() };
    let (with, without) = (
        talkers().links(law(0.3)).trace(5),
        talkers().links(law(0.0)).trace(5),
    );
    assert_eq!(without.outcome.digest, talkers().trace(5).outcome.digest);
    assert!(with.outcome.traffic.corrupted > 100);
    assert_eq!(times(&with), times(&without));
    for (from, to) in [("a", "b"), ("b", "c")] {
        for (with, without) in fates(&with, from, to).into_iter().zip(fates(&without, from, to)) {
            let intact = match with {
                Fate::Corrupted => Fate::Underway,
                Fate::CorruptedAndDoubled => Fate::Doubled,
                other => other,
            };
            assert_eq!(intact, without);
        }
    }
    // What was not corrupted says what it said.
    let (some, all) = (heard(&with), heard(&without));
    let changed = some.iter().filter(|line| !all.contains(line)).count();
    assert_eq!(changed as u64, with.outcome.traffic.corrupted);
}

#[test]
fn a_bandwidth_only_adds_the_time_in_the_queue() {
    // A link that is never busy: each datagram takes its own time and nothing else, 29 to 32 bytes at 10 Mbit/s.
    let law = LinkLaw {
        bandwidth: Some(10_000_000),
        ..rough()
    };
    let (with, without) = (talkers().links(law).trace(5), talkers().trace(5));
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
        assert_eq!(fates(&with, from, to), fates(&without, from, to));
    }
    let (late, early) = (hearings(&with), hearings(&without));
    assert_eq!(late.len(), early.len());
    let queued: Vec<Span> = early
        .iter()
        .zip(&late)
        .map(|((early, what), (late, same))| {
            assert_eq!(what, same);
            *late - *early
        })
        .collect();
    assert!(
        queued
            .iter()
            .all(|took| (Span::from_nanos(29 * 800)..=Span::from_nanos(32 * 800)).contains(took))
    );
}

/// What was heard by whom, from whom, and when; by what it says.
fn hearings(story: &Story) -> Vec<(Span, String)> {
    let mut all: Vec<(Span, String)> = story
        .trace
        .events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::Received { from, says, .. } => {
                let what = format!("{:?} hears {says} from {}", event.host, story.name_at(from));
                Some((event.at.since(squall_nodes::Time::ZERO), what))
            }
            _ => None,
        })
        .collect();
    all.sort_by(|(when, what), (then, other)| (what, when).cmp(&(other, then)));
    all
}

#[test]
fn a_change_of_one_link_changes_no_draw_elsewhere_and_none_of_its_own_that_it_does_not_name() {
    let worse = || {
        let change = LinkChange {
            loss: Some(0.5),
            bandwidth: Some(1_000_000),
            corrupt: Some(0.5),
            ..LinkChange::default()
        };
        changed(&[A], &[B], change)
    };
    let without = talkers().trace(5);
    let with = talkers()
        .at(ms(100), Fault::Lay(worse()))
        .at(ms(200), Fault::Heal(worse()))
        .trace(5);
    assert!(with.affected()[0] > 10 && with.affected()[1] == 1);
    let elsewhere = |story: &Story| -> Vec<String> {
        let touched = |line: &String| {
            line.contains(" a sends ") && line.contains(" to b ")
                || line.contains(" b hears ") && line.contains(" from a")
                || line.contains("the world")
        };
        lines(story).into_iter().filter(|line| !touched(line)).collect()
    };
    assert_eq!(elsewhere(&with), elsewhere(&without));
    // On the link itself: what is not lost is doubled or not as before, and once it is healed all is.
    let (with, without) = (fates(&with, "a", "b"), fates(&without, "a", "b"));
    let differ = |(with, without): (&Fate, &Fate)| with != without;
    let changed = with.iter().zip(&without).filter(|pair| differ(*pair)).count();
    assert!(changed > 5);
    for pair in with.iter().zip(&without).filter(|pair| differ(*pair)) {
        assert!(
            matches!(
                pair,
                (Fate::Lost, _)
                    | (Fate::Corrupted, Fate::Underway)
                    | (Fate::CorruptedAndDoubled, Fate::Doubled)
            ),
            "{pair:?}"
        );
    }
    assert_eq!(with[with.len() - 20..], without[without.len() - 20..]);
}

#[test]
fn a_restart_of_one_host_leaves_the_timers_of_the_others_and_gives_it_new_ones() {
    let restarted = talkers()
        .at(ms(100), kill(&[B]))
        .at(ms(100), crate::plans::restart(&[B]))
        .trace(5);
    let plain = talkers().trace(5);
    assert_eq!(restarted.timers(A), plain.timers(A));
    assert_eq!(restarted.timers(C), plain.timers(C));
    let (again, before) = (restarted.timers(B), plain.timers(B));
    let until = |timers: &[(Span, String)]| timers.iter().filter(|(when, _)| *when < ms(100)).count();
    assert_eq!(again[..until(&again)], before[..until(&before)]);
    let first = &again[until(&again)..][..5];
    let gaps = |timers: &[(Span, String)]| -> Vec<Span> {
        timers.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    };
    assert_ne!(gaps(first), gaps(&before[..5]), "a new life draws anew");
}
