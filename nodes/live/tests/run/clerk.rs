//! A node that does what it is asked, and the ways in which the tests run it: alone, and attended.

use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::net::Ipv4Addr;
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};
use squall_live::clock::monotonic;
use squall_live::line::Counts;
use squall_live::settings::{Attendance, Bounds, Start, Streams};
use squall_live::{
    Ended, FlightRecorder, Handle, Line, LiveError, Reply, Request, Settings, Status, Stop, Wires, door, run,
};
use squall_nodes::{CallId, Input, Node, NodeRng, Outbox, Placed, Span, Time, Timer, Unwitnessed};
use tokio::runtime::Runtime;

/// A node that does what it is asked.
#[derive(Clone)]
pub(crate) struct Clerk {
    /// The port that it asks for when it starts.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// An answer, so many times.
    Answers(u32),
    /// So many claims of so many bytes.
    Claims(u32, usize),
    Persist,
    Bind(u16),
    /// Something that is not done live.
    Join,
    /// A timer that goes off in an hour.
    Arm,
    /// It takes this long over it.
    Dawdle(Span),
}

squall_nodes::facts! {
    /// What a clerk claims.
    pub(crate) enum Filed {
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
pub(crate) struct Hour;

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

    /// A `Clerk at 7101` asks for that port when it starts.
    fn boot(role: &String, _: &u8, _: Option<&[u8]>, _: NodeRng) -> Self {
        let port = role.strip_prefix("Clerk at ");
        Clerk {
            port: port.map(|port| port.parse().expect("a port")),
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => self.port.into_iter().for_each(|port| out.bind(port)),
            Input::Command { call, command } => wish(now, call, command, out),
            Input::PersistFailed(_) => out.claim(Filed::Failed),
            _ => {}
        }
    }
}

pub(crate) fn wish(now: Time, call: CallId, wish: &Wish, out: &mut Outbox<Clerk>) {
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
        Wish::Join => out.join("224.0.0.1:5".parse().expect("it is an address")),
        Wish::Arm => out.arm(Hour, now + Span::from_secs(3600)),
        Wish::Dawdle(span) => while monotonic().since(now) < *span {},
    }
}

pub(crate) fn settings(ip: Ipv4Addr, attendance: Attendance) -> Settings<Clerk> {
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

pub(crate) fn attended(start: Start) -> Attendance {
    Attendance::Attended {
        start,
        mark_every: Span::from_millis(5),
        stall: Span::from_secs(3600),
    }
}

pub(crate) type Running = JoinHandle<Result<Ended, LiveError>>;

/// A node on a thread of its own that nobody attends. It stops when this is dropped.
pub(crate) struct Alone {
    pub(crate) asker: Handle<Clerk>,
    pub(crate) thread: Option<Running>,
    pub(crate) runtime: Runtime,
}

impl Alone {
    pub(crate) fn start(settings: Settings<Clerk>) -> Self {
        let (asker, door) = door();
        Alone {
            asker,
            thread: Some(thread::spawn(move || {
                run(settings, door, &mut FlightRecorder::new())
            })),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime can be made"),
        }
    }

    /// Calls, and gives back so many replies.
    pub(crate) fn call(&self, call: u64, command: Wish, replies: usize) -> Vec<Reply<Clerk>> {
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
    pub(crate) fn wish(&self, wish: Wish) {
        self.call(0, wish, 0);
        self.call(0, Wish::Answers(1), 1);
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.runtime.block_on(self.asker.status());
        status.expect("the node runs")
    }

    /// How it ends without being told to.
    pub(crate) fn ends(mut self) -> Result<Ended, LiveError> {
        self.thread.take().expect("it runs").join().expect("no panic")
    }

    pub(crate) fn stop(self, how: Stop) -> Ended {
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
pub(crate) struct Attendant {
    pub(crate) requests: PipeWriter,
    pub(crate) lines: BufReader<PipeReader>,
    pub(crate) thread: Running,
}

impl Attendant {
    pub(crate) fn start(settings: Settings<Clerk>) -> Self {
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

    pub(crate) fn ask(&mut self, request: &Request<Clerk>) {
        let text = serde_json::to_string(request).expect("requests are JSON");
        writeln!(self.requests, "{text}").expect("it reads its requests");
    }

    /// What the next mark has counted.
    pub(crate) fn mark(&mut self) -> Counts {
        loop {
            let mut text = String::new();
            self.lines.read_line(&mut text).expect("it writes lines");
            if let Line::<Clerk>::Mark { counts, .. } = serde_json::from_str(&text).expect("a line") {
                return counts;
            }
        }
    }

    /// The next line that is not a mark.
    pub(crate) fn line(&mut self) -> Line<Clerk> {
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

    pub(crate) fn end(self) -> Ended {
        self.thread
            .join()
            .expect("no panic")
            .expect("it was told to stop")
    }
}
