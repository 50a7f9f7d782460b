//! What a flight recorder keeps of a node's life, as bytes, and what comes of feeding it to the node again.
//!
//! - [`Entry`]: one input with the [`Mark`]s of its effects, or how a recording ends; written by
//!   [`Entry::told`] and [`Entry::handled`], read by [`Entry::decode`].
//! - [`told`]: inputs as bytes, there and back. [`marks`]: effects by what tells them apart: all that is said outside of their contents,
//!   and a digest of these.
//! - [`replay`]: the results, as plain data.
//!
//! Files are not this module's: where entries are kept, and how it is known that they are whole, is the recorder's.
//!
//! # The bytes
//!
//! Numbers are LEB128, seven bits a byte with the lowest first, unless a width is named; an address is its four bytes and the port, a
//! little-endian `u16`; plain data is a byte that says in which form it is, its length, and the form. Every byte string tells where it
//! ends, so that different entries have different bytes.

mod bytes;
pub mod marks;
pub mod replay;
pub mod told;

pub use bytes::Unreadable;
pub use marks::{Content, Mark, Outline};
pub use replay::{Asked, CutWhy, Difference, Ended, Happened, Pilot, Replay, Step};
pub use told::Told;

use bytes::{Bytes, put_number};

use crate::node::{Data, Input, Node};
use crate::outbox::Effects;
use crate::time::Time;

/// One entry of a recording.
pub enum Entry<'a, N: Node> {
    /// The node was told something, and asked for something.
    Handled {
        /// When it was told.
        now: Time,
        /// What it was told.
        told: Told<'a, N>,
        /// What it asked for, in order.
        marks: Vec<Mark>,
    },
    /// The node was told something, and panicked over it. Nothing comes after this.
    Panicked {
        /// When it was told.
        now: Time,
        /// What it was told.
        told: Told<'a, N>,
    },
    /// The recording is as large as it may be: what came next was not recorded. Nothing comes after this.
    Full {
        /// How many entries there are before this one.
        entries: u64,
    },
    /// The node stopped, as it was told to. Nothing comes after this.
    Stopped {
        /// When.
        at: Time,
    },
}

const HANDLED: u8 = 1;
const PANICKED: u8 = 2;
const FULL: u8 = 3;
const STOPPED: u8 = 4;

impl<'a, N: Node> Entry<'a, N> {
    /// Appends the first part of an entry, of which it is not known yet what comes of it: what the node is told. Left
    /// at that, it is the entry of a node that panicked; [`handled`](Entry::handled) makes it another.
    pub fn told(now: Time, input: &Input<'_, N>, into: &mut Vec<u8>) {
        into.push(PANICKED);
        put_number(now.as_nanos(), into);
        told::encode(input, into);
    }

    /// Completes an entry that begins at `start`: the node asked for this. `scratch` is anything, and is used up.
    pub fn handled(effects: &Effects<'_, N>, start: usize, scratch: &mut Vec<u8>, into: &mut Vec<u8>) {
        into[start] = HANDLED;
        marks::encode(effects, scratch, into);
    }

    /// Reads an entry, which has to be all of `bytes`.
    ///
    /// # Errors
    ///
    /// That it is none, or of a node of another kind.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut bytes = Bytes(bytes);
        let entry = match bytes.byte()? {
            kind @ (HANDLED | PANICKED) => {
                let now = Time::from_nanos(bytes.number()?);
                let told = Told::decode(&mut bytes)?;
                if kind == PANICKED {
                    Entry::Panicked { now, told }
                } else {
                    let marks = marks::decode(&mut bytes)?;
                    Entry::Handled { now, told, marks }
                }
            }
            FULL => Entry::Full {
                entries: u64::from_le_bytes(*bytes.array()?),
            },
            STOPPED => Entry::Stopped {
                at: Time::from_nanos(bytes.number()?),
            },
            tag => return Err(Unreadable::Unknown { what: "entry", tag }),
        };
        bytes.end()?;
        Ok(entry)
    }
}

/// The bytes of [`Entry::Full`], which are of one length, so that it is found at the end of a file.
pub const fn full(entries: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = entries.to_le_bytes();
    [FULL, a, b, c, d, e, f, g, h]
}

/// Appends the bytes of [`Entry::Stopped`].
pub fn stopped(at: Time, into: &mut Vec<u8>) {
    into.push(STOPPED);
    put_number(at.as_nanos(), into);
}

/// Appends plain data so that [`unpack`] has it back: as [postcard](https://postcard.jamesmunns.com/), or in RON where that form
/// does not lead back, as with data that has to describe itself.
pub fn pack<T: Data>(data: &T, into: &mut Vec<u8>) {
    bytes::pack(data, into);
}

/// Reads what [`pack`] wrote, which has to be all of `bytes`.
///
/// # Errors
///
/// That it is nothing of this type.
pub fn unpack<T: Data>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut bytes = Bytes(bytes);
    let data = bytes.data("value")?;
    bytes.end()?;
    Ok(data)
}

/// Plain data as files of the house write it.
pub fn as_text<T: Data>(data: &T) -> String {
    let text = crate::protocol::ron_options().to_string(data);
    text.unwrap_or_else(|_| format!("{data:?}"))
}

#[cfg(test)]
mod tests;
