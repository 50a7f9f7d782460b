//! What is done to the world, as files write it.

use squall_nodes::{Crash, Span};

use super::cast::{Actor, Cast, drift_ppm, host_of};
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::latencies::within_run;
use super::laws::{Laws, PARTS};
use super::places::{Item, Shape};
use super::triggers::SHORTEST_INTERVAL;
use crate::plan::{CutPlan, DiskOnRestart, Fault, Layer, Target};

/// Every fault there is, as files write it.
pub(super) const FAULTS: &[&str] = &[
    "Kill",
    "PowerCut",
    "Restart",
    "Wipe",
    "Pause",
    "Resume",
    "Jump",
    "Partition",
    "OneWay",
    "Bridge",
    "Ring",
    "Flap",
    "Link",
    "Slow",
    "SlowDisk",
    "FailingDisk",
    "Drift",
    "Heal",
    "HealAll",
];

/// The name by which files write a kind of fault.
pub(super) fn written_as(kind: &str) -> &'static str {
    let found = FAULTS.iter().find(|name| kind_of(name) == Some(kind));
    found.copied().unwrap_or("fault")
}

/// The kind of fault that files write by a name; none of `Wipe`, which is a restart with another disk.
pub(super) fn kind_of(name: &str) -> Option<&'static str> {
    let snake: String = name
        .char_indices()
        .flat_map(|(at, c)| {
            let gap = (at > 0 && c.is_ascii_uppercase()).then_some('_');
            gap.into_iter().chain([c.to_ascii_lowercase()])
        })
        .collect();
    let is_written = FAULTS.contains(&name);
    Fault::KINDS
        .iter()
        .copied()
        .find(|kind| is_written && *kind == snake)
}

/// Reads faults, for hosts and links that there are.
pub(super) struct Faults<'r> {
    cast: &'r mut Cast,
    laws: &'r mut Laws,
    actor: Actor,
    limit: Span,
}

impl<'r> Faults<'r> {
    pub(super) fn new(cast: &'r mut Cast, laws: &'r mut Laws, actor: Actor, limit: Span) -> Self {
        Faults {
            cast,
            laws,
            actor,
            limit,
        }
    }

    /// Reads a fault; none after a complaint.
    pub(super) fn read<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Fault> {
        let name = desk.head(item).unwrap_or_default();
        match (name, &item.shape) {
            ("HealAll", Shape::Word) => Some(Fault::HealAll),
            ("HealAll", Shape::Tuple(parts)) if parts.is_empty() => Some(Fault::HealAll),
            ("Heal", Shape::Tuple(parts)) if parts.len() == 1 => self.heal(desk, &parts[0]),
            ("Kill" | "PowerCut" | "Restart" | "Wipe" | "Pause" | "Resume", Shape::Tuple(parts))
                if parts.len() == 1 =>
            {
                let who = self.targets(desk, &parts[0]);
                Some(match name {
                    "Kill" => Fault::Crash(Crash::Kill, who),
                    "PowerCut" => Fault::Crash(Crash::PowerCut, who),
                    "Restart" => Fault::Restart {
                        who,
                        disk: DiskOnRestart::Kept,
                    },
                    "Wipe" => Fault::Restart {
                        who,
                        disk: DiskOnRestart::Wiped,
                    },
                    "Pause" => Fault::Pause(who),
                    _ => Fault::Resume(who),
                })
            }
            ("Restart", Shape::Tuple(parts)) if parts.len() == 2 && parts[1].shape == Shape::Word => {
                let who = self.targets(desk, &parts[0]);
                let disk = disk_on_restart(desk, &parts[1])?;
                Some(Fault::Restart { who, disk })
            }
            ("Jump", Shape::Struct(_)) => {
                let fields = desk.fields(item, "`Jump`", &["who", "by"])?;
                let who = self.who(desk, &fields);
                let by = desk.required(&fields, "by", "\"2s\"");
                let by =
                    by.and_then(|item| more_than_nothing(desk, item, "a clock that jumps by nothing stays"));
                Some(Fault::Jump { who: who?, by: by? })
            }
            _ => match self.layer(desk, item) {
                Some(layer) => layer.map(Fault::Lay),
                None => {
                    unreadable(desk, item, name);
                    None
                }
            },
        }
    }

    fn heal<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Fault> {
        if let Some(layer) = self.layer(desk, item) {
            return layer.map(Fault::Heal);
        }
        let name = desk.head(item).unwrap_or_default();
        if LAYERS.iter().any(|(layer, _)| *layer == name) {
            unreadable(desk, item, name);
            return None;
        }
        let hint = match name {
            "Kill" | "PowerCut" => "what undoes it is `Restart(\"a\")`",
            "Pause" => "what undoes it is `Resume(\"a\")`",
            _ => "`Heal(Partition(…))`, or another fault that lasts, with what was laid; or `HealAll`",
        };
        desk.complain(
            item.span.clone(),
            "this is not a fault that lasts until it is healed",
            Some(hint.to_owned()),
        );
        None
    }

    /// Reads a fault that lasts: `None` when the value is none at all, `Some(None)` after a complaint.
    fn layer<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Option<Layer>> {
        if let Some(cut) = self.cut(desk, item) {
            return Some(cut.map(Layer::Cut));
        }
        let Shape::Struct(_) = item.shape else {
            return None;
        };
        Some(match desk.head(item)? {
            "Flap" => self.flap(desk, item),
            "Link" => self.link(desk, item),
            "Slow" => self
                .lasting(desk, item, "Slow")
                .map(|(who, by)| Layer::Slow { who, by }),
            "SlowDisk" => self
                .lasting(desk, item, "SlowDisk")
                .map(|(who, by)| Layer::SlowDisk { who, by }),
            "FailingDisk" => self.failing_disk(desk, item),
            "Drift" => self.drift(desk, item),
            _ => return None,
        })
    }

    fn flap<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Layer> {
        let fields = desk.fields(item, "`Flap`", &["cut", "down", "up"])?;
        let cut = desk
            .required(&fields, "cut", "Partition([[\"a\"]])")
            .and_then(|item| match self.cut(desk, item) {
                Some(cut) => cut,
                None => {
                    let name = desk.head(item).unwrap_or_default();
                    if CUTS.contains(&name) {
                        unreadable(desk, item, name);
                    } else {
                        let hint = match LAYERS.iter().any(|(layer, _)| *layer == name) {
                            true => Some(format!(
                                "the cuts are {}; a `{name}` comes and goes by an `Every` that lays it and an `Every` that heals it",
                                CUTS.map(|cut| format!("`{cut}`")).join(", ")
                            )),
                            false => did_you_mean(name, CUTS.iter().copied()),
                        };
                        desk.complain(desk.point(item), "only a cut can flap", hint);
                    }
                    None
                }
            });
        let mut length = |name| {
            let item = desk.required(&fields, name, "\"300ms\"")?;
            let span = desk.span(item)?;
            if span < SHORTEST_INTERVAL {
                let hint = format!("the shortest is {SHORTEST_INTERVAL}");
                desk.complain(item.span.clone(), format!("`{name}` is too short"), Some(hint));
                return None;
            }
            within_run(desk, item, span, self.limit).then_some(span)
        };
        let (down, up) = (length("down"), length("up"));
        Some(Layer::Flap {
            cut: cut?,
            down: down?,
            up: up?,
        })
    }

    fn link<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Layer> {
        let before = desk.count();
        let known: Vec<&str> = ["from", "to"].into_iter().chain(PARTS).collect();
        let fields = desk.fields(item, "`Link`", &known)?;
        let change = self.laws.change(desk, &fields);
        self.laws.says_something(desk, &fields);
        let mut end = |name| {
            let item = desk.required(&fields, name, "\"a\"")?;
            Some(self.sorted(desk, item))
        };
        let (from, to) = (end("from"), end("to"));
        let (from, to) = (from?, to?);
        if from == to && from.len() == 1 {
            let hint = "for what a host sends to itself, `network` and `zones` speak".to_owned();
            desk.complain(
                desk.point(item),
                "a link leads from a host to another",
                Some(hint),
            );
        }
        self.laws.spend(desk, desk.point(item), from.len(), to.len());
        (desk.count() == before).then_some(Layer::Links { from, to, change })
    }

    /// A fault over hosts that takes a length of time.
    fn lasting<'f>(
        &mut self,
        desk: &mut Desk<'f>,
        item: &'f Item,
        name: &str,
    ) -> Option<(Vec<Target>, Span)> {
        let fields = desk.fields(item, &format!("`{name}`"), &["who", "by"])?;
        let who = self.who(desk, &fields);
        let by = desk.required(&fields, "by", "\"20ms\"");
        let by = by.and_then(|item| {
            let by = more_than_nothing(desk, item, "what is slower by nothing is not slow")?;
            within_run(desk, item, by, self.limit).then_some(by)
        });
        Some((who?, by?))
    }

    fn failing_disk<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Layer> {
        let fields = desk.fields(item, "`FailingDisk`", &["who", "share"])?;
        let who = self.who(desk, &fields);
        let share = fields.get("share").map_or(Some(1.0), |item| {
            let share = desk.ratio(item)?;
            if share <= 0.0 {
                let hint = "the share of writes that fail; all of them when it is left out".to_owned();
                desk.complain(
                    item.span.clone(),
                    "a disk that never fails is not failing",
                    Some(hint),
                );
            }
            (share > 0.0).then_some(share)
        });
        Some(Layer::FailingDisk {
            who: who?,
            share: share?,
        })
    }

    fn drift<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Layer> {
        let fields = desk.fields(item, "`Drift`", &["who", "ppm"])?;
        let who = self.who(desk, &fields);
        let ppm = desk.required(&fields, "ppm", "500").and_then(|item| {
            let ppm = drift_ppm(desk, item)?;
            if ppm == 0 {
                let hint = "fast where it is positive, slow where it is negative".to_owned();
                desk.complain(
                    item.span.clone(),
                    "a clock that drifts by nothing keeps its rate",
                    Some(hint),
                );
            }
            (ppm != 0).then_some(ppm)
        });
        Some(Layer::Drift { who: who?, ppm: ppm? })
    }

    /// Reads a cut: `None` when the value is none at all, `Some(None)` after a complaint.
    ///
    /// Equal cuts are equal in whatever order their hosts are written, so that one heals the other.
    fn cut<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<Option<CutPlan>> {
        let before = desk.count();
        let cut = match (desk.head(item)?, &item.shape) {
            ("Partition", Shape::Tuple(parts)) if parts.len() == 1 => self.partition(desk, item, &parts[0]),
            ("OneWay", Shape::Struct(_)) => self.one_way(desk, item),
            ("Bridge", Shape::Struct(_)) => self.bridge(desk, item),
            ("Ring", Shape::Tuple(parts)) if parts.len() == 1 => {
                let hosts = self.targets(desk, &parts[0]);
                self.ring(desk, item, hosts, 1)
            }
            ("Ring", Shape::Struct(_)) => {
                desk.fields(item, "`Ring`", &["hosts", "reach"])
                    .and_then(|fields| {
                        let hosts = desk.required(&fields, "hosts", "[\"a\", \"b\", \"c\", \"d\"]");
                        let hosts = hosts.map(|item| self.targets(desk, item));
                        let reach = fields
                            .get("reach")
                            .map_or(Some(1), |item| desk.whole(item, 1..=u64::from(u32::MAX)));
                        // Checked to fit by the bound above.
                        let reach = u32::try_from(reach?).ok()?;
                        self.ring(desk, item, hosts?, reach)
                    })
            }
            _ => return None,
        };
        Some(cut.filter(|_| desk.count() == before))
    }

    fn partition<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item, groups: &'f Item) -> Option<CutPlan> {
        let sides = self.sides(desk, groups, "groups");
        self.cast.once(desk, groups, &sides.concat());
        if let [all] = sides.as_slice()
            && self.is_everyone(all.len())
        {
            let hint = "hosts that no group names form one more; here, none is left".to_owned();
            desk.complain(item.span.clone(), "this cuts nothing", Some(hint));
        }
        Some(CutPlan::Partition(sides))
    }

    fn one_way<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<CutPlan> {
        let fields = desk.fields(item, "`OneWay`", &["from", "to"])?;
        let mut side = |name| {
            desk.required(&fields, name, "\"a\"")
                .map_or(Vec::new(), |item| self.sorted(desk, item))
        };
        let (from, to) = (side("from"), side("to"));
        if from == to && from.len() == 1 {
            let hint = "a host always reaches itself".to_owned();
            desk.complain(item.span.clone(), "this cuts nothing", Some(hint));
        }
        Some(CutPlan::OneWay { from, to })
    }

    fn bridge<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Option<CutPlan> {
        let fields = desk.fields(item, "`Bridge`", &["over", "sides"])?;
        let over = desk
            .required(&fields, "over", "\"c\"")
            .map_or(Vec::new(), |item| self.sorted(desk, item));
        let written = desk.required(&fields, "sides", "[[\"a\"], [\"b\"]]")?;
        let sides = self.sides(desk, written, "sides");
        let all = [over.as_slice(), &sides.concat()].concat();
        self.cast.once(desk, written, &all);
        if sides.len() == 1 && self.is_everyone(all.len()) {
            let hint = "hosts that nothing names form one more side; here, none is left".to_owned();
            desk.complain(item.span.clone(), "this cuts nothing", Some(hint));
        }
        Some(CutPlan::Bridge { over, sides })
    }

    fn ring(&self, desk: &mut Desk<'_>, item: &Item, hosts: Vec<Target>, reach: u32) -> Option<CutPlan> {
        let least = CutPlan::smallest_ring(reach);
        if !hosts.is_empty() && (hosts.len() as u64) < least {
            let hint = match reach {
                1 => "a ring has at least 4 hosts".to_owned(),
                _ => format!("where each reaches {reach} on either side, a ring has at least {least} hosts"),
            };
            let message = "in this ring, everyone reaches everyone";
            desk.complain(item.span.clone(), message, Some(hint));
        }
        Some(CutPlan::Ring { hosts, reach })
    }

    /// Lists of hosts, in an order of their own.
    fn sides<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item, what: &str) -> Vec<Vec<Target>> {
        let lists = desk.filled_list(item, what);
        if lists.iter().any(|list| list.shape == Shape::Text) {
            not_in_lists(desk, item, lists, what);
            return Vec::new();
        }
        let mut sides: Vec<Vec<Target>> = lists.iter().map(|item| self.sorted(desk, item)).collect();
        sides.sort_by(|a, b| a.iter().map(host_of).cmp(b.iter().map(host_of)));
        sides
    }

    /// Whether so many different hosts are all that there are.
    fn is_everyone(&self, count: usize) -> bool {
        count == self.cast.names.len() && self.cast.is_known()
    }

    fn who<'f>(&mut self, desk: &mut Desk<'f>, fields: &Fields<'f>) -> Option<Vec<Target>> {
        let item = desk.required(fields, "who", "\"a\"")?;
        Some(self.sorted(desk, item))
    }

    /// The hosts that a value names, in the order of the file's hosts.
    fn sorted<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Vec<Target> {
        let mut targets = self.targets(desk, item);
        targets.sort_unstable_by_key(host_of);
        targets
    }

    fn targets<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Vec<Target> {
        self.cast.targets(desk, item, self.actor)
    }
}

/// Complains about hosts that stand where lists of hosts should: one list of them all, or one of each, is not the same cut.
fn not_in_lists(desk: &mut Desk<'_>, item: &Item, lists: &[Item], what: &str) {
    const MOST_SHOWN: usize = 4;
    let mut names: Vec<&str> = lists
        .iter()
        .filter(|list| list.shape == Shape::Text)
        .map(|name| desk.slice(name))
        .collect();
    let hint = if names.len() < lists.len() {
        format!("a host alone is a list too: `[{}]`", names[0])
    } else if let [name] = names.as_slice() {
        format!("such as `[[{name}]]`")
    } else {
        if names.len() > MOST_SHOWN {
            names.truncate(MOST_SHOWN);
            names.push("…");
        }
        format!(
            "`[[{}]]` if they are on one side, `[[{}]]` if each is on its own",
            names.join(", "),
            names.join("], [")
        )
    };
    desk.complain(
        item.span.clone(),
        format!("expected {what}, each a list of hosts"),
        Some(hint),
    );
}

const CUTS: [&str; 4] = ["Partition", "OneWay", "Bridge", "Ring"];

/// What each fault that lasts looks like.
const LAYERS: [(&str, &str); 10] = [
    ("Partition", "`Partition([[\"a\", \"b\"], [\"c\"]])`"),
    ("OneWay", "`OneWay(from: \"a\", to: \"b\")`"),
    ("Bridge", "`Bridge(over: \"c\", sides: [[\"a\"], [\"b\"]])`"),
    (
        "Ring",
        "`Ring([\"a\", \"b\", \"c\", \"d\"])`, or `Ring(hosts: \"a1..a9\", reach: 2)`",
    ),
    (
        "Flap",
        "`Flap(cut: Partition([[\"a\"]]), down: \"300ms\", up: \"200ms\")`",
    ),
    ("Link", "`Link(from: \"a\", to: \"*\", loss: 0.5)`"),
    ("Slow", "`Slow(who: \"a\", by: \"20ms\")`"),
    ("SlowDisk", "`SlowDisk(who: \"a\", by: \"50ms\")`"),
    ("FailingDisk", "`FailingDisk(who: \"a\", share: 0.5)`"),
    ("Drift", "`Drift(who: \"a\", ppm: 500)`"),
];

/// Complains about what stands where a fault should.
fn unreadable(desk: &mut Desk<'_>, item: &Item, name: &str) {
    if FAULTS.contains(&name) {
        let layer = LAYERS.iter().find(|(layer, _)| *layer == name);
        let hint = match name {
            "HealAll" => "`HealAll`".to_owned(),
            "Heal" => "`Heal(Partition([[\"a\"], [\"b\"]]))`".to_owned(),
            "Jump" => "`Jump(who: \"a\", by: \"2s\")`".to_owned(),
            "Restart" => "`Restart(\"a\")`, `Restart([\"a\", \"b\"])` or `Restart(\"a\", Stale)`".to_owned(),
            _ => match layer {
                Some((_, form)) => (*form).to_owned(),
                None => format!("`{name}(\"a\")`, or `{name}([\"a\", \"b\"])`"),
            },
        };
        let message = format!("`{name}` does not look like this");
        return desk.complain(item.span.clone(), message, Some(hint));
    }
    let message = if name.is_empty() {
        "this is not a fault".to_owned()
    } else {
        format!("there is no fault `{name}`")
    };
    let hint = did_you_mean(name, FAULTS.iter().copied());
    desk.complain(desk.point(item), message, hint);
}

fn disk_on_restart(desk: &mut Desk<'_>, item: &Item) -> Option<DiskOnRestart> {
    const DISKS: [(&str, DiskOnRestart); 5] = [
        ("Kept", DiskOnRestart::Kept),
        ("Wiped", DiskOnRestart::Wiped),
        ("Stale", DiskOnRestart::Stale),
        ("Torn", DiskOnRestart::Torn),
        ("Corrupt", DiskOnRestart::Corrupt),
    ];
    let written = desk.head(item).unwrap_or_default();
    let found = DISKS.iter().find(|(name, _)| *name == written);
    if found.is_none() {
        let hint = did_you_mean(written, DISKS.map(|(name, _)| name));
        desk.complain(
            item.span.clone(),
            format!("no disk is `{written}` at a restart"),
            hint,
        );
    }
    found.map(|(_, disk)| *disk)
}

fn more_than_nothing(desk: &mut Desk<'_>, item: &Item, message: &str) -> Option<Span> {
    let span = desk.span(item)?;
    if span.is_zero() {
        let hint = "a length of time that is more than nothing".to_owned();
        desk.complain(item.span.clone(), message, Some(hint));
    }
    (!span.is_zero()).then_some(span)
}
