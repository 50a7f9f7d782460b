//! The messages: one JSON object `{"messagetype": …, "data": …}` on a connection of its own, answered with another.
//!
//! ```
//! use squall_nodes::leader::wire::{Calc, Message, Reader};
//!
//! let calc = Message::Calc(Calc { from: "10.0.0.2:7500".parse()?, request: 7, expression: "1+2".into(), term: None });
//! let mut bytes = Vec::new();
//! calc.encode(&mut bytes);
//! assert_eq!(
//!     String::from_utf8(bytes.clone())?,
//!     r#"{"messagetype":"calc","data":{"from":"10.0.0.2:7500","request":7,"expression":"1+2"}}"#
//! );
//! let mut reader = Reader::new(1000);
//! assert_eq!(reader.push(&bytes[..9])?, None);
//! assert_eq!(reader.push(&bytes[9..])?, Some(calc));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Decided*: the kinds of messages and their fields, since the source gives but the frame; that an object ends with its last brace,
//! and nothing behind it is read; that a name has up to 32 letters, digits, `-`, `_` and `.`, and a chat up to 1 024 bytes.

use std::fmt;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::calc::{self, CalcError};

/// How deeply the objects and arrays of a message may be nested. The deepest that a node sends is a list of nodes, with 4.
pub const DEEPEST: u8 = 8;
/// How many nodes a list may have.
pub const MOST_NODES: usize = 512;
/// The longest name.
pub const LONGEST_NAME: usize = 32;
/// The longest text of a chat, in bytes.
pub const LONGEST_CHAT: usize = 1024;
/// The longest answer: a value of [`calc::LONGEST`] bytes and its frame take less.
pub(super) const LONGEST_ANSWER: usize = 8 * 1024;
/// The largest number in a message: the largest that every reader of JSON has exactly.
pub const LARGEST: u64 = (1 << 53) - 1;

/// Everything that one node says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "messagetype",
    content = "data",
    rename_all = "lowercase",
    deny_unknown_fields
)]
pub enum Message {
    /// All nodes, with their numbers.
    Nodes(Nodes),
    /// The leader is still there.
    Heartbeat(Heartbeat),
    /// Whoever asks misses the leader and wants to know whether this node, of a higher number, is there.
    Choose(Choose),
    /// Something for people to read.
    Chat(Chat),
    /// Something for the leader to calculate.
    Calc(Calc),
    /// The leader's answer to [`Calc`](Message::Calc).
    Result(CalcResult),
    /// That a message has come.
    Ack(Ack),
}

/// All nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// Who says so.
    pub from: SocketAddrV4,
    /// Everyone, in ascending order of their numbers, which begin with 1: the starter is the last.
    pub nodes: Vec<Listed>,
    /// The term in which the sender leads, or the highest that it has seen; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
}

/// One node of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// Where it listens.
    pub address: SocketAddrV4,
}

/// The leader is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The leader.
    pub from: SocketAddrV4,
    /// Its term; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
}

/// Whether a node is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Who asks.
    pub from: SocketAddrV4,
    /// The highest term that it has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
}

/// Something for people to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// Where the one who says it is.
    pub from: SocketAddrV4,
    /// What they are called.
    pub name: String,
    /// A number that the sender's node drew when it started, by which its lives are told apart.
    pub life: u64,
    /// Which of the lives that the receiver has known of the sender this is; `Hardened` only. The receiver says when it is too low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// What was said, in the order in which it was said; at least one.
    pub said: Vec<Said>,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Its number among all that this node has said in this life, from 1.
    pub number: u64,
    /// The words.
    pub text: String,
}

/// Something for the leader to calculate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calc {
    /// Who asks.
    pub from: SocketAddrV4,
    /// The request's number among those of this asker.
    pub request: u64,
    /// What to calculate, as [`calc`] has it.
    pub expression: String,
    /// The highest term that the asker has seen; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
}

/// What came of a calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalcResult {
    /// The request's number.
    pub request: u64,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CalcError>,
    /// The leader's term; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
}

/// That a message has come, and what its sender should know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Whether the node that answers waits to be told of all nodes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
    /// The highest term that it has seen; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// By which list it goes, as [`mark_of_list`] has it; `Hardened` only, and none where it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<u32>,
    /// To a chat: the number of the last thing said in this life that it has had; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had: Option<u64>,
    /// To a chat: that the session has to be above this; `Hardened` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A reign of a leader. Of two terms the one with the higher counter is the higher, then the one of the higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// How many terms came before, as far as who opened it knew; from 1.
    pub counter: u64,
    /// The number of the node that opened it.
    pub number: u32,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.counter, self.number)
    }
}

/// Why what came in on a connection is no message, or none for this node. The connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum WireError {
    /// It begins with something else than `{`.
    #[error("it does not begin with a brace")]
    NoObject,
    /// It is longer than the settings' `longest_message`.
    #[error("it is too long")]
    TooLong,
    /// It is nested more deeply than [`DEEPEST`].
    #[error("it is nested too deeply")]
    TooDeep,
    /// It is no JSON, or no message of this protocol.
    #[error("it is no message")]
    NoMessage,
    /// A number, a list, a name or a text in it is beyond its bounds.
    #[error("something in it is out of bounds")]
    OutOfBounds,
    /// An answer where a message was to come, or a message where an answer was.
    #[error("it is out of place")]
    OutOfPlace,
    /// The connection was closed before its end.
    #[error("it was cut short")]
    CutShort,
    /// It had not come to its end by the deadline.
    #[error("it took too long")]
    TooSlow,
    /// More connections were open than the settings allow, of this peer or of all.
    #[error("there were too many connections")]
    Crowded,
}

impl WireError {
    /// Every reason there is.
    pub const ALL: [WireError; 9] = [
        WireError::NoObject,
        WireError::TooLong,
        WireError::TooDeep,
        WireError::NoMessage,
        WireError::OutOfBounds,
        WireError::OutOfPlace,
        WireError::CutShort,
        WireError::TooSlow,
        WireError::Crowded,
    ];
}

impl Message {
    /// Appends the message's bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        // Plain data with names for keys, into a growing buffer: there is no way to fail.
        let _ = serde_json::to_writer(into, self);
    }

    /// Reads the whole of a message.
    ///
    /// # Errors
    ///
    /// That it is none, or that something in it is out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: Message = serde_json::from_slice(bytes).map_err(|_| WireError::NoMessage)?;
        message
            .is_within_bounds()
            .then_some(message)
            .ok_or(WireError::OutOfBounds)
    }

    /// Whether it is an answer to another.
    pub fn is_answer(&self) -> bool {
        matches!(self, Message::Ack(_) | Message::Result(_))
    }

    fn is_within_bounds(&self) -> bool {
        let term = |term: &Option<Term>| term.is_none_or(|term| term.counter <= LARGEST);
        let number = |number: u64| number <= LARGEST;
        match self {
            Message::Nodes(nodes) => term(&nodes.term) && is_list(&nodes.nodes),
            Message::Heartbeat(heartbeat) => term(&heartbeat.term),
            Message::Choose(choose) => term(&choose.term),
            Message::Chat(chat) => {
                let ascending = chat.said.is_sorted_by(|one, next| one.number < next.number);
                let in_bounds = |said: &Said| number(said.number) && said.text.len() <= LONGEST_CHAT;
                let numbered = number(chat.life) && chat.session.is_none_or(number);
                is_name(&chat.name)
                    && numbered
                    && !chat.said.is_empty()
                    && ascending
                    && chat.said.iter().all(in_bounds)
            }
            Message::Calc(calc) => {
                term(&calc.term) && number(calc.request) && calc.expression.len() <= calc::LONGEST
            }
            Message::Result(result) => {
                let is_one = result.value.is_some() != result.error.is_some();
                let is_short = result
                    .value
                    .as_ref()
                    .is_none_or(|value| value.len() <= calc::LONGEST);
                term(&result.term) && number(result.request) && is_one && is_short
            }
            Message::Ack(ack) => {
                term(&ack.term) && ack.had.is_none_or(number) && ack.above.is_none_or(number)
            }
        }
    }
}

/// By what lists are told apart: the CRC-32C of the addresses, in the order of their numbers.
pub fn mark_of_list(nodes: &[SocketAddrV4]) -> u32 {
    nodes.iter().fold(0, |mark, node| {
        let mark = crc32c::crc32c_append(mark, &node.ip().octets());
        crc32c::crc32c_append(mark, &node.port().to_be_bytes())
    })
}

/// Whether a word can be a name.
pub fn is_name(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    (1..=LONGEST_NAME).contains(&word.len()) && word.chars().all(fits)
}

/// Whether every node is listed once, under its place from 1.
fn is_list(nodes: &[Listed]) -> bool {
    let mut addresses: Vec<SocketAddrV4> = nodes.iter().map(|node| node.address).collect();
    addresses.sort_unstable();
    let numbered = nodes.iter().zip(1..).all(|(node, number)| node.number == number);
    (1..=MOST_NODES).contains(&nodes.len()) && numbered && addresses.is_sorted_by(|a, b| a < b)
}

/// Finds the end of one message in bytes that come in pieces, however they are cut, and keeps no more than its bound.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Vec<u8>,
    longest: usize,
    depth: u8,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Structure,
    Text,
    /// Behind a backslash.
    Escape,
}

impl Reader {
    /// A reader of a message of at most `longest` bytes, spaces ahead of it included.
    pub fn new(longest: usize) -> Self {
        Reader {
            bytes: Vec::new(),
            longest,
            depth: 0,
            place: Place::Before,
        }
    }

    /// Takes what came in; the message when this was its end. Nothing is to be pushed after that, or after an error.
    ///
    /// # Errors
    ///
    /// Why this will be no message.
    pub fn push(&mut self, piece: &[u8]) -> Result<Option<Message>, WireError> {
        for (at, &byte) in piece.iter().enumerate() {
            if self.bytes.len() + at == self.longest {
                return Err(WireError::TooLong);
            }
            if self.ends_with(byte)? {
                self.keep(&piece[..=at]);
                return Message::decode(&self.bytes).map(Some);
            }
        }
        self.keep(piece);
        Ok(None)
    }

    /// Keeps a piece, in a buffer that grows by doubling and never beyond the bound.
    fn keep(&mut self, piece: &[u8]) {
        let needed = self.bytes.len() + piece.len();
        if needed > self.bytes.capacity() {
            let room = (2 * needed).min(self.longest);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
    }

    /// How many bytes its buffer has room for: no more than the longest message has.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether anything has come in.
    pub fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Takes one byte more; whether the object ends with it.
    fn ends_with(&mut self, byte: u8) -> Result<bool, WireError> {
        match (self.place, byte) {
            (Place::Before, b' ' | b'\t' | b'\r' | b'\n') => {}
            (Place::Before, b'{') => {
                self.place = Place::Structure;
                self.depth = 1;
            }
            (Place::Before, _) => return Err(WireError::NoObject),
            (Place::Structure, b'"') => self.place = Place::Text,
            (Place::Structure, b'{' | b'[') if self.depth == DEEPEST => return Err(WireError::TooDeep),
            (Place::Structure, b'{' | b'[') => self.depth += 1,
            (Place::Structure, b'}' | b']') => {
                self.depth -= 1;
                return Ok(self.depth == 0);
            }
            (Place::Structure, _) => {}
            (Place::Text, b'"') => self.place = Place::Structure,
            (Place::Text, b'\\') => self.place = Place::Escape,
            (Place::Text, _) => {}
            (Place::Escape, _) => self.place = Place::Text,
        }
        Ok(false)
    }
}

/// How many connections were closed for what came in on them, by reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Unreadable {
    counts: [u64; WireError::ALL.len()],
}

impl Unreadable {
    /// Counts one. What it returns is the count when it is to be claimed: at 1, 2, 4, 8, …, so that a flood of rubbish is
    /// no flood of facts.
    pub(super) fn count(&mut self, kind: WireError) -> Option<u64> {
        let count = &mut self.counts[kind as usize];
        *count += 1;
        count.is_power_of_two().then_some(*count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_rubbish_is_claimed_at_powers_of_two() {
        let mut unreadable = Unreadable::default();
        let claimed: Vec<u64> = (0..100)
            .filter_map(|_| unreadable.count(WireError::TooLong))
            .collect();
        assert_eq!(claimed, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(unreadable.count(WireError::TooSlow), Some(1));
    }

    #[test]
    fn a_term_is_higher_by_its_counter_and_then_by_who_opened_it() {
        let term = |counter, number| Term { counter, number };
        assert!(term(2, 1) > term(1, 9) && term(2, 3) > term(2, 1));
        assert!(Term::default() < term(1, 0));
        assert_eq!(term(3, 2).to_string(), "3.2");
    }
}
