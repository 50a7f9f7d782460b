//! What of one run is compared, of whichever world it is.

use std::collections::BTreeMap;

use squall_nodes::{HostId, Time};

use crate::outcome::{Measured, Outcome, Verdict};
use crate::trace::{Happening, Trace};

/// What of one run is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The seed.
    pub seed: u64,
    /// The answer.
    pub verdict: Verdict,
    /// What is violated, or why there is no answer; `None` where it held.
    pub reason: Option<String>,
    /// What was measured, in the order of the file.
    pub measures: Vec<Measured>,
    /// When each entry of the timeline first happened, in the order of the file.
    pub faults: Vec<Option<Time>>,
    /// When each host first claimed each fact that it claimed: by the fact's place among its protocol's and the host, ascending.
    pub firsts: Vec<((u32, HostId), Time)>,
}

impl Observed {
    /// What is compared of a run of a protocol that has these facts. What the trace has of other facts is passed over.
    pub fn of(outcome: Outcome, trace: &Trace, facts: &[&str]) -> Self {
        let mut firsts = BTreeMap::new();
        for event in &trace.events {
            let (Some(host), Happening::Fact { name, .. }) = (event.host, &event.what) else {
                continue;
            };
            if let Some(fact) = facts.iter().position(|fact| fact == name) {
                // Lines of several hosts are merged by their stamps, and yet the order of a trace is not relied on.
                let first = firsts.entry((fact as u32, host)).or_insert(event.at);
                *first = (*first).min(event.at);
            }
        }
        let reason = match (outcome.verdict, outcome.violation) {
            (Verdict::Held, _) => None,
            (_, Some(violation)) => Some(violation.invariant),
            (_, None) => Some(outcome.doubts.into_iter().next().unwrap_or_default()),
        };
        Observed {
            seed: outcome.seed,
            verdict: outcome.verdict,
            reason,
            measures: outcome.measures,
            faults: outcome.faults.iter().map(|fault| fault.at).collect(),
            firsts: firsts.into_iter().collect(),
        }
    }

    /// When the host first claimed the fact.
    pub fn first(&self, fact: u32, host: HostId) -> Option<Time> {
        let place = self.firsts.binary_search_by_key(&(fact, host), |(key, _)| *key);
        place.ok().map(|place| self.firsts[place].1)
    }
}
