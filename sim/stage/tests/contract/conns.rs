//! What the nodes of the suite do about connections, and what they remember of them.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use squall_nodes::{ConnId, Outbox, StreamEvent};

use crate::node::{Actor, Rule, When, pattern};

/// What may happen to a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Happens {
    Opened,
    Accepted,
    /// All that was read of it is, for the first time, this or more than this.
    Read(String),
    /// So many bytes or more were read of it, for the first time.
    ReadLong(usize),
    Blocked,
    Writable,
    Closed,
}

/// What can be done about connections. They go by their places: the so-manieth that the node knows, counted from 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Do {
    Listen(u16),
    Dial((usize, u16)),
    Write(usize, String),
    /// So many bytes.
    WriteLong(usize, usize),
    Close(usize),
    Pause(usize),
    Resume(usize),
    /// Says all that was read of it.
    SayRead(usize),
}

/// The connections that a node knows, in the order in which it came to know them.
#[derive(Clone, Default)]
pub(crate) struct Conns(Vec<(ConnId, Vec<u8>)>);

impl Conns {
    /// The place of a connection; a new one when it has none.
    pub(crate) fn place(&self, conn: ConnId) -> usize {
        let known = self.0.iter().position(|(known, _)| *known == conn);
        known.unwrap_or(self.0.len())
    }

    /// Remembers what happens, and finds what rules call it.
    pub(crate) fn note(&mut self, conn: ConnId, event: &StreamEvent<'_>, script: &[Rule]) -> Vec<When> {
        let place = self.place(conn);
        if place == self.0.len() {
            self.0.push((conn, Vec::new()));
        }
        let happens = match event {
            StreamEvent::Opened => Happens::Opened,
            StreamEvent::Accepted { .. } => Happens::Accepted,
            StreamEvent::Blocked => Happens::Blocked,
            StreamEvent::Writable => Happens::Writable,
            StreamEvent::Closed(_) => Happens::Closed,
            StreamEvent::Bytes(bytes) => {
                let read = &mut self.0[place].1;
                let before = read.len();
                read.extend_from_slice(bytes);
                let is_news = |happens: &Happens| match happens {
                    Happens::Read(text) => before < text.len() && read.starts_with(text.as_bytes()),
                    Happens::ReadLong(len) => before < *len && read.len() >= *len,
                    _ => false,
                };
                let rules = script.iter().map(|Rule(when, _)| when);
                let news = rules.filter(
                    |when| matches!(when, When::Conn(at, happens) if *at == place && is_news(happens)),
                );
                return news.cloned().collect();
            }
        };
        vec![When::Conn(place, happens)]
    }

    /// Does something; what is to be said of it.
    pub(crate) fn act(
        &mut self,
        what: &Do,
        ports: u16,
        cast: &[(String, Ipv4Addr)],
        out: &mut Outbox<Actor>,
    ) -> Option<String> {
        let conn = |place: usize| self.0.get(place).map_or(ConnId(u64::MAX), |(conn, _)| *conn);
        match what {
            Do::Listen(port) => out.listen(ports + port),
            Do::Dial((host, port)) => {
                let conn = out.dial(SocketAddrV4::new(cast[*host].1, ports + port));
                self.0.push((conn, Vec::new()));
            }
            Do::Write(place, text) => {
                let payload = out.payload(text.as_bytes());
                out.write(conn(*place), payload);
            }
            Do::WriteLong(place, len) => {
                let payload = out.payload(&pattern(*len));
                out.write(conn(*place), payload);
            }
            Do::Close(place) => out.close(conn(*place)),
            Do::Pause(place) => out.pause_reading(conn(*place)),
            Do::Resume(place) => out.resume_reading(conn(*place)),
            Do::SayRead(place) => {
                let (_, read) = self.0.get(*place)?;
                return Some(match read.len() {
                    0 => "read nothing".to_owned(),
                    len if len >= 100 && *read == pattern(len) => format!("read {len} whole bytes"),
                    len if len >= 100 => format!("read {len} other bytes"),
                    _ => format!("read {}", String::from_utf8_lossy(read)),
                });
            }
        }
        None
    }
}

/// What happens to a connection, in words that are the same in both worlds.
pub(crate) fn told_of(event: &StreamEvent<'_>, name: impl Fn(SocketAddrV4) -> String) -> String {
    match event {
        StreamEvent::Opened => "opened".to_owned(),
        StreamEvent::Accepted { from, .. } => format!("accepted from {}", name(*from)),
        // Where they split says nothing.
        StreamEvent::Bytes(_) => "bytes".to_owned(),
        StreamEvent::Blocked => "blocked".to_owned(),
        StreamEvent::Writable => "writable".to_owned(),
        StreamEvent::Closed(how) => format!("closed {how:?}"),
    }
}
