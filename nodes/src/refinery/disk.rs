//! What a node keeps on its disk: a format byte, the highest epoch that it has accepted or opened, and a CRC-32C.

use super::wire::Epoch;

const FORMAT: u8 = 1;
const CRC: usize = 4;

/// The bytes for the disk.
pub(super) fn encode(epoch: Epoch) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&epoch.0.to_le_bytes());
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads what was on the disk; `None` when it is anything else than what [`encode`] writes of an epoch that there is.
pub(super) fn decode(bytes: &[u8]) -> Option<Epoch> {
    let (sealed, crc) = bytes.split_last_chunk::<CRC>()?;
    if crc32c::crc32c(sealed) != u32::from_le_bytes(*crc) {
        return None;
    }
    let body = sealed.strip_prefix(&[FORMAT])?;
    let epoch = Epoch(u64::from_le_bytes(body.try_into().ok()?));
    (epoch <= Epoch::LAST).then_some(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_reads_back_as_it_was_written() {
        for epoch in [Epoch(0), Epoch(7), Epoch::LAST] {
            assert_eq!(decode(&encode(epoch)), Some(epoch));
        }
    }

    #[test]
    fn a_disk_that_is_short_flipped_or_of_another_format_is_unreadable() {
        let good = encode(Epoch(7));
        for len in 0..good.len() {
            assert_eq!(decode(&good[..len]), None, "{len} bytes");
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes), None, "bit {bit}");
        }
        let mut other = vec![FORMAT + 1; 9];
        other.extend_from_slice(&crc32c::crc32c(&[FORMAT + 1; 9]).to_le_bytes());
        assert_eq!(decode(&other), None);
        assert_eq!(decode(&encode(Epoch(Epoch::LAST.0 + 1))), None);
    }
}
