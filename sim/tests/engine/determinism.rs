//! Equal seeds give equal runs, and the gate says where runs part that should not.

use squall_nodes::{Span, Time};
use squall_sim::gate::{Difference, Parting, recheck};
use squall_sim::plan::{Cue, DiskOnRestart, Fault, Latency, LinkChange, LinkLaw, Origin, Trigger};
use squall_sim::trace::{Happening, Trace};
use squall_sim::{Digest, Prepared};

use crate::node::{Claim, Do, On, Rule, SAID, beat, on, persist, place, say, send, start};
use crate::plans::{
    A, B, C, D, Draft, changed, drift, failing_disk, flap, heal_layer, jump, kill, kill_actor, lay, lay_over,
    link, ms, one_way, partition, pause, plan, restart, restart_with, resume, ring, slow, slow_disk, us,
};

/// A plan with a bit of everything that can be drawn.
fn lively() -> Draft {
    let law = LinkLaw {
        loss: 0.1,
        duplicate: 0.1,
        reorder: 0.2,
        reorder_by: ms(5),
        corrupt: 0.1,
        bandwidth: Some(1_000_000),
        queue: 1_000,
        mtu: Some(320),
        ..link(Latency::Uniform(us(500), ms(4)))
    };
    let slower = LinkChange {
        latency: Some(Latency::LogNormal {
            median: ms(3),
            sigma: 0.5,
        }),
        corrupt: Some(0.3),
        ..LinkChange::default()
    };
    let mut a = beat(&[B, C, D], ms(1), ms(7));
    a.push(on(On::Timer(99), [persist("#"), say("beat")]));
    let drawn = [
        start([Do::Recall, Do::ArmWithin(1, ms(1), ms(20))]),
        on(
            On::Timer(1),
            [
                send(A, "drawn #"),
                Do::Ship {
                    to: place(C),
                    bytes: 300,
                },
                Do::ArmWithin(1, ms(1), ms(20)),
            ],
        ),
        on(On::Datagram, [persist("heard"), Do::Disarm(2), Do::Arm(2, ms(3))]),
        on(On::Timer(2), [Do::Claim(Claim::Said { what: "quiet".into() })]),
        on(On::Command, [Do::Answer("yes".into())]),
    ];
    plan()
        .host("a", a)
        .host("b", drawn.clone())
        .clock(ms(3), 250)
        .host("c", drawn.clone())
        .late_host("d", ms(30), drawn)
        .links(law)
        .persist_takes(Latency::Uniform(ms(1), ms(5)))
        .at(ms(40), pause(&[B]))
        .at(ms(80), resume(&[B]))
        .at(ms(60), kill(&[C]))
        .at(ms(90), restart(&[C]))
        .every(ms(100), ms(40), ms(300), lay(partition(&[&[A], &[B, C]])))
        .every(ms(120), ms(40), ms(300), Fault::HealAll)
        .at(ms(45), Fault::Lay(changed(&[A, B], &[A, B, C], slower)))
        .at(ms(50), Fault::Lay(flap(one_way(&[A], &[B]), ms(7), ms(11))))
        .at(ms(310), Fault::Lay(flap(ring(&[A, B, C, D], 1), ms(7), ms(11))))
        .at(ms(20), lay_over(slow(&[B, C], us(300))))
        .at(ms(200), heal_layer(slow(&[B, C], us(300))))
        .at(ms(25), lay_over(failing_disk(&[A, D], 0.5)))
        .at(ms(26), lay_over(slow_disk(&[C], ms(2))))
        .at(ms(35), lay_over(drift(&[A], 300)))
        .every(ms(50), ms(50), ms(350), jump(&[C], us(700)))
        .step(when(Cue::PersistCompleted, 4), kill_actor())
        .at(ms(250), restart_with(&[D], DiskOnRestart::Corrupt))
        // What it works on when the run ends, it still works on.
        .step(when(Cue::Send(vec![C]), 5), lay_over(slow(&[D], ms(2))))
        .calls(ms(3), ms(400), &[B, C, D], "hello")
        .limit(ms(400))
}

/// At the nth time that d does it, at once.
fn when(cue: Cue, nth: u32) -> Trigger {
    Trigger::When {
        cue,
        by: vec![D],
        nth,
        after: Span::ZERO,
    }
}

fn digests(prepared: &dyn Prepared, seeds: impl IntoIterator<Item = u64>) -> Vec<Digest> {
    let mut worker = prepared.worker();
    seeds.into_iter().map(|seed| worker.run(seed).digest).collect()
}

#[test]
fn a_seed_gives_one_run_and_another_seed_another() {
    let prepared = lively().prepare();
    let once = digests(&prepared, 0..20);
    assert_eq!(digests(&lively().prepare(), 0..20), once);
    for (i, digest) in once.iter().enumerate() {
        assert!(!once[..i].contains(digest), "seed {i} gives the run of another");
    }
    for seed in 0..5 {
        let (first, second) = (prepared.worker().run(seed), prepared.worker().run(seed));
        assert_eq!(first, second);
    }
}

#[test]
fn a_worker_brings_nothing_from_one_run_to_the_next() {
    let prepared = lively().prepare();
    let fresh: Vec<_> = (0..6).map(|seed| prepared.worker().trace(seed)).collect();
    let mut worker = prepared.worker();
    for seed in [0, 1, 0, 5, 4, 3, 3, 2, 5, 0] {
        let (outcome, trace) = &fresh[seed as usize];
        assert_eq!(worker.run(seed), *outcome, "seed {seed}");
        let (traced, events) = worker.trace(seed);
        assert_eq!(traced, *outcome, "a trace changes nothing: seed {seed}");
        assert!(events == *trace, "seed {seed}");
    }
}

#[test]
fn a_run_that_was_cut_short_leaves_nothing_behind_either() {
    // It ends in the middle of what it does: with datagrams under way, a write, a buffer and a cut.
    let short = |max_events| lively().max_events(max_events).prepare();
    for max_events in [1, 50, 500] {
        let prepared = short(max_events);
        let mut worker = prepared.worker();
        for seed in 0..5 {
            assert_eq!(worker.run(seed), short(max_events).worker().run(seed));
            assert_eq!(worker.run(seed).events, max_events);
        }
    }
    let violated = || lively().invariant(0, "not_bad", "()", Origin::Default).prepare();
    assert_eq!(
        digests(&violated(), [3, 3, 4, 3]),
        digests(&violated(), [3, 3, 4, 3])
    );
}

#[test]
fn what_is_asked_is_in_the_digest_though_nobody_heeds_it() {
    let asked = |what| {
        let draft = plan().host("a", []).call(ms(1), A, what);
        digests(&draft.prepare(), [0])
    };
    assert_eq!(asked("left"), asked("left"));
    assert_ne!(asked("left"), asked("right"));
}

#[test]
fn threads_that_share_a_plan_run_what_one_alone_runs() {
    let prepared = lively().prepare();
    let alone = digests(&prepared, 0..24);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("two threads can be had");
    // Each of the two runs its own half, whatever the other does.
    let halves = pool.broadcast(|thread| {
        digests(
            &prepared,
            (0..24).filter(|seed| (seed % 2) as usize == thread.index()),
        )
    });
    let together: Vec<Digest> = (0..24).map(|seed| halves[seed % 2][seed / 2]).collect();
    assert_eq!(together, alone);
}

#[test]
fn the_gate_lets_pass_what_is_as_it_should_be() {
    let prepared = lively().prepare();
    assert_eq!(recheck(&prepared, 9).unwrap(), prepared.worker().run(9));
}

/// Two hosts that beat, of which the first does something that it may not do, at 25 ms.
fn flawed(what: impl Into<Vec<Do>>) -> Draft {
    let mut rules: Vec<Rule> = beat(&[B], ms(10), ms(10));
    rules.extend([start([Do::Arm(1, ms(25))]), on(On::Timer(1), what)]);
    plan()
        .host("a", rules)
        .host("b", beat(&[A], ms(10), ms(10)))
        .limit(ms(60))
}

fn caught(draft: Draft) -> Difference {
    *recheck(&draft.prepare(), 4).expect_err("the runs differ")
}

#[test]
fn a_node_that_reads_what_is_not_its_own_is_caught_and_the_first_event_that_differs_is_named() {
    let difference = caught(flawed([send(B, "all is well"), Do::Tick { to: place(B) }]));
    assert_ne!(difference.digests[0], difference.digests[1]);
    let parting = difference.parting.as_ref().unwrap();
    let (first, second) = (parting.first.clone().unwrap(), parting.second.clone().unwrap());
    assert_eq!((first.at.since(Time::ZERO), first.host), (ms(25), Some(A)));
    let says = |what: &Happening| match what {
        Happening::Sent { says, .. } => says.clone(),
        other => panic!("{other:?}"),
    };
    assert!(says(&first.what).starts_with("tick ") && says(&second.what).starts_with("tick "));
    assert_ne!(says(&first.what), says(&second.what));
    // What comes before is the same in all runs: two boots, two rounds of beats, the timer and the word before.
    assert_eq!(parting.index, 2 + 2 * (2 + 2 + 2) + 2);
    let told = difference.to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with(
            "by hand: two runs of seed 4 differ from event 17 on; one has: at 0.025s, a sends \"tick "
        ),
        "{told}"
    );
    assert!(
        lines[1].starts_with("and the other has: at 0.025s, a sends \"tick "),
        "{told}"
    );
    assert!(lines[1].contains("to b:7000 (Underway, "), "{told}");
}

#[test]
fn a_node_that_differs_in_a_datagram_that_is_lost_cut_or_for_nobody_is_caught_too() {
    let lossy = LinkLaw {
        loss: 1.0,
        ..link(Latency::Constant(ms(1)))
    };
    let full = LinkLaw {
        bandwidth: Some(1_000_000),
        queue: 30,
        ..link(Latency::Constant(ms(1)))
    };
    let short = LinkLaw {
        mtu: Some(30),
        ..link(Latency::Constant(ms(1)))
    };
    let tick = |to| Do::Tick { to };
    let (mut nowhere, mut closed) = (place(B), place(B));
    nowhere.set_ip("192.0.2.1".parse().unwrap());
    closed.set_port(9);
    let drafts = [
        ("lost", flawed([tick(place(B))]).link(A, B, lossy)),
        ("without room", flawed([tick(place(B))]).link(A, B, full)),
        ("too long", flawed([tick(place(B))]).link(A, B, short)),
        (
            "cut",
            flawed([tick(place(B))]).at(ms(24), lay(partition(&[&[A], &[B]]))),
        ),
        (
            "cut on its way",
            flawed([tick(place(B))]).at(us(25_500), lay(partition(&[&[A], &[B]]))),
        ),
        ("to no host", flawed([tick(nowhere)])),
        ("to a closed port", flawed([tick(closed)])),
        (
            "to a host that is down",
            flawed([tick(place(B))]).at(ms(24), kill(&[B])),
        ),
        (
            "into the buffer of a host that dies",
            flawed([tick(place(B))])
                .at(ms(24), pause(&[B]))
                .at(ms(40), kill(&[B])),
        ),
        (
            "into a buffer until the end",
            flawed([tick(place(B))]).at(ms(24), pause(&[B])),
        ),
        ("under way at the end", flawed([tick(place(B))]).limit(us(25_500))),
    ];
    for (name, draft) in drafts {
        let parting = caught(draft)
            .parting
            .unwrap_or_else(|| panic!("{name}: no event differs"));
        let first = parting.first.unwrap();
        assert!(
            matches!(&first.what, Happening::Sent { says, .. } if says.starts_with("tick ")),
            "{name}: {first:?}"
        );
    }
}

#[test]
fn a_node_that_differs_in_what_it_writes_is_caught_before_anyone_reads_it() {
    let parting = caught(flawed([Do::TickToDisk])).parting.unwrap();
    let told = parting.to_string();
    assert!(
        told.contains("one has: at 0.025s, a begins write 1 to its disk (13 bytes, hash "),
        "{told}"
    );
}

#[test]
fn a_run_that_ends_earlier_than_the_other_is_told_so() {
    let (short, long) = (
        flawed([]).limit(ms(30)).trace(1),
        flawed([]).limit(ms(60)).trace(1),
    );
    let parting = Parting::between(&short.trace, &long.trace).unwrap();
    assert_eq!(parting.index, short.trace.events.len());
    assert_eq!(parting.first, None);
    let told = parting.to_string();
    assert!(
        told.contains("one has: nothing more, it is over\nand the other has: at 0.03s, a is woken"),
        "{told}"
    );
    assert_eq!(Parting::between(&long.trace, &long.trace), None);
}

#[test]
fn every_kind_of_event_is_told_in_one_line_with_the_names_of_the_hosts() {
    let story = lively()
        .when(SAID, kill_actor())
        .invariant(0, "not_bad", "()", Origin::Default)
        .trace(1);
    let empty = Trace {
        events: Vec::new(),
        ..story.trace.clone()
    };
    let mut told = std::collections::BTreeSet::new();
    for event in &story.trace.events {
        let one = Trace {
            events: vec![event.clone()],
            ..story.trace.clone()
        };
        let line = Parting::between(&one, &empty).unwrap().to_string();
        assert_eq!(line.lines().count(), 2, "{line}");
        assert!(!line.contains("10.0.0."), "{line}");
        told.insert(
            line.split(", ")
                .nth(1)
                .unwrap()
                .split(' ')
                .nth(1)
                .unwrap()
                .to_owned(),
        );
    }
    let kinds = [
        "boots", "sends", "receives", "drops", "begins", "has", "claims", "is", "answers", "world",
    ];
    let missing: Vec<_> = kinds
        .iter()
        .filter(|kind| !told.iter().any(|word| word == *kind))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {told:?}");
}
