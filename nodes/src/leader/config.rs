//! The settings of a node: the two rule sets, the changes between them, and what cannot be.

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Role;
use super::wire::{LONGEST_NAME, MOST_NODES, is_name};
use crate::cast::{self, Fault, misfit};
use crate::node::Node;
use crate::protocol::{Misfit, Placed};
use crate::stream::StreamLaw;
use crate::time::Span;

/// The shortest that `longest_message` may be: a list of [`MOST_NODES`] takes no more, nor does the longest chat.
pub const SHORTEST_BOUND: u32 = 48 * 1024;
/// The most connections that peers may have open at a node.
pub const MOST_CONNECTIONS: u32 = 4_096;
/// How many connections of one kind a node may have open to another at once: one each heartbeat or retry until the deadline.
const MOST_OF_A_KIND: u64 = 32;
/// How many connections to a node are opened at once while nothing is heard of it. At 5 % loss as many dials, and their first repetition by a
/// kernel, go unanswered with a probability below 10⁻⁹.
pub(super) const MOST_AT_ONCE: usize = 5;
/// How many there are at most while nothing is heard of it: these, and one more every two deadlines. With a deadline of a second it takes
/// as long as a host goes on dialling, ten seconds, until there are as many, so that there is always a young one.
pub(super) const MOST_UNHEARD: usize = 10;
/// How many there are at most, whatever is heard of it. Of those that were under way when it fell silent a host may not have done with all
/// when it is heard of again: there is room beside them, and for as many that are closed and go on in the host for a while.
pub(super) const MOST_OF_A_NODE: usize = 20;
/// The longest that `longest_message` may be.
pub const LONGEST_BOUND: u32 = 1024 * 1024;

/// The port that nodes have where nothing else is said.
const PORT: u16 = 7500;

/// Everything that tunes a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By which rules the node plays. All nodes of a cluster play by the same.
    pub rules: Rules,
    /// What the person at it is called, and those who chat with it are told; the host's name when empty.
    pub name: String,
    /// The port that it listens on, when `address` does not say.
    pub port: u16,
    /// Its own address; that of its host, with `port`, when not given.
    pub address: Option<SocketAddrV4>,
    /// The starter's list: everyone else, in the order of their numbers; the cluster's peers when empty.
    pub others: Arc<[SocketAddrV4]>,
    /// From one heartbeat of the leader to the next.
    pub heartbeat: Span,
    /// After how long without a heartbeat the leader counts as gone.
    pub timeout: Span,
    /// How long a connection may take, from its beginning to the end of the answer.
    pub deadline: Span,
    /// After how long what was not answered is sent again, and a listed peer that is down is tried again.
    pub retry: Span,
    /// The longest message, in bytes.
    pub longest_message: u32,
    /// How many connections peers may have open at this node, all together.
    pub most_connections: u32,
    /// How many of these may come from one address.
    pub most_of_a_peer: u32,
    /// Changes that are left out, so that it can be shown what each is for.
    pub without: Vec<Change>,
}

/// The two rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rules {
    /// As the source has it, flaws included.
    Original,
    /// With every [`Change`].
    Hardened,
}

/// One change that `Hardened` makes to `Original`. The flaw that each one mends is told in [the module's own page](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// Whoever is chosen accepts the role by itself.
    Accept,
    /// Heartbeats are watched on a timer, and not only when there is a request.
    Watch,
    /// Everyone who is listed is sent heartbeats, and whoever waits is sent the list and the numbers.
    Redial,
    /// What is of a lower term than the highest that was seen is not believed: a heartbeat, or an answer.
    Ratchet,
    /// A leader that hears of a term above its own leads in it no more: it follows the higher number that opened it, or opens a higher
    /// one.
    GiveWay,
    /// A node that waits for the list does not count as there when a leader is chosen.
    Able,
    /// A request is made again until it is answered.
    Retry,
    /// A request that was made several times is answered to its caller once.
    Once,
    /// What was said is sent again until the receiver has had it.
    Resend,
    /// What a receiver has had is not delivered again.
    Number,
    /// The list, the highest term and what was had are on the disk before anything is said that rests on them.
    WriteDown,
    /// A node whose write failed is silent until one has completed that has all that it knows, and then finds its place anew, as if
    /// restarted.
    StartOver,
    /// No more than a few connections are under way to a node that does not answer, however long the host goes on dialling it.
    BackOff,
}

/// Which changes are in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes(u32);

impl Change {
    /// Every change there is.
    pub const ALL: [Change; 13] = [
        Change::Accept,
        Change::Watch,
        Change::Redial,
        Change::Ratchet,
        Change::GiveWay,
        Change::Able,
        Change::Retry,
        Change::Once,
        Change::Resend,
        Change::Number,
        Change::WriteDown,
        Change::StartOver,
        Change::BackOff,
    ];
}

impl Changes {
    /// Whether the change is in force.
    pub(super) fn has(self, change: Change) -> bool {
        self.0 & (1 << change as u32) != 0
    }
}

impl Config {
    /// The settings of a profile, `"brisk"` or `"classic"`, under a rule set.
    ///
    /// # Panics
    ///
    /// When there is no such profile.
    pub fn profile(profile: &str, rules: Rules) -> Self {
        // A heartbeat is three packets until it is read. At 5 % loss, 11 of them in a row are late with a probability below 10⁻⁹.
        let (heartbeat, timeout, deadline, retry) = match profile {
            "classic" => (
                Span::from_secs(3),
                Span::from_secs(40),
                Span::from_secs(10),
                Span::from_secs(5),
            ),
            "brisk" => (
                Span::from_millis(100),
                Span::from_millis(1_500),
                Span::from_secs(1),
                Span::from_millis(200),
            ),
            // Whoever asks has chosen among those that the protocol names.
            other => panic!("leader has no profile \"{other}\""),
        };
        Config {
            rules,
            name: String::new(),
            port: PORT,
            address: None,
            others: Arc::from([]),
            heartbeat,
            timeout,
            deadline,
            retry,
            longest_message: 64 * 1024,
            most_connections: 1_024,
            most_of_a_peer: 128,
            without: Vec::new(),
        }
    }

    /// Without [`Change::BackOff`]: how many connections for one thing to one node are opened until the first of them has come to its
    /// deadline, at the most often.
    pub(super) fn most_at_once(&self) -> u64 {
        let every = self.heartbeat.min(self.retry).as_nanos().max(1);
        self.deadline.as_nanos() / every + 1
    }

    /// Which changes are in force.
    pub(super) fn changes(&self) -> Changes {
        let all: u32 = match self.rules {
            Rules::Original => 0,
            Rules::Hardened => (1 << Change::ALL.len()) - 1,
        };
        let without = |bits: u32, change: &Change| bits & !(1 << *change as u32);
        Changes(self.without.iter().fold(all, without))
    }

    /// What is wrong with the settings of a node of `role`, as far as they tell by themselves.
    pub(super) fn faults(&self, role: &Role) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |field, message: String, hint| faults.push(Fault { field, message, hint });
        for (field, span) in [
            ("heartbeat", self.heartbeat),
            ("timeout", self.timeout),
            ("deadline", self.deadline),
            ("retry", self.retry),
        ] {
            if span.is_zero() {
                fault(
                    field,
                    format!("{field} is no time at all"),
                    "give it a length, such as \"300ms\"",
                );
            }
        }
        if self.timeout <= self.heartbeat {
            let message = format!(
                "timeout ({}) is not longer than from one heartbeat to the next ({})",
                self.timeout, self.heartbeat
            );
            fault(
                "timeout",
                message,
                "every leader would be given up between two heartbeats",
            );
        }
        for (field, span) in [("heartbeat", self.heartbeat), ("retry", self.retry)] {
            if !span.is_zero() && self.deadline / MOST_OF_A_KIND > span {
                let message = format!("{field} ({span}) is below a 32nd of deadline ({})", self.deadline);
                fault(
                    field,
                    message,
                    "a connection may last until its deadline, and no more than 32 are opened in that time",
                );
            }
        }
        if !(SHORTEST_BOUND..=LONGEST_BOUND).contains(&self.longest_message) {
            let message = format!("longest_message is {}", self.longest_message);
            fault(
                "longest_message",
                message,
                "it is 49152 to 1048576: a long list has to fit, and memory is bounded",
            );
        }
        for (field, count) in [
            ("most_connections", self.most_connections),
            ("most_of_a_peer", self.most_of_a_peer),
        ] {
            if !(1..=MOST_CONNECTIONS).contains(&count) {
                fault(field, format!("{field} is {count}"), "it is 1 to 4096");
            }
        }
        if !self.name.is_empty() && !is_name(&self.name) {
            let message = format!("{:?} is no name", self.name);
            fault("name", message, "up to 32 letters, digits, `-`, `_` and `.`");
        }
        if self.others.len() >= MOST_NODES {
            let message = format!("{} others are too many", self.others.len());
            fault(
                "others",
                message,
                "each node is connected with each other: 512 are the most there can be",
            );
        }
        if *role == Role::Peer && !self.others.is_empty() {
            fault(
                "others",
                "a peer waits to be told of the others".to_owned(),
                "give the list to the starter",
            );
        }
        let mut sorted = self.others.to_vec();
        sorted.sort_unstable();
        if !sorted.is_sorted_by(|a, b| a < b) {
            fault(
                "others",
                "others names a node twice".to_owned(),
                "each node has one number",
            );
        }
        if self.rules == Rules::Original
            && let Some(change) = self.without.first()
        {
            let message = format!("Original does not have {change:?}, so it cannot be left out");
            fault("without", message, "leave out changes under Hardened");
        }
        faults
    }

    /// The address of a node of `role` that may start with these settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings, or missing in them.
    pub(super) fn admit(&self, role: &Role) -> Result<SocketAddrV4, String> {
        if let Some(fault) = self.faults(role).into_iter().next() {
            return Err(fault.message);
        }
        let address = self.address.ok_or("it does not know its own address")?;
        if self.others.contains(&address) {
            return Err(format!("{address} is its own address and among the others"));
        }
        Ok(address)
    }
}

/// Fills in addresses, names and the starter's list; refuses casts that are no cluster.
pub(super) fn assemble<N>(hosts: &mut [Placed<N>]) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    if hosts.len() > MOST_NODES {
        return Err(vec![Misfit {
            host: Some(MOST_NODES),
            field: None,
            message: format!(
                "{} is one node too many: {MOST_NODES} are the most",
                hosts[MOST_NODES].name
            ),
            hint: Some("each node is connected with each other".to_owned()),
        }]);
    }
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter_mut().enumerate() {
        let misfit = cast::settle(index, host, PORT, |config| {
            (&mut config.port, &mut config.address)
        });
        misfits.extend(misfit);
        if host.config.name.is_empty() {
            host.config.name = name_of(&host.name);
        }
    }
    let starters: Vec<usize> = (0..hosts.len())
        .filter(|i| hosts[*i].role == Role::Starter)
        .collect();
    match starters[..] {
        [] if hosts.len() > 1 => misfits.push(Misfit {
            host: None,
            field: None,
            message: "nobody starts the cluster".to_owned(),
            hint: Some("peers wait until a host of the role Starter tells them of each other".to_owned()),
        }),
        [_, second, ..] => misfits.push(Misfit {
            host: Some(second),
            field: None,
            message: format!(
                "{} is a second starter beside {}",
                hosts[second].name, hosts[starters[0]].name
            ),
            hint: Some("the numbers follow the list of one starter".to_owned()),
        }),
        _ => {}
    }
    let peers = hosts.iter().filter(|host| host.role == Role::Peer);
    let peers: Arc<[SocketAddrV4]> = peers.filter_map(|host| host.config.address).collect();
    for index in starters {
        if hosts[index].config.others.is_empty() {
            hosts[index].config.others = peers.clone();
        }
    }
    for (index, host) in hosts.iter().enumerate() {
        let faults = host.config.faults(&host.role).into_iter();
        misfits.extend(faults.map(|fault| fault.of(index, &host.name)));
    }
    misfits.extend(cast::other_rules(hosts, |config| config.rules));
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Refuses groups of which a host may not have as many connections as it takes: from each of the others at once, and to each of them as many
/// as there are when nobody answers. Without [`Change::BackOff`] nothing bounds those: counted are the tries that a heartbeat has until the
/// first of them is over, which is enough where a host that is not there says so.
pub(super) fn fits<N>(hosts: &[Placed<N>], streams: &StreamLaw) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let most = u64::from(streams.connections);
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let others = host.config.others.len().max(hosts.len() - 1) as u64;
        let taken = u64::from(host.config.most_connections).min(most);
        if others > taken {
            let message = format!("{} has {others} others, and takes {taken} connections", host.name);
            let hint =
                "each of them has one at least: more `most_connections`, and more `connections` of `streams`";
            misfits.push(misfit(index, "most_connections", message, hint));
        }
        let backs_off = host.config.changes().has(Change::BackOff);
        let each = match backs_off {
            true => MOST_OF_A_NODE as u64,
            false => host.config.most_at_once(),
        };
        if others * each > most {
            let message = format!(
                "{} may have {each} connections to each of {others} others, and a host has {most} at most",
                host.name
            );
            misfits.push(match backs_off {
                true => Misfit {
                    host: Some(index),
                    field: None,
                    message,
                    hint: Some("fewer nodes, or more `connections` of `streams`".to_owned()),
                },
                false => {
                    let hint =
                        "fewer nodes, a longer heartbeat and retry, or more `connections` of `streams`";
                    misfit(index, "heartbeat", message, hint)
                }
            });
        }
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// A host's name as far as it can be a name in a message.
fn name_of(host: &str) -> String {
    let fits = |c: &char| is_name(c.encode_utf8(&mut [0; 4]));
    let name: String = host.chars().filter(fits).take(LONGEST_NAME).collect();
    if name.is_empty() {
        "somebody".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::LeaderNode;
    use super::*;

    /// What is said of a group of so many nodes whose hosts may have so many connections.
    fn said(profile: &str, rules: Rules, nodes: usize, connections: u32) -> Vec<String> {
        let placed = |index: usize| Placed::<LeaderNode> {
            name: format!("n{index}"),
            ip: Ipv4Addr::from(0x0a00_0001 + index as u32),
            role: if index + 1 == nodes {
                Role::Starter
            } else {
                Role::Peer
            },
            config: Config::profile(profile, rules),
        };
        let mut hosts: Vec<_> = (0..nodes).map(placed).collect();
        assert_eq!(assemble(&mut hosts), Ok(()));
        let streams = StreamLaw {
            connections,
            ..StreamLaw::default()
        };
        let misfits = fits(&hosts, &streams).err().unwrap_or_default();
        misfits.into_iter().map(|misfit| misfit.message).collect()
    }

    #[test]
    fn a_group_whose_connections_do_not_fit_is_refused() {
        for profile in ["brisk", "classic"] {
            // Twenty to each of the others, and 51 times twenty are 1 020.
            assert_eq!(said(profile, Rules::Hardened, 52, 1_024), Vec::<String>::new());
            let refused = said(profile, Rules::Hardened, 53, 1_024);
            assert_eq!(refused.len(), 53);
            assert_eq!(
                refused[0],
                "n0 may have 20 connections to each of 52 others, and a host has 1024 at most"
            );
            let all = said(profile, Rules::Hardened, MOST_NODES, 511 * 20);
            assert_eq!(all.len(), 0, "{all:?}");
        }
        // By the rules of the source eleven are opened until a deadline at one pace, and four at the other.
        assert_eq!(said("brisk", Rules::Original, 94, 1_024), Vec::<String>::new());
        assert_eq!(said("brisk", Rules::Original, 95, 1_024).len(), 95);
        assert_eq!(said("classic", Rules::Original, 257, 1_024), Vec::<String>::new());
        let few = said("classic", Rules::Hardened, 10, 8);
        assert!(
            few[0].contains("n0 has 9 others, and takes 8 connections"),
            "{few:?}"
        );
    }
}
