//! Writes a recording while its node lives.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use squall_nodes::recording::{self, Entry};
use squall_nodes::{DiskAtBoot, Effects, HostId, Input, Node, Placed, Time, Witness};

use super::folder::{Folder, Turn};
use super::frame;
use super::head::Head;
use crate::settings::Record;

/// A life that begins.
pub struct Flight<'a, N: Node> {
    /// The protocol's name.
    pub protocol: &'a str,
    /// The rule set.
    pub rules: &'a str,
    /// Who boots.
    pub placed: &'a Placed<N>,
    /// What is on its disk.
    pub disk: Option<&'a [u8]>,
    /// What it finds there.
    pub found: DiskAtBoot,
    /// Its life, counted from 0.
    pub incarnation: u32,
    /// The seed of its random streams.
    pub seed: u64,
    /// When it boots.
    pub booted: Time,
}

/// Why nothing can be recorded, although it is wanted. A node that is told so does better not to start: it is found out at once.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder cannot be used.
    #[error("the folder for recordings, {path}, cannot be used: {why}", path = path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Another node records there.
    #[error("another node records in {}: give each a folder of its own", .0.display())]
    InUse(PathBuf),
}

/// A flight recorder: the [`Witness`] of one life of one node.
pub struct Recorder {
    /// `None` when it records nothing any more.
    file: Option<File>,
    /// The entry that is being made: what comes before its body, and the body as far as it goes.
    frame: Vec<u8>,
    /// Whether the node has been told something and not come back yet.
    turn: NodeTurn,
    scratch: Vec<u8>,
    /// How long the file is, in bytes.
    len: u64,
    bound: u64,
    /// How many entries it has.
    entries: u64,
    status: Arc<RecorderStatus>,
    _folder: Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeTurn {
    Waits,
    WasTold,
}

/// How a recorder is doing, for whoever looks from outside.
#[derive(Debug)]
pub struct RecorderStatus {
    file: Option<PathBuf>,
    state: AtomicU8,
    bytes: AtomicU64,
    entries: AtomicU64,
}

/// What a recorder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecorderState {
    /// It records.
    Recording,
    /// It stopped at its bound. The node goes on unrecorded.
    Full,
    /// It could not write any more. The node goes on unrecorded.
    Failed,
    /// It never began, since there is a full recording that somebody has to take away first.
    Waiting,
    /// The node has stopped, and so has the recorder.
    Stopped,
}

/// How long the marker of a full recording is, in bytes. There is always room for it.
const MARKER: u64 = (frame::OVERHEAD + recording::full(0).len()) as u64;

impl Recorder {
    /// Begins the recording of a life. Where a full disk or a full recording is in the way, it records nothing, and its
    /// [status](Recorder::status) says why.
    ///
    /// # Errors
    ///
    /// That the folder cannot be used.
    pub fn begin<N: Node>(record: &Record, flight: &Flight<'_, N>) -> Result<Recorder, RecordError> {
        let folder = Folder::take(&record.folder)?;
        let refused = |why| RecordError::Folder {
            path: record.folder.clone(),
            why,
        };
        let path = match folder.turn(record, flight.incarnation).map_err(refused)? {
            Turn::Record(path) => path,
            Turn::Full(path) => {
                tracing::warn!(
                    recording = %path.display(),
                    "nothing is recorded: this recording is full, and no other is begun until it is taken away"
                );
                return Ok(Recorder::without(folder, RecorderState::Waiting));
            }
        };
        let mut beginning = frame::opening().to_vec();
        let head = frame::sealed(&Head::of(flight).encode(), 0).map_err(refused)?;
        beginning.extend_from_slice(&head);
        let len = beginning.len() as u64;
        if len + MARKER > record.bound {
            tracing::warn!(
                "nothing is recorded: the beginning of a recording takes {} bytes, and its bound is {}",
                len + MARKER,
                record.bound
            );
            return Ok(Recorder::without(folder, RecorderState::Full));
        }
        // A recording appears with its head or not at all.
        let begun = folder
            .make_room(record)
            .and_then(|()| begin(&folder.beginning(), &path, &beginning));
        match begun {
            Ok(file) => {
                tracing::info!(recording = %path.display(), "recording");
                let status = RecorderStatus::new(Some(path), RecorderState::Recording, len);
                Ok(Recorder {
                    file: Some(file),
                    frame: Vec::new(),
                    turn: NodeTurn::Waits,
                    scratch: Vec::new(),
                    len,
                    bound: record.bound,
                    entries: 0,
                    status: Arc::new(status),
                    _folder: folder,
                })
            }
            Err(why) if is_for_want_of_room(&why) => {
                tracing::error!("nothing is recorded: {}: {why}", path.display());
                Ok(Recorder::without(folder, RecorderState::Failed))
            }
            Err(why) => Err(refused(why)),
        }
    }

    /// How it is doing.
    pub fn status(&self) -> Arc<RecorderStatus> {
        self.status.clone()
    }

    /// Says that the node stopped in order, and ends.
    pub fn finish(mut self) {
        self.frame.clear();
        self.frame.resize(frame::OVERHEAD, 0);
        self.frame.extend_from_slice(&recording::stopped());
        self.turn = NodeTurn::Waits;
        self.write();
        if self.status.state() == RecorderState::Recording {
            self.status.set(RecorderState::Stopped);
        }
        self.file = None;
    }

    fn without(folder: Folder, state: RecorderState) -> Self {
        Recorder {
            file: None,
            frame: Vec::new(),
            turn: NodeTurn::Waits,
            scratch: Vec::new(),
            len: 0,
            bound: 0,
            entries: 0,
            status: Arc::new(RecorderStatus::new(None, state, 0)),
            _folder: folder,
        }
    }

    /// Writes the entry that has been made.
    fn write(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        let is_within = self.len + self.frame.len() as u64 + MARKER <= self.bound;
        if !is_within {
            self.frame.truncate(frame::OVERHEAD);
            self.frame.extend_from_slice(&recording::full(self.entries));
        }
        let written = frame::seal(&mut self.frame, self.entries + 1).and_then(|()| file.write_all(&self.frame));
        match written {
            Ok(()) => {
                self.len += self.frame.len() as u64;
                self.status.bytes.store(self.len, Ordering::Relaxed);
                if is_within {
                    self.entries += 1;
                    self.status.entries.store(self.entries, Ordering::Relaxed);
                } else {
                    let bound = self.bound;
                    tracing::warn!(bound, "the recording is full: the node goes on unrecorded");
                    self.end(RecorderState::Full);
                }
            }
            Err(why) => {
                tracing::error!("the recording cannot be written, the node goes on unrecorded: {why}");
                // What there is of the entry is in the way of nothing but a clear end.
                let _ = file.set_len(self.len);
                self.end(RecorderState::Failed);
            }
        }
    }

    fn end(&mut self, state: RecorderState) {
        self.status.set(state);
        self.file = None;
        self.frame = Vec::new();
    }
}

impl<N: Node> Witness<N> for Recorder {
    fn told(&mut self, _: HostId, _: u32, now: Time, input: &Input<'_, N>) {
        if self.file.is_none() {
            return;
        }
        self.frame.clear();
        self.frame.resize(frame::OVERHEAD, 0);
        Entry::told(now, input, &mut self.frame);
        self.turn = NodeTurn::WasTold;
    }

    fn handled(&mut self, _: HostId, _: u32, _: Time, _: &Input<'_, N>, effects: &Effects<'_, N>) {
        if self.turn == NodeTurn::WasTold {
            Entry::handled(effects, frame::OVERHEAD, &mut self.scratch, &mut self.frame);
            self.turn = NodeTurn::Waits;
            self.write();
        }
    }
}

impl Drop for Recorder {
    /// The node panics, perhaps: then the input over which it does is written down.
    fn drop(&mut self) {
        if self.turn == NodeTurn::WasTold && std::thread::panicking() {
            self.write();
        }
    }
}

impl RecorderStatus {
    fn new(file: Option<PathBuf>, state: RecorderState, bytes: u64) -> Self {
        RecorderStatus {
            file,
            state: AtomicU8::new(state as u8),
            bytes: AtomicU64::new(bytes),
            entries: AtomicU64::new(0),
        }
    }

    /// What the recorder does.
    pub fn state(&self) -> RecorderState {
        const ALL: [RecorderState; 5] = [
            RecorderState::Recording,
            RecorderState::Full,
            RecorderState::Failed,
            RecorderState::Waiting,
            RecorderState::Stopped,
        ];
        ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// The recording, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// How long it is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many inputs have been recorded.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    fn set(&self, state: RecorderState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Writes the beginning of a recording to one place and moves it to the other.
fn begin(from: &Path, to: &Path, beginning: &[u8]) -> io::Result<File> {
    let written = File::create(from).and_then(|mut file| {
        file.write_all(beginning)?;
        fs::rename(from, to)?;
        Ok(file)
    });
    if written.is_err() {
        // It may be what fills the disk.
        let _ = fs::remove_file(from);
    }
    written
}

fn is_for_want_of_room(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
