//! Disks that take their time: what waits behind a write is bounded, an orderly stop waits for it, and whoever attends the node is told.

use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

use squall_live::clock::monotonic;
use squall_live::settings::{Attendance, Start};
use squall_live::{Line, Policy, Request, Stop};
use squall_nodes::Span;

use crate::clerk::{Alone, Attendant, Clerk, Wish, attended, settings};

/// Puts something in the way of the node's writes: the next one begins when that is read from, and fails.
fn obstruct(data: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let fresh = data.join("state.new");
    mknodat(CWD, &fresh, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe can be made");
}

/// Reads what was written there.
fn clear(data: &Path) {
    let mut written = Vec::new();
    let mut fresh = std::fs::File::open(data.join("state.new")).expect("it is there");
    fresh.read_to_end(&mut written).expect("it can be read");
}

#[test]
fn a_disk_that_hangs_bounds_what_waits_and_everybody_can_ask_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(data.clone());
    settings.bounds.waiting = 100_000;
    let node = Alone::start(settings);
    node.wish(Wish::Arm);
    obstruct(&data);
    node.call(0, Wish::Persist, 0);
    // Each of these calls has a thousand claims wait.
    for _ in 0..100 {
        node.call(0, Wish::Claims(1_000, 1), 0);
    }
    let mut status = node.status();
    while status.writes.waiting <= 100_000 {
        status = node.status();
    }
    let (waiting, taken) = (status.writes.waiting, status.calls.taken);
    // It is handed nothing, but what is asked of its host is done.
    let policy = Policy {
        number: 1,
        ..Policy::default()
    };
    node.runtime.block_on(node.asker.apply(policy)).unwrap();
    let status = node.status();
    assert_eq!((status.writes.waiting, status.calls.taken), (waiting, taken));
    assert!(taken < 20, "{taken}");
    clear(&data);
    // The write fails, what waited is dropped, and it goes on with what it was asked meanwhile.
    node.wish(Wish::Arm);
    let status = node.status();
    assert_eq!((status.writes.failed, status.writes.waiting), (1, 0));
    assert_eq!((status.claims["failed"], status.calls.taken), (1, 105));
    let last: Vec<&str> = status.facts.iter().map(|fact| fact.name.as_str()).collect();
    assert_eq!(last, ["filed", "failed"], "the latest first");
    node.stop(Stop::InOrder);
}

#[test]
fn an_orderly_stop_waits_for_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(data.clone());
    settings.lines = Some(folder.path().join("lines"));
    let lines = settings.lines.clone().unwrap();
    let node = Alone::start(settings);
    node.wish(Wish::Arm);
    node.call(0, Wish::Persist, 0);
    node.call(0, Wish::Claims(1, 3), 0);
    // The calls are ahead of that in no queue: so it may stop before them, or with what they ask done, but not in between.
    while node.status().calls.taken < 4 {}
    let ended = node.stop(Stop::InOrder);
    assert_eq!(ended.how, Stop::InOrder);
    let lines = std::fs::read_to_string(lines).unwrap();
    let names: Vec<String> = lines
        .lines()
        .map(|line| match serde_json::from_str::<Line<Clerk>>(line).unwrap() {
            Line::Booted { .. } => "booted".to_owned(),
            Line::Call { .. } => "call".to_owned(),
            Line::Answer { .. } => "answer".to_owned(),
            Line::Fact { name, .. } => name,
            Line::Stopped { .. } => "stopped".to_owned(),
            _ => "another".to_owned(),
        })
        .collect();
    assert_eq!(
        names,
        [
            "booted", "call", "call", "answer", "call", "call", "filed", "stopped"
        ]
    );
    assert!(data.join("state").exists());
}

#[test]
fn a_write_that_takes_too_long_is_told_while_it_does_and_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce));
    settings.data = Some(data.clone());
    let stall = Span::from_millis(200);
    settings.attendance = Attendance::Attended {
        start: Start::AtOnce,
        mark_every: Span::from_millis(5),
        stall,
    };
    let mut node = Attendant::start(settings);
    let call = |command| Request::Call { call: 1, command };
    assert!(matches!(node.line(), Line::Booted { .. }));
    obstruct(&data);
    let begun = monotonic();
    node.ask(&call(Wish::Persist));
    node.ask(&call(Wish::Claims(1, 1)));
    for _ in 0..2 {
        assert!(matches!(node.line(), Line::Call { .. }));
    }
    // All that the node does meanwhile is wait.
    let mut last = Span::ZERO;
    for _ in 0..3 {
        let Line::Stalled { at, by } = node.line() else {
            panic!("it is held up")
        };
        assert!(by > last + stall && by <= at.since(begun), "{last} and {by}");
        last = by;
    }
    clear(&data);
    let is_done = |line: &Line<Clerk>| matches!(line, Line::Fact { name, .. } if name == "failed");
    let mut lines: Vec<Line<Clerk>> = Vec::new();
    while !lines.last().is_some_and(is_done) {
        lines.push(node.line());
    }
    // It is told before anything that comes of it.
    let Some(Line::Stalled { by, .. }) = lines.iter().nth_back(1) else {
        panic!("it was held up until now")
    };
    assert!(*by > last);
    node.ask(&Request::Stop);
    node.end();
}
