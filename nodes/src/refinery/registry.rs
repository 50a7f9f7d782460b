//! Whom a master knows, and the tree in which they stand: rooted at the master, with at most so many below each.
//!
//! Nothing here knows of connections or packets. A node is *present* while it is connected to the master; one that is only
//! *remembered* was in the registry of the master before, and its place is kept for a while.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::wire::Row;
use crate::node::ConnId;
use crate::time::Time;

/// The registry of one reign.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    members: BTreeMap<String, Member>,
    by_conn: BTreeMap<ConnId, String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) address: SocketAddrV4,
    pub(super) kind: String,
    pub(super) parent: Parent,
    pub(super) presence: Presence,
    /// Somebody below it has lost it, and it has not been heard since.
    pub(super) is_doubted: bool,
}

/// Who is above a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// The master itself.
    Root,
    /// The node of this id.
    Member(String),
    /// The one that was is there no more, and the node has been given no other: it has been silent itself, or has not come yet.
    Nobody,
}

/// Whether a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is connected, and was heard last at this time.
    Here { conn: ConnId, heard: Time },
    /// It is expected until this time.
    Remembered { until: Time },
}

/// The place that a node is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) parent: Parent,
    /// The one that has to make room for it, by its id.
    pub(super) evicts: Option<String>,
}

/// What places are given by.
pub(super) struct Terms<'a> {
    /// How many may be below one.
    pub(super) fan_out: usize,
    /// Whether a node that was heard at this time has been silent for so long that it is nobody's upstream, and that its place may be
    /// given away.
    pub(super) is_stale: &'a dyn Fn(Time) -> bool,
    /// The one that the node has just lost.
    pub(super) avoid: Option<SocketAddrV4>,
    /// Whether a node may be put below one who is below it.
    pub(super) loops: Loops,
}

/// Whether the tree has to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loops {
    Never,
    /// For the sake of showing what comes of it.
    Allowed,
}

impl Registry {
    /// The registry of one who has followed another master at `was`: everyone is expected until a time.
    pub(super) fn remembering<'a>(
        rows: impl Iterator<Item = &'a Row>,
        was: SocketAddrV4,
        until: Time,
    ) -> Self {
        let rows: Vec<&Row> = rows.collect();
        let ids: BTreeMap<SocketAddrV4, &str> =
            rows.iter().map(|row| (row.address, row.id.as_str())).collect();
        let parent = |row: &Row| match ids.get(&row.upstream) {
            _ if row.upstream == was => Parent::Root,
            Some(id) => Parent::Member((*id).to_owned()),
            None => Parent::Nobody,
        };
        let member = |row: &&Row| {
            let member = Member {
                address: row.address,
                kind: row.kind.clone(),
                parent: parent(row),
                presence: Presence::Remembered { until },
                is_doubted: false,
            };
            (row.id.clone(), member)
        };
        Registry {
            members: rows.iter().map(member).collect(),
            by_conn: BTreeMap::new(),
        }
    }

    /// A node.
    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// The id of the node on a connection.
    pub(super) fn id(&self, conn: ConnId) -> Option<&str> {
        self.by_conn.get(&conn).map(String::as_str)
    }

    /// The connection of a node that is there.
    pub(super) fn conn(&self, id: &str) -> Option<ConnId> {
        match self.members.get(id)?.presence {
            Presence::Here { conn, .. } => Some(conn),
            Presence::Remembered { .. } => None,
        }
    }

    /// Everyone, by id.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members.iter().map(|(id, member)| (id.as_str(), member))
    }

    /// How many are there.
    pub(super) fn present(&self) -> usize {
        self.by_conn.len()
    }

    /// A node is there, in the place that it is given, on a connection in place of the one it had.
    pub(super) fn enlist(
        &mut self,
        id: &str,
        address: SocketAddrV4,
        kind: &str,
        parent: Parent,
        conn: ConnId,
        now: Time,
    ) {
        if let Some(before) = self.conn(id) {
            self.by_conn.remove(&before);
        }
        self.by_conn.insert(conn, id.to_owned());
        let member = Member {
            address,
            kind: kind.to_owned(),
            parent,
            presence: Presence::Here { conn, heard: now },
            is_doubted: false,
        };
        self.members.insert(id.to_owned(), member);
    }

    /// Whether a node is there and was heard lately.
    pub(super) fn is_heard(&self, id: &str, terms: &Terms<'_>) -> bool {
        let member = self.members.get(id);
        member.is_some_and(
            |member| matches!(member.presence, Presence::Here { heard, .. } if !(terms.is_stale)(heard)),
        )
    }

    /// A node was heard.
    pub(super) fn hear(&mut self, id: &str, now: Time) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.is_doubted = false;
        if let Presence::Here { heard, .. } = &mut member.presence {
            *heard = now;
        }
    }

    /// Somebody has lost the node at an address.
    pub(super) fn doubt(&mut self, address: SocketAddrV4) {
        let own = self
            .members
            .values_mut()
            .filter(|member| member.address == address);
        for member in own {
            member.is_doubted = true;
        }
    }

    /// A node has another place.
    pub(super) fn move_to(&mut self, id: &str, parent: Parent) {
        if let Some(member) = self.members.get_mut(id) {
            member.parent = parent;
        }
    }

    /// Those directly below a node.
    pub(super) fn below(&self, id: &str) -> Vec<String> {
        let is_below = |member: &Member| matches!(&member.parent, Parent::Member(above) if above == id);
        let below = self.members.iter().filter(|(_, member)| is_below(member));
        below.map(|(id, _)| id.clone()).collect()
    }

    /// A node is there no more. Returns those below it, who have nobody above them now and need another place.
    pub(super) fn strike_off(&mut self, id: &str) -> Option<(Member, Vec<String>)> {
        let member = self.members.remove(id)?;
        if let Presence::Here { conn, .. } = member.presence {
            self.by_conn.remove(&conn);
        }
        let above = Parent::Member(id.to_owned());
        let mut orphans = Vec::new();
        for (own, orphan) in self
            .members
            .iter_mut()
            .filter(|(_, member)| member.parent == above)
        {
            orphan.parent = Parent::Nobody;
            orphans.push(own.clone());
        }
        Some((member, orphans))
    }

    /// Those who have not come until they were expected no more.
    pub(super) fn overdue(&self, now: Time) -> Vec<String> {
        let is_overdue =
            |member: &Member| matches!(member.presence, Presence::Remembered { until } if until <= now);
        let overdue = self.members.iter().filter(|(_, member)| is_overdue(member));
        overdue.map(|(id, _)| id.clone()).collect()
    }

    /// Where a node finds its upstream, if the master is at `root`, who stands for the one that it does not have yet.
    pub(super) fn upstream(&self, parent: &Parent, root: SocketAddrV4) -> SocketAddrV4 {
        match parent {
            Parent::Root | Parent::Nobody => root,
            Parent::Member(id) => self.members.get(id).map_or(root, |member| member.address),
        }
    }

    /// The place that the registry has kept for a node, where that is still one.
    pub(super) fn kept(&self, id: &str, terms: &Terms<'_>) -> Option<Parent> {
        let parent = &self.members.get(id)?.parent;
        let is_good = match parent {
            // Another than the one that is coming may have taken the place.
            Parent::Root => {
                let below = |(own, member): &(&String, &Member)| *own != id && member.parent == Parent::Root;
                self.members.iter().filter(below).count() < terms.fan_out
            }
            Parent::Member(above) => {
                let member = self.members.get(above)?;
                !member.is_doubted && Some(member.address) != terms.avoid && self.depth(above, id).is_some()
            }
            Parent::Nobody => false,
        };
        is_good.then(|| parent.clone())
    }

    /// A place for a node: as near to the root as there is one, and there under the lowest id. It is never below the node itself, nor
    /// below who is silent or doubted, unless there is no other. Nobody has to make room for it but the silent one that it has lost; or
    /// another silent one, where everybody who is heard has as many below it as it may.
    pub(super) fn place(&self, id: &str, terms: &Terms<'_>) -> Place {
        let rows = self.rows(id, terms);
        let at = |parent, evicts| Place { parent, evicts };
        if rows.has_room(None) {
            return at(Parent::Root, None);
        }
        if let Some((lost, member)) = self.silent_at(terms)
            && self.is_good(&member.parent, id, terms)
        {
            return at(member.parent.clone(), Some(lost.to_owned()));
        }
        let good = self.members.iter();
        let good =
            good.filter_map(|(above, member)| Some((self.good_depth(above, member, id, terms)?, above)));
        let mut good: Vec<(usize, &String)> = good.collect();
        good.sort_unstable();
        if let Some((_, above)) = good.iter().find(|(_, above)| rows.has_room(Some(above))) {
            return at(Parent::Member((*above).clone()), None);
        }
        if let Some(evicted) = rows.stalest(None) {
            return at(Parent::Root, Some(evicted));
        }
        let mut evictions = good
            .iter()
            .filter_map(|(_, above)| Some((above, rows.stalest(Some(above))?)));
        if let Some((above, evicted)) = evictions.next() {
            return at(Parent::Member((*above).clone()), Some(evicted));
        }
        // Where nobody has room it stays where it is, or comes in below the master all the same.
        let parent = self.members.get(id).map(|member| &member.parent);
        let stays = parent.filter(|parent| match parent {
            Parent::Member(above) => self.depth(above, id).is_some(),
            Parent::Root | Parent::Nobody => false,
        });
        at(stays.cloned().unwrap_or(Parent::Root), None)
    }

    /// Who is below whom but for one node, those who have a place.
    fn rows<'a>(&'a self, but: &str, terms: &Terms<'_>) -> Rows<'a> {
        let mut below = BTreeMap::<Option<&str>, (usize, Stalest<'_>)>::new();
        for (own, member) in self.members.iter().filter(|(own, _)| *own != but) {
            let above = match &member.parent {
                Parent::Root => None,
                Parent::Member(above) => Some(above.as_str()),
                Parent::Nobody => continue,
            };
            let (count, stalest) = below.entry(above).or_default();
            *count += 1;
            if let Presence::Here { heard, .. } = member.presence
                && (terms.is_stale)(heard)
            {
                let own = (heard, own.as_str());
                *stalest = Some(stalest.map_or(own, |other| other.min(own)));
            }
        }
        Rows {
            below,
            fan_out: terms.fan_out,
        }
    }

    /// Whether a node may be put where another stands, as far as it hangs on who is above that.
    fn is_good(&self, parent: &Parent, id: &str, terms: &Terms<'_>) -> bool {
        match parent {
            Parent::Root => true,
            Parent::Member(above) => {
                let member = self.members.get(above);
                member.is_some_and(|member| self.good_depth(above, member, id, terms).is_some())
            }
            Parent::Nobody => false,
        }
    }

    /// How many steps it is to the root from a member below whom a node may be put; `None` where it may not.
    fn good_depth(&self, above: &str, member: &Member, id: &str, terms: &Terms<'_>) -> Option<usize> {
        let is_good = self.is_heard(above, terms)
            && !member.is_doubted
            && Some(member.address) != terms.avoid
            && above != id;
        let by_way_of = match terms.loops {
            Loops::Never => id,
            Loops::Allowed => "",
        };
        is_good.then(|| self.depth(above, by_way_of))?
    }

    /// The one that a node has lost, if the master hears nothing of it either.
    fn silent_at(&self, terms: &Terms<'_>) -> Option<(&str, &Member)> {
        let is_silent = |member: &Member| match member.presence {
            Presence::Here { heard, .. } => (terms.is_stale)(heard),
            Presence::Remembered { .. } => false,
        };
        let mut lost = self
            .members
            .iter()
            .filter(|(_, member)| Some(member.address) == terms.avoid && is_silent(member));
        lost.next().map(|(id, member)| (id.as_str(), member))
    }

    /// How many steps it is from a node to the root; `None` when it does not get there, or only by way of another.
    fn depth(&self, of: &str, by_way_of: &str) -> Option<usize> {
        let mut at = of;
        for depth in 1..=self.members.len() {
            if at == by_way_of {
                return None;
            }
            match &self.members.get(at)?.parent {
                Parent::Root => return Some(depth),
                Parent::Member(above) => at = above,
                Parent::Nobody => return None,
            }
        }
        None
    }
}

/// Who is below whom: by the id of who is above, the master's being none, how many there are and who of them has been silent for longest.
struct Rows<'a> {
    below: BTreeMap<Option<&'a str>, (usize, Stalest<'a>)>,
    fan_out: usize,
}

/// Since when somebody has been silent, and who.
type Stalest<'a> = Option<(Time, &'a str)>;

impl Rows<'_> {
    fn has_room(&self, above: Option<&str>) -> bool {
        let count = self.below.get(&above).map_or(0, |(count, _)| *count);
        count < self.fan_out
    }

    fn stalest(&self, above: Option<&str>) -> Option<String> {
        let (_, stalest) = self.below.get(&above)?;
        stalest.map(|(_, id)| id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Span;

    fn address(last: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, (last >> 8) as u8, last as u8), 7500)
    }

    fn terms(is_stale: &dyn Fn(Time) -> bool) -> Terms<'_> {
        Terms {
            fan_out: 2,
            is_stale,
            avoid: None,
            loops: Loops::Never,
        }
    }

    fn never(_: Time) -> bool {
        false
    }

    /// Lets a node in as a master does; strikes off who has to make room.
    fn join(registry: &mut Registry, number: u16, now: Time, terms: &Terms<'_>) -> Place {
        let id = format!("n{number:03}");
        let place = registry.place(&id, terms);
        if let Some(evicted) = &place.evicts {
            registry.strike_off(evicted);
        }
        let conn = ConnId(u64::from(number));
        registry.enlist(&id, address(number), "crusher", place.parent.clone(), conn, now);
        place
    }

    #[test]
    fn places_are_given_from_the_root_down() {
        let mut registry = Registry::default();
        let places: Vec<Parent> = (1..=7)
            .map(|number| join(&mut registry, number, Time::ZERO, &terms(&never)).parent)
            .collect();
        let below = |id: &str| Parent::Member(id.to_owned());
        assert_eq!(
            places,
            [
                Parent::Root,
                Parent::Root,
                below("n001"),
                below("n001"),
                below("n002"),
                below("n002"),
                below("n003")
            ]
        );
        let (member, orphans) = registry.strike_off("n001").expect("it is there");
        assert_eq!(
            (member.address, orphans),
            (address(1), vec!["n003".to_owned(), "n004".to_owned()])
        );
        // The first of them takes the place that has become free, and the second is not put below the first's own.
        for (id, parent) in [("n003", Parent::Root), ("n004", below("n003"))] {
            let place = registry.place(id, &terms(&never));
            assert_eq!(place.parent, parent);
            registry.move_to(id, place.parent);
        }
    }

    #[test]
    fn the_place_of_one_who_is_silent_is_given_to_who_has_lost_it_and_nobody_is_put_below_it() {
        let mut registry = Registry::default();
        let late = Time::ZERO + Span::from_secs(9);
        let stale = |heard: Time| heard < late;
        for number in 1..=4 {
            join(&mut registry, number, Time::ZERO, &terms(&never));
        }
        for id in ["n002", "n003", "n004"] {
            registry.hear(id, late);
        }
        let below = |id: &str| Parent::Member(id.to_owned());
        // Who comes has another place.
        let place = join(&mut registry, 5, late, &terms(&stale));
        assert_eq!((place.parent, place.evicts), (below("n002"), None));
        let lost = Terms {
            avoid: Some(address(1)),
            ..terms(&stale)
        };
        let place = registry.place("n003", &lost);
        assert_eq!(
            (place.parent, place.evicts.as_deref()),
            (Parent::Root, Some("n001"))
        );
    }

    #[test]
    fn one_who_is_silent_makes_room_for_another_where_nobody_who_is_heard_has_any() {
        let mut registry = Registry::default();
        let late = Time::ZERO + Span::from_secs(9);
        let stale = |heard: Time| heard < late;
        for number in 1..=2 {
            join(&mut registry, number, Time::ZERO, &terms(&never));
        }
        let place = join(&mut registry, 3, late, &terms(&stale));
        assert_eq!(
            (place.parent, place.evicts.as_deref()),
            (Parent::Root, Some("n001"))
        );
        // There is somebody now.
        let place = join(&mut registry, 4, late, &terms(&stale));
        assert_eq!(
            (place.parent, place.evicts),
            (Parent::Member("n003".to_owned()), None)
        );
    }

    #[test]
    fn those_below_one_who_is_gone_have_nobody_above_them_until_they_are_given_a_place() {
        let mut registry = Registry::default();
        for number in 1..=6 {
            join(&mut registry, number, Time::ZERO, &terms(&never));
        }
        let (_, orphans) = registry.strike_off("n001").expect("it is there");
        assert_eq!(orphans, ["n003", "n004"]);
        let parent = |id: &str| registry.member(id).map(|member| member.parent.clone());
        assert_eq!(parent("n003"), Some(Parent::Nobody));
        assert_eq!(registry.kept("n003", &terms(&never)), None);
        // Nobody is put below them meanwhile.
        assert_eq!(registry.place("n007", &terms(&never)).parent, Parent::Root);
        join(&mut registry, 7, Time::ZERO, &terms(&never));
        assert_eq!(
            registry.place("n008", &terms(&never)).parent,
            Parent::Member("n007".to_owned())
        );
    }

    #[test]
    fn who_has_lost_an_upstream_is_not_given_it_again_nor_one_below_itself() {
        let mut registry = Registry::default();
        for number in 1..=5 {
            join(&mut registry, number, Time::ZERO, &terms(&never));
        }
        registry.doubt(address(1));
        let lost = Terms {
            avoid: Some(address(1)),
            ..terms(&never)
        };
        assert_eq!(
            registry.place("n003", &lost).parent,
            Parent::Member("n002".to_owned())
        );
        registry.move_to("n003", Parent::Member("n002".to_owned()));
        // n002 is full now, and n004 is below n001.
        assert_eq!(
            registry.place("n004", &lost).parent,
            Parent::Member("n003".to_owned())
        );
        // With everyone else below it, the master alone is left, who is full: it stays.
        registry.doubt(address(2));
        assert_eq!(registry.place("n001", &terms(&never)).parent, Parent::Root);
    }

    #[test]
    fn what_was_remembered_is_a_place_until_it_is_overdue() {
        let row = |number: u16, upstream: SocketAddrV4| Row {
            id: format!("n{number:03}"),
            address: address(number),
            kind: "crusher".to_owned(),
            upstream,
        };
        let (old, until) = (address(100), Time::ZERO + Span::from_secs(1));
        let rows = [row(1, old), row(2, address(1)), row(3, address(77))];
        let mut registry = Registry::remembering(rows.iter(), old, until);
        let kept = |registry: &Registry, id: &str| registry.kept(id, &terms(&never));
        assert_eq!(kept(&registry, "n002"), Some(Parent::Member("n001".to_owned())));
        assert_eq!(kept(&registry, "n001"), Some(Parent::Root));
        // The one that was above it is not known.
        assert_eq!(kept(&registry, "n003"), None);
        assert_eq!(kept(&registry, "n004"), None);
        registry.enlist(
            "n002",
            address(2),
            "crusher",
            Parent::Member("n001".to_owned()),
            ConnId(2),
            Time::ZERO,
        );
        assert_eq!(registry.overdue(until), ["n001", "n003"]);
        assert_eq!(registry.present(), 1);
    }

    proptest! {
        /// Whatever comes and goes, who is there stands in a tree, and nobody has more below it than it may.
        #[test]
        fn the_tree_stays_a_tree(deeds in prop::collection::vec((0..4u8, 1..30u16), 1..200)) {
            let mut registry = Registry::default();
            for (deed, number) in deeds {
                let id = format!("n{number:03}");
                match deed {
                    0 | 1 if registry.member(&id).is_none() => {
                        join(&mut registry, number, Time::ZERO, &terms(&never));
                    }
                    2 => {
                        for orphan in registry.strike_off(&id).map_or(Vec::new(), |(_, orphans)| orphans) {
                            let place = registry.place(&orphan, &terms(&never));
                            registry.move_to(&orphan, place.parent);
                        }
                    }
                    _ => {
                        registry.doubt(address(number));
                        registry.hear(&id, Time::ZERO);
                    }
                }
                let mut below = BTreeMap::<String, usize>::new();
                for (id, member) in registry.members() {
                    prop_assert!(registry.depth(id, "").is_some(), "{id} does not get to the root");
                    let above = match &member.parent {
                        Parent::Root => String::new(),
                        Parent::Member(above) => above.clone(),
                        // It does not get to the root.
                        Parent::Nobody => continue,
                    };
                    *below.entry(above).or_default() += 1;
                }
                prop_assert!(below.values().all(|count| *count <= 2), "{below:?}");
            }
        }
    }
}
