//! The nodes of these tests: each does what it is asked, and everything that it is told of connections can be waited for.
//!
//! Nobody sleeps. A test that waits in vain gives up after a minute, which says nothing of how fast anything is.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_live::line::Counts;
use squall_live::settings::{Attendance, Bounds, Streams};
use squall_live::{
    Boot, Ended, FlightRecorder, Gauge, Handle, LiveError, Policy, Recorder, Reply, Request, Settings,
    Status, Stop, door, run,
};
use squall_nodes::{
    CallId, Closed, ConnId, Describe, Effects, HostId, Input, InvariantKind, Node, NodeRng, Outbox, Placed,
    Protocol, Span, StreamEvent, Time, Timer, Witness,
};
use tokio::runtime::Runtime;

/// After how long a test gives up.
const FOREVER: Duration = Duration::from_secs(60);

/// A port that anybody may have.
pub(crate) const PORT: u16 = 6_000;

/// A node that does what it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Talker;

/// What it is asked, in order, within one input.
pub(crate) type Wishes = Vec<Wish>;

/// One thing that is asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// A port for datagrams, of which nothing is passed on.
    Bind(u16),
    Listen(u16),
    /// It answers with the connection's number.
    Dial(SocketAddrV4),
    /// Dials, writes and closes, all at once.
    DialWriteClose(SocketAddrV4, Vec<u8>),
    Write(u64, Vec<u8>),
    /// So many bytes of [`pattern`].
    WriteMuch(u64, usize),
    Pause(u64),
    Resume(u64),
    Close(u64),
    Persist,
    Arm(Time),
}

/// The protocol of these tests.
pub(crate) struct Talks;

impl Protocol for Talks {
    const NAME: &'static str = "talker";
    const ABOUT: &'static str = "nodes that do what they are asked";
    type Node = Talker;

    fn config(_: &str, _: &str) {}

    fn invariants() -> Vec<InvariantKind<Talker>> {
        Vec::new()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Lengths;
        impl Describe for Lengths {
            fn datagram(&mut self, _: SocketAddrV4, _: SocketAddrV4, bytes: &[u8]) -> String {
                format!("{} bytes", bytes.len())
            }
        }
        Box::new(Lengths)
    }
}

squall_nodes::facts! {
    /// What a talker claims.
    pub(crate) enum Claim {
        /// Its alarm went off.
        "rang" => Rang,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bell;

impl Timer for Bell {
    fn code(&self) -> u64 {
        1
    }
}

impl Node for Talker {
    type Role = ();
    type Config = ();
    type Command = Wishes;
    type Answer = u64;
    type Timer = Bell;
    type Fact = Claim;

    fn boot((): &(), (): &(), _: Option<&[u8]>, _: NodeRng) -> Self {
        Talker
    }

    fn handle(&mut self, _: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { call, command } => {
                let mut answer = 0;
                for wish in command {
                    fulfil(wish, &mut answer, out);
                }
                out.answer(CallId(call.0), answer);
            }
            Input::Timer(Bell) => out.claim(Claim::Rang),
            _ => {}
        }
    }
}

fn fulfil(wish: &Wish, answer: &mut u64, out: &mut Outbox<Talker>) {
    match wish {
        Wish::Bind(port) => out.bind(*port),
        Wish::Listen(port) => out.listen(*port),
        Wish::Dial(to) => *answer = out.dial(*to).0,
        Wish::DialWriteClose(to, bytes) => {
            let conn = out.dial(*to);
            let payload = out.payload(bytes);
            out.write(conn, payload);
            out.close(conn);
        }
        Wish::Write(conn, bytes) => {
            let payload = out.payload(bytes);
            out.write(ConnId(*conn), payload);
        }
        Wish::WriteMuch(conn, len) => {
            let payload = out.payload(&pattern(*len));
            out.write(ConnId(*conn), payload);
        }
        Wish::Pause(conn) => out.pause_reading(ConnId(*conn)),
        Wish::Resume(conn) => out.resume_reading(ConnId(*conn)),
        Wish::Close(conn) => out.close(ConnId(*conn)),
        Wish::Persist => {
            out.persist(b"state");
        }
        Wish::Arm(at) => out.arm(Bell, *at),
    }
}

/// Bytes that are not to be mistaken for others.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 31 % 251) as u8).collect()
}

/// What a node was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Opened(u64),
    Accepted(u64, u16, SocketAddrV4),
    Bytes(u64, Vec<u8>),
    Blocked(u64),
    Writable(u64),
    Closed(u64, Closed),
    Rang,
    Persisted,
    PersistFailed,
}

/// Passes on what a node is told, after it was recorded, if it is to be.
struct Ear {
    tell: Sender<Heard>,
    wants: fn(&[u8]) -> bool,
    recorder: Option<FlightRecorder>,
}

impl Witness<Talker> for Ear {
    fn told(&mut self, host: HostId, incarnation: u32, now: Time, input: &Input<'_, Talker>) {
        self.recorder.told(host, incarnation, now, input);
    }

    fn handled(
        &mut self,
        host: HostId,
        incarnation: u32,
        now: Time,
        input: &Input<'_, Talker>,
        effects: &Effects<'_, Talker>,
    ) {
        self.recorder.handled(host, incarnation, now, input, effects);
        let heard = match input {
            Input::Stream { conn, event } => match *event {
                StreamEvent::Opened => Heard::Opened(conn.0),
                StreamEvent::Accepted { port, from } => Heard::Accepted(conn.0, port, from),
                StreamEvent::Bytes(bytes) if !(self.wants)(bytes) => return,
                StreamEvent::Bytes(bytes) => Heard::Bytes(conn.0, bytes.to_vec()),
                StreamEvent::Blocked => Heard::Blocked(conn.0),
                StreamEvent::Writable => Heard::Writable(conn.0),
                StreamEvent::Closed(how) => Heard::Closed(conn.0, how),
            },
            Input::Timer(Bell) => Heard::Rang,
            Input::Persisted(_) => Heard::Persisted,
            Input::PersistFailed(_) => Heard::PersistFailed,
            _ => return,
        };
        // When the test is over, nobody wants to know.
        let _ = self.tell.send(heard);
    }
}

impl Recorder<Talker> for Ear {
    fn boots(&mut self, boot: &Boot<'_, Talker>) -> Result<(), LiveError> {
        match &mut self.recorder {
            Some(recorder) => recorder.boots(boot),
            None => Ok(()),
        }
    }

    fn gauge(&self) -> Gauge {
        Gauge::default()
    }

    fn stopped(&mut self, at: Time) {
        if let Some(recorder) = &mut self.recorder {
            Recorder::<Talker>::stopped(recorder, at);
        }
    }
}

/// A node that runs on a thread of its own, and is stopped when this is dropped.
pub(crate) struct Host {
    pub(crate) ip: Ipv4Addr,
    asker: Handle<Talker>,
    thread: Option<JoinHandle<Result<Ended, LiveError>>>,
    heard: Receiver<Heard>,
    runtime: Runtime,
    /// What came in on each connection and was not looked at.
    pub(crate) bytes: BTreeMap<u64, Vec<u8>>,
    /// What it was told and was not looked at, but bytes.
    others: Vec<Heard>,
    calls: u64,
}

impl Host {
    pub(crate) fn start() -> Self {
        Host::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings<Talker>)) -> Self {
        Host::at(address(), change)
    }

    pub(crate) fn at(ip: Ipv4Addr, change: impl FnOnce(&mut Settings<Talker>)) -> Self {
        Host::hearing(|_| true, ip, change)
    }

    /// One whose bytes are passed on only where the test wants to know of them.
    pub(crate) fn hearing(
        what: fn(&[u8]) -> bool,
        ip: Ipv4Addr,
        change: impl FnOnce(&mut Settings<Talker>),
    ) -> Self {
        let mut settings = settings(ip);
        change(&mut settings);
        let (tell, heard) = channel();
        let mut ear = Ear {
            tell,
            wants: what,
            recorder: settings.record.as_ref().map(|_| FlightRecorder::new()),
        };
        let (asker, door) = door();
        Host {
            ip,
            asker,
            thread: Some(thread::spawn(move || run(settings, door, &mut ear))),
            heard,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime can be made"),
            bytes: BTreeMap::new(),
            others: Vec::new(),
            calls: 0,
        }
    }

    /// A node that accepts connections on the port of these tests.
    pub(crate) fn listening() -> Self {
        let mut host = Host::start();
        host.wish([Wish::Listen(PORT)]);
        host
    }

    pub(crate) fn port(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, PORT)
    }

    /// Asks for all of this in one input, and waits until it is done: what the node answers.
    pub(crate) fn wish(&mut self, wishes: impl Into<Wishes>) -> u64 {
        self.calls += 1;
        let (call, command) = (self.calls, wishes.into());
        let reply = self.runtime.block_on(async {
            let mut replies = self.asker.ask(Request::Call { call, command }).await;
            replies.next().await
        });
        match reply {
            Some(Reply::Answer { answer, .. }) => answer,
            other => panic!("the node does not answer, but {other:?}"),
        }
    }

    /// The same, for what is answered only when something is on the disk.
    pub(crate) fn wish_without_an_answer(&mut self, wishes: impl Into<Wishes>) {
        self.calls += 1;
        let (call, command) = (self.calls, wishes.into());
        self.runtime
            .block_on(self.asker.ask(Request::Call { call, command }));
    }

    /// Opens a connection to another node, and gives both ends' numbers.
    pub(crate) fn connect(&mut self, to: &mut Host) -> (u64, u64) {
        let here = self.wish([Wish::Dial(to.port())]);
        self.hear(&Heard::Opened(here));
        let ip = self.ip;
        let there = to.hear_that("a connection", |heard| match heard {
            Heard::Accepted(conn, PORT, from) if *from.ip() == ip => Some(*conn),
            _ => None,
        });
        (here, there)
    }

    pub(crate) fn hear(&mut self, what: &Heard) {
        self.hear_that(&format!("{what:?}"), |heard| (heard == what).then_some(()));
    }

    /// Waits until the node is told something, which is forgotten then.
    pub(crate) fn hear_that<T>(&mut self, what: &str, is_it: impl Fn(&Heard) -> Option<T>) -> T {
        loop {
            let found = self.others.iter().enumerate();
            if let Some((place, found)) = found
                .filter_map(|(place, heard)| Some((place, is_it(heard)?)))
                .next()
            {
                self.others.remove(place);
                return found;
            }
            self.take_in(what);
        }
    }

    /// Waits for so many bytes of a connection, which are forgotten then.
    pub(crate) fn read(&mut self, conn: u64, len: usize) -> Vec<u8> {
        loop {
            let bytes = self.bytes.entry(conn).or_default();
            if bytes.len() >= len {
                return bytes.drain(..len).collect();
            }
            let come = bytes.len();
            self.take_in(&format!("{len} bytes of {conn}, of which {come} have come"));
        }
    }

    fn take_in(&mut self, what: &str) {
        let heard = self.heard.recv_timeout(FOREVER);
        match heard.unwrap_or_else(|_| panic!("still waiting for {what}; unexpected: {:?}", self.others)) {
            Heard::Bytes(conn, bytes) => {
                assert!(!bytes.is_empty(), "nothing is no bytes");
                self.bytes.entry(conn).or_default().extend(bytes);
            }
            other => self.others.push(other),
        }
    }

    /// Everything that was told so far and not looked at, but bytes. What the node is told before this is asked for is among it.
    pub(crate) fn so_far(&mut self) -> Vec<Heard> {
        self.wish([]);
        while let Ok(heard) = self.heard.try_recv() {
            match heard {
                Heard::Bytes(conn, bytes) => self.bytes.entry(conn).or_default().extend(bytes),
                other => self.others.push(other),
            }
        }
        std::mem::take(&mut self.others)
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.runtime.block_on(self.asker.status());
        status.expect("the node runs")
    }

    /// Waits until the status is as it should be.
    pub(crate) fn is_in_time(&self, what: &str, is_it: impl Fn(&Status) -> bool) -> Status {
        let begun = std::time::Instant::now();
        loop {
            let status = self.status();
            if is_it(&status) {
                return status;
            }
            assert!(begun.elapsed() < FOREVER, "still waiting for {what}: {status:#?}");
            thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    pub(crate) fn apply(&self, policy: Policy) {
        let applied = self.runtime.block_on(self.asker.apply(policy));
        applied.expect("the node runs");
    }

    /// How it ends without being told to.
    pub(crate) fn ends(mut self) -> Result<Ended, LiveError> {
        self.thread.take().expect("it runs").join().expect("no panic")
    }

    pub(crate) fn stop(self, how: Stop) -> Counts {
        self.asker.stop(how);
        self.ends().expect("it was told to stop").counts
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.asker.stop(Stop::AtOnce);
    }
}

pub(crate) fn settings(ip: Ipv4Addr) -> Settings<Talker> {
    Settings {
        protocol: "talker".to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: "t".to_owned(),
            ip,
            role: (),
            config: (),
        },
        data: None,
        seed: Some(1),
        record: None,
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Alone,
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}

/// An address on the loopback network that nobody else in this process has, and as good as certainly no other process.
pub(crate) fn address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
    assert!(taken < 254, "there are no more addresses");
    let block = (std::process::id() % (1 << 14)) << 8 | (taken + 1);
    Ipv4Addr::from_bits(u32::from_be_bytes([127, 128, 0, 0]) + block)
}
