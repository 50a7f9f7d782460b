//! refinery's nodes as processes: the walk-through of its page, and what strangers of no manners get, and cost.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;

use crate::pages::page;
use crate::process::{Folder, LOOK, Node, PATIENCE, address, ended, squall};

#[expect(clippy::disallowed_types, reason = "a test is a stranger at a node's gate")]
type Stream = std::net::TcpStream;

/// The walk-through on the page of the protocol.
fn walk_through() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nodes/src/refinery/mod.rs");
    let page = std::fs::read_to_string(page).expect("refinery has a page");
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let page = lines.join("\n");
    let (_, section) = page.split_once("\n # Run it live\n").expect("a walk-through");
    let (section, _) = section.split_once("\n # ").unwrap_or((section, ""));
    section.to_owned()
}

/// The lines of one of its blocks of commands.
fn commands(section: &str, nth: usize) -> Vec<String> {
    let block = section.split("```sh\n").nth(nth).expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// What a node answers to `Status` on its pages, and how often it has claimed what.
fn status(pages: &str) -> Value {
    let (_, _, status) = page(pages, "/status.json", "*/*");
    serde_json::from_str(&status).expect("JSON")
}

fn claims(pages: &str, fact: &str) -> u64 {
    status(pages)["claims"][fact].as_u64().unwrap_or(0)
}

/// Waits until it is so.
fn is_in_time(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what} is not in time");
        thread::park_timeout(LOOK);
    }
}

#[test]
fn the_three_terminals_of_its_page_do_what_it_says() {
    let section = walk_through();
    let [master, standby, node] = &commands(&section, 1)[..] else {
        panic!("three terminals")
    };
    let [ask, curl] = &commands(&section, 2)[..] else {
        panic!("two questions")
    };
    // The same words, at an address that nobody else has, with a port that the system has free for the pages.
    let folder = Folder::new();
    let at = address();
    let program = |line: &str| -> Command {
        let mut words = line.split(' ').map(|word| match word {
            "127.0.0.1" => at.clone(),
            "127.0.0.1:9100" | "127.0.0.1:9101" => format!("{at}:0"),
            other => other.to_owned(),
        });
        assert_eq!(words.next().as_deref(), Some("squall"), "{line}");
        let words: Vec<String> = words.collect();
        let mut command = squall(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.current_dir(folder.at("."));
        command
    };
    let start = |line: &str| {
        let mut command = program(line);
        command.args(["--address", &at, "--log-level", "debug"]);
        Node::spawn(command)
    };
    let mut m = start(master);
    m.pages();
    m.says(&["fact=\"serving\""]);
    let mut s = start(standby);
    let of_s = s.pages();
    s.says(&["fact=\"following\""]);
    let mut n1 = start(node);
    n1.says(&["fact=\"joined\"", &format!("{at}:7500")]);
    n1.says(&["fact=\"attached\""]);
    m.signal("INT");
    assert_eq!(m.end().0.code(), Some(0));
    s.says(&["fact=\"suspected\""]);
    s.says(&["fact=\"promoted\""]);
    n1.says(&["fact=\"orphaned\""]);
    n1.says(&["fact=\"joined\"", &format!("{at}:7501")]);
    let asked = program(ask).output().expect("it starts");
    let asked = String::from_utf8(asked.stdout).expect("UTF-8");
    assert!(asked.contains(&format!("master: \"{at}:7501\"")), "{asked}");
    assert!(curl.ends_with("http://127.0.0.1:9101/status.json"), "{curl}");
    let answer = &status(&of_s)["answer"]["Status"];
    assert_eq!(answer["standing"], "Reigning", "{answer}");
    assert_eq!(answer["below"][0]["id"], "n1", "{answer}");
    let mut again = start(master);
    again.says(&["incarnation=1", "disk=Kept"]);
    again.says(&["fact=\"following\"", &format!("{at}:7501")]);
}

/// A master and some nodes, each at an address of its own, and where they have their pages. No honest one misses another however slow
/// the machine is: that is all that differs from the settings of the profile.
struct Cluster {
    /// The master first.
    nodes: Vec<(Node, String)>,
    at: String,
    files: Folder,
    /// Who vouches for them, where their connections are secured.
    authority: Option<Authority>,
}

impl Cluster {
    fn start(nodes: usize) -> Self {
        Cluster::with(nodes, None)
    }

    fn with(nodes: usize, authority: Option<Authority>) -> Self {
        let at = address();
        let mut cluster = Cluster {
            nodes: Vec::new(),
            at: at.clone(),
            files: Folder::new(),
            authority,
        };
        cluster.add("m", "Master", &at, "serving");
        for nth in 0..nodes {
            cluster.join(&format!("n{nth}"));
        }
        cluster
    }

    fn join(&mut self, name: &str) {
        self.add(name, "Node(\"crusher\")", &address(), "attached");
    }

    fn add(&mut self, name: &str, role: &str, own: &str, until: &str) {
        let tls = match &self.authority {
            Some(authority) => authority.papers(&self.files, own),
            None => String::new(),
        };
        let (mut node, pages) = self.spawn(name, role, own, &tls);
        node.says(&[&format!("fact=\"{until}\"")]);
        self.nodes.push((node, pages));
    }

    fn spawn(&self, name: &str, role: &str, own: &str, tls: &str) -> (Node, String) {
        let at = &self.at;
        let settings = "silence: \"10m\", patience: \"10m\"";
        let text = format!(
            r#"Node(
    protocol: "refinery",
    name: "{name}",
    role: {role},
    address: "{own}",
    config: (masters: ["{at}:7500"], {settings}),
    http: "{own}:0",
    {tls}
)"#
        );
        let file = self.files.file(&format!("{name}.ron"), &text);
        let mut node = Node::start(&[&file, "--log-level", "debug"]);
        let pages = node.pages();
        (node, pages)
    }

    fn master(&self) -> &str {
        &self.nodes[0].1
    }

    /// Dials the master, from the address of nobody in the cluster.
    fn dial(&self) -> std::io::Result<Stream> {
        dial(&self.at)
    }

    /// That no node has lost anything, and the master none of them.
    fn assert_nobody_was_lost(&self) {
        for (_, pages) in &self.nodes {
            for fact in ["orphaned", "detached", "struck_off"] {
                assert_eq!(claims(pages, fact), 0, "{fact}: {}", status(pages)["facts"]);
            }
        }
        let below = &status(self.master())["answer"]["Status"]["below"];
        let below = below.as_array().expect("a registry");
        assert_eq!(below.len(), self.nodes.len() - 1, "{below:?}");
        assert!(below.iter().all(|node| node["is_here"] == true), "{below:?}");
    }
}

/// Who signs the certificates of a cluster.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, certificate }
    }

    /// The papers of a node at an address, as its file names them.
    fn papers(&self, files: &Folder, ip: &str) -> String {
        let mut params = CertificateParams::new([]).expect("no names");
        params.subject_alt_names = vec![SanType::IpAddress(ip.parse().expect("an address"))];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        files.file("authority.pem", &self.certificate);
        files.file(&format!("{ip}.pem"), &certificate.pem());
        files.file(&format!("{ip}.key"), &key.serialize_pem());
        format!(r#"tls: (certificate: "{ip}.pem", key: "{ip}.key", authority: "authority.pem"),"#)
    }
}

fn dial(at: &str) -> std::io::Result<Stream> {
    let to = format!("{at}:7500").parse().expect("an address");
    // One that finds no room in the kernel's line is not waited for.
    let stream = Stream::connect_timeout(&to, Duration::from_millis(200))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Waits until the other end has closed.
fn is_closed(mut stream: &Stream) -> bool {
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(why) => return why.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Whether the other end has closed by now.
fn is_over(mut stream: &Stream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(why) => return why.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn what_is_secret_stands_in_the_file_of_a_node_and_nowhere_that_is_shown() {
    let (files, at) = (Folder::new(), address());
    // By the rules of the source the secret itself is what shows that somebody belongs.
    let start = |name: &str, role: &str, own: &str, until: &str| {
        let text = format!(
            r#"Node(
    protocol: "refinery",
    rules: "Original",
    name: "{name}",
    role: {role},
    address: "{own}",
    config: (secret: "open sesame", masters: ["{at}:7500"]),
    http: "{own}:0",
)"#
        );
        let file = files.file(&format!("{name}.ron"), &text);
        let (code, printed, stderr) = ended(&["node", &file, "--print-config"]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(printed.contains("secret: \"open sesame\""), "{printed}");
        let flights = files.at(&format!("{name}-flights"));
        let mut node = Node::start(&[&file, "--log-level", "debug", "--record", &flights]);
        let pages = node.pages();
        node.says(&[&format!("fact=\"{until}\"")]);
        (node, pages, flights)
    };
    let master = start("m", "Master", &at, "serving");
    let member = start("n", "Node(\"crusher\")", &address(), "attached");
    let is_silent = |of: &str, text: &str| assert!(!text.contains("sesame"), "{of}: {text}");
    for (mut node, pages, flights) in [member, master] {
        for (path, accept) in [
            ("/status", "text/html"),
            ("/status.json", "*/*"),
            ("/metrics", "*/*"),
        ] {
            is_silent(path, &page(&pages, path, accept).2);
        }
        assert_eq!(status(&pages)["config"]["secret"], "(a secret)");
        node.signal("INT");
        let stdout = node.stdout();
        let (ended_so, log) = node.end();
        assert_eq!(ended_so.code(), Some(0), "{log}");
        is_silent("stdout", &stdout);
        is_silent("the log", &log);
        let entries = std::fs::read_dir(flights).expect("a folder");
        let recordings: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sqf"))
            .collect();
        assert_eq!(recordings.len(), 1, "{recordings:?}");
        for recording in recordings {
            let recording = recording.to_str().expect("UTF-8");
            for words in [
                &["--format", "json"][..],
                &["--story"],
                &["--story", "--format", "json"],
                &["--rules", "Hardened", "--format", "json"],
            ] {
                let (code, told, stderr) = ended(&[&["replay", recording], words].concat());
                assert!(code.is_some_and(|code| code < 2), "{words:?}: {stderr}");
                is_silent("a replay", &told);
                is_silent("a replay", &stderr);
                // It is the same life, which it could not be with another secret.
                if words == ["--format", "json"] {
                    assert_eq!(code, Some(0), "{told}");
                    assert!(told.contains("(a secret)"), "{told}");
                }
            }
        }
    }
}

/// A packet by which somebody says who it is.
const ESTABLISH: &str = r#"conn:establish;;{"id":"x","version":"1","type":"crusher","port":"7501"}<EOF>"#;

#[test]
fn whatever_is_no_packet_or_out_of_turn_is_closed_with_a_fact() {
    let cluster = Cluster::start(1);
    let deep = format!("conn:establish;;{}<EOF>", "[".repeat(200));
    let long = format!("conn:establish;;{{\"id\":\"{}", "x".repeat(8_192));
    let garbage: [(&[u8], &str); 9] = [
        (b"\0\xff\xfe\x80 no packet at all<EOF>", "Unreadable"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n<EOF>", "Unreadable"),
        (b"conn:establish;;{\"id\":<EOF>", "Unreadable"),
        (b"conn:nothing;;{}<EOF>", "Unreadable"),
        (deep.as_bytes(), "Unreadable"),
        (long.as_bytes(), "Unreadable"),
        (b"conn:alive;;{}<EOF>", "Turn"),
        (
            b"auth:ack;;{\"upstream\":\"127.0.0.1:1\",\"epoch\":\"9\"}<EOF>",
            "Turn",
        ),
        (b"auth:dec;;{}<EOF>", "Turn"),
    ];
    for (nth, (bytes, why)) in garbage.into_iter().enumerate() {
        let mut stream = cluster.dial().expect("the master listens");
        let before = claims(cluster.master(), "closed");
        // It may be closed while it still writes.
        let _ = stream.write_all(bytes);
        assert!(is_closed(&stream), "garbage {nth}");
        is_in_time("the fact", || claims(cluster.master(), "closed") == before + 1);
        let facts = status(cluster.master())["facts"].to_string();
        assert!(facts.contains(&format!("why: {why}")), "garbage {nth}: {facts}");
    }
    cluster.assert_nobody_was_lost();
}

#[test]
fn a_hundred_megabytes_and_a_byte_now_and_then_end_when_they_are_too_long() {
    let cluster = Cluster::start(2);
    let mut endless = cluster.dial().expect("the master listens");
    let _ = endless.write_all(b"conn:establish;;{\"id\":\"");
    let chunk = vec![b'x'; 1 << 16];
    // What comes after the end is read and thrown away for a while, or reset.
    for _ in 0..(100 << 20) / chunk.len() {
        if endless.write_all(&chunk).is_err() {
            break;
        }
    }
    is_in_time("the fact", || claims(cluster.master(), "closed") == 1);
    let facts = status(cluster.master())["facts"].to_string();
    assert!(facts.contains("Unreadable(TooLong)"), "{facts}");
    assert!(is_closed(&endless));
    // A reading that times out is the pause between two bytes.
    let mut slow = cluster.dial().expect("the master listens");
    slow.set_read_timeout(Some(Duration::from_millis(250)))
        .expect("a timeout");
    let began = Instant::now();
    let bytes = ESTABLISH.bytes().cycle();
    let mut sent = 0;
    for byte in bytes {
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        sent += 1;
        match slow.read(&mut [0; 256]) {
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(read) if read > 0 => {}
            _ => break,
        }
        assert!(began.elapsed() < PATIENCE, "nobody stopped it after {sent} bytes");
    }
    assert!(sent < ESTABLISH.len(), "it was let finish");
    is_in_time("the other fact", || claims(cluster.master(), "closed") == 2);
    let facts = status(cluster.master())["facts"].to_string();
    assert!(facts.contains("why: Slow"), "{facts}");
    cluster.assert_nobody_was_lost();
}

#[test]
fn ten_thousand_connections_from_one_peer_cost_no_honest_node_its_own() {
    let mut cluster = Cluster::start(3);
    let at = cluster.at.clone();
    let flood = thread::spawn(move || {
        let (mut kept, mut over, mut refused) = (Vec::new(), 0, 0);
        for nth in 0..10_000_usize {
            // A port that is used up, or a line of the kernel's that is full, is one that got nowhere.
            let Ok(mut stream) = dial(&at) else {
                refused += 1;
                continue;
            };
            let says: &[u8] = match nth % 4 {
                0 => b"",
                1 => b"conn:est",
                2 => b"no packet at all<EOF>",
                _ => ESTABLISH.as_bytes(),
            };
            let _ = stream.write_all(says);
            kept.push(stream);
            // Those that are over take a descriptor of this process each.
            if kept.len() >= 300 {
                let before = kept.len();
                kept.retain(|stream| !is_over(stream));
                over += before - kept.len();
            }
        }
        (kept, over, refused)
    });
    // Meanwhile a new node is let in, and what the master holds is bounded.
    cluster.join("late");
    while !flood.is_finished() {
        let counts = status(cluster.master());
        let streams = &counts["streams"]["open"];
        assert!(streams.as_u64().is_none_or(|open| open <= 256 + 16), "{streams}");
        thread::park_timeout(LOOK);
    }
    let (kept, over, refused) = flood.join().expect("the flood ends");
    assert!(
        over + refused > 9_000,
        "{over} were closed, {refused} got nowhere"
    );
    // By the node itself, of those that its host let pass. Of a crowd it claims the first four, the 8th, the 16th and so on: so many were 64.
    let told = status(cluster.master());
    assert!(told["claims"]["closed"].as_u64() >= Some(8), "{}", told["claims"]);
    cluster.assert_nobody_was_lost();
    // Those that are still there have not been let in in time.
    assert!(kept.iter().all(is_closed), "a stranger was let stay");
    cluster.join("later");
    cluster.assert_nobody_was_lost();
}

#[test]
fn secured_nodes_form_a_tree_and_nobody_without_a_certificate_gets_as_far_as_a_handshake() {
    // One more than the master has room for below itself.
    let mut cluster = Cluster::with(4, Some(Authority::new()));
    let untrusted = |cluster: &Cluster| {
        status(cluster.master())["counts"]["streams"]["untrusted"]
            .as_u64()
            .expect("a count")
    };
    let asked = claims(cluster.master(), "asked");
    // It has the secret, and its papers are of another authority.
    let own = address();
    let files = Folder::new();
    let papers = Authority::new()
        .papers(&files, &own)
        .replace("\"127", &format!("\"{}", files.at("127")));
    let papers = papers.replace("\"authority", &format!("\"{}", files.at("authority")));
    let (mut stranger, of_stranger) = cluster.spawn("x", "Node(\"crusher\")", &own, &papers);
    is_in_time("the refusal of its papers", || untrusted(&cluster) > 0);
    // Both say who it was, in words.
    let at = cluster.at.clone();
    stranger.says(&[
        &format!("a connection with {at}:7500 is closed"),
        "none of the authorities that this node goes by has signed its certificate",
    ]);
    cluster.nodes[0].0.says(&[
        &format!("a connection with {own}"),
        "none of the authorities that it goes by has signed this node's certificate",
    ]);
    // One that has none at all speaks in the clear.
    let mut plain = cluster.dial().expect("the master listens");
    let _ = plain.write_all(ESTABLISH.as_bytes());
    assert!(is_closed(&plain));
    assert_eq!(claims(cluster.master(), "asked"), asked);
    assert_eq!(claims(&of_stranger, "joined"), 0);
    cluster.join("late");
    cluster.assert_nobody_was_lost();
}

/// Whether there is OpenSSL. With `SQUALL_OPENSSL=must` there is to be.
fn has_openssl() -> bool {
    let must = std::env::var_os("SQUALL_OPENSSL").is_some_and(|value| value == "must");
    let found = Command::new("openssl").arg("version").output();
    let is_there = found.is_ok_and(|found| String::from_utf8_lossy(&found.stdout).starts_with("OpenSSL 3."));
    assert!(!must || is_there, "there is no OpenSSL 3");
    is_there
}

#[test]
fn the_readmes_certificates_secure_what_it_starts_with_them() {
    if !has_openssl() {
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("a README");
    let section = readme
        .split_once("what the nodes `m`, `s` and `n1` need")
        .expect("the recipe")
        .1;
    let (_, block) = section.split_once("```sh\n").expect("its commands");
    let (block, _) = block.split_once("```").expect("their end");
    let (recipe, nodes) = block.split_once("squall node").expect("nodes");
    let nodes = format!("squall node{nodes}");
    let files = Folder::new();
    let at = address();
    let made = Command::new("sh")
        .args(["-ec", &recipe.replace("127.0.0.1", &at)])
        .current_dir(files.at("."))
        .output()
        .expect("a shell");
    assert!(made.status.success(), "{made:?}");
    let start = |line: &str| -> Node {
        let line = line.replace("127.0.0.1", &at);
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("squall"), "{line}");
        let words: Vec<&str> = words.chain(["--address", &at, "--log-level", "debug"]).collect();
        let mut command = squall(&words);
        command.current_dir(files.at("."));
        Node::spawn(command)
    };
    let [master, standby, node] = nodes.lines().collect::<Vec<_>>()[..] else {
        panic!("three nodes: {nodes}")
    };
    let mut m = start(master);
    m.says(&["fact=\"serving\""]);
    let mut s = start(standby);
    s.says(&["fact=\"following\""]);
    let mut n1 = start(node);
    n1.says(&["fact=\"attached\""]);
    // Who speaks in the clear is not heard.
    let mut plain = dial(&at).expect("the master listens");
    let _ = plain.write_all(ESTABLISH.as_bytes());
    assert!(is_closed(&plain));
    m.says(&[
        "a connection with 127.0.0.1:",
        "what comes is no TLS; it may be set up without",
    ]);
}
