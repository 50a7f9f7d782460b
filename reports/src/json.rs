//! Results as JSON, one object a line, for programs.
//!
//! Keys stand in a fixed order and are never taken away; new ones are added at the end. Times are in nanoseconds of virtual
//! time, counted from the beginning of the run, but for `wall_ms`; digests are 32 hexadecimal digits. `expect` is `"held"`, or
//! the list of the invariants of which one is to be violated.

mod check;
mod compare;
mod history;
pub mod replay;
mod run;
mod sweep;
mod trace;

use serde::{Serialize, Serializer};
use squall_sim::outcome::{InvariantDone, Standing};
use squall_sim::plan::Expect;

pub use self::check::check;
pub use self::compare::compare;
pub use self::history::history;
pub use self::run::{live, run};
pub use self::sweep::sweep;
pub use self::trace::{trace_event, trace_header};

/// How something stands to what a file expects, in a word.
fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::AsExpected => "as_expected",
        Standing::Otherwise => "otherwise",
        Standing::Unknown => "unknown",
    }
}

/// All that is written here is plain data with text for keys, which `serde_json` cannot refuse.
fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

#[derive(Serialize)]
struct Invariant<'a> {
    name: &'a str,
    judged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided: Option<&'a str>,
}

impl<'a> Invariant<'a> {
    fn of(done: &'a InvariantDone) -> Self {
        Invariant {
            name: &done.name,
            judged: done.judged,
            undecided: done.undecided.as_deref(),
        }
    }
}

/// `"held"`, or the list of the invariants of which one is expected to be violated.
struct Expected<'a>(&'a Expect);

impl Serialize for Expected<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Expect::Held => serializer.serialize_str("held"),
            Expect::Violated(names) => names.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
