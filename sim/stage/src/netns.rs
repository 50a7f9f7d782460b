//! Hosts in network namespaces of their own, on a switch that the kernel is: it makes the cuts.
//!
//! A run has a namespace for each host and one for the switch, a bridge, so that nothing of it is seen in the machine's own network. A cut
//! is a rule of nftables in the switch: one transaction for all hosts, in force at once, whether they run or not. What has left its
//! sender is dropped on the way, as in the simulator. A counter for each entry of the timeline says how many datagrams it dropped.
//!
//! It takes root, and the programs `ip` and `nft`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::door::StageError;

/// How many hosts a switch has at most: as many ports as a bridge of Linux has.
pub const MOST_HOSTS: usize = 1_000;

/// What the switch's namespace is called, after the run's name.
const SWITCH: &str = "switch";

/// The first host's address is the one after this.
const NETWORK: u32 = u32::from_be_bytes([10, 77, 0, 0]);

/// A switch and the hosts on it. What is there of it is removed when it is dropped.
#[derive(Debug)]
pub struct Switch {
    run: String,
    hosts: usize,
    /// What counters had come to when their rules were last replaced.
    dropped: BTreeMap<u32, u64>,
}

/// One entry of the timeline and the ways that it cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutWays {
    /// The entry.
    pub by: u32,
    /// From one host to another, by their places.
    pub ways: Vec<(usize, usize)>,
}

/// The namespaces that a run of so many hosts will have: the switch's, and one for each.
pub fn names(run: &str, hosts: usize) -> Vec<String> {
    let switch = std::iter::once(switch_of(run));
    switch
        .chain((0..hosts).map(|host| namespace_of(run, host)))
        .collect()
}

/// Whether a namespace is called as one of a run's is.
pub fn is_of(run: &str, namespace: &str) -> bool {
    let own = namespace
        .strip_prefix("squall-")
        .and_then(|name| name.strip_prefix(run)?.strip_prefix('-'));
    own.is_some_and(|own| {
        own == SWITCH || (!own.is_empty() && own.bytes().all(|digit| digit.is_ascii_digit()))
    })
}

/// The address of a host, by its place.
pub fn address_of(host: usize) -> Ipv4Addr {
    Ipv4Addr::from(NETWORK + 1 + host as u32)
}

/// Why namespaces cannot be had here, if so: a sentence.
pub fn unavailable() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces take root; run it as root, or without --netns".to_owned());
    }
    ["ip", "nft"].into_iter().find_map(|program| {
        let found = Command::new(program).arg("-V").stdin(Stdio::null()).output();
        found
            .err()
            .map(|why| format!("--netns needs the program `{program}` (of iproute2 or nftables): {why}"))
    })
}

/// Removes those of these namespaces that are there, and says how many.
///
/// # Errors
///
/// That one is there and cannot be removed.
pub fn remove(namespaces: &[String]) -> Result<usize, StageError> {
    if namespaces.is_empty() {
        return Ok(0);
    }
    let found = those_there(namespaces)?;
    if found.is_empty() {
        return Ok(0);
    }
    let mut batch = String::new();
    for name in &found {
        let _ = writeln!(batch, "netns del {name}");
    }
    let removed = output(Command::new("ip").args(["-force", "-batch", "-"]), &batch);
    // What somebody else has removed meanwhile is gone, too.
    let left = those_there(namespaces)?;
    match (left.is_empty(), removed) {
        (true, _) => Ok(found.len()),
        (false, Err(why)) => Err(why),
        (false, Ok(_)) => {
            let what = format!("remove the namespaces {}", left.join(", "));
            Err(StageError::system(what, "they are still there"))
        }
    }
}

/// Those of these namespaces that are there.
fn those_there(namespaces: &[String]) -> Result<Vec<&str>, StageError> {
    let listed = output(Command::new("ip").args(["netns", "list"]), "")?;
    let there: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let names = namespaces.iter().map(String::as_str);
    Ok(names.filter(|name| there.contains(name)).collect())
}

impl Switch {
    /// Makes the namespaces of a run, with a cable from each host to the switch. [`names`] are to be written down before.
    ///
    /// # Errors
    ///
    /// What the system says; nothing is left of it then.
    pub fn build(run: &str, hosts: usize) -> Result<Self, StageError> {
        if hosts > MOST_HOSTS {
            let what = format!("connect {hosts} hosts");
            return Err(StageError::system(
                what,
                format!("a switch has {MOST_HOSTS} ports"),
            ));
        }
        let switch = Switch {
            run: run.to_owned(),
            hosts,
            dropped: BTreeMap::new(),
        };
        let name = switch_of(run);
        let mut names_batch = String::new();
        for namespace in names(run, hosts) {
            let _ = writeln!(names_batch, "netns add {namespace}");
        }
        output(Command::new("ip").args(["-batch", "-"]), &names_batch)?;
        let bridge = "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n";
        output(Command::new("ip").args(["-n", &name, "-batch", "-"]), bridge)?;
        let mut cables = String::new();
        for host in 0..hosts {
            let namespace = namespace_of(run, host);
            let _ = writeln!(
                cables,
                "link add eth0 netns {namespace} type veth peer name p{host} netns {name}"
            );
        }
        output(Command::new("ip").args(["-batch", "-"]), &cables)?;
        let mut ports = String::new();
        for host in 0..hosts {
            let _ = writeln!(ports, "link set p{host} master br0 up");
        }
        output(Command::new("ip").args(["-n", &name, "-batch", "-"]), &ports)?;
        for host in 0..hosts {
            let address = address_of(host);
            let own = format!("addr add {address}/16 dev eth0\nlink set lo up\nlink set eth0 up\n");
            let namespace = namespace_of(run, host);
            output(Command::new("ip").args(["-n", &namespace, "-batch", "-"]), &own)?;
        }
        Ok(switch)
    }

    /// The words that come before a program's for it to run on a host. The process keeps its number.
    pub fn words(&self, host: usize) -> Vec<OsString> {
        let name = namespace_of(&self.run, host);
        ["ip", "netns", "exec", &name]
            .into_iter()
            .map(OsString::from)
            .collect()
    }

    /// Makes these cuts, in place of those that there are, in one step.
    ///
    /// # Errors
    ///
    /// What the system says; the cuts are as they were then.
    pub fn cut(&mut self, cuts: &[CutWays]) -> Result<(), StageError> {
        // A transaction that replaces the table replaces its counters: what comes between the look at them and it is not counted.
        self.dropped = self.dropped()?;
        self.nft(&["-f", "-"], &rules(cuts))?;
        Ok(())
    }

    /// How many datagrams each entry of the timeline has dropped so far.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn dropped(&self) -> Result<BTreeMap<u32, u64>, StageError> {
        #[derive(Deserialize)]
        struct Listing {
            nftables: Vec<Object>,
        }
        #[derive(Deserialize)]
        struct Object {
            counter: Option<Counter>,
        }
        #[derive(Deserialize)]
        struct Counter {
            name: String,
            packets: u64,
        }
        let listed = self.nft(&["-j", "list", "counters"], "")?;
        let listing: Listing = serde_json::from_str(&listed)
            .map_err(|why| StageError::system("understand what nft says of its counters", why))?;
        let mut dropped = self.dropped.clone();
        for counter in listing.nftables.into_iter().filter_map(|object| object.counter) {
            if let Some(by) = counter.name.strip_prefix("step_").and_then(|by| by.parse().ok()) {
                *dropped.entry(by).or_default() += counter.packets;
            }
        }
        Ok(dropped)
    }

    fn nft(&self, words: &[&str], input: &str) -> Result<String, StageError> {
        let switch = switch_of(&self.run);
        output(
            Command::new("ip")
                .args(["netns", "exec", &switch, "nft"])
                .args(words),
            input,
        )
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Whatever cannot be removed now stands in the journal, and the journal stays for as long as it is there.
        let _ = remove(&names(&self.run, self.hosts));
    }
}

/// The rules for these cuts, as one transaction: the table is made, so that it can be removed, and made anew.
fn rules(cuts: &[CutWays]) -> String {
    let mut text = "table bridge squall { }\ndelete table bridge squall\n".to_owned();
    let cuts: Vec<&CutWays> = cuts.iter().filter(|cut| !cut.ways.is_empty()).collect();
    if cuts.is_empty() {
        return text;
    }
    let mut each: BTreeMap<u32, BTreeSet<(usize, usize)>> = BTreeMap::new();
    for cut in &cuts {
        each.entry(cut.by).or_default().extend(&cut.ways);
    }
    let all: BTreeSet<(usize, usize)> = each.values().flatten().copied().collect();
    let set = |ways: &BTreeSet<(usize, usize)>| {
        let pairs = ways
            .iter()
            .map(|(from, to)| format!("{} . {}", address_of(*from), address_of(*to)));
        pairs.collect::<Vec<_>>().join(", ")
    };
    text.push_str("table bridge squall {\n");
    for by in each.keys() {
        let _ = writeln!(text, "  counter step_{by} {{ }}");
    }
    for (name, ways) in each
        .iter()
        .map(|(by, ways)| (format!("step_{by}"), ways))
        .chain([("all".to_owned(), &all)])
    {
        let _ = writeln!(
            text,
            "  set ways_{name} {{ type ipv4_addr . ipv4_addr; elements = {{ {} }} }}",
            set(ways)
        );
    }
    text.push_str("  chain forward {\n    type filter hook forward priority 0; policy accept;\n");
    // Every entry that cuts a way counts what it drops, however many do.
    for by in each.keys() {
        let _ = writeln!(
            text,
            "    ip saddr . ip daddr @ways_step_{by} counter name step_{by}"
        );
    }
    text.push_str("    ip saddr . ip daddr @ways_all drop\n  }\n}\n");
    text
}

fn switch_of(run: &str) -> String {
    format!("squall-{run}-{SWITCH}")
}

fn namespace_of(run: &str, host: usize) -> String {
    format!("squall-{run}-{host}")
}

/// Runs a program to its end, with `input` at its stdin, and gives what it printed.
fn output(command: &mut Command, input: &str) -> Result<String, StageError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let told = format!("run `{}`", words.join(" "));
    let mut run = || -> std::io::Result<std::process::Output> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends before it has read everything says why at its end.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    };
    let done = run().map_err(|why| StageError::system(told.clone(), why))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(StageError::system(told, said.trim()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_two_entries_cut_is_counted_for_both_and_dropped_once() {
        let cuts = [
            CutWays {
                by: 3,
                ways: vec![(0, 1), (1, 0)],
            },
            CutWays {
                by: 7,
                ways: vec![(0, 1)],
            },
            CutWays { by: 9, ways: vec![] },
        ];
        let text = rules(&cuts);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(
            lines.contains(&"ip saddr . ip daddr @ways_step_3 counter name step_3"),
            "{text}"
        );
        assert!(
            lines.contains(&"ip saddr . ip daddr @ways_step_7 counter name step_7"),
            "{text}"
        );
        assert_eq!(
            lines.iter().filter(|line| line.ends_with("drop")).count(),
            1,
            "{text}"
        );
        assert!(!text.contains("step_9"), "{text}");
        assert!(text.contains("ways_all { type ipv4_addr . ipv4_addr; elements = { 10.77.0.1 . 10.77.0.2, 10.77.0.2 . 10.77.0.1 } }"), "{text}");
    }

    #[test]
    fn without_cuts_the_table_is_taken_away() {
        assert_eq!(
            rules(&[]),
            "table bridge squall { }\ndelete table bridge squall\n"
        );
    }
}
