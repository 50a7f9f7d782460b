//! The second family of storms: everything that can be done to hosts, disks, clocks and links, over one another, at times and at
//! what nodes do.
//!
//! What would keep a group from ever being quiet is healed in the end, so that the promises of quiet are judged too.

use std::fmt::Write;

use proptest::prelude::*;

use super::{Cluster, Speaks, Weather};

/// A storm of the second family.
#[derive(Clone, Debug)]
pub(crate) struct Gale {
    cluster: &'static Cluster,
    /// When the last host starts.
    late_ms: u64,
    seed: u64,
    network: Network,
    machines: Machines,
    gusts: Vec<Gust>,
    ambushes: Vec<Ambush>,
    /// Who is restarted in the end if it is down, by bits.
    revived: u8,
    cuts_in_the_end: Cuts,
}

/// What the network is like all the time; within what is tolerated.
#[derive(Clone, Debug)]
struct Network {
    latency: &'static str,
    /// In percent, as the next ones.
    loss: u8,
    corrupt: u8,
    duplicate: u8,
    reorder: u8,
    bandwidth: Option<&'static str>,
    /// Between the hosts at even and at odd places.
    zones: Option<&'static str>,
}

/// What the machines are like all the time.
#[derive(Clone, Debug)]
struct Machines {
    persist: Option<&'static str>,
    /// The largest datagram of a node, in bytes.
    mtu: Option<u16>,
    /// How far the clock of each host is ahead, and by how many millionths it is fast; no more than is tolerated.
    clocks: [(u64, i32); 7],
}

/// What becomes of cuts that are there in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cuts {
    /// They stay, unless they come and go.
    Stay,
    Healed,
}

/// One thing that a storm does; hosts are by their place, sets of hosts by their bits.
#[derive(Clone, Debug)]
struct Gust {
    after_ms: u64,
    what: What,
    host: usize,
    set: u8,
    other_set: u8,
    /// How bad it is.
    force: u64,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Kill,
    PowerCut,
    Restart(&'static str),
    Pause,
    Resume,
    Jump,
    Partition,
    OneWay,
    Bridge,
    Ring,
    Flap,
    Link,
    Slow,
    SlowDisk,
    FailingDisk,
    Drift,
    Heal,
    HealAll,
}

/// A crash at something that a node does, and its return.
#[derive(Clone, Debug)]
struct Ambush {
    cue: &'static str,
    host: usize,
    nth: u32,
    how: &'static str,
    back_after_ms: u64,
    disk: &'static str,
}

const LATENCIES: &[&str] = &[
    r#"Uniform("1ms", "10ms")"#,
    r#"Constant("2ms")"#,
    r#"Normal(mean: "10ms", deviation: "3ms")"#,
    r#"LogNormal(median: "5ms", sigma: 0.5)"#,
    r#"Exponential(mean: "4ms", min: "1ms")"#,
    r#"Pareto(min: "1ms", shape: 2.0)"#,
    r#"Empirical(["1ms", "2ms", "3ms", "20ms"])"#,
];

const LINKS: &[&str] = &[
    "loss: 0.5",
    "loss: 0.2, corrupt: 0.3",
    "corrupt: 1",
    r#"latency: Uniform("50ms", "400ms")"#,
    r#"latency: Pareto(min: "2ms", shape: 1.1)"#,
    "duplicate: 1",
    r#"reorder: 0.5, reorder_by: "500ms""#,
    r#"bandwidth: "20kbit/s", queue: "600B""#,
    "mtu: 120",
    "mtu: 80",
];

/// How a host comes back, ahead of what it finds on its disk.
const DISKS: &[&str] = &["", "", ", Wiped", ", Stale", ", Stale", ", Torn", ", Corrupt"];

/// Draws one over one of the clusters, with ambushes at what is done there.
pub(crate) fn gales(
    clusters: &'static [Cluster],
    cues: &'static [&'static str],
) -> impl Strategy<Value = Gale> {
    let bodies = (
        prop::collection::vec(gusts(), 1..20),
        prop::collection::vec(ambushes(cues), 0..3),
        (any::<u8>(), prop::sample::select(vec![Cuts::Stay, Cuts::Healed])),
    );
    let late_ms = prop_oneof![3 => Just(0), 1 => 0..9000u64];
    (
        (0..clusters.len(), late_ms, any::<u64>()),
        networks(),
        machines(),
        bodies,
    )
        .prop_map(
            move |(
                (cluster, late_ms, seed),
                network,
                machines,
                (gusts, ambushes, (revived, cuts_in_the_end)),
            )| {
                Gale {
                    cluster: &clusters[cluster],
                    late_ms,
                    seed,
                    network,
                    machines,
                    gusts,
                    ambushes,
                    revived,
                    cuts_in_the_end,
                }
            },
        )
}

fn networks() -> impl Strategy<Value = Network> {
    let rarely = |percent| prop_oneof![2 => Just(0), 1 => percent];
    let bandwidth = prop_oneof![
        3 => Just(None),
        1 => Just(Some(r#"bandwidth: "2Mbit/s", queue: "8KiB""#)),
    ];
    let zones = prop_oneof![
        3 => Just(None),
        1 => Just(Some(r#"zones: [(between: ["even", "odd"], latency: Uniform("5ms", "40ms"))]"#)),
    ];
    (
        prop::sample::select(LATENCIES),
        (0..4u8, rarely(0..3u8), rarely(0..10u8), rarely(0..10u8)),
        bandwidth,
        zones,
    )
        .prop_map(
            |(latency, (loss, corrupt, duplicate, reorder), bandwidth, zones)| Network {
                latency,
                loss,
                corrupt,
                duplicate,
                reorder,
                bandwidth,
                zones,
            },
        )
}

fn machines() -> impl Strategy<Value = Machines> {
    let persist = prop_oneof![
        1 => Just(None),
        2 => prop::sample::select(vec![
            Some(r#"Constant("5ms")"#),
            Some(r#"Uniform("0ms", "60ms")"#),
            Some(r#"Exponential(mean: "8ms")"#),
        ]),
    ];
    let mtu = prop_oneof![4 => Just(None), 1 => (64..200u16).prop_map(Some)];
    let clock = (
        prop_oneof![Just(0), 0..100_000u64],
        prop_oneof![Just(0), -1000..=1000],
    );
    (persist, mtu, prop::array::uniform7(clock)).prop_map(|(persist, mtu, clocks)| Machines {
        persist,
        mtu,
        clocks,
    })
}

fn gusts() -> impl Strategy<Value = Gust> {
    use What::{
        Bridge, Drift, FailingDisk, Flap, Heal, HealAll, Jump, Kill, Link, OneWay, Partition, Pause,
        PowerCut, Restart, Resume, Ring, Slow, SlowDisk,
    };
    let whats = vec![
        Kill,
        PowerCut,
        Pause,
        Resume,
        Resume,
        Jump,
        Partition,
        OneWay,
        Bridge,
        Ring,
        Flap,
        Link,
        Link,
        Slow,
        SlowDisk,
        FailingDisk,
        FailingDisk,
        Drift,
        Heal,
        Heal,
        HealAll,
    ];
    let what = prop_oneof![
        5 => prop::sample::select(whats),
        2 => prop::sample::select(DISKS).prop_map(Restart),
    ];
    // Some gusts come while what the one before did is still under way.
    let after_ms = prop_oneof![2 => 1..1500u64, 1 => 1..50u64];
    (after_ms, what, 0..7usize, (1..127u8, any::<u8>()), 0..1000u64).prop_map(
        |(after_ms, what, host, (set, other_set), force)| Gust {
            after_ms,
            what,
            host,
            set,
            other_set,
            force,
        },
    )
}

fn ambushes(cues: &'static [&'static str]) -> impl Strategy<Value = Ambush> {
    (
        prop::sample::select(cues),
        0..7usize,
        1..12u32,
        prop::sample::select(vec!["Kill", "PowerCut"]),
        1..3000u64,
        prop::sample::select(DISKS),
    )
        .prop_map(|(cue, host, nth, how, back_after_ms, disk)| Ambush {
            cue,
            host,
            nth,
            how,
            back_after_ms,
            disk,
        })
}

impl Weather for Gale {
    fn scenario(&self) -> String {
        let Cluster { protocol, hosts, .. } = self.cluster;
        let mut text = format!("Scenario(\n    protocol: \"{protocol}\",\n");
        if let (Some(mtu), Speaks::Datagrams) = (self.machines.mtu, self.cluster.speaks) {
            let _ = writeln!(text, "    config: (mtu: {mtu}),");
        }
        let mut sky = Sky {
            names: hosts.iter().map(|(name, _)| *name).collect(),
            hosts: vec![State::Runs; hosts.len()],
            layers: Vec::new(),
        };
        text += "    hosts: [\n";
        for (i, (name, role)) in hosts.iter().enumerate() {
            let _ = write!(text, "        (name: \"{name}\", role: {role}");
            if i + 1 == hosts.len() && self.late_ms > 0 {
                let _ = write!(text, ", starts: \"{}ms\"", self.late_ms);
                sky.hosts[i] = State::Unborn;
            }
            if self.network.zones.is_some() {
                let _ = write!(text, ", zone: \"{}\"", ["even", "odd"][i % 2]);
            }
            let (offset, drift) = self.machines.clocks[i];
            if (offset, drift) != (0, 0) {
                let _ = write!(text, ", clock: (offset: \"{offset}ms\", drift_ppm: {drift})");
            }
            text += "),\n";
        }
        let _ = writeln!(text, "    ],\n    network: ({}),", self.network.law());
        if let Some(persist) = self.machines.persist {
            let _ = writeln!(text, "    persist: {persist},");
        }
        text += "    timeline: [\n";
        for ambush in &self.ambushes {
            text += &ambush.tell(&sky);
        }
        let mut at_ms = 0;
        for gust in &self.gusts {
            at_ms += gust.after_ms;
            if at_ms > self.late_ms {
                sky.give_birth();
            }
            if let Some(fault) = sky.apply(gust) {
                let _ = writeln!(text, "        At(\"{at_ms}ms\", {fault}),");
            }
        }
        for fault in sky.calm(self.cuts_in_the_end, self.revived) {
            at_ms += 10;
            let _ = writeln!(text, "        At(\"{at_ms}ms\", {fault}),");
        }
        let _ = writeln!(text, "    ],");
        // What was unsteady may still come late.
        self.cluster
            .end(at_ms.max(self.late_ms) + 3_000, self.seed, &mut text);
        text
    }
}

impl Network {
    /// The fields of `network`.
    fn law(&self) -> String {
        let mut law = format!("latency: {}", self.latency);
        let shares = [
            ("loss", self.loss),
            ("corrupt", self.corrupt),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
        ];
        for (name, percent) in shares.into_iter().filter(|(_, percent)| *percent > 0) {
            let _ = write!(law, ", {name}: 0.0{percent}");
        }
        for part in [self.bandwidth, self.zones].into_iter().flatten() {
            let _ = write!(law, ", {part}");
        }
        law
    }
}

impl Ambush {
    /// The two entries of the timeline.
    fn tell(&self, sky: &Sky) -> String {
        let name = sky.names[self.host % sky.names.len()];
        let is_peer = name.starts_with('p');
        let cue = match self.cue {
            // A peer writes nothing down, follows nobody, and has no clients to send to.
            cue if is_peer && !cue.contains('*') => r#"send_to: "*""#,
            cue => cue,
        };
        let Ambush {
            nth,
            how,
            back_after_ms,
            disk,
            ..
        } = self;
        let when = format!("        When({cue}, by: \"{name}\", nth: {nth}");
        format!(
            "{when}, do: {how}(\"@actor\")),\n{when}, after: \"{back_after_ms}ms\", do: Restart(\"{name}\"{disk})),\n"
        )
    }
}

/// What is true of the hosts while a storm is put into words, so that it does only what can be done; but for ambushes, of which
/// nobody knows when they happen.
struct Sky {
    names: Vec<&'static str>,
    hosts: Vec<State>,
    /// Layers that are there, in words.
    layers: Vec<Laid>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It starts later.
    Unborn,
    Runs,
    Paused,
    Down,
}

struct Laid {
    fault: String,
    over: Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Hosts,
    /// Links are cut.
    Cut,
    /// Links have other laws, or come and go: they keep groups from being quiet.
    Unsteady,
}

impl Sky {
    /// The late one has started.
    fn give_birth(&mut self) {
        for state in self.hosts.iter_mut().filter(|state| **state == State::Unborn) {
            *state = State::Runs;
        }
    }

    /// The hosts whose bits in `set` are as `of` says: `"a", "b"`; `None` when there is none.
    fn quoted(&self, of: impl Fn(usize) -> bool) -> Option<String> {
        let names: Vec<String> = (0..self.names.len())
            .filter(|i| of(*i))
            .map(|i| format!("\"{}\"", self.names[i]))
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The fault in the words of a scenario; `None` when it can not be done now.
    fn apply(&mut self, gust: &Gust) -> Option<String> {
        let host = gust.host % self.names.len();
        let (name, state, force) = (self.names[host], self.hosts[host], gust.force);
        let becomes = |state| Some((state, format!("(\"{name}\")")));
        let changed = match (gust.what, state) {
            (What::Kill, State::Runs | State::Paused) => {
                becomes(State::Down).map(|(s, of)| (s, format!("Kill{of}")))
            }
            (What::PowerCut, State::Runs | State::Paused) => {
                becomes(State::Down).map(|(s, of)| (s, format!("PowerCut{of}")))
            }
            (What::Restart(disk), State::Down) => Some((State::Runs, format!("Restart(\"{name}\"{disk})"))),
            (What::Pause, State::Runs) => becomes(State::Paused).map(|(s, of)| (s, format!("Pause{of}"))),
            (What::Resume, State::Paused) => becomes(State::Runs).map(|(s, of)| (s, format!("Resume{of}"))),
            _ => None,
        };
        if let Some((state, fault)) = changed {
            self.hosts[host] = state;
            return Some(fault);
        }
        let (over, fault) = match gust.what {
            What::Jump if state != State::Unborn && state != State::Down => {
                // Mostly a little, sometimes by hours.
                let by_ms = if force > 950 { force * 10_000 } else { force + 1 };
                return Some(format!("Jump(who: \"{name}\", by: \"{by_ms}ms\")"));
            }
            What::Partition | What::OneWay | What::Bridge | What::Ring => {
                (Over::Cut, self.cut(gust.what, host, gust)?)
            }
            What::Flap => {
                let what = [What::Partition, What::OneWay, What::Bridge, What::Ring][(force % 4) as usize];
                let cut = self.cut(what, host, gust)?;
                let (down, up) = (1 + force, 1 + force * 7 % 1000);
                (
                    Over::Unsteady,
                    format!("Flap(cut: {cut}, down: \"{down}ms\", up: \"{up}ms\")"),
                )
            }
            What::Link => {
                let law = LINKS[force as usize % LINKS.len()];
                let others = self.quoted(|i| i != host && gust.set >> i & 1 == 1)?;
                let (from, to) = if force % 2 == 0 {
                    (format!("\"{name}\""), format!("[{others}]"))
                } else {
                    (format!("[{others}]"), format!("\"{name}\""))
                };
                (Over::Unsteady, format!("Link(from: {from}, to: {to}, {law})"))
            }
            What::Slow => (
                Over::Hosts,
                format!("Slow(who: \"{name}\", by: \"{}ms\")", 1 + force / 5),
            ),
            What::SlowDisk => (
                Over::Hosts,
                format!("SlowDisk(who: \"{name}\", by: \"{}ms\")", 1 + force),
            ),
            What::FailingDisk => {
                let share = ["1", "0.5", "0.9", "0.2"][(force % 4) as usize];
                (
                    Over::Hosts,
                    format!("FailingDisk(who: \"{name}\", share: {share})"),
                )
            }
            What::Drift => {
                let ppm = [-500_000, -20_000, 700, 50_000, 1_000_000][(force % 5) as usize];
                (Over::Hosts, format!("Drift(who: \"{name}\", ppm: {ppm})"))
            }
            What::Heal if !self.layers.is_empty() => {
                let place = force as usize % self.layers.len();
                return Some(format!("Heal({})", self.layers.remove(place).fault));
            }
            What::HealAll if self.layers.iter().any(|laid| laid.over != Over::Hosts) => {
                self.layers.retain(|laid| laid.over == Over::Hosts);
                return Some("HealAll".to_owned());
            }
            _ => return None,
        };
        self.layers.push(Laid {
            fault: fault.clone(),
            over,
        });
        Some(fault)
    }

    fn cut(&self, what: What, host: usize, gust: &Gust) -> Option<String> {
        let has = |set: u8, i: usize| set >> i & 1 == 1;
        let others = |of: bool| self.quoted(|i| i != host && has(gust.set, i) == of);
        let (set, rest) = (
            self.quoted(|i| has(gust.set, i)),
            self.quoted(|i| !has(gust.set, i)),
        );
        Some(match what {
            What::Partition => format!("Partition([[{}], [{}]])", set?, rest?),
            What::OneWay => format!("OneWay(from: [{}], to: [{}])", set?, rest?),
            What::Bridge => format!(
                "Bridge(over: \"{}\", sides: [[{}], [{}]])",
                self.names[host],
                others(true)?,
                others(false)?
            ),
            _ => {
                // At least two who do not reach each other.
                let ring: Vec<usize> = (0..self.names.len())
                    .filter(|i| has(gust.other_set, *i))
                    .collect();
                if ring.len() < 4 {
                    return None;
                }
                let hosts = self.quoted(|i| ring.contains(&i))?;
                format!("Ring(hosts: [{hosts}], reach: 1)")
            }
        })
    }

    /// What has to be done for groups to be quiet.
    fn calm(&mut self, cuts: Cuts, revived: u8) -> Vec<String> {
        let mut faults = Vec::new();
        let unsteady = self.layers.iter().any(|laid| laid.over == Over::Unsteady);
        let cut = self.layers.iter().any(|laid| laid.over == Over::Cut);
        for laid in self.layers.drain(..).filter(|laid| laid.over == Over::Hosts) {
            faults.push(format!("Heal({})", laid.fault));
        }
        if unsteady || cut && cuts == Cuts::Healed {
            faults.push("HealAll".to_owned());
        }
        for (i, name) in self.names.iter().enumerate() {
            match self.hosts[i] {
                State::Paused => faults.push(format!("Resume(\"{name}\")")),
                State::Down if revived >> i & 1 == 1 => faults.push(format!("Restart(\"{name}\")")),
                _ => {}
            }
        }
        faults
    }
}
