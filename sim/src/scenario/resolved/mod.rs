//! The resolved form of a file: a plain scenario in which nothing is left to be known. It is read like any other, and each of its
//! runs has the digest of the run that it was made from.
//!
//! It is one file for all rule sets, and read back it is an equal plan under each of them. What these have in common is written out:
//! the profile with everything that the file puts in place of it, hosts one by one, every part of every law, the bounds of promises;
//! and what the file expects of each, which is the one thing that the format lets differ by rule set.
//!
//! What a rule set has by itself is told in a comment, and is the protocol's to say again when the form is read: settings in which rule
//! sets differ, and what is tolerated where the shortest timeout decides that and rule sets differ in it. It cannot be written. `config`
//! and `tolerated` are said once for all rule sets, and a value of one would be put in place of the others', so that none but the one
//! had the plan of its file. That is on purpose: a file says of a cluster what is so whichever rules its nodes go by, or else two rule
//! sets under one file could not be compared. Nor are promises written that judge by themselves, since a written one has to have
//! something to judge. So these three follow the protocol when a later version of it changes them, and nothing else does.
//!
//! `settings` are trees of settings, `network` laws and links, `timeline` faults and triggers, `promises` what is
//! judged, `names` hosts, `page` the layout.
//! Every plan is taken apart field by field, so that what is added to plans is missed here by the compiler.

mod names;
pub(crate) mod network;
pub(crate) mod page;
mod promises;
pub(crate) mod settings;
mod timeline;

use std::collections::BTreeMap;

use squall_nodes::secret::written_out;
use squall_nodes::{Data, Placed, Protocol, Span, Time, Tolerance, ron_options};

use self::names::Names;
use self::page::Page;
use self::settings::Tree;
use super::complaint::Complaints;
use super::faults::written_as;
use super::file::{FORMAT, Flaw, LARGEST, ScenarioFile};
use super::resolve::{Draft, draft, resolve};
use crate::plan::{Clock, Expect, Measure, Moment, Plan, PlannedHost, Work};

/// Writes the resolved form of a file.
///
/// # Errors
///
/// Everything that is wrong with the file under any rule set; or that its resolved form is larger than a file may be.
pub fn resolved<P: Protocol>(file: &ScenarioFile) -> Result<String, Complaints> {
    let mut plans = Vec::new();
    let mut complaints = Vec::new();
    for rules in P::RULES {
        match resolve::<P>(file, rules) {
            Ok(plan) => plans.push(plan),
            Err(found) => complaints.push(found),
        }
    }
    if let Some(complaints) = Complaints::merged(complaints) {
        return Err(complaints);
    }
    let nothing = || Complaints::about_all(file.name(), "holds no scenario".to_owned(), None);
    let drafts: Option<Vec<Draft<P>>> = P::RULES.iter().map(|rules| draft(file, rules)).collect();
    let drafts = drafts.ok_or_else(nothing)?;
    let text = match (plans.as_slice(), drafts.as_slice()) {
        ([plan, ..], [draft, ..]) => Form {
            file,
            names: Names::of(&draft.cast.names),
            plan,
            plans: &plans,
            drafts: &drafts,
        }
        .write(),
        // A protocol without rule sets runs nothing.
        _ => return Err(nothing()),
    };
    if text.len() > LARGEST {
        let message = "its resolved form is larger than 1 MiB, and could not be read".to_owned();
        let hint = "each host has a line of its own in it: take fewer, or fewer links with laws of their own";
        return Err(Complaints::about_all(file.name(), message, Some(hint.to_owned())));
    }
    Ok(text)
}

/// What the form is made from.
struct Form<'a, P: Protocol> {
    file: &'a ScenarioFile,
    names: Names<'a>,
    /// The plan of the first rule set, for what rule sets have in common.
    plan: &'a Plan<P>,
    /// One for each rule set, in the protocol's order.
    plans: &'a [Plan<P>],
    /// The same, before the protocol has put the hosts in their places.
    drafts: &'a [Draft<P>],
}

impl<P: Protocol> Form<'_, P> {
    fn write(&self) -> String {
        let Plan {
            // Told by whoever names the file.
            scenario: _,
            rules: _,
            hosts,
            network,
            persist,
            timeline,
            workload,
            limit,
            max_events,
            // Of each rule set, below.
            invariants: _,
            measures,
            expect: _,
            tolerated: _,
            live_tolerance,
            lateness: _,
        } = self.plan;
        let mut page = Page::new();
        for line in self.file.story().lines() {
            page.comment(line);
        }
        page.open("Scenario(");
        page.field("format", FORMAT);
        page.field("protocol", format_args!("{:?}", P::NAME));
        if let Some(draft) = self.drafts.first() {
            page.field("profile", format_args!("{:?}", draft.settings.profile));
        }
        let own = self.settings(&mut page);
        page.open("hosts: [");
        for (index, host) in hosts.iter().enumerate() {
            let entry = self.drafts.first().map(|draft| draft.cast.written[index].entry);
            let config = entry.and_then(|entry| own.get(&entry));
            page.line(&format!("({}),", self.host(index, host, config).join(", ")));
        }
        page.close("],");
        network::network(&mut page, network, timeline, &self.names);
        page.field("persist", persist);
        self.tolerated(&mut page);
        page.field("live", format_args!("(tolerance: \"{live_tolerance}\")"));
        page.list(
            "timeline",
            timeline.iter().map(|step| timeline::step::<P>(step, &self.names)),
        );
        page.list("workload", workload.iter().map(|work| self.work(work)));
        page.field("limit", format_args!("\"{limit}\""));
        page.field("max_events", max_events);
        promises::promises(&mut page, self.plans);
        page.list("measures", measures.iter().map(|measure| self.measure(measure)));
        self.expect(&mut page);
        self.about(&mut page);
        page.close(")");
        page.finish()
    }

    /// Writes the settings that every host begins with, and gives what entries of hosts have in place of them.
    fn settings(&self, page: &mut Page) -> BTreeMap<usize, Tree> {
        let bases: Vec<Tree> = self
            .drafts
            .iter()
            .map(|draft| Tree::of(&draft.settings.config))
            .collect();
        if let Some(common) = Tree::agreed(&bases) {
            common.write(page, "config");
        }
        for (plan, base) in self.plans.iter().zip(&bases) {
            let rest = base.beyond(Tree::agreed(&bases).as_ref());
            if !rest.is_empty() {
                page.comment(&format!("{} by itself: {}", plan.rules, rest.join(", ")));
            }
        }
        let mut own = BTreeMap::new();
        let Some(first) = self.drafts.first() else {
            return own;
        };
        let mut last = None;
        for (index, written) in first.cast.written.iter().enumerate() {
            // The hosts of one entry are alike.
            if last.replace(written.entry) == Some(written.entry) {
                continue;
            }
            let trees: Vec<Tree> = self
                .drafts
                .iter()
                .map(|draft| Tree::of(&draft.hosts[index].placed.config))
                .collect();
            own.extend(Tree::in_place_of(&trees, &bases).map(|tree| (written.entry, tree)));
        }
        own
    }

    fn host(&self, index: usize, host: &PlannedHost<P::Node>, config: Option<&Tree>) -> Vec<String> {
        let PlannedHost {
            placed:
                Placed {
                    name,
                    // By its place among the hosts.
                    ip: _,
                    role,
                    // As it was before the hosts were put in their places; that is done again.
                    config: _,
                },
            // By its name.
            key: _,
            starts,
            clock,
        } = host;
        let mut parts = vec![
            format!("name: \"{name}\""),
            format!("role: {}", ron(role)),
            format!("starts: {}", time(*starts)),
        ];
        let zone = self.plan.network.zones.of.get(index).copied().flatten();
        parts.extend(zone.map(|zone| format!("zone: \"{}\"", self.plan.network.zones.names[zone as usize])));
        if *clock != Clock::default() {
            let Clock { offset, drift_ppm } = clock;
            parts.push(format!(
                "clock: (offset: {}, drift_ppm: {drift_ppm})",
                span(*offset)
            ));
        }
        parts.extend(config.map(|config| format!("config: {}", config.inline())));
        parts
    }

    fn tolerated(&self, page: &mut Page) {
        let Tolerance { loss, latency } = self.plan.tolerated;
        let alike = self.plans.iter().all(|plan| plan.tolerated.latency == latency);
        if alike {
            page.field(
                "tolerated",
                format_args!("(loss: {loss:?}, latency: \"{latency}\")"),
            );
            return;
        }
        page.field("tolerated", format_args!("(loss: {loss:?})"));
        for plan in self.plans {
            let latency = plan.tolerated.latency;
            page.comment(&format!("{} by itself: latency: \"{latency}\"", plan.rules));
        }
    }

    fn work(&self, work: &Work<P::Node>) -> String {
        let Work {
            first,
            interval,
            until,
            of,
            command,
            label,
        } = work;
        let of = self.names.hosts(of);
        let command = command_as_written(command, label);
        match interval {
            Some(interval) => format!(
                "Every(interval: \"{interval}\", from: {}, until: {}, of: {of}, command: {command}),",
                time(*first),
                time(*until)
            ),
            // Its end is that of the run.
            None => format!("At(time: {}, of: {of}, command: {command}),", time(*first)),
        }
    }

    fn measure(&self, measure: &Measure) -> String {
        let Measure { name, from, to, each } = measure;
        let each = each.as_ref().map(|each| self.names.hosts(each));
        let (from, to) = (moment::<P>(from, None), moment::<P>(to, each));
        format!("Latency(name: \"{name}\", from: {from}, to: {to}),")
    }

    fn expect(&self, page: &mut Page) {
        let expected = |expect: &Expect| match expect {
            Expect::Held => "Held".to_owned(),
            Expect::Violated(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                format!("Violated([{}])", names.join(", "))
            }
        };
        page.open("expect: {");
        for Plan { rules, expect, .. } in self.plans {
            // A name that is no word of RON stands in quotes.
            let is_word = rules.starts_with(|c: char| c.is_ascii_alphabetic())
                && rules.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let quote = if is_word { "" } else { "\"" };
            page.line(&format!("{quote}{rules}{quote}: {},", expected(expect)));
        }
        page.close("},");
    }

    /// What the file says about itself.
    fn about(&self, page: &mut Page) {
        let tags: Vec<String> = self.file.tags().iter().map(|tag| format!("\"{tag}\"")).collect();
        if !tags.is_empty() {
            page.field("tags", format_args!("[{}]", tags.join(", ")));
        }
        page.field("seed", self.file.seed());
        if !self.file.scenery().is_empty() {
            page.field("scenery", format_args!("{:?}", self.file.scenery()));
        }
        if self.file.is_tagged("flaw") {
            let flaw = match self.file.flaw() {
                Flaw::NeedsFaults => "NeedsFaults",
                Flaw::NeedsNoFault => "NeedsNoFault",
            };
            page.field("flaw", flaw);
        }
    }
}

/// A moment that is measured from or to.
fn moment<P: Protocol>(moment: &Moment, each: Option<String>) -> String {
    match (moment, each) {
        (Moment::Fault(kind), _) => format!("Fault({})", written_as(kind)),
        (Moment::Fact(fact), None) => format!("Fact(\"{}\")", timeline::name_of_fact::<P>(*fact)),
        (Moment::Fact(fact), Some(each)) => {
            format!(
                "Fact(name: \"{}\", each: {each})",
                timeline::name_of_fact::<P>(*fact)
            )
        }
    }
}

/// A command in the words of its file, which reports name it by, unless these do not say the same on one line.
fn command_as_written<C: Data>(command: &C, label: &str) -> String {
    let plain = ron(command);
    let written = label.rsplit_once(" of ").map_or("", |(words, _)| words);
    let says_the_same = |words: &str| {
        let read: Option<C> = ron_options().from_str(words).ok();
        read.is_some_and(|read| ron(&read) == plain)
    };
    if !written.contains("//") && says_the_same(written) {
        written.to_owned()
    } else {
        plain
    }
}

/// A value of the protocol's.
pub(crate) fn ron<T: Data>(value: &T) -> String {
    // What cannot be written could not have been read either.
    written_out(|| ron_options().to_string(value)).unwrap_or_else(|_| format!("{value:?}"))
}

/// A time, as files write it.
fn time(time: Time) -> String {
    span(time.since(Time::ZERO))
}

/// A length of time, as files write it: nothing is `"0s"`, as where it is told what is left out.
fn span(span: Span) -> String {
    if span.is_zero() {
        "\"0s\"".to_owned()
    } else {
        format!("\"{span}\"")
    }
}
