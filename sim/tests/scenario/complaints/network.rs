//! Links, ratios and latencies.

use super::{one, with};

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
        "crosses no link",
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
