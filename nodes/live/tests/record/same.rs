//! A recorded life is lived again, effect by effect; other rules and settings make another life of it.

use squall_live::record::{Manner, ReplayError, head_of};
use squall_live::settings::Record;
use squall_live::status::Recording;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::recording::{Asked, Ended, Happened, Step};

use crate::rig::{ALL, BEGINNING, End, SEED, cluster, failover, folder, only, replayed, roomy, told};

fn manner(rules: Option<&str>, set: &[(&str, &str)]) -> Manner {
    Manner {
        rules: rules.map(str::to_owned),
        set: set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        story: Some(ALL),
    }
}

fn says(step: &Step) -> Vec<&str> {
    match &step.happened {
        Happened::Asked(all) => all
            .iter()
            .map(|asked| match asked {
                Asked::AsRecorded(said) => said.as_str(),
                Asked::Otherwise { replayed, .. } => replayed.as_deref().unwrap_or("nothing"),
            })
            .collect(),
        Happened::Panicked(_) | Happened::Skipped => Vec::new(),
    }
}

#[test]
fn a_recorded_failover_is_lived_again_to_the_same_effects() {
    let folder = folder();
    let gauge = failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    let path = only(&folder);
    let len = std::fs::metadata(&path).expect("it is there").len();
    assert!(matches!(gauge.read(), Recording::On { bytes } if bytes == len));
    let (replay, steps) = told::<Hac>(&path, &manner(None, &[])).expect("it is a recording");
    assert_eq!(replay.difference, None);
    assert!(
        matches!(replay.ended, Ended::Stopped { .. }),
        "{:?}",
        replay.ended
    );
    assert_eq!((replay.differing, replay.skipped), (0, 0));
    assert_eq!(replay.inputs, steps.len() as u64);
    assert!(replay.inputs > 50, "{replay:?}");
    let asked: u64 = steps.iter().map(|step| says(step).len() as u64).sum();
    assert_eq!(replay.effects, asked);
    assert_eq!(replay.pilot.booted, BEGINNING);
    assert_eq!(
        (replay.pilot.name.as_str(), replay.pilot.role.as_str()),
        ("c1", "Client")
    );
    assert_eq!(
        (replay.pilot.seed, replay.pilot.build),
        (SEED, squall_live::record::build())
    );
    assert!(replay.pilot.build.is_some());
    // It was a failover, and the story tells it.
    let has = |told: &str, said: &str| {
        let tells =
            |step: &&Step| step.told.starts_with(told) && says(step).iter().any(|says| says.contains(said));
        assert!(
            steps.iter().any(|step| tells(&step)),
            "{told}: {said}\n{steps:#?}"
        );
    };
    has("start", "bind port 7400");
    has(
        "datagram from 10.0.0.1:7400 on 10.0.0.2:7400: AS v2",
        "claim joined: Joined",
    );
    has("timer Silence", "claim suspected: Suspected");
    has("timer ", "claim promoted: Promoted");
    has("call 1: Status", "answer call 1: Status");
    assert!(steps.iter().any(|step| step.told == "write 1 is on the disk"));
}

#[test]
fn a_story_is_told_of_what_is_wanted_and_the_rest_is_compared_all_the_same() {
    let folder = folder();
    failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    let (path, all) = (only(&folder), manner(None, &[]));
    let (whole, every) = told::<Hac>(&path, &all).expect("it is a recording");
    let some = Manner {
        story: Some(5..=9),
        ..Manner::default()
    };
    let (again, steps) = told::<Hac>(&path, &some).expect("it is a recording");
    assert_eq!(again, whole);
    assert_eq!(steps, every[4..9]);
    let (again, steps) = told::<Hac>(&path, &Manner::default()).expect("it is a recording");
    assert_eq!((again, steps), (whole, Vec::new()));
}

#[test]
fn both_rule_sets_are_recorded_and_either_is_no_life_under_the_other() {
    for (rules, other) in [("Hardened", "Original"), ("Original", "Hardened")] {
        let folder = folder();
        failover(&cluster(rules, |_| {}), rules, roomy(&folder), End::Stopped);
        let path = only(&folder);
        assert_eq!(
            replayed::<Hac>(&path).expect("it is a recording").difference,
            None
        );
        let (replay, _) = told::<Hac>(&path, &manner(Some(other), &[])).expect("it is a recording");
        assert_eq!(
            (replay.rules.as_str(), replay.pilot.rules.as_str()),
            (other, rules)
        );
        let difference = replay.difference.expect("the first packet is of another version");
        assert!(
            difference.recorded.is_some() && difference.replayed.is_some(),
            "{difference:?}"
        );
        let [recorded, replayed] = [difference.recorded, difference.replayed].map(Option::unwrap_or_default);
        assert!(
            recorded.starts_with("send ") || recorded.starts_with("claim started"),
            "{recorded}"
        );
        assert_ne!(recorded, replayed);
    }
}

#[test]
fn under_its_own_rules_and_with_its_own_settings_it_is_the_same_life() {
    let folder = folder();
    let patient = cluster("Hardened", |config| config.misses = 3);
    failover(&patient, "Hardened", roomy(&folder), End::Stopped);
    let path = only(&folder);
    for own in [
        manner(Some("Hardened"), &[]),
        manner(None, &[("misses", "3"), ("round", "300ms"), ("without", "[]")]),
    ] {
        let (replay, _) = told::<Hac>(&path, &own).expect("it is a recording");
        assert_eq!(replay.difference, None);
    }
}

#[test]
fn a_rule_that_is_left_out_is_named_by_the_first_effect_that_differs() {
    let folder = folder();
    failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    let without = manner(None, &[("without", r#"["WriteDown"]"#)]);
    let (replay, steps) = told::<Hac>(&only(&folder), &without).expect("it is a recording");
    let difference = replay.difference.expect("nothing is written down");
    let recorded = difference.recorded.expect("something was written down");
    assert!(
        recorded.starts_with("write 1: ") && recorded.ends_with(" bytes to the disk"),
        "{recorded}"
    );
    let step = &steps[difference.input as usize - 1];
    assert_eq!(
        (step.told.as_str(), step.at),
        (difference.told.as_str(), difference.at)
    );
    let Happened::Asked(asked) = &step.happened else {
        panic!("{step:?}");
    };
    let place = difference.effect as usize - 1;
    assert!(
        asked[..place]
            .iter()
            .all(|asked| matches!(asked, Asked::AsRecorded(_)))
    );
    assert!(matches!(&asked[place], Asked::Otherwise { replayed, .. } if *replayed == difference.replayed));
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_there_is() {
    let folder = folder();
    failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    let path = only(&folder);
    let refused = |manner: &Manner| told::<Hac>(&path, manner).expect_err("it cannot be").to_string();
    assert_eq!(
        refused(&manner(Some("Brave"), &[])),
        "hac has no rule set \"Brave\": it has Original, Hardened"
    );
    let unknown = refused(&manner(None, &[("mises", "3")]));
    assert!(
        unknown.contains("there is no \"mises\"; there are ") && unknown.contains("misses"),
        "{unknown}"
    );
    let wrong = refused(&manner(None, &[("misses", "3"), ("round", "soon")]));
    assert!(wrong.contains("cannot be changed: round: "), "{wrong}");
}

#[test]
fn a_recording_of_another_protocol_is_refused() {
    let folder = folder();
    failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    let path = only(&folder);
    assert_eq!(head_of(&path).expect("it is a recording").protocol, "hac");
    assert!(matches!(
        replayed::<Echo>(&path),
        Err(ReplayError::OtherProtocol { recorded, asked: "echo" }) if recorded == "hac"
    ));
}

#[test]
fn a_recording_that_is_not_wanted_is_not_made() {
    let folder = folder();
    let placed = cluster("Hardened", |_| {});
    let record = Record {
        bound: 64,
        ..roomy(&folder)
    };
    let gauge = failover(&placed, "Hardened", record, End::Stopped);
    assert_eq!(gauge.read(), Recording::Full { bytes: 0 });
    assert!(crate::rig::all(&folder).is_empty());
}

#[test]
fn timers_that_only_the_recorded_node_armed_have_their_names() {
    let folder = folder();
    failover(
        &cluster("Hardened", |_| {}),
        "Hardened",
        roomy(&folder),
        End::Stopped,
    );
    // With these settings it does nothing at all, and arms none of them.
    let manner = Manner {
        set: vec![("misses".to_owned(), "0".to_owned())],
        story: Some(ALL),
        ..Manner::default()
    };
    let (replay, steps) = told::<Hac>(&only(&folder), &manner).expect("it is a recording");
    assert!(replay.difference.is_some());
    let said = format!("{steps:#?}");
    assert!(
        said.contains("arm Silence for") && said.contains("timer Round"),
        "{said}"
    );
    assert!(!said.contains("the timer with the code"), "{said}");
}

#[test]
fn a_recording_without_an_input_is_empty_and_one_with_some_is_not() {
    let folder = folder();
    let placed = cluster("Hardened", |_| {});
    failover(&placed, "Hardened", roomy(&folder), End::Stopped);
    let path = only(&folder);
    assert!(!replayed::<Hac>(&path).expect("a recording").is_empty());
    // Its head alone, which is the first frame: a length, a checksum, and so many bytes.
    let whole = std::fs::read(&path).expect("it is there");
    let len = u32::from_le_bytes(*whole[12..].first_chunk().expect("a head")) as usize;
    std::fs::write(&path, &whole[..12 + 12 + len]).expect("it is ours");
    let replay = replayed::<Hac>(&path).expect("a recording still");
    assert!(replay.is_empty() && replay.difference.is_none(), "{replay:?}");
}
