//! The bytes of refinery: packets `${code};;${payload}<EOF>` over streams, the payload a JSON object, the code `${prefix}:${command}`.
//!
//! [`Decoder`] finds where packets end, [`Packet`] is what they say, [`Object`] what a payload may hold. All of it is bounded, and
//! nothing that comes in can panic.

mod frame;
mod packet;
mod value;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use frame::{Decoder, END, SEPARATOR};
pub use packet::{
    Credential, Epoch, Establish, Grant, Link, MAC, MAX_CERT, MAX_NAME, NONCE, Packet, Report, Row, Why,
};
pub use value::{MAX_DEPTH, MAX_VALUES, Object, Value};

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WireError {
    /// No `<EOF>` within the bound.
    TooLong,
    /// No `;;`, or a code that there is not.
    Code,
    /// The payload is no JSON object of texts, lists and objects, or has a key twice.
    Payload,
    /// The payload is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The payload holds more than [`MAX_VALUES`] values.
    TooManyValues,
    /// The payload lacks a key that the code asks for.
    Missing,
    /// A key has something that it cannot have.
    Field,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireError::TooLong => "no end of a packet within the bound",
            WireError::Code => "no code that there is",
            WireError::Payload => "a payload that is no object of texts, lists and objects",
            WireError::TooDeep => "a payload that is nested too deep",
            WireError::TooManyValues => "a payload of too many values",
            WireError::Missing => "a payload without what its code asks for",
            WireError::Field => "a payload with a value that cannot be",
        })
    }
}

impl std::error::Error for WireError {}
