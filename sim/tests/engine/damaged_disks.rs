//! Restarts with a damaged disk: what the node finds, what the world is told, what counts.

use std::collections::BTreeSet;

use squall_nodes::{Change, DiskAtBoot};
use squall_sim::plan::DiskOnRestart;

use crate::node::{Do, On, on, persist, start};
use crate::plans::{A, B, Draft, kill, ms, plan, restart, restart_with};
use crate::stories::Story;

/// When it is asked, writes `old`, and when that is on the disk `new-er`; each takes 10 ms.
fn writer() -> Draft {
    plan().host(
        "a",
        [
            start([Do::Recall]),
            on(On::Command, [persist("old"), persist("older"), persist("new-er")]),
        ],
    )
}

/// What the lives of `a` found on their disks, and how the world knows them.
fn found(story: &Story) -> Vec<(Option<String>, DiskAtBoot)> {
    let disks = story
        .changes()
        .into_iter()
        .filter_map(|(_, change)| match change {
            Change::Up { host: A, disk, .. } => Some(disk),
            _ => None,
        });
    // The first life is there when the run begins.
    let disks = std::iter::once(DiskAtBoot::Fresh).chain(disks);
    let texts = story.claimed(A).into_iter().map(|(_, says)| {
        let text = says
            .strip_prefix("Found { disk: ")
            .unwrap()
            .strip_suffix(" }")
            .unwrap();
        let text = text.strip_prefix("Some(\"")?.strip_suffix("\")")?;
        Some(text.to_owned())
    });
    texts.zip(disks).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_stale_disk_holds_what_was_there_before_the_last_write_that_completed() {
    let story = writer()
        .call(ms(1), A, "write")
        .at(ms(50), kill(&[A]))
        .at(ms(51), restart_with(&[A], DiskOnRestart::Stale))
        // What was stale is what is there now, and what was before it nobody knows.
        .at(ms(52), kill(&[A]))
        .at(ms(53), restart_with(&[A], DiskOnRestart::Stale))
        .at(ms(54), kill(&[A]))
        .at(ms(55), restart(&[A]))
        .trace(1);
    // The first of the three persists was a write, and the other two were another.
    assert_eq!(
        found(&story),
        [
            (None, DiskAtBoot::Fresh),
            (some("old"), DiskAtBoot::Stale),
            (some("old"), DiskAtBoot::Kept),
            (some("old"), DiskAtBoot::Kept),
        ]
    );
    assert_eq!(story.affected(), [1, 1, 1, 0, 1, 1]);
}

#[test]
fn a_first_write_that_is_gone_leaves_nothing() {
    let story = plan()
        .host("a", [start([Do::Recall]), on(On::Command, [persist("first")])])
        .call(ms(1), A, "write")
        .at(ms(20), kill(&[A]))
        .at(ms(21), restart_with(&[A], DiskOnRestart::Stale))
        .at(ms(22), kill(&[A]))
        .at(ms(23), restart(&[A]))
        .trace(1);
    assert_eq!(
        found(&story),
        [
            (None, DiskAtBoot::Fresh),
            (None, DiskAtBoot::Stale),
            // There was something once.
            (None, DiskAtBoot::Wiped),
        ]
    );
}

#[test]
fn a_stale_disk_has_nothing_of_the_write_that_was_under_way() {
    let mut counts = BTreeSet::new();
    for seed in 0..40 {
        let run = |disk| {
            writer()
                .call(ms(1), A, "write")
                // The second write is under way.
                .at(ms(15), kill(&[A]))
                .at(ms(16), restart_with(&[A], disk))
                .limit(ms(17))
                .trace(seed)
        };
        let (stale, kept) = (run(DiskOnRestart::Stale), run(DiskOnRestart::Kept));
        assert_eq!(found(&stale)[1].0, some("old"), "seed {seed}");
        // It counts where it makes a difference.
        let differs = found(&kept)[1].0 != some("old");
        let expected = if differs {
            DiskAtBoot::Stale
        } else {
            DiskAtBoot::Kept
        };
        assert_eq!(found(&stale)[1].1, expected, "seed {seed}");
        assert_eq!(stale.affected(), [1, u64::from(differs)], "seed {seed}");
        counts.insert(differs);
    }
    assert_eq!(counts.len(), 2, "a crash leaves now the old and now the new");
}

#[test]
fn a_torn_disk_holds_a_beginning_of_the_last_write_over_what_was_there() {
    let mut seen = BTreeSet::new();
    // Under way, or completed.
    for (crash, seed) in (0..60).flat_map(|seed| [(ms(15), seed), (ms(50), seed)]) {
        let story = writer()
            .call(ms(1), A, "write")
            .at(crash, kill(&[A]))
            .at(ms(51), restart_with(&[A], DiskOnRestart::Torn))
            .at(ms(52), kill(&[A]))
            .at(ms(53), restart(&[A]))
            .limit(ms(54))
            .trace(seed);
        let found = found(&story);
        assert_eq!(found[1].1, DiskAtBoot::Torn, "seed {seed}");
        assert_eq!(
            found[2],
            (found[1].0.clone(), DiskAtBoot::Kept),
            "what was torn stays"
        );
        assert_eq!(story.affected(), [1, 1, 1, 1]);
        seen.insert(found[1].0.clone().unwrap());
    }
    let all = ["nld", "ned", "new", "new-", "new-e"].map(String::from);
    assert_eq!(seen, BTreeSet::from(all), "each length is drawn");
}

#[test]
fn a_corrupt_disk_holds_the_last_write_with_another_byte() {
    let mut places = BTreeSet::new();
    let text = "00000000";
    for seed in 0..60 {
        let story = plan()
            .host("a", [start([Do::Recall]), on(On::Command, [persist(text)])])
            .call(ms(1), A, "write")
            .at(ms(20), kill(&[A]))
            .at(ms(21), restart_with(&[A], DiskOnRestart::Corrupt))
            .limit(ms(22))
            .trace(seed);
        let found = found(&story);
        assert_eq!(found[1].1, DiskAtBoot::Corrupt);
        assert_eq!(story.affected(), [1, 1]);
        // A byte that is no text is printed as one character, escaped or not; the others stay as they were.
        let left = found[1].0.clone().unwrap();
        let head = left.chars().take_while(|c| *c == '0').count();
        let tail = left.chars().rev().take_while(|c| *c == '0').count();
        assert_eq!(head + tail, text.len() - 1, "seed {seed}: {left}");
        places.insert(head);
    }
    assert!(places.len() > 5, "{places:?}");
}

#[test]
fn where_nothing_was_written_a_host_restarts_and_nothing_is_damaged() {
    for disk in [DiskOnRestart::Stale, DiskOnRestart::Torn, DiskOnRestart::Corrupt] {
        let story = plan()
            .host("a", [start([Do::Recall])])
            .host("b", [start([persist("x-y-z")])])
            .at(ms(20), kill(&[A, B]))
            .at(ms(21), restart_with(&[A, B], disk))
            .trace(1);
        assert_eq!(
            found(&story),
            [(None, DiskAtBoot::Fresh), (None, DiskAtBoot::Fresh)],
            "{disk:?}"
        );
        // The disk of b is damaged.
        assert_eq!(story.affected(), [2, 1], "{disk:?}");
        assert_eq!(story.outcome.faults[1].at, Some(crate::plans::at(ms(21))));
    }
}

#[test]
fn the_words_of_a_damage_are_of_the_host_and_its_life_alone() {
    let torn = |extra: bool| {
        let draft = writer()
            .call(ms(1), A, "write")
            .at(ms(50), kill(&[A]))
            .at(ms(51), restart_with(&[A], DiskOnRestart::Torn))
            .limit(ms(52));
        let draft = if extra {
            draft.host("b", [start([persist("x"), persist("y")])])
        } else {
            draft
        };
        found(&draft.trace(9))
    };
    assert_eq!(torn(true), torn(false));
}
