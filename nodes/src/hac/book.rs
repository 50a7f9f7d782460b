//! Whom a node knows: what goes to its disk, and what it asks, probes and introduces by.
//!
//! Whether a node is available is the table's business; the book says only that it is there to be asked.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::table::MAX_ENTRIES;

/// An id and where it is.
pub(super) type Name = (u32, SocketAddrV4);

/// Everyone whom a node knows: those whom its table names, and those whom it does not. No address is there twice, unless
/// the table has it twice; an id that the table names may also be that of somebody whom it does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// As the last whole table has them.
    named: Vec<Name>,
    /// Known from elsewhere: from tables before, or because they spoke.
    unnamed: Vec<Name>,
}

impl Book {
    /// What was on the disk. Which of them a table names, the next one tells.
    pub(super) fn new(names: Vec<Name>) -> Self {
        Book {
            named: names,
            unnamed: Vec::new(),
        }
    }

    /// Everyone, those first whom the table names.
    pub(super) fn all(&self) -> impl Iterator<Item = Name> {
        self.named.iter().chain(&self.unnamed).copied()
    }

    /// Those whom the table does not name.
    pub(super) fn unnamed(&self) -> &[Name] {
        &self.unnamed
    }

    /// Becomes what a table names, and nothing else.
    pub(super) fn become_table(&mut self, names: impl Iterator<Item = Name>) {
        self.named.clear();
        self.named.extend(names);
        self.unnamed.clear();
    }

    /// Takes in what a table names, and keeps everyone else. Returns whether anything is different now.
    pub(super) fn take_table(&mut self, names: impl Iterator<Item = Name> + Clone) -> Differs {
        // Nearly always: tables rarely change in anything but their numbers.
        if names.clone().eq(self.named.iter().copied()) {
            return Differs::No;
        }
        let present: BTreeSet<SocketAddrV4> = names.clone().map(|(_, addr)| addr).collect();
        self.unnamed.append(&mut self.named);
        self.unnamed.retain(|(_, addr)| !present.contains(addr));
        self.named.extend(names);
        self.unnamed
            .truncate(MAX_ENTRIES.saturating_sub(self.named.len()));
        Differs::Yes
    }

    /// Forgets those whom the table does not name.
    pub(super) fn forget_unnamed(&mut self) {
        self.unnamed.clear();
    }

    /// Takes in somebody who was heard of otherwise than by a table.
    pub(super) fn take(&mut self, name: Name) -> Differs {
        let is_full = self.named.len() + self.unnamed.len() >= MAX_ENTRIES;
        if is_full || self.all().any(|(_, addr)| addr == name.1) {
            return Differs::No;
        }
        self.unnamed.push(name);
        Differs::Yes
    }
}

/// Whether the book is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Differs {
    No,
    Yes,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn name(id: u32, last: u8) -> Name {
        (id, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 7400))
    }

    fn all(book: &Book) -> Vec<Name> {
        book.all().collect()
    }

    #[test]
    fn a_table_that_names_fewer_makes_nobody_forgotten() {
        let mut book = Book::new(vec![name(1, 1), name(2, 2), name(3, 3)]);
        assert_eq!(
            book.take_table([name(1, 1), name(2, 3)].into_iter()),
            Differs::Yes
        );
        assert_eq!(book.unnamed(), [name(2, 2)]);
        assert_eq!(all(&book), [name(1, 1), name(2, 3), name(2, 2)]);
        assert_eq!(book.take_table([name(1, 1), name(2, 3)].into_iter()), Differs::No);
        let everyone = [name(1, 1), name(2, 3), name(4, 2)];
        assert_eq!(book.take_table(everyone.into_iter()), Differs::Yes);
        assert_eq!((all(&book), book.unnamed()), (everyone.to_vec(), &[][..]));
    }

    #[test]
    fn an_address_is_taken_in_once() {
        let mut book = Book::new(vec![name(1, 1)]);
        assert_eq!(book.take(name(7, 1)), Differs::No);
        assert_eq!(book.take(name(7, 2)), Differs::Yes);
        assert_eq!(book.take(name(8, 2)), Differs::No);
        assert_eq!(all(&book), [name(1, 1), name(7, 2)]);
    }

    #[test]
    fn a_book_does_not_grow_beyond_its_bound() {
        let addr = |i: u32| SocketAddrV4::new(Ipv4Addr::from(i), 7400);
        let names = |from: u32| (from..from + MAX_ENTRIES as u32).map(move |i| (i, addr(i)));
        let mut book = Book::new(names(1).collect());
        assert_eq!(book.take(name(7, 2)), Differs::No);
        book.take_table(names(100_000));
        assert_eq!((all(&book).len(), book.unnamed().len()), (MAX_ENTRIES, 0));
    }
}
