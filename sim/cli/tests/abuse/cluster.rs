//! A live cluster of hac as its operators would have it, but for who watches: each node is the program in a process of its own, whose
//! lines are read as they come. Whatever happens to a test, its processes end with it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything is waited for at most. What is waited for comes in moments; on a machine with other work, in seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The port of every node, at an address of its own.
pub(crate) const PORT: u16 = 7101;
/// The port of every node's pages.
pub(crate) const PAGES: u16 = 9100;

/// Nodes that are watched.
pub(crate) struct Cluster {
    pub(crate) folder: TempDir,
    pub(crate) nodes: Vec<Living>,
    said: Receiver<(usize, Said)>,
    says: Sender<(usize, Said)>,
    network: [u8; 2],
    /// The settings of nodes that say how fast things go.
    pub(crate) timing: &'static str,
    /// Where the log of the next node goes, when not to its file.
    pub(crate) stderr: Option<Stdio>,
}

/// One node and what was seen of it.
pub(crate) struct Living {
    pub(crate) name: String,
    pub(crate) address: SocketAddrV4,
    child: Child,
    /// It was told to end, or killed: that it is gone is no surprise.
    expected_to_end: bool,
    pub(crate) seen: Seen,
}

/// What was seen of a node since it was started last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) booted: Option<Value>,
    /// All facts but tables.
    pub(crate) facts: Vec<(String, Value)>,
    /// The last table, and when it was claimed.
    pub(crate) table: Option<(u64, Value)>,
    /// What its last mark has.
    pub(crate) counts: Value,
    pub(crate) stopped: bool,
    ended: bool,
}

enum Said {
    Line(Value),
    End,
}

impl Cluster {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        // Two clusters never meet: neither of one process, nor of two.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id().wrapping_mul(16) + MADE.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = number.to_be_bytes();
        let (says, said) = channel();
        Cluster {
            folder: tempfile::tempdir().expect("a folder"),
            nodes: Vec::new(),
            said,
            says,
            // Away from 127.0, which everyone uses.
            network: [high | 0x80, low],
            // Patient enough for a machine that has other work to do.
            timing: "round: \"100ms\", availability_interval: \"100ms\", client_timeout: \"2s\", misses: 20",
            stderr: None,
        }
    }

    /// A server and three clients that have all found each other.
    pub(crate) fn of_four() -> Self {
        let mut cluster = Cluster::new();
        for name in ["s", "c1", "c2", "c3"] {
            cluster.start(name, "");
        }
        cluster.until_whole("at the beginning");
        cluster
    }

    /// An address in the cluster's own network.
    pub(crate) fn ip(&self, host: u8) -> Ipv4Addr {
        let [high, low] = self.network;
        Ipv4Addr::new(127, high, low, host)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts one more node: a server when its name begins with `s`.
    pub(crate) fn start(&mut self, name: &str, more: &str) -> usize {
        let file = self.deploy(name, more);
        let program = Command::new(env!("CARGO_BIN_EXE_squall"));
        self.start_by(program, name, &file)
    }

    /// Starts a node by the program's words, or by those of something that becomes the program.
    pub(crate) fn start_by(&mut self, program: Command, name: &str, file: &Path) -> usize {
        let place = self.nodes.len();
        let address = SocketAddrV4::new(self.ip(place as u8 + 1), PORT);
        let child = self.spawn(program, place, name, file, &[]);
        self.nodes.push(Living {
            name: name.to_owned(),
            address,
            child,
            expected_to_end: false,
            seen: Seen::default(),
        });
        place
    }

    /// Writes the file of the node that is started next.
    pub(crate) fn deploy(&self, name: &str, more: &str) -> PathBuf {
        self.deploy_at(self.nodes.len(), name, more)
    }

    fn deploy_at(&self, place: usize, name: &str, more: &str) -> PathBuf {
        let role = if name.starts_with('s') { "Server" } else { "Client" };
        let server = match role {
            "Server" => String::new(),
            _ => format!("server: \"{}:{PORT}\", ", self.ip(1)),
        };
        let ip = self.ip(place as u8 + 1);
        let timing = self.timing;
        let text = format!(
            "Node(protocol: \"hac\", rules: \"Hardened\", profile: \"brisk\", name: \"{name}\", role: {role}, \
             address: \"{ip}\", config: (port: {PORT}, {server}{timing}), \
             data: \"{name}\", http: \"{ip}:{PAGES}\", control: \"{name}.sock\", {more})\n"
        );
        let file = self.path(&format!("{name}.ron"));
        fs::write(&file, text).expect("a file");
        file
    }

    fn spawn(&mut self, mut program: Command, place: usize, name: &str, file: &Path, more: &[&str]) -> Child {
        let stderr = self.stderr.take().unwrap_or_else(|| {
            let log = File::options().create(true).append(true).open(self.log(name));
            Stdio::from(log.expect("a file"))
        });
        let mut child = program
            .arg("node")
            .arg(file)
            .args(["--attended", "--mark-every", "20ms", "--colour", "never"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let says = self.says.clone();
        thread::spawn(move || {
            for line in lines.lines() {
                // What a killed node was about to write may be cut off.
                let Ok(line) = serde_json::from_str(&line.expect("a pipe can be read")) else {
                    break;
                };
                let _ = says.send((place, Said::Line(line)));
            }
            let _ = says.send((place, Said::End));
        });
        child
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }

    /// Waits until something is so, looking whenever a node says anything.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&Cluster) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((place, said)) = self.said.recv_timeout(left) else {
                panic!("{what}: it did not come to that in {PATIENCE:?}\n{}", self.told());
            };
            self.take(place, said);
        }
    }

    fn take(&mut self, place: usize, said: Said) {
        let node = &mut self.nodes[place];
        match said {
            Said::Line(line) => node.seen.take(line),
            Said::End => {
                node.seen.ended = true;
                let name = node.name.clone();
                assert!(node.expected_to_end, "{name} has ended\n{}", self.told());
            }
        }
    }

    /// Waits until all nodes hold the same table of the same server, with everyone alive, that was made after now.
    pub(crate) fn until_whole(&mut self, what: &str) {
        let since = squall_live::clock::monotonic().as_nanos();
        self.until(what, |cluster| cluster.is_whole(since));
    }

    fn is_whole(&self, since: u64) -> bool {
        let running = || self.nodes.iter().filter(|node| !node.expected_to_end);
        let whom = |table: &Value| (table["server"].clone(), table["epoch"].clone());
        let mut of = None;
        running().all(|node| {
            let Some((at, table)) = &node.seen.table else {
                return false;
            };
            let rows = table["rows"].as_array().expect("rows");
            let is_alive = |node: &Living| {
                let address = Value::from(node.address.to_string());
                rows.iter()
                    .any(|row| row["addr"] == address && row["status"] == "Alive")
            };
            *at > since && *of.get_or_insert_with(|| whom(table)) == whom(table) && running().all(is_alive)
        })
    }

    /// Sends a signal to a node.
    pub(crate) fn signal(&self, place: usize, signal: &str) {
        let pid = self.nodes[place].child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    pub(crate) fn pid(&self, place: usize) -> u32 {
        self.nodes[place].child.id()
    }

    /// Stops a node in order, and waits for its end.
    pub(crate) fn stop(&mut self, place: usize) -> ExitStatus {
        self.nodes[place].expected_to_end = true;
        self.signal(place, "-TERM");
        self.await_end(place)
    }

    /// Kills a node.
    pub(crate) fn kill(&mut self, place: usize) {
        self.nodes[place].expected_to_end = true;
        self.nodes[place].child.kill().expect("it runs");
        self.await_end(place);
    }

    fn await_end(&mut self, place: usize) -> ExitStatus {
        self.until("it ends", |cluster| cluster.nodes[place].seen.ended);
        self.nodes[place].child.wait().expect("it ended")
    }

    /// Starts a node again that has ended.
    pub(crate) fn start_again(&mut self, place: usize) {
        self.start_again_with(place, &[]);
    }

    /// Starts it again with more words.
    pub(crate) fn start_again_with(&mut self, place: usize, more: &[&str]) {
        let name = self.nodes[place].name.clone();
        let file = self.path(&format!("{name}.ron"));
        let program = Command::new(env!("CARGO_BIN_EXE_squall"));
        let child = self.spawn(program, place, &name, &file, more);
        let node = &mut self.nodes[place];
        node.child = child;
        node.expected_to_end = false;
        node.seen = Seen::default();
    }

    /// The most memory that a node had, in bytes.
    pub(crate) fn most_memory(&self, place: usize) -> u64 {
        let path = format!("/proc/{}/status", self.pid(place));
        let status = fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.expect("a line").trim().trim_end_matches(" kB");
        number.parse::<u64>().expect("a number") * 1024
    }

    /// Everything that helps to see what went wrong.
    fn told(&self) -> String {
        let mut told = String::new();
        for node in &self.nodes {
            let log = fs::read_to_string(self.log(&node.name)).unwrap_or_default();
            let end = log.lines().rev().take(20).collect::<Vec<_>>();
            told += &format!("{}: {:?}\n", node.name, node.seen);
            for line in end.iter().rev() {
                told += &format!("    {line}\n");
            }
        }
        told
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }
}

impl Seen {
    fn take(&mut self, line: Value) {
        let Value::Object(fields) = line else {
            return;
        };
        for (kind, mut line) in fields {
            match kind.as_str() {
                "booted" => self.booted = Some(line),
                "fact" if line["name"] == "table" => {
                    let at = line["at"].as_u64().expect("a time");
                    self.table = Some((at, line["fact"]["Table"].take()));
                }
                "fact" => {
                    let name = line["name"].as_str().expect("a name").to_owned();
                    self.facts.push((name, line["fact"].take()));
                }
                "mark" => self.counts = line["counts"].take(),
                "stopped" => self.stopped = true,
                _ => {}
            }
        }
    }

    /// The facts of a name.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.facts
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, fact)| fact)
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.counts[what].as_u64().unwrap_or_default()
    }
}
