//! The workloads as scenario files, resolved as the command line resolves them.

use squall_nodes::hac::Hac;
use squall_nodes::{Protocol, Span};
use squall_sim::registered;
use squall_sim::runner::Prepared;
use squall_sim::scenario::{ScenarioFile, Style};

use crate::Beat;

/// W1: `nodes` nodes beat to each other for `limit`; latency is uniform from 1 to 10 ms, loss 1 %.
///
/// W3 is the run of W1 with 5 nodes for 10 s, as a whole, again and again.
///
/// # Panics
///
/// When there are more nodes than a scenario may have, or `limit` is nothing or longer than a day.
pub fn w1(nodes: u32, limit: Span) -> Box<dyn Prepared> {
    beating(&format!("w1 {nodes}"), nodes, 0, limit)
}

/// W4: as W1, but each node beats to `fan` others only.
///
/// # Panics
///
/// As [`w1`].
pub fn w4(nodes: u32, fan: u32, limit: Span) -> Box<dyn Prepared> {
    beating(&format!("w4 {nodes} {fan}"), nodes, fan, limit)
}

/// hac's failover under its sound rules: the server of five hosts loses power, and a client takes its place.
///
/// The server is heard of once a round, so how long it takes to miss it depends on how far into a round the power is
/// cut. These are ten scenarios that are equal but for that: each cuts a tenth of a round later than the one before.
///
/// # Panics
///
/// When the scenario and hac no longer fit together.
pub fn failovers() -> Vec<Box<dyn Prepared>> {
    let text = include_str!("../scenarios/failover.ron");
    let round = Hac::config(Hac::PROFILES[0], "Hardened").round;
    let cut_after = |tenths: u64| {
        let at = Span::from_secs(2) + round * tenths / 10;
        let moved = text.replace(r#"At("2s","#, &format!(r#"At("{at}","#));
        assert!(tenths == 0 || moved != text, "the scenario cuts the power at 2 s");
        resolved::<Hac>("benches/scenarios/failover.ron", &moved, "Hardened")
    };
    (0..10).map(cut_after).collect()
}

fn beating(name: &str, nodes: u32, fan: u32, limit: Span) -> Box<dyn Prepared> {
    let text = format!(
        r#"Scenario(
    protocol: "beat",
    config: (fan: {fan}),
    hosts: [(name: "n1..n{nodes}", role: Beater)],
    network: (latency: Uniform("1ms", "10ms"), loss: 0.01),
    limit: "{limit}",
    max_events: 10_000_000_000,
)"#
    );
    resolved::<Beat>(name, &text, Beat::RULES[0])
}

fn resolved<P: Protocol>(name: &str, text: &str, rules: &'static str) -> Box<dyn Prepared> {
    let file = ScenarioFile::parse(name, text.to_owned());
    file.and_then(|file| registered::<P>().prepare(&file, rules))
        .unwrap_or_else(|complaints| panic!("{}", complaints.render(Style::Plain)))
}
