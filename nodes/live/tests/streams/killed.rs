//! What the peers of a process see that is killed or stopped with open connections.
//!
//! The child is this program once more: a live node that does what it is asked through its stdin. Its parent is a live node, too.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use squall_live::settings::{Attendance, Start};
use squall_live::{Line, Request};
use squall_nodes::{Closed, Span, Unwitnessed};

#[expect(dead_code, reason = "the other tests of streams need more of it")]
mod rig;

use rig::{Heard, Host, PORT, Talker, Wish, address, pattern, settings};

/// The word by which the child knows that it is one.
const CHILD: &str = "be-killed";

fn main() {
    let mut words = std::env::args().skip(1);
    match (words.next(), words.next()) {
        (Some(word), Some(ip)) if word == CHILD => be_killed(ip.parse().expect("it is an address")),
        _ => {
            a_killed_process_resets_its_connections_whether_something_is_unread_or_not();
            a_stopped_process_accepts_and_takes_in_what_it_finds_when_it_goes_on();
            a_process_that_is_killed_while_it_closes_loses_nothing_that_its_kernel_has_sent();
            println!("killed and stopped, and its peers heard of it as they should");
        }
    }
}

fn be_killed(ip: Ipv4Addr) {
    let (_, door) = squall_live::door();
    let mut settings = settings(ip);
    settings.attendance = Attendance::Attended {
        start: Start::AtOnce,
        mark_every: Span::from_secs(3600),
        stall: Span::from_secs(3600),
    };
    squall_live::run(settings, door, &mut Unwitnessed).expect("it runs until it is killed");
}

fn a_killed_process_resets_its_connections_whether_something_is_unread_or_not() {
    for (unread_there, unread_here) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut a = Host::listening();
        let mut child = Process::start();
        // One that the process has dialled, and one that it has accepted.
        let theirs = child.wish(&[Wish::Dial(a.port())]);
        let accepted = accepted(&mut a);
        let dialled = a.wish([Wish::Dial((child.ip, PORT).into_v4())]);
        a.hear(&Heard::Opened(dialled));
        if unread_here {
            a.wish([Wish::Pause(accepted)]);
            child.wish(&[Wish::Write(theirs, b"unread".to_vec())]);
        }
        if unread_there {
            // The process has nothing of it read: it is stopped before.
            child.signal(Signal::STOP);
            for conn in [accepted, dialled] {
                a.wish([Wish::Write(conn, b"unread".to_vec())]);
            }
        }
        child.signal(Signal::KILL);
        a.hear(&Heard::Closed(accepted, Closed::Reset));
        a.hear(&Heard::Closed(dialled, Closed::Reset));
        assert_eq!(a.so_far(), []);
        child.child.wait().expect("it ends");
        let again = a.wish([Wish::Dial((child.ip, PORT).into_v4())]);
        a.hear(&Heard::Closed(again, Closed::Refused));
    }
}

fn a_stopped_process_accepts_and_takes_in_what_it_finds_when_it_goes_on() {
    let mut a = Host::start();
    let child = Process::start();
    child.signal(Signal::STOP);
    let conns: Vec<u64> = (0..100)
        .map(|_| a.wish([Wish::Dial((child.ip, PORT).into_v4())]))
        .collect();
    for conn in &conns {
        a.hear(&Heard::Opened(*conn));
        a.wish([Wish::WriteMuch(*conn, 1_000)]);
    }
    // As much as both kernels take, and more.
    a.wish([Wish::WriteMuch(conns[0], 4_000_000)]);
    a.hear(&Heard::Blocked(conns[0]));
    child.signal(Signal::CONT);
    a.hear(&Heard::Writable(conns[0]));
    for conn in &conns {
        a.wish([Wish::Close(*conn)]);
    }
    // All was read, and the process has heard of the end: then its kernel answers with an end of its own.
    a.is_in_time("the ends", |status| status.streams.closing == 0);
    assert_eq!(a.so_far(), []);
}

fn a_process_that_is_killed_while_it_closes_loses_nothing_that_its_kernel_has_sent() {
    let mut a = Host::listening();
    let mut child = Process::start();
    let theirs = child.wish(&[Wish::Dial(a.port())]);
    let conn = accepted(&mut a);
    a.wish([Wish::Pause(conn)]);
    // More than this side's kernel takes, so that the rest is with the other one, and the end behind it.
    let buffers = 128 * 1024 + 32 * 1024;
    child.wish(&[Wish::WriteMuch(theirs, buffers), Wish::Close(theirs)]);
    child.wish(&[]);
    child.signal(Signal::KILL);
    child.child.wait().expect("it ends");
    a.wish([Wish::Resume(conn)]);
    a.hear(&Heard::Closed(conn, Closed::Orderly));
    assert!(a.bytes[&conn] == pattern(buffers));
    assert_eq!(a.so_far(), []);
}

fn accepted(host: &mut Host) -> u64 {
    host.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    })
}

trait IntoV4 {
    fn into_v4(self) -> std::net::SocketAddrV4;
}

impl IntoV4 for (Ipv4Addr, u16) {
    fn into_v4(self) -> std::net::SocketAddrV4 {
        std::net::SocketAddrV4::new(self.0, self.1)
    }
}

/// A live node in a process of its own, which is killed whatever happens. It listens.
struct Process {
    ip: Ipv4Addr,
    child: Child,
    lines: BufReader<ChildStdout>,
    calls: u64,
}

impl Process {
    fn start() -> Self {
        let ip = address();
        let itself = std::env::current_exe().expect("it runs");
        let mut child = Command::new(itself)
            .arg(CHILD)
            .arg(ip.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started once more");
        let lines = BufReader::new(child.stdout.take().expect("it has a stdout"));
        let mut process = Process {
            ip,
            child,
            lines,
            calls: 0,
        };
        process.wish(&[Wish::Listen(PORT)]);
        process
    }

    /// Asks for all of this in one input, and waits for the answer.
    fn wish(&mut self, wishes: &[Wish]) -> u64 {
        let request = Request::<Talker>::Call {
            call: self.calls,
            command: wishes.to_vec(),
        };
        let mut text = serde_json::to_vec(&request).expect("requests are JSON");
        text.push(b'\n');
        let stdin = self.child.stdin.as_mut().expect("it has a stdin");
        stdin.write_all(&text).expect("it reads its requests");
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("the child writes lines");
            assert!(!line.is_empty(), "the child has ended by itself");
            let line: Line<Talker> = serde_json::from_str(&line).expect("it writes JSON");
            if let Line::Answer { call, answer, .. } = line
                && call == self.calls
            {
                self.calls += 1;
                return answer;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the child is there");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
