//! Whole lines, letter by letter: the order of keys is part of what is promised.

use squall_nodes::recording::Difference;

use super::*;
use crate::sample::{at, identical};

#[test]
fn a_replay_is_told_in_the_order_that_is_promised() {
    let expected = concat!(
        r#"{"replay":"x.sqf","identical":true,"inputs":1204,"effects":5310,"ended":"stopped","cut_at":null,"cut_bytes":null,"#,
        r#""difference":null,"differing":0,"skipped":0,"panicked":null,"rules":"Hardened","last_ns":17345000000,"#,
        r#""recorded":{"version":"0.1.0","build":"0000000000000007","protocol":"hac","rules":"Hardened","name":"c1","#,
        r#""ip":"127.0.0.1","role":"Client","config":"()","incarnation":3,"seed":9,"disk_bytes":null,"booted_ns":5000000000},"#,
        r#""notes":["another build"]}"#,
    );
    assert_eq!(
        replay("x.sqf", &identical(), &["another build".to_owned()]),
        expected
    );
}

#[test]
fn a_difference_and_a_torn_end_are_told() {
    let come = Replay {
        ended: Ended::CutOff {
            at: 4_100,
            bytes: 13,
            why: CutWhy::Short,
        },
        difference: Some(Difference {
            input: 57,
            at: at(1),
            told: "timer Silence".to_owned(),
            effect: 2,
            recorded: Some("claim promoted".to_owned()),
            replayed: None,
        }),
        differing: 4,
        skipped: 1,
        panicked: Some("no".to_owned()),
        ..identical()
    };
    let line = replay("x.sqf", &come, &[]);
    let torn = concat!(
        r#""identical":false,"inputs":1204,"effects":5310,"ended":"cut_short","cut_at":4100,"cut_bytes":13,"#,
        r#""difference":{"input":57,"at_ns":5001000000,"told":"timer Silence","effect":2,"recorded":"claim promoted","#,
        r#""replayed":null},"differing":4,"skipped":1,"panicked":"no""#,
    );
    assert!(line.contains(torn), "{line}");
}

#[test]
fn an_input_of_a_story_is_told_with_what_came_of_it() {
    let of = |happened| Step {
        input: 57,
        at: at(1),
        told: "start".to_owned(),
        happened,
    };
    let head = r#"{"input":57,"at_ns":5001000000,"told":"start","#;
    let asked = Happened::Asked(vec![
        Asked::AsRecorded("bind port 7".to_owned()),
        Asked::Otherwise {
            recorded: None,
            replayed: Some("bind port 8".to_owned()),
        },
    ]);
    for (happened, rest) in [
        (
            asked,
            concat!(
                r#""effects":[{"as_recorded":true,"recorded":"bind port 7","replayed":"bind port 7"},"#,
                r#"{"as_recorded":false,"recorded":null,"replayed":"bind port 8"}],"panicked":null,"skipped":false}"#
            ),
        ),
        (
            Happened::Panicked("no".to_owned()),
            r#""effects":[],"panicked":"no","skipped":false}"#,
        ),
        (
            Happened::Skipped,
            r#""effects":[],"panicked":null,"skipped":true}"#,
        ),
    ] {
        assert_eq!(step(&of(happened)), format!("{head}{rest}"));
    }
}
