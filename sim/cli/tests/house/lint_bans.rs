//! The bans of each `clippy.toml` are seen by Clippy: every one is broken once, in a package made for it, under that file.
//!
//! Clippy only warns of a path that it cannot find, so a misspelt one would ban nothing and nobody would know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::{cargo, read, root};

/// Where the bans stand.
const TOMLS: &[&str] = &[
    "nodes/clippy.toml",
    "nodes/live/clippy.toml",
    "sim/clippy.toml",
    "sim/stage/clippy.toml",
    "sim/cli/clippy.toml",
];

/// Those of them that the simulator's bans are not for: they have to do with the machine.
const OF_THE_MACHINE: &[&str] = &[
    "nodes/live/clippy.toml",
    "sim/stage/clippy.toml",
    "sim/cli/clippy.toml",
];

/// What nodes and the simulator may never do, as people write it: whatever else is banned, this is.
const ESSENTIAL: &[&str] = &[
    "let _ = std::time::Instant::now();",
    "let _ = std::time::SystemTime::now();",
    "let _ = std::collections::HashMap::<u8, u8>::new();",
    "let _: std::collections::HashSet<u8> = [1].into_iter().collect();",
    "let _ = std::net::TcpStream::connect((\"localhost\", 1));",
    "let _ = std::net::TcpListener::bind((\"localhost\", 1));",
    "let _ = std::net::UdpSocket::bind((\"localhost\", 1));",
    "let _ = std::thread::spawn(|| ());",
    "std::thread::sleep(Default::default());",
    "let _ = std::env::var(\"SEED\");",
    "let _ = rand::random::<u64>();",
    "let _ = rand::rng();",
    "let _ = 2.0_f64.ln();",
    "let _ = 2.0_f64.exp();",
    "let _ = 2.0_f64.sin();",
    "let _ = 2.0_f64.cos();",
    "let _ = 2.0_f64.tan();",
    "let _ = 2.0_f64.tanh();",
    "let _ = 2.0_f64.log2();",
    "let _ = 2.0_f64.log10();",
    "let _ = 2.0_f64.powf(0.5);",
    "let _ = 2.0_f64.powi(5);",
];

/// What a path needs behind it to be named outside a call.
const GENERICS: &[(&str, &str)] = &[
    ("std::collections::HashMap", "<u8, u8>"),
    ("std::collections::HashSet", "<u8>"),
    ("std::thread::spawn", "::<fn(), ()>"),
    ("std::thread::scope", "::<fn(&std::thread::Scope<'_, '_>), ()>"),
    ("std::thread::Builder::spawn", "::<fn(), ()>"),
    ("std::thread::Builder::spawn_scoped", "::<fn(), ()>"),
    ("std::env::var", "::<&str>"),
    ("std::env::var_os", "::<&str>"),
    ("std::net::ToSocketAddrs::to_socket_addrs", "::<str>"),
    ("std::fs::read", "::<&str>"),
    ("std::fs::read_to_string", "::<&str>"),
    ("std::fs::read_dir", "::<&str>"),
    ("std::fs::write", "::<&str, &str>"),
    ("std::fs::remove_file", "::<&str>"),
    ("std::fs::create_dir_all", "::<&str>"),
    ("std::fs::rename", "::<&str, &str>"),
    ("rand::random", "::<u8>"),
    ("rand::random_range", "::<u8, std::ops::Range<u8>>"),
    ("rand::random_iter", "::<u8>"),
    ("rand::fill", "::<u8>"),
    ("rand::make_rng", "::<rand::rngs::StdRng>"),
];

#[test]
fn every_ban_is_seen_by_clippy() {
    for toml in TOMLS {
        let text = read(&root().join(toml));
        let essential = if OF_THE_MACHINE.contains(toml) {
            &[]
        } else {
            ESSENTIAL
        };
        let complaints = complaints(&toml.replace(['/', '.'], "-"), &text, essential);
        assert!(complaints.is_empty(), "{toml}:\n{}", complaints.join("\n"));
    }
}

#[test]
fn a_misspelt_ban_is_noticed() {
    let toml = "disallowed-types = [\n    { path = \"std::time::Instnat\", reason = \"a slip\" },\n]\n";
    let complaints = complaints("misspelt", toml, &[]);
    assert!(
        complaints.iter().any(|text| text.contains("Instnat")),
        "{complaints:#?}"
    );
}

#[test]
fn a_ban_that_was_taken_out_is_noticed() {
    let toml = "disallowed-types = [\n    { path = \"std::time::Instant\", reason = \"kept\" },\n]\n";
    let essential = [ESSENTIAL[0], ESSENTIAL[1]];
    let complaints = complaints("taken-out", toml, &essential);
    assert_eq!(complaints, [format!("not reported: {}", ESSENTIAL[1])]);
}

/// One entry of a `clippy.toml`.
#[derive(Debug)]
struct Ban {
    lint: &'static str,
    path: String,
}

/// A line of the package that breaks the bans, and the lint that must report it; either lint when `None`.
struct Violation {
    lint: Option<&'static str>,
    source: String,
}

/// What is wrong with the bans of a file: breaks each of them, and the `essential` ones, in a package called `name`.
fn complaints(name: &str, toml: &str, essential: &[&str]) -> Vec<String> {
    let (bans, mut complaints) = bans_of(toml);
    let mut violations: Vec<Violation> = bans.iter().map(Violation::of).collect();
    violations.extend(essential.iter().map(|source| Violation {
        lint: None,
        source: (*source).to_owned(),
    }));
    let package = lay_out(name, toml, &violations);
    let (reported, others) = lint(&package);
    complaints.extend(others);
    for (index, violation) in violations.iter().enumerate() {
        let line = index as u64 + 1;
        let seen = reported
            .iter()
            .any(|(at, lint)| *at == line && violation.lint.is_none_or(|expected| expected == lint));
        if !seen {
            complaints.push(format!("not reported: {}", violation.source));
        }
    }
    complaints
}

impl Violation {
    /// A line that names what is banned, and does nothing else.
    fn of(ban: &Ban) -> Self {
        let path = &ban.path;
        let generics = GENERICS
            .iter()
            .find_map(|(of, generics)| (of == path).then_some(*generics))
            .unwrap_or_default();
        let source = match (ban.lint, path.rsplit_once("::")) {
            ("clippy::disallowed_types", _) => format!("let _: Option<{path}{generics}> = None;"),
            // A method of a trait is named through a type that has it.
            (_, Some((of, method))) if path == "std::net::ToSocketAddrs::to_socket_addrs" => {
                format!("let _ = <str as {of}>::{method};")
            }
            _ => format!("let _ = {path}{generics};"),
        };
        Violation {
            lint: Some(ban.lint),
            source,
        }
    }
}

/// The bans of a `clippy.toml`, one a line, and complaints about lines that cannot be read or give no reason.
fn bans_of(toml: &str) -> (Vec<Ban>, Vec<String>) {
    let (mut bans, mut complaints) = (Vec::new(), Vec::new());
    let mut lint = None;
    for line in toml.lines().map(str::trim) {
        match line {
            "disallowed-types = [" => lint = Some("clippy::disallowed_types"),
            "disallowed-methods = [" => lint = Some("clippy::disallowed_methods"),
            "]" => lint = None,
            "" => {}
            comment if comment.starts_with('#') => {}
            entry => {
                let path = entry
                    .strip_prefix("{ path = \"")
                    .and_then(|rest| rest.split_once('"'));
                match (lint, path) {
                    (Some(lint), Some((path, rest))) if rest.starts_with(", reason = \"") => bans.push(Ban {
                        lint,
                        path: path.to_owned(),
                    }),
                    _ => complaints.push(format!("not a ban with a reason: {entry}")),
                }
            }
        }
    }
    if bans.is_empty() {
        complaints.push("the file bans nothing".to_owned());
    }
    (bans, complaints)
}

/// Writes a package whose every line but the last is a violation in a function of its own, with `toml` beside it.
fn lay_out(name: &str, toml: &str, violations: &[Violation]) -> PathBuf {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bans").join(name);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nrand = {{ version = \"0.10\", features = [\"thread_rng\"] }}\n\n[workspace]\n"
    );
    let functions: String = violations
        .iter()
        .enumerate()
        .map(|(index, violation)| format!("pub fn violation_{index}() {{ {} }}\n", violation.source))
        .collect();
    let write = |file: &str, text: &str| {
        let path = package.join(file);
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    };
    std::fs::create_dir_all(package.join("src")).expect("the folder for temporary files can be written to");
    write("Cargo.toml", &manifest);
    // The versions that the workspace has are the ones that are there without a network.
    write("Cargo.lock", &read(&root().join("Cargo.lock")));
    write("clippy.toml", toml);
    write("src/lib.rs", &functions);
    package
}

/// Runs Clippy over a package. Returns where it reported which ban, and whatever else it had to say.
fn lint(package: &Path) -> (BTreeSet<(u64, String)>, Vec<String>) {
    let output = cargo("clippy")
        .arg("--message-format=json")
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("bans/target"))
        .env("CLIPPY_CONF_DIR", package)
        .stdin(Stdio::null())
        .output()
        .expect("cargo can be started");
    let (mut reported, mut others) = (BTreeSet::new(), Vec::new());
    let mut linted = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if message["reason"] == "build-finished" {
            linted = true;
        }
        if message["reason"] != "compiler-message" {
            continue;
        }
        let message = &message["message"];
        let code = message["code"]["code"].as_str().unwrap_or_default();
        let at = message["spans"][0]["line_start"].as_u64();
        match (code, at) {
            ("clippy::disallowed_types" | "clippy::disallowed_methods", Some(line)) => {
                reported.insert((line, code.to_owned()));
            }
            _ => others.push(
                message["rendered"]
                    .as_str()
                    .unwrap_or("a message without text")
                    .to_owned(),
            ),
        }
    }
    if !linted {
        others.push(format!(
            "Clippy did not run:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    (reported, others)
}
