//! What a trace tells of why the world changed: which entry of the timeline, who triggered it, and by what.

use squall_nodes::{Change, HostId, Span};
use squall_sim::plan::{Cue, CutPlan, Target, Trigger};
use squall_sim::trace::{Cause, Happening};

use crate::node::{Do, On, SAID, on, persist, say, send, start};
use crate::plans::{A, B, C, Draft, flap, heal, kill, kill_actor, lay, lay_over, ms, plan};
use crate::stories::Story;

fn when(cue: Cue, by: &[HostId], nth: u32, after: Span) -> Trigger {
    Trigger::When {
        cue,
        by: by.to_vec(),
        nth,
        after,
    }
}

fn cut_off_actor() -> CutPlan {
    CutPlan::Partition(vec![vec![Target::Actor]])
}

/// Every change with its fault and its cause.
fn causes(story: &Story) -> Vec<(Change, String, Option<Cause>)> {
    let cause = |what: &Happening| match what {
        Happening::World { change, fault, cause } => Some((change.clone(), fault.clone(), cause.clone())),
        _ => None,
    };
    story
        .trace
        .events
        .iter()
        .filter_map(|event| cause(&event.what))
        .collect()
}

/// Two hosts that both write, and `b` is done first; `c` does nothing.
fn writers() -> Draft {
    let then = |after: Span, what: Do| vec![start([Do::Arm(1, after)]), on(On::Timer(1), [what])];
    plan()
        .host("a", then(ms(20), persist("a")))
        .host("b", then(ms(10), persist("b")))
        .host("c", [])
}

#[test]
fn a_triggered_cut_names_whom_it_cuts_off_and_what_they_had_done() {
    let draft = || {
        writers()
            .step(
                when(Cue::PersistCompleted, &[], 1, Span::ZERO),
                lay(cut_off_actor()),
            )
            .labelled("partition(@actor)")
    };
    let story = draft().trace(1);
    let [(_, fault, cause)] = &causes(&story)[..] else {
        panic!("one cut: {:?}", story.trace.events);
    };
    assert_eq!(fault, "partition(b)");
    assert_eq!(
        cause,
        &Some(Cause {
            entry: 0,
            kind: "partition".to_owned(),
            actor: Some(B),
            when: Some("when b had completed a write".to_owned()),
        })
    );
    // The result goes by the file.
    assert_eq!(story.outcome.faults[0].fault, "partition(@actor)");
    assert_eq!(draft().run(1).digest, story.outcome.digest);
}

#[test]
fn each_turn_of_a_triggered_flap_and_its_end_name_who_is_cut_off() {
    let story = writers()
        .step(
            when(Cue::PersistBegun, &[A], 1, ms(5)),
            lay_over(flap(cut_off_actor(), ms(10), ms(10))),
        )
        .labelled("flap(partition(@actor), 10ms down, 10ms up)")
        .at(
            ms(50),
            squall_sim::plan::Fault::Heal(flap(
                CutPlan::Partition(vec![vec![Target::Host(A)]]),
                ms(10),
                ms(10),
            )),
        )
        .limit(ms(60))
        .trace(1);
    let told = causes(&story);
    let (last, turns) = told.split_last().expect("it is healed");
    assert_eq!(turns.len(), 3, "cut at 25, open at 35, cut at 45 ms: {told:?}");
    for (_, fault, cause) in turns {
        assert_eq!(fault, "flap(partition(a), 10ms down, 10ms up)");
        let cause = cause.as_ref().expect("an entry laid it");
        assert_eq!(
            (
                cause.entry,
                cause.kind.as_str(),
                cause.actor,
                cause.when.as_deref()
            ),
            (0, "flap", Some(A), Some("5ms after a had begun a write"))
        );
    }
    let (entry, actor) = last
        .2
        .as_ref()
        .map(|cause| (cause.entry, cause.actor))
        .expect("an entry heals it");
    assert_eq!((entry, actor), (1, None));
}

#[test]
fn what_happens_at_its_time_or_by_itself_was_triggered_by_nobody() {
    let story = plan()
        .host("a", [])
        .late_host("b", ms(5), [])
        .at(ms(10), kill(&[A]))
        .trace(1);
    let told = causes(&story);
    assert_eq!((told[0].1.as_str(), &told[0].2), ("start", &None));
    let cause = told[1].2.as_ref().expect("an entry of the timeline");
    assert_eq!((cause.entry, cause.actor, &cause.when), (0, None, &None));
}

#[test]
fn triggers_are_told_in_words() {
    let talker = || {
        [start([
            say("x"),
            send(B, "x"),
            send(C, "x"),
            send(B, "x"),
            say("y"),
        ])]
    };
    for (cue, by, nth, words) in [
        (Cue::Fact(SAID), &[][..], 1, "when a claimed said"),
        (
            Cue::Fact(SAID),
            &[A][..],
            2,
            "when a claimed said for the 2nd time",
        ),
        (
            Cue::Fact(SAID),
            &[A, B][..],
            2,
            "when a claimed said, the 2nd time in all",
        ),
        (
            Cue::Send(vec![]),
            &[A][..],
            3,
            "when a had sent a datagram for the 3rd time",
        ),
        (Cue::Send(vec![C]), &[][..], 1, "when a had sent a datagram to c"),
        (
            Cue::Send(vec![B, C]),
            &[][..],
            1,
            "when a had sent a datagram to one of b c",
        ),
    ] {
        let story = plan()
            .host("a", talker())
            .host("b", [])
            .host("c", [])
            .step(when(cue, by, nth, Span::ZERO), kill_actor())
            .trace(1);
        let told = causes(&story);
        let when = told[0].2.as_ref().and_then(|cause| cause.when.as_deref());
        assert_eq!(when, Some(words));
    }
}

#[test]
fn a_heal_that_is_triggered_names_who_did() {
    let story = writers()
        .at(ms(1), lay(CutPlan::Partition(vec![vec![Target::Host(B)]])))
        .step(when(Cue::PersistBegun, &[], 1, Span::ZERO), heal(cut_off_actor()))
        .labelled("heal(partition(@actor))")
        .trace(1);
    let told = causes(&story);
    assert_eq!(told[1].1, "heal(partition(b))");
    assert_eq!(told[1].2.as_ref().map(|cause| cause.kind.as_str()), Some("heal"));
}
