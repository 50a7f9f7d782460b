//! What stands around the bytes of a durable file, so that any file that is not what was written is known for it.

use xxhash_rust::xxh3::Xxh3;

/// What every durable file begins with.
const MAGIC: [u8; 8] = *b"SQLDISK\n";
/// The version of this format.
const VERSION: u32 = 1;
/// How long what stands ahead of the bytes is: magic, version, kind, length, checksum.
pub(super) const HEADER: usize = 32;

/// What a durable file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// What a node persisted.
    State = 1,
    /// The number of its last life.
    Incarnation = 2,
    /// Whose the folder is.
    Owner = 3,
}

/// What is written ahead of the bytes. Numbers are little-endian.
pub(super) fn header(kind: Kind, bytes: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    header[16..24].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    let checksum = checksum(&header, bytes);
    header[24..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// How many bytes were written behind a header, or what is wrong with it.
pub(super) fn announced(kind: Kind, header: &[u8; HEADER]) -> Result<u64, String> {
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| header[at + i]));
    if header[..8] != MAGIC {
        return Err("it does not begin as a durable file of a node does".to_owned());
    }
    if word(8) != VERSION {
        return Err(format!(
            "it is in version {} of the format, and this program reads version {VERSION}",
            word(8)
        ));
    }
    if word(12) != kind as u32 {
        return Err("it is a durable file of another kind".to_owned());
    }
    Ok(long(header, 16))
}

/// Takes the header off what was read, or says what is wrong with it.
pub(super) fn opened(kind: Kind, mut file: Vec<u8>) -> Result<Vec<u8>, String> {
    let Some((header, bytes)) = file.split_first_chunk::<HEADER>() else {
        return Err(too_short(file.len() as u64));
    };
    let announced = announced(kind, header)?;
    if announced != bytes.len() as u64 {
        return Err(of_another_length(announced, bytes.len() as u64));
    }
    if long(header, 24) != checksum(header, bytes) {
        return Err("its checksum is not that of its bytes".to_owned());
    }
    file.drain(..HEADER);
    Ok(file)
}

/// What is wrong with a file that is no longer than this.
pub(super) fn too_short(length: u64) -> String {
    format!("it is {length} bytes long, and {HEADER} stand ahead of everything that is written")
}

/// What is wrong with a file that has another number of bytes behind its header than this says.
pub(super) fn of_another_length(announced: u64, there: u64) -> String {
    format!("{announced} bytes were written, and {there} are there")
}

fn long(header: &[u8; HEADER], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| header[at + i]))
}

/// Over all of the header but the checksum, and the bytes.
fn checksum(header: &[u8; HEADER], bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&header[..24]);
    hash.update(bytes);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(kind: Kind, bytes: &[u8]) -> Vec<u8> {
        [&header(kind, bytes)[..], bytes].concat()
    }

    #[test]
    fn what_was_put_in_comes_out() {
        for bytes in [&b""[..], b"x", &[7; 70_000]] {
            let file = sealed(Kind::State, bytes);
            assert_eq!(opened(Kind::State, file).as_deref(), Ok(bytes));
        }
        assert!(opened(Kind::Incarnation, sealed(Kind::State, b"x")).is_err());
    }

    #[test]
    fn a_byte_more_or_less_or_another_one_is_noticed() {
        let file = sealed(Kind::State, b"what a node persisted");
        for end in 0..file.len() {
            assert!(opened(Kind::State, file[..end].to_vec()).is_err(), "cut at {end}");
        }
        for place in 0..file.len() {
            for bit in 0..8 {
                let mut other = file.clone();
                other[place] ^= 1 << bit;
                assert!(opened(Kind::State, other).is_err(), "bit {bit} of byte {place}");
            }
        }
        let longer = [&file[..], b"!"].concat();
        assert_eq!(
            opened(Kind::State, longer),
            Err("21 bytes were written, and 22 are there".to_owned())
        );
    }
}
