//! `sweep`, with the protocol of [`watch`](mod@crate::watch).

use serde_json::Value;
use squall::Exit;

use crate::run::{keys, objects};
use crate::watch::{CALM, FLAW, Folder, watch};

#[test]
fn json_has_the_keys_that_are_promised_in_the_order_that_is_promised() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let said = watch(&["sweep", &flaw, "--seeds", "5..25", "--format", "json"]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    let promised = [
        "scenario",
        "rules",
        "seeds",
        "held",
        "violated",
        "inconclusive",
        "as_expected",
        "failures",
        "digest",
        "wall_ms",
    ];
    for line in said.stdout.lines() {
        assert_eq!(keys(line)[..promised.len()], promised);
    }
    let sweeps = objects(&said.stdout);
    assert_eq!(sweeps[0]["seeds"], serde_json::json!([5, 25]));
    assert_eq!(
        (&sweeps[0]["violated"], &sweeps[0]["as_expected"]),
        (&20.into(), &true.into())
    );
    let failures = serde_json::json!([{ "signature": "watch.true_alarm", "count": 20, "first_seed": 5 }]);
    assert_eq!(sweeps[0]["failures"], failures);
    assert_eq!(
        (&sweeps[1]["rules"], &sweeps[1]["held"]),
        (&"Patient".into(), &20.into())
    );
}

#[test]
fn any_number_of_jobs_tells_the_same() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let swept = |jobs: &str| -> Vec<Value> {
        let mut sweeps = objects(
            &watch(&[
                "sweep", &flaw, "--seeds", "100", "--jobs", jobs, "--format", "json",
            ])
            .stdout,
        );
        for sweep in &mut sweeps {
            sweep["wall_ms"] = Value::Null;
        }
        sweeps
    };
    assert_eq!(swept("1").len(), 2);
    assert_eq!(swept("1"), swept("2"));
    assert_eq!(swept("1"), swept("5"));
}

#[test]
fn one_run_of_a_sweep_is_the_run_of_its_seed() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let run = &objects(
        &watch(&[
            "run", &calm, "--seed", "9", "--rules", "Hasty", "--format", "json",
        ])
        .stdout,
    )[0];
    let sweep = &objects(
        &watch(&[
            "sweep", &calm, "--seeds", "9..=9", "--rules", "Hasty", "--format", "json",
        ])
        .stdout,
    )[0];
    let digest =
        u128::from_str_radix(run["digest"].as_str().expect("a digest"), 16).expect("hexadecimal digits");
    let of_one = xxhash_rust::xxh3::xxh3_128(&digest.to_le_bytes());
    assert_eq!(sweep["digest"], format!("{of_one:032x}"));
}

#[test]
fn files_tagged_scale_take_the_first_twenty_seeds_and_say_so() {
    let folder = Folder::new();
    let file = folder.file("big.ron", &CALM.replace(r#"["calm"]"#, r#"["scale"]"#));
    let said = watch(&["sweep", &file, "--rules", "Patient"]);
    assert!(said.stdout.contains("seeds 0..20  20 held"), "{}", said.stdout);
    assert!(
        said.stdout
            .contains("note: tagged scale: the first 20 seeds of 0..1000\n"),
        "{}",
        said.stdout
    );
    let said = watch(&["sweep", &file, "--rules", "Patient", "--seeds", "30..40"]);
    assert!(
        said.stdout.contains("seeds 30..40  10 held") && !said.stdout.contains("note"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_sweep_that_is_not_as_expected_tells_the_story_of_its_first_failure() {
    let folder = Folder::new();
    let file = folder.file("x.ron", &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"));
    let said = watch(&["sweep", &file, "--seeds", "3..10", "-q"]);
    assert_eq!(said.exit, Exit::Otherwise);
    assert!(
        said.stdout
            .contains("7 violated; the file expects every run to hold"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout
            .contains("watch.true_alarm: 7 runs (100 %), the first: watch run"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout
            .contains("2 sweeps, 14 runs: 1 as expected, 1 not as expected\n"),
        "{}",
        said.stdout
    );
    let command = format!("watch run {file} --rules Hasty --seed 3");
    assert_eq!(said.stdout.lines().last(), Some(command.as_str()));
    assert_eq!(
        watch(&["sweep", &file, "--rules", "Patient", "--seeds", "5", "-q"]).stdout,
        ""
    );
}

#[test]
fn what_never_did_anything_in_a_whole_sweep_fails_under_strict() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let words = ["sweep", &calm, "--seeds", "5", "--rules", "Patient", "--strict"];
    let said = watch(&words);
    assert_eq!(said.exit, Exit::Otherwise);
    assert!(
        said.stdout
            .contains("note: watch.true_alarm never had anything to judge\n"),
        "{}",
        said.stdout
    );
    assert_eq!(watch(&words[..words.len() - 1]).exit, Exit::AsExpected);
}

#[test]
fn a_fault_that_every_violation_comes_ahead_of_fails_under_strict() {
    let folder = Folder::new();
    let late = FLAW.replace("timeline: [", r#"timeline: [At("4900ms", Kill("b")), "#);
    let file = folder.file("late.ron", &late);
    let words = ["sweep", &file, "--seeds", "5", "--rules", "Hasty", "--strict"];
    let said = watch(&words);
    assert_eq!(said.exit, Exit::Otherwise);
    let note = "    note: kill(b) never happened\n";
    assert!(said.stdout.contains(note), "{}", said.stdout);
    assert_eq!(watch(&words[..words.len() - 1]).exit, Exit::AsExpected);
}

#[test]
fn a_node_that_panics_is_a_bug_with_the_seed_that_repeats_it() {
    let folder = Folder::new();
    let file = folder.file(
        "x.ron",
        &CALM.replace("expect: Held", "expect: Held, config: (fuse: 10)"),
    );
    let said = watch(&[
        "sweep", &file, "--rules", "Patient", "--seeds", "40..50", "--jobs", "1",
    ]);
    assert_eq!(said.exit, Exit::Bug);
    assert_eq!(said.stdout, "\n1 sweep, 0 runs: 1 panicked\n");
    assert!(
        said.stderr
            .contains(&format!("watch run {file} --rules Patient --seed 40")),
        "{}",
        said.stderr
    );
    let calm = folder.file("calm.ron", CALM);
    let said = watch(&["sweep", &calm, &file, "--seeds", "5", "--jobs", "1"]);
    assert_eq!(said.exit, Exit::Bug);
    assert!(
        said.stdout
            .ends_with("\n3 sweeps, 10 runs: 2 as expected, 1 panicked, 1 not begun\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_node_that_is_not_deterministic_is_found_by_a_recheck_with_its_seed_and_the_event_that_differs() {
    let folder = Folder::new();
    let leaky = folder.file("a.ron", &FLAW.replace("seed: 7", "config: (leaks: true)"));
    let calm = folder.file("b.ron", CALM);
    let words = |more: &[&'static str]| {
        let words = ["sweep", &leaky, &calm, "--rules", "Hasty", "--seeds", "40..60"];
        let words: Vec<String> = words.iter().chain(more).map(|&word| word.to_owned()).collect();
        words
    };
    let swept = |more: &[&'static str]| {
        let words = words(more);
        watch(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let said = swept(&["--recheck", "100%", "--jobs", "1"]);
    assert_eq!(said.exit, Exit::Bug);
    let lines: Vec<&str> = said.stderr.lines().collect();
    let [what, one, other, command] = lines[..] else {
        panic!("{}", said.stderr);
    };
    assert_eq!(
        what,
        "watch: the run is not deterministic, which is a bug of the simulator or of a node"
    );
    let (place, one) = one.split_once("; one has: ").expect("an event of the one run");
    assert!(
        place.starts_with(&format!("{leaky}: two runs of seed 40 differ from event ")),
        "{place}"
    );
    let other = other
        .strip_prefix("and the other has: ")
        .expect("an event of the other run");
    assert_ne!(one, other);
    for event in [one, other] {
        assert!(event.contains(" claims Alarm { beats: "), "{event}");
    }
    // Whoever pastes the last line sees the same.
    let again = format!("watch sweep {leaky} --rules Hasty --seeds 40..41 --jobs 1 --recheck 100%");
    assert_eq!(command, again);
    assert_eq!(
        watch(&again.split(' ').skip(1).collect::<Vec<_>>()).exit,
        Exit::Bug
    );
    // What comes behind it is not begun.
    assert_eq!(
        said.stdout,
        "\n1 sweep, 0 runs: 1 not deterministic, 1 not begun\n"
    );
    // Several threads find it as well, and so does the share that is rechecked by default.
    for more in [&["--recheck", "100%", "--jobs", "3"][..], &["--jobs", "2"]] {
        let said = swept(more);
        assert_eq!(said.exit, Exit::Bug, "{more:?}");
        assert!(
            said.stderr.contains("the run is not deterministic"),
            "{}",
            said.stderr
        );
    }
    // Without a recheck nobody can know.
    assert_eq!(swept(&["--recheck", "0%"]).exit, Exit::AsExpected);
}

#[test]
fn the_runs_that_were_rechecked_are_counted() {
    let folder = Folder::new();
    let file = folder.file("x.ron", FLAW);
    let rechecked = |share: &str, jobs: &str| -> Vec<u64> {
        let words = [
            "sweep",
            &file,
            "--seeds",
            "40",
            "--recheck",
            share,
            "--jobs",
            jobs,
            "--format",
            "json",
        ];
        let said = watch(&words);
        assert_eq!(
            (said.exit, said.stderr.as_str()),
            (Exit::AsExpected, ""),
            "{share}"
        );
        let sweeps = objects(&said.stdout);
        let count = |sweep: &Value| sweep["rechecked"].as_u64().expect("a number");
        sweeps.iter().map(count).collect()
    };
    for jobs in ["1", "3"] {
        assert_eq!(rechecked("100%", jobs), [40, 40]);
        assert_eq!(rechecked("0%", jobs), [0, 0]);
        // Of a sweep that is too short for its share, one run is rechecked.
        assert_eq!(rechecked("0.0001%", jobs), [1, 1]);
    }
    let said = watch(&["sweep", &file, "--seeds", "1000", "--rules", "Hasty"]);
    let told = said.stdout.split_once(" runs/s, ").expect("a pace").1;
    let told: u64 = told
        .split_once(" rechecked)")
        .expect("a number")
        .0
        .parse()
        .expect("a number");
    assert!((1..=20).contains(&told), "{told} of 1000 are not about 1 %");
}

#[test]
fn the_greatest_seeds_are_swept_and_the_command_takes_them_back() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    for seeds in [
        "18446744073709551613..=18446744073709551615",
        "18446744073709551613..18446744073709551616",
    ] {
        let words = [
            "sweep", &flaw, "--rules", "Patient", "--seeds", seeds, "--format", "json",
        ];
        let said = watch(&words);
        assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
        for part in [
            r#""seeds":[18446744073709551613,18446744073709551616]"#,
            r#""asked":[18446744073709551613,18446744073709551616]"#,
            r#""held":3,"#,
        ] {
            assert!(said.stdout.contains(part), "{part} in {}", said.stdout);
        }
        assert_eq!(
            watch(&[&words[..], &["-j", "3", "--recheck", "100%"]].concat()).exit,
            Exit::AsExpected
        );
        let said = watch(&["sweep", &flaw, "--rules", "Patient", "--seeds", seeds]);
        assert!(
            said.stdout
                .contains("seeds 18446744073709551613..18446744073709551616  3 held"),
            "{}",
            said.stdout
        );
    }
    let said = watch(&["sweep", &flaw, "--seeds", "5..=18446744073709551616"]);
    assert!(
        said.exit == Exit::Unusable && said.stderr.contains("from 0 to 18446744073709551615"),
        "{}",
        said.stderr
    );
}
