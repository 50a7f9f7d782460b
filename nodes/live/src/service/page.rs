//! The status for people, as a page of plain HTML that looks itself over every few seconds.

use std::fmt::{Display, Write};

use serde_json::Value;
use squall_nodes::DiskAtBoot;

use super::pages::{Around, Told};
use crate::line::Counts;
use crate::status::{Recording, Status};

/// From one look to the next, in seconds.
const REFRESH: u32 = 5;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
                     h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}\
                     table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;\
                     border-bottom:1px solid #ddd}td:first-child{white-space:nowrap}\
                     pre,code{font:13px/1.45 ui-monospace,monospace}pre{overflow-x:auto;background:#f5f5f5;padding:.8rem}\
                     @media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#333}pre{background:#222}}";

/// The page.
pub(super) fn html(told: &Told) -> String {
    let status = &told.status;
    let name = escaped(&status.name);
    let mut page = Page(String::new());
    page.raw(&format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"{REFRESH}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}</title><style>{STYLE}</style></head><body>\
         <h1>{name}</h1>"
    ));
    page.who(status);
    if let Some(answer) = &told.answer {
        page.heading("How it stands");
        page.answer(answer);
    } else if let Some(says) = &told.says {
        page.heading("How it stands");
        page.code(says);
    }
    page.facts(status);
    page.timers(status);
    page.counts(status, &told.around);
    page.raw("<p><a href=\"/status.json\">the same as JSON</a> · <a href=\"/metrics\">metrics</a> · <a href=\"/\">all pages</a></p></body></html>\n");
    page.0
}

/// The pages that there are, for whoever comes without knowing.
pub(super) fn index(name: &str, pages: &[(&str, &str)]) -> String {
    let name = escaped(name);
    let mut page = Page(String::new());
    page.raw(&format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}</title><style>{STYLE}</style></head><body><h1>{name}</h1><table>"
    ));
    for (path, says) in pages {
        page.raw(&format!(
            "<tr><td><a href=\"{path}\">{path}</a></td><td>{}</td></tr>",
            escaped(says)
        ));
    }
    page.raw("</table></body></html>\n");
    page.0
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn heading(&mut self, text: &str) {
        self.raw(&format!("<h2>{}</h2>", escaped(text)));
    }

    fn code(&mut self, text: &str) {
        self.raw(&format!("<pre>{}</pre>", escaped(text)));
    }

    fn table(&mut self, rows: impl IntoIterator<Item = Vec<String>>) {
        self.raw("<table>");
        for row in rows {
            let cells: String = row
                .iter()
                .map(|cell| format!("<td>{}</td>", escaped(cell)))
                .collect();
            self.raw(&format!("<tr>{cells}</tr>"));
        }
        self.raw("</table>");
    }

    fn who(&mut self, status: &Status) {
        let ports: Vec<String> = status.ports.iter().map(u16::to_string).collect();
        let state = match status.booted {
            Some(_) => format!("up for {}", short(status.up)),
            None => "waits to be told to go".to_owned(),
        };
        let disk = match status.disk {
            DiskAtBoot::Fresh => "nothing was written yet".to_owned(),
            DiskAtBoot::Kept => "as it was left".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        let policy = status
            .policy
            .map_or("none".to_owned(), |number| number.to_string());
        let recording = match &status.recording {
            Recording::Off => "off".to_owned(),
            Recording::On { bytes } => format!("on, {bytes} bytes"),
            Recording::Full { bytes } => format!("full at {bytes} bytes, nothing is recorded any more"),
            Recording::Failed { bytes } => format!("failed at {bytes} bytes, nothing is recorded any more"),
        };
        self.table(vec![
            row(
                "protocol",
                format!("{} by the rules {}", status.protocol, status.rules),
            ),
            row("role", plain(&status.role)),
            row("address", status.address),
            row("ports", ports.join(", ")),
            row("state", state),
            row("incarnation", status.incarnation),
            row("disk at boot", disk),
            row("process", status.pid),
            row("seed", status.seed),
            row("link policy", policy),
            row("flight recorder", recording),
            row(
                "recording",
                status
                    .recording_file
                    .as_ref()
                    .map_or("–".to_owned(), |file| file.display().to_string()),
            ),
        ]);
    }

    /// A status of fields, with lists of rows as tables.
    fn answer(&mut self, answer: &Value) {
        // An enum's variant with fields is a map with one key, which says no more than what was asked.
        let inner = match answer {
            Value::Object(fields) if fields.len() == 1 => fields.values().next().unwrap_or(answer),
            other => other,
        };
        let Value::Object(fields) = inner else {
            return self.code(&plain(inner));
        };
        let is_table = |value: &Value| {
            let rows = value.as_array();
            rows.is_some_and(|rows| !rows.is_empty() && rows.iter().all(Value::is_object))
        };
        let flat = fields.iter().filter(|(_, value)| !is_table(value));
        self.table(flat.map(|(name, value)| row(name, plain(value))));
        for (name, value) in fields.iter().filter(|(_, value)| is_table(value)) {
            self.heading(name);
            let rows: Vec<_> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .collect();
            let columns: Vec<String> = rows
                .first()
                .map(|row| row.keys().cloned().collect())
                .unwrap_or_default();
            let cells = rows.iter().map(|row| {
                let cell = |column: &String| row.get(column).map_or(String::new(), plain);
                columns.iter().map(cell).collect()
            });
            let head = std::iter::once(columns.clone());
            self.table(head.chain(cells).collect::<Vec<_>>());
        }
    }

    fn facts(&mut self, status: &Status) {
        self.heading("What it claimed last");
        let told = |fact: &crate::status::Claimed| {
            let count = match fact.count {
                1 => "the first".to_owned(),
                count => format!("the last of {count}"),
            };
            vec![
                format!("{} ago", short(fact.ago)),
                fact.name.clone(),
                count,
                fact.says.clone(),
            ]
        };
        self.table(status.facts.iter().map(told).collect::<Vec<_>>());
    }

    fn timers(&mut self, status: &Status) {
        self.heading("Timers");
        let armed = |timer: &crate::status::Armed| row(&timer.timer, format!("in {}", short(timer.within)));
        self.table(status.timers.iter().map(armed).collect::<Vec<_>>());
    }

    fn counts(&mut self, status: &Status, around: &Around) {
        let Counts {
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
            streams,
        } = &status.counts;
        let turned_away = around.turned_away.iter();
        let turned_away: Vec<String> = turned_away
            .map(|(what, times)| format!("{times} × a {}", what.name()))
            .collect();
        self.heading("Counts");
        self.table(vec![
            row("inputs", status.inputs),
            row("datagrams sent", sent),
            row("… handed to the node", delivered),
            row("… held by the link policy", under_way),
            row("… dropped since its inbox was full", overflowed),
            row("… that could not be sent", unsent),
            row("… too long", too_long),
            row(
                "… lost, cut, congested, doubled by the link policy",
                format!("{lost}, {cut}, {congested}, {duplicated}"),
            ),
            row(
                "connections dialled, and opened of those",
                format!("{}, {}", streams.dialled, streams.opened),
            ),
            row("… accepted", streams.accepted),
            row(
                "… closed by this side, by the peer, refused, reset, timed out",
                format!(
                    "{}, {}, {}, {}, {}",
                    streams.ended, streams.closed, streams.refused, streams.reset, streams.timed_out
                ),
            ),
            row(
                "… turned away: too many from one address, without a certificate that holds",
                format!("{}, {}", streams.crowded, streams.untrusted),
            ),
            row("… reset since too much waited to be written", streams.overrun),
            row(
                "how often ports were shut, since there were as many connections as there may be",
                streams.shut,
            ),
            row(
                "connections open, being closed",
                format!("{}, {}", status.streams.open, status.streams.closing),
            ),
            row(
                "bytes written, read over connections",
                format!("{}, {}", streams.written, streams.read),
            ),
            row("writes completed", status.writes.completed),
            row("writes failed", status.writes.failed),
            row(
                "calls and answers",
                format!("{} and {}", status.calls.taken, status.calls.answers),
            ),
            row(
                "stalls",
                format!(
                    "{}, of {} at most",
                    status.stalls.count,
                    short(status.stalls.longest)
                ),
            ),
            row("lines of the log that nobody got", around.lost),
            row("turned away", turned_away.join(", ")),
        ]);
    }
}

fn row(name: &str, value: impl Display) -> Vec<String> {
    vec![name.to_owned(), value.to_string()]
}

/// A value in a cell: text without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

/// A length of time for people, to a tenth of a second at most.
fn short(span: squall_nodes::Span) -> String {
    let tenths = span.as_nanos() / 100_000_000;
    match tenths {
        0 => format!("{} ms", span.as_nanos() / 1_000_000),
        1..600 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => {
            let seconds = tenths / 10;
            format!(
                "{} h {:02} min {:02} s",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            )
        }
    }
}

/// Text that means nothing but itself in HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // A control character would be drawn as nothing.
            c if c.is_control() && c != '\n' => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use squall_nodes::Span;

    use super::*;

    #[test]
    fn what_peers_say_is_text_and_nothing_else() {
        assert_eq!(
            escaped("<b a=\"'\">&\u{7}\n"),
            "&lt;b a=&quot;&#39;&quot;&gt;&amp;\\u{7}\n"
        );
    }

    #[test]
    fn lengths_of_time_are_for_people() {
        for (millis, text) in [
            (0, "0 ms"),
            (99, "99 ms"),
            (12_340, "12.3 s"),
            (3_723_000, "1 h 02 min 03 s"),
        ] {
            assert_eq!(short(Span::from_millis(millis)), text);
        }
    }
}
