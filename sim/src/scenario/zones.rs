//! Zones: which hosts are in which, and what the links between them are like.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use squall_nodes::HostId;

use super::cast::Known;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::laws::{LawBook, Laws, PARTS};
use super::names::zone_name;
use super::places::{Item, Shape};
use crate::plan::{LinkLaw, Zones};

/// The zones that the hosts of a file are in.
#[derive(Default)]
pub(super) struct ZonesOfHosts {
    by_name: BTreeMap<String, u32>,
    names: Vec<String>,
    /// Where each is written first.
    places: Vec<Range<usize>>,
    /// How many hosts are in each.
    hosts: Vec<usize>,
    /// The zone of each host, by [`HostId`].
    of: Vec<Option<u32>>,
}

impl ZonesOfHosts {
    /// Reads the zone that an entry of the hosts is in.
    pub(super) fn read(&mut self, desk: &mut Desk<'_>, item: &Item) -> Option<u32> {
        let written = desk.text(item, "a zone's name")?;
        if let Err((message, hint)) = zone_name(&written) {
            desk.complain(item.span.clone(), message, Some(hint));
            return None;
        }
        let next = self.names.len() as u32;
        Some(*self.by_name.entry(written).or_insert_with_key(|name| {
            self.names.push(name.clone());
            self.places.push(item.span.clone());
            self.hosts.push(0);
            next
        }))
    }

    /// Puts the next host in a zone, or in none.
    pub(super) fn place(&mut self, zone: Option<u32>) {
        if let Some(zone) = zone {
            self.hosts[zone as usize] += 1;
        }
        self.of.push(zone);
    }

    /// The zone of a host.
    pub(super) fn of(&self, host: HostId) -> Option<u32> {
        self.of.get(host.index()).copied().flatten()
    }

    /// Reads `zones` of the network: the laws between zones and inside them, each laid over those before it. What is not known
    /// is only complained about where all hosts are.
    pub(super) fn laws<'f>(
        &self,
        desk: &mut Desk<'f>,
        item: Option<&'f Item>,
        hosts: Known,
        laws: &mut Laws,
        book: &mut LawBook,
    ) -> BTreeMap<(u32, u32), usize> {
        let before = desk.count();
        let mut by_zones = BTreeMap::new();
        let mut told = vec![false; self.names.len()];
        for item in item.map_or(&[][..], |item| desk.filled_list(item, "links between zones")) {
            let known: Vec<&str> = ["from", "to", "between", "within"]
                .into_iter()
                .chain(PARTS)
                .collect();
            let Some(fields) = desk.fields(item, "a link between zones", &known) else {
                continue;
            };
            let change = laws.change(desk, &fields);
            laws.says_something(desk, &fields);
            let Some((from, to)) = self.ends(desk, &fields, hosts) else {
                continue;
            };
            if !laws.spend(desk, desk.point(item), from.len(), to.len()) {
                continue;
            }
            let mut over = book.over(change);
            for (from, to) in pairs(&from, &to) {
                let below = by_zones.get(&(from, to)).copied().unwrap_or(LawBook::DEFAULT);
                by_zones.insert((from, to), over.law(below));
                told[from as usize] = true;
                told[to as usize] = true;
            }
        }
        if desk.count() == before && hosts == Known::InFull {
            for zone in (0..told.len()).filter(|zone| !told[*zone]) {
                let message = format!("the network says nothing of the zone `{}`", self.names[zone]);
                let hint = "name it in `zones: […]` of `network`, or take it away".to_owned();
                desk.complain(self.places[zone].clone(), message, Some(hint));
            }
        }
        by_zones
    }

    /// The zones as a plan has them.
    pub(super) fn planned(&self, laws: BTreeMap<(u32, u32), Arc<LinkLaw>>) -> Zones {
        if self.names.is_empty() {
            return Zones::default();
        }
        Zones {
            names: self.names.clone(),
            of: self.of.clone(),
            laws: laws.into_iter().collect(),
        }
    }

    /// From which zones to which an entry leads: one to one, among several, or inside one.
    fn ends<'f>(
        &self,
        desk: &mut Desk<'f>,
        fields: &Fields<'f>,
        hosts: Known,
    ) -> Option<(Vec<u32>, Vec<u32>)> {
        let [from, to, between, within] = ["from", "to", "between", "within"].map(|name| fields.get(name));
        match (from.or(to), between, within) {
            (Some(_), None, None) => {
                let from = desk.required(fields, "from", "\"eu\"");
                let to = desk.required(fields, "to", "\"us\"");
                let from = from.and_then(|item| self.named(desk, item, hosts));
                let to = to.and_then(|item| self.named(desk, item, hosts));
                let (from, to) = (from?, to?);
                (from != to || self.has_links(desk, fields, from)).then(|| (vec![from], vec![to]))
            }
            (None, Some(item), None) => {
                let zones = self.several(desk, item, hosts)?;
                Some((zones.clone(), zones))
            }
            (None, None, Some(item)) => {
                let zone = self.named(desk, item, hosts)?;
                self.has_links(desk, fields, zone)
                    .then(|| (vec![zone], vec![zone]))
            }
            _ => {
                let hint = "`from: \"eu\", to: \"us\"`, or `between: [\"eu\", \"us\"]`, or `within: \"eu\"`"
                    .to_owned();
                let span = desk.point(fields.item);
                desk.complain(
                    span,
                    "a link between zones says in one way which zones",
                    Some(hint),
                );
                None
            }
        }
    }

    /// Two zones or more.
    fn several<'f>(&self, desk: &mut Desk<'f>, item: &'f Item, hosts: Known) -> Option<Vec<u32>> {
        let items = desk.list(item, "zones");
        if items.len() < 2 && matches!(item.shape, Shape::List(_)) {
            let hint =
                "such as `between: [\"eu\", \"us\"]`; inside one zone it is `within: \"eu\"`".to_owned();
            desk.complain(item.span.clone(), "`between` names two zones or more", Some(hint));
            return None;
        }
        let mut zones: Vec<u32> = Vec::new();
        for item in items {
            zones.push(self.named(desk, item, hosts)?);
        }
        let mut sorted = zones.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("`{}` is named twice", self.names[pair[0] as usize]);
            desk.complain(item.span.clone(), message, None);
            return None;
        }
        (!zones.is_empty()).then_some(zones)
    }

    /// Whether a zone has a link inside it; complains when it has not.
    fn has_links(&self, desk: &mut Desk<'_>, fields: &Fields<'_>, zone: u32) -> bool {
        let has = self.hosts[zone as usize] > 1;
        if !has {
            let hint = "only one host is in it".to_owned();
            let message = format!("the zone `{}` has no link inside", self.names[zone as usize]);
            desk.complain(desk.point(fields.item), message, Some(hint));
        }
        has
    }

    fn named(&self, desk: &mut Desk<'_>, item: &Item, hosts: Known) -> Option<u32> {
        let written = desk.text(item, "a zone's name")?;
        let found = self.by_name.get(&written).copied();
        if found.is_none() && hosts == Known::InFull {
            let hint = match self.names.as_slice() {
                [] => Some("a host says which it is in: `(name: \"a\", role: …, zone: \"eu\")`".to_owned()),
                // Looking for a name among thousands takes time, and nobody reads hundreds of hints.
                names if !desk.is_full() => did_you_mean(&written, names.iter().map(String::as_str)),
                _ => None,
            };
            let shown: String = written.chars().take(64).collect();
            desk.complain(item.span.clone(), format!("no host is in a zone `{shown}`"), hint);
        }
        found
    }
}

/// Each of some zones with each of others; of the same list twice, each with every other one.
fn pairs(from: &[u32], to: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let among = from.len() > 1;
    from.iter()
        .flat_map(move |from| to.iter().map(move |to| (*from, *to)))
        .filter(move |(from, to)| !among || from != to)
}
