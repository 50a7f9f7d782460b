//! What this machine takes: two live nodes on loopback addresses send each other datagrams through the same transport as every live node,
//! look how late their timers go off, and write to their disks.
//!
//! Nodes are idle most of the time, and a process that has been idle wakes up later than one that had been at work a moment ago: the longer,
//! the later, as a processor falls asleep. So between two datagrams a node has nothing to do for 5 to 300 milliseconds, and of each timer
//! it is known for how long the node had been idle. It is attended as the hosts of a live run are, and woken by its marks as they are.
//!
//! Each node runs on a thread of its own with its own sockets, clock and durable file, as it would in a process. A policy is in force at both
//! edges that delays every datagram, so that what a delay takes beyond its law is part of what is measured. How late processes boot is
//! measured of real ones: [`Staged::boots`](crate::Staged::boots).

use std::io::{self, PipeWriter};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use squall_live::settings::{Attendance, Bounds, Start, Streams};
use squall_live::{Door, Handle, LiveError, Policy, Reply, Request, Settings, Stop, Wires};
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;
use squall_nodes::{Placed, Span, Unwitnessed};
use squall_sim::machine::{Boots, Machine};

use self::probe::{Config, Measure, Probe, Readings};
use crate::claim::Claim;
use crate::clock;
use crate::crew::MARK_EVERY;
use crate::door::StageError;

mod probe;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How many datagrams each of the two nodes sends, 77 milliseconds apart on average, so that as many of its timers go off; at least 1.
    pub datagrams: u32,
    /// How many writes each does, one after the other; at least 1. They end after [`LONGEST_WRITING`] too.
    pub writes: u32,
}

impl Effort {
    /// About how long it takes.
    pub fn about(self) -> Span {
        probe::MEAN_PAUSE * u64::from(self.datagrams) + LONGEST_WRITING
    }
}

impl Default for Effort {
    /// Three hundred datagrams and timers, and up to six hundred writes, of two nodes: it takes some fourteen seconds.
    fn default() -> Self {
        Effort {
            datagrams: 150,
            writes: 300,
        }
    }
}

/// After how long a node is done with writing, however many writes that were.
pub const LONGEST_WRITING: Span = Span::from_secs(2);
/// What every link is to take by its law while it is measured; it is taken off again.
const LAW: Span = Span::from_millis(2);
/// A stall is part of what is measured, and told to nobody.
const NO_STALL: Span = Span::from_secs(60);
/// The port of both nodes.
const PORT: u16 = 7400;
/// What the folders are called in which it is measured what writes take: this, and what is drawn for each.
pub(crate) const PREFIX: &str = "squall-measure-";
/// What the folder of each node is called there: this, and its place.
pub(crate) const OF_NODE: &str = "probe";
/// How many pairs of addresses are tried.
const TRIES: u32 = 8;

/// Measures what this machine takes. The durable files are written to new folders in `folder`, which are removed again. It takes a few
/// seconds, and is given up once `stop` is true.
///
/// # Errors
///
/// That a node could not run, or that it was stopped.
pub fn machine(
    folder: &Path,
    effort: Effort,
    stop: &AtomicBool,
    progress: &dyn Fn(Span),
) -> Result<Machine, StageError> {
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(folder)
        .map_err(|why| StageError::system("make a folder to measure writes in", why))?;
    // A cleaning leaves it alone for as long as this process runs.
    let _claim = Claim::of_own(folder.path())
        .map_err(|why| StageError::system("claim the folder to measure writes in", why))?;
    let mut taken = None;
    for attempt in 0..TRIES {
        match with(pair(attempt), folder.path(), effort, stop, progress) {
            Err(Failed::Taken(why)) => taken = Some(why),
            Err(Failed::Otherwise(why)) => return Err(why),
            Ok(machine) => return Ok(machine),
        }
    }
    let why = taken.map_or_else(String::new, |why| why.to_string());
    Err(StageError::system(
        "find two loopback addresses with a free port",
        why,
    ))
}

/// Why it was not measured.
enum Failed {
    /// A port is in use: other addresses may do.
    Taken(LiveError),
    Otherwise(StageError),
}

/// Two loopback addresses that no other process is likely to have.
fn pair(attempt: u32) -> [Ipv4Addr; 2] {
    let seed = std::process::id()
        .wrapping_mul(0x9e37_79b9)
        .wrapping_add(attempt.wrapping_mul(0x85eb_ca6b));
    let [high, low, ..] = seed.to_be_bytes();
    [1, 2].map(|last| Ipv4Addr::new(127, high | 1, low, last))
}

fn with(
    ips: [Ipv4Addr; 2],
    folder: &Path,
    effort: Effort,
    stop: &AtomicBool,
    progress: &dyn Fn(Span),
) -> Result<Machine, Failed> {
    let other = |why: String| Failed::Otherwise(StageError::system("measure this machine", why));
    let (handles, doors): (Vec<_>, Vec<_>) = ips.iter().map(|_| squall_live::door::<Probe>()).unzip();
    thread::scope(|scope| {
        let (mut running, mut attended) = (Vec::new(), Vec::new());
        for (place, door) in doors.into_iter().enumerate() {
            let settings = settings(place, ips, folder, effort);
            let door = match attend(door) {
                Ok((door, attendant)) => {
                    attended.push(attendant);
                    door
                }
                Err(why) => {
                    handles.iter().for_each(|handle| handle.stop(Stop::AtOnce));
                    return Err(other(why.to_string()));
                }
            };
            let run = move || squall_live::run(settings, door, &mut Unwitnessed);
            match thread::Builder::new()
                .name(format!("probe {place}"))
                .spawn_scoped(scope, run)
            {
                Ok(thread) => running.push(thread),
                Err(why) => {
                    handles.iter().for_each(|handle| handle.stop(Stop::AtOnce));
                    return Err(other(why.to_string()));
                }
            }
        }
        let readings = readings(&handles, stop, progress);
        handles.iter().for_each(|handle| handle.stop(Stop::AtOnce));
        for thread in running {
            match thread.join() {
                Ok(Ok(_)) => {}
                Ok(Err(why @ LiveError::Port { .. })) => return Err(Failed::Taken(why)),
                Ok(Err(why)) => return Err(other(why.to_string())),
                Err(_) => return Err(other("a node panicked".to_owned())),
            }
        }
        let mut machine = Machine {
            delay: Vec::new(),
            lateness: Vec::new(),
            write: Vec::new(),
            boots: Boots::default(),
        };
        for readings in readings.map_err(Failed::Otherwise)? {
            machine
                .delay
                .extend(readings.delays.iter().map(|delay| *delay - LAW));
            machine.lateness.extend(readings.lateness);
            machine.write.extend(readings.writes);
        }
        machine.delay.sort_unstable();
        machine.lateness.sort_unstable();
        machine.write.sort_unstable();
        for (samples, of) in [
            (machine.delay.len(), "datagram came through"),
            (machine.lateness.len(), "timer went off"),
            (machine.write.len(), "write was completed"),
        ] {
            if samples == 0 {
                return Err(other(format!("no {of}")));
            }
        }
        Ok(machine)
    })
}

/// Has a node speak through pipes, as a process does through its stdin and stdout. Whoever attends it reads what it tells until that ends, and
/// asks nothing, for as long as it is there.
fn attend(door: Door<Probe>) -> io::Result<(Door<Probe>, PipeWriter)> {
    let (requests, attendant) = io::pipe()?;
    let (mut told, lines) = io::pipe()?;
    thread::Builder::new()
        .name("probe's lines".to_owned())
        .spawn(move || io::copy(&mut told, &mut io::sink()))?;
    Ok((door.with_wires(Wires::new(requests, lines)), attendant))
}

fn settings(place: usize, ips: [Ipv4Addr; 2], folder: &Path, effort: Effort) -> Settings<Probe> {
    Settings {
        protocol: "probe".to_owned(),
        rules: String::new(),
        placed: Placed {
            name: format!("{OF_NODE}{place}"),
            ip: ips[place],
            role: (),
            config: Config {
                port: PORT,
                peer: SocketAddrV4::new(ips[1 - place], PORT),
                datagrams: effort.datagrams,
                writes: effort.writes,
            },
        },
        data: Some(folder.join(format!("{OF_NODE}{place}"))),
        seed: None,
        record: None,
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Attended {
            start: Start::AtOnce,
            mark_every: MARK_EVERY,
            stall: NO_STALL,
        },
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}

/// Has both nodes measure at once, and waits for what they read.
fn readings(
    handles: &[Handle<Probe>],
    stop: &AtomicBool,
    progress: &dyn Fn(Span),
) -> Result<Vec<Readings>, StageError> {
    let began = clock::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|why| StageError::system("start a runtime", why))?;
    runtime.block_on(async {
        for handle in handles {
            let delayed = Policy {
                number: 1,
                law: Some(LinkLaw::delaying(Latency::Constant(LAW))),
                ..Policy::default()
            };
            // A node that does not run says why when it is joined.
            if handle.apply(delayed).await.is_err() {
                return Ok(Vec::new());
            }
        }
        let mut waiting = Vec::new();
        for handle in handles {
            let ask = Request::Call {
                call: 1,
                command: Measure,
            };
            waiting.push(handle.ask(ask).await);
        }
        let mut all = Vec::new();
        for mut replies in waiting {
            loop {
                if stop.load(Ordering::Relaxed) {
                    return Err(StageError::Stopped);
                }
                progress(clock::now().since(began));
                match tokio::time::timeout(Duration::from_millis(100), replies.next()).await {
                    Ok(Some(Reply::Answer { answer, .. })) => {
                        all.push(answer);
                        break;
                    }
                    Ok(None | Some(Reply::Refused { .. })) => return Ok(all),
                    // It measures still.
                    Ok(Some(_)) | Err(_) => {}
                }
            }
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_machine_is_measured_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let effort = Effort {
            datagrams: 50,
            writes: 5,
        };
        let told = Cell::new(0);
        let tell = |_| told.set(told.get() + 1);
        let machine = machine(folder.path(), effort, &NEVER, &tell).unwrap();
        // What one has sent last may still be on its way when the other is done.
        assert!(
            (60..=100).contains(&machine.delay.len()),
            "{}",
            machine.delay.len()
        );
        assert_eq!((machine.lateness.len(), machine.write.len()), (100, 10));
        assert!(machine.delay.is_sorted() && machine.lateness.is_sorted() && machine.write.is_sorted());
        // From pauses of 5 ms, cut short by what the other sends, to those of 300 ms.
        let idle = |nth: usize| machine.lateness[nth].idle;
        assert!(
            idle(99) <= Span::from_millis(300) && idle(99) > idle(0),
            "{:?}",
            idle(99)
        );
        assert!(told.get() > 0, "it tells that it goes on");
        assert!(!machine.write[0].is_zero(), "no disk writes in no time");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_is_given_up_when_somebody_wants_it_so() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = machine(folder.path(), Effort::default(), &AtomicBool::new(true), &|_| ());
        assert!(matches!(stopped, Err(StageError::Stopped)), "{stopped:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let refused = machine(
            Path::new("/nonexistent/squall"),
            Effort::default(),
            &NEVER,
            &|_| (),
        );
        assert!(matches!(refused, Err(StageError::System { .. })), "{refused:?}");
    }
}
