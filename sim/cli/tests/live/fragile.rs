//! A node that panics in a live run: it is a bug, and is told as one, with what the panic said.
//!
//! The hosts of a live run are processes of the program that plays it. So this test is a program with a protocol of its own, without the
//! usual harness: started as `node` it is a host, and otherwise the test.

#[path = "../fragile/mod.rs"]
mod protocol;

use std::path::Path;
use std::process::ExitCode;

use squall::{App, Exit};

use protocol::Fragile;

fn main() -> ExitCode {
    let app = App::new().named("fragile").protocol::<Fragile>();
    match std::env::args().nth(1).as_deref() {
        Some("node") => return app.main(),
        // Whoever wants to know which tests there are is told of none.
        Some("--list") => {}
        _ => a_panic_of_a_host_is_a_bug_with_its_words_and_nothing_of_the_run_goes_on(&app),
    }
    ExitCode::SUCCESS
}

fn a_panic_of_a_host_is_a_bug_with_its_words_and_nothing_of_the_run_goes_on(app: &App) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    // One file that breaks, and another that nobody comes to.
    for name in ["a.ron", "b.ron"] {
        let scenario = r#"Scenario(protocol: "fragile", hosts: [(name: "f", role: ())], limit: "10m")"#;
        std::fs::write(at(name), scenario).expect("a file can be written");
    }
    let (runs, junit, a, b) = (at("runs"), at("junit.xml"), at("a.ron"), at("b.ron"));
    let words = ["fragile", "live", &a, &b, "--folder", &runs, "--junit", &junit];
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = app.run(words, &mut stdout, &mut stderr);
    let [said, told] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert_eq!((exit, exit.code()), (Exit::Bug, 101), "{said}{told}");
    let words = "fragile: ";
    let told_so =
        format!("{words}{a}: f panicked, which is a bug of the node or of Squall: this is\n  too much\n");
    assert!(told.contains(&told_so), "{told}");
    assert!(said.contains("1 panicked, 1 not begun"), "{said}");
    let junit = std::fs::read_to_string(&junit).expect("it is written");
    assert!(junit.contains("too much") && junit.contains("b.ron"), "{junit}");
    // What the host wrote is kept, and there is nothing to be cleaned up.
    let left: Vec<_> = std::fs::read_dir(&runs)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    let [kept] = &left[..] else { panic!("{left:?}") };
    assert!(
        told.contains(&format!("what the hosts wrote is in {}", kept.display())),
        "{told}"
    );
    let log = std::fs::read_to_string(kept.join("f/log")).expect("it has a log");
    assert!(log.contains("this is\n  too much"), "{log}");
    assert!(!is_there(kept), "the host is gone");
}

/// Whether a process has something of a folder among its words.
fn is_there(folder: &Path) -> bool {
    let words = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let text = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("there is a /proc").flatten();
    processes
        .map(words)
        .any(|words| String::from_utf8_lossy(&words).contains(&text))
}
