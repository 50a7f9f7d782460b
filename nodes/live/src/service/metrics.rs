//! The status as figures, in the text that Prometheus reads.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use squall_nodes::{Fact, Node, Span};

use super::pages::Around;
use crate::line::StreamCounts;
use crate::status::{Recording, Status};

type Labels = Vec<(&'static str, String)>;

/// The figures of a status, and of what is around the node.
///
/// # Errors
///
/// None, as long as there is memory.
pub(super) fn text<N: Node>(status: &Status, around: &Around) -> Result<String, fmt::Error> {
    let mut book = Book(Registry::with_prefix("squall"));
    book.about(status);
    book.datagrams(status);
    book.streams(status);
    let fact = |name: &&'static str| {
        let count = status.claims.get(*name).copied().unwrap_or_default();
        ("fact", (*name).to_owned(), count)
    };
    let facts: Vec<_> = <N::Fact as Fact>::NAMES.iter().map(fact).collect();
    book.counters(
        "facts",
        "Facts that the node claimed. One of something that happens again and again is claimed the 1st, 2nd, 4th, 8th, … time, with its count",
        facts,
    );
    let writes = [
        ("result", "completed".to_owned(), status.writes.completed),
        ("result", "failed".to_owned(), status.writes.failed),
    ];
    book.counters("writes", "Writes to the disk", writes);
    book.counter("inputs", "Inputs that the node was handed", status.inputs);
    book.counter("calls", "Calls that the node took", status.calls.taken);
    book.counter("answers", "Answers that the node gave", status.calls.answers);
    book.counter(
        "log_lines_lost",
        "Lines of the log that nobody got, since its reader did not read or was gone",
        around.lost,
    );
    let turned_away = around.turned_away.iter();
    book.counters(
        "turned_away",
        "Who was turned away: clients of the control socket for whom there was no place, requests that were none, calls for which there was \
         no room, guests of the pages who asked for nothing in time",
        turned_away.map(|(what, times)| ("what", what.name().to_owned(), *times)),
    );
    book.counter(
        "stalls",
        "How often the node was late for what was due, by more than 100 ms where nobody attends it",
        status.stalls.count,
    );
    book.gauge(
        "calls_open",
        "Calls that may get more answers",
        status.calls.open as f64,
    );
    book.gauge(
        "timers_armed",
        "Timers that are armed",
        status.timers.len() as f64,
    );
    book.gauge(
        "policy",
        "The number of the link policy that is in force",
        status.policy.unwrap_or_default() as f64,
    );
    book.bytes(
        "waiting",
        "Effects that wait behind a write",
        status.writes.waiting as u64,
    );
    book.bytes(
        "delayed",
        "Datagrams that the link policy delays",
        status.delayed as u64,
    );
    book.seconds("uptime", "How long the node is up", status.up);
    book.seconds(
        "stall_longest",
        "The longest that the node was kept from running",
        status.stalls.longest,
    );
    book.recording(&status.recording);
    let mut text = String::new();
    encode(&mut text, &book.0)?;
    Ok(text)
}

/// Figures, under their names.
struct Book(Registry);

impl Book {
    /// Who the node is.
    fn about(&mut self, status: &Status) {
        let labels: Labels = vec![
            ("protocol", status.protocol.clone()),
            ("rules", status.rules.clone()),
            ("name", status.name.clone()),
            ("address", status.address.to_string()),
            // A role is a word, or more than that.
            (
                "role",
                status
                    .role
                    .as_str()
                    .map_or_else(|| status.role.to_string(), str::to_owned),
            ),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        self.0.register("node", "Who the node is", Info::new(labels));
        self.gauge(
            "incarnation",
            "The node's life, counted from 0",
            f64::from(status.incarnation),
        );
    }

    fn datagrams(&mut self, status: &Status) {
        let crate::line::Counts {
            sent,
            duplicated,
            delivered,
            lost,
            cut,
            congested,
            too_long,
            overflowed,
            unsent,
            under_way,
            // Of scenarios.
            touched: _,
            // Figures of their own.
            streams: _,
        } = &status.counts;
        let fates = [
            ("sent", sent),
            ("duplicated", duplicated),
            ("delivered", delivered),
            ("lost", lost),
            ("cut", cut),
            ("congested", congested),
            ("too_long", too_long),
            ("overflowed", overflowed),
            ("unsent", unsent),
        ];
        let fates = fates.map(|(fate, count)| ("fate", fate.to_owned(), *count));
        self.counters("datagrams", "Datagrams, by what became of them", fates);
        self.gauge(
            "datagrams_held",
            "Datagrams that have come in and that the link policy delays",
            *under_way as f64,
        );
    }

    fn streams(&mut self, status: &Status) {
        let StreamCounts {
            dialled,
            opened,
            accepted,
            closed,
            ended,
            refused,
            reset,
            timed_out,
            crowded,
            shut,
            overrun,
            untrusted,
            written,
            read,
        } = status.counts.streams;
        let fates = [
            ("dialled", dialled),
            ("opened", opened),
            ("accepted", accepted),
            ("closed", closed),
            ("ended", ended),
            ("refused", refused),
            ("reset", reset),
            ("timed_out", timed_out),
            ("crowded", crowded),
            ("overrun", overrun),
            ("untrusted", untrusted),
        ];
        let fates = fates.map(|(fate, count)| ("fate", fate.to_owned(), count));
        self.counters("connections", "Stream connections, by what became of them", fates);
        self.counter(
            "ports_shut",
            "How often ports were shut for want of room for more connections",
            shut,
        );
        let bytes = [
            ("way", "written".to_owned(), written),
            ("way", "read".to_owned(), read),
        ];
        self.counters("stream_bytes", "Bytes over stream connections", bytes);
        let open = [
            (
                "connections_open",
                "Stream connections that are open",
                status.streams.open,
            ),
            (
                "connections_closing",
                "Stream connections that are being closed",
                status.streams.closing,
            ),
        ];
        for (name, help, count) in open {
            self.gauge(name, help, count as f64);
        }
        self.bytes(
            "backlog",
            "What waits to be written to stream connections",
            status.streams.backlogs as u64,
        );
    }

    fn recording(&mut self, recording: &Recording) {
        let (is, bytes) = match recording {
            Recording::Off => ("off", 0),
            Recording::On { bytes } => ("on", *bytes),
            Recording::Full { bytes } => ("full", *bytes),
            Recording::Failed { bytes } => ("failed", *bytes),
        };
        let family = Family::<Labels, Gauge>::default();
        for state in ["off", "on", "full", "failed"] {
            let labels = vec![("state", state.to_owned())];
            family.get_or_create(&labels).set(i64::from(state == is));
        }
        self.0.register(
            "recorder",
            "Whether the flight is recorded: 1 for what is the case",
            family,
        );
        self.bytes("recording", "The flight recording", bytes);
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        self.0.register(name, help, counter);
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        counts: impl IntoIterator<Item = (&'static str, String, u64)>,
    ) {
        let family = Family::<Labels, Counter>::default();
        for (label, value, count) in counts {
            family.get_or_create(&vec![(label, value)]).inc_by(count);
        }
        self.0.register(name, help, family);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn bytes(&mut self, name: &str, help: &str, bytes: u64) {
        self.measured(name, help, Unit::Bytes, bytes as f64);
    }

    fn seconds(&mut self, name: &str, help: &str, span: Span) {
        self.measured(name, help, Unit::Seconds, span.as_nanos() as f64 / 1e9);
    }

    fn measured(&mut self, name: &str, help: &str, unit: Unit, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register_with_unit(name, help, unit, gauge);
    }
}
