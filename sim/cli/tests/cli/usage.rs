//! What cannot be done, and what is said then.

use std::io::{self, Write};

use squall::{App, Exit};

use crate::run::objects;
use crate::watch::{CALM, FLAW, Folder, Watch, watch};

#[test]
fn nothing_runs_while_any_file_is_not_in_order() {
    let folder = Folder::new();
    folder.file("a.ron", CALM);
    folder.file("b.ron", &CALM.replace("Beacon", "Bacon"));
    let path = folder.path().to_str().expect("UTF-8");
    for command in ["run", "sweep"] {
        let said = watch(&[command, path]);
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Unusable, ""));
        assert!(said.stderr.contains("b.ron:3:"), "{}", said.stderr);
        assert!(
            said.stderr
                .ends_with("watch: one file is not in order; nothing was run\n"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn paths_that_lead_nowhere_are_named_all_of_them() {
    let folder = Folder::new();
    let (one, other) = (folder.at("no.ron"), folder.at("none.ron"));
    let empty = folder.at("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let names = [&one, &other, &empty].map(|path| path.to_str().expect("UTF-8").to_owned());
    for command in ["run", "sweep", "check"] {
        let said = watch(&[command, &names[0], &names[1], &names[2]]);
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Unusable, ""));
        for name in &names[..2] {
            assert!(
                said.stderr
                    .contains(&format!("{name} cannot be read: No such file")),
                "{}",
                said.stderr
            );
        }
        assert!(
            said.stderr.contains(&format!("{} holds no .ron file", names[2])),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn files_that_are_no_text_are_named() {
    let folder = Folder::new();
    let path = folder.at("x.ron");
    std::fs::write(&path, b"Scenario(\xff\xfe)").expect("a file");
    let said = watch(&["run", path.to_str().expect("UTF-8")]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(
        said.stderr.contains("x.ron") && said.stderr.contains("UTF-8"),
        "{}",
        said.stderr
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = Folder::new();
    // A device that never ends, under the name of a scenario; the same holds of a pipe.
    let device = folder.at("x.ron");
    std::os::unix::fs::symlink("/dev/zero", &device).expect("a link");
    let path = folder.path().to_str().expect("UTF-8");
    for command in ["run", "sweep", "check"] {
        let said = watch(&[command, path]);
        assert_eq!(said.exit, Exit::Unusable, "{}", said.stdout);
        assert!(
            said.stderr.contains("x.ron: is a pipe, a socket or a device"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_name_that_a_terminal_would_obey_is_shown_and_not_obeyed() {
    let folder = Folder::new();
    let flaw = folder.file("f\u{1b}[31m.ron", FLAW);
    let wrong = folder.file("w\u{1b}[31m.ron", "Scenario(protocol: 7)");
    for words in [
        &["run", &flaw, "-v"][..],
        &["sweep", &flaw, "--seeds", "9"],
        &["check", &flaw],
        &["check", &wrong],
        &["run", &wrong],
    ] {
        let said = watch(words);
        for text in [&said.stdout, &said.stderr] {
            assert!(!text.contains('\u{1b}'), "{words:?}: {text:?}");
        }
    }
    let said = watch(&["run", &flaw, "-v"]);
    assert!(
        said.stdout.contains("f\\033[31m.ron' --rules Hasty"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_file_that_is_named_twice_is_run_once() {
    let folder = Folder::new();
    let file = folder.file("x.ron", CALM);
    let said = watch(&[
        "run",
        &file,
        folder.path().to_str().expect("UTF-8"),
        "--rules",
        "Hasty",
        "--format",
        "json",
    ]);
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
}

#[cfg(unix)]
#[test]
fn links_that_lead_round_in_a_circle_are_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    folder.file("a.ron", CALM);
    folder.file("in/b.ron", CALM);
    symlink(folder.path(), folder.at("in/back")).expect("a link");
    symlink(folder.at("in"), folder.at("again")).expect("a link");
    // A folder that is called as a file is, and a link to itself, which nothing can be read through.
    symlink(folder.at("in"), folder.at("in/c.ron")).expect("a link");
    symlink(folder.at("self"), folder.at("self")).expect("a link");
    // A link to a file is as good as the file.
    symlink(folder.at("a.ron"), folder.at("in/d.ron")).expect("a link");
    let path = folder.path().to_str().expect("UTF-8");
    let checked = |path: &str| {
        let said = watch(&["check", path, "--format", "json"]);
        assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
        let names = objects(&said.stdout).into_iter().map(|file| {
            let name = file["scenario"].as_str().expect("a name").to_owned();
            name.strip_prefix(path).expect("it is below").to_owned()
        });
        names.collect::<Vec<String>>()
    };
    assert_eq!(checked(path), ["/a.ron", "/in/b.ron", "/in/d.ron"]);
    // The link that was typed is followed, and once only.
    let typed = folder.at("in/back");
    let typed = typed.to_str().expect("UTF-8");
    assert_eq!(checked(typed), ["/a.ron", "/in/b.ron", "/in/d.ron"]);
    let said = watch(&["check", folder.at("self").to_str().expect("UTF-8")]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(said.stderr.contains("self cannot be read"), "{}", said.stderr);
}

#[test]
fn tags_choose_and_leave_out() {
    let folder = Folder::new();
    folder.file("a.ron", CALM);
    folder.file("b.ron", FLAW);
    let path = folder.path().to_str().expect("UTF-8");
    let names = |words: &[&str]| {
        let words: Vec<&str> = ["run", path, "--rules", "Patient", "--format", "json"]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        let said = watch(&words);
        (said.stdout.contains("a.ron"), said.stdout.contains("b.ron"))
    };
    assert_eq!(names(&[]), (true, true));
    assert_eq!(names(&["--tag", "flaw"]), (false, true));
    assert_eq!(names(&["--tag", "flaw", "--tag", "calm"]), (true, true));
    assert_eq!(names(&["--skip-tag", "flaw"]), (true, false));
    let said = watch(&["run", path, "--tag", "storm"]);
    assert_eq!(said.exit, Exit::Unusable);
    assert_eq!(
        said.stderr,
        "watch: no file has the tag `storm`; the tags that there are: calm, flaw\n"
    );
    let said = watch(&["run", path, "--skip-tag", "calm", "--skip-tag", "flaw"]);
    assert!(
        said.stderr
            .contains("every file has the tag `calm` or `flaw`, which is left out;"),
        "{}",
        said.stderr
    );
    let said = watch(&["run", path, "--tag", "calm", "--skip-tag", "calm"]);
    assert!(
        said.stderr.contains("no file has the tag `calm` without `calm`;"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_rule_set_that_nobody_has_is_refused_with_those_there_are() {
    let folder = Folder::new();
    let file = folder.file("x.ron", CALM);
    let said = watch(&["run", &file, "--rules", "hazty"]);
    assert_eq!(said.exit, Exit::Unusable);
    let expected = "watch: there is no rule set `hazty`: watch has Hasty, Patient; did you mean `Hasty`?\n";
    assert_eq!(said.stderr, expected);
}

#[test]
fn words_that_are_no_command_are_refused_with_the_usage() {
    for words in [
        &["walk"][..],
        &["run"],
        &["run", "x.ron", "--seed", "-1"],
        &["run", "x.ron", "--story", "--quiet"],
        &["sweep", "x.ron", "--seeds", "9..3"],
        &["sweep", "x.ron", "--seeds", "many"],
        &["run", "x.ron", "--jobs", "0"],
        &["sweep", "x.ron", "--jobs", "0"],
        &["sweep", "x.ron", "--recheck", "101%"],
        &["check", "x.ron", "--format", "xml"],
        &[],
    ] {
        let said = watch(words);
        assert_eq!(
            (said.exit, said.stdout.as_str()),
            (Exit::Unusable, ""),
            "{words:?}"
        );
        assert!(!said.stderr.is_empty(), "{words:?}");
    }
    for (words, why) in [
        (
            ["run", "x.ron", "--seed", "-1"],
            "`-1` is not a whole number from 0",
        ),
        (
            ["run", "x.ron", "--seed", "x"],
            "`x` is not a whole number from 0",
        ),
        (
            ["sweep", "x.ron", "--seeds", "-1"],
            "`-1` is not a whole number from 0",
        ),
        (["sweep", "x.ron", "--seeds", "0-10"], "write `0..10` without 10"),
        (
            ["sweep", "x.ron", "--recheck", "0.01"],
            "write a share with a per cent sign: `1%`, `0.5%`, `100%`",
        ),
        (["sweep", "x.ron", "--recheck", "none"], "write `0%` for none"),
    ] {
        let said = watch(&words);
        assert!(said.stderr.contains(why), "{words:?}: {}", said.stderr);
    }
    let said = watch(&["sweep", "x.ron", "--seeds", "9..3"]);
    assert!(
        said.stderr
            .contains("'9..3' for '--seeds <A..B>': there is no seed in it"),
        "{}",
        said.stderr
    );
}

#[test]
fn help_names_the_program_its_protocols_and_its_exit_codes() {
    let said = watch(&["--help"]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
    for part in [
        "Usage: watch <COMMAND>",
        "watch        keepers listen to a beacon",
        "101  a run panicked, or gave two results for one seed: a bug of the node or of Squall",
        "130  stopped by Ctrl-C",
        "141  whoever read the output went away",
    ] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
    for command in ["run", "sweep", "check"] {
        let said = watch(&[command, "--help"]);
        assert!(
            said.stdout.contains(&format!("Examples:\n  watch {command} ")),
            "{}",
            said.stdout
        );
    }
    assert!(watch(&["--version"]).stdout.starts_with("watch "));
}

#[test]
fn a_program_can_be_called_otherwise_than_its_file() {
    let folder = Folder::new();
    let file = folder.file("x.ron", FLAW);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let app = App::new().named("cargo run --").protocol::<Watch>();
    app.run(["/some/where/watch", "run", &file], &mut stdout, &mut stderr);
    let stdout = String::from_utf8(stdout).expect("UTF-8");
    assert!(
        stdout.ends_with(&format!("\ncargo run -- run {file} --rules Hasty --seed 7\n")),
        "{stdout}"
    );
}

/// A pipe whose reader goes away after so many bytes.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn when_the_reader_goes_away_it_stops_without_a_word_and_knows_nothing_more() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let flaw = folder.file(
        "flaw.ron",
        &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"),
    );
    let app = App::new().protocol::<Watch>();
    for (file, room, exit) in [
        (&calm, 0, Exit::Unread),
        (&calm, 20, Exit::Unread),
        (&flaw, 20, Exit::Otherwise),
    ] {
        for command in ["run", "sweep"] {
            let mut stderr = Vec::new();
            assert_eq!(
                app.run(["watch", command, file], &mut Closing(room), &mut stderr),
                exit,
                "{command}"
            );
            assert_eq!(String::from_utf8_lossy(&stderr), "");
        }
    }
    assert_eq!(
        app.run(["watch", "--help"], &mut Closing(5), &mut Vec::new()),
        Exit::AsExpected
    );
}

/// A disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn when_results_cannot_be_written_that_is_said() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let mut stderr = Vec::new();
    let exit = App::new()
        .protocol::<Watch>()
        .run(["watch", "run", &calm], &mut Full, &mut stderr);
    assert_eq!(exit, Exit::Unusable);
    assert_eq!(
        String::from_utf8_lossy(&stderr),
        "watch: the result cannot be written: no storage space\n"
    );
}
