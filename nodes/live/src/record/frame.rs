//! The file of a recording: a magic, a format, and then frames, each of which shows whether it is whole.
//!
//! A frame is its body's length (`u32`), the 64-bit xxh3 of the body seeded with the frame's place in the file (`u64`), and the body;
//! numbers are little-endian. The place is in the checksum so that no frame passes for another: one that is missing, doubled or out of
//! place is as wrong as one that is damaged. The first frame has the [head](super::head), each other an
//! [entry](squall_nodes::recording::Entry).

use std::fs::File;
use std::io::{self, BufReader, Read};

use squall_nodes::recording::CutWhy;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What every recording begins with.
pub const MAGIC: [u8; 8] = *b"SQFLIGHT";

/// The format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// How long a frame is besides its body, in bytes.
pub const OVERHEAD: usize = 12;

/// What comes before the first frame.
pub fn opening() -> [u8; 12] {
    let mut opening = [0; 12];
    opening[..8].copy_from_slice(&MAGIC);
    opening[8..].copy_from_slice(&FORMAT.to_le_bytes());
    opening
}

/// Fills in what comes before a body. `frame` is [`OVERHEAD`] bytes of anything, and the body.
///
/// # Errors
///
/// When the body is longer than a frame's can be, which is 4 GiB.
pub fn seal(frame: &mut [u8], place: u64) -> io::Result<()> {
    let (overhead, body) = frame.split_at_mut(OVERHEAD);
    let len = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    overhead[..4].copy_from_slice(&len.to_le_bytes());
    overhead[4..].copy_from_slice(&xxh3_64_with_seed(body, place).to_le_bytes());
    Ok(())
}

/// A frame of this body.
///
/// # Errors
///
/// When the body is longer than a frame's can be, which is 4 GiB.
pub fn sealed(body: &[u8], place: u64) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; OVERHEAD];
    frame.extend_from_slice(body);
    seal(&mut frame, place)?;
    Ok(frame)
}

/// Reads a recording from its beginning, frame by frame. It holds one frame at a time.
pub struct Frames {
    reader: BufReader<File>,
    /// How much of the file has been read, in bytes.
    at: u64,
    /// How long the file was when it was opened, in bytes.
    len: u64,
    place: u64,
    body: Vec<u8>,
}

/// What comes next in a recording.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole frame, with this body.
    Frame(&'a [u8]),
    /// Nothing: the file ends with the last frame.
    End,
    /// No whole frame. Nothing behind it is looked at.
    CutOff {
        /// Where it begins, in bytes from the beginning of the file.
        at: u64,
        /// How much there is from there to the end of the file, in bytes.
        bytes: u64,
        /// Why it is none.
        why: CutWhy,
    },
}

/// How a file begins.
#[derive(Debug)]
pub enum Opened {
    /// It is a recording, of which the frames come next.
    Frames(Frames),
    /// It is none.
    NoRecording,
    /// It is one of another format.
    Format(u32),
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames")
            .field("at", &self.at)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Frames {
    /// Looks at the beginning of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open(file: File) -> io::Result<Opened> {
        let len = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut opening = [0; 12];
        if len < opening.len() as u64 {
            return Ok(Opened::NoRecording);
        }
        reader.read_exact(&mut opening)?;
        let [magic @ .., a, b, c, d] = opening;
        if magic != MAGIC {
            return Ok(Opened::NoRecording);
        }
        let format = u32::from_le_bytes([a, b, c, d]);
        if format != FORMAT {
            return Ok(Opened::Format(format));
        }
        Ok(Opened::Frames(Frames {
            reader,
            at: opening.len() as u64,
            len,
            place: 0,
            body: Vec::new(),
        }))
    }

    /// The body of the frame that came last; nothing before the first.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&mut self) -> io::Result<Next<'_>> {
        let (at, left) = (self.at, self.len - self.at);
        let cut_off = |why| Next::CutOff { at, bytes: left, why };
        if left == 0 {
            return Ok(Next::End);
        }
        let Some(room) = left.checked_sub(OVERHEAD as u64) else {
            return Ok(cut_off(CutWhy::Short));
        };
        let mut overhead = [0; OVERHEAD];
        self.reader.read_exact(&mut overhead)?;
        let [a, b, c, d, check @ ..] = overhead;
        let len = u32::from_le_bytes([a, b, c, d]);
        // Looked at before anything is set aside for it: any number may stand there.
        if u64::from(len) > room {
            return Ok(cut_off(CutWhy::Short));
        }
        self.body.resize(len as usize, 0);
        self.reader.read_exact(&mut self.body)?;
        if xxh3_64_with_seed(&self.body, self.place) != u64::from_le_bytes(check) {
            return Ok(cut_off(CutWhy::Damaged));
        }
        self.at += OVERHEAD as u64 + u64::from(len);
        self.place += 1;
        Ok(Next::Frame(&self.body))
    }
}
