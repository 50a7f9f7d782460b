//! Writes a recording while its node lives.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use squall_nodes::recording::{self, Entry};
use squall_nodes::{Effects, HostId, Input, Node, Time, Witness};

use super::folder::{Folder, Turn};
use super::frame;
use super::head::Head;
use crate::error::LiveError;
use crate::private;
use crate::run::{Boot, Recorder};
use crate::settings::{Record, Settings};
use crate::status::{Gauge, Recording};
use crate::whose::Holder;

/// A flight recorder, for [`run`](fn@crate::run): it records what the settings of its node say, or nothing.
#[derive(Debug, Default)]
pub struct FlightRecorder {
    gauge: Gauge,
    /// Taken ahead, until the node boots.
    folder: Option<Folder>,
    flight: Option<Flight>,
}

/// Why nothing can be recorded, although it is wanted. The node does not boot then, so that it is found out at once.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder cannot be used.
    #[error("the folder {} cannot be used: {why}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Another node records there.
    #[error("another node records in {}, which {holder} has; give each a folder of its own", path.display())]
    InUse {
        /// In which folder.
        path: PathBuf,
        /// Who does.
        holder: Holder,
    },
}

/// A life that is being recorded.
#[derive(Debug)]
struct Flight {
    file: File,
    path: PathBuf,
    /// The entry that is being made: what comes before its body, and the body as far as it goes.
    frame: Vec<u8>,
    turn: Turnaround,
    scratch: Vec<u8>,
    /// How long the file is, in bytes.
    len: u64,
    bound: u64,
    /// How many entries it has.
    entries: u64,
    /// Held for as long as it is written.
    _folder: Folder,
}

/// Where the node is with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turnaround {
    /// It has handled the last one, and it is recorded.
    Done,
    /// It was told one, and has not come back.
    Told,
}

/// How a recording goes on after an entry.
enum Written {
    Whole,
    Full,
    Failed(io::Error),
}

/// How long the marker of a full recording is, in bytes. There is always room for it.
const MARKER: u64 = (frame::OVERHEAD + recording::full(0).len()) as u64;

impl FlightRecorder {
    /// One that waits for its node to boot.
    pub fn new() -> Self {
        FlightRecorder::default()
    }

    /// The recording that is being written, if one is.
    pub fn recording(&self) -> Option<&Path> {
        self.flight.as_ref().map(|flight| flight.path.as_path())
    }

    fn begin<N: Node>(&mut self, record: &Record, boot: &Boot<'_, N>) -> Result<(), RecordError> {
        let refused = |why: io::Error| RecordError::Folder {
            path: record.folder.clone(),
            why: why.to_string(),
        };
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => Folder::take(&record.folder)?,
        };
        let path = match folder.turn(record, boot.incarnation).map_err(refused)? {
            Turn::Record(path) => path,
            Turn::Full { path, bytes } => {
                tracing::warn!(
                    recording = %path.display(),
                    "nothing is recorded: there is a full recording, and no other is begun until it is taken away"
                );
                self.gauge.names(&path);
                self.gauge.show(&Recording::Full { bytes });
                return Ok(());
            }
        };
        let mut beginning = frame::opening().to_vec();
        let head = frame::sealed(&Head::of(boot).encode(), 0).map_err(refused)?;
        beginning.extend_from_slice(&head);
        let len = beginning.len() as u64;
        if len + MARKER > record.bound {
            tracing::warn!(
                "nothing is recorded: the beginning of a recording takes {} bytes, and its bound is {}",
                len + MARKER,
                record.bound
            );
            self.gauge.show(&Recording::Full { bytes: 0 });
            return Ok(());
        }
        let begun = folder
            .make_room(record)
            .and_then(|()| begin_file(&folder.beginning(), &path, &beginning));
        match begun {
            Ok(file) => {
                tracing::info!(recording = %path.display(), "recording");
                self.gauge.names(&path);
                self.gauge.show(&Recording::On { bytes: len });
                self.flight = Some(Flight {
                    file,
                    path,
                    frame: Vec::new(),
                    turn: Turnaround::Done,
                    scratch: Vec::new(),
                    len,
                    bound: record.bound,
                    entries: 0,
                    _folder: folder,
                });
                Ok(())
            }
            Err(why) if is_for_want_of_room(&why) => {
                tracing::error!("nothing is recorded: {} cannot be written: {why}", path.display());
                self.gauge.show(&Recording::Failed { bytes: 0 });
                Ok(())
            }
            Err(why) => Err(refused(why)),
        }
    }

    /// Writes the entry that has been made.
    fn write(&mut self) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        let written = flight.write();
        let bytes = flight.len;
        match written {
            Written::Whole => self.gauge.show(&Recording::On { bytes }),
            Written::Full => {
                tracing::warn!(
                    recording = %flight.path.display(),
                    "the recording is as large as it may be: the node goes on unrecorded"
                );
                self.gauge.show(&Recording::Full { bytes });
                self.flight = None;
            }
            Written::Failed(why) => {
                tracing::error!(
                    recording = %flight.path.display(),
                    "the recording cannot be written, and the node goes on unrecorded: {why}"
                );
                self.gauge.show(&Recording::Failed { bytes });
                self.flight = None;
            }
        }
    }
}

impl<N: Node> Recorder<N> for FlightRecorder {
    fn prepare(&mut self, settings: &Settings<N>, incarnation: u32) -> Result<(), LiveError> {
        let Some(record) = &settings.record else {
            return Ok(());
        };
        let folder = Folder::take(&record.folder).map_err(unrecorded)?;
        let tried = match folder.turn(record, incarnation) {
            Ok(Turn::Record(_)) => folder.try_out(),
            Ok(Turn::Full { .. }) => Ok(()),
            Err(why) => Err(why),
        };
        match tried {
            Err(why) if !is_for_want_of_room(&why) => {
                let path = record.folder.clone();
                let why = why.to_string();
                Err(unrecorded(RecordError::Folder { path, why }))
            }
            _ => {
                self.folder = Some(folder);
                Ok(())
            }
        }
    }

    fn boots(&mut self, boot: &Boot<'_, N>) -> Result<(), LiveError> {
        let Some(record) = &boot.settings.record else {
            return Ok(());
        };
        self.begin(record, boot).map_err(unrecorded)
    }

    fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    fn stopped(&mut self, at: Time) {
        if let Some(flight) = &mut self.flight {
            flight.clear();
            recording::stopped(at, &mut flight.frame);
            self.write();
            self.flight = None;
        }
    }
}

impl<N: Node> Witness<N> for FlightRecorder {
    fn told(&mut self, _: HostId, _: u32, now: Time, input: &Input<'_, N>) {
        if let Some(flight) = &mut self.flight {
            flight.clear();
            Entry::told(now, input, &mut flight.frame);
            flight.turn = Turnaround::Told;
        }
    }

    fn handled(&mut self, _: HostId, _: u32, _: Time, _: &Input<'_, N>, effects: &Effects<'_, N>) {
        if let Some(flight) = &mut self.flight {
            flight.turn = Turnaround::Done;
            Entry::handled(effects, frame::OVERHEAD, &mut flight.scratch, &mut flight.frame);
            self.write();
        }
    }
}

impl Drop for FlightRecorder {
    /// A node that was told something and has not come back has panicked: the input over which it did is written down.
    fn drop(&mut self) {
        let is_told = |flight: &Flight| flight.turn == Turnaround::Told;
        if self.flight.as_ref().is_some_and(is_told) {
            self.write();
        }
    }
}

impl Flight {
    /// Begins an entry.
    fn clear(&mut self) {
        self.frame.clear();
        self.frame.resize(frame::OVERHEAD, 0);
    }

    /// Writes the entry, or the marker in its place where it would be too much.
    fn write(&mut self) -> Written {
        let fits = self.len + self.frame.len() as u64 + MARKER <= self.bound;
        if !fits {
            self.clear();
            self.frame.extend_from_slice(&recording::full(self.entries));
        }
        // The head has the first place.
        let written =
            frame::seal(&mut self.frame, self.entries + 1).and_then(|()| self.file.write_all(&self.frame));
        match written {
            Ok(()) => {
                self.len += self.frame.len() as u64;
                self.entries += 1;
                if fits { Written::Whole } else { Written::Full }
            }
            Err(why) => {
                // What there is of the entry would be told as cut off; without it the end is as clear as can be.
                let _ = self.file.set_len(self.len);
                Written::Failed(why)
            }
        }
    }
}

/// Writes the beginning of a recording to one place and moves it to the other: it appears with its head or not at all.
fn begin_file(from: &Path, to: &Path, beginning: &[u8]) -> io::Result<File> {
    let written = private::create(from).and_then(|mut file| {
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

fn unrecorded(why: RecordError) -> LiveError {
    LiveError::Recorder { why: why.to_string() }
}

fn is_for_want_of_room(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests;
