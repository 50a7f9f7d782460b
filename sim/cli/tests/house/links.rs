//! What the documents point at is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{files, read, relative, root};

/// Rooms that the documents may name although they are not built yet.
const PLANNED: &[&str] = &[];

/// What a path in code has to begin with to be taken for one of this repository's.
const ROOMS: &[&str] = &["sim", "nodes", "scenarios", "reports", "benches", ".ci"];

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for document in files(&root(), ".md") {
        let text = read(&document);
        for link in links_in(&text) {
            followed += 1;
            if let Some(why) = follow(&document, &link) {
                broken.push(format!("{}: {link}: {why}", relative(&document)));
            }
        }
    }
    assert!(followed > 0, "no document has a single link");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut named = 0;
    let mut missing = Vec::new();
    for document in files(&root(), ".md") {
        for path in paths_in(&read(&document)) {
            named += 1;
            let planned = PLANNED.iter().any(|room| path.starts_with(room));
            let beside = document
                .parent()
                .is_some_and(|folder| folder.join(&path).exists());
            if !planned && !beside && !root().join(&path).exists() {
                missing.push(format!("{}: {path}", relative(&document)));
            }
        }
    }
    assert!(named > 0, "no document names a single path");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_is_planned_is_not_there_yet() {
    let built: Vec<_> = PLANNED.iter().filter(|room| root().join(room).exists()).collect();
    assert!(built.is_empty(), "take {built:?} out of PLANNED");
}

#[test]
fn links_headings_and_paths_are_found_in_a_document() {
    let text = "# The `first` part, told\n\nSee [a](b.md), [c](d.md#e) and [web](https://x.org).\n\n\
                Run `squall run scenarios/hac` or `sim/cli`.\n\n```sh\n# No heading\ncat nodes/src/lib.rs, [no](link)\n```\n";
    assert_eq!(links_in(text), ["b.md", "d.md#e", "https://x.org"]);
    assert_eq!(
        paths_in(text).into_iter().collect::<Vec<_>>(),
        ["nodes/src/lib.rs", "scenarios/hac", "sim/cli"]
    );
    assert_eq!(
        anchors_of(text).into_iter().collect::<Vec<_>>(),
        ["the-first-part-told"]
    );
}

/// What is wrong with a link, if anything is. Those to other sites are not followed.
fn follow(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => document.to_owned(),
        path => document.parent()?.join(path),
    };
    if !target.exists() {
        return Some("no such file".to_owned());
    }
    (!anchor.is_empty() && !anchors_of(&read(&target)).contains(anchor)).then(|| "no such heading".to_owned())
}

/// The targets of a document's inline links, in order.
fn links_in(text: &str) -> Vec<String> {
    let (prose, _code) = prose_and_code(text);
    let targets = prose.split("](").skip(1);
    targets
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// The names by which the headings of a document are linked to, made as GitHub makes them.
fn anchors_of(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    let slug = |heading: &str| -> String {
        let lower = heading.trim_start_matches('#').trim().to_lowercase();
        lower
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(slug).collect()
}

/// The paths of this repository that a document's code names.
fn paths_in(text: &str) -> BTreeSet<String> {
    let (_prose, code) = prose_and_code(text);
    let belongs = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    code.split(|c: char| !belongs(c))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(|word| {
            word.split_once('/')
                .is_some_and(|(room, _)| ROOMS.contains(&room))
        })
        .map(str::to_owned)
        .collect()
}

/// A document's prose and its code, in backticks or in fences, apart.
fn prose_and_code(text: &str) -> (String, String) {
    let (mut prose, mut code) = (String::new(), String::new());
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code += line;
        } else {
            for (index, piece) in line.split('`').enumerate() {
                let side = if index % 2 == 0 { &mut prose } else { &mut code };
                *side += piece;
                side.push(' ');
            }
        }
        prose.push('\n');
        code.push('\n');
    }
    (prose, code)
}
