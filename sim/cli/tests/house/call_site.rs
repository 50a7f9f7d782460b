//! `drive` is the only caller of `Node::handle`, in the simulator and live.

use crate::{files, read, relative, root};

/// Where the one call stands.
const THE_PLACE: &str = "nodes/src/transport.rs";

/// The rooms in which no other call may stand. The name is reserved: a method that a node has for itself is called
/// something else, so that whoever reads `.handle(` knows what it is.
const ROOMS: &[&str] = &["nodes/src", "sim/src", "sim/cli/src", "reports/src", "benches"];

#[test]
fn drive_is_the_only_caller_of_handle() {
    let mut calls = Vec::new();
    for room in ROOMS {
        for file in files(&root().join(room), ".rs") {
            let name = relative(&file);
            if name.ends_with("/tests.rs") {
                continue;
            }
            for (line, text) in calls_in(&read(&file)) {
                calls.push(format!("{name}:{line}: {text}"));
            }
        }
    }
    let (here, elsewhere): (Vec<_>, Vec<_>) = calls.iter().partition(|call| call.starts_with(THE_PLACE));
    assert_eq!(here.len(), 1, "{THE_PLACE} has the one call: {here:?}");
    assert!(
        elsewhere.is_empty(),
        "only `drive` may call `Node::handle`:\n{elsewhere:#?}"
    );
}

#[test]
fn a_call_is_seen_however_it_is_written() {
    let source = "
        node.handle(now, input, out);
        node . handle (now, input, out);
        Node::handle(&mut node, now, input, out);
        <Beat as Node>::handle(&mut node, now, input, out);
        #[cfg(test)]
        mod tests;
        let f = N::handle;
        node
            .handle(now, input, out);
    ";
    assert_eq!(calls_in(source).len(), 6, "{:?}", calls_in(source));
    let innocent = "
        // node.handle(now, input, out)
        fn handle(&mut self) {}
        self.handle_packet(now);
        let handle = 3;
        node.handler(now);
        #[cfg(test)]
        mod tests;
        #[cfg(test)]
        mod tests {
            node.handle(now, input, out);
        }
    ";
    assert_eq!(calls_in(innocent), []);
}

/// The lines of a source file that name a `handle` of something, with their numbers. Comments do not count, nor does a
/// module of unit tests, which stands last in its file.
fn calls_in(source: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = source
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _comment)| code).trim())
        .collect();
    let opens_tests =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{');
    let end = code.windows(2).position(opens_tests).unwrap_or(code.len());
    let calls = code[..end]
        .iter()
        .enumerate()
        .filter(|(_, line)| names_handle(line));
    calls
        .map(|(index, line)| (index + 1, (*line).to_owned()))
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
