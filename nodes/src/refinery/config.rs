//! The settings of a refinery node: the two rule sets, the changes between them, and what cannot be.

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Role;
use super::wire::{MAX_CERT, MAX_NAME};
use crate::cast::Fault;
use crate::secret::Secret;
use crate::time::Span;

/// How many nodes a cluster has at most: what a master keeps of each comes to a few hundred bytes, and a packet that is not whole. That many
/// take hosts that may have more connections than the 1 024 that they have where nothing is said.
pub const MOST_NODES: usize = 5_000;

/// The port that nodes have where nothing else is said.
pub(super) const PORT: u16 = 7500;

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
            port: PORT,
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
        if let [first, second] = self.masters[..]
            && first == second
        {
            let message = format!("{first} is named twice");
            faults.push(Fault::new(
                "masters",
                message,
                "a master, and a standby at another address",
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

/// Whether a node may have this type.
pub(super) fn is_type(kind: &str) -> bool {
    (1..=MAX_NAME).contains(&kind.len())
}
