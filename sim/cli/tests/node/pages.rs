//! The pages: who gets which, the text for Prometheus, and guests who do not behave.

use std::io::{Read, Write};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::process::{Folder, LOOK, Node, PATIENCE, address, ended};

#[expect(clippy::disallowed_types, reason = "a test is a guest of the pages")]
type Stream = std::net::TcpStream;

/// A server with pages, which serves already, and where they are.
fn server() -> (Node, String) {
    let at = address();
    let mut node = Node::start(&["hac", "server", "7101", "--address", &at, "--http", "127.0.0.1:0"]);
    let pages = node.pages();
    node.says(&["fact=\"serving\""]);
    (node, pages)
}

fn connected(pages: &str) -> Stream {
    let stream = Stream::connect(pages).expect("pages are served");
    stream.set_read_timeout(Some(PATIENCE)).expect("a patience");
    stream
}

/// The status line, the head and the body of a page.
pub(crate) fn page(pages: &str, path: &str, accept: &str) -> (String, String, String) {
    let mut stream = connected(pages);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {pages}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let (line, head) = head.split_once("\r\n").expect("a status line");
    (line.to_owned(), head.to_lowercase(), body.to_owned())
}

#[test]
fn people_get_a_page_and_programs_json() {
    let (_node, pages) = server();
    let (line, head, body) = page(&pages, "/status", "text/html,*/*");
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    for part in [
        "<!doctype html>",
        "hac by the rules Hardened",
        "Serving",
        "What it claimed last",
        "Timer",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    for (path, accept) in [("/status", "application/json"), ("/status.json", "*/*")] {
        let (_, head, body) = page(&pages, path, accept);
        assert!(head.contains("content-type: application/json"), "{head}");
        let status: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(status["answer"]["Status"]["standing"], "Serving");
        assert_eq!(
            (status["claims"]["serving"].as_u64(), status["rules"].as_str()),
            (Some(1), Some("Hardened"))
        );
    }
    assert_eq!(page(&pages, "/healthz", "*/*").2, "ok\n");
    assert_eq!(page(&pages, "/none", "*/*").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn the_first_page_leads_to_all_others() {
    let (_node, pages) = server();
    let (line, head, body) = page(&pages, "/", "*/*");
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    let links: Vec<&str> = body
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links, ["/status", "/status.json", "/metrics", "/healthz"]);
    for link in links {
        assert_eq!(page(&pages, link, "*/*").0, "HTTP/1.1 200 OK", "{link}");
    }
}

#[test]
fn a_status_has_the_last_fact_of_each_name_and_the_recorders_file() {
    let folder = Folder::new();
    let (at, flights) = (address(), folder.at("flights"));
    let mut node = Node::start(&[
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--http",
        "127.0.0.1:0",
        "--record",
        &flights,
    ]);
    let pages = node.pages();
    node.says(&["fact=\"serving\""]);
    let status = || -> Value {
        let (_, _, body) = page(&pages, "/status.json", "*/*");
        serde_json::from_str(&body).expect("JSON")
    };
    // Tables come each round, and push nothing out.
    let count = |status: &Value, name: &str| {
        let facts = status["facts"].as_array().expect("facts");
        let of = facts.iter().find(|fact| fact["name"] == name);
        of.and_then(|fact| fact["count"].as_u64()).unwrap_or_default()
    };
    let mut now = status();
    while count(&now, "table") < 3 {
        now = status();
    }
    let names: Vec<&str> = now["facts"]
        .as_array()
        .expect("facts")
        .iter()
        .filter_map(|fact| fact["name"].as_str())
        .collect();
    assert_eq!(names[0], "table", "the latest first");
    for name in ["serving", "granted", "started"] {
        assert_eq!(
            (
                count(&now, name),
                names.iter().filter(|one| **one == name).count()
            ),
            (1, 1),
            "{now}"
        );
    }
    let file = format!("{flights}/flight-000000.sqf");
    assert_eq!(
        (now["recording"]["is"].as_str(), now["recording_file"].as_str()),
        (Some("on"), Some(file.as_str()))
    );
    assert!(
        now["up_ms"].as_f64() > Some(0.0) && now["log_lines_lost"] == 0,
        "{now}"
    );
    let (_, _, html) = page(&pages, "/status", "text/html");
    assert!(html.contains(&file) && html.contains("the last of "), "{html}");
    node.signal("TERM");
    let (_, log) = node.end();
    // Nor are they in the log, where people look for what is not routine.
    assert!(
        log.contains("fact=\"serving\"") && !log.contains("fact=\"table\""),
        "{log}"
    );
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let (_node, pages) = server();
    let (_, head, body) = page(&pages, "/metrics", "*/*");
    assert!(
        head.contains("content-type: application/openmetrics-text"),
        "{head}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");
    let mut types = std::collections::BTreeMap::new();
    let mut samples = std::collections::BTreeMap::new();
    for line in body.lines().filter(|line| *line != "# EOF") {
        match line.strip_prefix("# ") {
            Some(comment) => {
                let words: Vec<&str> = comment.splitn(3, ' ').collect();
                let [kind @ ("HELP" | "TYPE" | "UNIT"), name, text] = words[..] else {
                    panic!("{line}")
                };
                if kind == "TYPE" {
                    assert_eq!(types.insert(name, text), None, "{name} is there twice");
                }
            }
            None => {
                let (sample, value) = line.rsplit_once(' ').expect("a value");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                let name = sample.split('{').next().unwrap_or_default();
                let family = name
                    .strip_suffix("_total")
                    .or(name.strip_suffix("_info"))
                    .unwrap_or(name);
                assert!(types.contains_key(family), "{line} has no type");
                assert_eq!(
                    samples.insert(sample.to_owned(), value.to_owned()),
                    None,
                    "{sample} is there twice"
                );
            }
        }
    }
    let value = |sample: &str| samples.get(sample).map(String::as_str);
    assert_eq!(value("squall_facts_total{fact=\"serving\"}"), Some("1"));
    assert_eq!(value("squall_facts_total{fact=\"promoted\"}"), Some("0"));
    assert_eq!(value("squall_recorder{state=\"off\"}"), Some("1"));
    for name in [
        "squall_uptime_seconds",
        "squall_incarnation",
        "squall_waiting_bytes",
        "squall_stalls_total",
    ] {
        assert!(value(name).is_some(), "{name}: {samples:?}");
    }
    for fate in [
        "sent",
        "delivered",
        "lost",
        "cut",
        "congested",
        "too_long",
        "overflowed",
        "unsent",
    ] {
        assert!(
            value(&format!("squall_datagrams_total{{fate=\"{fate}\"}}")).is_some(),
            "{fate}"
        );
    }
}

#[test]
fn guests_who_do_not_behave_leave_room_for_others_in_the_end() {
    let (node, pages) = server();
    // As many as may be connected, none of which goes by itself: some say nothing, some a byte, some a head without an end.
    let mut idle: Vec<Stream> = (0..32).map(|_| connected(&pages)).collect();
    for (nth, guest) in idle.iter_mut().enumerate() {
        let said: &[u8] = [&b""[..], b"G", b"GET /status HTTP/1.1\r\nX: "][nth % 3];
        guest.write_all(said).expect("it reads");
    }
    // Whoever comes now waits until the time of one of them is over.
    assert_eq!(page(&pages, "/healthz", "*/*").2, "ok\n");
    let mut rubbish = connected(&pages);
    rubbish.write_all(b"\0\xff rubbish\r\n\r\n").expect("it reads");
    let mut told = Vec::new();
    let _ = rubbish.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP/1.1 200"));
    // A head without bounds.
    let mut endless = connected(&pages);
    let long = format!(
        "GET / HTTP/1.1\r\n{}",
        "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(100_000)
    );
    let _ = endless.write_all(long.as_bytes());
    let mut told = Vec::new();
    let _ = endless.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP/1.1 200"));
    assert_eq!(page(&pages, "/healthz", "*/*").2, "ok\n");
    // It is none of the node's business, and does not keep it from ending.
    node.signal("TERM");
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn pages_are_off_unless_they_are_asked_for() {
    let folder = Folder::new();
    let at = address();
    let mut node = Node::start(&[
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--data",
        &folder.at("d"),
    ]);
    node.says(&["fact=\"serving\""]);
    node.signal("TERM");
    let (_, log) = node.end();
    assert!(!log.contains("pages at"), "{log}");
}

#[test]
fn connections_that_are_turned_away_are_told_on_every_page() {
    let (folder, at) = (Folder::new(), address());
    let words = [
        "node",
        "leader",
        "peer",
        "bob",
        "7301",
        "--address",
        &at,
        "--http",
        "127.0.0.1:0",
    ];
    let (code, printed, stderr) = ended(&[&words[..], &["--print-config"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let (all, _) = printed.trim_end().rsplit_once(')').expect("its end");
    let file = folder.file(
        "bob.ron",
        &format!("{all}    streams: (of_peer: 2, connections: 3),\n)\n"),
    );
    let mut node = Node::start(&[&file]);
    let pages = node.pages();
    node.says(&["fact=\"started\""]);
    let dial = || Stream::connect((at.as_str(), 7301)).expect("it listens");
    let _crowd: Vec<Stream> = (0..5).map(|_| dial()).collect();
    let told = || -> Value {
        let (_, _, body) = page(&pages, "/status.json", "*/*");
        serde_json::from_str(&body).expect("JSON")
    };
    let until = Instant::now() + PATIENCE;
    while told()["counts"]["streams"]["crowded"] != 3 {
        assert!(Instant::now() < until, "{}", told());
        thread::park_timeout(LOOK);
    }
    let (_, _, metrics) = page(&pages, "/metrics", "*/*");
    for metric in [
        "squall_connections_total{fate=\"crowded\"} 3",
        "squall_connections_open 2.0",
        "squall_ports_shut_total 0",
    ] {
        assert!(metrics.lines().any(|line| line == metric), "{metric}: {metrics}");
    }
    let (_, _, html) = page(&pages, "/status", "text/html");
    for row in [
        "<td>… turned away: too many from one address, without a certificate that holds</td><td>3, 0</td>",
        "<td>how often ports were shut, since there were as many connections as there may be</td><td>0</td>",
    ] {
        assert!(html.contains(row), "{row}: {html}");
    }
}
