//! The settings of a refinery node: the two rule sets, the changes between them, and what cannot be.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Role;
use super::wire::{Credential, Epoch, Establish, Link, MAC, MAX_CERT, MAX_NAME, Packet};
use crate::node::Node;
use crate::protocol::{Misfit, Placed};
use crate::secret::Secret;
use crate::stream::StreamLaw;
use crate::time::Span;

/// How many nodes a cluster has at most: what a master keeps of each comes to a few hundred bytes, and a packet that is not whole. That many
/// take hosts that may have more connections than the 1 024 that they have where nothing is said.
pub const MOST_NODES: usize = 5_000;

/// Everything that tunes a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By which rules the node plays. All nodes of a cluster play by the same.
    pub rules: Rules,
    /// The node's version. A master lets in who has its own.
    pub version: String,
    /// The node's unique id; its host's name when not given.
    pub id: Option<String>,
    /// What everyone in the cluster knows and nobody else.
    pub secret: Secret,
    /// The port that it listens on, when `address` does not say.
    pub port: u16,
    /// Its own address; that of its host, with `port`, when not given.
    pub address: Option<SocketAddrV4>,
    /// The master, and the standby if there is one; the cluster's when empty.
    pub masters: Arc<[SocketAddrV4]>,
    /// From one conn:alive to the next on a connection, both ways.
    pub alive: Span,
    /// After how long a silence the one who dialled a connection gives it up; longer than `alive`.
    pub silence: Span,
    /// After how long a silence the one who accepted a connection gives it up; no shorter than `silence`.
    pub patience: Span,
    /// How long one who dials may take until it is let in.
    pub handshake: Span,
    /// How long a node waits before it dials again, about; it doubles with each failure in a row.
    pub backoff: Span,
    /// The longest that it waits.
    pub backoff_most: Span,
    /// How long a standby looks for the master that it has lost before it reigns.
    pub takeover: Span,
    /// How many nodes one upstream has below it at most.
    pub fan_out: u32,
    /// How many accepted connections `Original` holds at once at most; of `Hardened`, how many of those that have not been let in yet: at
    /// least one for each who belongs below it or is the other master, since they may all dial at once.
    pub connections: u32,
    /// How many of those `Hardened` holds of one peer's address at most.
    pub connections_per_peer: u32,
    /// The longest packet before its sender is let in, in bytes; of `Original`, the longest packet.
    pub packet: u32,
    /// What an adversary goes by.
    pub adversary: Tricks,
    /// Changes that are left out, so that it can be shown what each is for.
    pub without: Vec<Change>,
}

/// What an adversary goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tricks {
    /// Whom it dials; the first of `masters` when not given.
    pub target: Option<SocketAddrV4>,
    /// Whose id it takes; that of the first node of the cluster when not given.
    pub victim: Option<String>,
    /// How many connections it has open at once; one when not given.
    pub connections: Option<u32>,
    /// From one thing that it does to the next; `alive` when not given.
    pub pace: Option<Span>,
    /// What it has overheard: the packets by which a node was once let in, one after the other.
    pub overheard: Arc<[Secret]>,
}

/// The two rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rules {
    /// As the source has it, flaws included.
    Original,
    /// With every [`Change`].
    Hardened,
}

/// One change that `Hardened` makes to `Original`, or ([`OF_BOTH`](Change::OF_BOTH)) a rule of both. The flaw that each one mends is told
/// in [the module's own page](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// What shows that somebody belongs to the cluster is a keyed hash over a nonce, not the secret.
    Prove,
    /// An id is taken from its holder only by one who has been let in.
    Earn,
    /// Who has not been let in within `handshake` is closed.
    Deadline,
    /// Connections that have not been let in are counted apart, by peer, and the oldest gives way.
    Slots,
    /// The one who accepted a connection closes it after a silence, and gives its place away before that.
    Watch,
    /// A node tells its master that it has lost its upstream, and is given another.
    Detect,
    /// A standby follows the master's registry and reigns when it is gone.
    Standby,
    /// A node goes with no master of a lower epoch than one that it has accepted, and writes that down.
    Ratchet,
    /// A master that hears of a higher epoch steps down, or opens one above it where nobody reigns in that.
    GiveWay,
    /// A master or node whose write failed is silent until one has completed, and then starts over.
    StartOver,
    /// A node says whether it takes whom it dials for its master or for its upstream, and one that is no master lets in nobody who takes it
    /// for one.
    Whom,
    /// A rule of both sets: a packet out of its turn closes the connection.
    Turn,
    /// A rule of both sets: nobody is put below one who is below itself.
    Downward,
    /// A rule of both sets: a node listens before it writes anything, so that no write that fails takes that with it.
    ListenFirst,
}

/// Which changes are in force. Looked up on every packet, so a set of bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes(u32);

impl Change {
    /// Every change there is.
    pub const ALL: [Change; 14] = [
        Change::Prove,
        Change::Earn,
        Change::Deadline,
        Change::Slots,
        Change::Watch,
        Change::Detect,
        Change::Standby,
        Change::Ratchet,
        Change::GiveWay,
        Change::StartOver,
        Change::Whom,
        Change::Turn,
        Change::Downward,
        Change::ListenFirst,
    ];

    /// Those that are rules of both sets, and change nothing of `Original`.
    pub const OF_BOTH: [Change; 3] = [Change::Turn, Change::Downward, Change::ListenFirst];
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
        let ms = Span::from_millis;
        let [
            alive,
            silence,
            patience,
            handshake,
            backoff,
            backoff_most,
            takeover,
        ] = match profile {
            "classic" => [10_000, 35_000, 90_000, 20_000, 1_000, 30_000, 30_000],
            // Two retransmissions of a packet at the least, after 200 ms and 400 ms more, go into a silence and into a handshake.
            "brisk" => [200, 1_000, 3_000, 2_000, 100, 800, 1_000],
            // Whoever asks has chosen among those that the protocol names.
            other => panic!("refinery has no profile \"{other}\""),
        }
        .map(ms);
        Config {
            rules,
            version: "1".to_owned(),
            id: None,
            secret: "refinery".into(),
            port: 7500,
            address: None,
            masters: Arc::from([]),
            alive,
            silence,
            patience,
            handshake,
            backoff,
            backoff_most,
            takeover,
            fan_out: 3,
            connections: 512,
            connections_per_peer: 64,
            packet: match rules {
                Rules::Original => 65_536,
                Rules::Hardened => 4_096,
            },
            adversary: Tricks::default(),
            without: Vec::new(),
        }
    }

    /// The longest packet of one who has been let in, in bytes.
    pub(super) fn packet_within(&self) -> usize {
        self.packet.max(65_536) as usize
    }

    /// Which changes are in force.
    pub(super) fn changes(&self) -> Changes {
        let all = match self.rules {
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

    /// What is wrong with the settings of a node, as far as they tell by themselves.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let spans = [
            ("alive", self.alive),
            ("silence", self.silence),
            ("patience", self.patience),
            ("handshake", self.handshake),
            ("backoff", self.backoff),
            ("backoff_most", self.backoff_most),
            ("takeover", self.takeover),
            ("adversary", self.adversary.pace.unwrap_or(self.alive)),
        ];
        for (field, _) in spans.into_iter().filter(|(_, span)| span.is_zero()) {
            let message = format!("{field} is no time at all");
            faults.push(Fault::new(field, message, "give it a length, such as \"300ms\""));
        }
        for (field, longer, shorter, span) in [
            ("silence", self.silence, "alive", self.alive + Span::from_nanos(1)),
            ("patience", self.patience, "silence", self.silence),
            ("backoff_most", self.backoff_most, "backoff", self.backoff),
        ] {
            if longer < span {
                let message = format!("{field} ({longer}) is too short beside {shorter}");
                faults.push(Fault::new(field, message, "no word could ever come in time"));
            }
        }
        let counts = [
            ("fan_out", self.fan_out),
            ("connections", self.connections),
            ("connections_per_peer", self.connections_per_peer),
        ];
        for (field, _) in counts.into_iter().filter(|(_, count)| *count == 0) {
            faults.push(Fault::new(field, format!("{field} is 0"), "it is 1 at least"));
        }
        if !(512..=1 << 20).contains(&self.packet) {
            let message = format!("packet is {} bytes", self.packet);
            let hint = "from 512 to 1048576";
            faults.push(Fault::new("packet", message, hint));
        }
        let names = [("version", Some(&self.version)), ("id", self.id.as_ref())];
        for (field, name) in names.into_iter().filter_map(|(field, name)| Some((field, name?))) {
            if !(1..=MAX_NAME).contains(&name.len()) {
                let message = format!("{field} has {} bytes", name.len());
                faults.push(Fault::new(field, message, "from 1 to 64"));
            }
        }
        let secret = self.secret.expose().len();
        if !(1..=MAX_CERT).contains(&secret) {
            let message = format!("the secret has {secret} bytes");
            faults.push(Fault::new("secret", message, "from 1 to 4096"));
        }
        if self.masters.len() > 2 {
            let message = format!("{} masters are too many", self.masters.len());
            faults.push(Fault::new("masters", message, "a master, and a standby"));
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
        if let Some(fault) = self.faults().into_iter().next() {
            return Err(fault.message);
        }
        let address = self.address.ok_or("it does not know its own address")?;
        match role {
            Role::Node(_) if self.masters.is_empty() => Err("it does not know a master".to_owned()),
            Role::Node(_) if self.masters.contains(&address) => {
                Err(format!("{address} is its own address, and cannot be a master's"))
            }
            Role::Standby if self.masters.iter().all(|master| *master == address) => {
                Err("it does not know a master but itself".to_owned())
            }
            Role::Node(kind) if !is_type(kind) => Err(format!("its type has {} bytes", kind.len())),
            Role::Adversary(_) if self.target().is_none() => Err("it does not know whom to dial".to_owned()),
            _ => Ok(address),
        }
    }

    /// Whom an adversary dials.
    pub(super) fn target(&self) -> Option<SocketAddrV4> {
        self.adversary.target.or(self.masters.first().copied())
    }

    /// Its id, which is its address where nobody has given it one.
    pub(super) fn own_id(&self, address: SocketAddrV4) -> String {
        self.id.clone().unwrap_or_else(|| address.to_string())
    }
}

/// Something that is wrong with a setting.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    field: &'static str,
    message: String,
    hint: &'static str,
}

impl Fault {
    fn new(field: &'static str, message: String, hint: &'static str) -> Self {
        Fault { field, message, hint }
    }
}

/// Fills in addresses, ids, masters, and what adversaries go by; refuses casts that are no cluster.
pub(super) fn assemble<N>(hosts: &mut [Placed<N>]) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter_mut().enumerate() {
        let own = SocketAddrV4::new(host.ip, host.config.port);
        let address = *host.config.address.get_or_insert(own);
        if *address.ip() != host.ip {
            let message = format!(
                "the address of {} is {address}, but its host is at {}",
                host.name, host.ip
            );
            let hint = "leave it out: it follows from the host and the port";
            misfits.push(misfit(index, "address", message, hint));
        }
        host.config.port = address.port();
        host.config.id.get_or_insert_with(|| host.name.clone());
        for Fault { field, message, hint } in host.config.faults() {
            misfits.push(misfit(index, field, format!("{}: {message}", host.name), hint));
        }
        if let Role::Node(kind) = &host.role
            && !is_type(kind)
        {
            misfits.push(Misfit {
                host: Some(index),
                field: None,
                message: format!("{}: its type has {} bytes", host.name, kind.len()),
                hint: Some("from 1 to 64".to_owned()),
            });
        }
    }
    assemble_packets(hosts, &mut misfits);
    if let Some(host) = hosts.get(MOST_NODES) {
        misfits.push(Misfit {
            host: Some(MOST_NODES),
            field: None,
            message: format!("{} is one host too many: {MOST_NODES} are the most", host.name),
            hint: Some("a master keeps a connection to each".to_owned()),
        });
    }
    assemble_masters(hosts, &mut misfits);
    assemble_adversaries(hosts);
    let mut ids = BTreeSet::new();
    let honest = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| !matches!(host.role, Role::Adversary(_)));
    // Names are different, so only written ids can be the same.
    if let Some((index, host)) = honest.into_iter().find(|(_, host)| !ids.insert(&host.config.id)) {
        let message = format!("{} has the id of another host", host.name);
        misfits.push(misfit(index, "id", message, "ids are unique; its name is one"));
    }
    let rules: Vec<Rules> = hosts.iter().map(|host| host.config.rules).collect();
    if let Some(index) = rules.iter().position(|own| *own != rules[0]) {
        let message = format!(
            "{} plays by other rules than {}",
            hosts[index].name, hosts[0].name
        );
        misfits.push(misfit(index, "rules", message, "a cluster plays by one rule set"));
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Refuses clusters of which a host may not have as many connections as it takes: of those who belong below it, and of the other master. Where
/// strangers have room of their own it has to be beside that, or they could take it from everybody else; and since those who belong here are
/// strangers until they are let in, and may all dial at once, there has to be room for all of them, or they would take it from each other.
pub(super) fn fits<N>(hosts: &[Placed<N>], streams: &StreamLaw) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let is_node = |host: &&Placed<N>| matches!(host.role, Role::Node(_));
    let nodes = hosts.iter().filter(is_node).count() as u64;
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let own = match host.role {
            Role::Master | Role::Standby => nodes + host.config.masters.len().saturating_sub(1) as u64,
            Role::Node(_) => nodes.min(host.config.fan_out.into()),
            Role::Adversary(_) => continue,
        };
        let outside = u64::from(host.config.connections);
        let has_slots = host.config.changes().has(Change::Slots);
        let (takes, has) = match has_slots {
            true => (own + outside, u64::from(streams.connections)),
            false => (own, outside.min(streams.connections.into())),
        };
        if has_slots && own > outside {
            let message = format!(
                "{} may be dialled by {own} who belong here at once, and has room for {outside} that have not been let in",
                host.name
            );
            let hint = "fewer nodes, or more `connections` here";
            misfits.push(misfit(index, "connections", message, hint));
            continue;
        }
        if takes <= has {
            continue;
        }
        let strangers = if has_slots {
            format!(", and {outside} of those that have not been let in")
        } else {
            String::new()
        };
        let message = format!(
            "{} may have connections of {own} who belong here{strangers}, and a host takes {has} at most",
            host.name
        );
        let hint = "fewer nodes, other `connections` here, or more `connections` of `streams`";
        misfits.push(misfit(index, "connections", message, hint));
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Refuses bounds of packets within which somebody of the cluster could not say what lets it in.
fn assemble_packets<N>(hosts: &[Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let longest = hosts
        .iter()
        .filter_map(|host| Some((longest_of_handshake(host)?, &host.name)));
    let Some((bytes, by)) = longest.max() else {
        return;
    };
    for (index, host) in hosts.iter().enumerate() {
        let is_short = (512..bytes).contains(&(host.config.packet as usize));
        if is_short && !matches!(host.role, Role::Adversary(_)) {
            let message = format!(
                "{}: packet is {} bytes, and {by} has to say {bytes} at once to be let in",
                host.name, host.config.packet
            );
            let hint = "a larger one, or a shorter secret, id, version or type";
            misfits.push(misfit(index, "packet", message, hint));
        }
    }
}

/// How many bytes the longest packet has that a host says before it is let in; none, where it does not belong to the cluster.
fn longest_of_handshake<N>(host: &Placed<N>) -> Option<usize>
where
    N: Node<Role = Role, Config = Config>,
{
    let config = &host.config;
    let (kind, link) = match &host.role {
        Role::Node(kind) => (kind.clone(), Link::Node),
        Role::Master | Role::Standby => ("master".to_owned(), Link::Reigning),
        Role::Adversary(_) => return None,
    };
    let address = config.address?;
    let said = Establish {
        id: config.own_id(address),
        version: config.version.clone(),
        kind,
        port: address.port(),
        epoch: match config.rules {
            Rules::Original => Epoch(0),
            Rules::Hardened => Epoch::LAST,
        },
        link,
    };
    let shown = match config.changes().has(Change::Prove) {
        false => Credential::Cert(config.secret.expose().to_owned()),
        true => Credential::Proof([0; MAC]),
    };
    let packets = [Packet::Establish(said), Packet::AuthStart(shown)];
    let lengths = packets.iter().map(|packet| {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        bytes.len()
    });
    lengths.max()
}

/// Whether a node may have this type.
fn is_type(kind: &str) -> bool {
    (1..=MAX_NAME).contains(&kind.len())
}

fn assemble_masters<N>(hosts: &mut [Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let mut masters = Vec::new();
    for role in [Role::Master, Role::Standby] {
        let mut own = (0..hosts.len()).filter(|index| hosts[*index].role == role);
        masters.extend(own.next().and_then(|index| hosts[index].config.address));
        if let Some(second) = own.next() {
            misfits.push(Misfit {
                host: Some(second),
                field: None,
                message: format!("{} is a second {role:?}", hosts[second].name),
                hint: Some("a cluster has one master and at most one standby".to_owned()),
            });
        }
    }
    let masters: Arc<[SocketAddrV4]> = masters.into();
    for (index, host) in hosts.iter_mut().enumerate() {
        if host.config.masters.is_empty() {
            host.config.masters = masters.clone();
        }
        let known = &host.config.masters;
        let is_own = |master: &SocketAddrV4| Some(*master) == host.config.address;
        let message = match host.role {
            Role::Master => continue,
            Role::Standby if known.len() < 2 || known.iter().all(is_own) => "has no master to follow",
            Role::Node(_) if known.iter().any(is_own) => "has its own address for a master's",
            Role::Node(_) | Role::Adversary(_) if known.is_empty() => "has no master to dial",
            _ => continue,
        };
        let message = format!("{} {message}", host.name);
        let hint = "add a host with role Master, or name addresses here";
        misfits.push(misfit(index, "masters", message, hint));
    }
}

fn assemble_adversaries<N>(hosts: &mut [Placed<N>])
where
    N: Node<Role = Role, Config = Config>,
{
    let victim = hosts.iter().find(|host| matches!(host.role, Role::Node(_)));
    let Some((victim, kind)) = victim.and_then(|host| match &host.role {
        Role::Node(kind) => Some((host.config.clone(), kind.clone())),
        _ => None,
    }) else {
        return;
    };
    let overheard = super::adversary::overheard(&victim, &kind);
    for host in hosts
        .iter_mut()
        .filter(|host| matches!(host.role, Role::Adversary(_)))
    {
        let tricks = &mut host.config.adversary;
        tricks.victim = tricks.victim.take().or_else(|| victim.id.clone());
        if tricks.overheard.is_empty() {
            tricks.overheard = overheard.clone();
        }
    }
}

fn misfit(host: usize, field: &'static str, message: String, hint: &str) -> Misfit {
    Misfit {
        host: Some(host),
        field: Some(field),
        message,
        hint: Some(hint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::RefineryNode;
    use super::*;

    /// A cluster of a master, a standby, and nodes of these types.
    fn cluster(rules: Rules, kinds: &[&str], change: impl Fn(&mut Config)) -> Vec<Placed<RefineryNode>> {
        let placed = |index: usize| {
            let mut config = Config::profile("brisk", rules);
            change(&mut config);
            Placed {
                name: format!("h{index}"),
                ip: Ipv4Addr::from(0x0a00_0001 + index as u32),
                role: match index {
                    0 => Role::Master,
                    1 => Role::Standby,
                    _ => Role::Node(kinds[index - 2].to_owned()),
                },
                config,
            }
        };
        (0..kinds.len() + 2).map(placed).collect()
    }

    /// What is said of a cluster of so many nodes, whose hosts take so many connections, so many of them of those not let in.
    fn said(rules: Rules, nodes: usize, connections: u32, outside: u32) -> Vec<String> {
        let mut hosts = cluster(rules, &vec!["crusher"; nodes], |config| {
            config.connections = outside
        });
        assert_eq!(assemble(&mut hosts), Ok(()));
        let streams = StreamLaw {
            connections,
            ..StreamLaw::default()
        };
        let misfits = fits(&hosts, &streams).err().unwrap_or_default();
        misfits.into_iter().map(|misfit| misfit.message).collect()
    }

    #[test]
    fn a_cluster_whose_connections_do_not_fit_is_refused() {
        // Nodes, the other master, and 512 strangers.
        assert_eq!(said(Rules::Hardened, 511, 1_024, 512), Vec::<String>::new());
        let refused = said(Rules::Hardened, 511, 1_023, 512);
        assert_eq!(refused.len(), 2);
        assert_eq!(
            refused[0],
            "h0 may have connections of 512 who belong here, and 512 of those that have not been let in, and a host takes 1023 at \
             most"
        );
        // They may all dial at once.
        let refused = said(Rules::Hardened, 512, 2_000, 512);
        assert_eq!(refused.len(), 2);
        assert_eq!(
            refused[0],
            "h0 may be dialled by 513 who belong here at once, and has room for 512 that have not been let in"
        );
        let most = MOST_NODES as u32;
        assert_eq!(
            said(Rules::Hardened, MOST_NODES - 2, 2 * most, most),
            Vec::<String>::new()
        );
        // A node has three below it.
        assert_eq!(said(Rules::Hardened, 3, 512 + 3, 512).len(), 2);
        // By the original rules all of them count alike.
        assert_eq!(said(Rules::Original, 511, 1_024, 512), Vec::<String>::new());
        assert_eq!(
            said(Rules::Original, 512, 1_024, 512)[0],
            "h0 may have connections of 513 who belong here, and a host takes 512 at most"
        );
    }

    /// Of which host and field a cluster's settings are refused, and why.
    fn refused(mut hosts: Vec<Placed<RefineryNode>>) -> Vec<(Option<usize>, Option<&'static str>, String)> {
        let misfits = assemble(&mut hosts).err().unwrap_or_default();
        let told = |misfit: Misfit| (misfit.host, misfit.field, misfit.message);
        misfits.into_iter().map(told).collect()
    }

    #[test]
    fn a_type_that_no_packet_takes_is_refused_where_it_is_written() {
        let long = "t".repeat(MAX_NAME + 1);
        for (kind, len) in [("", 0), (long.as_str(), 65)] {
            let said = format!("h3: its type has {len} bytes");
            let refused = refused(cluster(Rules::Hardened, &["crusher", kind], |_| ()));
            assert_eq!(refused[..1], [(Some(3), None, said)]);
        }
    }

    #[test]
    fn a_packet_that_is_too_short_for_somebodys_handshake_is_refused() {
        let secret = |bytes: &str, count: usize, packet: u32| {
            let secret = bytes.repeat(count);
            move |config: &mut Config| {
                config.secret = Secret::from(secret.as_str());
                config.packet = packet;
            }
        };
        // The frame of auth:start takes 28 bytes, and what frames a packet is escaped.
        for (bytes, count, takes) in [("x", 600, 628), (";", 600, 3_628)] {
            let enough = cluster(Rules::Original, &["crusher"], secret(bytes, count, takes));
            assert_eq!(refused(enough), []);
            let short = cluster(Rules::Original, &["crusher"], secret(bytes, count, takes - 1));
            let said = format!(
                "h0: packet is {} bytes, and h2 has to say {takes} at once to be let in",
                takes - 1
            );
            assert_eq!(refused(short)[0], (Some(0), Some("packet"), said));
            // A proof is as long whatever the secret.
            let proof = cluster(Rules::Hardened, &["crusher"], secret(bytes, count, 512));
            assert_eq!(refused(proof), []);
        }
        let long = ";".repeat(MAX_NAME);
        let hosts = cluster(Rules::Hardened, &["crusher", &long], |config| config.packet = 512);
        assert_eq!(refused(hosts).len(), 0);
        let hosts = cluster(Rules::Hardened, &["crusher", &long], |config| {
            (config.packet, config.version) = (512, long.clone());
        });
        // Everyone has to take it.
        assert_eq!(refused(hosts).len(), 4);
    }
}
