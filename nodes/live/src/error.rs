//! Why a live node did not start, or was stopped by something other than those who run it.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use crate::disk::Owner;
use crate::whose::Holder;

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
    #[error("{} is in use by {holder}; no two nodes may share a data folder", folder.display())]
    Locked {
        /// Which folder.
        folder: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// It is another node's.
    #[error(
        "{} is the data folder of {owner}, and this is {asks}: what one has persisted means nothing to another. Nothing was changed. Give it \
         a folder of its own, or take this one on purpose with --adopt",
        folder.display()
    )]
    Owned {
        /// Which folder.
        folder: PathBuf,
        /// Whose it is.
        owner: Box<Owner>,
        /// Who asks for it.
        asks: Box<Owner>,
    },
    /// It is not known whose it is.
    #[error(
        "{} {what}. So it is not known whose the folder is, and nothing was changed. To take it for this node's, start it with --adopt",
        file.display()
    )]
    OwnerUnknown {
        /// Which file is to say it.
        file: PathBuf,
        /// What is wrong with it: what is to be said behind its name.
        what: String,
    },
    /// Something is persisted, and the number of the node's last life is not there.
    #[error(
        "{} has a state, and no file named incarnation: numbers of lives that were would be used again. Nothing was changed. To start without \
         what was persisted, and count lives from 0 again, have it moved aside with --wipe; or put back what is missing",
        folder.display()
    )]
    LivesLost {
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
    #[error("the node asked for port {}, and {at} cannot be bound: {why}", at.port())]
    Port {
        /// The address and the port.
        at: SocketAddrV4,
        /// Why not.
        why: String,
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

/// Why a datagram port cannot be bound, with what to look for.
pub(crate) fn about_udp(at: SocketAddrV4, why: &io::Error) -> String {
    about_port(why, || Holder::of_udp(at.into()))
}

/// Why a port cannot be listened on, with what to look for.
pub(crate) fn about_tcp(at: SocketAddr, why: &io::Error) -> String {
    about_port(why, || Holder::of_tcp(at))
}

fn about_port(why: &io::Error, holder: impl FnOnce() -> Holder) -> String {
    match why.kind() {
        io::ErrorKind::AddrInUse => format!("{} has it", holder()),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this process may not (ports below 1024 take a privilege)".to_owned()
        }
        _ => why.to_string(),
    }
}

/// Why a folder cannot be made.
pub(crate) fn about_folder(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "it is not a folder".to_owned(),
        _ => format!("it is not there and cannot be made: {why}"),
    }
}
