//! One host of a story: this program once more, as a process of its own, which lives as a live node through its stdin and stdout.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde::{Deserialize, Serialize};
use squall_live::settings::{Attendance, Bounds, Settings, Start, Streams};
use squall_live::{Line, Request};
use squall_nodes::{Placed, Span, Unwitnessed};
use squall_sim::plan::StreamLaw;

use crate::node::{Actor, Part};

/// Where a process finds who it is to be.
const BRIEF: &str = "SQUALL_CONTRACT_HOST";

/// Who a process is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Brief {
    pub(super) name: String,
    pub(super) ip: Ipv4Addr,
    pub(super) limits: Limits,
    pub(super) part: Part,
    pub(super) data: PathBuf,
}

/// What it goes by in streams.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Limits {
    user_timeout: Span,
    connect_timeout: Span,
    send_buffer: usize,
    receive_buffer: usize,
    backlog: usize,
    backlogs: usize,
    connections: usize,
    of_peer: usize,
    listen_backlog: usize,
}

impl Limits {
    pub(super) fn of(law: &StreamLaw) -> Self {
        let size = |bytes| usize::try_from(bytes).expect("a story is of what a machine has");
        Limits {
            user_timeout: law.user_timeout,
            connect_timeout: law.connect_timeout,
            send_buffer: size(law.send_buffer),
            receive_buffer: size(law.receive_buffer),
            backlog: size(law.backlog),
            backlogs: size(law.backlogs),
            connections: law.connections as usize,
            of_peer: law.of_peer as usize,
            listen_backlog: law.listen_backlog as usize,
        }
    }
}

/// What is heard of a process.
pub(super) enum Heard {
    Line(Box<Line<Actor>>),
    /// It has said everything that it ever will.
    Ended,
}

/// A running host. When it is dropped, the process is gone.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts it, with these words before the program's; `hear` is told what it says.
    pub(super) fn start(
        words: Vec<OsString>,
        brief: &Brief,
        mut hear: impl FnMut(Heard) + Send + 'static,
    ) -> Self {
        let brief = serde_json::to_string(brief).expect("a brief is JSON");
        let program = env::current_exe().expect("this program has a name");
        let mut words = words.into_iter().chain([program.into()]);
        let mut child = Command::new(words.next().expect("there is the program"))
            .args(words)
            .args([
                "--exact",
                "live::process::a_host_lives_until_nobody_tells_it_anything",
            ])
            .args(["--nocapture", "--quiet", "--test-threads=1"])
            .env(BRIEF, brief)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started once more");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("its stdout is a pipe");
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line = line.expect("a pipe can be read");
                // The harness of tests says something before the node does, and after.
                if line.starts_with('{') {
                    hear(Heard::Line(Box::new(
                        serde_json::from_str(&line).expect("a line is JSON"),
                    )));
                }
            }
            hear(Heard::Ended);
        });
        Process { child, stdin }
    }

    pub(super) fn ask(&mut self, request: &Request<Actor>) {
        let mut line = serde_json::to_vec(request).expect("requests are JSON");
        line.push(b'\n');
        let stdin = self.stdin.as_mut().expect("it is not to end");
        stdin.write_all(&line).expect("the node reads its requests");
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there until it is waited for");
    }

    /// Stops it, and waits until it has.
    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
        let pid = Pid::from_child(&self.child);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED)
            .expect("it can be waited for")
            .expect("it was waited for");
        assert!(status.stopped(), "it has ended: {status:?}");
    }

    /// Tells it nothing any more.
    fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has ended.
    pub(super) fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("it can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_host_lives_until_nobody_tells_it_anything() {
    if let Ok(brief) = env::var(BRIEF) {
        return live(serde_json::from_str(&brief).expect("the brief is JSON"));
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let brief = Brief {
        name: "a".to_owned(),
        ip: Ipv4Addr::LOCALHOST,
        limits: Limits::of(&StreamLaw::DEFAULT),
        part: Part::default(),
        data: folder.path().join("a"),
    };
    let (hears, heard) = std::sync::mpsc::channel();
    let mut process = Process::start(Vec::new(), &brief, move |said| {
        let _ = hears.send(said);
    });
    assert!(matches!(heard.recv(), Ok(Heard::Line(line)) if matches!(*line, Line::Ready { .. })));
    process.hang_up();
    assert!(matches!(heard.recv(), Ok(Heard::Ended)));
    assert!(process.end().success());
}

/// What a process does that is to be a host.
fn live(brief: Brief) {
    let limits = brief.limits;
    let settings = Settings {
        protocol: "scripted".to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: brief.name,
            ip: brief.ip,
            role: (),
            config: brief.part,
        },
        data: Some(brief.data),
        seed: Some(1),
        record: None,
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Attended {
            start: Start::WhenTold,
            mark_every: Span::from_millis(20),
            stall: Span::from_secs(3600),
        },
        bounds: Bounds::default(),
        streams: Streams {
            user_timeout: limits.user_timeout,
            connect_timeout: limits.connect_timeout,
            send_buffer: limits.send_buffer,
            receive_buffer: limits.receive_buffer,
            backlog: limits.backlog,
            backlogs: limits.backlogs,
            connections: limits.connections,
            of_peer: limits.of_peer,
            listen_backlog: limits.listen_backlog,
            tls: None,
        },
    };
    let (_, door) = squall_live::door();
    squall_live::run::<Actor>(settings, door, &mut Unwitnessed)
        .expect("a node stops only when it is told to");
}
