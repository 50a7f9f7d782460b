//! The first family of storms: hosts that crash, pause and lose their disks, and links that are cut, lose, repeat and reorder.

use std::fmt::Write;

use proptest::prelude::*;

use super::{Cluster, Weather};

/// One thing that a storm does; hosts are by their place, sets of hosts by their bits.
#[derive(Clone, Debug)]
struct Gust {
    after_ms: u64,
    what: What,
    host: usize,
    set: u8,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Kill,
    PowerCut,
    Restart,
    Wipe,
    Pause,
    Resume,
    Partition,
    OneWay,
    HealAll,
}

/// A storm of the first family.
#[derive(Clone, Debug)]
pub(crate) struct Storm {
    cluster: &'static Cluster,
    /// When the last host starts.
    late_ms: u64,
    seed: u64,
    links: Links,
    gusts: Vec<Gust>,
}

/// What links do to datagrams, in percent.
#[derive(Clone, Debug)]
struct Links {
    loss: u8,
    duplicate: u8,
    reorder: u8,
}

/// Draws one over one of the clusters.
pub(crate) fn storms(clusters: &'static [Cluster]) -> impl Strategy<Value = Storm> {
    use What::{HealAll, Kill, OneWay, Partition, Pause, PowerCut, Restart, Resume, Wipe};
    let what = prop::sample::select(vec![
        Kill, PowerCut, Restart, Restart, Wipe, Pause, Resume, Resume, Partition, Partition, OneWay, HealAll,
        HealAll,
    ]);
    // Some gusts come while what the one before did is still under way.
    let after_ms = prop_oneof![2 => 1..1500u64, 1 => 1..50u64];
    let gust = (after_ms, what, 0..7usize, 1..127u8).prop_map(|(after_ms, what, host, set)| Gust {
        after_ms,
        what,
        host,
        set,
    });
    let rarely = |percent| prop_oneof![2 => Just(0), 1 => percent];
    let links = (0..6u8, rarely(0..10u8), rarely(0..10u8)).prop_map(|(loss, duplicate, reorder)| Links {
        loss,
        duplicate,
        reorder,
    });
    let late_ms = prop_oneof![3 => Just(0), 1 => 0..9000u64];
    let gusts = prop::collection::vec(gust, 1..20);
    (0..clusters.len(), late_ms, any::<u64>(), links, gusts).prop_map(
        move |(cluster, late_ms, seed, links, gusts)| Storm {
            cluster: &clusters[cluster],
            late_ms,
            seed,
            links,
            gusts,
        },
    )
}

impl Storm {
    /// The same, in which no disk loses what was written.
    pub(crate) fn with_disks_that_keep(mut self) -> Self {
        for gust in &mut self.gusts {
            if let What::Wipe = gust.what {
                gust.what = What::Restart;
            }
        }
        self
    }
}

/// What is true of the hosts while a storm is put into words, so that it does only what can be done.
struct Sky {
    hosts: Vec<State>,
    cuts: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It starts later.
    Unborn,
    Runs,
    Paused,
    Down,
}

impl Weather for Storm {
    fn scenario(&self) -> String {
        let Cluster { protocol, hosts, .. } = self.cluster;
        let mut text = format!("Scenario(\n    protocol: \"{protocol}\",\n    hosts: [\n");
        let mut sky = Sky {
            hosts: vec![State::Runs; hosts.len()],
            cuts: 0,
        };
        for (i, (name, role)) in hosts.iter().enumerate() {
            let _ = write!(text, "        (name: \"{name}\", role: {role}");
            if i + 1 == hosts.len() && self.late_ms > 0 {
                let _ = write!(text, ", starts: \"{}ms\"", self.late_ms);
                sky.hosts[i] = State::Unborn;
            }
            let _ = writeln!(text, "),");
        }
        let _ = writeln!(
            text,
            "    ],\n    network: ({}),\n    timeline: [",
            self.links.law()
        );
        let mut at_ms = 0;
        for gust in &self.gusts {
            at_ms += gust.after_ms;
            if at_ms > self.late_ms {
                sky.give_birth();
            }
            if let Some(fault) = sky.apply(gust, hosts) {
                let _ = writeln!(text, "        At(\"{at_ms}ms\", {fault}),");
            }
        }
        let _ = writeln!(text, "    ],");
        self.cluster.end(at_ms.max(self.late_ms), self.seed, &mut text);
        text
    }
}

impl Links {
    /// The fields of `network`.
    fn law(&self) -> String {
        let mut law = "latency: Uniform(\"1ms\", \"10ms\")".to_owned();
        let shares = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
        ];
        for (name, percent) in shares.into_iter().filter(|(_, percent)| *percent > 0) {
            let _ = write!(law, ", {name}: 0.0{percent}");
        }
        law
    }
}

impl Sky {
    /// The late one has started.
    fn give_birth(&mut self) {
        for state in self.hosts.iter_mut().filter(|state| **state == State::Unborn) {
            *state = State::Runs;
        }
    }

    /// The fault in the words of a scenario; `None` when it can not be done now.
    fn apply(&mut self, gust: &Gust, hosts: &[(&str, &str)]) -> Option<String> {
        let host = gust.host % hosts.len();
        let name = hosts[host].0;
        let quoted = |of: bool| {
            let of = |i: &usize| (gust.set >> i & 1 == 1) == of;
            let names: Vec<String> = (0..hosts.len())
                .filter(of)
                .map(|i| format!("\"{}\"", hosts[i].0))
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let becomes = match (gust.what, self.hosts[host]) {
            (What::Kill | What::PowerCut, State::Runs | State::Paused) => Some(State::Down),
            (What::Restart | What::Wipe, State::Down) => Some(State::Runs),
            (What::Pause, State::Runs) => Some(State::Paused),
            (What::Resume, State::Paused) => Some(State::Runs),
            _ => None,
        };
        if let Some(state) = becomes {
            self.hosts[host] = state;
            return Some(format!("{:?}(\"{name}\")", gust.what));
        }
        Some(match gust.what {
            What::Partition => {
                let groups = (quoted(true)?, quoted(false)?);
                self.cuts += 1;
                format!("Partition([[{}], [{}]])", groups.0, groups.1)
            }
            What::OneWay => {
                let (from, to) = (quoted(true)?, quoted(false)?);
                self.cuts += 1;
                format!("OneWay(from: [{from}], to: [{to}])")
            }
            What::HealAll if self.cuts > 0 => {
                self.cuts = 0;
                "HealAll".to_owned()
            }
            _ => return None,
        })
    }
}
