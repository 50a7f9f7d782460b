//! The authenticated cluster: nodes that a master lets in when they belong to it, and that form a tree below it, over streams.
//!
//! The source is the *Cluster Protocol* of a refinery's nodes. What is written here beyond it is marked *decided*.
//!
//! # The story
//!
//! A node dials the master and says who it is: **conn:establish**, with its id, its version and its type. The master answers
//! **conn:startAuth** when the version is its own, **conn:close** when it is not. The node shows its cert, **auth:start**; the master
//! lets it in, **auth:ack** with the upstream that the node is to have, or declines it, **auth:dec**. The node answers **auth:ack**,
//! or **conn:close** when it was declined. A packet out of its turn, or a command of a master from one that is not the master, closes
//! the connection.
//!
//! The node then dials its upstream with the same handshake, in which the upstream plays the master's part and names itself as the
//! upstream; where the upstream is the master, the line to that is enough. *Decided*: **conn:establish** names the port at which a node
//! accepts those below it, in `port`, since the source does not say how the master knows. So the nodes form a tree below the master,
//! with at most `fan_out` below each. Both ends of a connection say **conn:alive** at an interval; whoever has dialled gives a silent one
//! up, and dials again after a back-off that doubles, with jitter. When a node's connection to the master ends, the master gives those
//! below it another upstream with a new **auth:ack**. **conn:close** ends a connection in order.
//!
//! *Decided*, under `Hardened`: there is a standby, which dials the master as a node does and is let in with `reign`; the master tells
//! it of every node with **sync:node** and **sync:gone**. When the master is gone, and was looked for for a while, the standby opens an
//! epoch above all that it knows of, writes it down, and *reigns*: nodes, which know both addresses, join it, and keep their places in the
//! tree. A master that comes back looks for the other first and follows it. One that reigns and is not followed dials the other: where
//! both reign, the lower epoch gives way. The master opens even epochs and the standby odd ones, so that the two never open the same, and
//! neither opens one twice while it keeps its disk. The last is [2⁵³ − 1](wire::Epoch::LAST): who would have to go beyond it does not reign.
//!
//! *Decided*, under `Hardened`: a node that dials the upstream that it was given says so: its port is in `down`, in place of `port`, and
//! what it proves covers that. Who does not say so takes whom it dials for its master; a node of the tree, which is none, closes that
//! connection with `no master`. So a node that was started with the address of another node, where that of its master or standby should
//! stand, is let in nowhere and claims `turned_away` with that address; it is [`Misdirected`](Standing::Misdirected), as it answers who asks,
//! and goes on dialling in turn all the addresses that it was given, since somebody may mend what is at the other end. A master or standby
//! that finds a node where the other one should be claims the same, and otherwise goes on as if the other one did not reign, since anybody
//! may say so.
//!
//! *Decided*, under `Hardened`: a master or standby lets in as the other one only who accepts at the address that it was given for that, and
//! closes the connection of anyone else who says so with `unexpected`. A standby does not reign while one is there with which it does not
//! agree on who the other one is, on the version or on the secret: that has closed its connection so, or has dialled it and shown that it
//! belongs here. So a second standby of one master, one with a mistaken address of its master, or one of another version takes nothing over
//! while that is up.
//!
//! *Decided*: **conn:close** says why where the other can mend it: that it has another `version`, or was `replaced`, since somebody else has
//! shown that it belongs here under its id. Whoever was replaced claims it, closes those below it, who are told of the place of the other one
//! by the master, and dials again after a back-off that goes on doubling though it is let in each time: two nodes that were started under one
//! id are both told so, and do not drive each other out without a pause. Who is turned away for what somebody has to mend is
//! [`TurnedAway`](Standing::TurnedAway), as it answers who asks, and claims it the 1st, 2nd, 4th, 8th, … time.
//!
//! # The map
//!
//! - [`wire`]: the packets, byte for byte; [`Describer`]: in words. `proof`: that somebody belongs here.
//! - `gate`: the accepting side of connections, and `strangers`, how often it tells of those who are not let in; `line`: the dialling side.
//! - `honest`: a node that belongs to the cluster, and its `disk`; `chief`: a master or a standby, and what it does while it reigns;
//!   `registry`: whom it knows, and the tree; `member`: a node of the tree. `adversary`: those who do not belong. `start`: arguments.
//! - [`Config`]: the settings and what cannot be, and `assemble` of whole clusters; [`RefineryFact`]: what is claimed; `invariants`: what is promised, with the
//!   bounds and how they are derived.
//!
//! # Run it live
//!
//! Three terminals, one after another: a master that knows of its standby, the standby, and a node that knows of both.
//!
//! ```sh
//! squall node refinery master 7500 127.0.0.1 7501 --data m --http 127.0.0.1:9100
//! squall node refinery standby 7501 127.0.0.1 7500 --data s --http 127.0.0.1:9101
//! squall node refinery node n1 crusher 127.0.0.1 7500 127.0.0.1 7501 --control n1.sock
//! ```
//!
//! The master claims that it is `serving`, the standby that it is `following` it, and the node that it has `joined` and is `attached`: below
//! the master, which has nobody else. Each further node is started like the last, under an id of its own; the fourth is given one of the
//! first three for its upstream. Now stop the master: Ctrl-C in the first terminal. The node claims `orphaned`, and the standby `suspected`;
//! a second later it is `promoted`, and the node has `joined` it. Ask them, from a fourth terminal:
//!
//! ```sh
//! squall ask n1.sock Status
//! curl -s http://127.0.0.1:9101/status.json
//! ```
//!
//! The node has `127.0.0.1:7501` for its master, in epoch 3: the master had opened 2. The standby is `Reigning` and has `n1` below it. The
//! master, started again by the first line, finds its epoch in its folder, looks for the other first, and is `following` it from then on.
//!
//! The settings are those of the profile `brisk`, and the secret is one that everybody knows. `--print-config` prints the file that such
//! words amount to; there it can be changed, `config: (secret: "…")`, for all of them, and the connections be secured, `tls: (…)` or
//! `--tls`, by certificates that are for the addresses of the nodes: the README has the commands that make them. Then nobody gets as far
//! as a handshake who has none, and who sits between two nodes hears nothing. The pages show every setting: give them an address that
//! only friends reach.
//!
//! *Decided*: certificates stand beside the secret, and neither takes the other's place. They authenticate the transport: both ends of a
//! connection have one that the cluster's authority has signed, and that of the end which was dialled is for the address at which it
//! was dialled. The secret authenticates the node: whoever dials under this id, as one of this version and type, belongs to the cluster. So
//! what **auth:start** shows is the same over TLS as without it. Who has a certificate and not the secret is declined; who has the secret
//! and no certificate has no connection on which it could be shown.
//!
//! # What is promised
//!
//! Under `Hardened`. Under `Original` the promises are the same, and the flaws below break them.
//!
//! | fault | `authenticated_first` | `strangers_stay_out` | `honest_stay` | `epoch_grows` | `one_master` | `live_upstream` | `tree` | `registry_true` |
//! |---|---|---|---|---|---|---|---|---|
//! | loss, duplicates, reordering | always | always | always | always | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ |
//! | corruption | always² | always² | always² | always² | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ |
//! | bandwidth | always | always | always | always | in quiet³ | in quiet³ | in quiet³ | in quiet³ |
//! | link changes | always | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | crash, restart | always | always | always | always⁵ | in quiet⁶ | in quiet⁶ | in quiet⁶ | in quiet⁶ |
//! | crash at an effect | always | always | always | always⁵ | in quiet⁶ | in quiet⁶ | in quiet⁶ | in quiet⁶ |
//! | pause | always | always | always | always | in quiet | in quiet | in quiet | in quiet |
//! | slow host | always | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | partition, one-way cut | always | always | always | always | in quiet⁷ | in quiet⁷ | in quiet⁷ | in quiet⁷ |
//! | bridge, ring, flapping cut | always | always | always | always | in quiet⁷ | in quiet⁷ | in quiet⁷ | in quiet⁷ |
//! | slow, failing disk | always | always | always | always⁵ | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | wiped disk | always | always | always | always⁸ | in quiet | in quiet | in quiet | in quiet |
//! | stale, torn, corrupt disk | always | always | always | always⁸ | in quiet | in quiet | in quiet | in quiet |
//! | clock offset, drift, jump | always | always | always | always | in quiet⁹ | in quiet⁹ | in quiet⁹ | in quiet⁹ |
//! | adversary | always¹⁰ | always¹⁰ | always¹⁰ | always¹⁰ | in quiet¹⁰ | in quiet¹⁰ | in quiet¹⁰ | in quiet¹⁰ |
//!
//! 1. While loss and latency are within what is tolerated. Where packets are lost, a silence may be too long though nobody is gone:
//!    then a line is given up, and what was lost with it is there again within the bound.
//! 2. The checksum of the transport finds it, and what is corrupt is lost.
//! 3. While a full queue is within what is tolerated. The transport keeps its packets to what a link takes, so that none is too long.
//! 4. Once it is over. For as long as it lasts, no group that it concerns is quiet.
//! 5. What was accepted or opened is on the disk before it is said.
//! 6. While the master or the standby is up. Where neither is, there is nobody to give an upstream.
//! 7. On each side that is a group and has a master or a standby in it.
//! 8. Anew for the life that begins with such a disk. A master that has lost its disk hears of the epochs that it has forgotten from its
//!    nodes, and opens one above them.
//! 9. While no clock goes wrong by more than a thousandth, and since none has jumped.
//! 10. While the adversary does not have the secret, and does not sit between two who do, nor in the place of one who is dialled: against
//!     that there is TLS, live. Nobody who has the secret is one.
//!
//! ## By which it is shown
//!
//! Each row by files of `scenarios/refinery`: for each fault that it names, every promise is judged after the fault in one of them, over
//! many seeds, in `sim/cli/tests/worlds/promises.rs`.
//!
//! | fault | scenarios |
//! |---|---|
//! | loss, duplicates, reordering | `loss`, `disorder` |
//! | corruption | `corruption` |
//! | bandwidth | `narrow_link` |
//! | link changes | `link_degrades` |
//! | crash, restart | `kill_node`, `restart_node`, `restart_node_at_once`, `kill_master`, `power_cut_master`, `restart_master`, `restart_master_at_once`, `kill_standby`, `master_and_standby_in_turn`, `half_open_node`, `children_cut_off`, `kill_whoever_is_promoted` |
//! | crash at an effect | `kill_when_a_write_begins`, `kill_between_persist_and_word`, `kill_after_first_dial` |
//! | pause | `pause_node`, `pause_master` |
//! | slow host | `slow_node`, `slow_master` |
//! | partition, one-way cut | `partition_and_rejoin`, `cut_off_node`, `one_way_to_master`, `one_way_from_master` |
//! | bridge, ring, flapping cut | `bridge`, `ring`, `flap` |
//! | slow, failing disk | `slow_disk`, `failing_disk` |
//! | wiped disk | `wipe_node`, `wipe_master` |
//! | stale, torn, corrupt disk | `stale_disk`, `torn_disk`, `corrupt_disk` |
//! | clock offset, drift, jump | `clock_offset`, `clock_drift`, `clock_jump` |
//! | adversary | `wrong_cert`, `replay`, `stolen_id`, `out_of_turn`, `slow_framing`, `oversized`, `old_version`, `flood`, `flood_at_a_node` |
//!
//! # What a stranger can cost
//!
//! Whoever has not been let in may have up to `packet` bytes of a packet that is not whole held for it, which are 4 096 under
//! `Hardened`, in a buffer that is no larger; there are at most `connections` of them, 512, and `connections_per_peer` of one address, 64: two
//! megabytes in all. Whoever has been let in may have 64 KiB held, and is one of [`MOST_NODES`] at a master and of `fan_out` at a node. A
//! payload is refused while it is read when it is nested more than [`MAX_DEPTH`](wire::MAX_DEPTH) deep or holds more than
//! [`MAX_VALUES`](wire::MAX_VALUES) values. Only whole packets count as a word: bytes that make none neither end a silence nor move a
//! deadline.
//!
//! That is what the node holds. What its host's kernel holds is the host's to bound: a connection that the node has closed is there until
//! its other end has closed it too, or for the user timeout, 20 s where nothing else is said, and until then it is one of those that the
//! host may have, 1 024 in all and live 256 of one address. So strangers at four addresses who close nothing keep a live host's ports shut,
//! though the node has closed each of them: what it takes to open more is a larger `connections` of the deployment, or a filter ahead of it.
//! A cluster is refused whose nodes do not fit into what a host may have, beside the strangers that its gate has room for; and one whose
//! nodes could not all be strangers at a gate at once, as they are when they dial.
//!
//! Every connection that was let in and is closed is claimed, `closed`, with why. What is claimed of others, `asked`, `declined` and `closed`,
//! is claimed of each address the first four times since somebody from there was let in, and then at the 8th, 16th, 32nd, …
//!
//! A handshake shows who dials, not who is dialled: without TLS a master and an upstream are believed for the address at which they
//! answer. So what somebody says of an epoch is believed of those who have dialled and shown that they belong here, and otherwise only as
//! part of what a master gives, **auth:ack**, without which there would be no cluster; not of a **conn:close**, which anybody may
//! say. Whoever answers at a master's address can keep nodes from their real masters, for as long as it does, and by an epoch
//! near the last one for good; it learns nothing of the secret.
//!
//! # What `Hardened` changes
//!
//! Each is a [`Change`] that can be left out to see what it is for. Beside each is the invariant that is broken without it, in a scene
//! of `sim/cli/tests/worlds/refinery.rs`, and the file of `scenarios/refinery` that shows the flaw under `Original`.
//!
//! | change | the flaw that it mends | missed by | file |
//! |---|---|---|---|
//! | [`Prove`](Change::Prove): what is shown is an HMAC-SHA-256 over a nonce of the one who asks and all that the other has said of itself | The cert crosses the wire: whoever has heard it once is let in. | `strangers_stay_out` | `replay` |
//! | [`Earn`](Change::Earn): an id is taken from its holder only by one who has been let in | A node that comes back is believed to be who it says, before it has shown anything, so that a restart is not taken for a second node; and so is everybody else. | `honest_stay` | `stolen_id` |
//! | [`Deadline`](Change::Deadline): who has not been let in within `handshake` is closed | A connection that leads nowhere is there for ever: a byte a second, or a host that is gone. | `live_upstream` | `slow_framing` |
//! | [`Slots`](Change::Slots): connections that have not been let in have room of their own, a share of it for each address, and when there is none the oldest gives way | Whoever opens connections enough keeps everybody else out. | `honest_stay` | `flood` |
//! | [`Watch`](Change::Watch): the one who accepted closes after a silence of `patience`, and after one of `silence` gives the place to another who needs it | Connections are half open: the master has one that nothing comes on, and its node for alive, until the transport gives up. | `registry_true` | `half_open_node` |
//! | [`Detect`](Change::Detect): a node says in conn:alive that it has lost its upstream, and is given another | Those below a dead node are cut off until the master notices. | `live_upstream` | `children_cut_off` |
//! | [`Standby`](Change::Standby): a standby follows the registry and reigns when the master is gone | The master is a single point of failure. | `one_master` | `kill_master` |
//! | [`Ratchet`](Change::Ratchet): a node goes with no master of a lower epoch than it has accepted, and writes that down | With two masters, a node goes from the one to the other, and back. | `epoch_grows` | – |
//! | [`GiveWay`](Change::GiveWay): one who reigns and hears of a higher epoch follows it, or opens one above it where nobody reigns in that | With a standby, each side of a partition has a master, for ever. | `one_master` | – |
//! | [`StartOver`](Change::StartOver): a node whose write failed closes everything, is silent until a write has completed, and starts over | It goes on as if what was dropped with the write had been said. | `one_master` | `first_write_fails` |
//! | [`Whom`](Change::Whom): a node says whether it takes whom it dials for its master or for its upstream, and one that is no master lets in nobody who takes it for one | A node that was given another node's address for its master's is let in there, as by an upstream: it believes that it has joined, and no master has heard of it. | `registry_true` | `wrong_address` |
//!
//! `Ratchet` and `GiveWay` are shown by no file: they mend what `Standby` would bring along. `Original` has one master, so that nobody can
//! reign beside it, and no epochs, of which a lower one could be accepted after a higher.
//!
//! Three rules belong to both sets, and can be left out all the same. [`Turn`](Change::Turn): a packet out of its turn closes the
//! connection; without it `authenticated_first` is broken. [`Downward`](Change::Downward): nobody is put below one who is below itself;
//! without it `tree` is broken. [`ListenFirst`](Change::ListenFirst): a node listens before it writes; without it `live_upstream` is broken.
//!
//! # What did not hold at first
//!
//! Random storms over `Hardened` broke promises. Each is told by a file of `scenarios/refinery` that holds by now, and breaks again without
//! its mend.
//!
//! | scenario | the flaw | the mend |
//! |---|---|---|
//! | `found_deaf_since_its_first_write` | A master's first write fails. That it listens waited behind it and was dropped; it starts over, believes that it listens, and refuses everyone for ever. | [`ListenFirst`](Change::ListenFirst): it listens before it writes anything. |

mod adversary;
mod assemble;
mod chief;
mod config;
mod describe;
mod disk;
mod facts;
mod gate;
mod honest;
mod invariants;
mod line;
mod member;
mod proof;
mod registry;
mod start;
mod strangers;
pub mod wire;
mod words;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use adversary::Trick;
pub use config::{Change, Config, MOST_NODES, Rules, Tricks};
pub use describe::{Describer, Told, tell};
pub use facts::{Loss, Parting, RefineryFact, Refusal};

use crate::node::{self, ConnId, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::start::{Outside, Unusable};
use crate::stream::StreamLaw;
use crate::time::{Span, Time};
use adversary::Adversary;
use honest::Honest;
use wire::{Epoch, Packet};

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Refinery;

impl Protocol for Refinery {
    const NAME: &'static str = "refinery";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "nodes that a master lets in when they belong to it, and that form a tree below it, over streams";
    type Node = RefineryNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        let rules = match rules {
            "Original" => Rules::Original,
            "Hardened" => Rules::Hardened,
            // Whoever asks has chosen among `RULES`.
            other => panic!("refinery has no rule set \"{other}\""),
        };
        Config::profile(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<RefineryNode>]) -> Result<(), Vec<Misfit>> {
        assemble::assemble(hosts)
    }

    fn fits(hosts: &[Placed<RefineryNode>], streams: &StreamLaw) -> Result<(), Vec<Misfit>> {
        assemble::fits(hosts, streams)
    }

    const WORDS: &'static [(&'static str, &'static str)] = start::WORDS;

    fn start(
        words: &[String],
        config: Config,
        outside: &dyn Outside,
    ) -> Result<Placed<RefineryNode>, Unusable> {
        start::start(words, config, outside)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn told(fact: &RefineryFact) -> Option<String> {
        words::told(fact)
    }

    fn answered(answer: &Answer) -> String {
        words::answered(answer)
    }

    fn invariants() -> Vec<InvariantKind<RefineryNode>> {
        invariants::all()
    }

    /// That of a try of a packet in a handshake. A third of it is what latency is tolerated where a file does not say: the eight that a
    /// handshake takes are less than a quarter of its time then, and the rest is for what is lost.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.silence.min(config.handshake / 12)
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer::default())
    }
}

/// What a host may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Reigns when the cluster starts.
    Master,
    /// Follows the master, and reigns when it is gone. By the original rules it does nothing.
    Standby,
    /// A node of this type.
    Node(String),
    /// Somebody who does not belong to the cluster.
    Adversary(Trick),
}

/// What can be asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Where it stands and whom it knows.
    Status,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Command::Status`].
    Status {
        /// What it does.
        standing: Standing,
        /// The highest epoch that it has accepted or opened; 0 under `Original`.
        epoch: Epoch,
        /// Its master; itself when it reigns.
        master: Option<SocketAddrV4>,
        /// Its upstream, where it has one.
        upstream: Option<SocketAddrV4>,
        /// Of one who reigns, everyone in its registry; of a node, those who are connected to it. By id.
        below: Vec<Below>,
        /// Of one who reigns, the other master, where that follows it.
        standby: Option<SocketAddrV4>,
    },
}

/// A node that is below another, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Below {
    /// Its id.
    pub id: String,
    /// Where it accepts those below it.
    pub address: SocketAddrV4,
    /// Its type.
    pub kind: String,
    /// Its upstream.
    pub upstream: SocketAddrV4,
    /// Whether it is connected: a master that has taken over remembers for a while those who have not come yet.
    pub is_here: bool,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It reigns.
    Reigning,
    /// As one of the masters, it follows the other.
    Following,
    /// It looks for a master.
    Seeking,
    /// As a standby by the original rules, it does nothing.
    Idle,
    /// A master has let it in, and it has no upstream yet.
    Joined,
    /// It has its place in the tree.
    Attached,
    /// A write to its disk failed: it says and hears nothing until one has completed.
    Failing,
    /// It is an adversary.
    Adversary,
    /// It refused to start.
    Refused,
    /// It looks for a master, and at an address that it was given for one there is a node of the tree.
    Misdirected {
        /// The address.
        to: SocketAddrV4,
    },
    /// It looks for a master, and whoever is at an address that it was given for one does not let it in, which somebody has to mend: it has
    /// another secret or version, or its id is another's.
    TurnedAway {
        /// The address.
        by: SocketAddrV4,
        /// Why.
        why: Loss,
    },
}

/// The alarms of a refinery node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next conn:alive is due, and a look at who has been silent.
    Beat,
    /// A master is to be dialled.
    Dial,
    /// The upstream is to be dialled.
    Upstream,
    /// The other master was looked for for long enough.
    Takeover,
    /// What could not be written to the disk is written again.
    Disk,
    /// An adversary goes on.
    Act,
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        *self as u64
    }
}

/// A node of any role.
#[derive(Clone)]
pub struct RefineryNode(Kind);

#[derive(Clone)]
enum Kind {
    Honest(Box<Honest>),
    Adversary(Box<Adversary>),
    Refused { why: String },
}

impl Node for RefineryNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = RefineryFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        let kind = match (config.admit(role), role) {
            (Err(why), _) => Kind::Refused { why },
            (Ok(me), Role::Adversary(trick)) => {
                Kind::Adversary(Box::new(Adversary::boot(*trick, config.clone(), me, rng)))
            }
            (Ok(me), _) => Kind::Honest(Box::new(Honest::boot(role, config, me, disk, rng))),
        };
        RefineryNode(kind)
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let standing = match &mut self.0 {
            Kind::Honest(honest) => return honest.take(now, input, out),
            Kind::Adversary(adversary) => {
                match input {
                    Input::Start => return adversary.start(now, out),
                    Input::Timer(timer) => return adversary.on_timer(now, timer, out),
                    Input::Stream { conn, event } => return adversary.on_stream(conn, event, out),
                    _ => {}
                }
                Standing::Adversary
            }
            Kind::Refused { why } => {
                if let Input::Start = input {
                    out.claim(RefineryFact::RefusedToStart { why: why.clone() });
                }
                Standing::Refused
            }
        };
        if let Input::Command {
            call,
            command: Command::Status,
        } = input
        {
            out.answer(call, Answer::of(standing));
        }
    }
}

impl Answer {
    /// The answer of one who has nothing else to say.
    fn of(standing: Standing) -> Self {
        Answer::Status {
            standing,
            epoch: Epoch(0),
            master: None,
            upstream: None,
            below: Vec::new(),
            standby: None,
        }
    }
}

/// Where nodes put what they want done.
type Out = Outbox<RefineryNode>;

/// Writes a packet to a connection.
fn write(conn: ConnId, packet: &Packet, out: &mut Out) {
    let payload = out.encode(|into| packet.encode(into));
    out.write(conn, payload);
}

/// How long a node waits until it dials again after so many failures in a row: twice as long as the time before, up to a bound, and of
/// that between a half and all, so that those who lost the same one do not all come at once.
fn waits(config: &Config, failures: u32, rng: &mut NodeRng) -> Span {
    let doubled = config.backoff * 1u64.checked_shl(failures).unwrap_or(u64::MAX);
    let longest = doubled.min(config.backoff_most);
    rng.span(longest / 2, longest)
}
