//! What is told of the world after changes that are made up.

use squall_sim::trace::{Crash, Cut, DiskAtBoot, DiskState, TraceEvent};

use super::words::change_of;
use super::*;
use crate::look::Look;
use crate::{sample, text};

/// The story of a violation of `c1` and `c2` after these changes, each 1 ms after the last.
fn story(changes: Vec<(Change, &str)>) -> String {
    let with_cause = |(change, fault): (Change, &str)| (change, (fault.to_owned(), sample::cause(fault)));
    story_of(changes.into_iter().map(with_cause).collect())
}

fn story_of(changes: Vec<(Change, (String, Option<Cause>))>) -> String {
    let events = changes
        .into_iter()
        .enumerate()
        .map(|(nth, (change, (fault, cause)))| TraceEvent {
            at: Time::ZERO + Span::from_millis(nth as u64),
            host: None,
            what: Happening::World { change, fault, cause },
        });
    let trace = Trace {
        events: events.collect(),
        ..sample::trace()
    };
    text::story(&sample::violated(true), &trace, None, &Look::plain("squall"))
}

/// A cut between `s` and the others.
fn cut(layer: u32) -> Change {
    let cut = Cut::Groups(vec![0, 1, 1]);
    Change::Cut { layer, cut }
}

fn late(from: u32) -> Change {
    Change::Straggled {
        from: HostId(from),
        to: HostId(0),
    }
}

#[test]
fn a_triggered_fault_is_told_with_what_triggered_it_and_the_healing_of_it_in_short() {
    let by = |kind: &str, entry, fault: &str, when: &str| {
        let cause = Cause {
            entry,
            kind: kind.to_owned(),
            actor: Some(HostId(1)),
            when: Some(when.to_owned()),
        };
        (fault.to_owned(), Some(cause))
    };
    let laid = || by("partition", 0, "partition(c1)", "when c1 had completed a write");
    let flaps = || {
        by(
            "flap",
            1,
            "flap(partition(c1), 1ms down, 1ms up)",
            "1s after c1 claimed promoted",
        )
    };
    let heal = by("heal", 2, "heal(partition(c1))", "when c1 claimed joined");
    let heal_all = by("heal_all", 3, "heal_all", "when c2 claimed joined");
    let said = story_of(vec![
        (cut(1), laid()),
        (Change::Healed { layer: 1 }, heal),
        (cut(2), flaps()),
        (Change::Healed { layer: 2 }, flaps()),
        (cut(3), flaps()),
        (Change::Healed { layer: 3 }, heal_all),
    ]);
    for told in [
        "world  links are cut: partition(c1), when c1 had completed a write\n",
        "world  links are healed of partition(c1), when c1 claimed joined\n",
        "world  links flap 2 times from 2.000 to 4.000 ms: flap(partition(c1), 1ms down, 1ms up), 1s after c1 claimed promoted\n",
        "world  links are healed of flap(partition(c1), 1ms down, 1ms up): heal_all, when c2 claimed joined\n",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
}

#[test]
fn what_caused_it_outlasts_what_came_after_it() {
    let mut changes = vec![(cut(1), "partition(s | c1 c2)")];
    for turn in 2..60 {
        changes.push((cut(turn), "flap(ring(s c1 c2), 1ms down, 1ms up)"));
        changes.push((
            Change::Healed { layer: turn },
            "flap(ring(s c1 c2), 1ms down, 1ms up)",
        ));
        changes.push((late(1), "link"));
    }
    changes.push((late(2), "link"));
    changes.push((Change::Healed { layer: 1 }, "heal(partition(s | c1 c2))"));
    let expected = "
  0.000  world  links are cut: partition(s | c1 c2)
  1.000  world  links flap 58 times from 1.000 to 173.000 ms: flap(ring(s c1 c2), 1ms down, 1ms up)
  3.000  world  datagrams from c1 to s come late, 58 times from 3.000 to 174.000 ms
175.000  world  a datagram from c2 to s comes late
176.000  world  links are healed of partition(s | c1 c2)
";
    let said = story(changes);
    let lines = |text: &str| -> Vec<String> {
        let worlds = text.lines().filter(|line| line.contains("  world  "));
        worlds.map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(lines(&said), lines(expected), "{said}");
    assert!(!said.contains('⋮'), "all is told: {said}");
}

#[test]
fn of_a_fault_that_comes_again_and_again_the_first_and_the_last_are_told() {
    let mut changes = Vec::new();
    for layer in 0..40 {
        changes.push((cut(layer), "partition(s | c1 c2)"));
        changes.push((Change::Healed { layer }, "heal_all"));
    }
    let said = story(changes);
    for told in [
        "  0.000  world  links are cut: partition(s | c1 c2)\n",
        " 1.000  world  links are healed of partition(s | c1 c2): heal_all\n",
        "79.000  world  ",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(said.matches("  world  ").count(), 2 + LAST_AGAIN, "{said}");
    assert!(said.contains('⋮'), "{said}");
}

#[test]
fn of_many_links_the_last_are_told() {
    let links = (0..100).map(|from| (late(from), "link"));
    let choked = Change::Choked {
        from: HostId(1),
        to: HostId(2),
    };
    let said = story(
        links
            .chain([
                (choked.clone(), "link(c1 > c2, queue 9 B)"),
                (choked, "link(c1 > c2, queue 9 B)"),
            ])
            .collect(),
    );
    assert_eq!(said.matches("comes late").count(), LAST_LINKS - 1, "{said}");
    let told = "the link from c1 to c2 drops for want of room, 2 times from 100.000 to 101.000 ms: link(c1 > c2, queue 9 B)\n";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_fault_that_hits_others_first_is_a_cause_for_those_involved() {
    let down = |host| Change::Down {
        host: HostId(host),
        how: Crash::Kill,
    };
    let mut changes = vec![(down(0), "kill(s c1)"), (down(1), "kill(s c1)")];
    let again = |nth| {
        (
            if nth % 2 == 0 {
                Change::Paused { host: HostId(0) }
            } else {
                Change::Resumed { host: HostId(0) }
            },
            "pause(s)",
        )
    };
    changes.extend((0..50).map(again));
    let said = story(changes);
    assert!(
        said.contains("  world  s is killed: kill(s c1)\n")
            && said.contains("  world  c1 is killed: kill(s c1)\n"),
        "{said}"
    );
}

#[test]
fn a_clock_without_drift_goes_as_it_should() {
    let drift = |ppm| Change::Drift { host: HostId(1), ppm };
    let said = story(vec![(drift(-200), "drift(c1, -200 ppm)"), (drift(0), "heal_all")]);
    assert!(
        said.contains("c1's clock goes -200 ppm: drift(c1, -200 ppm)\n"),
        "{said}"
    );
    assert!(
        said.contains("c1's clock goes as it should again: heal_all\n"),
        "{said}"
    );
}

#[test]
fn a_stall_is_told_once_and_how_far_a_fault_has_come_after_what_it_did() {
    let by = Span::from_millis(303);
    let stalled = || (Change::Stalled { host: HostId(1), by }, "the machine");
    let mut changes = vec![
        (Change::Unsettled { by: 4 }, "kill(s)"),
        (cut(1), "partition(s | c1 c2)"),
        (Change::Settled { by: 4 }, "kill(s)"),
    ];
    changes.extend([stalled(), stalled()]);
    let said = story(changes);
    for told in [
        " 0.000  world  kill(s) is under way\n",
        " 1.000  world  links are cut: partition(s | c1 c2)\n",
        " 2.000  world  kill(s) is done everywhere\n",
        " 3.000  world  c1 is kept from running for 303.000 ms\n",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(said.matches("  world  ").count(), 4, "{said}");
}

#[test]
fn that_a_host_starts_is_one_line() {
    let host = HostId(1);
    let up = Change::Up {
        host,
        incarnation: 0,
        disk: DiskAtBoot::Fresh,
    };
    let changes = [Change::Unsettled { by: 9 }, up, Change::Settled { by: 9 }];
    let said = story_of(
        changes
            .into_iter()
            .map(|change| (change, ("start".to_owned(), None)))
            .collect(),
    );
    assert!(
        said.contains("  world  c1 comes up for the first time with an empty disk: start\n"),
        "{said}"
    );
    assert_eq!(said.matches("  world  ").count(), 1, "{said}");
    assert!(!said.contains('⋮'), "nothing is missing: {said}");
}

#[test]
fn that_a_fault_is_under_way_is_not_told_where_the_next_line_says_what_it_does() {
    let events = [
        Change::Unsettled { by: 4 },
        cut(1),
        Change::Settled { by: 4 },
        Change::Unsettled { by: 4 },
        Change::Settled { by: 4 },
    ];
    let events = events.map(|change| TraceEvent {
        at: Time::ZERO,
        host: None,
        what: Happening::World {
            change,
            fault: "partition(s | c1 c2)".to_owned(),
            cause: None,
        },
    });
    let trace = Trace {
        events: events.to_vec(),
        ..sample::trace()
    };
    let world = World::of(&trace, &[]);
    assert_eq!(world.places().collect::<Vec<_>>(), [1, 2, 3, 4]);
    let said = |nth| world.says(nth, &trace).unwrap();
    assert_eq!(said(2), "partition(s | c1 c2) is done everywhere");
    assert_eq!(said(3), "partition(s | c1 c2) is under way");
}

#[test]
fn what_faults_do_outlasts_how_far_they_had_come_and_what_the_machine_did() {
    let mut changes = vec![(Change::Paused { host: HostId(1) }, "pause(c1)")];
    for by in 1..50 {
        let stalled = Change::Stalled {
            host: HostId(1),
            by: Span::from_millis(by),
        };
        changes.push((stalled, "the machine"));
        changes.push((Change::Settled { by: 4 }, "pause(c1)"));
    }
    changes.insert(1, (Change::Settled { by: 4 }, "pause(c1)"));
    changes.push((Change::Resumed { host: HostId(1) }, "pause(c1)"));
    let said = story(changes);
    assert!(said.contains("  world  c1 is paused: pause(c1)\n"), "{said}");
    assert!(said.contains("  world  c1 runs on: pause(c1)\n"), "{said}");
    assert_eq!(said.matches("  world  ").count(), LAST_OF_MACHINE + 2, "{said}");
}

#[test]
fn every_change_is_told_in_words() {
    let (host, from, to, by) = (HostId(1), HostId(1), HostId(2), Span::from_millis(3));
    let how = [Crash::Kill, Crash::PowerCut];
    let disks = [
        DiskAtBoot::Fresh,
        DiskAtBoot::Kept,
        DiskAtBoot::Wiped,
        DiskAtBoot::Stale,
        DiskAtBoot::Torn,
        DiskAtBoot::Corrupt,
    ];
    let up = |disk| Change::Up {
        host,
        incarnation: 1,
        disk,
    };
    let mut changes = vec![
        Change::Paused { host },
        Change::Resumed { host },
        cut(1),
        Change::Healed { layer: 1 },
        Change::Links { beyond: Vec::new() },
        Change::Links {
            beyond: vec![(from, to)],
        },
        Change::Choked { from, to },
        Change::Slowed { host, by },
        Change::Slowed { host, by: Span::ZERO },
        Change::Drift { host, ppm: 9 },
        Change::Jumped { host, by },
        Change::Straggled { from, to },
        Change::Unsettled { by: 4 },
        Change::Settled { by: 4 },
        Change::Stalled { host, by },
    ];
    changes.extend(how.map(|how| Change::Down { host, how }));
    changes.extend(disks.map(up));
    changes.extend([DiskState::Sound, DiskState::Ailing].map(|state| Change::Disk { host, state }));
    let (laid, cause) = (BTreeMap::new(), sample::cause("pause(c1)"));
    for change in &changes {
        for fault in [None, Some(("", None)), Some(("pause(c1)", cause.as_ref()))] {
            let said = change_of(change, fault, &laid, &sample::trace());
            // The catch-all says no more than that something changed.
            assert!(
                said.len() > 8 && said != "the world changes",
                "{change:?}: {said}"
            );
            assert!(!said.contains(['{', '}', '[']), "{change:?}: {said}");
        }
    }
    let count = changes.len();
    let said = story(changes.into_iter().map(|change| (change, "pause(c1)")).collect());
    let world: Vec<&str> = said.lines().filter(|line| line.contains("  world  ")).collect();
    assert!(world.len() > count / 2, "{said}");
    assert!(world.iter().all(|line| !line.contains('{')), "{said}");
}
