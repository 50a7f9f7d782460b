//! The systemd unit that the repository has as an example.

use std::path::Path;
use std::process::Command;

use crate::process::{Folder, address, ended};

#[test]
fn the_unit_is_one_that_systemd_takes_and_runs_what_the_program_takes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nodes/live/squall-node@.service");
    let text = std::fs::read_to_string(path).expect("a unit");
    let starts = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .expect("it starts something");
    // What it starts, with what systemd puts in place of its words.
    let folder = Folder::new();
    let at = address();
    let node = format!("Node(protocol: \"hac\", name: \"c1\", role: Server, address: \"{at}\")");
    let handed = text
        .lines()
        .find_map(|line| line.strip_prefix("LoadCredential="))
        .and_then(|line| line.split_once(':'));
    assert_eq!(handed, Some(("node.ron", "/etc/squall/%i.ron")));
    folder.file("node.ron", &node);
    let words = starts
        .replace("${CREDENTIALS_DIRECTORY}", &folder.at("."))
        .replace("${STATE_DIRECTORY}", &folder.at("state"))
        .replace("${RUNTIME_DIRECTORY}", &folder.at("."));
    assert!(!words.contains(['%', '$']), "{words}");
    let words: Vec<&str> = words.split(' ').skip(1).chain(["--check"]).collect();
    let (code, _, stderr) = ended(&words);
    assert_eq!(code, Some(0), "{stderr}");
    // Where there is no systemd, every line is at least an assignment, a section or a comment.
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let is_section = line.starts_with('[') && line.ends_with(']');
        assert!(
            is_section
                || line
                    .split_once('=')
                    .is_some_and(|(name, _)| name.chars().all(char::is_alphanumeric)),
            "{line}"
        );
    }
    let here = text.replace("/usr/local/bin/squall", env!("CARGO_BIN_EXE_squall"));
    let unit = folder.file("squall-node@.service", &here);
    // The manual page is not installed where tests run.
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", &unit])
        .output();
    if let Ok(output) = verified {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && !said.contains("squall-node@"),
            "{said}"
        );
    }
}
