//! What a flight recorder costs: an echo server that answers datagrams, driven with and without a recorder, in turns.
//!
//! `cargo run --release -p squall-live --example recording_cost`, with a folder as its argument if the recordings are to be somewhere
//! else than in the system's folder for temporary files. It prints the median over the rounds.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use squall_live::record::FlightRecorder;
use squall_live::run::{Boot, Recorder};
use squall_live::settings::{Attendance, Bounds, Record, Settings, Streams, WhenFull};
use squall_nodes::echo::{Echo, EchoNode, Role};
use squall_nodes::{
    Delivery, Effects, HostId, HostKey, Ids, Input, Node, NodeRng, Outbox, Placed, Protocol, Time, Transport,
    Unwitnessed, drive,
};

const ROUNDS: usize = 41;
const INPUTS: u64 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| folder.path().to_owned(), PathBuf::from);
    let settings = settings(folder);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for round in 0..ROUNDS {
        without.push(round_of(&settings, &mut Unwitnessed, round)?);
        let mut recorder = FlightRecorder::new();
        with.push(round_of(&settings, &mut recorder, round)?);
        let path = recorder.recording().ok_or("it does not record")?;
        bytes = std::fs::metadata(path)?.len();
    }
    let (without, with) = (median(&mut without), median(&mut with));
    println!("unrecorded  {without:7.0} ns an input");
    println!("recorded    {with:7.0} ns an input");
    println!("recording   {:7.1} bytes an input", bytes as f64 / INPUTS as f64);
    Ok(())
}

/// Nanoseconds an input.
fn round_of(
    settings: &Settings<EchoNode>,
    recorder: &mut impl Recorder<EchoNode>,
    round: usize,
) -> Result<f64, Box<dyn Error>> {
    let boot = Boot {
        settings,
        incarnation: round as u32,
        seed: 1,
        disk: None,
        at: Time::ZERO,
    };
    recorder.boots(&boot)?;
    let placed = &settings.placed;
    let rng = NodeRng::new(1, HostKey::of(&placed.name), round as u32);
    let mut feed = Feed {
        node: EchoNode::boot(&placed.role, &placed.config, None, rng),
        ids: Ids::default(),
        left: INPUTS,
        question: *b"?0000000\x01",
    };
    let mut outbox = Outbox::new();
    let begun = Instant::now();
    drive(&mut feed, &mut outbox, recorder);
    Ok(begun.elapsed().as_nanos() as f64 / INPUTS as f64)
}

fn median(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Questions, one after the other, and nobody who gets the answers.
struct Feed {
    node: EchoNode,
    ids: Ids,
    left: u64,
    question: [u8; 9],
}

impl Transport<EchoNode> for Feed {
    fn receive(&mut self) -> Option<Delivery<'_, EchoNode>> {
        self.left = self.left.checked_sub(1)?;
        let at = |port| std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
        Some(Delivery {
            host: HostId(0),
            incarnation: 0,
            now: Time::from_nanos(77_000_000_000_000 + (INPUTS - self.left) * 1_000_000),
            node: &mut self.node,
            ids: &mut self.ids,
            input: Input::Datagram {
                on: at(7),
                from: at(7_000),
                bytes: &self.question,
            },
        })
    }

    fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, EchoNode>) {
        effects.for_each(drop);
    }
}

fn settings(folder: PathBuf) -> Settings<EchoNode> {
    Settings {
        protocol: Echo::NAME.to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: "s".to_owned(),
            ip: std::net::Ipv4Addr::LOCALHOST,
            role: Role::Server,
            config: Echo::config("default", "Standard"),
        },
        data: None,
        seed: Some(1),
        record: Some(Record {
            folder,
            bound: 1 << 30,
            when_full: WhenFull::Rotate,
            keep: 1,
        }),
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Alone,
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}
