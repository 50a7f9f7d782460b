//! One live node, from its start to its end, seen from outside: the door, the lines, and what goes wrong.

use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};
use squall_live::clock::monotonic;
use squall_live::settings::{Attendance, Bounds, Start, Streams};
use squall_live::{
    Ended, Handle, Line, LiveError, Policy, Recording, Reply, Request, Settings, Status, Stop, Wires, door,
    run,
};
use squall_nodes::{
    CallId, DiskAtBoot, Input, Node, NodeRng, Outbox, Placed, Span, Time, Timer, Unwitnessed,
};
use tokio::runtime::Runtime;

/// A node that does what it is asked.
#[derive(Clone)]
struct Clerk;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Wish {
    /// An answer, so many times.
    Answers(u32),
    /// So many claims of so many bytes.
    Claims(u32, usize),
    Persist,
    Bind(u16),
    /// Something that is not done live.
    Listen,
    Join,
    /// A timer that goes off in an hour.
    Arm,
    /// It takes this long over it.
    Dawdle(Span),
}

squall_nodes::facts! {
    /// What a clerk claims.
    enum Filed {
        /// A claim.
        "filed" => Filed {
            /// What it says.
            text: String,
        },
        /// It was told that a write failed.
        "failed" => Failed,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Hour;

impl Timer for Hour {
    fn code(&self) -> u64 {
        7
    }
}

impl Node for Clerk {
    type Role = String;
    type Config = u8;
    type Command = Wish;
    type Answer = u32;
    type Timer = Hour;
    type Fact = Filed;

    fn boot(_: &String, _: &u8, _: Option<&[u8]>, _: NodeRng) -> Self {
        Clerk
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { call, command } => wish(now, call, command, out),
            Input::PersistFailed(_) => out.claim(Filed::Failed),
            _ => {}
        }
    }
}

fn wish(now: Time, call: CallId, wish: &Wish, out: &mut Outbox<Clerk>) {
    match wish {
        Wish::Answers(count) => (0..*count).for_each(|number| out.answer(call, number)),
        Wish::Claims(count, len) => {
            for _ in 0..*count {
                let text = "x".repeat(*len);
                out.claim(Filed::Filed { text });
            }
        }
        Wish::Persist => {
            out.persist(b"x");
        }
        Wish::Bind(port) => out.bind(*port),
        Wish::Listen => out.listen(5),
        Wish::Join => out.join("224.0.0.1:5".parse().expect("it is an address")),
        Wish::Arm => out.arm(Hour, now + Span::from_secs(3600)),
        Wish::Dawdle(span) => while monotonic().since(now) < *span {},
    }
}

fn settings(ip: Ipv4Addr, attendance: Attendance) -> Settings<Clerk> {
    Settings {
        protocol: "clerk".to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: "c1".to_owned(),
            ip,
            role: "Clerk".to_owned(),
            config: 3,
        },
        data: None,
        seed: Some(5),
        record: None,
        http: None,
        control: None,
        lines: None,
        attendance,
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}

fn attended(start: Start) -> Attendance {
    Attendance::Attended {
        start,
        mark_every: Span::from_millis(5),
        stall: Span::from_secs(3600),
    }
}

type Running = JoinHandle<Result<Ended, LiveError>>;

/// A node on a thread of its own that nobody attends. It stops when this is dropped.
struct Alone {
    asker: Handle<Clerk>,
    thread: Option<Running>,
    runtime: Runtime,
}

impl Alone {
    fn start(settings: Settings<Clerk>) -> Self {
        let (asker, door) = door();
        Alone {
            asker,
            thread: Some(thread::spawn(move || run(settings, door, &mut Unwitnessed))),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime can be made"),
        }
    }

    /// Calls, and gives back so many replies.
    fn call(&self, call: u64, command: Wish, replies: usize) -> Vec<Reply<Clerk>> {
        self.runtime.block_on(async {
            let mut coming = self.asker.ask(Request::Call { call, command }).await;
            let mut came = Vec::new();
            while came.len() < replies {
                came.push(coming.next().await.expect("there are more replies"));
            }
            came
        })
    }

    /// Asks it to do something that nothing comes back of, and waits for the next thing that it answers.
    fn wish(&self, wish: Wish) {
        self.call(0, wish, 0);
        self.call(0, Wish::Answers(1), 1);
    }

    fn status(&self) -> Status {
        let status = self.runtime.block_on(self.asker.status());
        status.expect("the node runs")
    }

    /// How it ends without being told to.
    fn ends(mut self) -> Result<Ended, LiveError> {
        self.thread.take().expect("it runs").join().expect("no panic")
    }

    fn stop(self, how: Stop) -> Ended {
        self.asker.stop(how);
        self.ends().expect("it was told to stop")
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.asker.stop(Stop::AtOnce);
    }
}

/// An attended node on a thread of its own. The end of its requests stops it.
struct Attendant {
    requests: PipeWriter,
    lines: BufReader<PipeReader>,
    thread: Running,
}

impl Attendant {
    fn start(settings: Settings<Clerk>) -> Self {
        let (read, requests) = io::pipe().expect("a pipe can be made");
        let (lines, write) = io::pipe().expect("a pipe can be made");
        let (_, door) = door();
        let door = door.with_wires(Wires::new(read, write));
        Attendant {
            requests,
            lines: BufReader::new(lines),
            thread: thread::spawn(move || run(settings, door, &mut Unwitnessed)),
        }
    }

    fn ask(&mut self, request: &Request<Clerk>) {
        let text = serde_json::to_string(request).expect("requests are JSON");
        writeln!(self.requests, "{text}").expect("it reads its requests");
    }

    /// The next line that is not a mark.
    fn line(&mut self) -> Line<Clerk> {
        loop {
            let mut text = String::new();
            self.lines.read_line(&mut text).expect("it writes lines");
            let line = serde_json::from_str(&text);
            match line.unwrap_or_else(|why| panic!("{why}: {text:?}")) {
                Line::Mark { .. } => {}
                line => return line,
            }
        }
    }

    fn end(self) -> Ended {
        self.thread
            .join()
            .expect("no panic")
            .expect("it was told to stop")
    }
}

#[test]
fn callers_have_numbers_of_their_own_and_get_all_answers() {
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    for _ in 0..2 {
        let answers: Vec<(u64, u32)> = node
            .call(9, Wish::Answers(3), 3)
            .into_iter()
            .map(|reply| match reply {
                Reply::Answer { call, answer } => (call, answer),
                _ => panic!("it answers"),
            })
            .collect();
        assert_eq!(answers, [(9, 0), (9, 1), (9, 2)]);
    }
    // More than anybody reads: no memory is taken for it, and the node goes on.
    let unread = node.runtime.block_on(node.asker.ask(Request::Call {
        call: 1,
        command: Wish::Answers(100_000),
    }));
    assert_eq!(node.call(2, Wish::Answers(1), 1).len(), 1);
    let status = node.status();
    assert_eq!((status.calls.taken, status.calls.answers), (4, 100_007));
    drop(unread);
    let handle = node.asker.clone();
    let ended = node.stop(Stop::InOrder);
    assert_eq!(ended.how, Stop::InOrder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        handle.ended().await;
        assert!(handle.status().await.is_err());
        let mut replies = handle.ask(Request::Status).await;
        assert!(matches!(replies.next().await, Some(Reply::Refused { .. })));
        assert!(replies.next().await.is_none());
    });
}

#[test]
fn the_status_says_who_it_is_and_how() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(folder.path().join("data"));
    let node = Alone::start(settings.clone());
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    for wish in [Wish::Bind(port), Wish::Arm, Wish::Claims(40, 3), Wish::Persist] {
        node.wish(wish);
    }
    let policy = Policy {
        number: 12,
        ..Policy::default()
    };
    let applied = node.runtime.block_on(node.asker.apply(policy)).unwrap();
    let status = node.status();
    assert!(applied <= status.now && status.booted <= Some(applied));
    assert_eq!(
        (status.name.as_str(), status.role.as_str()),
        ("c1", Some("Clerk"))
    );
    assert_eq!((status.config.as_u64(), status.seed), (Some(3), 5));
    assert_eq!((status.incarnation, status.disk), (0, DiskAtBoot::Fresh));
    assert_eq!(status.ports, [port]);
    assert_eq!(status.timers[0].timer, "Hour");
    assert!(status.timers[0].within <= Span::from_secs(3600));
    assert_eq!((status.facts.len(), status.claims["filed"]), (32, 40));
    assert_eq!(status.facts[0].says, "Filed { text: \"xxx\" }");
    assert_eq!((status.writes.completed, status.writes.waiting), (1, 0));
    assert_eq!(
        (status.policy, status.recording.clone()),
        (Some(12), Recording::Off)
    );
    assert_eq!(status.to_json()["claims"]["filed"], 40);
    node.stop(Stop::InOrder);
    // Its folder is free at once, and the next life is another one.
    let node = Alone::start(settings);
    assert_eq!(
        (node.status().incarnation, node.status().disk),
        (1, DiskAtBoot::Kept)
    );
    node.stop(Stop::AtOnce);
}

#[test]
fn a_port_that_another_process_has_stops_the_node_and_is_named() {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    assert_eq!(
        node.ends().unwrap_err().to_string(),
        format!(
            "the node asked for port {port}, and 127.0.0.1:{port} cannot be bound: another process has it"
        )
    );
    // An address of the documents' own, which no machine has.
    let node = Alone::start(settings(Ipv4Addr::new(192, 0, 2, 1), Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    let why = node.ends().unwrap_err().to_string();
    assert!(why.ends_with("this machine does not have that address"), "{why}");
}

#[test]
fn what_is_not_done_live_is_refused_by_name() {
    for (wish, what) in [(Wish::Listen, "streams"), (Wish::Join, "multicast")] {
        let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
        node.call(0, wish, 0);
        assert_eq!(
            node.ends().unwrap_err().to_string(),
            format!("the node asked for {what}, and this version does not do {what} live")
        );
    }
}

/// Puts something in the way of the node's writes: the next one begins when that is read from, and fails.
fn obstruct(data: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let fresh = data.join("state.new");
    mknodat(CWD, &fresh, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe can be made");
}

/// Reads what was written there.
fn clear(data: &Path) {
    let mut written = Vec::new();
    let mut fresh = std::fs::File::open(data.join("state.new")).expect("it is there");
    fresh.read_to_end(&mut written).expect("it can be read");
}

#[test]
fn a_disk_that_hangs_bounds_what_waits_and_everybody_can_ask_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(data.clone());
    settings.bounds.waiting = 100_000;
    let node = Alone::start(settings);
    node.wish(Wish::Arm);
    obstruct(&data);
    node.call(0, Wish::Persist, 0);
    // Each of these calls has a thousand claims wait.
    for _ in 0..100 {
        node.call(0, Wish::Claims(1_000, 1), 0);
    }
    let mut status = node.status();
    while status.writes.waiting <= 100_000 {
        status = node.status();
    }
    let (waiting, taken) = (status.writes.waiting, status.calls.taken);
    // It is handed nothing, but what is asked of its host is done.
    let policy = Policy {
        number: 1,
        ..Policy::default()
    };
    node.runtime.block_on(node.asker.apply(policy)).unwrap();
    let status = node.status();
    assert_eq!((status.writes.waiting, status.calls.taken), (waiting, taken));
    assert!(taken < 20, "{taken}");
    clear(&data);
    // The write fails, what waited is dropped, and it goes on with what it was asked meanwhile.
    node.wish(Wish::Arm);
    let status = node.status();
    assert_eq!((status.writes.failed, status.writes.waiting), (1, 0));
    assert_eq!((status.claims["failed"], status.calls.taken), (1, 105));
    assert_eq!(status.facts.len(), 32);
    node.stop(Stop::InOrder);
}

#[test]
fn an_orderly_stop_waits_for_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(data.clone());
    settings.lines = Some(folder.path().join("lines"));
    let lines = settings.lines.clone().unwrap();
    let node = Alone::start(settings);
    node.wish(Wish::Arm);
    node.call(0, Wish::Persist, 0);
    node.call(0, Wish::Claims(1, 3), 0);
    // The calls are ahead of that in no queue: so it may stop before them, or with what they ask done, but not in between.
    while node.status().calls.taken < 4 {}
    let ended = node.stop(Stop::InOrder);
    assert_eq!(ended.how, Stop::InOrder);
    let lines = std::fs::read_to_string(lines).unwrap();
    let names: Vec<String> = lines
        .lines()
        .map(|line| match serde_json::from_str::<Line<Clerk>>(line).unwrap() {
            Line::Booted { .. } => "booted".to_owned(),
            Line::Call { .. } => "call".to_owned(),
            Line::Answer { .. } => "answer".to_owned(),
            Line::Fact { name, .. } => name,
            Line::Stopped { .. } => "stopped".to_owned(),
            _ => "another".to_owned(),
        })
        .collect();
    assert_eq!(
        names,
        [
            "booted", "call", "call", "answer", "call", "call", "filed", "stopped"
        ]
    );
    assert!(data.join("state").exists());
}

#[test]
fn an_attended_node_waits_to_be_told_to_go_and_tells_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::WhenTold));
    settings.lines = Some(folder.path().join("lines"));
    let lines = settings.lines.clone().unwrap();
    let mut node = Attendant::start(settings);
    assert!(matches!(node.line(), Line::Ready { pid } if pid == std::process::id()));
    let policy = Policy {
        number: 4,
        ..Policy::default()
    };
    node.ask(&Request::Policy { policy });
    assert!(matches!(node.line(), Line::Applied { policy: 4, .. }));
    // What is asked too early waits until it is up.
    let call = |call, command| Request::Call { call, command };
    node.ask(&call(3, Wish::Answers(1)));
    let go = monotonic() + Span::from_millis(20);
    node.ask(&Request::Go { at: go });
    let Line::Booted {
        at,
        incarnation: 0,
        disk: DiskAtBoot::Fresh,
    } = node.line()
    else {
        panic!("it boots");
    };
    assert!(at >= go);
    assert!(matches!(
        node.line(),
        Line::Call {
            call: 3,
            command: Wish::Answers(1),
            ..
        }
    ));
    assert!(matches!(
        node.line(),
        Line::Answer {
            call: 3,
            answer: 0,
            ..
        }
    ));
    node.ask(&call(4, Wish::Claims(1, 2)));
    assert!(matches!(node.line(), Line::Call { call: 4, .. }));
    assert!(matches!(node.line(), Line::Fact { name, .. } if name == "filed"));
    node.ask(&Request::Stop);
    assert!(matches!(node.line(), Line::Stopped { .. }));
    let mut rest = String::new();
    node.lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing comes after that");
    assert_eq!(node.end().how, Stop::InOrder);
    // Its file has the same, marks and all.
    let lines = std::fs::read_to_string(lines).unwrap();
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Line<Clerk>>(line).is_ok())
    );
    assert!(lines.starts_with("{\"ready\":") && lines.contains("{\"fact\":"));
}

#[test]
fn marks_come_and_no_time_goes_back() {
    let mut node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce)));
    let (mut marks, mut last) = (0, Time::ZERO);
    while marks < 5 {
        let mut text = String::new();
        node.lines.read_line(&mut text).unwrap();
        let at = match serde_json::from_str(&text).unwrap() {
            Line::<Clerk>::Mark { at, .. } => {
                marks += 1;
                at
            }
            Line::Booted { at, .. } => at,
            _ => panic!("{text}"),
        };
        assert!(at >= last);
        last = at;
    }
    node.ask(&Request::Stop);
    node.end();
}

#[test]
fn a_node_that_was_kept_from_running_says_so_once_and_for_how_long() {
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce));
    let stall = Span::from_millis(200);
    settings.attendance = Attendance::Attended {
        start: Start::AtOnce,
        mark_every: Span::from_millis(5),
        stall,
    };
    let mut node = Attendant::start(settings);
    node.ask(&Request::Call {
        call: 1,
        command: Wish::Dawdle(Span::from_millis(300)),
    });
    let stalled = loop {
        if let Line::Stalled { by, .. } = node.line() {
            break by;
        }
    };
    assert!(stalled > stall, "{stalled}");
    node.ask(&Request::Stop);
    node.end();
}

#[test]
fn a_write_that_takes_too_long_is_told_while_it_does_and_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce));
    settings.data = Some(data.clone());
    let stall = Span::from_millis(200);
    settings.attendance = Attendance::Attended {
        start: Start::AtOnce,
        mark_every: Span::from_millis(5),
        stall,
    };
    let mut node = Attendant::start(settings);
    let call = |command| Request::Call { call: 1, command };
    assert!(matches!(node.line(), Line::Booted { .. }));
    obstruct(&data);
    let begun = monotonic();
    node.ask(&call(Wish::Persist));
    node.ask(&call(Wish::Claims(1, 1)));
    for _ in 0..2 {
        assert!(matches!(node.line(), Line::Call { .. }));
    }
    // All that the node does meanwhile is wait.
    let mut last = Span::ZERO;
    for _ in 0..3 {
        let Line::Stalled { at, by } = node.line() else {
            panic!("it is held up")
        };
        assert!(by > last + stall && by <= at.since(begun), "{last} and {by}");
        last = by;
    }
    clear(&data);
    let is_done = |line: &Line<Clerk>| matches!(line, Line::Fact { name, .. } if name == "failed");
    let mut lines: Vec<Line<Clerk>> = Vec::new();
    while !lines.last().is_some_and(is_done) {
        lines.push(node.line());
    }
    // It is told before anything that comes of it.
    let Some(Line::Stalled { by, .. }) = lines.iter().nth_back(1) else {
        panic!("it was held up until now")
    };
    assert!(*by > last);
    node.ask(&Request::Stop);
    node.end();
}

#[test]
fn the_end_of_its_requests_stops_an_attended_node_at_once_and_so_does_a_deaf_ear() {
    for start in [Start::AtOnce, Start::WhenTold] {
        let node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(start)));
        drop(node.requests);
        assert_eq!(node.thread.join().unwrap().unwrap().how, Stop::AtOnce);
    }
    let node = Attendant::start(settings(Ipv4Addr::LOCALHOST, attended(Start::AtOnce)));
    // The next mark cannot be written.
    drop(node.lines);
    assert_eq!(node.thread.join().unwrap().unwrap().how, Stop::AtOnce);
    drop(node.requests);
}

#[test]
fn lines_that_cannot_be_kept_are_an_error_at_the_start() {
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.lines = Some("/proc/lines".into());
    let why = Alone::start(settings).ends().unwrap_err().to_string();
    assert!(why.starts_with("lines cannot be written to /proc/lines"), "{why}");
}
