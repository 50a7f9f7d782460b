//! The high-availability cluster: nodes that tell each other over UDP who is available, either through one server or each to
//! everyone.
//!
//! The source is Sam Dodson's *High Availability Cluster Protocol*. What is written here beyond it is marked *decided*.
//!
//! # The story
//!
//! A client opens with **HC**; the server answers **HS** with an id, and the client gets the same id back whenever it
//! returns. From then on it sends **AC** at random intervals. When a round ends, the server marks alive whom it heard and
//! dead whom it did not, and sends the table to everyone alive as **AS**, split over packets where it has to be.
//!
//! *Decided*: a client that gets no AS for its timeout suspects the server and repeats the handshake; after a second
//! timeout it turns to its own copy of the table. Of those alive in it, the one heard in most rounds, of several the one
//! with the lowest id, becomes the server. If that is the client itself, it is promoted at once. If not, it waits, opens
//! with HC there, and after one more timeout of silence strikes it off and takes the next. When nobody is left it begins
//! again with the server that it was given. A server that comes back first asks everyone it knows whether there is one
//! now, and joins that as a client; if nobody answers for a timeout, it serves again.
//!
//! Among peers there is no server. Each sends **AP** about itself to every other at random intervals; a peer is alive when
//! it was heard within the window. Its availability is the share of rounds that it was heard in: computed, never sent.
//!
//! # The map
//!
//! - [`wire`]: the packets, byte for byte; [`table`]: what a list of entries becomes; [`Describer`]: both in words.
//! - `member`: a node of a client-server cluster, whatever it does; `client`: seeking and following; `server`: serving;
//!   `failover`: from one to the other; `disk`: what outlives a crash; `book`: whom a node
//!   knows. `peer`: a node of the other mode. `start`: the source's own arguments.
//! - [`Config`]: the settings and what cannot be; [`HacFact`]: what is claimed; `invariants`: what is promised, with the
//!   bounds and how they are derived.
//!
//! # What is promised
//!
//! Under `Hardened`. Under `Original` the promises are the same, and the flaws below break them.
//!
//! | fault | `ids_granted_once` | `heard_grows` | `epoch_grows` | `one_server` | `ids_unique` | `status_true` | `tables_agree` | `peers_agree` |
//! |---|---|---|---|---|---|---|---|---|
//! | loss, duplicates, reordering | always | always | always | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ |
//! | corruption | always² | always² | always² | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ | in quiet¹ |
//! | bandwidth, MTU | always | always | always | in quiet³ | in quiet³ | in quiet³ | in quiet³ | in quiet³ |
//! | link changes | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | crash, restart | always⁵ | always⁶ | always⁵ | in quiet⁷ | in quiet | in quiet | in quiet | in quiet |
//! | crash at an effect | always⁵ | always⁶ | always⁵ | in quiet⁷ | in quiet | in quiet | in quiet | in quiet |
//! | pause | always | always | always | in quiet | in quiet | in quiet | in quiet | in quiet |
//! | slow host | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | partition, one-way cut | always | always | always | in quiet⁸ | in quiet⁸ | in quiet⁸ | in quiet⁸ | in quiet⁸ |
//! | bridge, ring, flapping cut | always | always | always | in quiet⁸ | in quiet⁸ | in quiet⁸ | in quiet⁸ | in quiet⁸ |
//! | slow, failing disk | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁴ | in quiet⁹ |
//! | wiped disk | always¹⁰ | always⁶ | always¹⁰ | in quiet⁷ ¹¹ | in quiet¹¹ | in quiet¹² | in quiet | in quiet⁹ |
//! | stale, torn, corrupt disk | always¹⁰ | always⁶ | always¹⁰ | in quiet⁷ ¹¹ | in quiet¹¹ | in quiet¹² | in quiet | in quiet⁹ |
//! | clock offset, drift, jump | always | always | always | in quiet¹³ | in quiet¹³ | in quiet¹³ | in quiet¹³ | in quiet¹³ |
//!
//! 1. While loss and latency are within what is tolerated, and `misses` and `handshake_tries` are enough for that loss. The
//!    defaults are, for 5 %. A corrupted datagram is a lost one.
//! 2. A CRC-32C catches every change that keeps to four bytes in a row, and of others all but one in 2³². It is no signature:
//!    nothing is promised against datagrams that were forged.
//! 3. While a full queue is within what is tolerated, and whole datagrams pass: a group of which a link drops one for its length
//!    or for want of room has been disturbed. A link that takes less than `mtu` and 28 bytes of headers drops every table that
//!    is longer, and no rule gets it across.
//! 4. Once it is over. For as long as it lasts, no group that it concerns is quiet: no bound on time could be kept by a node
//!    whose machine, disk or links keep none. Nor is it over before what a slow link or disk has kept is there: a late word from who is
//!    down by now is believed like any other, since it is the same bytes.
//! 5. What was granted and accepted is on the disk before it is said.
//! 6. Anew for the observer's next life: how often it has heard whom is in its memory alone.
//! 7. Not for a client that has not joined since it came up and cannot reach the host of its settings' server: it may know
//!    nobody else.
//! 8. On each side that is a group; not in shapes that are none, such as hosts of which one hears the other and not the
//!    other way round, or of which both hear a third and not each other. There, whoever does not hear the server elects
//!    another, as it must in case it is cut off, and whoever hears both goes over to the higher epoch. When the shape is gone
//!    one is left.
//! 9. Nothing to show: a peer writes nothing down, so that no disk makes any difference to it.
//! 10. Anew for the life that begins with such a disk. A disk that has lost a write that it had said was done leaves nothing by
//!     which its node could know of it, and whoever asks others has to take the word of those that it can reach.
//! 11. Among nodes that are linked by whom they know. A node knows whom its settings, a table, or its server has named to it,
//!     and to whom it granted an id, since it last came up with a disk that was not the one that it had written. Where the only
//!     node that knew two others is gone, or knew the one before it lost its disk and the other after, nobody is left to tell them
//!     of each other.
//! 12. A server that has lost its disk does not report those whom it has forgotten, dead or alive, until they speak or are
//!     introduced.
//! 13. While no clock goes wrong by more than a thousandth, and since none has jumped. How far clocks are apart is of no account:
//!     no node tells another the time.
//!
//! ## By which it is shown
//!
//! Each row by files of `scenarios/hac`: for each fault that it names, every promise is judged after the fault in one of them, over
//! many seeds, in `sim/cli/tests/worlds/promises.rs`. That ids are granted once is shown by newcomers, who start when the fault is there.
//!
//! | fault | scenarios |
//! |---|---|
//! | loss, duplicates, reordering | `loss`, `duplication`, `reordering`, `bad_link`, `loss_peers`, `held_back`, `disorder_peers` |
//! | corruption | `corruption`, `corruption_peers` |
//! | bandwidth, MTU | `narrow_link`, `black_hole`, `zones`, `narrow_link_peers`, `newcomer_behind_a_narrow_link`, `newcomer_black_hole`, `black_hole_peers` |
//! | link changes | `link_degrades`, `narrow_link`, `link_degrades_peers`, `newcomer_black_hole` |
//! | crash, restart | `kill_server`, `power_cut_server`, `restart_server_at_once`, `returns_as_client`, `kill_peer`, `restart_peer`, `late_joiner` |
//! | crash at an effect | `kill_between_persist_and_send`, `kill_when_a_write_begins`, `kill_after_first_send`, `kill_peer_when_it_speaks`, `newcomers_at_the_worst_moment` |
//! | pause | `pause_server`, `pause_client`, `pause_peer`, `newcomer_asks_paused_server` |
//! | slow host | `slow_host`, `slow_peer`, `newcomer_asks_slow_server` |
//! | partition, one-way cut | `partition_and_rejoin`, `one_way_from_server`, `one_way_to_server`, `partition_peers_and_rejoin`, `newcomer_in_a_partition`, `newcomer_hears_nothing`, `one_way_peers` |
//! | bridge, ring, flapping cut | `bridge`, `flap`, `ring`, `newcomer_is_a_bridge`, `newcomer_in_a_ring`, `newcomer_with_a_loose_contact`, `bridge_peers`, `flap_peers` |
//! | slow, failing disk | `slow_disk`, `failing_disk`, `found_said_without_a_disk`, `newcomer_asks_without_a_disk` |
//! | wiped disk | `wipe_server`, `wipe_client` |
//! | stale, torn, corrupt disk | `stale_disk`, `torn_disk`, `corrupt_disk`, `newcomer_asks_stale_disk` |
//! | clock offset, drift, jump | `clock_offset`, `clock_drift`, `clock_jump`, `clock_peers`, `drifting_peers`, `newcomer_after_clock_jump` |
//!
//! # What `Hardened` changes
//!
//! Every server opens an *epoch* of its own, above every one that it has accepted, and writes it down before it speaks. All
//! packets carry the highest epoch that their sender has accepted. Of two epochs the one with the higher counter is the
//! greater, then the one with the lower server id, then the one with the higher nonce. On that stand the changes, each a
//! [`Change`] that can be left out to see what it is for. Beside each is the invariant that is broken without it, in a scene
//! of `tests/hac/twins.rs`.
//!
//! | change | the flaw that it mends | missed by |
//! |---|---|---|
//! | [`Ratchet`](Change::Ratchet): an AS or HS of a lower epoch than the accepted one is ignored | An old server that comes back takes clients with it. | `epoch_grows` |
//! | [`StepDown`](Change::StepDown): a server that hears of a higher epoch joins it | After a partition, each side has a server, for ever. | `one_server` |
//! | [`Probe`](Change::Probe): AS goes to every address held, those for dead included | Each side holds the other for dead and never speaks to it again. | `one_server` |
//! | [`Correct`](Change::Correct): a server answers an AS or AC of a lower epoch with its own AS | The one that should give way is known to the other and does not know it. | `one_server` |
//! | [`HandOn`](Change::HandOn): a promoted server goes on with the table that it had from AS | It starts with an empty table: ids and addresses are forgotten, the old server's among them. | `one_server` |
//! | [`Remember`](Change::Remember): the whole table comes with the id, makes the joining, and is kept on the disk | A client whose server dies before the first AS knows nobody, and after a restart nobody knows anyone. | `one_server` |
//! | [`Addresses`](Change::Addresses): an id belongs to an address | Whoever names an id is given it, whoever has it. | `ids_granted_once`, `ids_unique` |
//! | [`Forward`](Change::Forward): a client hands an HC on to its server, one hop far | A newcomer asks the host that was the server, which is a client by now and does not answer. | `one_server` |
//! | [`Retry`](Change::Retry): a handshake spends several HC over its timeout | One lost datagram in two is a failed handshake, and a promotion beside a living server. | `one_server` |
//! | [`Patience`](Change::Patience): dead only after several silent rounds, or a window of several | One lost or late datagram makes a living node dead for a round. | `status_true`, `peers_agree` |
//! | [`Count`](Change::Count): a split list is whole when as many entries of a round are there as its total says | `last_packet` says nothing of those before it: a list with a hole passes for whole. | `tables_agree` |
//! | [`Crc`](Change::Crc): a CRC-32C ends every datagram | A flipped bit is believed: a round far ahead, a neighbour's id. | `tables_agree` |
//! | [`TakeBack`](Change::TakeBack): a server that is spoken to in an epoch above its own opens a higher one | A server with a wiped disk begins again below the epoch of its clients, and who holds no table to elect another by ignores it for ever. | `one_server` |
//! | [`Introduce`](Change::Introduce): a node goes on knowing whom it has once known, and tells its server with AC of those whom the table does not name | Who takes the table of a server with a wiped disk forgets everyone else; two servers that have forgotten each other never meet. | `one_server` |
//! | [`Nonce`](Change::Nonce): an epoch carries a number that was drawn when it was opened | A server that has lost its disk opens an epoch a second time, and its new tables are mixed with its old ones. | `tables_agree` |
//! | [`WriteDown`](Change::WriteDown): the highest accepted epoch is on the disk before anything is said in it | Who comes back may follow a server of an epoch that it had left, or open one that is no higher. | `epoch_grows` |
//! | [`StartOver`](Change::StartOver): a node whose write failed is silent and deaf until one has completed, and then goes on as if restarted | It goes by what it could not write down: a client that could not write that it left for a higher epoch speaks in it all the same, and after a crash is back in the lower one. | `epoch_grows` |
//!
//! Two rules belong to both sets, and can be left out all the same. [`Merge`](Change::Merge): packets are merged entry by
//! entry, the newer staying, so that order and repetition do not matter; without it `heard_grows` is broken.
//! [`Return`](Change::Return): a server that comes back and finds no other serves again; without it `one_server` is broken.
//!
//! # What did not hold at first
//!
//! Random storms over `Hardened` broke promises, and one more flaw was thought of on the way. Each is told by a file of
//! `scenarios/hac` that holds by now. What mends it, a change or another mend, is taken out again in `sim/cli/tests/worlds/hac.rs`.
//!
//! | scenario | the flaw | the mend |
//! |---|---|---|
//! | `found_forgotten_by_table` | A server with a wiped disk serves one client and then another, in two epochs. Each takes its table, which does not name the other, in place of its own; the server is gone, both are promoted and never speak to each other. | [`Introduce`](Change::Introduce) |
//! | `found_epoch_opened_twice` | A client is promoted, loses its disk, is given its old id, is promoted again and opens an epoch of the same number and the same server. Whoever joined the first mixes the tables of the two. | [`Nonce`](Change::Nonce) |
//! | `found_said_without_a_disk` | One that is promoted cannot write its epoch down and goes on in it all the same, since the next table needs no write. After a crash it is back in the epoch before. It was thought of before a storm found it. | [`StartOver`](Change::StartOver) |
//! | `found_nobody_in_common` | A server grants an id, loses its disk, grants the same id to another, and is gone. Both know that server and nobody knows both; both are promoted. | None is possible, since there is nobody left to ask. `one_server` and `ids_unique` now speak of those only whom somebody could tell of each other: note 11 above. |
//! | `found_straggler` | A word is under way for seconds, over a link with a heavy tail, while its sender dies and the link is healed. When it comes, a dead peer is held for alive. | None is possible, since a late word is the same bytes as one just said. What quiet is was mended: no group is quiet before what a bad link has kept is there, note 4 above. |
//! | `found_told_too_late` | A slow host takes a while until it comes to the news that its write has failed. What it says in the meantime went out at once, and after a crash it is back in an epoch below one of which it had spoken. | None is possible for a node that does not know yet. The contract of [`PersistFailed`](Input::PersistFailed) was mended: what a node says before it knows of the failure is dropped like what waited behind the write. |

mod book;
mod client;
mod config;
mod describe;
mod disk;
mod facts;
mod failover;
mod invariants;
mod member;
mod peer;
mod server;
mod start;
pub mod table;
pub mod wire;
mod words;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use config::{Change, Config, MOST_PEERS, Rules};
pub use describe::Describer;
pub use facts::{HacFact, Row};

use crate::node::{self, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::start::{Outside, Unusable};
use crate::time::{Span, Time};
use member::Member;
use peer::Peer;
use wire::{Epoch, Status};

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Hac;

impl Protocol for Hac {
    const NAME: &'static str = "hac";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "a server and its clients, or equal peers, that know of each other who is available";
    type Node = HacNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        let rules = match rules {
            "Original" => Rules::Original,
            "Hardened" => Rules::Hardened,
            // Whoever asks has chosen among `RULES`.
            other => panic!("hac has no rule set \"{other}\""),
        };
        Config::profile(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<HacNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    const WORDS: &'static [(&'static str, &'static str)] = start::WORDS;

    fn start(words: &[String], config: Config, outside: &dyn Outside) -> Result<Placed<HacNode>, Unusable> {
        start::start(words, config, outside)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn told(fact: &HacFact) -> Option<String> {
        words::told(fact)
    }

    fn answered(answer: &Answer) -> String {
        words::answered(answer)
    }

    fn invariants() -> Vec<InvariantKind<HacNode>> {
        invariants::all()
    }

    /// The shorter of the client's timeout and the peer's window.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.client_timeout.min(config.window())
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer)
    }
}

/// What a host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Serves when the cluster starts.
    Server,
    /// Joins the server, and may be promoted when that fails.
    Client,
    /// One of many equals.
    Peer,
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
        /// Its id.
        id: Option<u32>,
        /// Its server; itself when it serves.
        server: Option<SocketAddrV4>,
        /// The highest epoch that it accepted.
        epoch: Epoch,
        /// Its table, by id.
        rows: Vec<AnswerRow>,
    },
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It looks for a server.
    Seeking,
    /// It has a server.
    Following,
    /// It lost its server and waits for the next one.
    Electing,
    /// It serves.
    Serving,
    /// It is one of many equals.
    Peer,
    /// A write to its disk failed: it says and hears nothing until one has completed.
    Failing,
    /// It refused to start.
    Refused,
}

/// One node in a table, as it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRow {
    /// Its id; a peer's place in the list, from 1.
    pub id: u32,
    /// Where it is.
    pub addr: SocketAddrV4,
    /// Whether it is held for alive; `None` when that is not known yet.
    pub status: Option<Status>,
    /// In how many rounds it was heard.
    pub heard: u32,
    /// Among peers, the share of rounds that it was heard in, from 0 to 1000.
    pub availability: Option<u16>,
}

/// The alarms of a hac node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A round ends.
    Round,
    /// The next AC or AP is due.
    Availability,
    /// Nothing was heard for too long: from the server, or from the one that is expected to be promoted.
    Silence,
    /// The next HC of a handshake is due.
    Handshake,
    /// The one that is expected to be promoted has had time for it.
    Wait,
    /// What could not be written to the disk is written again.
    Disk,
    /// The peer at this place was not heard for the window.
    Silent(u32),
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        match self {
            Timer::Round => 0,
            Timer::Availability => 1,
            Timer::Silence => 2,
            Timer::Handshake => 3,
            Timer::Wait => 4,
            Timer::Disk => 5,
            Timer::Silent(index) => 6 + u64::from(*index),
        }
    }
}

/// A node of either mode.
#[derive(Clone)]
pub struct HacNode(Kind);

#[derive(Clone)]
enum Kind {
    Member(Box<Member>),
    Peer(Box<Peer>),
    Refused { why: String },
}

impl Node for HacNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = HacFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        let kind = match (config.admit(role), role) {
            (Err(why), _) => Kind::Refused { why },
            (Ok(me), Role::Peer) => Kind::Peer(Box::new(Peer::boot(config.clone(), me, rng))),
            (Ok(me), Role::Server | Role::Client) => {
                Kind::Member(Box::new(Member::boot(*role, config.clone(), me, disk, rng)))
            }
        };
        HacNode(kind)
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&mut self.0, input) {
            (Kind::Member(member), input) => member.take(now, input, out),
            (Kind::Peer(peer), input) => peer.take(now, input, out),
            (Kind::Refused { why }, Input::Start) => out.claim(HacFact::RefusedToStart { why: why.clone() }),
            (
                Kind::Refused { .. },
                Input::Command {
                    call,
                    command: Command::Status,
                },
            ) => {
                let (standing, rows) = (Standing::Refused, Vec::new());
                out.answer(
                    call,
                    Answer::Status {
                        standing,
                        id: None,
                        server: None,
                        epoch: Epoch::NONE,
                        rows,
                    },
                );
            }
            // It has bound no port and armed no timer.
            (Kind::Refused { .. }, _) => {}
        }
    }
}
