//! What each fault that is done to machines looks like: crashes, restarts, pauses, clocks, slowness, disks.

use squall_nodes::{Change, Crash, DiskAtBoot, HostId, Span};
use squall_sim::plan::{DiskOnRestart, Fault};
use squall_sim::trace::Happening;

use super::{A, B, Struck, When, scene};
use crate::node::{Do, On, Rule, beat, on, persist, start};
use crate::plans::{
    drift, failing_disk, heal_layer, jump, kill as kill_of, lay_over, ms, pause as pause_of, restart_with,
    resume as resume_of, slow as slow_of, slow_disk as slow_disk_of, targets,
};

pub(super) fn kill(when: When) {
    goes_down(when, Crash::Kill);
}

pub(super) fn power_cut(when: When) {
    goes_down(when, Crash::PowerCut);
}

pub(super) fn kept_restart(when: When) {
    finds(when, DiskOnRestart::Kept, DiskAtBoot::Kept, |found| {
        found == Some("new-er")
    });
}

pub(super) fn wiped_restart(when: When) {
    finds(when, DiskOnRestart::Wiped, DiskAtBoot::Wiped, |found| {
        found.is_none()
    });
}

pub(super) fn stale_restart(when: When) {
    finds(when, DiskOnRestart::Stale, DiskAtBoot::Stale, |found| {
        found == Some("old")
    });
}

pub(super) fn torn_restart(when: When) {
    let mixes = ["nld", "ned", "new", "new-", "new-e"];
    finds(when, DiskOnRestart::Torn, DiskAtBoot::Torn, |found| {
        found.is_some_and(|found| mixes.contains(&found))
    });
}

pub(super) fn corrupt_restart(when: When) {
    finds(when, DiskOnRestart::Corrupt, DiskAtBoot::Corrupt, |found| {
        // The byte may be one that prints as several characters.
        let (found, new) = (found.unwrap_or_default(), "new-er");
        let head = found.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
        let tail = found
            .chars()
            .rev()
            .zip(new.chars().rev())
            .take_while(|(a, b)| a == b)
            .count();
        found != new && head + tail == new.len() - 1
    });
}

/// It does nothing from then on, and is told nothing.
pub(super) fn pause(when: When) {
    let draft = scene()
        .host("a", beat(&[B], ms(5), ms(10)))
        .host("b", beat(&[A], ms(5), ms(10)));
    let struck = when.strike(draft, pause_of(&[A]));
    let (before, after) = struck.parted(A);
    assert!(before > 15 && after == 0, "{before} events, then {after}");
    assert_eq!(struck.changes()[..1], [Change::Paused { host: A }]);
}

/// It does nothing until then, finds what came in meanwhile, and goes on.
pub(super) fn resume(when: When) {
    let draft = scene()
        .host("a", beat(&[B], ms(5), ms(10)))
        .host("b", beat(&[A], ms(5), ms(10)))
        .at(ms(50), pause_of(&[A]));
    let struck = when.strike(draft, resume_of(&[A]));
    let at = struck.at[0];
    let heard = struck.story.heard(A);
    assert!(
        heard.iter().all(|(when, _)| !(ms(50)..at).contains(when)),
        "{heard:?}"
    );
    let found = heard.iter().filter(|(when, _)| *when == at).count();
    assert!(found >= 5, "{heard:?}");
    let sent = struck.heard_from(B, "a", at);
    assert!(sent.len() > 20, "{sent:?}");
}

/// Its clock is that much ahead, once more each time.
pub(super) fn jumps(when: When) {
    let struck = when.strike(scene().host("a", reader()), jump(&[A], ms(1_234)));
    let shown = struck.clock(A);
    assert!(shown.len() > 30, "{shown:?}");
    for (at, shows) in shown {
        assert_eq!(shows, at + ms(1_234) * struck.times_by(at), "at {at}");
    }
}

/// Its clock gains half as much again from then on, and twice as much from the second time.
pub(super) fn drifts(when: When) {
    let struck = when.strike(scene().host("a", reader()), lay_over(drift(&[A], 500_000)));
    let shown = struck.clock(A);
    assert!(shown.len() > 30, "{shown:?}");
    for (at, shows) in shown {
        let gains = struck.at.iter().map(|from| (at - *from) / 2);
        assert_eq!(shows, gains.fold(at, |sum, gain| sum + gain), "at {at}");
    }
}

/// What reaches it is handled that much later, and later once more from the second time.
pub(super) fn slow(when: When) {
    let draft = scene().host("a", []).host("b", beat(&[A], ms(5), ms(50)));
    let struck = when.strike(draft, lay_over(slow_of(&[A], ms(20))));
    let heard = struck.story.heard(A);
    assert_eq!(heard.len(), 8, "{heard:?}");
    for (nth, (at, _)) in heard.into_iter().enumerate() {
        let came = ms(6) + ms(50) * nth as u64;
        assert_eq!(at, came + ms(20) * struck.times_by(came));
    }
}

/// Its writes take that much longer, and longer once more from the second time.
pub(super) fn slow_disk(when: When) {
    let draft = scene().host("a", writer());
    let struck = when.strike(draft, lay_over(slow_disk_of(&[A], ms(25))));
    let written = struck.story.of(A);
    let written: Vec<&String> = written
        .iter()
        .filter(|line| line.contains("has written"))
        .collect();
    assert_eq!(written.len(), 5, "{written:?}");
    for (nth, line) in written.into_iter().enumerate() {
        let begun = ms(35) + ms(70) * nth as u64;
        let done = begun + ms(10) + ms(25) * struck.times_by(begun);
        assert_eq!(*line, format!("{done} has written {}", nth + 1));
    }
}

/// Its writes fail from then on.
pub(super) fn failing_disk_of_all(when: When) {
    let draft = scene().host("a", writer());
    let struck = when.strike(draft, lay_over(failing_disk(&[A], 1.0)));
    let mut fates = Vec::new();
    for event in &struck.story.trace.events {
        match event.what {
            Happening::Persisted { .. } if event.host == Some(A) => fates.push((event.at, false)),
            Happening::PersistFailed { .. } if event.host == Some(A) => fates.push((event.at, true)),
            _ => {}
        }
    }
    assert_eq!(fates.len(), 6, "{fates:?}");
    for (at, failed) in fates {
        assert_eq!(
            failed,
            struck.times_by(at.since(squall_nodes::Time::ZERO)) > 0,
            "at {at}"
        );
    }
}

/// It is slow until then.
pub(super) fn heal_of_a_host(when: When) {
    let draft = scene()
        .host("a", [])
        .host("b", beat(&[A], ms(14), ms(50)))
        .at(ms(1), lay_over(slow_of(&[A], ms(20))))
        .at(ms(2), lay_over(slow_of(&[A], ms(10))));
    let struck = when.strike(draft, heal_layer(slow_of(&[A], ms(20))));
    // The other is still there. A second time there is nothing to heal.
    let heard = struck.story.heard(A);
    assert_eq!(heard.len(), 8, "{heard:?}");
    for (nth, (at, _)) in heard.into_iter().enumerate() {
        // It works on nothing at that moment.
        let came = ms(15) + ms(50) * nth as u64;
        let slowed_by = if struck.times_by(came) == 0 {
            ms(30)
        } else {
            ms(10)
        };
        assert_eq!(at, came + slowed_by);
    }
    let slowed = |by| Change::Slowed { host: A, by };
    assert_eq!(struck.changes(), [ms(20), ms(30), ms(10)].map(slowed));
}

/// Nothing happens on it from then on.
fn goes_down(when: When, how: Crash) {
    let draft = scene().host("a", beat(&[B], ms(5), ms(10))).host("b", []);
    let struck = when.strike(draft, Fault::Crash(how, targets(&[A])));
    let (before, after) = struck.parted(A);
    assert!(before > 15 && after == 0, "{before} events, then {after}");
    assert_eq!(struck.changes(), [Change::Down { host: A, how }]);
}

/// It boots then, and finds what it should.
fn finds(when: When, disk: DiskOnRestart, told: DiskAtBoot, is_right: impl Fn(Option<&str>) -> bool) {
    let rules = [
        start([Do::Recall, Do::Arm(1, ms(5)), Do::Arm(2, ms(20))]),
        on(On::Timer(1), [persist("old")]),
        on(On::Timer(2), [persist("new-er")]),
    ];
    let draft = scene().host("a", rules).at(ms(50), kill_of(&[A]));
    let struck = when.strike(draft, restart_with(&[A], disk));
    let claimed = struck.story.claimed(A);
    let (at, says) = &claimed[1];
    assert_eq!(*at, struck.at[0]);
    let text = says
        .strip_prefix("Found { disk: ")
        .and_then(|says| says.strip_suffix(" }"));
    let text = text.unwrap();
    let found = text
        .strip_prefix("Some(\"")
        .and_then(|text| text.strip_suffix("\")"));
    assert!(is_right(found), "{text}");
    let up = Change::Up {
        host: A,
        incarnation: 1,
        disk: told,
    };
    assert_eq!(struck.changes()[1..], [up]);
}

/// Reads its clock every 10 ms of its own.
fn reader() -> Vec<Rule> {
    let read = || [Do::ReadClock, Do::Arm(1, ms(10))];
    vec![start(read()), on(On::Timer(1), read())]
}

/// Writes every 70 ms, the first time at 35 ms.
fn writer() -> Vec<Rule> {
    vec![
        start([Do::Arm(1, ms(35))]),
        on(On::Timer(1), [persist("x"), Do::Arm(1, ms(70))]),
    ]
}

impl Struck {
    /// How much happened on a host before the fault, and how much after.
    fn parted(&self, host: HostId) -> (usize, usize) {
        let own = self
            .story
            .trace
            .events
            .iter()
            .filter(|event| event.host == Some(host));
        let before = |at: Span| at < self.at[0];
        // What it misses happens to its machine.
        let own = own.filter(|event| !matches!(event.what, Happening::Dropped { .. }));
        let (before, after): (Vec<_>, Vec<_>) =
            own.partition(|event| before(event.at.since(squall_nodes::Time::ZERO)));
        (before.len(), after.len())
    }

    /// What a host's clock showed, and when.
    fn clock(&self, host: HostId) -> Vec<(Span, Span)> {
        let read = |(at, says): (Span, String)| {
            let shows = says.strip_prefix("Said { what: \"")?.strip_suffix("s\" }")?;
            let (whole, rest) = shows.split_once('.').unwrap_or((shows, ""));
            let nanos: u64 = format!("{whole}{rest:0<9}").parse().ok()?;
            Some((at, Span::from_nanos(nanos)))
        };
        self.story.claimed(host).into_iter().filter_map(read).collect()
    }
}
