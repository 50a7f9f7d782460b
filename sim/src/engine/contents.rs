//! What is on a host's disk, what was there before, and what becomes of it when it is damaged.

use squall_nodes::DiskAtBoot;

use super::spares::taken_by;
use crate::draws::below;
use crate::plan::DiskOnRestart;

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) contents: Option<Vec<u8>>,
    /// What was there before the last write that is on it; `None` when there was no write since it was new, wiped or damaged.
    before: Option<Before>,
    /// The write that was under way when the host went down, and that is not on it.
    lost: Option<Vec<u8>>,
    wiped: bool,
    /// How many writes were begun in the present life.
    pub(crate) writes: u64,
}

struct Before(Option<Vec<u8>>);

/// What a damage did to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Done(DiskAtBoot),
    /// There was nothing to damage, and the disk is as it was.
    Nothing,
}

impl Disk {
    /// How many bytes of memory all that is there takes.
    pub(crate) fn taken(&self) -> usize {
        let before = self.before.as_ref().and_then(|Before(before)| before.as_ref());
        let all = [self.contents.as_ref(), before, self.lost.as_ref()];
        all.into_iter().flatten().map(|bytes| taken_by(bytes.len())).sum()
    }

    /// A host begins a new life with what is there.
    pub(crate) fn begin_life(&mut self) {
        self.writes = 0;
        self.lost = None;
    }

    /// A write is on the disk. Returns what nobody can find there any more.
    pub(crate) fn write(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let before = Before(self.contents.replace(bytes));
        self.before.replace(before).and_then(|Before(gone)| gone)
    }

    /// A write was under way when the host went down, and left what was there.
    pub(crate) fn lose(&mut self, bytes: Vec<u8>) {
        self.lost = Some(bytes);
    }

    /// The buffers of all that is there.
    pub(crate) fn into_buffers(self) -> impl Iterator<Item = Vec<u8>> {
        let before = self.before.and_then(|Before(before)| before);
        self.contents.into_iter().chain(before).chain(self.lost)
    }

    /// What a host finds that boots with what is there.
    pub(crate) fn found(&self) -> DiskAtBoot {
        match (&self.contents, self.wiped) {
            (Some(_), _) => DiskAtBoot::Kept,
            (None, true) => DiskAtBoot::Wiped,
            (None, false) => DiskAtBoot::Fresh,
        }
    }

    pub(crate) fn wipe(&mut self) {
        *self = Disk {
            wiped: true,
            writes: self.writes,
            ..Disk::default()
        };
    }

    /// Damages what is there, as far as there is anything: `words` say where.
    pub(crate) fn damage(&mut self, how: DiskOnRestart, words: [u64; 2]) -> Damage {
        let (damaged, found) = match how {
            DiskOnRestart::Kept | DiskOnRestart::Wiped => return Damage::Nothing,
            DiskOnRestart::Stale => (self.stale(), DiskAtBoot::Stale),
            DiskOnRestart::Torn => (self.torn(words[0]), DiskAtBoot::Torn),
            DiskOnRestart::Corrupt => (self.corrupt(words), DiskAtBoot::Corrupt),
        };
        let Some(damaged) = damaged else {
            return Damage::Nothing;
        };
        self.wiped |= damaged.is_none();
        self.contents = damaged;
        self.before = None;
        self.lost = None;
        Damage::Done(found)
    }

    /// The last write, and what was there before it.
    fn last_write(&self) -> Option<(&[u8], Option<&[u8]>)> {
        match (&self.lost, &self.before) {
            (Some(lost), _) => Some((lost, self.contents.as_deref())),
            (None, Some(Before(before))) => Some((self.contents.as_deref()?, before.as_deref())),
            (None, None) => None,
        }
    }

    /// What was there before the last write; `None` when that is what is there.
    fn stale(&self) -> Option<Option<Vec<u8>>> {
        let (_, before) = self.last_write()?;
        (before != self.contents.as_deref()).then(|| before.map(<[u8]>::to_vec))
    }

    /// The beginning of the last write, and the rest of what was there before it: neither the one nor the other.
    fn torn(&self, word: u64) -> Option<Option<Vec<u8>>> {
        let (new, old) = self.last_write()?;
        let old = old.unwrap_or_default();
        // Up to where they are the same, a beginning of the new is no other than the old; and where no difference is left
        // behind it, no other than the new.
        let alike = new.iter().zip(old).take_while(|(a, b)| a == b).count();
        let end = if new.len() == old.len() {
            let same = new.iter().rev().zip(old.iter().rev());
            new.len() - same.take_while(|(a, b)| a == b).count()
        } else {
            new.len()
        };
        // A beginning that tears is longer than `alike` and shorter than `end`.
        let lengths = end.checked_sub(alike + 1).filter(|lengths| *lengths > 0)?;
        let torn = alike + 1 + below(word, lengths as u64) as usize;
        let rest = old.get(torn..).unwrap_or_default();
        Some(Some([&new[..torn], rest].concat()))
    }

    /// What is there, with a byte turned into another one.
    fn corrupt(&self, [place, mask]: [u64; 2]) -> Option<Option<Vec<u8>>> {
        let mut bytes = self.contents.clone()?;
        let place = below(place, bytes.len() as u64) as usize;
        *bytes.get_mut(place)? ^= 1 + below(mask, 255) as u8;
        Some(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A disk on which these were written, one after the other.
    fn written(writes: &[&[u8]]) -> Disk {
        let mut disk = Disk::default();
        for write in writes {
            disk.write(write.to_vec());
        }
        disk
    }

    fn damaged(mut disk: Disk, how: DiskOnRestart, words: [u64; 2]) -> (Damage, Option<String>) {
        let damage = disk.damage(how, words);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (damage, disk.contents.map(text))
    }

    const ALL: [DiskOnRestart; 3] = [DiskOnRestart::Stale, DiskOnRestart::Torn, DiskOnRestart::Corrupt];

    #[test]
    fn nothing_is_damaged_where_nothing_was_written() {
        for how in ALL {
            assert_eq!(damaged(Disk::default(), how, [1, 2]), (Damage::Nothing, None));
            let mut wiped = written(&[b"old", b"new"]);
            wiped.wipe();
            assert_eq!(wiped.found(), DiskAtBoot::Wiped);
            assert_eq!(damaged(wiped, how, [1, 2]), (Damage::Nothing, None));
        }
    }

    #[test]
    fn a_stale_disk_holds_what_was_there_before() {
        let stale = |disk| damaged(disk, DiskOnRestart::Stale, [0, 0]);
        let done = Damage::Done(DiskAtBoot::Stale);
        assert_eq!(stale(written(&[b"old", b"new"])), (done, Some("old".to_owned())));
        assert_eq!(stale(written(&[b"first"])), (done, None));
        assert_eq!(
            stale(written(&[b"same", b"same"])),
            (Damage::Nothing, Some("same".to_owned()))
        );
        let mut lost = written(&[b"old", b"new"]);
        lost.lose(b"newer".to_vec());
        assert_eq!(stale(lost), (Damage::Nothing, Some("new".to_owned())));
        let mut later = written(&[b"old", b"new"]);
        later.lose(b"newer".to_vec());
        later.begin_life();
        assert_eq!(stale(later), (done, Some("old".to_owned())));
    }

    #[test]
    fn a_disk_that_was_damaged_holds_what_that_left_until_it_is_written_again() {
        let mut disk = written(&[b"old", b"new"]);
        assert_eq!(
            disk.damage(DiskOnRestart::Stale, [0, 0]),
            Damage::Done(DiskAtBoot::Stale)
        );
        assert_eq!(disk.damage(DiskOnRestart::Stale, [0, 0]), Damage::Nothing);
        assert_eq!(disk.damage(DiskOnRestart::Torn, [0, 0]), Damage::Nothing);
        assert_eq!(disk.contents.as_deref(), Some(&b"old"[..]));
        disk.write(b"newer".to_vec());
        assert_eq!(
            disk.damage(DiskOnRestart::Stale, [0, 0]),
            Damage::Done(DiskAtBoot::Stale)
        );
        assert_eq!(disk.contents.as_deref(), Some(&b"old"[..]));
    }

    #[test]
    fn a_torn_disk_holds_the_beginning_of_the_last_write_over_what_was_there() {
        let torn = |disk, word| damaged(disk, DiskOnRestart::Torn, [word, 0]);
        let done = |text: &str| (Damage::Done(DiskAtBoot::Torn), Some(text.to_owned()));
        // Of `1` and `2`, those that tear nothing are left out.
        assert_eq!(torn(written(&[b"abcd", b"aXYd"]), 0), done("aXcd"));
        assert_eq!(torn(written(&[b"abcd", b"aXYd"]), u64::MAX), done("aXcd"));
        assert_eq!(torn(written(&[b"old", b"longer"]), 0), done("lld"));
        assert_eq!(torn(written(&[b"old", b"longer"]), u64::MAX), done("longe"));
        assert_eq!(torn(written(&[b"longer", b"new"]), u64::MAX), done("nenger"));
        assert_eq!(torn(written(&[b"first"]), 0), done("f"));
        let mut lost = written(&[b"old", b"new"]);
        lost.lose(b"NEWER".to_vec());
        assert_eq!(torn(lost, 0), done("New"));
        for whole in [&b"abXd"[..], b"abcd", b"ab", b"abcdX", b""] {
            let before = written(&[b"abcd", whole]);
            let (damage, left) = torn(before, 7);
            assert_eq!(damage, Damage::Nothing, "{left:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_torn_is_neither_the_old_nor_the_new(
            old in proptest::option::of("[ab]{0,6}"), new in "[ab]{0,6}", lost: bool, word: u64
        ) {
            let mut disk = Disk::default();
            if let Some(old) = &old {
                disk.write(old.clone().into_bytes());
            }
            if lost {
                disk.lose(new.clone().into_bytes());
            } else {
                disk.write(new.clone().into_bytes());
            }
            let text = old.clone().unwrap_or_default();
            let mixes: Vec<String> = (1..new.len())
                .map(|torn| format!("{}{}", &new[..torn], text.get(torn..).unwrap_or_default()))
                .filter(|mix| *mix != text && *mix != new)
                .collect();
            let (damage, left) = damaged(disk, DiskOnRestart::Torn, [word, 0]);
            match damage {
                Damage::Nothing => prop_assert!(mixes.is_empty(), "{mixes:?}"),
                Damage::Done(found) => {
                    prop_assert_eq!(found, DiskAtBoot::Torn);
                    prop_assert!(mixes.contains(&left.unwrap_or_default()));
                }
            }
        }

        #[test]
        fn a_corrupt_disk_differs_in_one_byte(bytes in proptest::collection::vec(any::<u8>(), 1..20), words: [u64; 2]) {
            let mut disk = written(&[&bytes]);
            prop_assert_eq!(disk.damage(DiskOnRestart::Corrupt, words), Damage::Done(DiskAtBoot::Corrupt));
            let left = disk.contents.unwrap_or_default();
            prop_assert_eq!(left.len(), bytes.len());
            prop_assert_eq!(left.iter().zip(&bytes).filter(|(a, b)| a != b).count(), 1);
        }
    }
}
