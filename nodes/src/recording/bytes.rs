//! The bytes that entries are made of: numbers, addresses, byte strings and plain data, written and read.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::node::Data;
use crate::secret::written_out;

/// Why bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They end too early.
    #[error("it ends too early")]
    CutShort,
    /// They go on where they should have ended.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A number has more bits than it can have.
    #[error("a number in it is out of range")]
    OutOfRange,
    /// Something is of a kind that there is not.
    #[error("there is no {what} of the kind {tag}")]
    Unknown {
        /// What.
        what: &'static str,
        /// Of which kind.
        tag: u8,
    },
    /// Plain data is not what the protocol has.
    #[error("the {what} in it is none of this protocol's: {why}")]
    NotOfProtocol {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
}

const POSTCARD: u8 = 0;
const RON: u8 = 1;

/// Appends a number.
pub(super) fn put_number(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Appends an address.
pub(super) fn put_address(address: SocketAddrV4, into: &mut Vec<u8>) {
    into.extend_from_slice(&address.ip().octets());
    into.extend_from_slice(&address.port().to_le_bytes());
}

/// Appends a byte string.
pub(super) fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    put_number(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

/// Appends plain data. See [`pack`](super::pack).
pub(super) fn pack<T: Data>(data: &T, into: &mut Vec<u8>) {
    let compact = postcard::to_allocvec(data).ok().filter(|bytes| {
        // Some forms that serde knows can be written and not read, or read as something else: that has to be known now and not when
        // the recording is wanted.
        let back = postcard::from_bytes::<T>(bytes);
        back.is_ok_and(|back| format!("{back:?}") == format!("{data:?}"))
    });
    let (form, bytes) = match compact {
        Some(bytes) => (POSTCARD, bytes),
        None => {
            let text = written_out(|| ron::to_string(data)).unwrap_or_else(|_| format!("{data:?}"));
            (RON, text.into_bytes())
        }
    };
    into.push(form);
    put_bytes(&bytes, into);
}

/// What is still to be read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Unreadable> {
        let (first, rest) = self.0.split_first().ok_or(Unreadable::CutShort)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(Unreadable::OutOfRange);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unreadable::OutOfRange)
    }

    /// A number that a narrower type holds.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Unreadable> {
        T::try_from(self.number()?).map_err(|_| Unreadable::OutOfRange)
    }

    pub(super) fn address(&mut self) -> Result<SocketAddrV4, Unreadable> {
        let [a, b, c, d, low, high] = *self.array()?;
        Ok(SocketAddrV4::new(
            Ipv4Addr::new(a, b, c, d),
            u16::from_le_bytes([low, high]),
        ))
    }

    pub(super) fn array<const LEN: usize>(&mut self) -> Result<&'a [u8; LEN], Unreadable> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Unreadable::CutShort)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let len: usize = self.narrow()?;
        let (first, rest) = self.0.split_at_checked(len).ok_or(Unreadable::CutShort)?;
        self.0 = rest;
        Ok(first)
    }

    /// Plain data, called `what` where it is none.
    pub(super) fn data<T: Data>(&mut self, what: &'static str) -> Result<T, Unreadable> {
        let form = self.byte()?;
        let bytes = self.bytes()?;
        let refused = |why: String| Unreadable::NotOfProtocol { what, why };
        match form {
            POSTCARD => match postcard::take_from_bytes(bytes) {
                Ok((data, [])) => Ok(data),
                Ok((_, rest)) => Err(refused(format!("{} bytes are left over", rest.len()))),
                Err(error) => Err(refused(error.to_string())),
            },
            RON => ron::de::from_bytes(bytes).map_err(|error| refused(error.to_string())),
            tag => Err(Unreadable::Unknown { what: "form", tag }),
        }
    }

    pub(super) fn end(&self) -> Result<(), Unreadable> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(Unreadable::LeftOver(left)),
        }
    }
}
