//! What becomes of the faults and the triggers of a timeline.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{Cue, CutPlan, DiskOnRestart, Fault, Layer, LinkChange, Moment, Target, Trigger};

use crate::plan::{host, with};

fn faults(timeline: &str) -> Vec<Fault> {
    let plan = with(&format!("timeline: [{timeline}]"));
    plan.timeline.into_iter().map(|step| step.fault).collect()
}

fn labels(timeline: &str) -> Vec<String> {
    let plan = with(&format!("timeline: [{timeline}]"));
    plan.timeline.into_iter().map(|step| step.label).collect()
}

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

#[test]
fn a_restart_finds_the_disk_that_it_says() {
    let kill = "At(\"1s\", Kill(\"*\"))";
    for (written, disk) in [
        ("Restart(\"s\")", DiskOnRestart::Kept),
        ("Restart(\"s\", Kept)", DiskOnRestart::Kept),
        ("Restart(\"s\", Stale)", DiskOnRestart::Stale),
        ("Restart(\"s\", Torn)", DiskOnRestart::Torn),
        ("Restart(\"s\", Corrupt)", DiskOnRestart::Corrupt),
        ("Restart(\"s\", Wiped)", DiskOnRestart::Wiped),
        ("Wipe(\"s\")", DiskOnRestart::Wiped),
    ] {
        let expected = Fault::Restart {
            who: vec![host(0)],
            disk,
        };
        assert_eq!(
            faults(&format!("{kill}, At(\"2s\", {written})"))[1],
            expected,
            "{written}"
        );
    }
}

#[test]
fn every_fault_that_lasts_is_laid_and_healed_as_it_is_written() {
    let layers = [
        (
            "Bridge(over: [\"c4\", \"c2\"], sides: [[\"c3\", \"c1\"], [\"s\"]])",
            Layer::Cut(CutPlan::Bridge {
                over: vec![host(2), host(4)],
                sides: vec![vec![host(0)], vec![host(1), host(3)]],
            }),
            "bridge(s | c1 c3 over c2 c4)",
        ),
        (
            "Ring([\"c4\", \"s\", \"c1\", \"c2\"])",
            Layer::Cut(CutPlan::Ring {
                hosts: vec![host(4), host(0), host(1), host(2)],
                reach: 1,
            }),
            "ring(c4 s c1 c2)",
        ),
        (
            "Ring(hosts: [\"c4\", \"s\", \"c1\", \"c2\", \"c3\"], reach: 1)",
            Layer::Cut(CutPlan::Ring {
                hosts: vec![host(4), host(0), host(1), host(2), host(3)],
                reach: 1,
            }),
            "ring(c4 s c1 c2 c3)",
        ),
        (
            "Flap(cut: OneWay(from: [\"c2\", \"c1\"], to: \"s\"), down: \"300ms\", up: \"200ms\")",
            Layer::Flap {
                cut: CutPlan::OneWay {
                    from: vec![host(1), host(2)],
                    to: vec![host(0)],
                },
                down: ms(300),
                up: ms(200),
            },
            "flap(one_way(c1 c2 > s), 300ms down, 200ms up)",
        ),
        (
            "Link(from: \"s\", to: [\"c2\", \"c1\"], corrupt: 0.25, mtu: 576)",
            Layer::Links {
                from: vec![host(0)],
                to: vec![host(1), host(2)],
                change: LinkChange {
                    corrupt: Some(0.25),
                    mtu: Some(576),
                    ..LinkChange::default()
                },
            },
            "link(s > c1 c2, corrupt: 0.25, mtu: 576)",
        ),
        (
            // A host has no link to itself.
            "Link(from: \"s\", to: [\"c1\", \"s\"], loss: 0.5)",
            Layer::Links {
                from: vec![host(0)],
                to: vec![host(0), host(1)],
                change: LinkChange {
                    loss: Some(0.5),
                    ..LinkChange::default()
                },
            },
            "link(s > c1, loss: 0.5)",
        ),
        (
            "Slow(who: [\"c1\", \"s\"], by: \"20ms\")",
            Layer::Slow {
                who: vec![host(0), host(1)],
                by: ms(20),
            },
            "slow(s c1, 20ms)",
        ),
        (
            "SlowDisk(who: \"s\", by: \"50ms\")",
            Layer::SlowDisk {
                who: vec![host(0)],
                by: ms(50),
            },
            "slow_disk(s, 50ms)",
        ),
        (
            "FailingDisk(who: \"s\")",
            Layer::FailingDisk {
                who: vec![host(0)],
                share: 1.0,
            },
            "failing_disk(s, 1)",
        ),
        (
            "FailingDisk(who: \"s\", share: 0.5)",
            Layer::FailingDisk {
                who: vec![host(0)],
                share: 0.5,
            },
            "failing_disk(s, 0.5)",
        ),
        (
            "Drift(who: \"c1..c4\", ppm: -500)",
            Layer::Drift {
                who: (1..=4).map(host).collect(),
                ppm: -500,
            },
            "drift(c1..c4, -500 ppm)",
        ),
    ];
    for (written, layer, label) in layers {
        let timeline = format!("At(\"1s\", {written}), At(\"2s\", Heal({written}))");
        assert_eq!(
            faults(&timeline),
            [Fault::Lay(layer.clone()), Fault::Heal(layer)],
            "{written}"
        );
        assert_eq!(labels(&timeline), [label.to_owned(), format!("heal({label})")]);
    }
}

#[test]
fn equal_layers_are_equal_in_whatever_order_their_hosts_are_written() {
    for (laid, healed) in [
        (
            "Bridge(over: \"s\", sides: [[\"c1\", \"c2\"], [\"c3\"]])",
            "Bridge(over: [\"s\"], sides: [[\"c3\"], [\"c2\", \"c1\"]])",
        ),
        (
            "Flap(cut: Partition([[\"c1\"], [\"s\", \"c2\"]]), down: \"1s\", up: \"2s\")",
            "Flap(cut: Partition([[\"c2\", \"s\"], [\"c1\"]]), down: \"1s\", up: \"2000ms\")",
        ),
        (
            "Link(from: [\"c1\", \"c2\"], to: \"*\", loss: 0.5)",
            "Link(to: [\"c2..c4\", \"c1\", \"s\"], from: [\"c2\", \"c1\"], loss: 5e-1)",
        ),
        (
            "Link(from: \"s\", to: \"c1\", latency: Empirical([\"2ms\", \"1ms\"]))",
            "Link(from: \"s\", to: \"c1\", latency: Empirical([\"1ms\", \"2ms\"]))",
        ),
        (
            "Slow(who: [\"c1\", \"s\"], by: \"20ms\")",
            "Slow(who: [\"s\", \"c1\"], by: \"20ms\")",
        ),
        ("FailingDisk(who: \"s\")", "FailingDisk(who: [\"s\"], share: 1.0)"),
        ("Ring(\"c1..c4\")", "Ring(hosts: [\"c1\", \"c2\", \"c3..c4\"])"),
    ] {
        let faults = faults(&format!("At(\"1s\", {laid}), At(\"2s\", Heal({healed}))"));
        let [Fault::Lay(laid), Fault::Heal(healed)] = faults.as_slice() else {
            panic!("{faults:?}")
        };
        assert_eq!(laid, healed);
    }
}

#[test]
fn clocks_jump_and_links_change_as_reports_have_it() {
    let timeline = "At(\"1s\", Jump(who: [\"c1\", \"s\"], by: \"2s\")),
        At(\"1s\", Link(from: \"s\", to: \"c1\", latency: Exponential(mean: \"5ms\"), reorder: 0.5, reorder_by: \"1ms\",
            duplicate: 0.125, loss: 1, bandwidth: \"2kbit/s\", queue: \"1KiB\"))";
    assert_eq!(
        faults(timeline)[0],
        Fault::Jump {
            who: vec![host(0), host(1)],
            by: Span::from_secs(2)
        }
    );
    assert_eq!(
        labels(timeline),
        [
            "jump(s c1, 2s)",
            "link(s > c1, latency: Exponential(min: \"0ns\", mean: \"5ms\"), loss: 1.0, duplicate: 0.125, reorder: 0.5, \
             reorder_by: \"1ms\", bandwidth: \"2kbit/s\", queue: \"1KiB\")",
        ]
    );
}

#[test]
fn triggers_wait_for_claims_for_writes_and_for_datagrams() {
    let plan = with(
        "timeline: [
            When(persist: Begun, do: Kill(\"@actor\")),
            When(persist: Completed, by: \"c1\", nth: 3, after: \"1ms\", do: Slow(who: \"@actor\", by: \"1ms\")),
            When(send_to: \"*\", do: Bridge(over: \"@actor\", sides: [[\"c1\"]])),
            When(send_to: [\"c2\", \"s\"], by: \"c1\", nth: 2, do: Ring([\"@actor\", \"s\", \"c1\", \"c2\"])),
        ]",
    );
    let when = |cue, by: &[u32], nth, after| Trigger::When {
        cue,
        by: by.iter().map(|id| HostId(*id)).collect(),
        nth,
        after,
    };
    let triggers: Vec<Trigger> = plan.timeline.iter().map(|step| step.trigger.clone()).collect();
    assert_eq!(
        triggers,
        [
            when(Cue::PersistBegun, &[], 1, Span::ZERO),
            when(Cue::PersistCompleted, &[1], 3, ms(1)),
            when(Cue::Send(vec![]), &[], 1, Span::ZERO),
            when(Cue::Send(vec![HostId(2), HostId(0)]), &[1], 2, Span::ZERO),
        ]
    );
    let labels: Vec<&str> = plan.timeline.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "kill(@actor)",
            "slow(@actor, 1ms)",
            "bridge(c1 over @actor)",
            "ring(@actor s c1 c2)"
        ]
    );
    let Fault::Lay(Layer::Cut(CutPlan::Bridge { over, .. })) = &plan.timeline[2].fault else {
        panic!("a bridge")
    };
    assert_eq!(over, &[Target::Actor]);
}

#[test]
fn measures_begin_with_every_kind_of_fault() {
    for (written, kind, fault) in [
        ("Jump", "jump", "Jump(who: \"s\", by: \"1s\")"),
        ("OneWay", "one_way", "OneWay(from: \"s\", to: \"c1\")"),
        ("Bridge", "bridge", "Bridge(over: \"s\", sides: [[\"c1\"]])"),
        ("Ring", "ring", "Ring(\"c1..c4\")"),
        (
            "Flap",
            "flap",
            "Flap(cut: Ring(\"c1..c4\"), down: \"1s\", up: \"1s\")",
        ),
        ("Link", "link", "Link(from: \"s\", to: \"*\", loss: 0.5)"),
        ("Slow", "slow", "Slow(who: \"s\", by: \"1ms\")"),
        ("SlowDisk", "slow_disk", "SlowDisk(who: \"s\", by: \"1ms\")"),
        ("FailingDisk", "failing_disk", "FailingDisk(who: \"s\")"),
        ("Drift", "drift", "Drift(who: \"s\", ppm: 1)"),
    ] {
        let plan = with(&format!(
            "timeline: [At(\"2s\", {fault})],
             measures: [Latency(name: \"m\", from: Fault({written}), to: Fact(\"promoted\"))]"
        ));
        assert_eq!(plan.measures[0].from, Moment::Fault(kind));
    }
}
