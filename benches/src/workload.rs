//! The workloads as scenario files, resolved as the command line resolves them, and what a run of one must come to.

use squall_nodes::hac::Hac;
use squall_nodes::{Protocol, Span};
use squall_sim::runner::Prepared;
use squall_sim::scenario::{ScenarioFile, Style};
use squall_sim::{Outcome, Verdict, registered};

use crate::{Beat, Deadlines, Pour};

/// W1: `nodes` nodes beat to each other for `limit`; latency is uniform from 1 to 10 ms, loss 1 %.
///
/// W3 is the run of W1 with 5 nodes for 10 s, as a whole, again and again.
///
/// # Panics
///
/// When there are more nodes than a scenario may have, or `limit` is nothing or longer than a day.
pub fn w1(nodes: u32, limit: Span) -> Box<dyn Prepared> {
    beating(&format!("w1 {nodes}"), nodes, 0, Deadlines::Timers, limit)
}

/// W1 with nodes that keep the deadlines of their peers in tables of their own.
///
/// # Panics
///
/// As [`w1`].
pub fn table(nodes: u32, limit: Span) -> Box<dyn Prepared> {
    beating(&format!("table {nodes}"), nodes, 0, Deadlines::Table, limit)
}

/// W4: as W1, but each node beats to `fan` others only.
///
/// # Panics
///
/// As [`w1`].
pub fn w4(nodes: u32, fan: u32, limit: Span) -> Box<dyn Prepared> {
    beating(&format!("w4 {nodes} {fan}"), nodes, fan, Deadlines::Timers, limit)
}

/// Streams: each of `nodes` nodes in a ring writes so many bytes to the next, as quickly as it is let; latency is uniform from 1 to 10 ms, and
/// one packet in a thousand is lost.
///
/// # Panics
///
/// When there are more nodes than a scenario may have, or fewer than two, or it were to take longer than a day.
pub fn pour(nodes: u32, bytes: u64) -> Box<dyn Prepared> {
    // A stream of a window of 64 KiB makes some megabytes a second of such links, and what is lost holds it up.
    let limit = Span::from_secs(30 + bytes / 250_000);
    let text = format!(
        r#"Scenario(
    protocol: "pour",
    config: (bytes: {bytes}),
    hosts: [(name: "n1..n{nodes}", role: Pourer)],
    network: (latency: Uniform("1ms", "10ms"), loss: 0.001),
    tolerated: (latency: "10ms", loss: 0.001),
    limit: "{limit}",
    max_events: 10_000_000_000,
)"#
    );
    resolved::<Pour>(&format!("pour {nodes} {bytes}"), &text, Pour::RULES[0])
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

/// Whether a run did all its work: it held, and each of its invariants judged something. A run that judges nothing is
/// faster than a user's, and says nothing of it.
///
/// # Errors
///
/// What there is to say against it.
pub fn sound(outcome: &Outcome) -> Result<(), String> {
    let idle = outcome.invariants.iter().find(|done| done.judged == 0);
    let against = match (outcome.verdict, idle) {
        (Verdict::Held, None) if outcome.invariants.is_empty() => "nothing was judged".to_owned(),
        (Verdict::Held, None) => return Ok(()),
        (Verdict::Held, Some(idle)) => format!("{} judged nothing", idle.name),
        (verdict, _) => format!("{verdict}: {:?} {:?}", outcome.violation, outcome.doubts),
    };
    let Outcome { scenario, seed, .. } = outcome;
    Err(format!("{scenario} under seed {seed}: {against}"))
}

fn beating(name: &str, nodes: u32, fan: u32, deadlines: Deadlines, limit: Span) -> Box<dyn Prepared> {
    let text = format!(
        r#"Scenario(
    protocol: "beat",
    config: (fan: {fan}, deadlines: {deadlines:?}),
    hosts: [(name: "n1..n{nodes}", role: Beater)],
    network: (latency: Uniform("1ms", "10ms"), loss: 0.01),
    tolerated: (latency: "10ms", loss: 0.01),
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

#[cfg(test)]
mod tests {
    use squall_sim::trace::Happening;

    use super::*;

    #[test]
    fn every_workload_holds_and_each_of_its_promises_is_judged() {
        let second = Span::from_secs(1);
        let mut all = failovers();
        all.extend([
            w1(2, second),
            w1(5, Span::from_secs(10)),
            w1(25, second),
            table(25, second),
            w4(100, 10, second),
            pour(2, 300_000),
        ]);
        for prepared in all {
            let mut worker = prepared.worker();
            for seed in 0..20 {
                let outcome = worker.run(seed);
                assert_eq!(sound(&outcome), Ok(()));
            }
        }
    }

    #[test]
    fn a_run_that_judged_nothing_or_did_not_hold_is_not_sound() {
        let short = w1(5, Span::from_millis(500)).worker().run(0);
        assert_eq!(
            sound(&short),
            Err("w1 5 under seed 0: beat.heard judged nothing".to_owned())
        );
        let mut idle = w1(5, Span::from_secs(1)).worker().run(0);
        assert_eq!(sound(&idle), Ok(()));
        idle.invariants.clear();
        assert_eq!(
            sound(&idle),
            Err("w1 5 under seed 0: nothing was judged".to_owned())
        );
        idle.verdict = Verdict::Inconclusive;
        assert!(sound(&idle).is_err_and(|said| said.contains("inconclusive")));
    }

    #[test]
    fn a_table_finds_the_silences_that_timers_find() {
        // Long enough for some to lose four beats in a row, which is a silence.
        let silences = |prepared: Box<dyn Prepared>| {
            let (_, trace) = prepared.worker().trace(3);
            let said = trace
                .events
                .iter()
                .filter(|event| matches!(&event.what, Happening::Fact { name, .. } if name == "silent"));
            said.count()
        };
        let text = |deadlines| {
            format!(
                r#"Scenario(
    protocol: "beat",
    config: (deadlines: {deadlines:?}),
    hosts: [(name: "n1..n5", role: Beater)],
    network: (latency: Uniform("1ms", "10ms"), loss: 0.3),
    limit: "60s",
)"#
            )
        };
        let found = |deadlines| silences(resolved::<Beat>("lossy", &text(deadlines), Beat::RULES[0]));
        let (timers, table) = (found(Deadlines::Timers), found(Deadlines::Table));
        // A table is looked through at the next beat only, by when some are heard after all.
        assert!(
            0 < table && table <= timers && timers < 4 * table,
            "{timers} by timers, {table} by a table"
        );
    }

    #[test]
    fn all_that_is_poured_comes_in() {
        let outcome = pour(5, 3_000_000).worker().run(0);
        let streams = outcome.traffic.streams;
        assert_eq!((streams.opened, streams.closed), (5, 5));
        assert_eq!((streams.written, streams.delivered), (15_000_000, 15_000_000));
        assert!(streams.lost > 0 && streams.sent_again > 0, "{streams:?}");
        // Each node's claim is judged.
        assert_eq!(outcome.invariants[0].judged, 5);
    }

    #[test]
    fn a_beat_to_every_peer_is_all_that_is_sent() {
        for nodes in [2, 5, 25] {
            let outcome = w1(nodes, Span::from_secs(10)).worker().run(0);
            let beats = 100 * nodes * (nodes - 1);
            // Each node beats for the first time somewhere in its first interval.
            assert_eq!(outcome.traffic.sent, u64::from(beats), "{nodes} nodes");
        }
    }
}
