//! The story of a violation: what broke, what was promised, what was seen, and the last events of the hosts involved.

mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use squall_sim::outcome::{Outcome, Quiet, Standing, Violation};
use squall_sim::trace::{Closed, DropCause, Fate, Happening, Span, Time, Trace, TraceEvent};

use self::world::World;
use super::run::mark;
use crate::look::{Ink, Look, counted, harmless, listed, millis, padded, span};

/// How many of its last packets, timers and writes are shown of each host: they say what it was doing, and the claims say
/// why.
const LAST_ROUTINE: usize = 8;
/// A host's claims of one name, its calls or its answers, are all shown when they are so few. Then each may be the one that
/// matters, however far back.
const RARE: usize = 8;
/// How many of them are shown when there are more, or when they come by the clock: then they come again and again, and the
/// last say what holds. So it is with one timer.
const LAST_OF_A_KIND: usize = 2;
/// How often in a row the same time has to lie between them, so that they are taken to come by the clock.
const REGULAR: usize = 3;
/// How many hosts are shown.
const MOST_HOSTS: usize = 8;
/// The longest text of a packet or a fact that is shown, in characters.
const LONGEST_SAYING: usize = 160;
/// The longest text of a change of the world, which has a fault with all its hosts in it, in characters.
const LONGEST_CHANGE: usize = 400;
/// The longest opening comment that is shown, in lines.
const LONGEST_COMMENT: usize = 16;

/// The story of a run that was violated: what broke, the comment that opens the
/// file (`told`, unless it is long), the sentence promised and the sentence seen, the
/// last events of the hosts involved, and, as the last line, the command that repeats the run.
///
/// Of a run that was not violated it tells the doubts and the command.
pub fn story(outcome: &Outcome, trace: &Trace, told: Option<&str>, look: &Look) -> String {
    let mut text = String::new();
    heading(&mut text, outcome, look);
    comment(&mut text, told, look);
    if let Some(violation) = &outcome.violation {
        let promised = harmless(&violation.promised, usize::MAX);
        let detail = harmless(&violation.detail, usize::MAX);
        let _ = writeln!(
            text,
            "  promised  {promised}\n  seen      {}",
            look.paint(Ink::Strong, &detail)
        );
        if let Some(quiet) = violation.quiet {
            let _ = writeln!(text, "  quiet     {}", why_now(quiet, trace));
        }
        text.push('\n');
        events(&mut text, violation, trace, look);
    }
    for doubt in &outcome.doubts {
        let _ = writeln!(text, "  doubt     {}", harmless(doubt, usize::MAX));
    }
    let command = look.run_command(&outcome.scenario, outcome.rules, outcome.seed);
    let _ = writeln!(text, "\n{}", look.paint(Ink::Strong, &command));
    text
}

fn heading(text: &mut String, outcome: &Outcome, look: &Look) {
    let what = match &outcome.violation {
        Some(violation) => {
            format!(
                "{} violated at {} ms",
                violation.invariant,
                millis(violation.at.as_nanos())
            )
        }
        None => outcome.verdict.to_string(),
    };
    let standing = outcome.standing();
    let (ink, stands) = match standing {
        Standing::AsExpected => (Ink::Strong, ", as the file expects"),
        Standing::Otherwise => (Ink::Bad, ", which the file does not expect"),
        Standing::Unknown => (Ink::Doubtful, ""),
    };
    let _ = writeln!(
        text,
        "{} {}: {} under {}, seed {}{stands}\n",
        mark(standing, look),
        look.paint(ink, &what),
        harmless(&outcome.scenario, usize::MAX),
        outcome.rules,
        outcome.seed,
    );
}

/// Why a promise that waits for quiet is judged when it is: since when it is quiet, and how long that has to be.
fn why_now(quiet: Quiet, trace: &Trace) -> String {
    /// More than that did not disturb one group at one instant but by a plan that says so.
    const MOST_CAUSES: usize = 3;
    let laid = world::laid(trace);
    let causes: Vec<String> = trace
        .events
        .iter()
        .filter(|event| event.at == quiet.since)
        .filter_map(|event| match &event.what {
            Happening::World { change, .. } => Some(harmless(
                &world::change_of(change, None, &laid, trace),
                LONGEST_SAYING,
            )),
            _ => None,
        })
        .collect();
    let since = match (quiet.since, causes.len()) {
        (Time::ZERO, _) => "since the run began".to_owned(),
        (at, 1..=MOST_CAUSES) => format!("since {} ms, when {}", millis(at.as_nanos()), listed(&causes)),
        (at, _) => format!("since {} ms", millis(at.as_nanos())),
    };
    let tolerance = match quiet.tolerance.as_nanos() {
        0 => String::new(),
        tolerance => format!(", and live {} more are tolerated", span(tolerance)),
    };
    match quiet.bound.as_nanos() {
        0 => since,
        bound => format!("{since}; promised after {} of quiet{tolerance}", span(bound)),
    }
}

fn comment(text: &mut String, told: Option<&str>, look: &Look) {
    let lines: Vec<&str> = told.map_or_else(Vec::new, |comment| comment.trim().lines().collect());
    if lines.is_empty() || lines.len() > LONGEST_COMMENT {
        return;
    }
    for line in lines {
        let line = format!("  | {}", harmless(line, usize::MAX));
        let _ = writeln!(text, "{}", look.paint(Ink::Faint, line.trim_end()));
    }
    text.push('\n');
}

fn events(text: &mut String, violation: &Violation, trace: &Trace, look: &Look) {
    let involved: Vec<usize> = violation
        .hosts
        .iter()
        .filter_map(|name| trace.hosts.iter().position(|host| host == name))
        .take(MOST_HOSTS)
        .collect();
    let names: Vec<&str> = involved.iter().map(|&host| trace.hosts[host].as_str()).collect();
    let more = violation.hosts.len().saturating_sub(names.len());
    let whose = match (names.len(), more) {
        (0, _) => "the world".to_owned(),
        (_, 0) => listed(&names),
        _ => format!(
            "{}, the first of {}",
            listed(&names),
            counted(violation.hosts.len() as u64, "host", "hosts")
        ),
    };
    let world = World::of(trace, &involved);
    let mut chosen = choose(trace, &involved);
    chosen.extend(world.places());
    chosen.sort_unstable();
    if chosen.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "  The last events of {whose}; times in ms since the run began:\n"
    );
    let at_width = chosen
        .iter()
        .map(|&nth| millis(trace.events[nth].at.as_nanos()).len())
        .max()
        .unwrap_or(0);
    let host_width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max("world".len());
    let mut gap_from = 0;
    for &nth in &chosen {
        let event = &trace.events[nth];
        // A gap is marked where it is in the same host's events; what another host did meanwhile is its own matter.
        let is_gap = |skipped: usize| {
            slot(&trace.events[skipped], &involved) == slot(event, &involved) && !world.tells(skipped)
        };
        if (gap_from..nth).any(is_gap) {
            let _ = writeln!(
                text,
                "  {}",
                look.paint(Ink::Faint, &format!("{:>at_width$}", "⋮"))
            );
        }
        gap_from = nth + 1;
        let host = event
            .host
            .and_then(|host| trace.hosts.get(host.index()))
            .map_or("world", String::as_str);
        let at = millis(event.at.as_nanos());
        let _ = writeln!(
            text,
            "  {at:>at_width$}  {}  {}",
            padded(host, host_width),
            match world.says(nth, trace) {
                Some(says) => look.paint(Ink::World, &harmless(&named(&says, trace), LONGEST_CHANGE)),
                None => happening(event, trace, look),
            }
        );
    }
}

/// Which events of hosts are shown, by their places, and that a promise was broken. Of each host involved the last of what is
/// routine, and of what it claimed, was asked and answered all that is rare and the last of what is not.
fn choose(trace: &Trace, involved: &[usize]) -> Vec<usize> {
    let told = |event| slot(event, involved).map(|slot| Told::of(event, slot));
    let mut habits: BTreeMap<Told<'_>, Habit> = BTreeMap::new();
    for event in &trace.events {
        if let Some(told) = told(event) {
            habits.entry(told).or_default().count(event.at);
        }
    }
    let mut shown: BTreeMap<Told<'_>, usize> = BTreeMap::new();
    let mut timers: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (nth, event) in trace.events.iter().enumerate().rev() {
        // Of the world another chooses.
        if let Happening::World { .. } = event.what {
            continue;
        }
        let Some(told) = told(event) else { continue };
        if let (Told::Routine(slot), Happening::Timer { timer }) = (told, &event.what) {
            let same = timers.entry((slot, timer)).or_default();
            *same += 1;
            if *same > LAST_OF_A_KIND {
                continue;
            }
        }
        let room = match told {
            Told::Verdict => usize::MAX,
            Told::Routine(_) => LAST_ROUTINE,
            Told::Saying(..) if habits.get(&told).is_some_and(Habit::is_rare) => RARE,
            Told::Saying(..) => LAST_OF_A_KIND,
        };
        let shown = shown.entry(told).or_default();
        if *shown < room {
            *shown += 1;
            chosen.push(nth);
        }
    }
    chosen.reverse();
    chosen
}

/// How often something came, and how regularly.
#[derive(Default)]
struct Habit {
    count: usize,
    last: Time,
    gap: Span,
    /// How many gaps in a row were like the last, and the most there were.
    equal: usize,
    most_equal: usize,
}

impl Habit {
    fn count(&mut self, at: Time) {
        let gap = at.since(self.last);
        let goes_on = self.count > 0 && !gap.is_zero() && gap == self.gap;
        self.equal = if goes_on { self.equal + 1 } else { 1 };
        self.most_equal = self.most_equal.max(self.equal);
        self.gap = gap;
        self.last = at;
        self.count += 1;
    }

    fn is_rare(&self) -> bool {
        self.count <= RARE && self.most_equal < REGULAR
    }
}

/// What is counted together when events are chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told<'t> {
    /// That a promise was broken, or anything else that is no host's.
    Verdict,
    /// Packets, timers and writes of the host in a slot.
    Routine(usize),
    /// What the host in a slot says to whoever watches: claims of one name, calls, answers.
    Saying(usize, &'t str),
}

impl<'t> Told<'t> {
    fn of(event: &'t TraceEvent, slot: usize) -> Self {
        match &event.what {
            Happening::World { .. } | Happening::Violated { .. } => Told::Verdict,
            Happening::Fact { name, .. } => Told::Saying(slot, name),
            // No fact has such a name.
            Happening::Booted { .. } => Told::Saying(slot, "(boot)"),
            Happening::Call { .. } => Told::Saying(slot, "(call)"),
            Happening::Answer { .. } => Told::Saying(slot, "(answer)"),
            _ => Told::Routine(slot),
        }
    }
}

/// Whose event it is: a host involved, or the world, which comes after them.
fn slot(event: &TraceEvent, involved: &[usize]) -> Option<usize> {
    match (&event.what, event.host) {
        (Happening::World { .. } | Happening::Violated { .. }, _) | (_, None) => Some(involved.len()),
        (_, Some(host)) => involved.iter().position(|&index| index == host.index()),
    }
}

fn happening(event: &TraceEvent, trace: &Trace, look: &Look) -> String {
    let short = |text: &str| harmless(&named(text, trace), LONGEST_SAYING);
    match &event.what {
        Happening::Booted { incarnation: 0 } => verb("boots", ""),
        Happening::Booted { incarnation } => {
            verb("boots", &format!("again, its life number {}", incarnation + 1))
        }
        Happening::Sent { to, fate, says, .. } => {
            let sent = verb("sends", &format!("→ {}  {}", short(to), short(says)));
            match fate_of(*fate) {
                Some(fate) => format!("{sent}  {}", look.paint(Ink::Doubtful, &format!("({fate})"))),
                None => sent,
            }
        }
        Happening::Received { from, says, .. } => {
            verb("receives", &format!("← {}  {}", short(from), short(says)))
        }
        Happening::Dropped { from, why } => {
            let why = match why {
                DropCause::Down => "the host is down",
                DropCause::PortClosed => "the port is not open",
                DropCause::BufferFull => "the paused host's buffer is full",
                DropCause::Cut => "the way was cut meanwhile",
            };
            look.paint(Ink::Faint, &verb("misses", &format!("← {}  {why}", short(from))))
        }
        Happening::Listening { port } => verb("listens", &format!("on port {port}")),
        Happening::Dialling { conn, to } => verb("dials", &format!("→ {}  (stream {conn})", short(to))),
        Happening::Opened { conn, to } => verb("connects", &format!("→ {}  (stream {conn})", short(to))),
        Happening::Accepted { conn, from, .. } => {
            verb("accepts", &format!("← {}  (stream {conn})", short(from)))
        }
        Happening::Wrote {
            conn, to, says, len, ..
        } => verb(
            "writes",
            &format!("→ {}  {}  (stream {conn})", short(to), short(&said(says, *len))),
        ),
        Happening::Read {
            conn,
            from,
            says,
            len,
            ..
        } => verb(
            "reads",
            &format!("← {}  {}  (stream {conn})", short(from), short(&said(says, *len))),
        ),
        Happening::PausedReading { conn } => verb("pauses", &format!("reading (stream {conn})")),
        Happening::ResumedReading { conn } => verb("resumes", &format!("reading (stream {conn})")),
        Happening::Blocked { conn } => verb(
            "blocked",
            &format!("more is written than goes out (stream {conn})"),
        ),
        Happening::Writable { conn } => {
            verb("writable", &format!("all that waited goes out (stream {conn})"))
        }
        Happening::Closing { conn, to } => verb("closes", &format!("→ {}  (stream {conn})", short(to))),
        Happening::Closed { conn, with, why } => {
            let why = match why {
                Closed::Refused => "it is refused",
                Closed::Reset => "it is reset",
                Closed::TimedOut => "nothing is heard of it",
                Closed::Orderly => "it is closed there",
            };
            verb("loses", &format!("← {}  {why} (stream {conn})", short(with)))
        }
        Happening::Timer { timer } => verb("timer", &short(timer)),
        Happening::Persisting { token, len, .. } => {
            verb("writes", &format!("{len} bytes to its disk, write {token}"))
        }
        Happening::Persisted { token } => verb("wrote", &format!("write {token} is on the disk")),
        Happening::Fact { name, says } => {
            let said = fact(name, says);
            look.paint(Ink::Fact, &verb("claims", &short(&said)))
        }
        Happening::Call { call, says } => look.paint(
            Ink::Fact,
            &verb("is asked", &format!("{}  (call {call})", short(says))),
        ),
        Happening::Answer { call, says } => look.paint(
            Ink::Fact,
            &verb("answers", &format!("{}  (call {call})", short(says))),
        ),
        Happening::Violated { invariant } => {
            look.paint(Ink::Bad, &format!("✗ {} is violated", short(invariant)))
        }
        // A later kind of event: its plain form says more than nothing.
        other => short(&format!("{other:?}")),
    }
}

/// What a piece of a stream says: its messages, or how long it is.
fn said(says: &[String], len: u32) -> String {
    match says {
        [] => format!("{len} bytes"),
        says => says.join("; "),
    }
}

/// A fact by the name that files use, with what it holds: `joined { server: 10.0.0.1 }`.
fn fact(name: &str, says: &str) -> String {
    let end = says
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(says.len());
    let (variant, rest) = says.split_at(end);
    let is_name = name
        .replace('_', "")
        .eq_ignore_ascii_case(&variant.replace('_', ""));
    match (is_name, says) {
        (_, "") => name.to_owned(),
        (true, _) => format!("{name}{rest}"),
        (false, _) => format!("{name}: {says}"),
    }
}

/// A text with hosts' names in place of their addresses: `c1:17`.
fn named(text: &str, trace: &Trace) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let begins_number = rest.starts_with(is_number);
        let end = rest.find(|c| is_number(c) != begins_number).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let ip: Option<Ipv4Addr> = begins_number.then(|| run.parse().ok()).flatten();
        let host = ip.and_then(|ip| trace.ips.iter().position(|other| *other == ip));
        out.push_str(
            host.and_then(|host| trace.hosts.get(host))
                .map_or(run, String::as_str),
        );
        rest = after;
    }
    out
}

fn verb(verb: &str, rest: &str) -> String {
    format!("{}{rest}", padded(verb, 10)).trim_end().to_owned()
}

/// What becomes of a datagram, unless it is simply on its way.
fn fate_of(fate: Fate) -> Option<&'static str> {
    match fate {
        Fate::Underway => None,
        Fate::Doubled => Some("and a copy of it"),
        Fate::Lost => Some("the link loses it"),
        Fate::Cut => Some("a cut drops it"),
        Fate::Corrupted => Some("with a byte changed on the way"),
        Fate::CorruptedAndDoubled => Some("with a byte changed on the way, and an intact copy of it"),
        Fate::Congested => Some("the link's queue is full"),
        Fate::TooLong => Some("it is longer than the link's MTU"),
        Fate::NoSuchPlace => Some("there is no such place"),
    }
}
