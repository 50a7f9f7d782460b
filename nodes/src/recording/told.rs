//! What a node was told, as bytes and back.

use std::net::SocketAddrV4;

use super::bytes::{Bytes, Unreadable, pack, put_address, put_bytes, put_number};
use crate::node::{CallId, Closed, ConnId, Input, Node, StreamEvent, Timer, Token};

/// An input that was read back. Timers are known by their codes: which alarm that is, only the node's own effects can tell.
pub enum Told<'a, N: Node> {
    /// See [`Input::Start`].
    Start,
    /// See [`Input::Datagram`].
    Datagram {
        /// Where it was sent to.
        on: SocketAddrV4,
        /// The sender.
        from: SocketAddrV4,
        /// The whole datagram.
        bytes: &'a [u8],
    },
    /// See [`Input::Stream`].
    Stream {
        /// The connection.
        conn: ConnId,
        /// What happened.
        event: StreamEvent<'a>,
    },
    /// See [`Input::Timer`].
    Timer {
        /// The timer's code.
        code: u64,
    },
    /// See [`Input::Command`].
    Command {
        /// The call's number.
        call: CallId,
        /// What is asked.
        command: N::Command,
    },
    /// See [`Input::Persisted`].
    Persisted(Token),
    /// See [`Input::PersistFailed`].
    PersistFailed(Token),
}

const START: u8 = 1;
const DATAGRAM: u8 = 2;
const STREAM: u8 = 3;
const TIMER: u8 = 4;
const COMMAND: u8 = 5;
const PERSISTED: u8 = 6;
const PERSIST_FAILED: u8 = 7;

const OPENED: u8 = 1;
const ACCEPTED: u8 = 2;
const BYTES: u8 = 3;
const BLOCKED: u8 = 4;
const WRITABLE: u8 = 5;
const REFUSED: u8 = 6;
const RESET: u8 = 7;
const TIMED_OUT: u8 = 8;
const ORDERLY: u8 = 9;

/// Appends an input.
pub(super) fn encode<N: Node>(input: &Input<'_, N>, into: &mut Vec<u8>) {
    match input {
        Input::Start => into.push(START),
        Input::Datagram { on, from, bytes } => {
            into.push(DATAGRAM);
            put_address(*on, into);
            put_address(*from, into);
            put_bytes(bytes, into);
        }
        Input::Stream { conn, event } => {
            into.push(STREAM);
            put_number(conn.0, into);
            encode_event(event, into);
        }
        Input::Timer(timer) => {
            into.push(TIMER);
            put_number(timer.code(), into);
        }
        Input::Command { call, command } => {
            into.push(COMMAND);
            put_number(call.0, into);
            pack(*command, into);
        }
        Input::Persisted(token) => {
            into.push(PERSISTED);
            put_number(token.0, into);
        }
        Input::PersistFailed(token) => {
            into.push(PERSIST_FAILED);
            put_number(token.0, into);
        }
    }
}

fn encode_event(event: &StreamEvent<'_>, into: &mut Vec<u8>) {
    match event {
        StreamEvent::Opened => into.push(OPENED),
        StreamEvent::Accepted { port, from } => {
            into.push(ACCEPTED);
            put_number(u64::from(*port), into);
            put_address(*from, into);
        }
        StreamEvent::Bytes(bytes) => {
            into.push(BYTES);
            put_bytes(bytes, into);
        }
        StreamEvent::Blocked => into.push(BLOCKED),
        StreamEvent::Writable => into.push(WRITABLE),
        StreamEvent::Closed(why) => into.push(match why {
            Closed::Refused => REFUSED,
            Closed::Reset => RESET,
            Closed::TimedOut => TIMED_OUT,
            Closed::Orderly => ORDERLY,
        }),
    }
}

impl<'a, N: Node> Told<'a, N> {
    pub(super) fn decode(bytes: &mut Bytes<'a>) -> Result<Self, Unreadable> {
        Ok(match bytes.byte()? {
            START => Told::Start,
            DATAGRAM => Told::Datagram {
                on: bytes.address()?,
                from: bytes.address()?,
                bytes: bytes.bytes()?,
            },
            STREAM => Told::Stream {
                conn: ConnId(bytes.number()?),
                event: decode_event(bytes)?,
            },
            TIMER => Told::Timer {
                code: bytes.number()?,
            },
            COMMAND => Told::Command {
                call: CallId(bytes.number()?),
                command: bytes.data("command")?,
            },
            PERSISTED => Told::Persisted(Token(bytes.number()?)),
            PERSIST_FAILED => Told::PersistFailed(Token(bytes.number()?)),
            tag => return Err(Unreadable::Unknown { what: "input", tag }),
        })
    }

    /// The input as a node takes it; `None` where it is a timer that `timer` does not know by its code. `place` is where
    /// the command stays that is lent to the node.
    pub fn input(
        self,
        timer: impl FnOnce(u64) -> Option<N::Timer>,
        place: &'a mut Option<N::Command>,
    ) -> Option<Input<'a, N>> {
        Some(match self {
            Told::Start => Input::Start,
            Told::Datagram { on, from, bytes } => Input::Datagram { on, from, bytes },
            Told::Stream { conn, event } => Input::Stream { conn, event },
            Told::Timer { code } => Input::Timer(timer(code)?),
            Told::Command { call, command } => Input::Command {
                call,
                command: place.insert(command),
            },
            Told::Persisted(token) => Input::Persisted(token),
            Told::PersistFailed(token) => Input::PersistFailed(token),
        })
    }
}

fn decode_event<'a>(bytes: &mut Bytes<'a>) -> Result<StreamEvent<'a>, Unreadable> {
    Ok(match bytes.byte()? {
        OPENED => StreamEvent::Opened,
        ACCEPTED => StreamEvent::Accepted {
            port: bytes.narrow()?,
            from: bytes.address()?,
        },
        BYTES => StreamEvent::Bytes(bytes.bytes()?),
        BLOCKED => StreamEvent::Blocked,
        WRITABLE => StreamEvent::Writable,
        REFUSED => StreamEvent::Closed(Closed::Refused),
        RESET => StreamEvent::Closed(Closed::Reset),
        TIMED_OUT => StreamEvent::Closed(Closed::TimedOut),
        ORDERLY => StreamEvent::Closed(Closed::Orderly),
        tag => {
            return Err(Unreadable::Unknown {
                what: "stream event",
                tag,
            });
        }
    })
}
