//! Texts as people see them.

use squall_sim::outcome::{Outcome, Traffic};
use squall_sim::plan::{Clock, Expect, Origin};
use squall_sim::runner::{Happens, HostCast, LawCast, Promise, PromiseMade, Tolerance};
use squall_sim::trace::{Happening, HostId, Span, Time, TraceEvent};

use super::{Checked, CheckedRules};
use crate::look::{Colour, Columns, Look};
use crate::sample;

fn look() -> Look {
    Look::plain("squall")
}

#[test]
fn a_run_is_a_line_that_says_how_it_stands() {
    let line = |outcome: &Outcome| super::run(outcome, &[], &look());
    assert_eq!(
        line(&sample::held()),
        "✓ scenarios/hac/calm.ron  Original  seed 7  held  (20s, 1 204 events, failover 112.300 ms)\n"
    );
    assert!(line(&sample::violated(true)).starts_with(
        "✓ scenarios/hac/calm.ron  Original  seed 7  violated hac.one_server at 2310.000 ms, as expected  ("
    ));
    assert!(line(&sample::violated(false)).starts_with(
        "✗ scenarios/hac/calm.ron  Original  seed 7  violated hac.one_server at 2310.000 ms; the file expects it to hold  ("
    ));
    let doubtful = line(&sample::inconclusive());
    assert!(
        doubtful.starts_with("? ") && doubtful.ends_with("\n    doubt: heal_all never happened.\n"),
        "{doubtful}"
    );
    let flawless = Outcome {
        expect: Expect::Violated(vec!["hac.x".to_owned()]),
        as_expected: false,
        ..sample::held()
    };
    assert!(line(&flawless).contains("held; the file expects a violation of hac.x  ("));
}

#[test]
fn lines_stand_in_columns_and_notes_below_them() {
    let columns = Columns::of([("a.ron", "Hardened"), ("longer.ron", "A")]);
    let outcome = Outcome {
        scenario: "a.ron".to_owned(),
        rules: "A",
        ..sample::held()
    };
    let text = super::run(&outcome, &["it is loose".to_owned()], &Look { columns, ..look() });
    assert!(text.starts_with("✓ a.ron       A         seed 7  held"), "{text}");
    assert!(text.ends_with("\n    note: it is loose\n"), "{text}");
}

#[test]
fn what_befell_datagrams_is_told_where_anything_did() {
    let mut outcome = sample::held();
    let said = |outcome: &Outcome| super::run(outcome, &[], &look());
    assert!(!said(&outcome).contains("datagrams:"), "lost ones are no news");
    outcome.traffic.overflowed = 1_204;
    outcome.traffic.congested = 3;
    assert!(
        said(&outcome).ends_with(
            "\n    datagrams: 3 found no room in a link's queue, 1 204 found no room in a paused or slow host's buffer\n"
        ),
        "{}",
        said(&outcome)
    );
    outcome.traffic = Traffic {
        too_long: 2,
        corrupted: 1,
        ..Traffic::default()
    };
    let told = "\n    datagrams: 2 longer than a link's MTU, 1 with a byte changed on the way\n";
    assert!(said(&outcome).ends_with(told), "{}", said(&outcome));
}

#[test]
fn a_story_begins_with_what_broke_and_ends_with_the_command() {
    let text = super::story(
        &sample::violated(true),
        &sample::trace(),
        Some("The server loses power.\n\nAnd then?\n"),
        &look(),
    );
    let expected = "\
✓ hac.one_server violated at 2310.000 ms: scenarios/hac/calm.ron under Original, seed 7, as the file expects

  | The server loses power.
  |
  | And then?

  promised  There is at most one server in a group.
  seen      c1 and c2 both serve.
  quiet     since 2000.000 ms, when s loses power; promised after 310ms of quiet

  The last events of c1 and c2; times in ms since the run began:

     0.000  c1     boots
     5.000  c1     claims    joined { server: s:17, not: 10.0.0.11 }
         ⋮
    52.000  c1     timer     Beat52
    53.000  c1     timer     Beat53
    54.000  c1     timer     Beat54
    55.000  c1     timer     Beat55
    56.000  c1     timer     Beat56
    57.000  c1     timer     Beat57
    58.000  c1     timer     Beat58
    59.000  c1     timer     Beat59
  2000.000  world  s loses power: power_cut(s)
  2300.000  c2     sends     → c1:17  JOIN\\u{1b}[2J  (the link loses it)
  2310.000  world  ✗ hac.one_server is violated

squall run scenarios/hac/calm.ron --rules Original --seed 7
";
    assert_eq!(text, expected);
}

#[test]
fn a_fact_that_is_claimed_all_the_time_hides_no_other() {
    let mut trace = sample::trace();
    let often = |at| TraceEvent {
        at: Time::from_nanos(at),
        host: Some(HostId(1)),
        what: Happening::Fact {
            name: "table".to_owned(),
            says: "Table".to_owned(),
        },
    };
    trace.events.splice(2..2, (0..1000).map(often));
    let text = super::story(&sample::violated(false), &trace, None, &look());
    assert!(
        text.contains("claims    joined { server: s:17, not: 10.0.0.11 }"),
        "{text}"
    );
    assert_eq!(text.matches("claims    table\n").count(), 2, "{text}");
}

#[test]
fn a_rare_claim_is_told_however_many_of_its_kind_came_after_it() {
    let mut trace = sample::trace();
    let granted = |id: u64| TraceEvent {
        at: Time::from_nanos(6_000_000 + id * id),
        host: Some(HostId(1)),
        what: Happening::Fact {
            name: "granted".to_owned(),
            says: format!("Granted {{ id: {id} }}"),
        },
    };
    trace.events.splice(2..2, (1..=8).map(granted));
    let text = super::story(&sample::violated(false), &trace, None, &look());
    let claims = (1..=8).map(|id| format!("claims    granted {{ id: {id} }}\n"));
    for claim in claims {
        assert!(text.contains(&claim), "{claim} in {text}");
    }
    // By the clock they are a habit, and so they are when there is one more.
    let mut regular = trace.clone();
    for (nth, event) in regular.events[2..10].iter_mut().enumerate() {
        event.at = Time::from_nanos(6_000_000 + 1_000 * nth as u64);
    }
    let text = super::story(&sample::violated(false), &regular, None, &look());
    assert_eq!(text.matches("claims    granted").count(), 2, "{text}");
    trace.events.insert(10, granted(9));
    let text = super::story(&sample::violated(false), &trace, None, &look());
    assert!(
        text.contains("granted { id: 8 }") && text.contains("granted { id: 9 }"),
        "{text}"
    );
    assert_eq!(text.matches("claims    granted").count(), 2, "{text}");
}

#[test]
fn quiet_from_the_beginning_and_no_quiet_at_all_are_told_as_that() {
    let mut outcome = sample::violated(false);
    let violation = outcome.violation.as_mut().expect("a violation");
    let quiet = violation.quiet.as_mut().expect("a quiet");
    quiet.since = Time::ZERO;
    let text = super::story(&outcome, &sample::trace(), None, &look());
    assert!(
        text.contains("\n  quiet     since the run began; promised after 310ms of quiet\n"),
        "{text}"
    );
    let violation = outcome.violation.as_mut().expect("a violation");
    violation.quiet.as_mut().expect("a quiet").tolerance = Span::from_millis(150);
    let text = super::story(&outcome, &sample::trace(), None, &look());
    let told = "\n  quiet     since the run began; promised after 310ms of quiet, and live 150ms more are tolerated\n";
    assert!(text.contains(told), "{text}");
    outcome.violation.as_mut().expect("a violation").quiet = None;
    let text = super::story(&outcome, &sample::trace(), None, &look());
    assert!(!text.contains("quiet"), "{text}");
}

#[test]
fn a_story_of_doubt_tells_the_doubts() {
    let text = super::story(&sample::inconclusive(), &sample::trace(), None, &look());
    assert!(
        text.starts_with("? inconclusive: scenarios/hac/calm.ron under Original, seed 7\n"),
        "{text}"
    );
    assert!(text.contains("  doubt     heal_all never happened.\n"), "{text}");
    assert!(
        text.ends_with("\nsquall run scenarios/hac/calm.ron --rules Original --seed 7\n"),
        "{text}"
    );
}

#[test]
fn a_violation_of_many_hosts_or_of_strangers_has_a_story_too() {
    let mut outcome = sample::violated(false);
    let violation = outcome.violation.as_mut().expect("a violation");
    violation.hosts = vec!["nobody".to_owned()];
    let text = super::story(&outcome, &sample::trace(), Some(&"line\n".repeat(50)), &look());
    assert!(
        text.contains("The last events of the world;") && !text.contains("| line"),
        "{text}"
    );
    let mut trace = sample::trace();
    trace.hosts = (0..1000).map(|host| format!("h{host}")).collect();
    outcome.violation.as_mut().expect("a violation").hosts = trace.hosts.clone();
    let text = super::story(&outcome, &trace, None, &look());
    assert!(
        text.contains("of h0, h1, h2, h3, h4, h5, h6 and h7, the first of 1 000 hosts;"),
        "{text}"
    );
}

#[test]
fn a_sweep_tells_its_shares_and_how_to_repeat_what_failed() {
    let mut outcome = sample::swept();
    let expected = "\
✗ scenarios/hac/calm.ron  Original  seeds 5..1005  960 held (96 %), 40 violated (4 %); the file expects every run to hold  (2.5 s, 400 runs/s, 10 rechecked)
    hac.one_server: 40 runs (4 %), the first: squall run scenarios/hac/calm.ron --rules Original --seed 17
    failover p50 9.000 ms, p99 9.000 ms, max 9.000 ms (1 sample)
";
    assert_eq!(super::sweep(&outcome, 2_500, &[], &look()), expected);
    outcome.expect = Expect::Violated(vec!["hac.one_server".to_owned()]);
    outcome.as_expected = true;
    outcome.seeds.1 = 10_005;
    let text = super::sweep(&outcome, 2_500, &[], &look());
    assert!(
        text.starts_with("✓ ") && text.contains("40 runs (4 %), as expected, the first:"),
        "{text}"
    );
    assert!(
        text.ends_with("    note: stopped after 1 000 of 10 000 seeds\n"),
        "{text}"
    );
}

#[test]
fn a_check_tells_hosts_promises_and_bounds() {
    let made = |name: &str, bound: u64, by_default: u64, origin| PromiseMade {
        name: name.to_owned(),
        says: "It is so.",
        promise: Promise::InQuiet {
            bound: Span::from_millis(bound),
        },
        by_default: Promise::InQuiet {
            bound: Span::from_millis(by_default),
        },
        origin,
    };
    let always = PromiseMade {
        name: "hac.unique".to_owned(),
        says: "It is so.",
        promise: Promise::Always,
        by_default: Promise::Always,
        origin: Origin::Default,
    };
    let host = |name: &str, role: &str| HostCast {
        name: name.to_owned(),
        role: role.to_owned(),
        zone: None,
        clock: Clock::default(),
    };
    let law = |of: &str, says: &str| LawCast {
        of: of.to_owned(),
        says: says.to_owned(),
    };
    let happens = |when: &str, what: &str| Happens {
        when: when.to_owned(),
        what: what.to_owned(),
    };
    let mut checked = Checked {
        scenario: "x.ron".to_owned(),
        protocol: Some("hac".to_owned()),
        hosts: vec![
            host("s", "Server"),
            host("c1", "Client"),
            host("c2", "Client"),
            host("c3", "Client"),
        ],
        laws: vec![
            law("links", "1ms to 10ms, 2 % lost"),
            law("in eu", "1ms"),
            law("disks", "500us to 2ms"),
        ],
        timeline: vec![
            happens("2s", "partition(s)"),
            happens("when anyone claims it", "kill(@actor)"),
        ],
        workload: vec![happens("every 1s from 1s to 9s", "Status of s")],
        limit: Some(Span::from_secs(20)),
        seed: Some(0),
        tags: vec!["flaw".to_owned()],
        rules: [
            ("Original", Expect::Violated(vec!["hac.one_server".to_owned()])),
            ("Hardened", Expect::Held),
        ]
        .map(|(rules, expect)| CheckedRules {
            rules,
            tolerated: Tolerance {
                loss: 0.05,
                latency: Span::from_millis(100),
            },
            expect,
            promises: vec![
                made("hac.one_server", 1_000, 4_200, Origin::Written),
                always.clone(),
            ],
        })
        .to_vec(),
        ..Checked::default()
    };
    let expected = "\
✓ ok x.ron  hac  [flaw]
    hosts      s Server; c1 … c3 Client (3)
    links      1ms to 10ms, 2 % lost
               in eu: 1ms
    disks      500us to 2ms
    tolerated  5 % lost, 100ms of latency
    timeline   2s                     partition(s)
               when anyone claims it  kill(@actor)
    workload   every 1s from 1s to 9s  Status of s
    Original   is expected to violate hac.one_server
    Hardened   is expected to hold
      hac.one_server  in quiet for 1s (by default 4.2s), written: It is so.
      hac.unique      always: It is so.
    limit 20s, seed 0
";
    assert_eq!(super::check(&checked, &look()), expected);
    // Where only some is promised alike, it is told once all the same, with who promises it.
    checked.rules[1].promises[0] = made("hac.one_server", 5_000, 4_200, Origin::Written);
    let expected = "
    Hardened   is expected to hold
      hac.one_server  Original            in quiet for 1s (by default 4.2s), written: It is so.
      hac.one_server  Hardened            in quiet for 5s (by default 4.2s), written: It is so.
      hac.unique      Original, Hardened  always: It is so.
";
    let text = super::check(&checked, &look());
    assert!(text.contains(expected), "{text}");
    // Hosts that differ in where they are or how their clocks go stand apart.
    checked.hosts[2].zone = Some("eu".to_owned());
    checked.hosts[3].clock = Clock {
        offset: Span::from_secs(3),
        drift_ppm: -200,
    };
    // Of many laws the first are told, and the disks.
    checked.laws.splice(
        1..2,
        (0..20)
            .map(|nth| law(&format!("s > c{nth}"), "1ms"))
            .collect::<Vec<_>>(),
    );
    let expected = "
    hosts      s Server; c1 Client; c2 Client in eu; c3 Client, clock 3s ahead and 200 ppm slow
    links      1ms to 10ms, 2 % lost
               s > c0: 1ms
";
    let text = super::check(&checked, &look());
    assert!(text.contains(expected), "{text}");
    let expected = "
               s > c10: 1ms
               … and 9 more
    disks      500us to 2ms
    tolerated";
    assert!(text.contains(expected), "{text}");
    // So it is with entries of the timeline; and what rule sets differ in is told of each.
    checked.timeline = (0..20)
        .map(|nth| happens(&format!("{nth}s"), "heal_all"))
        .collect();
    checked.rules[1].tolerated.latency = Span::from_secs(2);
    let text = super::check(&checked, &look());
    for expected in [
        "
    tolerated  Original: 5 % lost, 100ms of latency; Hardened: 5 % lost, 2s of latency
    timeline   0s   heal_all
               1s   heal_all
",
        "
               11s  heal_all
               … and 8 more
    workload   every",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn colours_surround_and_never_change_the_words() {
    let coloured = Look {
        colour: Colour::Ansi,
        ..look()
    };
    let told = Some("The server loses power.");
    let text = super::story(&sample::violated(false), &sample::trace(), told, &coloured);
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    assert_ne!(text, plain);
    assert_eq!(
        plain,
        super::story(&sample::violated(false), &sample::trace(), told, &look())
    );
}
