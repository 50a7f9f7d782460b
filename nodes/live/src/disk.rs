//! What a live node persists: the folder that it is kept in, or the memory of the process where there is none.
//!
//! In the folder are `state` (what the node persisted last), `incarnation` (the number of its last life) and `lock` (held by the process
//! that uses it); and `wiped`, from when the state was moved aside until the next boot. A file is replaced by writing a new one beside it, which is on the disk before it takes the old one's name; so at any
//! moment the old contents are there or the new ones, whole.

mod envelope;
mod folder;
mod writer;

use std::path::Path;

use squall_nodes::DiskAtBoot;
use tokio::sync::mpsc;

use crate::error::LiveError;
pub use folder::wipe;

use folder::Folder;
use writer::Writer;

/// What a node's disk is while it lives.
pub(crate) enum Disk {
    /// A folder, written to by a thread of its own.
    Folder(Writer),
    /// Nothing: what is written is there as long as the process, which is as long as the node.
    Memory(mpsc::Sender<Written>),
}

/// What a node finds when it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its life, counted from 0.
    pub(crate) incarnation: u32,
    /// What it persisted last.
    pub(crate) state: Option<Vec<u8>>,
    /// The same, in a word.
    pub(crate) disk: DiskAtBoot,
}

/// What became of a write: why it failed, if it did.
pub(crate) type Written = Result<(), String>;

impl Disk {
    /// Opens the folder, made if need be, and begins a new life in it: that is on the disk when this returns. What becomes of each write
    /// comes through the channel.
    pub(crate) fn open(folder: Option<&Path>) -> Result<(Disk, Found, mpsc::Receiver<Written>), LiveError> {
        // One write is under way at a time.
        let (done, written) = mpsc::channel(1);
        let Some(folder) = folder else {
            let found = Found {
                incarnation: 0,
                state: None,
                disk: DiskAtBoot::Fresh,
            };
            return Ok((Disk::Memory(done), found, written));
        };
        let folder = Folder::open(folder)?;
        let found = folder.begin_life()?;
        let writer = Writer::start(folder, done)
            .map_err(LiveError::system("start the thread that writes the durable file"))?;
        Ok((Disk::Folder(writer), found, written))
    }

    /// Begins to write. The write before is done.
    pub(crate) fn write(&self, bytes: Vec<u8>) {
        match self {
            Disk::Folder(writer) => writer.write(bytes),
            Disk::Memory(done) => {
                // There is room: the write before is done.
                let _ = done.try_send(Ok(()));
            }
        }
    }

    /// Lets go of the folder; when nothing is being written, it is free for others when this returns.
    pub(crate) fn close(self, waiting_for: bool) {
        if let Disk::Folder(writer) = self {
            writer.close(waiting_for);
        }
    }
}

#[cfg(test)]
mod tests;
