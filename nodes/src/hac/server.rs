//! Serving: opening an epoch, granting ids, and the round that ends with AS.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::book::Name;
use super::config::{Change, Rules};
use super::disk::{Identity, Reign};
use super::facts::HacFact;
use super::member::{Joined, Member, Phase, Why, restored};
use super::table::MAX_ENTRIES;
use super::wire::{Code, Entry, Epoch, NO_ID, Packet, Part, Status, entries_in, split};
use super::{HacNode, Timer};
use crate::outbox::Outbox;
use crate::time::Time;

/// The table as its server keeps it.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    rows: BTreeMap<u32, Row>,
    /// The id that was last given to each address.
    by_addr: BTreeMap<SocketAddrV4, u32>,
    /// How often the table was closed and sent.
    round: u32,
    /// Where the search for a free id goes on.
    next: u32,
}

#[derive(Clone, Debug)]
struct Row {
    addr: SocketAddrV4,
    status: Status,
    heard: u32,
    this_round: ThisRound,
    /// For how many rounds it has been silent.
    silent: u32,
}

/// Whether a node was heard since the last round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThisRound {
    Silent,
    Heard,
}

/// What became of an HC.
enum Granted {
    /// The address has an id that it did not have.
    Newly(u32),
    /// The address had it already.
    Again(u32),
    /// The table is full.
    Refused,
}

impl Member {
    /// Serves for the first time in the life of its disk: it grants itself the first id.
    pub(super) fn open_first(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        self.open(Serving::default(), 0, now, out, None);
        let Some(Identity { id, .. }) = self.identity else {
            return;
        };
        out.claim(HacFact::Granted {
            id,
            epoch: self.claimed_epoch(),
            addr: self.me,
        });
    }

    /// Serves again after a restart that found no other server.
    pub(super) fn open_again(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        let table = Serving::with(self.book.all().map(|(id, addr)| restored(id, addr)));
        self.open(table, 0, now, out, None);
    }

    /// Serves since its own table elected it.
    pub(super) fn open_promoted(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        let handed_on = if self.changes.has(Change::HandOn) {
            self.known.entries.as_slice()
        } else {
            &[]
        };
        let mut table = Serving::with(handed_on.iter().copied());
        for &(id, addr) in self.book.unnamed() {
            table.introduce(Some(id).filter(|id| *id != NO_ID), addr);
        }
        self.open(table, 0, now, out, Some(Promotion));
    }

    /// Begins a reign with `table`, in an epoch above `above` and above all that it ever accepted.
    fn open(
        &mut self,
        mut table: Serving,
        above: u64,
        now: Time,
        out: &mut Outbox<HacNode>,
        promotion: Option<Promotion>,
    ) {
        let highest = self.accepted.map_or(0, |reign| reign.epoch.counter).max(above);
        let counter = match self.config.rules {
            Rules::Original => Some(0),
            Rules::Hardened => highest.checked_add(1),
        };
        let Some(counter) = counter else {
            // The last epoch there can be was spoken of, which no cluster reaches by itself.
            return self.seek(Why::Join, now, out);
        };
        let id = table.seat(self.identity.map(|identity| identity.id), self.me);
        let epoch = match self.config.rules {
            Rules::Original => Epoch::NONE,
            Rules::Hardened => Epoch {
                counter,
                server: id,
                nonce: self.draw_nonce(),
            },
        };
        let reign = Reign { epoch, at: self.me };
        self.identity = Some(Identity { id, granted: reign });
        self.accepted = Some(reign);
        self.phase = Phase::Serving(table);
        self.joined = Joined::Before;
        self.stop_shaking(out);
        for timer in [Timer::Silence, Timer::Wait, Timer::Availability] {
            out.disarm(timer);
        }
        self.save(out);
        let epoch = self.claimed_epoch();
        if promotion.is_some() {
            out.claim(HacFact::Promoted { id, epoch });
        }
        if self.config.rules == Rules::Hardened {
            out.claim(HacFact::Accepted { epoch });
        }
        out.claim(HacFact::Serving { id, epoch });
        self.close_table(out);
        self.send_table_to_all(out);
        out.arm(Timer::Round, now + self.config.round);
    }

    fn draw_nonce(&mut self) -> u32 {
        if self.changes.has(Change::Nonce) {
            self.rng.below(1 << u32::BITS) as u32
        } else {
            0
        }
    }

    /// A round ends.
    pub(super) fn on_round(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        let own = self.identity.map(|identity| identity.id);
        let misses = self.config.misses();
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        serving.end_round(own, misses);
        self.close_table(out);
        self.send_table_to_all(out);
        out.arm(Timer::Round, now + self.config.round);
    }

    /// An HC came.
    pub(super) fn grant_to(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        out: &mut Outbox<HacNode>,
    ) {
        let entry = packet.entries.first();
        let addr = match self.config.rules {
            Rules::Original => from,
            // It may have been forwarded.
            Rules::Hardened => entry.addr,
        };
        if addr == self.me {
            return;
        }
        self.take_back(now, packet.epoch, out);
        let by_address = self.changes.has(Change::Addresses);
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        let granted = match by_address {
            true => serving.grant_by_address(entry.id(), addr),
            false => serving.grant_by_id(entry.id(), addr),
        };
        let id = match granted {
            Granted::Newly(id) => {
                self.save(out);
                out.claim(HacFact::Granted {
                    id,
                    epoch: self.claimed_epoch(),
                    addr,
                });
                id
            }
            Granted::Again(id) => id,
            // The bound of memory.
            Granted::Refused => return,
        };
        let entry = Entry {
            id,
            addr,
            status: Status::Alive,
            heard: 0,
            round: self.known.round,
        };
        let head = self.head(Code::Hs);
        let payload = out.encode(|into| head.encode_one(&entry, into));
        out.send(self.me.port(), addr, payload);
        if self.changes.has(Change::Remember) {
            if let (Granted::Newly(_), Phase::Serving(serving)) = (granted, &mut self.phase) {
                // Equal numbers have to mean equal tables, and this one has somebody more.
                serving.round = serving.round.saturating_add(1);
                self.close_table(out);
            }
            self.send_table(addr, out);
        }
    }

    /// An AC came.
    pub(super) fn hear(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        out: &mut Outbox<HacNode>,
    ) {
        let entry = packet.entries.first();
        self.take_back(now, packet.epoch, out);
        let is_behind = self.is_behind(packet.epoch);
        let by_address = self.changes.has(Change::Addresses);
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        if let Some(row) = entry.id().and_then(|id| serving.rows.get_mut(&id))
            && (row.addr == entry.addr || !by_address)
        {
            row.this_round = ThisRound::Heard;
        }
        if is_behind {
            self.send_table(from, out);
        }
        if self.changes.has(Change::Introduce) {
            self.meet(packet, out);
        }
    }

    /// Takes in those whom a client has introduced with its AC. They are told of in the next round, and hear of it.
    fn meet(&mut self, packet: &Packet<'_>, out: &mut Outbox<HacNode>) {
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        let others = packet
            .entries
            .iter()
            .skip(1)
            .filter(|entry| entry.addr != self.me);
        let met: Vec<(u32, SocketAddrV4)> = others
            .filter_map(|entry| Some((serving.introduce(entry.id(), entry.addr)?, entry.addr)))
            .collect();
        if met.is_empty() {
            return;
        }
        // As for a newcomer: equal numbers have to mean equal tables.
        serving.round = serving.round.saturating_add(1);
        self.save(out);
        let epoch = self.claimed_epoch();
        for (id, addr) in met {
            out.claim(HacFact::Granted { id, epoch, addr });
        }
        self.close_table(out);
    }

    /// An AS came to a server: there are two.
    pub(super) fn hear_other_server(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        out: &mut Outbox<HacNode>,
    ) {
        let other = Reign {
            epoch: packet.epoch,
            at: from,
        };
        if self.changes.has(Change::StepDown) && Some(other) > self.accepted {
            self.step_down(other, now, out);
            self.hear_server(now, from, packet, out);
        } else if self.changes.has(Change::Correct)
            && Some(other) < self.accepted
            && packet.part != Part::More
        {
            // Once for each list of the other's, however many packets it had.
            self.send_table(from, out);
        }
    }

    /// Whether a client speaks of an epoch that is over, so that it has to be told.
    fn is_behind(&self, epoch: Epoch) -> bool {
        self.changes.has(Change::Correct) && self.accepted.is_some_and(|own| epoch < own.epoch)
    }

    /// Opens a higher epoch when it is spoken to in one above its own, in which the other would ignore it.
    fn take_back(&mut self, now: Time, epoch: Epoch, out: &mut Outbox<HacNode>) {
        let own = self.accepted.map_or(Epoch::NONE, |reign| reign.epoch);
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        if self.changes.has(Change::TakeBack) && epoch > own && epoch.counter < u64::MAX {
            let mut table = std::mem::take(serving);
            table.round = 0;
            self.open(table, epoch.counter, now, out, None);
        }
    }

    /// Closes the table under the number that it has now.
    fn close_table(&mut self, out: &mut Outbox<HacNode>) {
        let Phase::Serving(serving) = &self.phase else {
            return;
        };
        self.known.reign = self.accepted;
        self.known.round = serving.round;
        serving.write_entries(&mut self.known.entries);
        self.claim_table(out);
    }

    /// Sends the table, as it was last closed, to everyone whom a round's AS goes to.
    fn send_table_to_all(&self, out: &mut Outbox<HacNode>) {
        let probes = self.changes.has(Change::Probe);
        let reached = |entry: &&Entry| entry.addr != self.me && (probes || entry.status == Status::Alive);
        self.send_packets(out, || {
            self.known.entries.iter().filter(reached).map(|entry| entry.addr)
        });
    }

    /// Sends the table, as it was last closed, to one node.
    fn send_table(&self, to: SocketAddrV4, out: &mut Outbox<HacNode>) {
        self.send_packets(out, || std::iter::once(to));
    }

    fn send_packets<I: Iterator<Item = SocketAddrV4>>(&self, out: &mut Outbox<HacNode>, to: impl Fn() -> I) {
        let head = self.head(Code::As);
        let each = entries_in(self.config.rules, self.config.mtu).max(1);
        let total = u16::try_from(self.known.entries.len()).unwrap_or(u16::MAX);
        for (part, entries) in split(&self.known.entries, each) {
            let payload = out.encode(|into| head.encode(part, total, entries, into));
            for addr in to() {
                out.send(self.me.port(), addr, payload);
            }
        }
    }
}

/// Says that a reign begins with a promotion.
struct Promotion;

impl Serving {
    /// A table that goes on with these entries, as far as there is room; nobody has been silent yet.
    fn with(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut serving = Serving::default();
        for Entry {
            id,
            addr,
            status,
            heard,
            ..
        } in entries
        {
            if serving.rows.len() >= MAX_ENTRIES {
                break;
            }
            // Somebody whom a later table did not name may have had an id that it gave to another.
            let is_taken = serving.rows.get(&id).is_some_and(|row| row.addr != addr);
            let id = if is_taken || id == NO_ID {
                serving.fresh_id()
            } else {
                id
            };
            serving.insert(
                id,
                Row {
                    addr,
                    status,
                    heard,
                    this_round: ThisRound::Silent,
                    silent: 0,
                },
            );
        }
        serving
    }

    /// Gives the server its own row: under its id if that is free, else under another.
    fn seat(&mut self, id: Option<u32>, addr: SocketAddrV4) -> u32 {
        let id = match (self.by_addr.get(&addr), id) {
            (Some(own), _) => *own,
            (None, Some(id)) if !self.rows.contains_key(&id) => id,
            _ => self.fresh_id(),
        };
        let heard = self.rows.get(&id).map_or(0, |row| row.heard);
        self.insert(
            id,
            Row {
                addr,
                status: Status::Alive,
                heard,
                this_round: ThisRound::Heard,
                silent: 0,
            },
        );
        id
    }

    /// The rule of the source: an id that the table knows is given back to whoever names it, else the counter gives the
    /// next one.
    fn grant_by_id(&mut self, claimed: Option<u32>, addr: SocketAddrV4) -> Granted {
        let Some(id) = claimed.filter(|id| self.rows.contains_key(id)) else {
            let id = self.counted_id();
            return self.admit(id, addr);
        };
        let Some(row) = self.rows.get_mut(&id) else {
            return Granted::Refused;
        };
        row.this_round = ThisRound::Heard;
        let before = std::mem::replace(&mut row.addr, addr);
        if before == addr {
            return Granted::Again(id);
        }
        self.forget_address(before, id);
        self.by_addr.insert(addr, id);
        Granted::Newly(id)
    }

    /// An address keeps its id; a newcomer keeps the one that it names unless another address has it.
    fn grant_by_address(&mut self, claimed: Option<u32>, addr: SocketAddrV4) -> Granted {
        if let Some(&id) = self.by_addr.get(&addr) {
            if let Some(row) = self.rows.get_mut(&id) {
                row.this_round = ThisRound::Heard;
            }
            return Granted::Again(id);
        }
        let id = claimed
            .filter(|id| !self.rows.contains_key(id))
            .unwrap_or_else(|| self.fresh_id());
        self.admit(id, addr)
    }

    /// Takes in somebody who has not spoken, under the id that is said to be its own if that is free. Returns the id; `None`
    /// when the address has one already, or the table is full.
    fn introduce(&mut self, id: Option<u32>, addr: SocketAddrV4) -> Option<u32> {
        if self.by_addr.contains_key(&addr) || self.rows.len() >= MAX_ENTRIES {
            return None;
        }
        let id = id
            .filter(|id| !self.rows.contains_key(id))
            .unwrap_or_else(|| self.fresh_id());
        self.insert(
            id,
            Row {
                addr,
                status: Status::Dead,
                heard: 0,
                this_round: ThisRound::Silent,
                silent: 0,
            },
        );
        Some(id)
    }

    fn admit(&mut self, id: u32, addr: SocketAddrV4) -> Granted {
        if self.rows.len() >= MAX_ENTRIES {
            return Granted::Refused;
        }
        self.insert(
            id,
            Row {
                addr,
                status: Status::Alive,
                heard: 0,
                this_round: ThisRound::Heard,
                silent: 0,
            },
        );
        Granted::Newly(id)
    }

    fn insert(&mut self, id: u32, row: Row) {
        let addr = row.addr;
        if let Some(before) = self.rows.insert(id, row)
            && before.addr != addr
        {
            self.forget_address(before.addr, id);
        }
        self.by_addr.insert(addr, id);
    }

    /// Forgets that an id was given to an address, unless that has another since. There are no more addresses than rows.
    fn forget_address(&mut self, addr: SocketAddrV4, id: u32) {
        if self.by_addr.get(&addr) == Some(&id) {
            self.by_addr.remove(&addr);
        }
    }

    /// One above the highest id there is; the lowest free one when there is none above.
    fn fresh_id(&self) -> u32 {
        let highest = self.rows.last_key_value().map_or(0, |(id, _)| *id);
        match highest.checked_add(1) {
            Some(id) if id != NO_ID => id,
            _ => self.lowest_free(1),
        }
    }

    /// The next id that the counter of the source gives.
    fn counted_id(&mut self) -> u32 {
        self.next = self.lowest_free(self.next.saturating_add(1));
        self.next
    }

    /// The lowest free id from `from` on, or from 1 on when there is none. The table holds far fewer ids than there are.
    fn lowest_free(&self, from: u32) -> u32 {
        let mut id = from;
        for taken in self.rows.range(from..).map(|(taken, _)| *taken) {
            if taken != id {
                break;
            }
            id = id.saturating_add(1);
        }
        if id == NO_ID { self.lowest_free(1) } else { id }
    }

    fn end_round(&mut self, own: Option<u32>, misses: u32) {
        self.round = self.round.saturating_add(1);
        for (id, row) in &mut self.rows {
            if row.this_round == ThisRound::Heard || Some(*id) == own {
                row.status = Status::Alive;
                row.heard = row.heard.saturating_add(1);
                row.silent = 0;
            } else {
                row.silent = row.silent.saturating_add(1);
                if row.silent >= misses {
                    row.status = Status::Dead;
                }
            }
            row.this_round = ThisRound::Silent;
        }
    }

    fn write_entries(&self, into: &mut Vec<Entry>) {
        into.clear();
        into.extend(self.rows.iter().map(|(id, row)| Entry {
            id: *id,
            addr: row.addr,
            status: row.status,
            heard: row.heard,
            round: self.round,
        }));
    }

    /// Whom the table holds, by id.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.rows.iter().map(|(id, row)| (*id, row.addr))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(last: u8) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 7400)
    }

    fn table(rows: &[(u32, u8)]) -> Serving {
        Serving::with(rows.iter().map(|&(id, last)| restored(id, at(last))))
    }

    fn id(granted: Granted) -> (u32, &'static str) {
        match granted {
            Granted::Newly(id) => (id, "newly"),
            Granted::Again(id) => (id, "again"),
            Granted::Refused => (0, "refused"),
        }
    }

    #[test]
    fn by_the_source_a_known_id_goes_to_whoever_names_it() {
        let mut serving = table(&[(1, 1), (2, 2)]);
        assert_eq!(id(serving.grant_by_id(Some(2), at(2))), (2, "again"));
        assert_eq!(id(serving.grant_by_id(Some(2), at(9))), (2, "newly"));
        assert_eq!(id(serving.grant_by_id(Some(7), at(7))), (3, "newly"));
        assert_eq!(id(serving.grant_by_id(None, at(8))), (4, "newly"));
    }

    #[test]
    fn by_address_an_id_is_honoured_unless_another_address_has_it() {
        let mut serving = table(&[(1, 1), (2, 2)]);
        assert_eq!(id(serving.grant_by_address(Some(9), at(2))), (2, "again"));
        assert_eq!(id(serving.grant_by_address(Some(2), at(3))), (3, "newly"));
        assert_eq!(id(serving.grant_by_address(Some(8), at(4))), (8, "newly"));
        assert_eq!(id(serving.grant_by_address(None, at(5))), (9, "newly"));
    }

    #[test]
    fn who_is_introduced_is_held_for_dead_under_an_id_that_is_free() {
        let mut serving = table(&[(1, 1), (2, 2)]);
        assert_eq!(serving.introduce(Some(2), at(2)), None);
        assert_eq!(serving.introduce(Some(2), at(3)), Some(3));
        assert_eq!(serving.introduce(Some(7), at(4)), Some(7));
        assert_eq!(serving.introduce(None, at(5)), Some(8));
        assert_eq!(serving.rows[&7].status, Status::Dead);
        assert_eq!(id(serving.grant_by_address(Some(2), at(3))), (3, "again"));
        serving.end_round(Some(1), 7);
        assert_eq!(serving.rows[&3].status, Status::Alive);
    }

    #[test]
    fn of_two_who_were_known_by_one_id_the_later_gets_another() {
        let serving = table(&[(1, 1), (2, 2), (2, 3)]);
        assert_eq!(
            serving.names().collect::<Vec<_>>(),
            [(1, at(1)), (2, at(2)), (3, at(3))]
        );
    }

    #[test]
    fn ids_do_not_run_over() {
        let mut serving = table(&[(1, 1), (NO_ID - 1, 2)]);
        assert_eq!(id(serving.grant_by_address(None, at(3))), (2, "newly"));
        serving.next = NO_ID - 2;
        assert_eq!(serving.counted_id(), 3);
    }

    #[test]
    fn an_id_that_goes_from_address_to_address_leaves_no_trail() {
        let mut serving = table(&[(1, 1), (2, 2), (3, 3)]);
        for last in 4..=255 {
            assert_eq!(id(serving.grant_by_id(Some(2), at(last))), (2, "newly"));
            assert_eq!(serving.by_addr.len(), 3, "{last}");
        }
        // An address that has two ids goes by the one that it was given last.
        assert_eq!(id(serving.grant_by_id(Some(3), at(255))), (3, "newly"));
        assert_eq!(id(serving.grant_by_id(Some(2), at(9))), (2, "newly"));
        assert_eq!(serving.by_addr.get(&at(255)), Some(&3));
    }

    #[test]
    fn a_table_that_goes_on_with_too_many_takes_as_many_as_there_is_room_for() {
        let beyond = 1..=MAX_ENTRIES as u32 + 9;
        let serving = Serving::with(beyond.map(|id| restored(id, SocketAddrV4::new(Ipv4Addr::from(id), 1))));
        assert_eq!(
            (serving.rows.len(), serving.by_addr.len()),
            (MAX_ENTRIES, MAX_ENTRIES)
        );
    }

    #[test]
    fn a_full_table_refuses() {
        let mut serving = Serving::default();
        for id in 1..=MAX_ENTRIES as u32 {
            let addr = SocketAddrV4::new(Ipv4Addr::from(id), 1);
            assert!(matches!(serving.grant_by_address(None, addr), Granted::Newly(_)));
        }
        assert_eq!(id(serving.grant_by_address(None, at(1))), (0, "refused"));
        assert_eq!(id(serving.grant_by_id(None, at(1))), (0, "refused"));
    }

    #[test]
    fn a_node_is_dead_after_the_silent_rounds_that_it_is_given_and_alive_when_it_speaks() {
        let mut serving = table(&[(1, 1), (2, 2)]);
        serving.end_round(Some(1), 2);
        assert_eq!(serving.rows[&2].status, Status::Alive);
        serving.end_round(Some(1), 2);
        assert_eq!(
            (serving.rows[&2].status, serving.rows[&2].heard),
            (Status::Dead, 0)
        );
        serving.grant_by_address(Some(2), at(2));
        serving.end_round(Some(1), 2);
        assert_eq!(
            (serving.rows[&2].status, serving.rows[&2].heard),
            (Status::Alive, 1)
        );
        assert_eq!((serving.rows[&1].heard, serving.round), (3, 3));
    }
}
