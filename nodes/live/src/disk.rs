//! What a live node persists: the folder that it is kept in, or the memory of the process where there is none.
//!
//! In the folder are `state` (what the node persisted last), `incarnation` (the number of its last life, and
//! whether there were a state and an owner), `owner` (whose it is) and `lock`
//! (held by the process that uses it); and `wiped`, from when the state was moved aside until the next boot. A file is replaced by writing
//! a new one beside it, which is on the disk before it takes the old one's name; so at any moment the old contents are there or the new
//! ones, whole.

mod envelope;
mod folder;
mod lives;
mod owner;
mod writer;

use std::path::{Path, PathBuf};

use squall_nodes::DiskAtBoot;
use tokio::sync::mpsc;

use crate::error::LiveError;
pub use folder::{Before, adopt, wipe};
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
    /// Whether that is all that there was.
    pub(crate) kept: Kept,
}

impl Found {
    /// What a node finds where nothing ever was.
    pub(crate) fn fresh() -> Self {
        Found {
            incarnation: 0,
            state: None,
            disk: DiskAtBoot::Fresh,
            kept: Kept::AsItWas,
        }
    }
}

/// Whether what a node finds is what the life before it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is, or was taken away on purpose.
    AsItWas,
    /// Something was persisted, and its file is gone.
    StateMissing,
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
            return Ok(Opened {
                folder: None,
                owner,
                found: Found::fresh(),
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
        let Some(mut folder) = self.folder else {
            return Ok((Disk::Memory(done), self.found, written));
        };
        if self.found.kept == Kept::StateMissing {
            tracing::warn!(
                "what the node had persisted is gone: {} is not there any more, and nobody had it moved aside; it begins without",
                folder.state().display()
            );
        }
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

/// The same, of a folder that is taken for its own, whosever it is.
pub(crate) fn look_at_own(folder: &Path) -> Result<Found, LiveError> {
    folder::found_in(folder)
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
