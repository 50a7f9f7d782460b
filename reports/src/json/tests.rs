//! Whole lines, letter by letter: the order of keys is part of what is promised.

use squall_sim::trace::TraceEvent;

use super::*;
use crate::sample;

#[test]
fn a_run_is_told_in_the_order_that_is_promised() {
    let expected = concat!(
        r#"{"scenario":"scenarios/hac/calm.ron","rules":"Original","seed":7,"verdict":"held","as_expected":true,"#,
        r#""violation":null,"digest":"00000000000000000000000000000abc","events":1204,"virtual_ns":20000000000,"#,
        r#""measures":[{"name":"failover","samples_ns":[112300000],"unfinished":0}],"#,
        r#""faults":[{"fault":"kill(s)","at_ns":2000000000,"affected":1},{"fault":"heal_all","at_ns":null,"affected":0}],"#,
        r#""invariants":[{"name":"hac.one_server","judged":12}],"expect":"held","doubts":[],"#,
        r#""traffic":{"sent":10,"duplicated":0,"delivered":9,"lost":1,"cut":0,"to_nobody":0,"overflowed":0,"congested":0,"too_long":0,"corrupted":0,"in_flight":0},"#,
        r#""promised":null,"hosts_involved":[],"notes":["loose"],"undone":[],"quiet":null}"#,
    );
    assert_eq!(run(&sample::held(), &["loose".to_owned()]), expected);
}

#[test]
fn a_violation_has_its_invariant_its_time_and_its_detail() {
    let line = run(&sample::violated(true), &[]);
    let violation = r#""violation":{"invariant":"hac.one_server","at_ns":2310000000,"detail":"c1 and c2 both serve."},"digest""#;
    assert!(line.contains(violation), "{line}");
    assert!(
        line.contains(r#""verdict":"violated","as_expected":true"#),
        "{line}"
    );
    assert!(line.contains(r#""expect":["hac.one_server"]"#), "{line}");
    assert!(
        line.contains(r#""promised":"There is at most one server in a group.","hosts_involved":["c1","c2"],"notes":[],"undone":["heal_all"],"quiet":{"since_ns":2000000000,"bound_ns":310000000,"tolerance_ns":0}}"#),
        "{line}"
    );
}

#[test]
fn a_sweep_is_told_in_the_order_that_is_promised() {
    let expected = concat!(
        r#"{"scenario":"scenarios/hac/calm.ron","rules":"Original","seeds":[5,1005],"held":960,"violated":40,"#,
        r#""inconclusive":0,"as_expected":false,"failures":[{"signature":"hac.one_server","count":40,"first_seed":17}],"#,
        r#""digest":"00000000000000000000000000000def","wall_ms":1234,"asked":[5,1005],"expect":"held","#,
        r#""measures":[{"name":"failover","samples":1,"unfinished":0,"min_ns":9000000,"p50_ns":9000000,"#,
        r#""p90_ns":9000000,"p99_ns":9000000,"max_ns":9000000}],"samples_left_out":0,"#,
        r#""faults":[{"fault":"kill(s)","runs":1000,"affected":1000}],"#,
        r#""invariants":[{"name":"hac.one_server","judged":9}],"notes":[],"rechecked":10}"#,
    );
    assert_eq!(sweep(&sample::swept(), 1234, &[]), expected);
}

#[test]
fn a_stopped_sweep_tells_the_seeds_that_were_run() {
    let mut outcome = sample::swept();
    outcome.seeds.1 = 9_005;
    let line = sweep(&outcome, 0, &[]);
    assert!(
        line.contains(r#""seeds":[5,1005]"#) && line.contains(r#""asked":[5,9005]"#),
        "{line}"
    );
}

#[test]
fn a_trace_reads_back_event_by_event() {
    let trace = sample::trace();
    let header: serde_json::Value =
        serde_json::from_str(&trace_header(&sample::held(), &trace)).expect("JSON");
    assert_eq!(header["hosts"], serde_json::json!(["s", "c1", "c2"]));
    assert_eq!(
        header["ips"],
        serde_json::json!(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    );
    assert_eq!(header["seed"], 7);
    for event in &trace.events {
        let line = trace_event(event);
        assert!(!line.contains('\n'));
        assert_eq!(
            &serde_json::from_str::<TraceEvent>(&line).expect("an event"),
            event,
            "{line}"
        );
    }
}
