//! Effects by what tells them apart: all that is said outside of their contents, and a digest of these.

use std::net::SocketAddrV4;

use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{Bytes, Unreadable, put_address, put_number};
use crate::node::{CallId, ConnId, Fact, Node, Token, encode_data};
use crate::outbox::Effects;
use crate::time::Time;

/// An effect without its contents. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outline {
    /// Open a datagram port.
    Bind {
        /// The port.
        port: u16,
    },
    /// Accept stream connections on a port.
    Listen {
        /// The port.
        port: u16,
    },
    /// Send a datagram.
    Send {
        /// The port that it goes out from.
        port: u16,
        /// Where it goes.
        to: SocketAddrV4,
        /// How long it is.
        len: u32,
    },
    /// Send a datagram to every other member of a group.
    Multicast {
        /// The port that it goes out from.
        port: u16,
        /// The group.
        group: SocketAddrV4,
        /// How long it is.
        len: u32,
    },
    /// Become a member of a multicast group.
    Join {
        /// The group.
        group: SocketAddrV4,
    },
    /// Leave a multicast group.
    Leave {
        /// The group.
        group: SocketAddrV4,
    },
    /// Open a stream connection.
    Dial {
        /// What it will be called.
        conn: ConnId,
        /// Where to.
        to: SocketAddrV4,
    },
    /// Write to a stream connection.
    Write {
        /// The connection.
        conn: ConnId,
        /// How much.
        len: u32,
    },
    /// Read no more from a stream connection for now.
    PauseReading {
        /// The connection.
        conn: ConnId,
    },
    /// Read from a stream connection again.
    ResumeReading {
        /// The connection.
        conn: ConnId,
    },
    /// Close a stream connection in order.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Arm a timer, or move it.
    Arm {
        /// The timer's code.
        timer: u64,
        /// When.
        at: Time,
    },
    /// Take back a timer.
    Disarm {
        /// The timer's code.
        timer: u64,
    },
    /// Replace what is on the disk.
    Persist {
        /// What the completion will be called.
        token: Token,
        /// How much it is.
        len: u32,
    },
    /// Claim a fact.
    Claim {
        /// Where the fact's name stands in [`Fact::NAMES`].
        fact: u32,
    },
    /// Answer a call.
    Answer {
        /// The call.
        call: CallId,
    },
}

/// What fills an outline.
pub enum Content<'a, N: Node> {
    /// Nothing: the outline is all of it.
    Nothing,
    /// The timer whose code the outline has.
    Timer(N::Timer),
    /// What is sent or written.
    Bytes(&'a [u8]),
    /// What is claimed.
    Fact(&'a N::Fact),
    /// What is answered.
    Answer(&'a N::Answer),
}

/// All that is recorded of an effect. Those of different effects are different, but for the odds of a 64-bit hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The effect without its contents.
    pub outline: Outline,
    /// The 64-bit xxh3 of the canonical bytes of the contents; 0 where there are none.
    pub digest: u64,
}

const BIND: u8 = 1;
const LISTEN: u8 = 2;
const SEND: u8 = 3;
const MULTICAST: u8 = 4;
const JOIN: u8 = 5;
const LEAVE: u8 = 6;
const DIAL: u8 = 7;
const WRITE: u8 = 8;
const PAUSE_READING: u8 = 9;
const RESUME_READING: u8 = 10;
const CLOSE: u8 = 11;
const ARM: u8 = 12;
const DISARM: u8 = 13;
const PERSIST: u8 = 14;
const CLAIM: u8 = 15;
const ANSWER: u8 = 16;

/// The marks of effects, in order. `scratch` is anything, and is used up.
pub fn of<N: Node>(effects: &Effects<'_, N>, scratch: &mut Vec<u8>) -> Vec<Mark> {
    let mut marks = Vec::new();
    each(effects, scratch, |mark| marks.push(mark));
    marks
}

/// Appends the number of effects and the mark of each.
pub(super) fn encode<N: Node>(effects: &Effects<'_, N>, scratch: &mut Vec<u8>, into: &mut Vec<u8>) {
    put_number(effects.len() as u64, into);
    each(effects, scratch, |mark| mark.encode(into));
}

pub(super) fn decode(bytes: &mut Bytes<'_>) -> Result<Vec<Mark>, Unreadable> {
    let count: usize = bytes.narrow()?;
    // Each takes a byte at least, so nothing is set aside for a number that cannot be.
    if count > bytes.0.len() {
        return Err(Unreadable::CutShort);
    }
    (0..count).map(|_| Mark::decode(bytes)).collect()
}

fn each<N: Node>(effects: &Effects<'_, N>, scratch: &mut Vec<u8>, mut then: impl FnMut(Mark)) {
    // What goes to many is encoded once, and is hashed once.
    let mut last: (&[u8], u64) = (&[], 0);
    for (outline, content) in effects.look() {
        let digest = match content {
            Content::Nothing | Content::Timer(_) => 0,
            Content::Bytes(bytes) => {
                if last.1 == 0 || !std::ptr::eq(bytes, last.0) {
                    last = (bytes, xxh3_64(bytes));
                }
                last.1
            }
            Content::Fact(fact) => {
                scratch.clear();
                fact.encode(scratch);
                xxh3_64(scratch)
            }
            Content::Answer(answer) => {
                scratch.clear();
                encode_data(answer, scratch);
                xxh3_64(scratch)
            }
        };
        then(Mark { outline, digest });
    }
}

impl Mark {
    fn encode(&self, into: &mut Vec<u8>) {
        self.outline.encode(into);
        if self.outline.has_contents() {
            into.extend_from_slice(&self.digest.to_le_bytes());
        }
    }

    fn decode(bytes: &mut Bytes<'_>) -> Result<Self, Unreadable> {
        let outline = Outline::decode(bytes)?;
        let digest = if outline.has_contents() {
            u64::from_le_bytes(*bytes.array()?)
        } else {
            0
        };
        Ok(Mark { outline, digest })
    }
}

impl Outline {
    /// Whether effects with this outline may differ in their contents.
    pub fn has_contents(&self) -> bool {
        match self {
            Outline::Send { .. }
            | Outline::Multicast { .. }
            | Outline::Write { .. }
            | Outline::Persist { .. }
            | Outline::Claim { .. }
            | Outline::Answer { .. } => true,
            Outline::Bind { .. }
            | Outline::Listen { .. }
            | Outline::Join { .. }
            | Outline::Leave { .. }
            | Outline::Dial { .. }
            | Outline::PauseReading { .. }
            | Outline::ResumeReading { .. }
            | Outline::Close { .. }
            | Outline::Arm { .. }
            | Outline::Disarm { .. } => false,
        }
    }

    fn encode(&self, into: &mut Vec<u8>) {
        match *self {
            Outline::Bind { port } => tagged(BIND, [port.into()], into),
            Outline::Listen { port } => tagged(LISTEN, [port.into()], into),
            Outline::Send { port, to, len } => {
                tagged(SEND, [port.into(), len.into()], into);
                put_address(to, into);
            }
            Outline::Multicast { port, group, len } => {
                tagged(MULTICAST, [port.into(), len.into()], into);
                put_address(group, into);
            }
            Outline::Join { group } => {
                into.push(JOIN);
                put_address(group, into);
            }
            Outline::Leave { group } => {
                into.push(LEAVE);
                put_address(group, into);
            }
            Outline::Dial { conn, to } => {
                tagged(DIAL, [conn.0], into);
                put_address(to, into);
            }
            Outline::Write { conn, len } => tagged(WRITE, [conn.0, len.into()], into),
            Outline::PauseReading { conn } => tagged(PAUSE_READING, [conn.0], into),
            Outline::ResumeReading { conn } => tagged(RESUME_READING, [conn.0], into),
            Outline::Close { conn } => tagged(CLOSE, [conn.0], into),
            Outline::Arm { timer, at } => tagged(ARM, [timer, at.as_nanos()], into),
            Outline::Disarm { timer } => tagged(DISARM, [timer], into),
            Outline::Persist { token, len } => tagged(PERSIST, [token.0, len.into()], into),
            Outline::Claim { fact } => tagged(CLAIM, [fact.into()], into),
            Outline::Answer { call } => tagged(ANSWER, [call.0], into),
        }
    }

    fn decode(bytes: &mut Bytes<'_>) -> Result<Self, Unreadable> {
        Ok(match bytes.byte()? {
            BIND => Outline::Bind {
                port: bytes.narrow()?,
            },
            LISTEN => Outline::Listen {
                port: bytes.narrow()?,
            },
            SEND => {
                let (port, len) = (bytes.narrow()?, bytes.narrow()?);
                let to = bytes.address()?;
                Outline::Send { port, to, len }
            }
            MULTICAST => {
                let (port, len) = (bytes.narrow()?, bytes.narrow()?);
                let group = bytes.address()?;
                Outline::Multicast { port, group, len }
            }
            JOIN => Outline::Join {
                group: bytes.address()?,
            },
            LEAVE => Outline::Leave {
                group: bytes.address()?,
            },
            DIAL => Outline::Dial {
                conn: ConnId(bytes.number()?),
                to: bytes.address()?,
            },
            WRITE => Outline::Write {
                conn: ConnId(bytes.number()?),
                len: bytes.narrow()?,
            },
            PAUSE_READING => Outline::PauseReading {
                conn: ConnId(bytes.number()?),
            },
            RESUME_READING => Outline::ResumeReading {
                conn: ConnId(bytes.number()?),
            },
            CLOSE => Outline::Close {
                conn: ConnId(bytes.number()?),
            },
            ARM => Outline::Arm {
                timer: bytes.number()?,
                at: Time::from_nanos(bytes.number()?),
            },
            DISARM => Outline::Disarm {
                timer: bytes.number()?,
            },
            PERSIST => Outline::Persist {
                token: Token(bytes.number()?),
                len: bytes.narrow()?,
            },
            CLAIM => Outline::Claim {
                fact: bytes.narrow()?,
            },
            ANSWER => Outline::Answer {
                call: CallId(bytes.number()?),
            },
            tag => return Err(Unreadable::Unknown { what: "effect", tag }),
        })
    }
}

fn tagged<const COUNT: usize>(tag: u8, numbers: [u64; COUNT], into: &mut Vec<u8>) {
    into.push(tag);
    for number in numbers {
        put_number(number, into);
    }
}
