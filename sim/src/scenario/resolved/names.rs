//! Hosts, as files name them.

use squall_nodes::HostId;

use crate::plan::Target;
use crate::scenario::cast::host_of;
use crate::scenario::names::follows;

/// How many hosts in a row are written as a range.
const SHORTEST_RANGE: usize = 4;

/// The names of the hosts, by their ids.
pub(super) struct Names<'a> {
    names: &'a [String],
}

impl<'a> Names<'a> {
    pub(super) fn of(names: &'a [String]) -> Self {
        Names { names }
    }

    /// Hosts: `"a"`, `["a", "c1..c4"]`, `"*"`.
    pub(super) fn hosts(&self, hosts: &[HostId]) -> String {
        let targets: Vec<Target> = hosts.iter().map(|host| Target::Host(*host)).collect();
        self.targets(&targets)
    }

    /// The same, with whoever set off a trigger among them.
    pub(super) fn targets(&self, targets: &[Target]) -> String {
        match self.parts(targets).as_slice() {
            [one] => one.clone(),
            parts => format!("[{}]", parts.join(", ")),
        }
    }

    /// Hosts, as the parts of a list.
    fn parts(&self, targets: &[Target]) -> Vec<String> {
        let all = (0..self.names.len()).map(|host| Some(HostId(host as u32)));
        if targets.len() > 1 && targets.iter().map(host_of).eq(all) {
            return vec!["\"*\"".to_owned()];
        }
        let mut parts: Vec<String> = Vec::new();
        let mut rest = targets;
        while let [first, ..] = rest {
            let run = rest
                .windows(2)
                .take_while(|pair| follows(self.name(&pair[0]), self.name(&pair[1])))
                .count()
                + 1;
            let taken = if run >= SHORTEST_RANGE {
                parts.push(format!("\"{}..{}\"", self.name(first), self.name(&rest[run - 1])));
                run
            } else {
                parts.push(format!("\"{}\"", self.name(first)));
                1
            };
            rest = &rest[taken..];
        }
        parts
    }

    /// Groups of hosts, each as a list.
    pub(super) fn groups(&self, groups: &[Vec<Target>]) -> String {
        let groups: Vec<String> = groups
            .iter()
            .map(|group| format!("[{}]", self.parts(group).join(", ")))
            .collect();
        format!("[{}]", groups.join(", "))
    }

    fn name(&self, target: &Target) -> &str {
        match target {
            Target::Host(host) => &self.names[host.index()],
            Target::Actor => "@actor",
        }
    }
}
