//! A play whose hosts have no processes: what they would tell is fed to it, at times that the test makes up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use squall_live::Line;
use squall_nodes::echo::{Echo, EchoNode};
use squall_nodes::{Change, Crash, DiskAtBoot, HostId, Placed};
use squall_sim::outcome::{Outcome, Verdict};
use squall_sim::scenario::{ScenarioFile, resolve};

use super::*;
use crate::crew::News;
use crate::door::{Folders, Links};
use crate::ground::{Cutter, Ground, Plug};
use crate::host::{Act, Host};
use crate::netns::CutWays;
use crate::staged::come_to;

mod late;

const S: HostId = HostId(0);
const A: HostId = HostId(1);
/// The number of what a test does to a host.
const TESTS: u32 = 90;
const KILLED_AT_ONCE: &str = r#"[At("0s", Kill("s"))]"#;

/// Hosts that stand on nothing.
struct Nowhere;

impl Ground for Nowhere {
    fn words(&self, _: HostId) -> Vec<OsString> {
        Vec::new()
    }

    fn cut(&mut self, _: &[CutWays]) -> Result<(), StageError> {
        Ok(())
    }

    fn plug(&mut self, _: HostId, _: Plug) -> Result<(), StageError> {
        Ok(())
    }

    fn cutter(&self) -> Cutter {
        Cutter::Edges
    }

    fn dropped(&self) -> Result<BTreeMap<u32, u64>, StageError> {
        Ok(BTreeMap::new())
    }
}

/// A server `s`, and an asker `a` that boots after 20 ms. The first hosts have been told to go.
fn with_play(timeline: &str, test: impl FnOnce(Play<'_, '_, Echo>)) {
    with_work(timeline, "[]", test);
}

/// The same, with a workload.
fn with_work(timeline: &str, workload: &str, test: impl FnOnce(Play<'_, '_, Echo>)) {
    let hosts = r#"[(name: "s", role: Server), (name: "a", role: Asker, starts: "20ms")]"#;
    with_hosts(hosts, timeline, workload, test);
}

/// Other hosts.
fn with_hosts(hosts: &str, timeline: &str, workload: &str, test: impl FnOnce(Play<'_, '_, Echo>)) {
    let text = format!(
        r#"Scenario(
            protocol: "echo",
            hosts: {hosts},
            timeline: {timeline},
            workload: {workload},
            limit: "10s",
            live: (tolerance: "100ms"),
        )"#
    );
    let file = ScenarioFile::parse("x.ron", text).unwrap();
    let plan = resolve::<Echo>(&file, "Standard").unwrap_or_else(|wrong| panic!("{wrong}"));
    let stop = AtomicBool::new(false);
    let stage = Stage {
        program: PathBuf::new(),
        folder: PathBuf::new(),
        links: Links::Edge,
        folders: Folders::Keep,
        record: None,
        stop: &stop,
        progress: &|_| (),
    };
    let placed: Vec<Placed<EchoNode>> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let ips = placed.iter().map(|placed| placed.ip).collect();
    let wires = Wires::new(&plan.network, plan.tolerated, ips);
    let policies = wires.policies(Cutter::Edges);
    let host = |(placed, policy): (&Placed<EchoNode>, _)| {
        let [file, data, log] = [const { PathBuf::new() }; 3];
        Host::new(placed.name.clone(), file, data, log, policy)
    };
    let hosts = placed.iter().zip(policies).map(host).collect();
    let crew = Crew::new(hosts, PathBuf::new(), plan.live_tolerance, Box::new(Nowhere));
    let audience = Audience::new(&plan, &placed, plan.live_tolerance);
    let mut play = Play::new(&plan, 1, &stage, crew, wires, audience);
    play.go();
    test(play);
}

impl Play<'_, '_, Echo> {
    fn at(&self, ms: u64) -> Time {
        self.origin + Span::from_millis(ms)
    }

    fn hear(&mut self, id: HostId, line: Line<EchoNode>) {
        self.take(News::Told(id, line)).unwrap();
    }

    fn boots(&mut self, id: HostId, ms: u64) {
        let booted = Line::Booted {
            at: self.at(ms),
            incarnation: 0,
            disk: DiskAtBoot::Fresh,
        };
        self.hear(id, booted);
    }

    /// Something is being done to a host, in place of whatever was.
    fn does(&mut self, id: HostId, what: Do, ms: u64) {
        let now = self.at(ms);
        let change = self.changes.begin(TESTS, itself("the test"), now);
        self.changes.takes_act(change);
        self.unsettle(change, TESTS, &itself("the test"), now);
        self.crew.host(id).doing = Some((Act { what, change }, now));
    }

    /// Gives a host a process that tells back what it is told.
    fn runs(&mut self, id: HostId, folder: &std::path::Path) {
        let host = self.crew.host(id);
        let log = folder.join(&host.name);
        host.process = Some(crate::process::Process::start(std::process::Command::new("cat"), &log).unwrap());
    }

    /// The changes of the world that those who watch would be shown after the start, by the milliseconds of the run.
    fn changes_shown(&mut self) -> Vec<(u64, Change)> {
        let mut shown = self.all_changes_shown();
        let by = self.plan.timeline.len() as u32;
        shown.retain(|(_, change)| ![Change::Unsettled { by }, Change::Settled { by }].contains(change));
        shown
    }

    /// All of them.
    fn all_changes_shown(&mut self) -> Vec<(u64, Change)> {
        let mut shown = Vec::new();
        while let Some((at, sight)) = self.merge.take(Time::MAX) {
            if let Sight::Change { change, .. } = sight {
                shown.push((at.since(self.origin).as_nanos() / 1_000_000, change));
            }
        }
        shown
    }
}

/// What comes of a run in which `a` asks nobody anything, and is kept from running for 300 ms at these milliseconds.
fn outcome(stalls: &[u64]) -> Outcome {
    let mut outcome = None;
    with_play("[]", |mut play| {
        play.boots(S, 0);
        play.does(A, Do::Start(State::Kept), 20);
        play.boots(A, 30);
        for ms in stalls {
            let (at, by) = (play.at(*ms), Span::from_millis(300));
            play.hear(A, Line::Stalled { at, by });
        }
        let limit = Time::ZERO + play.plan.limit;
        play.show(play.at(10_000), limit);
        outcome = Some(come_to(play, limit).outcome);
    });
    outcome.unwrap()
}

fn down(host: HostId) -> Change {
    let how = Crash::Kill;
    Change::Down { host, how }
}

fn up(host: HostId, disk: DiskAtBoot) -> Change {
    Change::Up {
        host,
        incarnation: 0,
        disk,
    }
}

#[test]
fn nothing_of_the_timeline_happens_before_the_first_hosts_boot() {
    with_play(KILLED_AT_ONCE, |mut play| {
        let limit = Time::ZERO + Span::from_secs(10);
        let before = Time::from_nanos(play.origin.as_nanos() - 1);
        play.make_happen(before, limit).unwrap();
        assert_eq!(play.faults[0].at, None);
        play.make_happen(play.origin, limit).unwrap();
        assert!(play.faults[0].at.is_some());
    });
}

#[test]
fn until_the_last_of_the_first_hosts_has_booted_the_world_may_be_without_it() {
    let hosts =
        r#"[(name: "late", role: Asker, starts: "1s"), (name: "s", role: Server), (name: "a", role: Asker)]"#;
    let (s, a) = (HostId(1), HostId(2));
    with_hosts(hosts, r#"[At("5s", Kill("s"))]"#, "[]", |mut play| {
        play.boots(s, 5);
        play.boots(a, 700);
        // After the one entry there is the number of each host: of the first that boots now.
        let by = 2;
        let (unsettled, settled) = (Change::Unsettled { by }, Change::Settled { by });
        assert_eq!(play.all_changes_shown(), [(0, unsettled), (700, settled)]);
    });
}

#[test]
fn who_is_killed_before_it_has_booted_keeps_the_start_from_lasting() {
    let folder = tempfile::tempdir().unwrap();
    with_play(KILLED_AT_ONCE, |mut play| {
        play.runs(S, folder.path());
        play.strike(0, None, Time::ZERO).unwrap();
        let changes = play.all_changes_shown();
        let by = 1;
        for change in [Change::Unsettled { by }, Change::Settled { by }] {
            assert!(changes.iter().any(|(_, shown)| *shown == change), "{changes:?}");
        }
    });
}

#[test]
fn who_is_killed_before_it_has_booted_is_down_is_down_and_comes_up_again() {
    with_play("[]", |mut play| {
        play.does(S, Do::Kill(Crash::Kill), 1);
        play.take(News::Ended(S, "was killed".to_owned())).unwrap();
        play.does(S, Do::Start(State::Kept), 500);
        play.boots(S, 510);
        let changes = play.changes_shown();
        let of_s: Vec<_> = changes
            .iter()
            .filter(|(_, change)| matches!(change, Change::Up { .. } | Change::Down { .. }))
            .collect();
        assert_eq!(of_s, [&(1, down(S)), &(510, up(S, DiskAtBoot::Fresh))]);
        assert_eq!(play.cut_short, Vec::<String>::new());
    });
}

#[test]
fn a_boot_that_is_heard_of_after_the_kill_does_not_do_away_with_it() {
    with_play("[]", |mut play| {
        play.boots(S, 0);
        // The line was in the pipe when the kill took the place of the start.
        play.crew.host(A).state = State::Wiped;
        play.does(A, Do::Kill(Crash::Kill), 25);
        play.boots(A, 24);
        assert!(
            play.crew.host(A).doing.is_some(),
            "it is still to be heard that it has ended"
        );
        play.take(News::Ended(A, "was killed".to_owned())).unwrap();
        assert_eq!(play.cut_short, Vec::<String>::new());
        let changes = play.changes_shown();
        let unsettled = Change::Unsettled { by: TESTS };
        assert_eq!(
            changes[..3],
            [(24, up(A, DiskAtBoot::Wiped)), (25, unsettled), (25, down(A))]
        );
        assert!(
            matches!(changes[3..], [(_, Change::Settled { by: TESTS })]),
            "{changes:?}"
        );
    });
}

#[test]
fn a_host_that_ends_though_nobody_killed_it_ends_the_run() {
    with_play("[]", |mut play| {
        play.boots(S, 0);
        play.take(News::Ended(S, "exit status: 1".to_owned())).unwrap();
        assert!(
            play.cut_short[0].starts_with("s went down by itself"),
            "{:?}",
            play.cut_short
        );
        assert_eq!(play.changes_shown(), [(0, down(S))]);
    });
}

#[test]
fn a_stall_disturbs_when_it_begins_and_when_it_ends_unless_it_is_a_pause() {
    with_play("[]", |mut play| {
        play.boots(S, 0);
        let by = Span::from_millis(300);
        let stalled = |play: &Play<'_, '_, Echo>, ms| Line::Stalled { at: play.at(ms), by };
        // It was not there yet when that began.
        let line = stalled(&play, 200);
        play.hear(S, line);
        let line = stalled(&play, 700);
        play.hear(S, line);
        play.crew.host(S).power = Power::Paused;
        let line = stalled(&play, 1_500);
        play.hear(S, line);
        let change = Change::Stalled { host: S, by };
        assert_eq!(play.changes_shown(), [(400, change.clone()), (700, change)]);
        assert_eq!((play.stalls.count, play.stalls.longest), (1, by));
    });
}

#[test]
fn a_change_is_made_when_the_last_acknowledgement_of_it_was_written() {
    with_play("[]", |mut play| {
        play.boots(S, 0);
        play.boots(A, 30);
        while play.merge.take(play.at(99)).is_some() {}
        let begun = play.at(100);
        let change = play.changes.begin(7, itself("partition"), begun);
        for host in [S, A] {
            play.changes.takes_policy(change, host, 9);
        }
        play.unsettle(change, 7, &itself("partition"), begun);
        // What is heard first was written last, and tells of a policy that is newer still.
        for (host, ms, policy) in [(A, 950, 10), (S, 120, 8), (S, 400, 9)] {
            let at = play.at(ms);
            play.hear(host, Line::Applied { at, policy });
        }
        let (unsettled, settled) = (Change::Unsettled { by: 7 }, Change::Settled { by: 7 });
        assert_eq!(play.changes_shown(), [(100, unsettled), (950, settled)]);
    });
}

#[test]
fn a_run_whose_stalls_left_a_promise_unjudged_is_no_answer() {
    let quiet = outcome(&[]);
    assert_eq!(quiet.verdict, Verdict::Violated, "nobody has had an answer");
    // It was quiet when `a` had booted, and the tolerance comes on top of what is promised.
    let violation = quiet.violation.unwrap();
    let told = violation.quiet.unwrap();
    let ms = Span::from_millis;
    assert_eq!((told.since, told.tolerance), (Time::ZERO + ms(30), ms(100)));
    assert_eq!(violation.at, told.since + told.bound + told.tolerance);
    let stalls: Vec<u64> = (1..20).map(|nth| 500 * nth).collect();
    let stalled = outcome(&stalls);
    assert_eq!(stalled.verdict, Verdict::Inconclusive);
    assert_eq!(
        stalled.doubts,
        [
            "the machine kept a from running 19 times, 300ms at most: echo.askers_are_answered could not be judged after the test"
        ]
    );
}

#[test]
fn a_call_is_seen_when_it_is_handed_over_and_once() {
    let workload = r#"[At(time: "40ms", of: "s", command: ())]"#;
    with_work("[]", workload, |mut play| {
        play.boots(S, 0);
        // What it is asked lies there until it goes on.
        play.crew.host(S).power = Power::Paused;
        let before = clock::now();
        let call = Due::Planned(timeline::Due::Call(0, 0));
        play.happen(Time::ZERO, call).unwrap();
        let after = clock::now();
        let (at, command) = (play.at(5_000), ());
        play.hear(S, Line::Call { at, call: 0, command });
        let mut calls = Vec::new();
        while let Some((at, sight)) = play.merge.take(Time::MAX) {
            if let Sight::Call { host, call, .. } = sight {
                calls.push((at, host, call));
            }
        }
        let [(at, S, 0)] = calls[..] else {
            panic!("{} calls", calls.len())
        };
        assert!(before <= at && at <= after);
        assert_eq!(play.calls, [1]);
    });
}

#[test]
fn nobody_calls_a_host_that_is_down() {
    let workload = r#"[At(time: "10ms", of: "a", command: ())]"#;
    with_work("[]", workload, |mut play| {
        play.boots(S, 0);
        let limit = Time::ZERO + Span::from_secs(10);
        play.make_happen(play.at(15), limit).unwrap();
        assert_eq!(play.calls, [0]);
    });
}

#[test]
fn who_loses_power_is_cut_off_by_all_others_before_it_is_killed_and_until_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    with_play(
        r#"[At("0s", PowerCut("s")), At("1s", Restart("s"))]"#,
        |mut play| {
            play.runs(S, folder.path());
            play.runs(A, folder.path());
            play.boots(S, 0);
            play.does(A, Do::Start(State::Kept), 1);
            play.crew.host(A).power = Power::On;
            play.boots(A, 2);
            play.strike(0, None, Time::ZERO).unwrap();
            let ips: Vec<_> = play.plan.hosts.iter().map(|host| host.placed.ip).collect();
            let cut = squall_live::Way::Dead;
            let peer = &play.crew.host(A).policy.peers[&ips[0]];
            assert_eq!((&peer.out, &peer.back), (&cut, &cut));
            let is_killed = |play: &mut Play<'_, '_, Echo>| matches!(play.crew.host(S).doing, Some((act, _)) if matches!(act.what, Do::Kill(Crash::PowerCut)));
            let number = play.crew.host(A).policy.number;
            let applied = |play: &Play<'_, '_, Echo>, policy| Line::Applied {
                at: play.at(5),
                policy,
            };
            let line = applied(&play, number - 1);
            play.hear(A, line);
            assert!(!is_killed(&mut play), "it runs until all have cut it off");
            let line = applied(&play, number);
            play.hear(A, line);
            assert!(is_killed(&mut play));
            // It is started again at once, but not before it is gone.
            play.crew.host(S).file = folder.path().join("none");
            play.crew.host(S).log = folder.path().join("s");
            play.strike(1, None, Time::ZERO).unwrap();
            assert!(play.wires.is_unplugged(S));
            play.crew.host(S).reap();
            let ended = play.take(News::Ended(S, "was killed".to_owned()));
            assert!(ended.is_err(), "there is no program to start");
            assert!(!play.wires.is_unplugged(S));
            assert!(play.crew.host(A).policy.peers.is_empty());
            assert!(play.crew.host(A).policy.number > number);
            let how = Crash::PowerCut;
            let down = Change::Down { host: S, how };
            let changes = play.changes_shown();
            assert!(changes.iter().any(|(_, change)| *change == down), "{changes:?}");
        },
    );
}

#[test]
fn who_is_killed_while_it_is_cut_off_is_killed_once() {
    let folder = tempfile::tempdir().unwrap();
    let timeline = r#"[At("0s", PowerCut("s")), At("0s", Restart("s")), At("0s", Kill("s"))]"#;
    with_play(timeline, |mut play| {
        play.runs(S, folder.path());
        play.runs(A, folder.path());
        play.boots(S, 0);
        play.does(A, Do::Start(State::Kept), 1);
        play.crew.host(A).power = Power::On;
        play.boots(A, 2);
        for step in 0..3 {
            play.strike(step, None, Time::ZERO).unwrap();
        }
        let doing = play.crew.host(S).doing.map(|(act, _)| act.what);
        assert_eq!(doing, Some(Do::Kill(Crash::Kill)), "a kill waits for nothing");
        let (at, policy) = (play.at(5), play.crew.host(A).policy.number);
        play.hear(A, Line::Applied { at, policy });
        let doing = play.crew.host(S).doing.map(|(act, _)| act.what);
        assert_eq!(doing, Some(Do::Kill(Crash::Kill)));
        assert!(play.crew.host(S).acts.is_empty());
    });
}
