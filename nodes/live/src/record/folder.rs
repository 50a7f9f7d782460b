//! The folder of a node's recordings: which there are, which one comes next, and which have to go.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use squall_nodes::recording;

use super::frame;
use super::recorder::RecordError;
use crate::error::about_folder;
use crate::private;
use crate::settings::{Record, WhenFull};
use crate::whose::Holder;

/// The folder of one recorder. As long as it lives, no other recorder gets it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// What is to be done about a life that begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is recorded in this file, which is not there yet.
    Record(PathBuf),
    /// It is not, since this recording is full and nobody has taken it away.
    Full {
        /// Which.
        path: PathBuf,
        /// How long it is, in bytes.
        bytes: u64,
    },
}

const PREFIX: &str = "flight-";
const SUFFIX: &str = ".sqf";
/// A recording whose head is being written.
const BEGINNING: &str = "beginning.part";

impl Folder {
    /// The file in it that is held by the recorder that has it.
    pub(crate) const LOCK: &str = "lock";

    /// Takes the folder, and makes it if need be.
    ///
    /// # Errors
    ///
    /// That it cannot be made or written to, or that another node has it.
    pub fn take(path: &Path) -> Result<Folder, RecordError> {
        let refused = |why: String| RecordError::Folder {
            path: path.to_owned(),
            why,
        };
        private::create_dir_all(path).map_err(|why| refused(about_folder(&why)))?;
        let held = path.join(Folder::LOCK);
        let lock = private::create(&held).map_err(|why| refused(why.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(RecordError::InUse {
                path: path.to_owned(),
                holder: Holder::of_lock(&held),
            }),
            Err(TryLockError::Error(why)) => Err(refused(why.to_string())),
        }
    }

    /// What to do about this life: the file has its number where no later recording is there, as when the node's data was taken away.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn turn(&self, record: &Record, incarnation: u32) -> io::Result<Turn> {
        Folder::turn_in(&self.path, record, incarnation)
    }

    /// What there would be to do about a life in a folder that is nobody's now.
    pub(crate) fn turn_in(folder: &Path, record: &Record, incarnation: u32) -> io::Result<Turn> {
        let there = recordings_in(folder)?;
        if record.when_full == WhenFull::Stop {
            for (_, path) in there.iter().filter(|(_, path)| path.is_file()) {
                if is_full(path)? {
                    return Ok(Turn::Full {
                        path: path.clone(),
                        bytes: fs::metadata(path)?.len(),
                    });
                }
            }
        }
        let next = there.last().map_or(0, |(number, _)| number.saturating_add(1));
        let number = next.max(u64::from(incarnation));
        Ok(Turn::Record(folder.join(format!("{PREFIX}{number:06}{SUFFIX}"))))
    }

    /// Where a recording is begun, before it is moved to its own place.
    pub fn beginning(&self) -> PathBuf {
        self.path.join(BEGINNING)
    }

    /// That a recording can be begun in it.
    ///
    /// # Errors
    ///
    /// Why none can.
    pub fn try_out(&self) -> io::Result<()> {
        let beginning = self.beginning();
        private::create(&beginning)?;
        fs::remove_file(beginning)
    }

    /// Removes the oldest recordings, so that with one more there are as many as are kept. At least that one is. One that cannot be removed
    /// stays, and it is said.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn make_room(&self, record: &Record) -> io::Result<()> {
        let mut there = self.recordings()?;
        // What only has the name of one is nobody's to take away.
        there.retain(|(_, path)| path.is_file());
        let stay = (record.keep as usize).saturating_sub(1);
        for (_, path) in &there[..there.len().saturating_sub(stay)] {
            if let Err(why) = fs::remove_file(path) {
                tracing::warn!("the old recording {} cannot be removed: {why}", path.display());
            }
        }
        Ok(())
    }

    /// The recordings with their numbers, in the order of these.
    pub fn recordings(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        recordings_in(&self.path)
    }
}

fn recordings_in(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut there = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(number) = number_of(&path) {
            there.push((number, path));
        }
    }
    there.sort();
    Ok(there)
}

fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Whether a recording ends with the marker of a full one.
fn is_full(path: &Path) -> io::Result<bool> {
    const MARKER: usize = frame::OVERHEAD + recording::full(0).len();
    let mut file = File::open(path)?;
    if file.metadata()?.len() < MARKER as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-(MARKER as i64)))?;
    let mut found = [0; MARKER];
    file.read_exact(&mut found)?;
    let [.., a, b, c, d, e, f, g, h] = found;
    let entries = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    // The head has the first place.
    let marker = frame::sealed(&recording::full(entries), entries.wrapping_add(1))?;
    Ok(marker == found)
}
