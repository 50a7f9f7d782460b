//! What packets say: their codes, and the keys that their payloads have.
//!
//! The keys of the source are `id`, `version`, `type`, `cert` and `upstream`. *Decided*: `port`, at which a node accepts those below it, since
//! the source does not say how the master knows; `why`, `nonce`, `proof`, `epoch`, `reign`, `down`, `state` and the packets of `sync` are
//! for `Hardened`. `down` is what `port` is, and stands in its place where a node dials its upstream, to which it is the port further down.
//! Keys that are not known are passed over.

use std::fmt;
use std::net::SocketAddrV4;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{END, SEPARATOR};
use super::value::{Object, Value};

/// How many bytes an id, a version or a type has at most; it has one at least.
pub const MAX_NAME: usize = 64;

/// How many bytes a cert has at most.
pub const MAX_CERT: usize = 4_096;

/// How many bytes a nonce has.
pub const NONCE: usize = 16;

/// How many bytes a proof has.
pub const MAC: usize = 32;

/// A master's reign: every one has a higher number than all before it that its master knows of. The master opens even ones and the standby
/// odd ones, so that the two never open the same. `Original` knows none, which is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The last that there is, 2⁵³ − 1. A packet that has a higher one is refused.
    pub const LAST: Epoch = Epoch((1 << 53) - 1);
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `conn:establish`: who dials.
    Establish(Establish),
    /// `conn:startAuth`: the version is right. `Hardened` asks for a proof over this nonce.
    StartAuth(Option<[u8; NONCE]>),
    /// `auth:start`: that the sender belongs to the cluster.
    AuthStart(Credential),
    /// `auth:ack` as a command: the sender is let in, or has a new upstream.
    Grant(Grant),
    /// `auth:ack` as a request: understood.
    Ack,
    /// `auth:dec`: the sender is not let in.
    Dec,
    /// `conn:close`: the connection ends here.
    Close(Option<Why>),
    /// `conn:alive`, under `Hardened` with what a node tells of its upstream.
    Alive(Option<Report>),
    /// `sync:node`: a node that the master has in its registry, for the one who follows it.
    Row(Row),
    /// `sync:gone`: a node that it has no more, by its id.
    Gone(String),
}

/// Who dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Establish {
    /// The node's unique id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its type.
    pub kind: String,
    /// The port at which it accepts those below it.
    pub port: u16,
    /// The highest epoch that it has accepted, or opened.
    pub epoch: Epoch,
    /// Whether it is a node, or a master that follows or reigns itself; and whom it takes the other for.
    pub link: Link,
}

/// What the dialler of a connection is, and what it takes the one whom it dials for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Link {
    /// A node of the tree, which takes the other for its master. By the original rules it does not say for what it takes the other.
    Node,
    /// A node of the tree, which takes the other for the upstream that its master has given it.
    Child,
    /// A master or standby that does not reign.
    Follower,
    /// A master or standby that reigns.
    Reigning,
}

/// What shows that the sender belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The secret itself, as the source has it.
    Cert(String),
    /// A keyed hash by the secret.
    Proof([u8; MAC]),
}

/// That a node is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where it finds its upstream; the sender itself where it is that.
    pub upstream: SocketAddrV4,
    /// In which epoch.
    pub epoch: Epoch,
}

/// How a node stands with its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It has this one.
    Has(SocketAddrV4),
    /// It lost this one, or never reached it.
    Lost(SocketAddrV4),
}

/// A node in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Where it accepts those below it.
    pub address: SocketAddrV4,
    /// Its type.
    pub kind: String,
    /// Its upstream.
    pub upstream: SocketAddrV4,
}

/// Why a connection was closed, where the closer says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The sender does not reign, and knows of this epoch.
    NotReigning(Epoch),
    /// The sender has no room.
    Full,
    /// The sender is no master.
    NoMaster,
    /// The sender was given another address for that of the other master.
    Unexpected,
    /// The sender has another version.
    Version,
    /// Somebody else goes by the receiver's id.
    Replaced,
}

impl Packet {
    /// Reads a packet's code and payload.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(code: &[u8], payload: &[u8]) -> Result<Self, WireError> {
        let code = Code::of(code).ok_or(WireError::Code)?;
        let payload = Object::decode(payload)?;
        Ok(match code {
            Code::Establish => Packet::Establish(Establish {
                id: name(&payload, "id")?,
                version: name(&payload, "version")?,
                kind: name(&payload, "type")?,
                port: match (number(&payload, "port")?, number(&payload, "down")?) {
                    (Some(_), Some(_)) => return Err(WireError::Field),
                    (port, down) => port.or(down).unwrap_or(0),
                },
                epoch: epoch(&payload)?,
                link: match (text(&payload, "reign")?, text(&payload, "down")?) {
                    (None, None) => Link::Node,
                    (None, Some(_)) => Link::Child,
                    (Some("no"), None) => Link::Follower,
                    (Some("yes"), None) => Link::Reigning,
                    _ => return Err(WireError::Field),
                },
            }),
            Code::StartAuth => Packet::StartAuth(hex(&payload, "nonce")?),
            Code::AuthStart => match (text(&payload, "cert")?, hex(&payload, "proof")?) {
                (_, Some(proof)) => Packet::AuthStart(Credential::Proof(proof)),
                (Some(cert), None) if cert.len() <= MAX_CERT => {
                    Packet::AuthStart(Credential::Cert(cert.to_owned()))
                }
                (Some(_), None) => return Err(WireError::Field),
                (None, None) => return Err(WireError::Missing),
            },
            Code::Ack => match address(&payload, "upstream")? {
                None => Packet::Ack,
                Some(upstream) => Packet::Grant(Grant {
                    upstream,
                    epoch: epoch(&payload)?,
                }),
            },
            Code::Dec => Packet::Dec,
            Code::Close => Packet::Close(match text(&payload, "why")? {
                Some("not reigning") => Some(Why::NotReigning(epoch(&payload)?)),
                Some("full") => Some(Why::Full),
                Some("no master") => Some(Why::NoMaster),
                Some("unexpected") => Some(Why::Unexpected),
                Some("version") => Some(Why::Version),
                Some("replaced") => Some(Why::Replaced),
                // For people.
                Some(_) | None => None,
            }),
            Code::Alive => Packet::Alive(match (address(&payload, "upstream")?, text(&payload, "state")?) {
                (Some(upstream), Some("live")) => Some(Report::Has(upstream)),
                (Some(upstream), Some("lost")) => Some(Report::Lost(upstream)),
                (Some(_), Some(_)) => return Err(WireError::Field),
                _ => None,
            }),
            Code::Node => Packet::Row(Row {
                id: name(&payload, "id")?,
                address: address(&payload, "address")?.ok_or(WireError::Missing)?,
                kind: name(&payload, "type")?,
                upstream: address(&payload, "upstream")?.ok_or(WireError::Missing)?,
            }),
            Code::Gone => Packet::Gone(name(&payload, "id")?),
        })
    }

    /// Appends the packet's bytes, `<EOF>` included.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.code().as_bytes());
        into.extend_from_slice(SEPARATOR);
        self.payload().encode(into);
        into.extend_from_slice(END);
    }

    /// The packet's code: `conn:establish`.
    pub fn code(&self) -> &'static str {
        match self {
            Packet::Establish(_) => Code::Establish,
            Packet::StartAuth(_) => Code::StartAuth,
            Packet::AuthStart(_) => Code::AuthStart,
            Packet::Grant(_) | Packet::Ack => Code::Ack,
            Packet::Dec => Code::Dec,
            Packet::Close(_) => Code::Close,
            Packet::Alive(_) => Code::Alive,
            Packet::Row(_) => Code::Node,
            Packet::Gone(_) => Code::Gone,
        }
        .text()
    }

    fn payload(&self) -> Object {
        let payload = Object::new();
        match self {
            Packet::Establish(Establish {
                id,
                version,
                kind,
                port,
                epoch,
                link,
            }) => {
                let payload = payload.text("id", id).text("version", version).text("type", kind);
                let payload = match (link, port) {
                    (Link::Child, port) => payload.text("down", port.to_string()),
                    (_, 0) => payload,
                    (_, port) => payload.text("port", port.to_string()),
                };
                let payload = with_epoch(payload, *epoch);
                match link {
                    Link::Node | Link::Child => payload,
                    Link::Follower => payload.text("reign", "no"),
                    Link::Reigning => payload.text("reign", "yes"),
                }
            }
            Packet::StartAuth(None)
            | Packet::Ack
            | Packet::Dec
            | Packet::Close(None)
            | Packet::Alive(None) => payload,
            Packet::StartAuth(Some(nonce)) => payload.text("nonce", in_hex(nonce)),
            Packet::AuthStart(Credential::Cert(cert)) => payload.text("cert", cert),
            Packet::AuthStart(Credential::Proof(proof)) => payload.text("proof", in_hex(proof)),
            Packet::Grant(Grant { upstream, epoch }) => {
                with_epoch(payload.text("upstream", upstream.to_string()), *epoch)
            }
            Packet::Close(Some(Why::NotReigning(epoch))) => {
                with_epoch(payload.text("why", "not reigning"), *epoch)
            }
            Packet::Close(Some(Why::Full)) => payload.text("why", "full"),
            Packet::Close(Some(Why::NoMaster)) => payload.text("why", "no master"),
            Packet::Close(Some(Why::Unexpected)) => payload.text("why", "unexpected"),
            Packet::Close(Some(Why::Version)) => payload.text("why", "version"),
            Packet::Close(Some(Why::Replaced)) => payload.text("why", "replaced"),
            Packet::Alive(Some(report)) => {
                let (upstream, state) = match report {
                    Report::Has(upstream) => (upstream, "live"),
                    Report::Lost(upstream) => (upstream, "lost"),
                };
                payload
                    .text("upstream", upstream.to_string())
                    .text("state", state)
            }
            Packet::Row(Row {
                id,
                address,
                kind,
                upstream,
            }) => payload
                .text("id", id)
                .text("address", address.to_string())
                .text("type", kind)
                .text("upstream", upstream.to_string()),
            Packet::Gone(id) => payload.text("id", id),
        }
    }
}

/// Every code there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Establish,
    StartAuth,
    AuthStart,
    Ack,
    Dec,
    Close,
    Alive,
    Node,
    Gone,
}

impl Code {
    const ALL: [Code; 9] = [
        Code::Establish,
        Code::StartAuth,
        Code::AuthStart,
        Code::Ack,
        Code::Dec,
        Code::Close,
        Code::Alive,
        Code::Node,
        Code::Gone,
    ];

    fn of(bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.text().as_bytes() == bytes)
    }

    fn text(self) -> &'static str {
        match self {
            Code::Establish => "conn:establish",
            Code::StartAuth => "conn:startAuth",
            Code::AuthStart => "auth:start",
            Code::Ack => "auth:ack",
            Code::Dec => "auth:dec",
            Code::Close => "conn:close",
            Code::Alive => "conn:alive",
            Code::Node => "sync:node",
            Code::Gone => "sync:gone",
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text of a key, if it has one.
fn text<'a>(payload: &'a Object, key: &str) -> Result<Option<&'a str>, WireError> {
    match payload.value(key) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(Value::List(_) | Value::Object(_)) => Err(WireError::Field),
    }
}

fn name(payload: &Object, key: &str) -> Result<String, WireError> {
    let name = text(payload, key)?.ok_or(WireError::Missing)?;
    if (1..=MAX_NAME).contains(&name.len()) {
        Ok(name.to_owned())
    } else {
        Err(WireError::Field)
    }
}

/// Anything that is written as it is read: no other spelling of it.
fn number<T: FromStr + ToString>(payload: &Object, key: &str) -> Result<Option<T>, WireError> {
    let Some(text) = text(payload, key)? else {
        return Ok(None);
    };
    let number: T = text.parse().map_err(|_| WireError::Field)?;
    if number.to_string() == text {
        Ok(Some(number))
    } else {
        Err(WireError::Field)
    }
}

fn address(payload: &Object, key: &str) -> Result<Option<SocketAddrV4>, WireError> {
    number(payload, key)
}

fn epoch(payload: &Object) -> Result<Epoch, WireError> {
    let epoch = Epoch(number(payload, "epoch")?.unwrap_or(0));
    if epoch <= Epoch::LAST {
        Ok(epoch)
    } else {
        Err(WireError::Field)
    }
}

fn with_epoch(payload: Object, epoch: Epoch) -> Object {
    match epoch {
        Epoch(0) => payload,
        epoch => payload.text("epoch", epoch.to_string()),
    }
}

fn hex<const N: usize>(payload: &Object, key: &str) -> Result<Option<[u8; N]>, WireError> {
    let Some(text) = text(payload, key)? else {
        return Ok(None);
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(WireError::Field);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(WireError::Field),
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(Some(bytes))
}

fn in_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(code: &str, payload: &str) -> Result<Packet, WireError> {
        Packet::decode(code.as_bytes(), payload.as_bytes())
    }

    #[test]
    fn packets_are_written_as_the_source_has_them() {
        let establish = Packet::Establish(Establish {
            id: "n1".to_owned(),
            version: "1".to_owned(),
            kind: "crusher".to_owned(),
            port: 0,
            epoch: Epoch(0),
            link: Link::Node,
        });
        let upstream = SocketAddrV4::new([10, 0, 0, 1].into(), 7500);
        let grant = |epoch| Packet::Grant(Grant { upstream, epoch });
        for (packet, text) in [
            (
                establish,
                "conn:establish;;{\"id\":\"n1\",\"version\":\"1\",\"type\":\"crusher\"}<EOF>",
            ),
            (Packet::StartAuth(None), "conn:startAuth;;{}<EOF>"),
            (
                Packet::AuthStart(Credential::Cert("s;;<EOF>".to_owned())),
                "auth:start;;{\"cert\":\"s\\u003b\\u003b\\u003cEOF>\"}<EOF>",
            ),
            (grant(Epoch(0)), "auth:ack;;{\"upstream\":\"10.0.0.1:7500\"}<EOF>"),
            (
                grant(Epoch(4)),
                "auth:ack;;{\"upstream\":\"10.0.0.1:7500\",\"epoch\":\"4\"}<EOF>",
            ),
            (Packet::Ack, "auth:ack;;{}<EOF>"),
            (Packet::Dec, "auth:dec;;{}<EOF>"),
            (Packet::Close(None), "conn:close;;{}<EOF>"),
            (Packet::Alive(None), "conn:alive;;{}<EOF>"),
        ] {
            let mut bytes = Vec::new();
            packet.encode(&mut bytes);
            assert_eq!(String::from_utf8(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_payload_without_its_keys_or_with_others_in_their_place_is_refused() {
        use WireError::{Field, Missing};
        let long = format!(
            "{{\"id\":\"{}\",\"version\":\"1\",\"type\":\"t\"}}",
            "n".repeat(65)
        );
        for (code, payload, wrong) in [
            ("conn:establish", "{}", Missing),
            ("conn:establish", "{\"id\":\"a\",\"version\":\"1\"}", Missing),
            (
                "conn:establish",
                "{\"id\":\"\",\"version\":\"1\",\"type\":\"t\"}",
                Field,
            ),
            ("conn:establish", long.as_str(), Field),
            (
                "conn:establish",
                "{\"id\":[\"a\"],\"version\":\"1\",\"type\":\"t\"}",
                Field,
            ),
            (
                "conn:establish",
                "{\"id\":\"a\",\"version\":\"1\",\"type\":\"t\",\"port\":\"70000\"}",
                Field,
            ),
            (
                "conn:establish",
                "{\"id\":\"a\",\"version\":\"1\",\"type\":\"t\",\"epoch\":\"+1\"}",
                Field,
            ),
            // One beyond the last.
            (
                "conn:establish",
                "{\"id\":\"a\",\"version\":\"1\",\"type\":\"t\",\"epoch\":\"9007199254740992\"}",
                Field,
            ),
            (
                "auth:ack",
                "{\"upstream\":\"10.0.0.1:7500\",\"epoch\":\"18446744073709551615\"}",
                Field,
            ),
            (
                "conn:close",
                "{\"why\":\"not reigning\",\"epoch\":\"9007199254740992\"}",
                Field,
            ),
            (
                "conn:establish",
                "{\"id\":\"a\",\"version\":\"1\",\"type\":\"t\",\"port\":\"1\",\"down\":\"1\"}",
                Field,
            ),
            // A master has no upstream.
            (
                "conn:establish",
                "{\"id\":\"a\",\"version\":\"1\",\"type\":\"t\",\"reign\":\"no\",\"down\":\"1\"}",
                Field,
            ),
            ("conn:startAuth", "{\"nonce\":\"00\"}", Field),
            ("auth:start", "{}", Missing),
            ("auth:start", "{\"cert\":{}}", Field),
            ("auth:start", "{\"proof\":\"xy\"}", Field),
            ("auth:ack", "{\"upstream\":\"10.0.0.256:1\"}", Field),
            ("auth:ack", "{\"upstream\":\"master\"}", Field),
            (
                "conn:alive",
                "{\"upstream\":\"10.0.0.1:1\",\"state\":\"well\"}",
                Field,
            ),
            ("sync:node", "{\"id\":\"a\",\"type\":\"t\"}", Missing),
            ("sync:gone", "{}", Missing),
        ] {
            assert_eq!(decoded(code, payload), Err(wrong), "{code} {payload}");
        }
        assert_eq!(
            decoded("conn:alive", "{\"mood\":[\"good\"]}"),
            Ok(Packet::Alive(None))
        );
        assert_eq!(
            decoded(
                "conn:close",
                "{\"why\":\"not reigning\",\"epoch\":\"9007199254740991\"}"
            ),
            Ok(Packet::Close(Some(Why::NotReigning(Epoch::LAST))))
        );
    }
}
