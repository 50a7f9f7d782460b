//! Deployment files: one live node in [RON](https://docs.rs/ron), read with the same places, complaints and hints as a scenario.
//!
//! [`DeploymentFile`] is a file that is well-formed; [`resolve`] makes a [`Deployment`] of it when the protocol is known, or gives
//! [`Complaints`](crate::scenario::Complaints): everything that is wrong with it. [`of_words`] makes one of the arguments that a
//! protocol's source document has, and [`Deployment::printed`] writes any as a file that is read as the same.
//!
//! # The format
//!
//! The smallest file names a protocol, the node, its role and its address. This one has every field:
//!
//! ```
//! # let text = r##"
//! // One of the clients of the cluster in the basement.
//! Node(
//!     format: 1,
//!     protocol: "hac",
//!     rules: "Hardened",
//!     profile: "brisk",
//!     name: "c1",
//!     role: Client,
//!     address: "127.0.0.2",
//!     config: (port: 7102, server: "127.0.0.1:7101"),
//!     data: "c1",
//!     seed: 7,
//!     record: (folder: "c1/flights", bound: "64MiB", when_full: Rotate, keep: 8),
//!     http: "127.0.0.1:9100",
//!     control: "c1/control.sock",
//!     lines: "c1/lines.jsonl",
//!     bounds: (inbox: "208KiB", waiting: "64MiB", delayed: "64MiB"),
//!     streams: (connections: 1024, of_peer: 256, user_timeout: "20s"),
//!     tls: (certificate: "c1/c1.pem", key: "c1/c1.key", authority: "authority.pem"),
//! )
//! # "##;
//! # use squall_nodes::hac::Hac;
//! # use squall_sim::deployment::{DeploymentFile, Over, resolve};
//! # let file = DeploymentFile::parse("c1.ron", text.to_owned()).unwrap();
//! # let deployment = resolve::<Hac>(&file, &Over::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
//! # assert_eq!((deployment.placed.name.as_str(), deployment.rules, deployment.seed), ("c1", "Hardened", Some(7)));
//! # assert_eq!(deployment.bounds.inbox, 208 << 10);
//! ```
//!
//! A size is a whole number with a unit, in quotes: `"64MiB"`. Units are `B`, `kB`, `KiB`, `MB` and `MiB`. Paths are relative to the
//! folder that the file is in.
//!
//! | field | what it says | when left out |
//! |---|---|---|
//! | `format` | the version of the format: 1 | 1 |
//! | `protocol` | the protocol's name | *needed* |
//! | `rules` | one of its rule sets | its last: the hardened one, where there are two |
//! | `profile` | one of its named sets of settings | its first |
//! | `name` | what the node is called, as hosts of scenarios are | *needed* |
//! | `role` | a role of the protocol's | *needed* |
//! | `address` | the IPv4 address that its sockets are bound to, and by which others know it | *needed* |
//! | `config` | settings in place of the profile's, by the protocol's own field names; fields of fields too | none |
//! | `data` | the folder in which it keeps what it writes down; it is this node's from then on, by its protocol, name and role | what it writes down lasts as long as its process |
//! | `seed` | the seed of its random streams: 0 to 2⁶⁴ − 1 | drawn from the system at each boot |
//! | `record` | where its flight is recorded; see below | it is not |
//! | `http` | the address and port of its pages, `/status` and `/metrics`; a port alone is one of 127.0.0.1, which `localhost` is too; a port of 0 is one that the system has free | none |
//! | `control` | the unix socket through which commands reach it; its path is at most [`LONGEST_SOCKET`] bytes long | none |
//! | `lines` | a file to which everything that is seen of it is appended, a line of JSON each | none |
//! | `bounds` | how much it holds at most; see below | as below |
//! | `streams` | how it speaks over stream connections; see below | as below |
//! | `tls` | what connections are secured by; see below | they are not |
//!
//! | in `record` | what it says | when left out |
//! |---|---|---|
//! | `folder` | the folder of the recordings | *needed* |
//! | `bound` | how large one gets: 64 KiB at least | `"64MiB"` |
//! | `when_full` | `Rotate`: at the bound it stops, and the next boot begins a new one. `Stop`: nothing is recorded until someone takes the full one away | `Rotate` |
//! | `keep` | how many recordings are kept, 1 to 10 000: a boot removes the oldest beyond it | 8 |
//!
//! | in `bounds` | what it says | when left out |
//! |---|---|---|
//! | `inbox` | datagrams that wait for the node, each counted with 768 bytes besides its payload; what is beyond is dropped: 66 304 bytes at least, so that any datagram finds room, and 2047 MiB at most, as kernels count | `"208KiB"` |
//! | `waiting` | effects that wait behind a write; beyond it the node is handed nothing until the write is done: 64 KiB at least | `"64MiB"` |
//! | `delayed` | datagrams that a link policy holds back; what is beyond is dropped: 64 KiB at least | `"64MiB"` |
//!
//! | in `streams` | what it says | when left out |
//! |---|---|---|
//! | `connections` | connections at one time that others have opened, those that are being closed included; while there are as many, whoever dials is refused; as many again the node may open itself: 1 to 1 000 000 | 1024 |
//! | `of_peer` | of those that others have opened, how many one address may have; what it opens beyond them is reset | 256 |
//! | `listen_backlog` | how many connections to a port the kernel may open that the node has not accepted; one more, as Linux has it. What is dialled beyond is not heard, and dialled again | 128 |
//! | `receive_buffer` | bytes that the kernel keeps for each connection until the node reads them: 4 KiB to 1024 MiB | `"128KiB"` |
//! | `send_buffer` | bytes that the kernel keeps for each connection until the peer has acknowledged them: 4 KiB to 1024 MiB | `"64KiB"` |
//! | `backlog` | bytes of one connection that wait for room in that buffer; one for which there would be more is reset | `"16MiB"` |
//! | `backlogs` | the same, of all connections together | `"64MiB"` |
//! | `connect_timeout` | how long a peer has to answer a dial, or to show its certificate: 1 ms to a day | `"10s"` |
//! | `user_timeout` | how long nothing may be acknowledged of what was written, or a peer may take nothing of it, until the connection is given up; and how long closing it may take: 1 ms to a day | `"20s"` |
//!
//! With `tls`, connections speak TLS 1.3 and nothing else, with certificates both ways. Each certificate is for the address of its node,
//! the `address` above, which is among its subject alternative names as an IP address; and a peer's is held against the address that its
//! connection comes from or goes to. All files are PEM.
//!
//! | in `tls` | what it says |
//! |---|---|
//! | `certificate` | the node's certificate, first, and those between it and the authority's |
//! | `key` | the private key of the certificate |
//! | `authority` | the certificates of the authorities, one of which has to have signed a peer's |

mod file;
mod printed;
mod resolve;
mod streams;
mod words;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use squall_nodes::{Placed, Protocol};

pub use file::{DeploymentFile, FORMAT};
pub use resolve::resolve;
pub use streams::{Streams, Tls};
pub use words::{Unstartable, of_words};

/// The longest path of a unix socket, in bytes: one less than what Linux has room for, which ends it with a zero.
pub const LONGEST_SOCKET: usize = 107;

/// Where pages are served by a text: an address and a port, or a port alone, which is one that only this machine reaches. `localhost` is
/// 127.0.0.1; other names are not looked up.
pub fn pages(written: &str) -> Option<SocketAddr> {
    let of_this_machine = || {
        let port = match written.rsplit_once(':') {
            Some((name, port)) if is_localhost(name) => port,
            _ => written,
        };
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse::<u16>().ok()?)))
    };
    written.parse().ok().or_else(of_this_machine)
}

/// Whether a name is that of the machine itself, which is 127.0.0.1 everywhere (RFC 6761, section 6.3).
pub fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

/// One live node, with everything that it needs.
pub struct Deployment<P: Protocol> {
    /// The comment that its file opens with, without its slashes.
    pub story: String,
    /// The rule set.
    pub rules: &'static str,
    /// The profile that its settings are of.
    pub profile: &'static str,
    /// Who it is, in its place.
    pub placed: Placed<P::Node>,
    /// The folder in which it keeps what it writes down.
    pub data: Option<PathBuf>,
    /// The seed of its random streams; drawn at each boot when not given.
    pub seed: Option<u64>,
    /// Where its flight is recorded.
    pub record: Option<Recording>,
    /// Where its pages are served.
    pub http: Option<SocketAddr>,
    /// The unix socket through which commands reach it.
    pub control: Option<PathBuf>,
    /// The file to which what is seen of it is appended.
    pub lines: Option<PathBuf>,
    /// How much it holds at most.
    pub bounds: Bounds,
    /// How it speaks over stream connections.
    pub streams: Streams,
    /// What these are secured by.
    pub tls: Option<Tls>,
}

/// How a node's flight is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The folder of the recordings.
    pub folder: PathBuf,
    /// How large one gets, in bytes.
    pub bound: u64,
    /// What happens then.
    pub when_full: WhenFull,
    /// How many are kept.
    pub keep: u32,
}

/// What happens when a recording is as large as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It stops, and the next boot begins a new one.
    Rotate,
    /// It stops, and nothing is recorded until someone takes it away.
    Stop,
}

/// How much a node holds at most, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Datagrams that wait for it, each with 768 bytes besides its payload.
    pub inbox: u64,
    /// Effects that wait behind a write.
    pub waiting: u64,
    /// Datagrams that a link policy holds back.
    pub delayed: u64,
}

/// What is said elsewhere in place of a file: on a command line.
#[derive(Clone, Debug, Default)]
pub struct Over {
    /// The rule set.
    pub rules: Option<String>,
    /// The profile.
    pub profile: Option<String>,
    /// The node's name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// Settings in place of others, as a file writes them: `(port: 7102)`.
    pub config: Option<String>,
}

impl Recording {
    /// A recording in a folder, with everything else as it is when a file does not say.
    pub fn to(folder: PathBuf) -> Self {
        Recording {
            folder,
            bound: 64 << 20,
            when_full: WhenFull::Rotate,
            keep: 8,
        }
    }
}

impl Default for Bounds {
    /// An inbox as Linux gives to a socket, 64 MiB behind a write, 64 MiB held back.
    fn default() -> Self {
        Bounds {
            inbox: 208 << 10,
            waiting: 64 << 20,
            delayed: 64 << 20,
        }
    }
}

// By hand: a protocol does not have to have a form for people.
impl<P: Protocol> fmt::Debug for Deployment<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("story", &self.story)
            .field("rules", &self.rules)
            .field("profile", &self.profile)
            .field("placed", &self.placed)
            .field("data", &self.data)
            .field("seed", &self.seed)
            .field("record", &self.record)
            .field("http", &self.http)
            .field("control", &self.control)
            .field("lines", &self.lines)
            .field("bounds", &self.bounds)
            .field("streams", &self.streams)
            .field("tls", &self.tls)
            .finish()
    }
}

impl<P: Protocol> Deployment<P> {
    /// Takes every relative path for one in `folder`.
    pub fn move_within(&mut self, folder: &Path) {
        let record = self.record.as_mut().map(|record| &mut record.folder);
        let optional = [&mut self.data, &mut self.control, &mut self.lines];
        for path in optional.into_iter().filter_map(Option::as_mut).chain(record) {
            *path = folder.join(&*path);
        }
        if let Some(tls) = &mut self.tls {
            tls.move_within(folder);
        }
    }
}
