//! A node that is killed at any moment: its durable file is the old one or the new one, whole; the next life is another one; and whatever
//! others know of it, it has told.
//!
//! The child is this program once more: a live node that persists one number after the other, and claims and sends each when it is on
//! the disk. Its parent kills it at moments that nobody has chosen, and starts it again on the same folder.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use squall_live::settings::{Attendance, Bounds, Start, Streams};
use squall_live::{Line, Settings};
use squall_nodes::{Input, Node, NodeRng, Outbox, Placed, Span, Time, Timer, Unwitnessed};

/// How often it is killed.
const LIVES: u32 = 60;
/// The word by which the child knows that it is one.
const CHILD: &str = "be-killed";

fn main() {
    let mut words = std::env::args().skip(1);
    match (words.next(), words.next(), words.next()) {
        (Some(word), Some(folder), Some(port)) if word == CHILD => be_killed(Path::new(&folder), &port),
        _ => {
            a_node_that_is_killed_at_any_moment_leaves_the_old_contents_or_the_new();
            println!("killed {LIVES} times, and never a damaged file, a lost fact or a life twice");
        }
    }
}

fn a_node_that_is_killed_at_any_moment_leaves_the_old_contents_or_the_new() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let heard = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    heard.set_nonblocking(true).expect("a socket can be set");
    let port = heard.local_addr().expect("it is bound").port();
    // The last number that was told to be on the disk.
    let mut told = 0;
    let mut landed_on_new = 0;
    for life in 0..LIVES {
        let mut child = Killed(start(folder.path(), port));
        let stdout = child.0.stdout.take().expect("it has a stdout");
        let mut lines = BufReader::new(stdout);
        // A few writes, and a moment of the next one that nobody knows: the machine's own.
        for _ in 0..2 + life * 7 % 23 {
            take(&mut lines, life, &mut told, &mut landed_on_new);
        }
        for spin in 0..life * 7919 % 40_000 {
            std::hint::black_box(spin);
        }
        child.0.kill().expect("it can be killed");
        child.0.wait().expect("it ends");
        // What it had written is still in the pipe; a last line may be cut off.
        let mut rest = String::new();
        lines.read_to_string(&mut rest).expect("it is text");
        let whole = rest.rfind('\n').map_or("", |end| &rest[..=end]);
        let mut whole = BufReader::new(whole.as_bytes());
        while !whole.fill_buf().expect("it is in memory").is_empty() {
            take(&mut whole, life, &mut told, &mut landed_on_new);
        }
        let mut bytes = [0; 8];
        while let Ok((8, SocketAddr::V4(_))) = heard.recv_from(&mut bytes) {
            let number = u64::from_le_bytes(bytes);
            assert!(
                number <= told,
                "others know of {number}, and the node has told of {told}"
            );
        }
    }
    assert!(told > u64::from(LIVES), "{told}");
    println!("{landed_on_new} of {LIVES} lives found a number that had not been told yet");
}

/// Takes in a line, and holds it against what is known.
fn take(lines: &mut impl BufRead, life: u32, told: &mut u64, landed_on_new: &mut u32) {
    let mut text = String::new();
    lines.read_line(&mut text).expect("the child writes lines");
    assert!(!text.is_empty(), "the child of life {life} has ended by itself");
    match serde_json::from_str::<Line<Counter>>(&text).expect("it writes JSON") {
        Line::Booted { incarnation, .. } => assert_eq!(incarnation, life),
        Line::Fact {
            fact: Counted::Found { number },
            ..
        } => {
            assert!(
                (*told..=*told + 1).contains(&number),
                "{told} was told, and {number} is found"
            );
            *landed_on_new += u32::from(number > *told);
            *told = number;
        }
        Line::Fact {
            fact: Counted::Kept { number },
            ..
        } => {
            assert_eq!(number, *told + 1, "in life {life}");
            *told = number;
        }
        Line::Fact {
            fact: Counted::Damaged,
            ..
        } => panic!("the durable file was neither the old nor the new one in life {life}"),
        _ => {}
    }
}

fn start(folder: &Path, port: u16) -> Child {
    let itself = std::env::current_exe().expect("it runs");
    Command::new(itself)
        .arg(CHILD)
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started once more")
}

/// A child that is killed whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // When it is gone already, that is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn be_killed(folder: &Path, port: &str) {
    let settings = Settings {
        protocol: "counter".to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: "child".to_owned(),
            ip: Ipv4Addr::LOCALHOST,
            role: (),
            config: port.parse().expect("it is a port"),
        },
        data: Some(folder.to_owned()),
        seed: None,
        record: None,
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Attended {
            start: Start::AtOnce,
            mark_every: Span::from_millis(50),
            stall: Span::from_secs(60),
        },
        bounds: Bounds::default(),
        streams: Streams::default(),
    };
    let (_, door) = squall_live::door::<Counter>();
    let ended = squall_live::run(settings, door, &mut Unwitnessed);
    panic!("it should have been killed: {:?}", ended.map(|ended| ended.how));
}

/// It persists 1, 2, 3, …, and claims and sends each when it is told that it is on the disk.
#[derive(Clone)]
struct Counter {
    number: u64,
    port: u16,
    found: Counted,
}

squall_nodes::facts! {
    /// What a counter claims.
    enum Counted {
        /// It is on the disk.
        "kept" => Kept {
            /// Which.
            number: u64,
        },
        /// It was on the disk when it booted.
        "found" => Found {
            /// Which.
            number: u64,
        },
        /// What was on the disk is no number that was ever written.
        "damaged" => Damaged,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct NoTimer;

impl Timer for NoTimer {
    fn code(&self) -> u64 {
        0
    }
}

impl Counter {
    /// A number takes 8 bytes or many, so that the file changes its size.
    fn written(number: u64) -> Vec<u8> {
        number.to_le_bytes().repeat(1 + number as usize * 379 % 4000)
    }

    fn persist(&self, out: &mut Outbox<Self>) {
        out.persist(&Self::written(self.number + 1));
    }
}

impl Node for Counter {
    type Role = ();
    type Config = u16;
    type Command = ();
    type Answer = ();
    type Timer = NoTimer;
    type Fact = Counted;

    fn boot((): &(), port: &u16, disk: Option<&[u8]>, _: NodeRng) -> Self {
        let number = match disk {
            None => Some(0),
            Some(bytes) => bytes
                .first_chunk()
                .map(|number| u64::from_le_bytes(*number))
                .filter(|number| Self::written(*number) == bytes),
        };
        Counter {
            number: number.unwrap_or(0),
            port: *port,
            found: number.map_or(Counted::Damaged, |number| Counted::Found { number }),
        }
    }

    fn handle(&mut self, _: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => {
                // Any port will do.
                out.bind(0);
                out.claim(self.found.clone());
                self.persist(out);
            }
            Input::Persisted(_) => {
                self.number += 1;
                out.claim(Counted::Kept { number: self.number });
                let payload = out.payload(&self.number.to_le_bytes());
                out.send(0, SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port), payload);
                self.persist(out);
            }
            _ => {}
        }
    }
}
