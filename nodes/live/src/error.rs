//! Why a live node did not start, or was stopped by something other than those who run it.

use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;

/// Why a live node did not start, or was stopped by something other than those who run it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The folder for what it persists cannot be one.
    #[error("{} cannot hold what the node persists: {why}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why not.
        why: String,
    },
    /// Another process keeps its data there.
    #[error("{} is in use by another process; no two nodes may share a data folder", folder.display())]
    Locked {
        /// Which folder.
        folder: PathBuf,
    },
    /// A durable file is not what was written.
    #[error(
        "{} is damaged: {what}. Nothing was changed. To start without what was persisted, have it moved aside with --wipe; or put a sound \
         copy in its place",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A port that the node asked for cannot be had.
    #[error("the node asked for port {}, and {at} cannot be bound: {}", at.port(), said(why))]
    Port {
        /// The address and the port.
        at: SocketAddrV4,
        /// What the system said.
        why: io::Error,
    },
    /// The node asked for something that is not done live.
    #[error("the node asked for {what}, and this version does not do {what} live")]
    NotLive {
        /// What.
        what: &'static str,
    },
    /// A file that connections are to be secured by cannot be used.
    #[error("connections cannot be secured by {}: {why}", file.display())]
    Tls {
        /// Which file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// The file for lines cannot be written.
    #[error("lines cannot be written to {}: {why}", file.display())]
    Lines {
        /// Which.
        file: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The flight recorder cannot begin.
    #[error("the flight cannot be recorded: {why}")]
    Recorder {
        /// Why not.
        why: String,
    },
    /// The system refused something that every node needs.
    #[error("could not {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: io::Error,
    },
}

impl LiveError {
    /// Says what was tried when the system refused it.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> LiveError {
        move |why| LiveError::System {
            what,
            why: why.into(),
        }
    }
}

/// What the system said about a port, with what to look for.
fn said(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::AddrInUse => "another process has it".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this process may not (ports below 1024 take a privilege)".to_owned()
        }
        _ => why.to_string(),
    }
}
