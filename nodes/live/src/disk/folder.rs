//! The data folder of a live node: locked by one process, and its files replaced whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, renameat, unlinkat};
use squall_nodes::DiskAtBoot;

use super::envelope::{self, HEADER, Kind, announced, header, of_another_length, too_short};
use super::lives::Lives;
use super::owner::Owner;
use super::{Found, Kept};
use crate::error::{LiveError, about_folder};
use crate::private;
use crate::whose::Holder;

/// What the node persisted last.
const STATE: &str = "state";
/// The number of its last life.
const INCARNATION: &str = "incarnation";
/// Whose the folder is.
const OWNER: &str = "owner";
/// Held by the process that uses the folder.
pub(super) const LOCK: &str = "lock";
/// There from when the state is moved aside to the first boot without it.
const WIPED: &str = "wiped";
/// What is put behind the name of a file that is moved aside, ahead of a number.
const ASIDE: &str = ".aside-";

/// A data folder that this process has to itself.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The folder itself, for what becomes of names in it.
    folder: File,
    /// What its `incarnation` says, once a life has begun.
    lives: Option<Lives>,
    /// Let go of when it is closed.
    _lock: File,
    /// The folders that were made for it, the outermost first; none any more once a life has begun.
    made: Vec<PathBuf>,
}

impl Folder {
    /// Opens a folder, which is made if it is not there; and taken away again when no life begins in it.
    pub(super) fn open(path: &Path) -> Result<Self, LiveError> {
        let cannot = |why: String| LiveError::Folder {
            folder: path.to_owned(),
            why,
        };
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let mut made: Vec<PathBuf> = path.ancestors().take_while(missing).map(Path::to_owned).collect();
        made.reverse();
        if let Err(why) = private::create_dir_all(path) {
            return Err(cannot(about_folder(&why)));
        }
        let lock = lock(path)?;
        let folder = File::open(path).map_err(|why| cannot(format!("it cannot be opened: {why}")))?;
        Ok(Folder {
            path: path.to_owned(),
            folder,
            lives: None,
            _lock: lock,
            made,
        })
    }

    /// Reads what is there: what the next life of this node finds.
    pub(super) fn look(&self, owner: &Owner) -> Result<Found, LiveError> {
        look(&self.path, owner)
    }

    /// Where its state is kept.
    pub(super) fn state(&self) -> PathBuf {
        self.path.join(STATE)
    }

    /// Begins the life that finds this: its number is on the disk when this returns. A folder that is nobody's is the node's from now on.
    pub(super) fn begin_life(&mut self, found: &Found, owner: &Owner) -> Result<(), LiveError> {
        let lives = Lives {
            last: found.incarnation,
            is_owned: true,
            has_state: found.state.is_some(),
        };
        self.lives = Some(lives);
        let begun = || {
            if !self.path.join(OWNER).exists() {
                self.write_owner(owner)?;
            }
            self.replace(INCARNATION, Kind::Incarnation, &lives.encoded())?;
            match self.path.join(WIPED).exists() {
                true => self.take_mark_away(),
                false => Ok(()),
            }
        };
        let kept = begun().and_then(|()| self.keep_made());
        kept.map_err(|why| self.cannot_be_written(&why))
    }

    /// Has the folders that were made outlast a power cut: their names are in those that they are in.
    fn keep_made(&mut self) -> io::Result<()> {
        for folder in &self.made {
            let within = folder.parent().filter(|within| !within.as_os_str().is_empty());
            File::open(within.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        self.made.clear();
        Ok(())
    }

    /// Replaces what the node persisted last. When it fails, the old contents are there, or the new ones.
    pub(super) fn persist(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.replace(STATE, Kind::State, bytes) {
            Ok(()) => {
                self.note_state();
                Ok(())
            }
            Err(why) if why.kind() == ErrorKind::NotFound => {
                let gone = format!("the data folder {} was taken away", self.path.display());
                Err(io::Error::new(ErrorKind::NotFound, gone))
            }
            Err(why) => Err(why),
        }
    }

    /// Notes that something is persisted, so that its loss is noticed: once, since whoever has a state keeps it.
    fn note_state(&mut self) {
        let Some(lives) = self.lives.filter(|lives| !lives.has_state) else {
            return;
        };
        let lives = Lives {
            has_state: true,
            ..lives
        };
        // After the state, so that it is never said of one that was not written; where it fails, it is tried again after the next.
        if self
            .replace(INCARNATION, Kind::Incarnation, &lives.encoded())
            .is_ok()
        {
            self.lives = Some(lives);
        }
    }

    fn write_owner(&self, owner: &Owner) -> io::Result<()> {
        self.replace(OWNER, Kind::Owner, &serde_json::to_vec(owner)?)
    }

    fn cannot_be_written(&self, why: &io::Error) -> LiveError {
        LiveError::Folder {
            folder: self.path.clone(),
            why: format!("it cannot be written to: {why}"),
        }
    }

    /// Replaces a file, whole or not at all: in the folder that is locked, and not in one that was put in its place.
    fn replace(&self, name: &str, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let fresh = format!("{name}.new");
        let written = self
            .write(&fresh, &header(kind, bytes), bytes)
            .and_then(|()| Ok(renameat(&self.folder, &fresh, &self.folder, name)?));
        if let Err(why) = written {
            // On a full disk it is in the way of others.
            let _ = unlinkat(&self.folder, &fresh, AtFlags::empty());
            return Err(why);
        }
        // Before that, the old name might come back after a power cut.
        self.folder.sync_all()
    }

    fn write(&self, name: &str, header: &[u8], bytes: &[u8]) -> io::Result<()> {
        let mut file = private::create_in(&self.folder, name)?;
        file.write_all(header)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Notes that the state is gone, for the next boot.
    fn mark_wiped(&self) -> Result<(), LiveError> {
        private::create(&self.path.join(WIPED))
            .and_then(|_| self.folder.sync_all())
            .map_err(|why| self.cannot_be_written(&why))
    }

    fn take_mark_away(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(WIPED))?;
        self.folder.sync_all()
    }

    /// Where a file is moved aside to, the `number`th time.
    fn aside(&self, name: &str, number: u32) -> PathBuf {
        self.path.join(format!("{name}{ASIDE}{number}"))
    }

    /// Moves a file aside, if it is there.
    fn move_aside(&self, name: &str) -> Result<Option<PathBuf>, LiveError> {
        let file = self.path.join(name);
        let free = (1..=u32::MAX)
            .map(|number| self.aside(name, number))
            .find(|path| !path.exists());
        let Some(aside) = free.filter(|_| file.exists()) else {
            return Ok(None);
        };
        fs::rename(&file, &aside)
            .and_then(|()| self.folder.sync_all())
            .map_err(|why| LiveError::Folder {
                folder: self.path.clone(),
                why: format!("{name} cannot be moved aside: {why}"),
            })?;
        Ok(Some(aside))
    }
}

/// A start that is refused leaves no folder behind that was not there before.
impl Drop for Folder {
    fn drop(&mut self) {
        let Some(outermost) = self.made.first() else {
            return;
        };
        let has_only_the_lock = fs::read_dir(&self.path)
            .is_ok_and(|mut files| files.all(|file| file.is_ok_and(|file| file.file_name() == LOCK)));
        if !has_only_the_lock {
            return;
        }
        // Nobody else is in it as long as the lock is held. What cannot be taken away is empty.
        let _ = fs::remove_file(self.path.join(LOCK));
        let ours = |folder: &&Path| folder.starts_with(outermost);
        for folder in self.path.ancestors().take_while(ours) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

/// The lock of a folder, taken.
fn lock(folder: &Path) -> Result<File, LiveError> {
    let cannot = |why: String| LiveError::Folder {
        folder: folder.to_owned(),
        why,
    };
    let path = folder.join(LOCK);
    let lock = private::options()
        .truncate(false)
        .open(&path)
        .map_err(|why| cannot(format!("it cannot be written to: {why}")))?;
    let held = || LiveError::Locked {
        folder: folder.to_owned(),
        holder: Holder::of_lock(&path),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held()),
        Err(TryLockError::Error(why)) => return Err(cannot(format!("it cannot be locked: {why}"))),
    }
    // Whoever had it may have taken it away before it let go: then it keeps nobody out.
    let is_there = || -> io::Result<bool> {
        let (taken, there) = (lock.metadata()?, fs::metadata(&path)?);
        Ok((taken.dev(), taken.ino()) == (there.dev(), there.ino()))
    };
    match is_there() {
        Ok(true) => Ok(lock),
        _ => Err(held()),
    }
}

/// What the next life of a node finds in its folder, or that it is another's.
pub(super) fn look(folder: &Path, owner: &Owner) -> Result<Found, LiveError> {
    is_ours(folder, owner)?;
    found_in(folder)
}

/// What the next life finds in a folder of its own.
pub(super) fn found_in(folder: &Path) -> Result<Found, LiveError> {
    let state = read(folder, STATE, Kind::State)?;
    let lives = lives(folder)?;
    let incarnation = match lives {
        // A folder gets its first state in a life, whose number is written before.
        None if state.is_some() => {
            return Err(LiveError::LivesLost {
                folder: folder.to_owned(),
            });
        }
        None => 0,
        Some(lives) => lives.last.checked_add(1).ok_or_else(|| LiveError::Damaged {
            file: folder.join(INCARNATION),
            what: "it has the greatest number that there is".to_owned(),
        })?,
    };
    let had_state = lives.is_some_and(|lives| lives.has_state);
    let (disk, kept) = match &state {
        Some(_) => (DiskAtBoot::Kept, Kept::AsItWas),
        None if folder.join(WIPED).exists() => (DiskAtBoot::Wiped, Kept::AsItWas),
        None if had_state => (DiskAtBoot::Wiped, Kept::StateMissing),
        None => (DiskAtBoot::Fresh, Kept::AsItWas),
    };
    Ok(Found {
        incarnation,
        state,
        disk,
        kept,
    })
}

/// Whose a folder is; `None` when it is nobody's yet, or was made when folders did not remember.
pub(super) fn owner_of(folder: &Path) -> Result<Option<Owner>, LiveError> {
    let unknown = |what: String| LiveError::OwnerUnknown {
        file: folder.join(OWNER),
        what,
    };
    let damaged = |what: String| unknown(format!("is damaged: {what}"));
    let bytes = match read(folder, OWNER, Kind::Owner) {
        Ok(None) => {
            // Where that is damaged too, it is told as that.
            return match lives(folder) {
                Ok(Some(lives)) if lives.is_owned => Err(unknown(
                    "is not there, though the folder is somebody's".to_owned(),
                )),
                _ => Ok(None),
            };
        }
        Ok(Some(bytes)) => bytes,
        Err(LiveError::Damaged { what, .. }) => return Err(damaged(what)),
        Err(other) => return Err(other),
    };
    match serde_json::from_slice(&bytes) {
        Ok(owner) => Ok(Some(owner)),
        Err(why) => Err(damaged(why.to_string())),
    }
}

/// That a folder is not another's.
fn is_ours(folder: &Path, owner: &Owner) -> Result<(), LiveError> {
    match owner_of(folder)? {
        Some(theirs) if theirs != *owner => Err(LiveError::Owned {
            folder: folder.to_owned(),
            owner: Box::new(theirs),
            asks: Box::new(owner.clone()),
        }),
        _ => Ok(()),
    }
}

/// What is known of the lives that there were; `None` when there was none.
fn lives(folder: &Path) -> Result<Option<Lives>, LiveError> {
    let Some(bytes) = read(folder, INCARNATION, Kind::Incarnation)? else {
        return Ok(None);
    };
    let damaged = |what| LiveError::Damaged {
        file: folder.join(INCARNATION),
        what,
    };
    Lives::decoded(&bytes).map(Some).map_err(damaged)
}

/// What a file holds; `None` when it is not there.
fn read(folder: &Path, name: &str, kind: Kind) -> Result<Option<Vec<u8>>, LiveError> {
    let file = folder.join(name);
    match whole(&file, kind) {
        Ok(Ok(bytes)) => Ok(Some(bytes)),
        Ok(Err(what)) => Err(LiveError::Damaged { file, what }),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(LiveError::Folder {
            folder: folder.to_owned(),
            why: format!("{name} cannot be read: {why}"),
        }),
    }
}

/// What a file holds, or what is wrong with it. Nothing is read of a device, nor of a file that has more bytes than it says.
fn whole(file: &Path, kind: Kind) -> io::Result<Result<Vec<u8>, String>> {
    // Before it is opened, which may wait for ever where it is a pipe.
    let about = fs::metadata(file)?;
    if !about.is_file() {
        return Ok(Err("it is no regular file".to_owned()));
    }
    let mut opened = File::open(file)?;
    let mut header = [0; HEADER];
    if about.len() < HEADER as u64 {
        return Ok(Err(too_short(about.len())));
    }
    opened.read_exact(&mut header)?;
    let announced = match announced(kind, &header) {
        Ok(announced) => announced,
        Err(what) => return Ok(Err(what)),
    };
    let there = about.len() - HEADER as u64;
    if announced != there {
        return Ok(Err(of_another_length(announced, there)));
    }
    let mut bytes = header.to_vec();
    opened.take(there).read_to_end(&mut bytes)?;
    Ok(envelope::opened(kind, bytes))
}

/// Whose a folder was that a node has taken on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// The node's own.
    Own,
    /// Nobody's, or the folder did not say whose.
    Nobodys,
    /// Another node's.
    Anothers(Owner),
    /// That could not be read any more: why not.
    Unknown(String),
}

/// Makes a folder a node's, whosever it was. Whose it was.
///
/// # Errors
///
/// The folder cannot be used, or another process does.
pub fn adopt(folder: &Path, owner: &Owner) -> Result<Before, LiveError> {
    // Where it cannot be read, that is why it is adopted, or else opening it says why.
    let before = match owner_of(folder) {
        Ok(None) => Before::Nobodys,
        Ok(Some(before)) if before == *owner => Before::Own,
        Ok(Some(before)) => Before::Anothers(before),
        Err(LiveError::OwnerUnknown { file, what }) => Before::Unknown(format!("{} {what}", file.display())),
        Err(why) => Before::Unknown(why.to_string()),
    };
    let folder = Folder::open(folder)?;
    folder
        .write_owner(owner)
        .map_err(|why| folder.cannot_be_written(&why))?;
    Ok(before)
}

/// Has the node `owner`, which keeps its data in `folder`, start without what it persisted: moves `state` aside to `state.aside-1`, or the next
/// number that is free, whether it is damaged or not. The number of its lives goes on, but where that is damaged too: then it is moved
/// aside as well, and they are counted from 0 again. Where the files are now.
///
/// # Errors
///
/// The folder cannot be used, another process does, or it is another node's.
pub fn wipe(folder: &Path, owner: &Owner) -> Result<Vec<PathBuf>, LiveError> {
    let folder = Folder::open(folder)?;
    is_ours(&folder.path, owner)?;
    if folder.path.join(STATE).exists() {
        // First: one that is killed in between has forgotten nothing.
        folder.mark_wiped()?;
    }
    let mut moved: Vec<PathBuf> = folder.move_aside(STATE)?.into_iter().collect();
    if let Err(LiveError::Damaged { .. }) = lives(&folder.path) {
        moved.extend(folder.move_aside(INCARNATION)?);
    }
    Ok(moved)
}
