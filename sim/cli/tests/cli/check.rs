//! `check`, with the protocol of [`watch`](mod@crate::watch).

use squall::Exit;

use crate::run::objects;
use crate::watch::{CALM, FLAW, Folder, watch};

#[test]
fn a_file_in_order_shows_its_hosts_promises_and_bounds() {
    let folder = Folder::new();
    let file = folder.file("x.ron", FLAW);
    let said = watch(&["check", &file]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    let expected = format!(
        "\
✓ ok {file}  watch  [flaw]
    hosts    b Beacon; k1, k2 Keeper
    Hasty    is expected to violate watch.true_alarm
    Patient  is expected to hold
      watch.true_alarm  always: The alarm is raised only when the beacon is down.
      watch.heard       in quiet for 2.85s: Every keeper that is left in peace with the beacon hears it.
    limit 8s, seed 7
"
    );
    assert_eq!(said.stdout, expected);
    assert_eq!(watch(&["check", &file, "-q"]).stdout, "");
}

#[test]
fn a_loosened_bound_is_shown_and_fails_under_strict() {
    let folder = Folder::new();
    let loose = folder.file(
        "x.ron",
        &CALM.replace(
            "expect: Held",
            r#"expect: Held, invariants: [heard(bound: "3s")]"#,
        ),
    );
    let said = watch(&["check", &loose]);
    assert_eq!(said.exit, Exit::AsExpected);
    assert!(
        said.stdout
            .contains("watch.heard       in quiet for 3s (by default 2.85s), written: "),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout
            .contains("note: Hasty, Patient: watch.heard is loosened"),
        "{}",
        said.stdout
    );
    assert_eq!(watch(&["check", &loose, "--strict"]).exit, Exit::Otherwise);
    let tight = folder.file(
        "y.ron",
        &CALM.replace(
            "expect: Held",
            r#"expect: Held, invariants: [heard(bound: "2s")]"#,
        ),
    );
    assert_eq!(watch(&["check", &tight, "--strict"]).exit, Exit::AsExpected);
}

#[test]
fn all_complaints_of_all_files_are_made_each_once_with_their_places() {
    let folder = Folder::new();
    folder.file(
        "a.ron",
        &CALM
            .replace("role: Keeper", "role: Keeper, startz: 1")
            .replace("5s", "0s"),
    );
    folder.file("b.ron", &CALM.replace(r#""watch""#, r#""wotch""#));
    folder.file("c.ron", "Scenario(");
    folder.file("d.ron", CALM);
    let path = folder.path().to_str().expect("UTF-8");
    let said = watch(&["check", path]);
    assert_eq!(said.exit, Exit::Unusable);
    for part in [
        "a.ron:3:",
        "a.ron:4:",
        "did you mean `watch`?",
        "b.ron:2:",
        "c.ron:1:",
    ] {
        assert_eq!(said.stderr.matches(part).count(), 1, "{part} in\n{}", said.stderr);
    }
    assert!(
        said.stdout.contains("✓ ok ") && said.stdout.contains("d.ron"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.ends_with("\n4 files: 3 not in order\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn json_tells_complaints_with_their_places() {
    let folder = Folder::new();
    folder.file("a.ron", &CALM.replace(r#""watch""#, r#""wotch""#));
    folder.file("b.ron", FLAW);
    let said = watch(&[
        "check",
        folder.path().to_str().expect("UTF-8"),
        "--format",
        "json",
    ]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::Unusable, ""));
    let files = objects(&said.stdout);
    assert_eq!((&files[0]["ok"], &files[1]["ok"]), (&false.into(), &true.into()));
    let complaint = &files[0]["complaints"][0];
    assert_eq!(
        (&complaint["line"], &complaint["column"]),
        (&2.into(), &15.into())
    );
    assert_eq!(
        files[1]["hosts"][0],
        serde_json::json!({ "name": "b", "role": "Beacon" })
    );
    assert_eq!(
        files[1]["rules"][0]["promises"][1]["default_bound_ns"],
        2_850_000_000_u64
    );
}
