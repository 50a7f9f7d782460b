//! A small protocol with a known flaw, and a program around it, for the tests of the command line.
//!
//! A beacon beats; keepers listen. Under the `Hasty` rules a keeper that has heard nothing for its patience raises the
//! alarm, though the beacon may only be cut off; under the `Patient` rules it says that it is unsure.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use squall::{App, Exit};
use squall_nodes::{
    Always, Breach, Describe, Fact, Group, HostId, InQuiet, Input, InvariantKind, Judged, Node, NodeRng,
    Outbox, Placed, Protocol, Seen, Setup, Span, Time, Timer, World,
};

/// What the command line came to, and what it said.
pub(crate) struct Said {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command line of the program `watch`, which knows this protocol alone.
pub(crate) fn watch(words: &[&str]) -> Said {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let words = std::iter::once("watch").chain(words.iter().copied());
    let exit = App::new()
        .protocol::<Watch>()
        .run(words, &mut stdout, &mut stderr);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said {
        exit,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// A folder that is gone when the test is over.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and says where it is.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The beacon is cut off: hasty keepers raise the alarm.
pub(crate) const FLAW: &str = r#"// The beacon is cut off from its keepers.
// A hasty keeper takes it for dead.
Scenario(
    protocol: "watch",
    hosts: [(name: "b", role: Beacon), (name: "k1..k2", role: Keeper)],
    timeline: [At("2s", Partition([["b"], ["k1", "k2"]])), At("4s", HealAll)],
    limit: "8s",
    expect: { Hasty: Violated("watch.true_alarm"), Patient: Held },
    tags: ["flaw"],
    seed: 7,
)
"#;

/// Nothing happens.
pub(crate) const CALM: &str = r#"Scenario(
    protocol: "watch",
    hosts: [(name: "b", role: Beacon), (name: "k", role: Keeper)],
    limit: "5s",
    expect: Held,
    tags: ["calm"],
)
"#;

/// The protocol.
pub(crate) struct Watch;

impl Protocol for Watch {
    const NAME: &'static str = "watch";
    const RULES: &'static [&'static str] = &["Hasty", "Patient"];
    const ABOUT: &'static str = "keepers listen to a beacon";
    type Node = Watcher;

    fn config(_profile: &str, rules: &str) -> Config {
        Config {
            interval: Span::from_millis(100),
            patience: Span::from_millis(950),
            alarms: rules == "Hasty",
            fuse: 0,
            leaks: false,
            keepers: Vec::new(),
        }
    }

    fn assemble(hosts: &mut [Placed<Watcher>]) -> Result<(), Vec<squall_nodes::Misfit>> {
        let keepers: Vec<SocketAddrV4> = hosts
            .iter()
            .filter(|host| matches!(host.role, Role::Keeper))
            .map(|host| SocketAddrV4::new(host.ip, PORT))
            .collect();
        for host in hosts {
            host.config.keepers.clone_from(&keepers);
        }
        Ok(())
    }

    fn invariants() -> Vec<InvariantKind<Watcher>> {
        vec![
            InvariantKind::always(
                "true_alarm",
                "The alarm is raised only when the beacon is down.",
                TrueAlarm::new,
            ),
            InvariantKind::in_quiet(
                "heard",
                "Every keeper that is left in peace with the beacon hears it.",
                |setup| setup.hosts[0].config.patience * 3,
                Heard::new,
            ),
        ]
    }

    fn shortest_timeout(config: &Config) -> Span {
        config.patience
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Plain)
    }
}

const PORT: u16 = 7;

/// The alarms of keepers that leak: what is kept from run to run makes a node that is not deterministic.
static ALARMS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    Beacon,
    Keeper,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    interval: Span,
    patience: Span,
    alarms: bool,
    /// At which beat a keeper panics; 0 for never.
    fuse: u64,
    /// Whether an alarm counts the alarms of the whole process, which no node may know of.
    leaks: bool,
    keepers: Vec<SocketAddrV4>,
}

squall_nodes::facts! {
    /// What keepers claim.
    pub(crate) enum WatchFact {
        /// It hears the beacon.
        "hearing" => Hearing,
        /// It takes the beacon for dead.
        "alarm" => Alarm { beats: u64 },
        /// It does not know.
        "unsure" => Unsure,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Alarm {
    Beat,
    Silence,
}

impl Timer for Alarm {
    fn code(&self) -> u64 {
        *self as u64
    }
}

/// Either role.
#[derive(Clone)]
pub(crate) struct Watcher {
    role: Role,
    config: Config,
    beats: u64,
    hears: bool,
}

impl Node for Watcher {
    type Role = Role;
    type Config = Config;
    type Command = ();
    type Answer = ();
    type Timer = Alarm;
    type Fact = WatchFact;

    fn boot(role: &Role, config: &Config, _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        Watcher {
            role: role.clone(),
            config: config.clone(),
            beats: 0,
            hears: false,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&self.role, input) {
            (Role::Beacon, Input::Start) => {
                out.bind(PORT);
                out.arm(Alarm::Beat, now + self.config.interval);
            }
            (Role::Beacon, Input::Timer(Alarm::Beat)) => {
                self.beats += 1;
                let beat = out.payload(&self.beats.to_le_bytes());
                for keeper in &self.config.keepers {
                    out.send(PORT, *keeper, beat);
                }
                out.arm(Alarm::Beat, now + self.config.interval);
            }
            (Role::Keeper, Input::Start) => {
                out.bind(PORT);
                out.arm(Alarm::Silence, now + self.config.patience);
            }
            (Role::Keeper, Input::Datagram { .. }) => {
                self.beats += 1;
                assert!(self.beats != self.config.fuse, "the fuse blew");
                if !self.hears {
                    out.claim(WatchFact::Hearing);
                }
                self.hears = true;
                out.arm(Alarm::Silence, now + self.config.patience);
            }
            (Role::Keeper, Input::Timer(Alarm::Silence)) => {
                self.hears = false;
                let beats = if self.config.leaks {
                    ALARMS.fetch_add(1, Ordering::Relaxed)
                } else {
                    self.beats
                };
                let alarm = WatchFact::Alarm { beats };
                out.claim(if self.config.alarms {
                    alarm
                } else {
                    WatchFact::Unsure
                });
            }
            // Nothing else is ever asked for.
            _ => {}
        }
    }
}

#[derive(Clone)]
struct TrueAlarm {
    beacons: Vec<HostId>,
}

impl TrueAlarm {
    fn new(setup: &Setup<'_, Watcher>) -> Self {
        TrueAlarm {
            beacons: beacons(setup),
        }
    }
}

impl Always<Watcher> for TrueAlarm {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, Watcher>, world: &World) -> Result<Judged, Breach> {
        let Seen::Fact {
            host,
            fact: WatchFact::Alarm { .. },
            ..
        } = seen
        else {
            return Ok(Judged::NotConcerned);
        };
        match self.beacons.iter().find(|beacon| world.is_up(**beacon)) {
            Some(beacon) => {
                let detail = format!(
                    "{} raised the alarm while {} was up.",
                    world.name(*host),
                    world.name(*beacon)
                );
                Err(Breach::new(detail, [*beacon, *host]))
            }
            None => Ok(Judged::Yes),
        }
    }
}

#[derive(Clone)]
struct Heard {
    beacons: Vec<HostId>,
    hearing: BTreeMap<HostId, bool>,
}

impl Heard {
    fn new(setup: &Setup<'_, Watcher>) -> Self {
        Heard {
            beacons: beacons(setup),
            hearing: BTreeMap::new(),
        }
    }
}

impl InQuiet<Watcher> for Heard {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, Watcher>, _world: &World) -> Judged {
        match seen {
            Seen::Fact { host, fact, .. } => {
                self.hearing.insert(*host, fact.name() == "hearing");
                Judged::Yes
            }
            _ => Judged::NotConcerned,
        }
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        if !self.beacons.iter().any(|beacon| group.contains(*beacon)) {
            return Ok(Judged::NotConcerned);
        }
        let hears = |host: &HostId| self.beacons.contains(host) || self.hearing.get(host) == Some(&true);
        match group.hosts.iter().find(|host| !hears(host)) {
            Some(deaf) => Err(Breach::new(
                format!("{} hears nothing.", world.name(*deaf)),
                [*deaf],
            )),
            None => Ok(Judged::Yes),
        }
    }
}

fn beacons(setup: &Setup<'_, Watcher>) -> Vec<HostId> {
    let is_beacon = |(_, host): &(usize, &Placed<Watcher>)| matches!(host.role, Role::Beacon);
    setup
        .hosts
        .iter()
        .enumerate()
        .filter(is_beacon)
        .map(|(nth, _)| HostId(nth as u32))
        .collect()
}

struct Plain;

impl Describe for Plain {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        match bytes.first() {
            Some(beat) => format!("BEAT {beat}"),
            None => "nothing".to_owned(),
        }
    }
}
