//! What becomes of what a file says of links, disks and clocks.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{Clock, Fault, Latency, Layer, LinkChange, LinkLaw};

use crate::plan::{plan_under, with};

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

#[test]
fn every_law_of_latency_is_read() {
    let laws = [
        ("Constant(\"3ms\")", Latency::Constant(ms(3))),
        ("Uniform(\"1ms\", \"10ms\")", Latency::Uniform(ms(1), ms(10))),
        (
            "Normal(mean: \"20ms\", deviation: \"3ms\")",
            Latency::Normal {
                mean: ms(20),
                deviation: ms(3),
            },
        ),
        (
            "LogNormal(median: \"20ms\", sigma: 0.5)",
            Latency::LogNormal {
                median: ms(20),
                sigma: 0.5,
            },
        ),
        (
            "LogNormal(median: \"20ms\", sigma: 2)",
            Latency::LogNormal {
                median: ms(20),
                sigma: 2.0,
            },
        ),
        (
            "Exponential(mean: \"5ms\", min: \"1ms\")",
            Latency::Exponential {
                min: ms(1),
                mean: ms(5),
            },
        ),
        (
            "Exponential(mean: \"5ms\")",
            Latency::Exponential {
                min: Span::ZERO,
                mean: ms(5),
            },
        ),
        (
            "Pareto(min: \"1ms\", shape: 1.5)",
            Latency::Pareto {
                min: ms(1),
                shape: 1.5,
            },
        ),
        (
            "Empirical([\"5ms\", \"80us\", \"100us\", \"80us\"])",
            Latency::Empirical(
                [
                    Span::from_micros(80),
                    Span::from_micros(80),
                    Span::from_micros(100),
                    ms(5),
                ]
                .into(),
            ),
        ),
    ];
    for (written, law) in laws {
        let plan = with(&format!("network: (latency: {written}), persist: {written}"));
        assert_eq!(plan.network.default.latency, law);
        assert_eq!(plan.persist, law);
        // What it prints is what it is read from.
        let again = with(&format!("persist: {law}"));
        assert_eq!(again.persist, law);
    }
}

#[test]
fn every_part_of_a_law_is_read_in_its_units() {
    let plan = with(
        "network: (
            latency: Constant(\"3ms\"), loss: 0.1, duplicate: 0.2, reorder: 0.3, reorder_by: \"7ms\", corrupt: 0.4,
            bandwidth: \"10Mbit/s\", queue: \"64KiB\", mtu: 1500,
        )",
    );
    let law = LinkLaw {
        latency: Latency::Constant(ms(3)),
        loss: 0.1,
        duplicate: 0.2,
        reorder: 0.3,
        reorder_by: ms(7),
        corrupt: 0.4,
        bandwidth: Some(10_000_000),
        queue: 65_536,
        mtu: Some(1_500),
    };
    assert_eq!(*plan.network.default, law);
    for (written, bits) in [
        ("1bit/s", 1),
        ("9600 bit/s", 9_600),
        ("64kbit/s", 64_000),
        ("2Gbit/s", 2_000_000_000),
    ] {
        let plan = with(&format!("network: (bandwidth: \"{written}\")"));
        assert_eq!(plan.network.default.bandwidth, Some(bits), "{written}");
        assert_eq!(plan.network.default.queue, LinkLaw::QUEUE);
    }
    for (written, bytes) in [
        ("29B", 29),
        ("3kB", 3_000),
        ("3KiB", 3_072),
        ("1MB", 1_000_000),
        ("1MiB", 1 << 20),
    ] {
        let plan = with(&format!(
            "network: (bandwidth: \"1kbit/s\", queue: \"{written}\")"
        ));
        assert_eq!(plan.network.default.queue, bytes, "{written}");
    }
}

#[test]
fn links_are_laid_over_zones_and_zones_over_the_default() {
    let plan = plan_under(
        "Scenario(protocol: \"hac\", hosts: [
            (name: \"s\", role: Server, zone: \"eu\"),
            (name: \"c1\", role: Client, zone: \"eu\"),
            (name: \"c2\", role: Client, zone: \"us\"),
            (name: \"c3\", role: Client, zone: \"ap\"),
            (name: \"c4\", role: Client),
        ], network: (loss: 0.1, mtu: 1000,
            zones: [
                (between: [\"eu\", \"us\", \"ap\"], loss: 0.2, bandwidth: \"1Mbit/s\"),
                (from: \"eu\", to: \"us\", loss: 0.3),
                (within: \"eu\", loss: 0.4),
                (between: [\"ap\", \"us\"], mtu: 576),
            ],
            links: [(from: \"s\", to: \"*\", duplicate: 0.5), (from: \"s\", to: \"c1\", loss: 0.9)],
        ))",
        "Original",
    );
    let law = |from: u32, to: u32| {
        let law = plan.network.law(HostId(from), HostId(to));
        (law.loss, law.duplicate, law.bandwidth.is_some(), law.mtu)
    };
    assert_eq!(law(1, 2), (0.3, 0.0, true, Some(1_000)));
    assert_eq!(law(2, 1), (0.2, 0.0, true, Some(1_000)));
    assert_eq!(law(2, 3), (0.2, 0.0, true, Some(576)));
    assert_eq!(law(1, 0), (0.4, 0.0, false, Some(1_000)));
    assert_eq!(law(1, 4), (0.1, 0.0, false, Some(1_000)));
    assert_eq!(law(4, 3), (0.1, 0.0, false, Some(1_000)));
    assert_eq!(law(0, 1), (0.9, 0.5, false, Some(1_000)));
    assert_eq!(law(0, 2), (0.3, 0.5, true, Some(1_000)));
    assert_eq!(law(0, 4), (0.1, 0.5, false, Some(1_000)));
    let zones = &plan.network.zones;
    assert_eq!(zones.names, ["eu", "us", "ap"]);
    assert_eq!(zones.of, [Some(0), Some(0), Some(1), Some(2), None]);
    assert!(zones.laws.is_sorted_by(|(a, _), (b, _)| a < b));
    assert_eq!(zones.laws.len(), 7);
}

#[test]
fn clocks_are_right_unless_the_file_says_otherwise() {
    let plan = plan_under(
        "Scenario(protocol: \"hac\", hosts: [
            (name: \"s\", role: Server),
            (name: \"a\", role: Client, clock: (offset: \"3s\", drift_ppm: -500000)),
            (name: \"b1..b2\", role: Client, clock: (drift_ppm: 1000000)),
            (name: \"c\", role: Client, clock: (offset: \"1h\")),
        ])",
        "Original",
    );
    let clocks: Vec<(Span, i32)> = plan
        .hosts
        .iter()
        .map(|host| (host.clock.offset, host.clock.drift_ppm))
        .collect();
    let expected = [
        (Span::ZERO, 0),
        (Span::from_secs(3), Clock::SLOWEST_PPM),
        (Span::ZERO, Clock::FASTEST_PPM),
        (Span::ZERO, Clock::FASTEST_PPM),
        (Span::from_secs(3_600), 0),
    ];
    assert_eq!(clocks, expected);
}

#[test]
fn a_change_of_links_says_what_it_puts_in_their_place_and_nothing_else() {
    let plan = with(
        "timeline: [At(\"2s\", Link(from: [\"c2\", \"s\"], to: \"*\", loss: 0.5, latency: Constant(\"9ms\"), queue: \"1KiB\")),
            At(\"3s\", Link(from: \"*\", to: \"s\", bandwidth: \"1kbit/s\"))]",
    );
    let Fault::Lay(Layer::Links { from, to, change }) = &plan.timeline[0].fault else {
        panic!("a change of links")
    };
    assert_eq!((from.len(), to.len()), (2, 5));
    let expected = LinkChange {
        loss: Some(0.5),
        latency: Some(Latency::Constant(ms(9))),
        queue: Some(1_024),
        ..LinkChange::default()
    };
    assert_eq!(*change, expected);
}
