//! `drive` is the only caller of `Node::handle`, in the simulator and live.

use crate::{files, read, relative, root};

/// Where the one call stands.
const THE_PLACE: &str = "nodes/src/transport.rs";

/// The folders of tests in which the word may stand all the same, since they are about it. Everywhere else the name is
/// reserved, in tests too: a method that a node has for itself is called something else, so that whoever reads `.handle(`
/// knows what it is.
const TESTS_ABOUT_IT: &[&str] = &["sim/cli/tests/house/"];

#[test]
fn drive_is_the_only_caller_of_handle() {
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for file in files(&root(), ".rs") {
        let name = relative(&file);
        if TESTS_ABOUT_IT.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        for (line, text) in calls_in(&read(&file)) {
            let calls = if name == THE_PLACE {
                &mut here
            } else {
                &mut elsewhere
            };
            calls.push(format!("{name}:{line}: {text}"));
        }
    }
    assert_eq!(here.len(), 1, "{THE_PLACE} has the one call: {here:?}");
    assert!(
        elsewhere.is_empty(),
        "only `drive` may call `Node::handle`:\n{elsewhere:#?}"
    );
}

#[test]
fn every_room_is_walked_and_no_folder_is_let_off_for_nothing() {
    let walked: Vec<String> = files(&root(), ".rs").iter().map(|file| relative(file)).collect();
    for room in [
        "nodes/src/hac/",
        "nodes/tests/stranger/",
        "sim/src/",
        "sim/tests/",
        "sim/cli/",
        "reports/",
        "benches/examples/",
    ] {
        assert!(walked.iter().any(|name| name.starts_with(room)), "{room}");
    }
    for folder in TESTS_ABOUT_IT {
        let has_a_call =
            |name: &&String| name.starts_with(folder) && !calls_in(&read(&root().join(name))).is_empty();
        assert!(walked.iter().any(|name| has_a_call(&name)), "{folder}");
    }
}

#[test]
fn a_call_is_seen_however_it_is_written() {
    let source = "
        node.handle(now, input, out);
        node . handle (now, input, out);
        Node::handle(&mut node, now, input, out);
        <Beat as Node>::handle(&mut node, now, input, out);
        let f = N::handle;
        node
            .handle(now, input, out);
        #[cfg(test)]
        mod tests {
            node.handle(now, input, out);
        }
    ";
    assert_eq!(calls_in(source).len(), 7, "{:?}", calls_in(source));
    let innocent = "
        // node.handle(now, input, out)
        fn handle(&mut self) {}
        self.handle_packet(now);
        let handle = 3;
        node.handler(now);
    ";
    assert_eq!(calls_in(innocent), []);
}

/// The lines of a source file that name a `handle` of something, with their numbers. Comments do not count.
fn calls_in(source: &str) -> Vec<(usize, String)> {
    let code = |line: &str| {
        let code = line.split_once("//").map_or(line, |(code, _comment)| code);
        code.trim().to_owned()
    };
    (1..)
        .zip(source.lines().map(code))
        .filter(|(_, line)| names_handle(line))
        .collect()
}

/// Whether `handle`, as a whole word, comes after `.` or `::`.
fn names_handle(line: &str) -> bool {
    line.match_indices("handle").any(|(at, word)| {
        let (before, after) = (line[..at].trim_end(), &line[at + word.len()..]);
        let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (before.ends_with('.') || before.ends_with("::")) && !goes_on
    })
}
