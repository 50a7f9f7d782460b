//! What becomes of a file that is fine: every name looked up, every default filled in.

use crate::stand::{Command, Election, Role, Stand};
use squall_nodes::{Crash, HostId, HostKey, Span, Time};
use squall_sim::plan::{
    Cue, CutPlan, DiskOnRestart, Expect, Fault, Latency, Layer, Measure, Moment, Origin, Plan, Target,
    Trigger,
};
use squall_sim::scenario::{Flaw, ScenarioFile, resolve};

fn file(text: &str) -> ScenarioFile {
    ScenarioFile::parse("test.ron", text.to_owned()).unwrap_or_else(|complaints| panic!("{complaints}"))
}

pub(crate) fn plan_under(text: &str, rules: &'static str) -> Plan<Stand> {
    resolve(&file(text), rules).unwrap_or_else(|complaints| panic!("{complaints}"))
}

pub(crate) fn with(lines: &str) -> Plan<Stand> {
    let hosts = "hosts: [(name: \"s\", role: Server), (name: \"c1..c4\", role: Client)]";
    plan_under(
        &format!("Scenario(protocol: \"hac\", {hosts}, {lines})"),
        "Original",
    )
}

fn ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

pub(crate) fn host(id: u32) -> Target {
    Target::Host(HostId(id))
}

#[test]
fn the_smallest_file_has_every_default() {
    let plan = plan_under(
        "(protocol: \"hac\", hosts: [(name: \"s\", role: Server)])",
        "Hardened",
    );
    assert_eq!((plan.scenario.as_str(), plan.rules), ("test.ron", "Hardened"));
    assert_eq!((plan.limit, plan.max_events), (Span::from_secs(30), 100_000_000));
    assert_eq!(
        plan.persist,
        Latency::Uniform(Span::from_micros(500), Span::from_millis(2))
    );
    assert_eq!(
        plan.network.default.latency,
        Latency::Uniform(Span::from_millis(1), Span::from_millis(10))
    );
    assert_eq!(
        (
            plan.network.default.loss,
            plan.network.default.duplicate,
            plan.network.default.reorder
        ),
        (0.0, 0.0, 0.0)
    );
    assert!(plan.network.links.is_empty() && plan.timeline.is_empty() && plan.workload.is_empty());
    assert_eq!(
        (plan.tolerated.loss, plan.tolerated.latency),
        (0.05, Span::from_secs(1))
    );
    assert_eq!(plan.expect, Expect::Held);
    let host = &plan.hosts[0];
    assert_eq!((host.starts, host.key), (Time::ZERO, HostKey::of("s")));
    assert_eq!(host.placed.config.client_timeout, Span::from_secs(3));
    let file =
        file("// A story,\n// in two lines.\n\n(protocol: \"hac\", hosts: [(name: \"s\", role: Server)])");
    assert_eq!(file.story(), "A story,\nin two lines.");
    assert_eq!(
        (file.seed(), file.flaw(), file.tags(), file.scenery()),
        (0, Flaw::NeedsFaults, &[][..], &[][..])
    );
}

#[test]
fn settings_are_the_profiles_but_for_what_the_file_and_the_host_replace() {
    let plan = plan_under(
        "Scenario(
            protocol: \"hac\", profile: \"brisk\",
            config: (log: (depth: 9 /* deeper */), alias: \"x\"), // and no more
            hosts: [
                (name: \"s\", role: Server),
                (name: \"c1..c2\", role: Client, config: (client_timeout: \"1s\", election: Votes(quorum: 2))),
                (name: \"w\", role: Witness(zone: 3)),
            ],
        )",
        "Original",
    );
    let config = |at: usize| &plan.hosts[at].placed.config;
    assert_eq!(
        (config(0).log.depth, config(0).log.flush),
        (9, Span::from_millis(5))
    );
    assert_eq!(config(0).alias.as_deref(), Some("x"));
    assert_eq!(
        (config(0).client_timeout, config(0).retries),
        (Span::from_millis(300), 3)
    );
    assert_eq!(config(2).client_timeout, Span::from_secs(1));
    assert_eq!(
        (config(2).log.depth, &config(2).election),
        (9, &Election::Votes { quorum: 2 })
    );
    assert_eq!(plan.hosts[3].placed.role, Role::Witness { zone: 3 });
    // A third of the shortest of all.
    assert_eq!(plan.tolerated.latency, Span::from_millis(100));
    let names: Vec<&str> = plan.hosts.iter().map(|host| host.placed.name.as_str()).collect();
    assert_eq!(names, ["s", "c1", "c2", "w"]);
}

#[test]
fn later_links_are_laid_over_earlier_ones_field_by_field() {
    let plan = with(
        "network: (loss: 0.1, links: [
            (from: \"s\", to: \"c1..c2\", loss: 0.5),
            (from: \"*\", to: \"c1\", latency: Constant(\"3ms\")),
        ])",
    );
    let law = |from: u32, to: u32| {
        let link = plan
            .network
            .links
            .iter()
            .find(|(link, _)| *link == (HostId(from), HostId(to)));
        link.map(|(_, law)| (law.loss, law.latency.clone()))
    };
    let (usual, constant) = (
        plan.network.default.latency.clone(),
        Latency::Constant(Span::from_millis(3)),
    );
    assert_eq!(law(0, 1), Some((0.5, constant.clone())));
    assert_eq!(law(0, 2), Some((0.5, usual)));
    assert_eq!(law(4, 1), Some((0.1, constant)));
    assert_eq!((law(1, 1), law(1, 0)), (None, None));
    assert!(plan.network.links.is_sorted_by(|(a, _), (b, _)| a < b));
    assert_eq!(plan.network.links.len(), 5);
}

#[test]
fn faults_are_named_as_reports_have_them() {
    let plan = with(
        "timeline: [
            At(\"1s\", Kill(\"s\")), At(\"2s\", PowerCut([\"c1..c3\"])), At(\"3s\", Restart([\"s\", \"c1\"])), At(\"3s\", Wipe(\"c2\")),
            At(\"4s\", Pause(\"c1..c4\")), At(\"4500ms\", Resume(\"*\")),
            At(\"5s\", Partition([[\"c4\", \"c3\"], [\"c2\", \"c1\"]])), At(\"6s\", OneWay(from: \"s\", to: [\"c1\", \"c4\"])),
            At(\"7s\", Heal(Partition([[\"c1\", \"c2\"], [\"c3\", \"c4\"]]))), At(\"8s\", HealAll),
            When(fact: \"promoted\", do: Partition([[\"@actor\"]])), At(\"4100ms\", Pause(\"s\")),
        ]",
    );
    let labels: Vec<&str> = plan.timeline.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "kill(s)",
            "power_cut(c1 c2 c3)",
            "restart(s c1)",
            "wipe(c2)",
            "pause(c1..c4)",
            "resume(s c1..c4)",
            "partition(c1 c2 | c3 c4)",
            "one_way(s > c1 c4)",
            "heal(partition(c1 c2 | c3 c4))",
            "heal_all",
            "partition(@actor)",
            "pause(s)",
        ]
    );
    assert_eq!(plan.timeline[0].fault, Fault::Crash(Crash::Kill, vec![host(0)]));
    assert_eq!(
        plan.timeline[3].fault,
        Fault::Restart {
            who: vec![host(2)],
            disk: DiskOnRestart::Wiped
        }
    );
    let cut = CutPlan::Partition(vec![vec![host(1), host(2)], vec![host(3), host(4)]]);
    assert_eq!(plan.timeline[6].fault, Fault::Lay(Layer::Cut(cut.clone())));
    assert_eq!(plan.timeline[8].fault, Fault::Heal(Layer::Cut(cut)));
    assert_eq!(
        plan.timeline[10].fault,
        Fault::Lay(Layer::Cut(CutPlan::Partition(vec![vec![Target::Actor]])))
    );
}

#[test]
fn triggers_have_their_defaults() {
    let plan = with(
        "limit: \"10s\", timeline: [
            Every(interval: \"2s\", do: Kill(\"s\")),
            Every(interval: \"1s\", from: \"3s\", until: \"10s\", do: Kill(\"s\")),
            When(fact: \"rejoined\", do: Kill(\"s\")),
            When(fact: \"hac.promoted\", by: [\"c1\", \"c3\"], nth: 2, after: \"20ms\", do: Kill(\"@actor\")),
        ]",
    );
    let triggers: Vec<Trigger> = plan.timeline.into_iter().map(|step| step.trigger).collect();
    assert_eq!(
        triggers,
        [
            Trigger::Every {
                first: ms(2_000),
                interval: Span::from_secs(2),
                until: ms(10_000)
            },
            Trigger::Every {
                first: ms(3_000),
                interval: Span::from_secs(1),
                until: ms(10_000)
            },
            Trigger::When {
                cue: Cue::Fact(1),
                by: vec![],
                nth: 1,
                after: Span::ZERO
            },
            Trigger::When {
                cue: Cue::Fact(0),
                by: vec![HostId(1), HostId(3)],
                nth: 2,
                after: Span::from_millis(20)
            },
        ]
    );
}

#[test]
fn the_workload_asks_whom_it_says() {
    let plan = with(
        "workload: [
            At(time: \"2s\", of: \"c1\", command: Status),
            Every(interval: \"100ms\", from: \"1s\", until: \"9s\", of: \"*\", command: Put(key: \"a\",  value: 3)),
        ]",
    );
    let [once, often] = plan.workload.as_slice() else {
        panic!("two entries")
    };
    assert_eq!(
        (once.first, once.interval, &once.of, &once.command),
        (ms(2_000), None, &vec![HostId(1)], &Command::Status)
    );
    assert!(once.first < once.until);
    assert_eq!(
        (often.first, often.interval, often.until),
        (ms(1_000), Some(Span::from_millis(100)), ms(9_000))
    );
    assert_eq!(often.of.len(), 5);
    assert_eq!(
        often.command,
        Command::Put {
            key: "a".to_owned(),
            value: 3
        }
    );
    assert_eq!(
        (once.label.as_str(), often.label.as_str()),
        ("Status of c1", "Put(key: \"a\", value: 3) of s c1..c4")
    );
}

#[test]
fn invariants_are_the_written_ones_and_those_that_apply_by_themselves() {
    let judged = |plan: &Plan<Stand>| -> Vec<(String, String, Origin)> {
        let invariants = plan.invariants.iter();
        invariants
            .map(|planned| (planned.name.clone(), planned.params.clone(), planned.origin))
            .collect()
    };
    let entry = |name: &str, params: &str, origin| (format!("hac.{name}"), params.to_owned(), origin);
    assert_eq!(
        judged(&with("")),
        [
            entry("one_server", "()", Origin::Default),
            entry("tables_agree", "()", Origin::Default),
            entry("ids_unique", "()", Origin::Default),
        ]
    );
    let plan = with(
        "invariants: [served(at_least: 3), tables_agree, one_server /* soon */ (bound: \"1s\")], without: [\"hac.ids_unique\"]",
    );
    assert_eq!(
        judged(&plan),
        [
            entry("one_server", "(bound: \"1s\")", Origin::Written),
            entry("tables_agree", "()", Origin::Written),
            entry("served", "(at_least: 3)", Origin::Written),
        ]
    );
    assert_eq!(plan.invariants[2].kind, 3);
}

#[test]
fn what_is_expected_may_differ_from_rule_set_to_rule_set() {
    let text = "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server)],
        expect: { Original: Violated([\"hac.one_server\", \"ids_unique\"]), Hardened: Held })";
    let violated = vec!["hac.one_server".to_owned(), "hac.ids_unique".to_owned()];
    assert_eq!(plan_under(text, "Original").expect, Expect::Violated(violated));
    assert_eq!(plan_under(text, "Hardened").expect, Expect::Held);
    assert_eq!(
        with("expect: Violated(\"one_server\")").expect,
        Expect::Violated(vec!["hac.one_server".to_owned()])
    );
}

#[test]
fn measures_are_from_one_moment_to_another() {
    let plan = with(
        "timeline: [At(\"2s\", PowerCut(\"s\"))], measures: [
            Latency(name: \"failover\", from: Fault(PowerCut), to: Fact(name: \"rejoined\", each: Client)),
            Latency(name: \"doubt\", from: Fact(\"suspected\"), to: Fact(name: \"promoted\", each: [\"c2\"])),
        ]",
    );
    let clients = Some((1..=4).map(HostId).collect());
    assert_eq!(
        plan.measures,
        [
            Measure {
                name: "failover".to_owned(),
                from: Moment::Fault("power_cut"),
                to: Moment::Fact(1),
                each: clients
            },
            Measure {
                name: "doubt".to_owned(),
                from: Moment::Fact(2),
                to: Moment::Fact(0),
                each: Some(vec![HostId(2)])
            },
        ]
    );
}

#[test]
fn a_file_says_what_it_is_for() {
    let file = file(
        "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server)], tags: [\"flaw\", \"live\"], seed: 18446744073709551615,
            timeline: [At(\"1s\", Kill(\"s\")), At(\"2s\", Restart(\"s\"))], scenery: [1], flaw: NeedsNoFault)",
    );
    assert!(file.is_tagged("flaw") && file.is_tagged("live") && !file.is_tagged("scale"));
    assert_eq!(
        (file.seed(), file.scenery(), file.flaw()),
        (u64::MAX, &[1][..], Flaw::NeedsNoFault)
    );
    let place = file.place("timeline[1][1]").unwrap();
    assert_eq!(&file.text()[place.span], "Restart(\"s\")");
    assert_eq!(place.line, 2);
    assert!(file.place("timeline[2]").is_none());
}

#[test]
fn twenty_thousand_hosts_are_not_too_many() {
    let text =
        "(protocol: \"hac\", hosts: [(name: \"s\", role: Server), (name: \"c1..c19999\", role: Client)])";
    let plan = plan_under(text, "Original");
    let ips: std::collections::BTreeSet<_> = plan.hosts.iter().map(|host| host.placed.ip).collect();
    assert_eq!((plan.hosts.len(), ips.len()), (20_000, 20_000));
}
