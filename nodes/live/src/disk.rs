//! What a live node persists: the folder that it is kept in, or the memory of the process where there is none.
//!
//! In the folder are `state` (what the node persisted last), `incarnation` (the number of its last life), `owner` (whose it is) and `lock`
//! (held by the process that uses it); and `wiped`, from when the state was moved aside until the next boot. A file is replaced by writing
//! a new one beside it, which is on the disk before it takes the old one's name; so at any moment the old contents are there or the new
//! ones, whole.

mod envelope;
mod folder;
mod owner;
mod writer;

use std::path::{Path, PathBuf};

use squall_nodes::DiskAtBoot;
use tokio::sync::mpsc;

use crate::error::LiveError;
pub use folder::{adopt, wipe};
pub use owner::Owner;

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

/// A disk that a node has to itself, and on which its next life has not begun.
pub(crate) struct Opened {
    folder: Option<Folder>,
    owner: Owner,
    /// What that life finds.
    pub(crate) found: Found,
}

/// A disk on which a life has begun, what it found, and through what it comes what becomes of each write.
pub(crate) type Begun = (Disk, Found, mpsc::Receiver<Written>);

impl Opened {
    /// Takes the folder, made if need be, and reads what is there. Nothing of it is changed.
    pub(crate) fn of(folder: Option<&Path>, owner: Owner) -> Result<Self, LiveError> {
        let Some(folder) = folder else {
            let found = Found {
                incarnation: 0,
                state: None,
                disk: DiskAtBoot::Fresh,
            };
            return Ok(Opened {
                folder: None,
                owner,
                found,
            });
        };
        let folder = Folder::open(folder)?;
        let found = folder.look(&owner)?;
        Ok(Opened {
            folder: Some(folder),
            owner,
            found,
        })
    }

    /// Begins the life: that is on the disk when this returns.
    pub(crate) fn begin(self) -> Result<Begun, LiveError> {
        // One write is under way at a time.
        let (done, written) = mpsc::channel(1);
        let Some(folder) = self.folder else {
            return Ok((Disk::Memory(done), self.found, written));
        };
        folder.begin_life(&self.found, &self.owner)?;
        let writer = Writer::start(folder, done)
            .map_err(LiveError::system("start the thread that writes the durable file"))?;
        Ok((Disk::Folder(writer), self.found, written))
    }
}

/// What the next life of a node finds in its folder, which is neither made nor taken.
pub(crate) fn look(folder: &Path, owner: &Owner) -> Result<Found, LiveError> {
    folder::look(folder, owner)
}

/// Whose a folder is, if anybody's.
pub(crate) fn owner_of(folder: &Path) -> Result<Option<Owner>, LiveError> {
    folder::owner_of(folder)
}

/// The file that the process holds that uses a folder.
pub(crate) fn lock_of(folder: &Path) -> PathBuf {
    folder.join(folder::LOCK)
}

/// What became of a write: why it failed, if it did.
pub(crate) type Written = Result<(), String>;

impl Disk {
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
