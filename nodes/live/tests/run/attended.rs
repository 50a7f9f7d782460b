//! A node that is attended: its lines, its requests, and the end of either.

use std::io::{BufRead, Read};
use std::net::Ipv4Addr;

use squall_live::clock::monotonic;
use squall_live::settings::{Attendance, Start};
use squall_live::{Line, Policy, Request, Stop};
use squall_nodes::{DiskAtBoot, Span, Time};

use crate::clerk::{Attendant, Clerk, Wish, attended, settings};

#[test]
fn an_attended_node_waits_to_be_told_to_go_and_tells_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::WhenTold));
    settings.lines = Some(folder.path().join("lines"));
    let lines = settings.lines.clone().unwrap();
    let mut node = Attendant::start(settings);
    assert!(matches!(node.line(), Line::Ready { pid } if pid == std::process::id()));
    let policy = Policy {
        number: 4,
        ..Policy::default()
    };
    node.ask(&Request::Policy {
        policy: Box::new(policy),
    });
    assert!(matches!(node.line(), Line::Applied { policy: 4, .. }));
    // What is asked too early waits until it is up.
    let call = |call, command| Request::Call { call, command };
    node.ask(&call(3, Wish::Answers(1)));
    let go = monotonic() + Span::from_millis(20);
    node.ask(&Request::Go { at: go });
    let Line::Booted {
        at,
        incarnation: 0,
        disk: DiskAtBoot::Fresh,
    } = node.line()
    else {
        panic!("it boots");
    };
    assert!(at >= go);
    assert!(matches!(
        node.line(),
        Line::Call {
            call: 3,
            command: Wish::Answers(1),
            ..
        }
    ));
    assert!(matches!(
        node.line(),
        Line::Answer {
            call: 3,
            answer: 0,
            ..
        }
    ));
    node.ask(&call(4, Wish::Claims(1, 2)));
    assert!(matches!(node.line(), Line::Call { call: 4, .. }));
    assert!(matches!(node.line(), Line::Fact { name, .. } if name == "filed"));
    node.ask(&Request::Stop);
    assert!(matches!(node.line(), Line::Stopped { .. }));
    let mut rest = String::new();
    node.lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing comes after that");
    assert_eq!(node.end().how, Stop::InOrder);
    // Its file has the same, marks and all.
    let lines = std::fs::read_to_string(lines).unwrap();
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Line<Clerk>>(line).is_ok())
    );
    assert!(lines.starts_with("{\"ready\":") && lines.contains("{\"fact\":"));
}

#[test]
fn marks_come_and_no_time_goes_back() {
    let mut node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce)));
    let (mut marks, mut last) = (0, Time::ZERO);
    while marks < 5 {
        let mut text = String::new();
        node.lines.read_line(&mut text).unwrap();
        let at = match serde_json::from_str(&text).unwrap() {
            Line::<Clerk>::Mark { at, .. } => {
                marks += 1;
                at
            }
            Line::Booted { at, .. } => at,
            _ => panic!("{text}"),
        };
        assert!(at >= last);
        last = at;
    }
    node.ask(&Request::Stop);
    node.end();
}

#[test]
fn a_node_that_was_kept_from_running_says_so_once_and_for_how_long() {
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce));
    let stall = Span::from_millis(200);
    settings.attendance = Attendance::Attended {
        start: Start::AtOnce,
        mark_every: Span::from_millis(5),
        stall,
    };
    let mut node = Attendant::start(settings);
    node.ask(&Request::Call {
        call: 1,
        command: Wish::Dawdle(Span::from_millis(300)),
    });
    let stalled = loop {
        if let Line::Stalled { by, .. } = node.line() {
            break by;
        }
    };
    assert!(stalled > stall, "{stalled}");
    node.ask(&Request::Stop);
    node.end();
}

#[test]
fn the_end_of_its_requests_stops_an_attended_node_at_once_and_so_does_a_deaf_ear() {
    for start in [Start::AtOnce, Start::WhenTold] {
        let node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(start)));
        drop(node.requests);
        assert_eq!(node.thread.join().unwrap().unwrap().how, Stop::AtOnce);
    }
    let node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce)));
    // The next mark cannot be written.
    drop(node.lines);
    assert_eq!(node.thread.join().unwrap().unwrap().how, Stop::AtOnce);
    drop(node.requests);
}
