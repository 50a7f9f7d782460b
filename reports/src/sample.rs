//! Made-up results for the tests of this package.

use std::net::Ipv4Addr;

use squall_nodes::Promise;
use squall_nodes::recording::{Ended, Pilot, Replay};
use squall_sim::outcome::{
    Digest, Failures, FaultDone, FaultOverRuns, InvariantDone, Measured, Outcome, Quiet, SweepOutcome,
    Traffic, Verdict, Violation,
};
use squall_sim::plan::{Expect, Origin};
use squall_sim::trace::{Cause, Change, Crash, Fate, Happening, HostId, Span, Time, Trace, TraceEvent};

pub(crate) fn held() -> Outcome {
    Outcome {
        scenario: "scenarios/hac/calm.ron".to_owned(),
        rules: "Original",
        seed: 7,
        verdict: Verdict::Held,
        as_expected: true,
        expect: Expect::Held,
        violation: None,
        doubts: Vec::new(),
        digest: Digest(0xabc),
        events: 1204,
        virtual_time: Span::from_secs(20),
        measures: vec![Measured {
            name: "failover".to_owned(),
            samples: vec![Span::from_micros(112_300)],
            unfinished: 0,
        }],
        faults: vec![
            FaultDone {
                fault: "kill(s)".to_owned(),
                at: Some(ms(2_000)),
                affected: 1,
            },
            FaultDone {
                fault: "heal_all".to_owned(),
                at: None,
                affected: 0,
            },
        ],
        invariants: vec![InvariantDone {
            name: "hac.one_server".to_owned(),
            judged: 12,
            undecided: None,
            origin: Origin::Default,
            promise: Promise::Always,
        }],
        traffic: Traffic {
            sent: 10,
            delivered: 9,
            lost: 1,
            ..Traffic::default()
        },
    }
}

pub(crate) fn violated(as_expected: bool) -> Outcome {
    let expect = if as_expected {
        Expect::Violated(vec!["hac.one_server".to_owned()])
    } else {
        Expect::Held
    };
    Outcome {
        verdict: Verdict::Violated,
        as_expected,
        expect,
        violation: Some(Violation {
            invariant: "hac.one_server".to_owned(),
            promised: "There is at most one server in a group.".to_owned(),
            detail: "c1 and c2 both serve.".to_owned(),
            at: ms(2_310),
            hosts: vec!["c1".to_owned(), "c2".to_owned()],
            quiet: Some(Quiet {
                tolerance: Span::ZERO,
                since: ms(2_000),
                bound: Span::from_millis(310),
            }),
        }),
        ..held()
    }
}

pub(crate) fn inconclusive() -> Outcome {
    Outcome {
        verdict: Verdict::Inconclusive,
        as_expected: false,
        doubts: vec!["heal_all never happened.".to_owned()],
        ..held()
    }
}

pub(crate) fn trace() -> Trace {
    let hosts = ["s", "c1", "c2"].map(str::to_owned).to_vec();
    let mut events = vec![
        event(0, Some(1), Happening::Booted { incarnation: 0 }),
        event(
            5,
            Some(1),
            Happening::Fact {
                name: "joined".to_owned(),
                says: "Joined { server: 10.0.0.1:17, not: 10.0.0.11 }".to_owned(),
            },
        ),
    ];
    for at in 10..60 {
        events.push(event(
            at,
            Some(1),
            Happening::Timer {
                timer: format!("Beat{at}"),
            },
        ));
        events.push(event(
            at,
            Some(0),
            Happening::Timer {
                timer: "Other".to_owned(),
            },
        ));
    }
    let change = Change::Down {
        host: HostId(0),
        how: Crash::PowerCut,
    };
    events.push(event(
        2_000,
        None,
        Happening::World {
            change,
            fault: "power_cut(s)".to_owned(),
            cause: cause("power_cut(s)"),
        },
    ));
    events.push(event(
        2_300,
        Some(2),
        Happening::Sent {
            to: "10.0.0.2:17".into(),
            fate: Fate::Lost,
            says: "JOIN\u{1b}[2J".to_owned(),
            len: 4,
            hash: 1,
        },
    ));
    events.push(event(
        2_310,
        None,
        Happening::Violated {
            invariant: "hac.one_server".to_owned(),
        },
    ));
    let ips = vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into(), [10, 0, 0, 3].into()];
    Trace { hosts, ips, events }
}

/// The entry of a timeline that has a fault, each fault in one of its own; none for what comes of itself.
pub(crate) fn cause(fault: &str) -> Option<Cause> {
    let kind = match fault.split_once('(') {
        Some((kind, _)) => kind,
        None if fault == "heal_all" => fault,
        None => return None,
    };
    let entry = fault
        .bytes()
        .fold(7, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Some(Cause {
        entry,
        kind: kind.to_owned(),
        actor: None,
        when: None,
    })
}

pub(crate) fn swept() -> SweepOutcome {
    SweepOutcome {
        scenario: "scenarios/hac/calm.ron".to_owned(),
        rules: "Original",
        seeds: (5, 1_005),
        runs: 1_000,
        rechecked: 10,
        held: 960,
        violated: 40,
        inconclusive: 0,
        as_expected: false,
        expect: Expect::Held,
        failures: vec![Failures {
            signature: "hac.one_server".to_owned(),
            count: 40,
            first_seed: 17,
        }],
        digest: Digest(0xdef),
        measures: vec![Measured {
            name: "failover".to_owned(),
            samples: vec![Span::from_millis(9)],
            unfinished: 0,
        }],
        samples_left_out: 0,
        faults: vec![FaultOverRuns {
            fault: "kill(s)".to_owned(),
            runs: 1_000,
            affected: 1_000,
        }],
        invariants: vec![InvariantDone {
            name: "hac.one_server".to_owned(),
            judged: 9,
            undecided: None,
            origin: Origin::Default,
            promise: Promise::Always,
        }],
    }
}

fn event(at_ms: u64, host: Option<u32>, what: Happening) -> TraceEvent {
    TraceEvent {
        at: ms(at_ms),
        host: host.map(HostId),
        what,
    }
}

fn ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

/// A time of a replay, in milliseconds since its node booted.
pub(crate) fn at(ms: u64) -> Time {
    Time::from_nanos((5_000 + ms) * 1_000_000)
}

/// The replay of a recording to the same effects.
pub(crate) fn identical() -> Replay {
    Replay {
        pilot: Pilot {
            version: "0.1.0".to_owned(),
            build: Some(7),
            protocol: "hac".to_owned(),
            rules: "Hardened".to_owned(),
            name: "c1".to_owned(),
            ip: Ipv4Addr::LOCALHOST,
            role: "Client".to_owned(),
            config: "()".to_owned(),
            incarnation: 3,
            seed: 9,
            disk: None,
            booted: at(0),
        },
        rules: "Hardened".to_owned(),
        inputs: 1_204,
        effects: 5_310,
        last: at(12_345),
        ended: Ended::Stopped { at: at(12_400) },
        difference: None,
        differing: 0,
        skipped: 0,
        panicked: None,
    }
}
