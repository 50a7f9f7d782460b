//! The history of a run, a line a call: who was asked what, when, and what came back.

use std::collections::BTreeMap;

use serde::Serialize;
use squall_sim::trace::{Change, Happening, HostId, Trace};

use super::line;

/// The calls of a run, each as a line without its end, in the order in which they were made. What was asked and answered stands as it is
/// printed. A call without answers was not answered before the run ended, or before the host that was asked went down, which is `lost_ns`
/// then: whether it was done is unknown.
pub fn history(trace: &Trace) -> Vec<String> {
    let name = |host: Option<HostId>| {
        host.and_then(|host| trace.hosts.get(host.index()))
            .map(String::as_str)
    };
    let mut calls: Vec<Call<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for event in &trace.events {
        let at_ns = event.at.as_nanos();
        match &event.what {
            Happening::Call { call, says } => {
                places.insert(*call, calls.len());
                calls.push(Call {
                    call: *call,
                    host: name(event.host),
                    command: says,
                    called_ns: at_ns,
                    answers: Vec::new(),
                    lost_ns: None,
                });
            }
            Happening::Answer { call, says } => {
                // What answers nothing that was asked is in the trace.
                if let Some(call) = places.get(call).and_then(|place| calls.get_mut(*place)) {
                    call.answers.push(Answer {
                        at_ns,
                        by: name(event.host),
                        says,
                    });
                }
            }
            Happening::World {
                change: Change::Down { host, .. },
                ..
            } => {
                let down = name(Some(*host));
                let open = calls
                    .iter_mut()
                    .filter(|call| call.host == down && call.answers.is_empty());
                open.for_each(|call| {
                    call.lost_ns.get_or_insert(at_ns);
                });
            }
            _ => {}
        }
    }
    calls.iter().map(line).collect()
}

#[derive(Serialize)]
struct Call<'a> {
    call: u64,
    host: Option<&'a str>,
    command: &'a str,
    called_ns: u64,
    answers: Vec<Answer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_ns: Option<u64>,
}

#[derive(Serialize)]
struct Answer<'a> {
    at_ns: u64,
    by: Option<&'a str>,
    says: &'a str,
}

#[cfg(test)]
mod tests {
    use squall_sim::trace::{Crash, Time, TraceEvent};

    use super::*;

    fn event(at_ns: u64, host: Option<u32>, what: Happening) -> TraceEvent {
        TraceEvent {
            at: Time::from_nanos(at_ns),
            host: host.map(HostId),
            what,
        }
    }

    fn call(call: u64, says: &str) -> Happening {
        let says = says.to_owned();
        Happening::Call { call, says }
    }

    fn answer(call: u64, says: &str) -> Happening {
        let says = says.to_owned();
        Happening::Answer { call, says }
    }

    #[test]
    fn each_call_is_a_line_with_its_answers_or_with_the_death_of_whom_it_was_made_to() {
        let change = Change::Down {
            host: HostId(1),
            how: Crash::Kill,
        };
        let down = Happening::World {
            change,
            fault: "kill(b)".to_owned(),
            cause: None,
        };
        let trace = Trace {
            hosts: vec!["a".to_owned(), "b".to_owned()],
            ips: Vec::new(),
            events: vec![
                event(1, Some(0), call(7, "Add(1)")),
                event(2, Some(1), call(8, "Read")),
                event(3, Some(1), call(9, "Add(2)")),
                event(4, Some(1), answer(8, "Value(0)")),
                event(5, None, down),
                event(6, Some(0), answer(7, "Value(1)")),
                event(7, Some(0), answer(7, "Value(1)")),
                event(8, Some(0), answer(99, "Value(1)")),
                event(9, Some(1), call(10, "Read")),
            ],
        };
        assert_eq!(
            history(&trace),
            [
                r#"{"call":7,"host":"a","command":"Add(1)","called_ns":1,"answers":[{"at_ns":6,"by":"a","says":"Value(1)"},{"at_ns":7,"by":"a","says":"Value(1)"}]}"#,
                r#"{"call":8,"host":"b","command":"Read","called_ns":2,"answers":[{"at_ns":4,"by":"b","says":"Value(0)"}]}"#,
                r#"{"call":9,"host":"b","command":"Add(2)","called_ns":3,"answers":[],"lost_ns":5}"#,
                r#"{"call":10,"host":"b","command":"Read","called_ns":9,"answers":[]}"#,
            ]
        );
    }
}
