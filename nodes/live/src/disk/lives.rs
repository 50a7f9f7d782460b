//! What `incarnation` holds: the number of a node's last life, and what has been in its folder since, so that it is missed when it is gone.

/// What is known of the lives that a folder has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lives {
    /// The number of the last one, counted from 0.
    pub(super) last: u32,
    /// Whether it was written down whose the folder is.
    pub(super) is_owned: bool,
    /// Whether something was persisted.
    pub(super) has_state: bool,
}

const OWNED: u8 = 1;
const STATE: u8 = 2;

impl Lives {
    /// As it is written: the number, little-endian, and a byte of notes.
    pub(super) fn encoded(self) -> [u8; 5] {
        let [a, b, c, d] = self.last.to_le_bytes();
        let owned = if self.is_owned { OWNED } else { 0 };
        let state = if self.has_state { STATE } else { 0 };
        [a, b, c, d, owned | state]
    }

    /// Reads what was written; the number alone, as it was written once, says nothing of owner and state.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn decoded(bytes: &[u8]) -> Result<Self, String> {
        let (number, notes) = match *bytes {
            [a, b, c, d] => ([a, b, c, d], 0),
            [a, b, c, d, notes] if notes & !(OWNED | STATE) == 0 => ([a, b, c, d], notes),
            [_, _, _, _, notes] => {
                return Err(format!(
                    "it has notes that this program does not know: {notes:#04x}"
                ));
            }
            _ => {
                return Err(format!(
                    "a number of 4 bytes and perhaps a byte of notes should be in it, and {} are",
                    bytes.len()
                ));
            }
        };
        Ok(Lives {
            last: u32::from_le_bytes(number),
            is_owned: notes & OWNED != 0,
            has_state: notes & STATE != 0,
        })
    }
}
