//! Links, ratios and latencies.

use super::{one, plan, with};

#[test]
fn links_lead_from_hosts_to_others_and_differ_in_something() {
    let links = |links: &str| with(&format!("network: (links: [{links}]),"));
    one(
        &links("(from: \"s\", to: ⟦\"c9\"⟧, loss: 0.5)"),
        "there is no host `c9`",
        "did you mean",
    );
    one(
        &links("⟦(⟧from: \"s\", to: \"s\", loss: 0.5)"),
        "from a host to another",
        "sends to itself",
    );
    one(
        &links("⟦(⟧from: \"s\", to: \"c1\")"),
        "says nothing of the link",
        "`latency`",
    );
    one(
        &links("(from: \"s\", to: ⟦[]⟧, loss: 0.5)"),
        "names no host",
        "at least one",
    );
    one(
        &links("(from: ⟦[\"c1..c3\", \"c2\"]⟧, to: \"s\", loss: 0.5)"),
        "`c2` is named twice",
        "",
    );
    one(
        &links("(from: ⟦\"@actor\"⟧, to: \"s\", loss: 0.5)"),
        "nobody here",
        "`When(…)`",
    );
    one(
        &links("(from: \"s\", to: \"*\", loss: ⟦-0.5⟧)"),
        "not a ratio",
        "from 0 to 1",
    );
}

#[test]
fn ratios_and_latencies_stay_within_their_bounds() {
    for wrong in ["-0.1", "\"half\"", "true", "101"] {
        one(
            &with(&format!("network: (loss: ⟦{wrong}⟧),")),
            "is not a ratio",
            "from 0 to 1",
        );
    }
    one(
        &with("network: (duplicate: ⟦5⟧),"),
        "`5` is not a ratio",
        "5 % is `0.05`",
    );
    for wrong in ["inf", "NaN", "-inf", "1e999"] {
        one(
            &with(&format!("network: (reorder: ⟦{wrong}⟧),")),
            "not a finite number",
            "",
        );
    }
    one(
        &with("network: (latency: ⟦Uniform(\"9ms\", \"1ms\")⟧),"),
        "runs backwards",
        "`Uniform(\"1ms\", \"9ms\")`",
    );
    one(
        &with("network: (latency: Constant(⟦\"30s\"⟧)),"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &with("network: (latency: ⟦Unifrom⟧(\"1ms\", \"2ms\")),"),
        "not a law of latency",
        "did you mean `Uniform`?",
    );
    one(
        &with("network: (latency: ⟦Uniform(\"1ms\")⟧),"),
        "does not look like this",
        "`Uniform(\"1ms\", \"10ms\")`",
    );
    one(
        &with("persist: ⟦\"1ms\"⟧,"),
        "not a law of latency",
        "`Constant(\"3ms\")`",
    );
    one(&with("tolerated: (loss: ⟦1.0⟧),"), "below 1", "promises nothing");
    one(
        &with("network: (reorder_by: ⟦\"-5ms\"⟧),"),
        "'-5ms' is negative",
        "",
    );
}

#[test]
fn laws_of_latency_have_the_parts_that_they_need_within_their_bounds() {
    let law = |law: &str| with(&format!("network: (latency: {law}),"));
    for (wrong, hint) in [
        (
            "Normal(\"1ms\", \"2ms\")",
            "`Normal(mean: \"20ms\", deviation: \"3ms\")`",
        ),
        ("LogNormal(\"1ms\")", "`LogNormal(median: \"20ms\", sigma: 0.5)`"),
        (
            "Exponential(\"1ms\")",
            "`Exponential(mean: \"5ms\", min: \"1ms\")`",
        ),
        ("Pareto", "`Pareto(min: \"1ms\", shape: 1.5)`"),
        (
            "Empirical(\"1ms\", \"2ms\")",
            "`Empirical([\"80us\", \"100us\", \"5ms\"])`",
        ),
        ("Constant(ms: 3)", "`Constant(\"3ms\")`"),
    ] {
        one(&law(&format!("⟦{wrong}⟧")), "does not look like this", hint);
    }
    one(
        &law("⟦Normal⟧(mean: \"1ms\")"),
        "`deviation` is missing",
        "such as",
    );
    one(
        &law("Normal(mean: \"1ms\", deviation: ⟦\"-1ms\"⟧)"),
        "is negative",
        "",
    );
    one(
        &law("Normal(mean: \"1ms\", deviation: ⟦\"1h\"⟧)"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &law("Normal(mean: \"1ms\", ⟦sigma⟧: \"1ms\", deviation: \"1ms\")"),
        "no field `sigma`",
        "it is `deviation` here",
    );
    one(
        &law("LogNormal(median: \"1ms\", sigma: ⟦-0.1⟧)"),
        "less than nothing",
        "0 or more",
    );
    one(
        &law("LogNormal(median: \"1ms\", sigma: ⟦\"0.5\"⟧)"),
        "expected a number",
        "without quotes",
    );
    one(
        &law("LogNormal(median: \"1ms\", sigma: ⟦NaN⟧)"),
        "not a finite number",
        "",
    );
    one(
        &law("LogNormal(median: ⟦\"0s\"⟧, sigma: 1)"),
        "`median` is nothing",
        "`Constant(\"0s\")`",
    );
    one(
        &law("Exponential(mean: ⟦\"0s\"⟧)"),
        "`mean` is nothing",
        "`Constant(\"0s\")`",
    );
    one(
        &law("Exponential(mean: \"1ms\", min: ⟦\"30s\"⟧)"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &law("Pareto(min: \"1ms\", shape: 2, ⟦scale⟧: \"1ms\")"),
        "`Pareto` has no field `scale`",
        "it is `min` here",
    );
    one(
        &law("Pareto(min: \"1ms\", shape: ⟦0⟧)"),
        "more than nothing",
        "1.5",
    );
    one(
        &law("Pareto(min: \"1ms\", shape: ⟦1e-999⟧)"),
        "more than nothing",
        "1.5",
    );
    one(
        &law("Pareto(min: \"1ms\", shape: ⟦inf⟧)"),
        "not a finite number",
        "",
    );
    one(
        &law("Pareto(min: ⟦\"0s\"⟧, shape: 1)"),
        "`min` is nothing",
        "`Constant(\"0s\")`",
    );
    one(&law("Empirical(⟦[]⟧)"), "empty", "put something in it");
    one(
        &law("Empirical([\"1ms\", ⟦\"30s\"⟧])"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &law("Empirical([\"1ms\", ⟦2⟧])"),
        "expected a length of time",
        "`\"2s\"`",
    );
    one(
        &law("⟦Weibull⟧(\"1ms\")"),
        "not a law of latency",
        "`Constant`, `Uniform`, `Normal`, `LogNormal`, `Exponential`, `Pareto`, `Empirical`",
    );
    one(
        &with("persist: ⟦Unifrm⟧(\"1ms\", \"2ms\"),"),
        "not a law of latency",
        "did you mean `Uniform`?",
    );
}

#[test]
fn bandwidths_queues_and_packets_have_their_units_and_bounds() {
    let network = |fields: &str| with(&format!("network: ({fields}),"));
    for wrong in [
        "10",
        "10Mbps",
        "10MB/s",
        "1.5Mbit/s",
        "-1bit/s",
        "Mbit/s",
        "",
        "10 M bit/s",
        "99999999999Gbit/s",
    ] {
        one(
            &network(&format!("bandwidth: ⟦\"{wrong}\"⟧")),
            "is not a bandwidth",
            "`bit/s`, `kbit/s`, `Mbit/s`, `Gbit/s`, such as `\"10Mbit/s\"`",
        );
    }
    one(&network("bandwidth: ⟦10⟧"), "expected a bandwidth", "such as");
    one(
        &network("bandwidth: ⟦\"0kbit/s\"⟧"),
        "more than nothing",
        "`loss: 1.0`",
    );
    for wrong in ["64", "64k", "64GB", "64KiB/s", "0.5MiB"] {
        one(
            &network(&format!("bandwidth: \"1Mbit/s\", queue: ⟦\"{wrong}\"⟧")),
            "is not a size",
            "`B`, `kB`, `KiB`, `MB`, `MiB`, such as `\"64KiB\"`",
        );
    }
    one(
        &network("bandwidth: \"1Mbit/s\", queue: ⟦\"28B\"⟧"),
        "no datagram finds room",
        "28 bytes of headers",
    );
    one(&network("mtu: ⟦28⟧"), "no datagram is as short", "at least 29");
    one(&network("mtu: ⟦65536⟧"), "from 29 to 65535", "");
    one(
        &network("mtu: ⟦\"1500\"⟧"),
        "from 29 to 65535",
        "without quotes: `1500`",
    );
    one(&network("corrupt: ⟦7⟧"), "not a ratio", "7 % is `0.07`");
}

#[test]
fn a_queue_is_one_of_datagrams_that_wait_for_a_bandwidth() {
    let queue = "nothing ever waits in this queue";
    one(&with("network: (queue: ⟦\"1KiB\"⟧),"), queue, "`bandwidth`");
    one(
        &with("network: (links: [(from: \"s\", to: \"*\", queue: ⟦\"1KiB\"⟧)]),"),
        queue,
        "`bandwidth`",
    );
    one(
        &with("timeline: [At(\"1s\", Link(from: \"s\", to: \"*\", queue: ⟦\"1KiB\"⟧))],"),
        queue,
        "`bandwidth`",
    );
    let fine = "network: (queue: \"1KiB\"), timeline: [At(\"1s\", Link(from: \"s\", to: \"*\", bandwidth: \"1kbit/s\"))],";
    assert!(plan(&with(fine)).is_ok());
}

#[test]
fn zones_are_those_that_hosts_are_in_and_something_is_said_of_each() {
    let zoned = |hosts: &str, zones: &str| {
        format!("Scenario(protocol: \"hac\", hosts: [{hosts}], network: (zones: [{zones}]))")
    };
    let hosts = "(name: \"s\", role: Server, zone: \"eu\"), (name: \"a\", role: Client, zone: \"us\"), \
                 (name: \"b\", role: Client, zone: \"us\")";
    let links = |zones: &str| zoned(hosts, zones);
    one(
        &links("(between: [\"eu\", ⟦\"uss\"⟧], loss: 0.1)"),
        "no host is in a zone `uss`",
        "did you mean `us`?",
    );
    one(
        &links("(from: ⟦\"asia\"⟧, to: \"us\", loss: 0.1)"),
        "no host is in a zone `asia`",
        "`eu`, `us`",
    );
    one(
        &zoned("(name: \"s\", role: Server)", "(within: ⟦\"eu\"⟧, loss: 0.1)"),
        "no host is in a zone `eu`",
        "zone: \"eu\"",
    );
    one(
        &zoned(
            &hosts.replace("zone: \"eu\"", "zone: ⟦\"eu\"⟧"),
            "(within: \"us\", loss: 0.1)",
        ),
        "says nothing of the zone `eu`",
        "`zones: […]`",
    );
    one(
        "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server, zone: ⟦\"eu\"⟧)])",
        "says nothing of the zone `eu`",
        "take it away",
    );
    one(
        &zoned(
            &hosts.replace("zone: \"eu\"", "zone: ⟦\"e u\"⟧"),
            "(within: \"us\", loss: 0.1)",
        ),
        "`e u` is not the name of a zone",
        "begins with a letter",
    );
    let all = "(between: [\"eu\", \"us\"], loss: 0.1)";
    for (entry, message, hint) in [
        (
            "⟦(⟧within: \"eu\", loss: 0.1)",
            "`eu` has no link inside",
            "only one host",
        ),
        (
            "⟦(⟧from: \"eu\", to: \"eu\", loss: 0.1)",
            "`eu` has no link inside",
            "only one host",
        ),
        ("⟦(⟧within: \"us\")", "says nothing of the link", "`bandwidth`"),
        ("⟦(⟧loss: 0.1)", "in one way which zones", "`within: \"eu\"`"),
        (
            "⟦(⟧within: \"us\", between: [\"eu\", \"us\"], loss: 0.1)",
            "in one way which zones",
            "`between:",
        ),
        ("⟦(⟧from: \"eu\", loss: 0.1)", "`to` is missing", "`to: \"us\"`"),
        (
            "(between: ⟦[\"eu\"]⟧, loss: 0.1)",
            "two zones or more",
            "`within: \"eu\"`",
        ),
        (
            "(between: ⟦\"eu\"⟧, loss: 0.1)",
            "expected a list of zones",
            "brackets",
        ),
        (
            "(between: ⟦[\"eu\", \"us\", \"eu\"]⟧, loss: 0.1)",
            "`eu` is named twice",
            "",
        ),
        (
            "(within: \"us\", ⟦los⟧: 0.1, loss: 0.1)",
            "no field `los`",
            "did you mean `loss`?",
        ),
    ] {
        one(&links(&format!("{all}, {entry}")), message, hint);
    }
    one(
        &zoned(hosts, "").replace("[]", "⟦[]⟧"),
        "empty",
        "put something in it",
    );
}

#[test]
fn what_streams_go_by_stays_within_its_bounds() {
    let streams = |streams: &str| with(&format!("network: (streams: {streams}),"));
    one(&streams("(⟦rto⟧: \"1s\")"), "`rto`", "min_rto");
    one(
        &streams("(min_rto: ⟦\"0s\"⟧)"),
        "`min_rto` is more than nothing",
        "",
    );
    one(&streams("(min_rto: ⟦200⟧)"), "", "\"200ms\"");
    one(
        &streams("(min_rto: \"2s\", user_timeout: ⟦\"2s\"⟧)"),
        "given up after 2s, before anything is sent again",
        "several times `min_rto`",
    );
    one(
        &streams("(min_rto: ⟦\"20s\"⟧)"),
        "given up after 20s, before anything is sent again, after 20s",
        "several times `min_rto`",
    );
    one(
        &streams("(send_buffer: ⟦\"0B\"⟧)"),
        "`send_buffer` is out of bounds",
        "from 1 to",
    );
    one(
        &streams("(receive_buffer: ⟦\"2000MiB\"⟧)"),
        "`receive_buffer` is out of bounds",
        "bytes",
    );
    one(&streams("(backlog: ⟦5⟧)"), "a number and a unit", "64KiB");
    one(&streams("(connections: ⟦0⟧)"), "from 1 to 262144", "");
    one(
        &with("network: (links: [(from: \"s\", to: \"c1\", loss: 0.1, ⟦streams⟧: ())]),"),
        "`streams`",
        "there are `from`",
    );
}
