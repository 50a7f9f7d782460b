//! What a file promises, and what it does so with.

use std::fmt::Write as _;

use squall_sim::plan::{Clock, Expect, Origin};
use squall_sim::runner::{Happens, HostCast, LawCast, Promise, PromiseMade, Tolerance};
use squall_sim::scenario::Complaint;
use squall_sim::trace::Span;

use super::run::remark;
use crate::look::{Ink, Look, counted, harmless, listed, padded, span};

/// A file that was checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The path of the file.
    pub scenario: String,
    /// What is wrong with it.
    pub complaints: Vec<Complaint>,
    /// Its protocol, where that could be read.
    pub protocol: Option<String>,
    /// Its hosts, in order.
    pub hosts: Vec<HostCast>,
    /// What its links and disks are like.
    pub laws: Vec<LawCast>,
    /// What is done to the world.
    pub timeline: Vec<Happens>,
    /// What clients and operators ask.
    pub workload: Vec<Happens>,
    /// When its runs end.
    pub limit: Option<Span>,
    /// The seed that `run` takes.
    pub seed: Option<u64>,
    /// What it is for.
    pub tags: Vec<String>,
    /// What it promises, by rule set.
    pub rules: Vec<CheckedRules>,
    /// What there is to say besides: bounds that were loosened, promises that no run can judge.
    pub notes: Vec<String>,
    /// Its resolved form, where that was asked for.
    pub resolved: Option<String>,
}

/// What a file promises under one rule set.
#[derive(Clone, Debug)]
pub struct CheckedRules {
    /// The rule set.
    pub rules: &'static str,
    /// How bad links may be while liveness is asked for.
    pub tolerated: Tolerance,
    /// What the file expects.
    pub expect: Expect,
    /// What is judged.
    pub promises: Vec<PromiseMade>,
}

impl Checked {
    /// Whether nothing is wrong with the file.
    pub fn is_ok(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// A file that is in order, as a paragraph; one that is not, as a line, since its complaints are drawn elsewhere.
pub fn check(checked: &Checked, look: &Look) -> String {
    if !checked.is_ok() {
        let wrong = counted(checked.complaints.len() as u64, "complaint", "complaints");
        let scenario = harmless(&checked.scenario, usize::MAX);
        return format!("{} {scenario}  {wrong}\n", look.paint(Ink::Bad, "✗"));
    }
    let protocol = checked.protocol.as_deref().unwrap_or_default();
    let mut text = format!(
        "{} {}  {protocol}",
        look.paint(Ink::Good, "✓ ok"),
        look.paint(Ink::Strong, &harmless(&checked.scenario, usize::MAX))
    );
    if !checked.tags.is_empty() {
        let _ = write!(text, "  [{}]", harmless(&checked.tags.join(", "), 200));
    }
    text.push('\n');
    let width = checked
        .rules
        .iter()
        .map(|rules| rules.rules.chars().count())
        .max()
        .unwrap_or(0)
        .max("tolerated".len());
    let _ = writeln!(text, "    {}  {}", padded("hosts", width), cast(&checked.hosts));
    laws(&mut text, &checked.laws, width);
    tolerated(&mut text, &checked.rules, width);
    happens(&mut text, "timeline", &checked.timeline, width);
    happens(&mut text, "workload", &checked.workload, width);
    for rules in &checked.rules {
        let expect = match &rules.expect {
            Expect::Held => "is expected to hold".to_owned(),
            Expect::Violated(names) => format!("is expected to violate {}", listed(names)),
        };
        let _ = writeln!(
            text,
            "    {}  {expect}",
            look.paint(Ink::Strong, &padded(rules.rules, width))
        );
    }
    promises(&mut text, &checked.rules);
    let mut ends = Vec::new();
    if let Some(limit) = checked.limit {
        ends.push(format!("limit {}", span(limit.as_nanos())));
    }
    if let Some(seed) = checked.seed {
        ends.push(format!("seed {seed}"));
    }
    let _ = writeln!(text, "    {}", ends.join(", "));
    for note in &checked.notes {
        remark(&mut text, "note", Ink::Doubtful, note, look);
    }
    text
}

/// `always`, `in quiet for 4.2s`.
pub fn promise(promise: &Promise) -> String {
    match promise {
        Promise::Always => "always".to_owned(),
        Promise::InQuiet { bound } => format!("in quiet for {}", bound_of(*bound)),
    }
}

/// Whole milliseconds are enough for people where there are any; JSON has every nanosecond.
fn bound_of(bound: Span) -> String {
    let ns = bound.as_nanos();
    span(if ns < 1_000_000 {
        ns
    } else {
        ns / 1_000_000 * 1_000_000
    })
}

/// The promises, each once, with the names of the rule sets that make it where not all of them do.
fn promises(text: &mut String, rules: &[CheckedRules]) {
    let mut made: Vec<(&PromiseMade, Vec<&str>)> = Vec::new();
    for of in rules {
        for promise in &of.promises {
            if let Some((_, by)) = made.iter_mut().find(|(other, _)| *other == promise) {
                by.push(of.rules);
            } else {
                // Beside what is called the same, so that the two can be compared.
                let beside = made.iter().rposition(|(other, _)| other.name == promise.name);
                made.insert(beside.map_or(made.len(), |at| at + 1), (promise, vec![of.rules]));
            }
        }
    }
    let of_all = made.iter().all(|(_, by)| by.len() == rules.len());
    let lines: Vec<(&PromiseMade, String)> = made
        .into_iter()
        .map(|(made, by)| (made, if of_all { String::new() } else { by.join(", ") }))
        .collect();
    let widest = |length: fn(&(&PromiseMade, String)) -> usize| lines.iter().map(length).max().unwrap_or(0);
    let of_name = widest(|(made, _)| made.name.chars().count());
    let of_rules = widest(|(_, by)| by.chars().count());
    for (made, by) in &lines {
        let by_default = match &made.by_default {
            by_default if *by_default == made.promise => String::new(),
            Promise::Always => " (by default always)".to_owned(),
            Promise::InQuiet { bound } => format!(" (by default {})", bound_of(*bound)),
        };
        let written = match made.origin {
            Origin::Written => ", written",
            Origin::Default => "",
        };
        let by = match of_rules {
            0 => String::new(),
            width => format!("{}  ", padded(by, width)),
        };
        let (name, when, says) = (padded(&made.name, of_name), promise(&made.promise), made.says);
        let _ = writeln!(text, "      {name}  {by}{when}{by_default}{written}: {says}");
    }
}

/// The law of all links and that of the disks beside their names; the others between them, each on a line.
fn laws(text: &mut String, laws: &[LawCast], width: usize) {
    const MOST_SHOWN: usize = 12;
    let (first, rest) = laws.split_at(laws.len().min(MOST_SHOWN));
    // The disks come last, and are never left out.
    let hidden = rest.split_last();
    for law in first {
        let _ = match law.of.as_str() {
            "links" | "disks" => writeln!(text, "    {}  {}", padded(&law.of, width), law.says),
            of => writeln!(text, "    {}  {of}: {}", padded("", width), law.says),
        };
    }
    if let Some((disks, hidden)) = hidden {
        if !hidden.is_empty() {
            let _ = writeln!(text, "    {}  … and {} more", padded("", width), hidden.len());
        }
        let _ = writeln!(text, "    {}  {}", padded(&disks.of, width), disks.says);
    }
}

/// What is tolerated, in one line where all rule sets agree.
fn tolerated(text: &mut String, rules: &[CheckedRules], width: usize) {
    let Some((first, rest)) = rules.split_first() else {
        return;
    };
    let says = match rest.iter().all(|of| of.tolerated == first.tolerated) {
        true => tolerance(&first.tolerated),
        false => {
            let each = rules
                .iter()
                .map(|of| format!("{}: {}", of.rules, tolerance(&of.tolerated)));
            each.collect::<Vec<_>>().join("; ")
        }
    };
    let _ = writeln!(text, "    {}  {says}", padded("tolerated", width));
}

/// `5 % lost, 100ms of latency`.
fn tolerance(tolerated: &Tolerance) -> String {
    // What is a ratio in decimals is a percentage in decimals, but for what the binary form adds to it.
    let percent = (tolerated.loss * 1e8).round() / 1e6;
    format!("{percent} % lost, {} of latency", bound_of(tolerated.latency))
}

/// What happens when, an entry a line, the first beside the name of the list.
fn happens(text: &mut String, name: &str, entries: &[Happens], width: usize) {
    const MOST_SHOWN: usize = 12;
    const LONGEST: usize = 160;
    let shown = match entries.len() {
        // The line that would say how many more there are has room for one.
        few if few <= MOST_SHOWN + 1 => entries,
        _ => &entries[..MOST_SHOWN],
    };
    let of_when = shown
        .iter()
        .map(|entry| entry.when.chars().count())
        .max()
        .unwrap_or(0);
    for (nth, entry) in shown.iter().enumerate() {
        let name = if nth == 0 { name } else { "" };
        let (when, what) = (padded(&entry.when, of_when), harmless(&entry.what, LONGEST));
        let _ = writeln!(text, "    {}  {when}  {what}", padded(name, width));
    }
    if shown.len() < entries.len() {
        let more = entries.len() - shown.len();
        let _ = writeln!(text, "    {}  … and {more} more", padded("", width));
    }
}

/// `s Server in eu; c1 … c4 Client (4), clock 3s ahead`: neighbours that are alike stand together.
fn cast(hosts: &[HostCast]) -> String {
    let troupes: Vec<String> = hosts
        .chunk_by(|one, other| (&one.role, &one.zone, one.clock) == (&other.role, &other.zone, other.clock))
        .map(|troupe| {
            let role = harmless(&troupe[0].role, 60);
            let named = match troupe {
                [one] => format!("{} {role}", one.name),
                [one, other] => format!("{}, {} {role}", one.name, other.name),
                [first, .., last] => format!("{} … {} {role} ({})", first.name, last.name, troupe.len()),
                [] => String::new(),
            };
            let zone = troupe[0].zone.as_ref().map(|zone| format!(" in {zone}"));
            format!("{named}{}{}", zone.unwrap_or_default(), clock(troupe[0].clock))
        })
        .collect();
    troupes.join("; ")
}

/// `, clock 3s ahead and 200 ppm fast`; nothing of one that is right.
fn clock(clock: Clock) -> String {
    let ahead = (!clock.offset.is_zero()).then(|| format!("{} ahead", clock.offset));
    let rate = match clock.drift_ppm {
        0 => None,
        ppm if ppm > 0 => Some(format!("{ppm} ppm fast")),
        ppm => Some(format!("{} ppm slow", ppm.unsigned_abs())),
    };
    let parts: Vec<String> = ahead.into_iter().chain(rate).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(", clock {}", parts.join(" and ")),
    }
}
