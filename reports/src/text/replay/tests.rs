//! What people read of replays.

use super::*;
use crate::sample::{at, identical};

fn told(come: &Replay) -> String {
    replay("flight-000003.sqf", come, &[], &Look::plain("squall"))
}

#[test]
fn a_life_that_was_the_same_is_a_line() {
    assert_eq!(
        told(&identical()),
        "✓ flight-000003.sqf  c1, Client of hac under Hardened, life 3  identical  (1 204 inputs, 5 310 effects, 12.345s)\n"
    );
}

#[test]
fn the_first_difference_is_told_with_what_was_recorded() {
    let come = Replay {
        rules: "Original".to_owned(),
        difference: Some(Difference {
            input: 57,
            at: at(2_310),
            told: "timer Silence".to_owned(),
            effect: 2,
            recorded: Some("send 48 bytes to 10.0.0.1:7400 from port 7400".to_owned()),
            replayed: None,
        }),
        differing: 40,
        skipped: 3,
        ..identical()
    };
    let text = told(&come);
    for line in [
        "✗ flight-000003.sqf  c1, Client of hac under Original (recorded under Hardened), life 3  differs at input 57",
        "    input 57 at +2310.000 ms: timer Silence\n    effect 2\n",
        "      recorded  send 48 bytes to 10.0.0.1:7400 from port 7400\n      replayed  nothing\n",
        "    then: 40 inputs have other effects than were recorded; 3 of them the node was not told",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn how_a_recording_ends_is_told_unless_the_node_stopped() {
    let cut_off = |why| Ended::CutOff {
        at: 4_100,
        bytes: 13,
        why,
    };
    for (ended, says) in [
        (
            cut_off(CutWhy::Short),
            "end: the last 13 bytes are no whole entry, and nothing from byte 4 100 on was replayed: the file ends",
        ),
        (cut_off(CutWhy::Damaged), "it is damaged"),
        (Ended::Open, "end: with its last whole entry"),
        (Ended::Full, "end: the recording was as large as it may be"),
        (Ended::Panicked, "end: the node panicked over the last input"),
    ] {
        let text = told(&Replay { ended, ..identical() });
        assert!(text.contains(says), "{says}\n{text}");
        // Of what is damaged nobody knows how much was there; a node that was killed had not written more.
        assert_eq!(text.starts_with('?'), says == "it is damaged", "{text}");
    }
}

#[test]
fn a_story_has_every_effect_and_nothing_that_a_terminal_obeys() {
    let of = Step {
        input: 57,
        at: at(1),
        told: "datagram from 10.0.0.2:7400: \u{1b}[31m".to_owned(),
        happened: Happened::Asked(vec![
            Asked::AsRecorded("claim promoted: Promoted".to_owned()),
            Asked::Otherwise {
                recorded: None,
                replayed: Some("bind port 7".to_owned()),
            },
        ]),
    };
    let text = step(&of, at(0), &Look::plain("squall"));
    assert_eq!(
        text,
        "     57         +1.000  datagram from 10.0.0.2:7400: \\u{1b}[31m\n\
         \x20                       claim promoted: Promoted\n\
         \x20                       recorded: nothing\n\
         \x20                       replayed: bind port 7\n"
    );
}
