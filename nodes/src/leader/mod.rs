//! The elected leader: equal nodes that are all connected with each other over TCP, of which the one with the highest number
//! calculates for all.
//!
//! The source is the description of a student's program, *Leader*: peers that send requests to a leader. What is written here beyond it
//! is marked *decided*.
//!
//! # The story
//!
//! Peers start with a name and a port, and wait. Who starts the cluster is given the host and port of each of them, and sends every
//! node the whole list, in which it is itself the last; a peer that is down is reported and tried again. From then on everyone sends to
//! everyone, and what somebody says is shown to all, whoever is gone.
//!
//! Each message is one JSON object `{"messagetype": …, "data": …}` on a connection of its own, which is answered with another and
//! closed. *Decided*: the answer is an acknowledgement, but for a request, where it is the result.
//!
//! A node's number is its place in the list, so that the starter has the highest. The highest number leads: it sends heartbeats to all,
//! and calculates what it is asked to: `+ - * /`, signs, parentheses and decimal numbers, exactly. On a request a node checks whether
//! the leader is still active. If it has sent no heartbeat in a while, the highest number of those that are left is chosen. In order to
//! become the leader it has to be accepted by a person at that node; until then the role is open, and whoever asks is told that
//! there is no leader. *Decided*: the first leader is accepted without one, as the source has it chosen automatically; who was chosen is
//! given a timeout of its own before the next is; a node that hears a heartbeat follows whoever has sent it, unless it leads itself; and
//! the list, sent again by a starter that was restarted, makes everyone begin anew.
//!
//! # The map
//!
//! - [`wire`]: the messages and the reader that finds their ends; [`calc`]: what is calculated; [`Describer`]: messages in words.
//! - `peer`: a node, whoever it is; `post`: its connections, and `under_way`, how many of them there may be; `mesh`: the list of nodes,
//!   and who is told of it; `succession`: who leads; `calls`: requests; `chat`: what is said; `disk`: what outlives a crash. `start`:
//!   the source's own arguments; `words`: what a person at a terminal reads.
//! - [`Config`]: the settings and what cannot be; [`LeaderFact`]: what is claimed; `invariants`: what is promised, with the bounds and
//!   how they are derived.
//!
//! # Run it live
//!
//! Three terminals, one after another: two peers, which wait, and who starts the cluster.
//!
//! ```sh
//! squall node leader peer bob 7301 --data bob
//! squall node leader peer carol 7302 --data carol
//! squall node leader start alice 7300 127.0.0.1 7301 127.0.0.1 7302 --data alice
//! ```
//!
//! alice's says `this node leads`, and the others `number 3 leads`, and where. What is typed there is asked of the node. At bob's:
//!
//! ```text
//! calc (1+2)/4
//! chat hello
//! status
//! ```
//!
//! alice has calculated `calc (1+2)/4: 0.75`, and she and carol read `bob: hello`. `help` says what else there is. Now stop alice: Ctrl-C in
//! the third terminal. Some three seconds later carol's says `this node leads`, and bob's that number 2 leads; `calc 2*3` is answered
//! again. alice, started again by the same line, finds in her folder who there is, and leads.
//!
//! With `--rules Original` for all three nobody leads when alice is gone until somebody asks: `calc 2*3` at bob's is answered with
//! `nobody leads at the moment`, and carol's says ``this node may lead, if you `accept` ``. Type `accept` there, and ask again.
//!
//! # What comes in
//!
//! Any bytes may come in on a connection, in any pieces. It is closed, counted and claimed ([`WireError`](wire::WireError)), when they
//! begin with no brace, are nested more deeply than [`DEEPEST`](wire::DEEPEST), are longer than the settings' `longest_message`, are no
//! message, have something in them that is out of bounds, or have not come to their end by the deadline. A peer may have no more than
//! `most_of_a_peer` connections open, and all together no more than `most_connections`, so that a node keeps no more than that many
//! messages of the longest length: 64 MiB with the settings of the profiles, and no more than 8 MiB of one address. What a node keeps for
//! others is bounded as well: [`MOST_SAID`] things that were said, [`MOST_OPEN`] requests of its own, one line for each node of the list.
//! One address takes nobody's place, nor do those that leave room within `most_connections`. Beyond that nothing is promised: a connection
//! on which nothing comes is closed at its deadline, and its place is free when its peer closes it too, or after its host's user timeout;
//! so strangers at eight addresses keep everybody else out of the node, and at four, as a live host has 256 connections of one address and
//! 1 024 in all, out of the host, whose ports are shut.
//!
//! Of connections that it opens itself no more than twenty are under way to one node, whatever for: the list, heartbeats, the choice of a
//! leader, chats or requests. They are under way until their host has done with them, which goes on dialling a node that does not answer
//! until its `connect_timeout`, whether the node that wanted it has closed the connection or not. So while nothing is heard of a
//! node five are opened at once, and one more every two deadlines, up to ten; once it is heard of it is dialled as it was before. A
//! group is refused whose hosts may not have twenty to each of the others: of 1 024 connections that is one of more than 52 nodes. Under
//! `Original` nothing bounds what is under way to a node that does not answer: of the others a host cannot reach ten at the pace of
//! `brisk`, and it has no connection left for those that it can.
//!
//! Nothing is signed: against messages that were forged nothing is promised. What they cost is bounded all the same, and when they stop
//! the cluster finds together again. A term is believed only if it is of a number of the list, and of its counter no more than 2³² above what
//! was seen; a leader that hears of one leads anew with its next heartbeat, so that it dials everyone no more often than it does anyhow; and
//! where the counters come to their end, nobody leads in a term that was there before. Of a session no more than 2¹⁶ is believed above the
//! one that was known, and what was said in too low a one is said again with the next retry, never at once.
//!
//! Who knows a list believes another of its own starter alone, while it follows somebody or another node has shown to go by the same one. Each
//! acknowledgement says by which list its sender goes: who goes by another is claimed once ([`AnotherList`](LeaderFact::AnotherList)), so
//! that of two who start the same peers the later one learns of the other; its terms are not believed, since numbers in them are of other nodes; and it is sent the
//! list in place of heartbeats, by which it finds back if its starter leads, or it has nobody to follow.
//!
//! # What is promised
//!
//! Under `Hardened`. Under `Original` the promises are the same, and the flaws below break them.
//!
//! | fault | `terms_grow` | `answered_once` | `chat_in_order` | `one_leader` | `calls_answered` | `chat_reaches_all` |
//! |---|---|---|---|---|---|---|
//! | loss, duplicates, reordering | always | always | always | in quiet¹ | in quiet¹ | in quiet¹ |
//! | corruption | always² | always² | always² | in quiet¹ | in quiet¹ | in quiet¹ |
//! | bandwidth | always | always | always | in quiet³ | in quiet³ | in quiet³ |
//! | link changes | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | crash, restart | always⁵ | always | always⁵ | in quiet⁶ | in quiet⁷ | in quiet⁸ |
//! | crash at an effect | always⁵ | always | always⁵ | in quiet⁶ | in quiet⁷ | in quiet⁸ |
//! | pause | always | always | always | in quiet | in quiet | in quiet⁸ |
//! | slow host | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | partition, one-way cut | always | always | always | in quiet⁹ | in quiet⁹ | in quiet⁸ ⁹ |
//! | bridge, ring, flapping cut | always | always | always | in quiet⁹ | in quiet⁹ | in quiet⁸ ⁹ |
//! | slow, failing disk | always | always | always | in quiet⁴ | in quiet⁴ | in quiet⁴ |
//! | wiped disk | always¹⁰ | always | always¹⁰ | in quiet⁶ | in quiet⁷ | in quiet⁸ |
//! | stale, torn, corrupt disk | always¹⁰ | always | always¹⁰ | in quiet⁶ | in quiet⁷ | in quiet⁸ |
//! | clock offset, drift, jump | always | always | always | in quiet¹¹ | in quiet¹¹ | in quiet¹¹ |
//!
//! 1. While loss and latency are within what is tolerated, and `timeout` has room for as many heartbeats as that loss asks for. The
//!    defaults have, for 5 %. A corrupted packet is a lost one, and what is lost is sent again by a kernel, and by the node on another
//!    connection.
//! 2. The checksum of TCP catches what these promises would be broken by. Nothing is promised against messages that were forged.
//! 3. While a full queue is within what is tolerated. How long packets may be is of no account: a kernel cuts them to what a link takes.
//! 4. Once it is over: for as long as it lasts, no group that it concerns is quiet, nor before what was kept back by it is there.
//! 5. What was seen, and shown, is on the disk before anything is said that rests on it.
//! 6. Of a group in which somebody knows the list: the starter, whose arguments have it, or one who was told since its disk was last
//!    empty. Where nobody does, there is nobody who could tell.
//! 7. Of callers that are up since they were asked. A request is in the memory of its caller alone. Nobody has more than [`MOST_OPEN`]
//!    open; one more is refused, which is an answer.
//! 8. Of what is said while the group is quiet already, and of no more than [`MOST_SAID`] things said by one node that are not there yet.
//!    What was said to somebody who was away is kept and said again as well, but for what is in the memory of one that has crashed, and
//!    for what its receiver had written down that it had before it crashed, and not shown.
//! 9. On each side that is a group; not in shapes that are none, such as hosts of which one hears the other and not the other way round.
//!    There whoever misses the leader asks those above it, and may lead beside it. When the shape is gone one is left.
//! 10. Anew for the life that begins with such a disk.
//! 11. While no clock goes wrong by more than a thousandth, and since none has jumped. How far clocks are apart is of no account: no node
//!     tells another the time.
//!
//! ## By which it is shown
//!
//! Each row by files of `scenarios/leader`: for each fault that it names, every promise is judged after the fault in one of them, over
//! many seeds, in `sim/cli/tests/worlds/promises.rs`.
//!
//! | fault | scenarios |
//! |---|---|
//! | loss, duplicates, reordering | `loss`, `bad_link`, `duplication`, `reordering` |
//! | corruption | `corruption` |
//! | bandwidth | `narrow_link` |
//! | link changes | `link_degrades` |
//! | crash, restart | `kill_leader`, `power_cut_leader`, `leader_returns`, `restart_leader_at_once`, `kill_peer`, `restarted_peer` |
//! | crash at an effect | `kill_when_a_write_begins`, `kill_between_persist_and_say` |
//! | pause | `pause_leader`, `pause_peer` |
//! | slow host | `slow_leader`, `slow_peer` |
//! | partition, one-way cut | `partition_and_rejoin`, `partition_leader_alone`, `one_way_from_leader`, `one_way_to_leader` |
//! | bridge, ring, flapping cut | `bridge`, `ring`, `flap` |
//! | slow, failing disk | `slow_disk`, `failing_disk`, `failing_disk_of_leader` |
//! | wiped disk | `wiped_leader`, `wiped_peer` |
//! | stale, torn, corrupt disk | `stale_disk`, `torn_disk`, `corrupt_disk` |
//! | clock offset, drift, jump | `clock_offset`, `clock_drift`, `clock_goes_wrong`, `clock_jump` |
//!
//! # What `Hardened` changes
//!
//! Whoever leads opens a *term* above every one that it has seen. Messages carry the term of the leader, or the highest that their
//! sender has seen. Of two terms the one with the higher counter is the higher, then the one of the higher number. On that stand
//! the changes, each a [`Change`] that can be left out to see what it is for. Beside each is the invariant that is broken without it, in a
//! scene of `tests/leader/twins.rs`, and a scenario in which `Original` shows the flaw.
//!
//! | change | the flaw that it mends | missed by | shown by |
//! |---|---|---|---|
//! | [`Accept`](Change::Accept): whoever is chosen accepts the role by itself | There is no leader until a person has accepted. | `one_leader` | `nobody_accepts` |
//! | [`Watch`](Change::Watch): heartbeats are watched on a timer; when they stop, those of higher numbers are asked whether they are there, and who gets no answer by the deadline leads | There is no leader until somebody asks for something. | `one_leader` | `nobody_asks` |
//! | [`Redial`](Change::Redial): everyone who is listed is sent heartbeats, and whoever waits is sent the list and the numbers | A peer that comes back waits to be told, for ever. | `one_leader` | `restarted_peer` |
//! | [`Ratchet`](Change::Ratchet): what is of a lower term than the highest that was seen is not believed | An answer of a leader that was replaced long ago is taken, and its heartbeats are followed. | `terms_grow` | `two_leaders` |
//! | [`GiveWay`](Change::GiveWay): a leader that hears of a term above its own leads in it no more | After a partition there are two leaders, for ever. | `one_leader` | `two_leaders` |
//! | [`Able`](Change::Able): a node that waits for the list does not count as there when a leader is chosen | The one with the highest number waits for somebody who leads, and everyone else for the one with the highest number. | `one_leader` | `found_waits_to_be_told` |
//! | [`Retry`](Change::Retry): a request is made again until it is answered | A request in flight is lost with its leader, and its caller hears nothing. | `calls_answered` | `request_in_flight` |
//! | [`Once`](Change::Once): a request that was made several times is answered to its caller once | It is what making it again would break: `Original` makes it once. | `answered_once` | – |
//! | [`Resend`](Change::Resend): what was said is said again until the receiver has had it | What was said to somebody who could not be reached is lost. | `chat_reaches_all` | `loss` |
//! | [`Number`](Change::Number): what a receiver has had is not shown again | It is what saying it again would break; and a kernel may keep what was given up, and pass it on behind what was said later. | `chat_in_order` | `pause_peer` |
//! | [`WriteDown`](Change::WriteDown): the list, the highest term and what was had are on the disk before anything is said that rests on them | Who comes back knows nobody, is shown again what it was shown, and takes the answers of old terms. | `chat_in_order` | `lights_out` |
//! | [`BackOff`](Change::BackOff): to a node that does not answer a few connections are opened at once, and then one in a while | A host goes on dialling who does not answer for longer than a node waits: where many do not, it has no connection left for those that do. | `one_leader` | `many_cut_off` |
//! | [`StartOver`](Change::StartOver): a node whose write failed is silent until one has completed that has all that it knows, and then finds its place anew, as if restarted | It goes by what it could not write down, and after a crash takes answers of a term below: `Original` writes nothing, so that no write of it fails. | `terms_grow` | – |
//!
//! What is shown by no file is no flaw of `Original`, but what another change would bring along.
//!
//! A session counts the lives that a receiver has known of a sender: both draw nothing from a disk for it. A sender begins with the
//! first; a receiver that has had another life in that session, or has known of a higher one, says so, and the sender goes above it. So
//! what a node said in a life that is over is never shown behind what it said in a later one.
//!
//! # What did not hold at first
//!
//! Random storms over `Hardened` broke a promise. It is told by a file of `scenarios/leader` that holds by now; the change that mends it
//! is taken out again in `sim/cli/tests/worlds/leader.rs`.
//!
//! | scenario | the flaw | the mend |
//! |---|---|---|
//! | `found_waits_to_be_told` | A peer with an empty disk has the highest number of a group. The others ask it whether it is there before one of them leads, and it is; it waits to be told of them by one that leads. | [`Able`](Change::Able) |

pub mod calc;
mod calls;
mod chat;
mod config;
mod describe;
mod disk;
mod facts;
mod invariants;
mod mesh;
mod peer;
mod post;
mod start;
mod succession;
mod under_way;
pub mod wire;
mod words;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use calls::MOST_OPEN;
pub use chat::MOST_SAID;
pub use config::{Change, Config, LONGEST_BOUND, MOST_CONNECTIONS, Rules, SHORTEST_BOUND};
pub use describe::Describer;
pub use facts::LeaderFact;

use crate::node::{self, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::start::{Outside, Unusable};
use crate::stream::StreamLaw;
use crate::time::{Span, Time};
use calc::CalcError;
use peer::Peer;
use wire::Term;

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Leader;

impl Protocol for Leader {
    const NAME: &'static str = "leader";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "equal nodes that chat, and of which the one with the highest number calculates for all";
    type Node = LeaderNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        let rules = match rules {
            "Original" => Rules::Original,
            "Hardened" => Rules::Hardened,
            // Whoever asks has chosen among `RULES`.
            other => panic!("leader has no rule set \"{other}\""),
        };
        Config::profile(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<LeaderNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    fn fits(hosts: &[Placed<LeaderNode>], streams: &StreamLaw) -> Result<(), Vec<Misfit>> {
        config::fits(hosts, streams)
    }

    const WORDS: &'static [(&'static str, &'static str)] = start::WORDS;

    fn start(
        words: &[String],
        config: Config,
        outside: &dyn Outside,
    ) -> Result<Placed<LeaderNode>, Unusable> {
        start::start(words, config, outside)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn told(fact: &LeaderFact) -> Option<String> {
        words::told(fact)
    }

    fn answered(answer: &Answer) -> String {
        words::answered(answer)
    }

    fn invariants() -> Vec<InvariantKind<LeaderNode>> {
        invariants::all()
    }

    /// Three tenths of the timeout or of the deadline of a connection, whichever is shorter, so that a tenth is tolerated: a message takes
    /// four ways until it is answered and a write to a disk, and may have to be sent a second time.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.timeout.min(config.deadline) * 3 / 10
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer::default())
    }
}

/// What a host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Waits until it is told of the others.
    Peer,
    /// Has the list of the others and tells them; it has the highest number and leads first.
    Starter,
}

/// What can be asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Where it stands.
    Status,
    /// Say something to everyone.
    Chat(String),
    /// Have the leader calculate something.
    Calc(String),
    /// Accept the role of the leader, when it is offered to this node.
    Accept,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Command::Status`].
    Status {
        /// What it does.
        standing: Standing,
        /// Its number.
        number: Option<u32>,
        /// The number of its leader; its own when it leads.
        leader: Option<u32>,
        /// The highest term that it has seen.
        term: Term,
        /// All nodes, in the order of their numbers; none when it waits.
        nodes: Vec<SocketAddrV4>,
        /// How many requests of its own are open.
        open: u32,
    },
    /// To [`Command::Calc`]: what the leader has made of it.
    Calculated {
        /// The value, or why there is none.
        outcome: Result<String, CalcError>,
        /// The leader's term; none under `Original`, and for what needs no leader to be refused.
        term: Option<Term>,
    },
    /// To [`Command::Calc`]: nobody leads at the moment, as far as is known; under `Original` only.
    NoLeader,
    /// To [`Command::Calc`] and [`Command::Chat`]: too much of it is open already.
    Busy,
    /// To [`Command::Chat`]: it is on its way, as the one with this number.
    Said {
        /// The number, from 1 in each life of the node.
        number: u64,
    },
    /// To [`Command::Chat`]: this node knows nobody yet to whom it could be said.
    Alone,
    /// To [`Command::Chat`]: it has more than [`LONGEST_CHAT`](wire::LONGEST_CHAT) bytes.
    TooLong,
    /// To [`Command::Accept`]: the node leads now.
    Accepted,
    /// To [`Command::Accept`]: the role is not offered to this node.
    NothingToAccept,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It waits to be told of the others.
    Waiting,
    /// It follows a leader.
    Following,
    /// It knows of no leader, and asks for one or expects one.
    Choosing,
    /// It is the one that is chosen, and the role is open.
    Offered,
    /// It leads.
    Leading,
    /// A write to its disk failed: it is silent until one has completed.
    Failing,
    /// It refused to start.
    Refused,
}

/// The alarms of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The leader's next heartbeat is due.
    Heartbeat,
    /// The leader's heartbeat is overdue.
    Overdue,
    /// Those who were asked whether they are there have had time to answer.
    Choosing,
    /// What was not answered is sent again.
    Retry,
    /// The disk is tried again.
    Disk,
    /// A connection has had its time. The number is used again for later ones.
    Deadline(u32),
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        match self {
            Timer::Heartbeat => 0,
            Timer::Overdue => 1,
            Timer::Choosing => 2,
            Timer::Retry => 3,
            Timer::Disk => 4,
            Timer::Deadline(slot) => 5 + u64::from(*slot),
        }
    }
}

/// A node.
#[derive(Clone)]
pub struct LeaderNode(Kind);

#[derive(Clone)]
enum Kind {
    Peer(Box<Peer>),
    Refused { why: String },
}

impl Node for LeaderNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = LeaderFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        LeaderNode(match config.admit(role) {
            Ok(me) => Kind::Peer(Box::new(Peer::boot(*role, config.clone(), me, disk, rng))),
            Err(why) => Kind::Refused { why },
        })
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&mut self.0, input) {
            (Kind::Peer(peer), input) => peer.take(now, input, out),
            (Kind::Refused { why }, Input::Start) => {
                out.claim(LeaderFact::RefusedToStart { why: why.clone() });
            }
            (Kind::Refused { .. }, Input::Command { call, command }) => out.answer(
                call,
                match command {
                    Command::Status => Answer::Status {
                        standing: Standing::Refused,
                        number: None,
                        leader: None,
                        term: Term::default(),
                        nodes: Vec::new(),
                        open: 0,
                    },
                    Command::Chat(_) => Answer::Alone,
                    Command::Calc(_) => Answer::NoLeader,
                    Command::Accept => Answer::NothingToAccept,
                },
            ),
            // It listens on no port and has armed no timer.
            (Kind::Refused { .. }, _) => {}
        }
    }
}
