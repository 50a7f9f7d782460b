//! `completions` and `man`, of a program that is not ours.

use std::fs;

use squall::{App, Exit};

use crate::watch::{Folder, Watch, watch};

const COMMANDS: [&str; 10] = [
    "run",
    "sweep",
    "check",
    "live",
    "node",
    "ask",
    "replay",
    "compare",
    "completions",
    "man",
];

#[test]
fn every_shell_is_told_of_every_command_under_the_name_of_the_program() {
    for (shell, part) in [
        ("bash", "complete -F _watch"),
        ("zsh", "#compdef watch"),
        ("fish", "complete -c watch "),
        ("powershell", "-CommandName 'watch'"),
        ("elvish", "edit:completion:arg-completer[watch]"),
    ] {
        let said = watch(&["completions", shell]);
        assert_eq!(
            (said.exit, said.stderr.as_str()),
            (Exit::AsExpected, ""),
            "{shell}"
        );
        assert!(said.stdout.contains(part), "{shell}: {}", said.stdout);
        for command in COMMANDS {
            let is_there = said
                .stdout
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word == command);
            assert!(is_there, "{shell} does not know {command}");
        }
        for option in ["recheck", "junit", "trace"] {
            assert!(said.stdout.contains(option), "{shell} does not know --{option}");
        }
        if matches!(shell, "bash" | "zsh" | "fish") {
            for rules in ["Hasty", "Patient"] {
                assert!(said.stdout.contains(rules), "{shell} does not know {rules}");
            }
        }
        // The folder of live runs is called the same whatever the program is.
        let elsewhere = said.stdout.replace("squall-live-UID", "");
        assert!(!elsewhere.contains("squall"), "{shell}");
    }
    let said = watch(&["completions", "csh"]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(
        said.stderr.contains("[possible values: bash, "),
        "{}",
        said.stderr
    );
}

#[test]
fn the_page_of_the_program_has_its_commands_protocols_and_exit_codes() {
    let said = watch(&["man"]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
    for part in [
        ".TH WATCH 1 ",
        "\n.SH NAME\nwatch \\- ",
        "\n.SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\nevery verdict is as its file expects, and every replay as it was recorded\n",
        "\\fB101\\fR\na run panicked, or gave two results for one seed",
        "\\fB130\\fR\n",
        "\n.SH PROTOCOLS\n.TP\n\\fBwatch\\fR\nkeepers listen to a beacon",
    ] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
    for command in COMMANDS {
        assert!(said.stdout.contains(&format!("\\fB{command}\\fR\n")), "{command}");
    }
}

#[test]
fn a_folder_takes_a_page_for_each_command() {
    let folder = Folder::new();
    let dir = folder.at("man/man1");
    let dir_named = dir.to_str().expect("UTF-8");
    let said = watch(&["man", "--dir", dir_named]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
    let page = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(page("watch.1"), watch(&["man"]).stdout);
    for command in COMMANDS {
        let page = page(&format!("watch-{command}.1"));
        for part in [
            format!(".TH WATCH-{} 1 ", command.to_uppercase()),
            format!("\n.SH SYNOPSIS\n\\fBwatch {command}\\fR "),
            format!("\n.SH EXAMPLES\n.TP\n\\fBwatch {command} "),
            "\n.SH \"EXIT STATUS\"\n".to_owned(),
        ] {
            assert!(page.contains(&part), "{part} in\n{page}");
        }
    }
    assert_eq!(fs::read_dir(&dir).expect("a folder").count(), 1 + COMMANDS.len());
    assert_eq!(said.stdout.lines().count(), 1 + COMMANDS.len());
    for line in said.stdout.lines() {
        assert!(fs::exists(line).is_ok_and(|is_there| is_there), "{line}");
    }
    // Written again, it is the same; where nothing can be written, that is said.
    assert_eq!(watch(&["man", "--dir", dir_named]).stdout, said.stdout);
    let file = folder.file("file", "");
    let said = watch(&["man", "--dir", &file]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(said.stderr.contains("file is no folder"), "{}", said.stderr);
}

#[test]
fn pages_of_live_nodes_say_how_they_are_started_and_what_they_come_to() {
    let folder = Folder::new();
    let dir = folder.at("man1");
    assert_eq!(
        watch(&["man", "--dir", dir.to_str().expect("UTF-8")]).exit,
        Exit::AsExpected
    );
    let page = |name: &str| fs::read_to_string(dir.join(name)).expect("a page");
    for (name, parts) in [
        (
            "watch-node.1",
            &[
                "\n.SH SYNOPSIS\n\\fBwatch node\\fR [OPTIONS] CONFIG.ron\n.br\n\\fBwatch node\\fR [OPTIONS] PROTOCOL WORD...\n",
                "\\fB0\\fR\nit was told to stop, and has stopped in order",
                "\\fB130\\fR\nit was told to stop at once",
            ][..],
        ),
        (
            "watch-ask.1",
            &[
                "\n.SH SYNOPSIS\n\\fBwatch ask\\fR [OPTIONS] SOCKET [COMMAND]\n",
                "\\fB3\\fR\nit did not answer in time\n",
            ],
        ),
    ] {
        let page = page(name);
        for part in parts {
            assert!(page.contains(part), "{part} in\n{page}");
        }
        assert!(!page.contains("verdict"), "{page}");
    }
}

#[test]
fn a_program_that_is_called_by_several_words_has_the_name_of_its_file() {
    for (name, plain) in [("cargo run --", "watch"), ("lookout", "lookout")] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let app = App::new().named(name).protocol::<Watch>();
        let exit = app.run(["/some/where/watch", "man"], &mut stdout, &mut stderr);
        assert_eq!(exit, Exit::AsExpected);
        let page = String::from_utf8(stdout).expect("UTF-8");
        assert!(page.contains(&format!("\n.SH NAME\n{plain} \\- ")), "{page}");
    }
}
