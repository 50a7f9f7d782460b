//! Help for live nodes: how they are started, by which words of their protocols, and what they come to.

use crate::process::ended;

#[test]
fn help_for_a_protocol_tells_its_own_words_and_no_others() {
    let (code, all, stderr) = ended(&["node", "--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in [
        "Usage: squall node [OPTIONS] CONFIG.ron\n       squall node [OPTIONS] PROTOCOL WORD...",
        "squall node hac server PORT",
        "squall node echo asker HOST PORT",
        "PROTOCOL --help",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    for asked in [
        &["node", "hac", "--help"][..],
        &["node", "--data", "d", "hac", "-h"],
    ] {
        let (code, help, _) = ended(asked);
        assert_eq!(code, Some(0));
        for part in [
            "Arguments of hac:",
            "squall node hac client HOST PORT [OWN_PORT]",
            "join the server at this host and port",
        ] {
            assert!(help.contains(part), "{part}: {help}");
        }
        assert!(!help.contains("echo server"), "{help}");
    }
}

#[test]
fn nodes_and_who_asks_them_have_exit_codes_of_their_own() {
    for (command, parts) in [
        (
            "node",
            &["stopped in order", "130  it was told to stop at once"][..],
        ),
        ("ask", &["0    it has answered", "3    it did not answer in time"]),
    ] {
        let (_, help, _) = ended(&[command, "--help"]);
        for part in parts {
            assert!(help.contains(part), "{part}: {help}");
        }
        assert!(!help.contains("verdict"), "{help}");
    }
}
