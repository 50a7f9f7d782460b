//! The resolved form of every scenario file is a scenario that says the same: it is resolved into an equal plan under each rule
//! set, runs to an equal digest, and its own resolved form is itself. Files tagged `scale` are in release only.

use std::fmt::Write;

use squall_nodes::counter::Counter;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_nodes::{Placed, Protocol, Setup};
use squall_sim::plan::{Plan, PlannedHost, PlannedInvariant, Work};
use squall_sim::scenario::{ScenarioFile, Style, resolve, resolved};
use squall_sim::{prepare, registered};

use crate::library;

/// All of a plan in words.
fn told<P: Protocol>(plan: &Plan<P>) -> String {
    let Plan {
        scenario,
        rules,
        hosts,
        network,
        persist,
        lateness,
        timeline,
        workload,
        limit,
        max_events,
        invariants,
        measures,
        expect,
        tolerated,
        live_tolerance,
    } = plan;
    let mut text = format!(
        "{scenario} {rules} {persist:?} {lateness:?} {limit:?} {max_events} {expect:?} {tolerated:?} {live_tolerance}\n{network:#?}\n{timeline:#?}\n\
         {measures:#?}\n"
    );
    for host in hosts {
        let PlannedHost {
            placed,
            key,
            starts,
            clock,
        } = host;
        let Placed {
            name,
            ip,
            role,
            config,
        } = placed;
        let told = (name, ip, role, config, key, starts, clock);
        writeln!(text, "{told:?}").expect("a string takes all");
    }
    for work in workload {
        let Work {
            first,
            interval,
            until,
            of,
            command,
            label,
        } = work;
        let told = (first, interval, until, of, command, label);
        writeln!(text, "{told:?}").expect("a string takes all");
    }
    let placed: Vec<Placed<P::Node>> = hosts.iter().map(|host| host.placed.clone()).collect();
    let setup = Setup {
        hosts: &placed,
        rules,
        tolerated: *tolerated,
        streams: network.streams,
    };
    for PlannedInvariant {
        kind,
        name,
        params,
        origin,
    } in invariants
    {
        // A bound that is left out and one that is written are the same promise.
        let built = P::invariants()[*kind]
            .build(params, &setup)
            .expect("its parameters are checked");
        let told = (kind, name, origin, built.promise, built.by_default);
        writeln!(text, "{told:?}").expect("a string takes all");
    }
    text
}

fn says_the_same<P: Protocol>(file: &ScenarioFile) {
    let name = file.name();
    let form = resolved::<P>(file).unwrap_or_else(|complaints| panic!("{}", complaints.render(Style::Plain)));
    let again = ScenarioFile::parse(name, form.clone())
        .unwrap_or_else(|complaints| panic!("{}\n{form}", complaints.render(Style::Plain)));
    assert_eq!(again.story(), file.story(), "{form}");
    assert_eq!(again.tags(), file.tags(), "{form}");
    let about = |file: &ScenarioFile| (file.seed(), file.scenery().to_vec(), file.flaw());
    assert_eq!(about(&again), about(file), "{form}");
    for rules in P::RULES {
        let plan = |file| {
            resolve::<P>(file, rules)
                .unwrap_or_else(|complaints| panic!("{}\n{form}", complaints.render(Style::Plain)))
        };
        let (of_file, of_form) = (plan(file), plan(&again));
        assert_eq!(told(&of_form), told(&of_file), "{name} under {rules}:\n{form}");
        let run = |plan| squall_sim::Prepared::worker(&prepare(plan, 0)).run(file.seed());
        let (of_file, of_form) = (run(of_file), run(of_form));
        assert_eq!(of_form, of_file, "{name} under {rules}:\n{form}");
    }
    let twice = resolved::<P>(&again)
        .unwrap_or_else(|complaints| panic!("{}\n{form}", complaints.render(Style::Plain)));
    assert_eq!(twice, form, "{name}");
}

#[test]
fn every_file_has_a_resolved_form_that_says_the_same() {
    let in_release = !cfg!(debug_assertions);
    for file in library::files() {
        if !in_release && file.is_tagged("scale") {
            continue;
        }
        match file.protocol() {
            "counter" => says_the_same::<Counter>(&file),
            "echo" => says_the_same::<Echo>(&file),
            "hac" => says_the_same::<Hac>(&file),
            "leader" => says_the_same::<Leader>(&file),
            "refinery" => says_the_same::<Refinery>(&file),
            other => panic!("{} is of {other}, which this test does not know", file.name()),
        }
    }
}

/// A file in which everything differs from what it would be by itself.
const ALL_OF_IT: &str = r#"// What it tells,
//
// in several lines.
Scenario(
    protocol: "hac",
    profile: "classic",
    config: (misses: 5),
    hosts: [
        (name: "s", role: Server),
        (name: "c1..c5", role: Client, starts: "10ms", config: (client_timeout: "70s", misses: 4)),
        (name: "late", role: Client, starts: "1s"),
    ],
    network: (
        latency: Constant("2ms"), loss: 0.25, duplicate: 0.125, reorder: 1e-3, reorder_by: "30ms",
        links: [
            (from: "*", to: "*", loss: 0.0),
            (from: "s", to: "c1..c4", latency: Uniform("1ms", "1001us")),
            (from: ["c1", "c3"], to: "*", duplicate: 1.0),
            (from: "late", to: "s", reorder: 0.5),
        ],
    ),
    persist: Constant("0s"),
    tolerated: (loss: 0.5, latency: "10s"),
    timeline: [
        At("2s", PowerCut(["s", "c1..c5"])),
        Every(interval: "1s", from: "3s", do: Restart("*")),
        At("4s", OneWay(from: ["c1", "c2", "c3", "c4"], to: "s")),
        At("5s", Partition([["late"], ["c5", "s"]])),
        At("6s", Heal(OneWay(from: "c1..c4", to: "s"))),
        At("7s", HealAll),
        At("8s", Wipe("c5")),
        When(fact: "promoted", by: ["late", "c1"], nth: 2, after: "1ms", do: Pause(["@actor", "s"])),
    ],
    workload: [
        At(time: "1s", of: "*", command: Status),
        Every(interval: "1s", from: "2s", until: "9s", of: ["c5", "c4"], command: Status),
    ],
    limit: "90s",
    max_events: 12_345_678,
    invariants: [one_server(bound: /* not long */ "1s"), ids_granted_once()],
    without: ["status_true"],
    measures: [
        Latency(name: "failover", from: Fault(PowerCut), to: Fact(name: "rejoined", each: Client)),
        Latency(name: "doubt", from: Fact("suspected"), to: Fact("promoted")),
    ],
    expect: { Hardened: Held, Original: Violated(["one_server", "hac.ids_granted_once"]) },
    tags: ["flaw", "long"],
    seed: 18446744073709551615,
    scenery: [2, 0],
    flaw: NeedsNoFault,
)
"#;

/// Every law, fault and trigger that there is.
const ALL_FAULTS: &str = r#"Scenario(
    protocol: "hac",
    hosts: [
        (name: "s", role: Server, zone: "eu"),
        (name: "c1..c4", role: Client, zone: "eu"),
        (name: "slow", role: Client, zone: "us", starts: "10ms"),
        (name: "fast", role: Client, zone: "ap", clock: (offset: "3s", drift_ppm: 200)),
        (name: "late", role: Client, clock: (drift_ppm: -500000)),
    ],
    network: (
        corrupt: 0.001, mtu: 1500,
        zones: [
            (between: ["eu", "us", "ap"], latency: LogNormal(median: "20ms", sigma: 0.1)),
            (from: "us", to: "eu", latency: Normal(mean: "20ms", deviation: "2ms"), queue: "1MB"),
            (within: "eu", latency: Exponential(mean: "500us")),
        ],
        links: [
            (from: "s", to: "c1..c4", loss: 0.02),
            (from: ["c1", "c2"], to: "*", latency: Constant("3ms"), corrupt: 0.0),
            (from: "c3", to: "c4", latency: Pareto(min: "1ms", shape: 2.5), bandwidth: "9600bit/s", queue: "29B"),
            (from: "c4", to: "c3", latency: Empirical(["5ms", "80us", "100us"]), bandwidth: "10Gbit/s"),
        ],
        streams: (min_rto: "50ms", user_timeout: "5s", connect_timeout: "3s", send_buffer: "10kB", backlog: "0B", backlogs: "1MB", connections: 7, of_peer: 3, listen_backlog: 2),
    ),
    timeline: [
        At("2s", PowerCut("s")),
        When(fact: "promoted", by: "c1..c4", after: "20ms", do: Partition([["@actor", "c1"], ["c3"]])),
        When(persist: Completed, by: "c1", nth: 2, do: Kill("@actor")),
        When(persist: Begun, do: Slow(who: ["c2", "@actor"], by: "20ms")),
        When(send_to: "s", by: "c3", nth: 9, do: Jump(who: "@actor", by: "2s")),
        When(open_to: "s", by: "c3", do: HealAll),
        When(open_to: "*", nth: 3, do: HealAll),
        When(send_to: "*", do: Heal(Slow(who: ["@actor", "c2"], by: "20ms"))),
        At("5s", Bridge(over: "c3", sides: [["s", "c1"], ["c2", "c4"]])),
        At("5s", Ring(["s", "c2", "c1", "c3", "c4"])),
        At("6s", Ring(hosts: ["late", "slow", "fast", "c4", "c1..c3"], reach: 2)),
        At("6s", Flap(cut: OneWay(from: "slow", to: ["s", "late"]), down: "300ms", up: "200ms")),
        At("6s", Link(from: "s", to: "*", loss: 0.5, mtu: 576)),
        At("6s", Link(from: ["c1", "s"], to: "c3", latency: Uniform("1ms", "2ms"), duplicate: 0.5, reorder: 0.5,
            reorder_by: "1ms", corrupt: 0.5, bandwidth: "3kbit/s", queue: "64KiB")),
        At("6100ms", Heal(Link(from: "s", to: "*", loss: 0.5, mtu: 576))),
        At("6200ms", Heal(Flap(cut: OneWay(from: "slow", to: ["late", "s"]), down: "300ms", up: "200ms"))),
        At("6300ms", Heal(Ring(["s", "c2", "c1", "c3", "c4"]))),
        At("6400ms", Heal(Bridge(over: "c3", sides: [["c4", "c2"], ["s", "c1"]]))),
        At("6500ms", HealAll),
        At("7s", Restart("s")),
        At("10s", SlowDisk(who: "s", by: "50ms")),
        At("10s", FailingDisk(who: ["c1", "c2"], share: 0.25)),
        At("10s", Drift(who: "fast", ppm: -5000)),
        At("11s", Heal(SlowDisk(who: "s", by: "50ms"))),
        At("11s", Heal(FailingDisk(who: ["c1", "c2"], share: 0.25))),
        At("11s", Heal(Drift(who: "fast", ppm: -5000))),
        At("12s", PowerCut("c1..c4")),
        At("13s", Restart("c1", Stale)),
        At("13s", Restart(["c2", "c3"], Torn)),
        At("13s", Restart("c4", Corrupt)),
    ],
    measures: [
        Latency(name: "slowly", from: Fault(SlowDisk), to: Fact("promoted")),
        Latency(name: "round", from: Fault(Ring), to: Fact("promoted")),
    ],
    persist: Exponential(min: "1ms", mean: "1ms"),
)
"#;

#[test]
fn every_law_fault_and_trigger_is_written_as_it_is_read() {
    let file = ScenarioFile::parse("faults.ron", ALL_FAULTS.to_owned()).expect("a scenario");
    says_the_same::<Hac>(&file);
    let form = registered::<Hac>().resolved(&file).expect("a form");
    for part in [
        "(name: \"fast\", role: Client, starts: \"0s\", zone: \"ap\", clock: (offset: \"3s\", drift_ppm: 200)),\n",
        "            (within: \"eu\", latency: Exponential(min: \"0ns\", mean: \"500us\"), loss: 0.0, ",
        "            (from: \"us\", to: \"eu\", latency: Normal(mean: \"20ms\", deviation: \"2ms\"), ",
        "bandwidth: \"10Gbit/s\", queue: \"256KiB\", mtu: 1500),\n",
        "corrupt: 0.001, queue: \"1MB\", mtu: 1500),\n",
        "do: Slow(who: [\"@actor\", \"c2\"], by: \"20ms\")),\n",
        "        streams: (min_rto: \"50ms\", user_timeout: \"5s\", connect_timeout: \"3s\", send_buffer: \"10kB\", \
         receive_buffer: \"128KiB\", backlog: \"0B\", backlogs: \"1MB\", connections: 7, of_peer: 3, listen_backlog: 2),\n",
        "        When(open_to: \"*\", nth: 3, ",
        "        When(send_to: \"*\", nth: 1, after: \"0s\", do: Heal(Slow(",
        "        At(\"13s\", Restart([\"c2\", \"c3\"], Torn)),\n",
    ] {
        assert!(form.contains(part), "{part} in\n{form}");
    }
}

#[test]
fn whatever_a_file_says_its_resolved_form_says() {
    let file = ScenarioFile::parse("all.ron", ALL_OF_IT.to_owned()).expect("a scenario");
    says_the_same::<Hac>(&file);
    let form = registered::<Hac>().resolved(&file).expect("a form");
    for part in [
        "// What it tells,\n//\n// in several lines.\nScenario(\n    format: 1,\n    protocol: \"hac\",\n",
        "    profile: \"classic\",\n    config: (\n",
        "        misses: 5,\n",
        "    // Original by itself: rules: Original",
        "    // Hardened by itself: rules: Hardened",
        "        (name: \"s\", role: Server, starts: \"0s\"),\n",
        "        (name: \"c2\", role: Client, starts: \"10ms\", config: (client_timeout: \"70s\", misses: 4)),\n",
        "            (from: \"late\", to: \"s\", latency: Constant(\"2ms\"), loss: 0.0, ",
        "        At(\"5s\", Partition([[\"s\", \"c5\"], [\"late\"]])),\n",
        "    // Judged by themselves:\n",
        "    without: [\"status_true\"],\n",
        "    max_events: 12345678,\n",
    ] {
        assert!(form.contains(part), "{part} in\n{form}");
    }
}

#[test]
fn what_one_rule_set_does_without_is_written_for_it_alone() {
    let without = |written: &str| {
        let text = format!(
            r#"Scenario(protocol: "hac", hosts: [(name: "s", role: Server), (name: "c1..c2", role: Client)], without: {written})"#
        );
        let file = ScenarioFile::parse("without.ron", text).expect("a scenario");
        says_the_same::<Hac>(&file);
        let form = registered::<Hac>().resolved(&file).expect("a form");
        let line = form.lines().find_map(|line| line.strip_prefix("    without: "));
        line.map(|line| line.trim_end_matches(',').to_owned())
    };
    for written in [
        r#"{ Original: ["ids_granted_once", "ids_unique"] }"#,
        r#"{ Original: ["ids_unique"], Hardened: ["ids_granted_once"] }"#,
        r#"["ids_unique"]"#,
    ] {
        assert_eq!(without(written).as_deref(), Some(written));
    }
    let both = r#"{ Original: ["ids_unique"], Hardened: ["ids_unique"] }"#;
    assert_eq!(without(both).as_deref(), Some(r#"["ids_unique"]"#));
}

#[test]
fn a_bound_that_is_left_out_is_written_where_all_rule_sets_agree_on_it() {
    let text = r#"Scenario(protocol: "echo", hosts: [(name: "s", role: Server), (name: "a", role: Asker)],
        invariants: [askers_are_answered()])"#;
    let file = ScenarioFile::parse("bound.ron", text.to_owned()).expect("a scenario");
    says_the_same::<Echo>(&file);
    let form = registered::<Echo>().resolved(&file).expect("a form");
    let bound = form
        .split("answered(bound: \"")
        .nth(1)
        .unwrap_or_else(|| panic!("{form}"));
    let bound = bound.split('"').next().expect("a bound");
    assert!(
        form.contains(&format!(
            "answered(bound: \"{bound}\"), // in quiet for {bound}\n"
        )),
        "{form}"
    );
}

#[test]
fn a_file_that_would_be_too_large_is_refused() {
    let form = |hosts: u32| {
        let text = format!(
            r#"Scenario(protocol: "echo", hosts: [(name: "s", role: Server),
                (name: "a1..a{hosts}", role: Asker, config: (ask_every: "1234567890ns"))])"#
        );
        let file = ScenarioFile::parse("large.ron", text).expect("a scenario");
        resolved::<Echo>(&file).map(|form| form.len())
    };
    assert!(form(100).is_ok());
    // Eighty bytes a host.
    let complaints = form(15_000).expect_err("it is too large");
    assert_eq!(
        complaints.list()[0].message,
        "its resolved form is larger than 1 MiB, and could not be read"
    );
}

#[test]
fn what_is_wrong_with_a_file_is_told_instead() {
    let text = r#"Scenario(protocol: "hac", hosts: [(name: "s", role: Sever)])"#;
    let file = ScenarioFile::parse("wrong.ron", text.to_owned()).expect("RON");
    let complaints = resolved::<Hac>(&file).expect_err("there is no such role");
    assert_eq!(complaints.list().len(), 1);
}
