//! The settings of a hac node: the two rule sets, the changes between them, and what cannot be.

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Role;
use super::table::MAX_ENTRIES;
use super::wire::entries_in;
use crate::cast::{self, Fault, misfit};
use crate::node::Node;
use crate::protocol::{Misfit, Placed};
use crate::time::Span;

/// How many peers a cluster has at most. Each keeps some thirty bytes about each other, its alarm included: 3 000 peers on
/// one machine take less than 300 MB, and ten times as many would take a hundred times as much.
pub const MOST_PEERS: usize = 3_000;

/// The port that nodes have where nothing else is said.
const PORT: u16 = 7400;

/// Everything that tunes a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By which rules the node plays. All nodes of a cluster play by the same.
    pub rules: Rules,
    /// The datagram port that it binds, when `address` does not say.
    pub port: u16,
    /// Its own address; that of its host, with `port`, when not given.
    pub address: Option<SocketAddrV4>,
    /// The server that a client turns to first; the cluster's server when not given.
    pub server: Option<SocketAddrV4>,
    /// The addresses of all peers, the node's own among them; those of the cluster's peers when empty.
    pub members: Arc<[SocketAddrV4]>,
    /// How long a round lasts.
    pub round: Span,
    /// A client's AC and a peer's AP follow each other at random intervals between nothing and this.
    pub availability_interval: Span,
    /// After how long without AS or HS a client doubts its server; longer than a round.
    pub client_timeout: Span,
    /// How long a client waits before it hand-shakes with the one that it expects to be promoted.
    pub promotion_wait: Span,
    /// The size of the largest datagram, in bytes.
    pub mtu: u16,
    /// For how long after an AP a peer is held for alive; `misses` rounds when not given.
    pub window: Option<Span>,
    /// After how many silent rounds a node is held for dead.
    pub misses: u32,
    /// How many HC a handshake spends over one `client_timeout`.
    pub handshake_tries: u32,
    /// Changes that are left out, so that it can be shown what each is for.
    pub without: Vec<Change>,
}

/// The two rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rules {
    /// As the source has it, flaws included. Version 1 on the wire.
    Original,
    /// With every [`Change`]. Version 2 on the wire.
    Hardened,
}

/// One change that `Hardened` makes to `Original`, or ([`OF_BOTH`](Change::OF_BOTH)) a rule of both. The flaw that each one
/// mends is told in [the module's own page](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// An AS or HS of a lower epoch than the highest accepted one is ignored.
    Ratchet,
    /// A server that hears of a higher epoch steps down and joins it.
    StepDown,
    /// A server sends AS to every address that it holds, those for dead included.
    Probe,
    /// A server answers an AS or AC of a lower epoch with its own AS.
    Correct,
    /// A promoted server goes on with the table that it had from AS.
    HandOn,
    /// A newcomer is sent the whole table with its id, has joined only once it holds it, and comes back with it from a
    /// restart.
    Remember,
    /// An id belongs to an address: what another address claims is not given away.
    Addresses,
    /// A client hands an HC on to its own server.
    Forward,
    /// A handshake spends several HC over its timeout.
    Retry,
    /// A node is held for dead after several silent rounds.
    Patience,
    /// A list is whole when as many entries of one round are there as its total says.
    Count,
    /// A datagram whose checksum is wrong is dropped.
    Crc,
    /// A server that is spoken to by a node of an epoch that it cannot answer in opens a higher one.
    TakeBack,
    /// A node goes on knowing whom it has once known, and tells its server with AC of those whom the table does not name.
    Introduce,
    /// An epoch carries a number that was drawn when it was opened.
    Nonce,
    /// The highest accepted epoch is written to the disk before anything is said in it.
    WriteDown,
    /// A node whose write failed is silent and deaf until one has completed, and then starts over.
    StartOver,
    /// A rule of both sets: a server that comes back and finds no other serves again.
    Return,
    /// A rule of both sets: of two entries the newer stays, whichever came last.
    Merge,
}

/// Which changes are in force. Looked up on every packet, so a set of bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes(u32);

impl Rules {
    /// The version on the wire.
    pub fn version(self) -> u8 {
        match self {
            Rules::Original => 1,
            Rules::Hardened => 2,
        }
    }
}

impl Change {
    /// Every change there is.
    pub const ALL: [Change; 19] = [
        Change::Ratchet,
        Change::StepDown,
        Change::Probe,
        Change::Correct,
        Change::HandOn,
        Change::Remember,
        Change::Addresses,
        Change::Forward,
        Change::Retry,
        Change::Patience,
        Change::Count,
        Change::Crc,
        Change::TakeBack,
        Change::Introduce,
        Change::Nonce,
        Change::WriteDown,
        Change::StartOver,
        Change::Return,
        Change::Merge,
    ];

    /// Those that are rules of both sets, and change nothing of `Original`.
    pub const OF_BOTH: [Change; 2] = [Change::Return, Change::Merge];
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
        let (round, interval, timeout, wait) = match profile {
            "classic" => (
                Span::from_secs(30),
                Span::from_secs(30),
                Span::from_secs(31),
                Span::from_secs(10),
            ),
            "brisk" => (
                Span::from_millis(300),
                Span::from_millis(300),
                Span::from_millis(310),
                Span::from_millis(100),
            ),
            // Whoever asks has chosen among those that the protocol names.
            other => panic!("hac has no profile \"{other}\""),
        };
        let (misses, handshake_tries) = match rules {
            Rules::Original => (1, 1),
            // Seven in a row are lost with a probability below 10⁻⁹ at 5 % loss; eight round trips with one of 10⁻⁸.
            Rules::Hardened => (7, 8),
        };
        Config {
            rules,
            port: PORT,
            address: None,
            server: None,
            members: Arc::from([]),
            round,
            availability_interval: interval,
            client_timeout: timeout,
            promotion_wait: wait,
            mtu: 1200,
            window: None,
            misses,
            handshake_tries,
            without: Vec::new(),
        }
    }

    /// For how long after an AP a peer is held for alive.
    pub fn window(&self) -> Span {
        self.window.unwrap_or(self.round * u64::from(self.misses()))
    }

    /// After how many silent rounds a node is held for dead.
    pub fn misses(&self) -> u32 {
        if self.changes().has(Change::Patience) {
            self.misses
        } else {
            1
        }
    }

    /// How many HC a handshake spends over one timeout; from 1.
    pub fn tries(&self) -> u32 {
        if self.changes().has(Change::Retry) {
            self.handshake_tries.max(1)
        } else {
            1
        }
    }

    /// From one HC of a handshake to the next.
    pub fn retry_after(&self) -> Span {
        self.client_timeout / u64::from(self.tries())
    }

    /// Which changes are in force.
    pub(super) fn changes(&self) -> Changes {
        let all: u32 = match self.rules {
            Rules::Original => Change::OF_BOTH
                .iter()
                .fold(0, |bits, change| bits | 1 << *change as u32),
            Rules::Hardened => (1 << Change::ALL.len()) - 1,
        };
        Changes(
            self.without
                .iter()
                .fold(all, |bits, change| bits & !(1 << *change as u32)),
        )
    }

    /// What is wrong with the settings of a node of `role`, as far as they tell by themselves.
    pub(super) fn faults(&self, role: &Role) -> Vec<Fault> {
        let mut faults = Vec::new();
        let spans = [
            ("round", self.round),
            ("availability_interval", self.availability_interval),
            ("client_timeout", self.client_timeout),
            ("promotion_wait", self.promotion_wait),
        ];
        // A window that follows from the round has nothing wrong of its own.
        let window = self.window.map(|window| ("window", window));
        for (field, span) in spans.into_iter().chain(window) {
            if span.is_zero() {
                faults.push(Fault::new(
                    field,
                    format!("{field} is no time at all"),
                    "give it a length, such as \"300ms\"",
                ));
            }
        }
        if *role != Role::Peer && self.client_timeout <= self.round {
            let message = format!(
                "client_timeout ({}) is not longer than a round ({})",
                self.client_timeout, self.round
            );
            faults.push(Fault::new(
                "client_timeout",
                message,
                "the AS of a round could never come in time",
            ));
        }
        if entries_in(self.rules, self.mtu) == 0 {
            let message = format!("a datagram of {} bytes holds no entry", self.mtu);
            faults.push(Fault::new(
                "mtu",
                message,
                "the smallest that does has 23 bytes under Original, 45 under Hardened",
            ));
        }
        for (field, count) in [("misses", self.misses), ("handshake_tries", self.handshake_tries)] {
            if count == 0 {
                faults.push(Fault::new(field, format!("{field} is 0"), "it is 1 at least"));
            }
        }
        if self.members.len() > MOST_PEERS {
            let message = format!("{} members are too many", self.members.len());
            faults.push(Fault::new(
                "members",
                message,
                "each peer watches each other: 3000 are the most there can be",
            ));
        }
        if self.retry_after().is_zero() {
            let message = format!(
                "{} tries do not fit into {}",
                self.handshake_tries, self.client_timeout
            );
            faults.push(Fault::new(
                "handshake_tries",
                message,
                "leave at least a nanosecond to each",
            ));
        }
        let own_rules = |change: &&Change| self.rules == Rules::Original && !Change::OF_BOTH.contains(change);
        if let Some(change) = self.without.iter().find(own_rules) {
            let message = format!("Original does not have {change:?}, so it cannot be left out");
            faults.push(Fault::new("without", message, "leave out changes under Hardened"));
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
        match role {
            Role::Client if self.server.is_none() => Err("it does not know a server".to_owned()),
            Role::Client if self.server == Some(address) => Err(format!(
                "{address} is its own address, and cannot be its server's"
            )),
            Role::Peer if !self.members.contains(&address) => {
                Err(format!("{address} is not among the members"))
            }
            Role::Server | Role::Client | Role::Peer => Ok(address),
        }
    }
}

/// Fills in addresses, the clients' server and the peers' list; refuses casts that are no cluster.
pub(super) fn assemble<N>(hosts: &mut [Placed<N>]) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter_mut().enumerate() {
        let misfit = cast::settle(index, host, PORT, |config| {
            (&mut config.port, &mut config.address)
        });
        misfits.extend(misfit);
        let faults = host.config.faults(&host.role).into_iter();
        misfits.extend(faults.map(|fault| fault.of(index, &host.name)));
    }
    if let Some(crowd) = crowd(hosts) {
        // Beside it nothing else is worth saying, and lists of that length are not worth making.
        return Err(vec![crowd]);
    }
    assemble_client_server(hosts, &mut misfits);
    assemble_peers(hosts, &mut misfits);
    misfits.extend(cast::other_rules(hosts, |config| config.rules));
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// The first host of a role that is one too many for what nodes keep of each other.
fn crowd<N>(hosts: &[Placed<N>]) -> Option<Misfit>
where
    N: Node<Role = Role, Config = Config>,
{
    let beyond = |bound: usize, of_peers: bool| {
        let mut places = (0..hosts.len()).filter(|place| (hosts[*place].role == Role::Peer) == of_peers);
        places.nth(bound)
    };
    let (host, message, hint) = if let Some(host) = beyond(MOST_PEERS, true) {
        let message = format!(
            "{} is one peer too many: {MOST_PEERS} are the most",
            hosts[host].name
        );
        let hint =
            "each peer watches each other, so that memory and traffic grow with the square of their number";
        (host, message, hint)
    } else {
        let host = beyond(MAX_ENTRIES, false)?;
        let message = format!(
            "{} is one node too many: a table holds {MAX_ENTRIES}",
            hosts[host].name
        );
        (
            host,
            message,
            "a server would refuse it for ever; take fewer clients",
        )
    };
    Some(Misfit {
        host: Some(host),
        field: None,
        message,
        hint: Some(hint.to_owned()),
    })
}

fn assemble_client_server<N>(hosts: &mut [Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let peers = hosts.iter().filter(|host| host.role == Role::Peer).count();
    if peers > 0 && peers < hosts.len() {
        misfits.push(Misfit {
            host: hosts.iter().position(|host| host.role != Role::Peer),
            field: None,
            message: "peers do not speak with servers and clients".to_owned(),
            hint: Some("make all hosts Peer, or none".to_owned()),
        });
        return;
    }
    let servers: Vec<usize> = (0..hosts.len())
        .filter(|i| hosts[*i].role == Role::Server)
        .collect();
    if let [first, second, ..] = servers[..] {
        misfits.push(Misfit {
            host: Some(second),
            field: None,
            message: format!(
                "{} is a second server beside {}",
                hosts[second].name, hosts[first].name
            ),
            hint: Some("a cluster starts with one server; clients are promoted when it fails".to_owned()),
        });
    }
    let server = servers.first().and_then(|i| hosts[*i].config.address);
    for (index, host) in hosts
        .iter_mut()
        .enumerate()
        .filter(|(_, host)| host.role == Role::Client)
    {
        host.config.server = host.config.server.or(server);
        if host.config.server.is_none() {
            let message = format!("{} has no server to join", host.name);
            misfits.push(misfit(
                index,
                "server",
                message,
                "name its address, `server: \"10.0.0.1:7101\"`; in a scenario, a host with role Server will do",
            ));
        } else if host.config.server == host.config.address {
            let message = format!("{} has its own address for its server's", host.name);
            misfits.push(misfit(index, "server", message, "name the address of the server"));
        }
    }
}

fn assemble_peers<N>(hosts: &mut [Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let peers = hosts.iter().filter(|host| host.role == Role::Peer);
    let mut all: Vec<SocketAddrV4> = peers.filter_map(|host| host.config.address).collect();
    all.sort_unstable();
    let all: Arc<[SocketAddrV4]> = all.into();
    for (index, host) in hosts
        .iter_mut()
        .enumerate()
        .filter(|(_, host)| host.role == Role::Peer)
    {
        if host.config.members.is_empty() {
            host.config.members = all.clone();
        } else if !host
            .config
            .address
            .is_some_and(|own| host.config.members.contains(&own))
        {
            let message = format!("{} is not among its own members", host.name);
            misfits.push(misfit(
                index,
                "members",
                message,
                "the list names every peer, or is left out",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::HacNode;
    use super::*;

    fn cast(role: impl Fn(usize) -> Role, hosts: usize) -> Vec<Placed<HacNode>> {
        let host = |index: usize| Placed {
            name: format!("h{index}"),
            ip: Ipv4Addr::from(0x0a00_0001 + index as u32),
            role: role(index),
            config: Config::profile("brisk", Rules::Hardened),
        };
        (0..hosts).map(host).collect()
    }

    fn refused(mut hosts: Vec<Placed<HacNode>>) -> (Option<usize>, String) {
        let misfits = assemble(&mut hosts).unwrap_err();
        assert_eq!(misfits.len(), 1, "{misfits:?}");
        assert!(misfits[0].hint.is_some(), "{misfits:?}");
        (misfits[0].host, misfits[0].message.clone())
    }

    #[test]
    fn more_peers_than_memory_is_meant_for_are_refused() {
        let peers = |count| cast(|_| Role::Peer, count);
        assert_eq!(assemble(&mut peers(MOST_PEERS)), Ok(()));
        let message = "h3000 is one peer too many: 3000 are the most".to_owned();
        assert_eq!(refused(peers(MOST_PEERS + 1)), (Some(MOST_PEERS), message));
    }

    #[test]
    fn more_clients_than_a_table_holds_are_refused() {
        let role = |index| if index == 0 { Role::Server } else { Role::Client };
        assert_eq!(assemble(&mut cast(role, MAX_ENTRIES)), Ok(()));
        let message = format!("h{MAX_ENTRIES} is one node too many: a table holds {MAX_ENTRIES}");
        assert_eq!(refused(cast(role, MAX_ENTRIES + 1)), (Some(MAX_ENTRIES), message));
    }

    #[test]
    fn a_round_of_no_length_is_blamed_itself_and_not_the_window_that_follows_from_it() {
        let named = |config: Config| -> Vec<&'static str> {
            config
                .faults(&Role::Peer)
                .into_iter()
                .map(|fault| fault.field)
                .collect()
        };
        let config = || Config::profile("brisk", Rules::Hardened);
        let no_round = Config {
            round: Span::ZERO,
            ..config()
        };
        assert_eq!(named(no_round), ["round"]);
        let no_window = Config {
            window: Some(Span::ZERO),
            ..config()
        };
        assert_eq!(named(no_window), ["window"]);
        assert_eq!(named(config()), [""; 0]);
    }

    #[test]
    fn a_list_of_too_many_members_is_refused() {
        let mut config = Config::profile("brisk", Rules::Hardened);
        let member = |i: u32| SocketAddrV4::new(Ipv4Addr::from(i), 7400);
        config.members = (0..=MOST_PEERS as u32).map(member).collect();
        config.address = Some(member(1));
        assert_eq!(
            config.admit(&Role::Peer),
            Err("3001 members are too many".to_owned())
        );
    }

    #[test]
    #[should_panic(expected = "no profile \"fast\"")]
    fn a_profile_that_there_is_not_is_not_taken_for_another() {
        Config::profile("fast", Rules::Hardened);
    }
}
