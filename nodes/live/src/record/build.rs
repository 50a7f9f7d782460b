//! Which build of the program this is: by the id that its linker gave it, or by its whole file where it has none.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A number that another build of this program does not have: the 64-bit xxh3 of the build id that linkers write into programs, or
/// of the program's file where there is none. `None` when the file cannot be read.
pub fn build() -> Option<u64> {
    // It is found once: a program may be replaced while it runs, but not what runs.
    static BUILD: OnceLock<Option<u64>> = OnceLock::new();
    *BUILD.get_or_init(|| {
        let mut file = File::open("/proc/self/exe")
            .or_else(|_| File::open(std::env::current_exe()?))
            .ok()?;
        match build_id(&file) {
            Some(id) => Some(xxh3_64(&id)),
            None => hash_of(&mut file),
        }
    })
}

/// The longest segment of notes that is looked at, in bytes. Those of programs have some dozens.
const LONGEST: u64 = 1 << 16;

/// The build id of a program in ELF, for 64 bits and little-endian.
fn build_id(file: &File) -> Option<Vec<u8>> {
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (long(&header, 32)?, short(&header, 54)?, short(&header, 56)?);
    for place in 0..u64::from(count) {
        let mut segment = [0; 56];
        let at = table.checked_add(place.checked_mul(size.into())?)?;
        file.read_exact_at(&mut segment, at).ok()?;
        const NOTES: u32 = 4;
        let (at, len, align) = (long(&segment, 8)?, long(&segment, 32)?, long(&segment, 48)?);
        if word(&segment, 0)? != NOTES || len > LONGEST {
            continue;
        }
        let mut notes = vec![0; len as usize];
        file.read_exact_at(&mut notes, at).ok()?;
        if let Some(id) = id_in(&notes, if align == 8 { 8 } else { 4 }) {
            return Some(id.to_vec());
        }
    }
    None
}

/// The build id among notes that are aligned to so many bytes.
fn id_in(mut notes: &[u8], align: usize) -> Option<&[u8]> {
    const BUILD_ID: u32 = 3;
    loop {
        let (name_len, len, kind) = (
            word(notes, 0)? as usize,
            word(notes, 4)? as usize,
            word(notes, 8)?,
        );
        let name = notes.get(12..)?.get(..name_len)?;
        let at = (12 + name_len).next_multiple_of(align);
        let contents = notes.get(at..)?.get(..len)?;
        if name == b"GNU\0" && kind == BUILD_ID {
            return Some(contents);
        }
        notes = notes.get((at + len).next_multiple_of(align)..)?;
    }
}

fn hash_of(file: &mut File) -> Option<u64> {
    let (mut hash, mut block) = (Xxh3::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut block).ok()? {
            0 => return Some(hash.digest()),
            count => hash.update(&block[..count]),
        }
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn note(kind: u32, name: &[u8], contents: &[u8], align: usize) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [name.len() as u32, contents.len() as u32, kind] {
            note.extend(number.to_le_bytes());
        }
        for part in [name, contents] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(align), 0);
        }
        note
    }

    #[test]
    fn the_id_is_found_among_other_notes() {
        for align in [4, 8] {
            let notes = [
                note(1, b"GNU\0", &[9; 16], align),
                note(3, b"stapsdt\0", &[8; 3], align),
                note(3, b"GNU\0", &[7; 20], align),
                note(5, b"GNU\0", &[6; 4], align),
            ]
            .concat();
            assert_eq!(id_in(&notes, align), Some(&[7; 20][..]), "{align}");
        }
    }

    #[test]
    fn notes_that_are_cut_off_or_lie_have_none() {
        let notes = [note(1, b"GNU\0", &[9; 16], 4), note(3, b"GNU\0", &[7; 20], 4)].concat();
        for cut in 0..notes.len() {
            assert_eq!(id_in(&notes[..cut], 4), None, "{cut}");
        }
        assert_eq!(id_in(&[0xff; 64], 4), None);
        assert_eq!(id_in(&[0; 4096], 4), None);
    }

    #[test]
    fn a_program_has_a_build_and_another_file_has_another() {
        let mut other = tempfile::tempfile().expect("there is room");
        other
            .write_all(b"\x7fELF\x02\x01 and nothing that it promises")
            .expect("there is room");
        assert_eq!(build_id(&other), None);
        let mut other = tempfile::tempfile().expect("there is room");
        other
            .write_all(&[b"\x7fELF\x02\x01".as_slice(), &[0xff; 200]].concat())
            .expect("there is room");
        assert_eq!(build_id(&other), None);
        assert!(build().is_some());
        assert_ne!(build(), hash_of(&mut other));
    }
}
