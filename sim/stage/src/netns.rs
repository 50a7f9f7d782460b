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
        self.nft(&["-f", "-"], &rules(cuts))?;
        Ok(())
    }

    /// Takes a host's interface down: nothing comes from it or to it, and what waited to go out is gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn unplug(&mut self, host: usize) -> Result<(), StageError> {
        self.set_interface(host, "down")
    }

    /// Brings a host's interface up again.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn plug_in(&mut self, host: usize) -> Result<(), StageError> {
        self.set_interface(host, "up")
    }

    // The host's own end: at the switch's, what its kernel had still to send would go out once it is up again.
    fn set_interface(&self, host: usize, state: &str) -> Result<(), StageError> {
        let namespace = namespace_of(&self.run, host);
        let mut ip = Command::new("ip");
        output(ip.args(["-n", &namespace, "link", "set", "eth0", state]), "").map(drop)
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
        let mut dropped = BTreeMap::new();
        for counter in listing.nftables.into_iter().filter_map(|object| object.counter) {
            if let Some(by) = counter.name.strip_prefix("step_").and_then(|by| by.parse().ok()) {
                dropped.insert(by, counter.packets);
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

/// The rules for these cuts, as one transaction: they take the place of all others, and counters that are there stay and go on. Each rule
/// has its set of ways within, which goes when it does.
fn rules(cuts: &[CutWays]) -> String {
    const CHAIN: &str = "bridge squall forward";
    let mut text = format!(
        "add table bridge squall\n\
         add chain {CHAIN} {{ type filter hook forward priority 0; policy accept; }}\n\
         flush chain {CHAIN}\n"
    );
    let mut each: BTreeMap<u32, BTreeSet<(usize, usize)>> = BTreeMap::new();
    for cut in cuts.iter().filter(|cut| !cut.ways.is_empty()) {
        each.entry(cut.by).or_default().extend(&cut.ways);
    }
    let all: BTreeSet<(usize, usize)> = each.values().flatten().copied().collect();
    let set = |ways: &BTreeSet<(usize, usize)>| {
        let pairs = ways
            .iter()
            .map(|(from, to)| format!("{} . {}", address_of(*from), address_of(*to)));
        pairs.collect::<Vec<_>>().join(", ")
    };
    // Every entry that cuts a way counts what it drops, however many do.
    for (by, ways) in &each {
        let ways = set(ways);
        let _ = writeln!(text, "add counter bridge squall step_{by}");
        let _ = writeln!(
            text,
            "add rule {CHAIN} ip saddr . ip daddr {{ {ways} }} counter name step_{by}"
        );
    }
    if !all.is_empty() {
        let _ = writeln!(
            text,
            "add rule {CHAIN} ip saddr . ip daddr {{ {} }} drop",
            set(&all)
        );
    }
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
        let lines: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("add rule bridge squall forward "))
            .collect();
        assert_eq!(
            lines,
            [
                "ip saddr . ip daddr { 10.77.0.1 . 10.77.0.2, 10.77.0.2 . 10.77.0.1 } counter name step_3",
                "ip saddr . ip daddr { 10.77.0.1 . 10.77.0.2 } counter name step_7",
                "ip saddr . ip daddr { 10.77.0.1 . 10.77.0.2, 10.77.0.2 . 10.77.0.1 } drop",
            ]
        );
        assert!(!text.contains("step_9"), "{text}");
    }

    #[test]
    fn without_cuts_the_rules_are_taken_away_and_counters_stay() {
        let text = rules(&[]);
        assert!(text.ends_with("flush chain bridge squall forward\n"), "{text}");
        assert!(!text.contains("delete") && !text.contains("add rule"), "{text}");
    }

    #[test]
    fn only_names_of_the_run_are_its_own() {
        for name in names("run-a", 3) {
            assert!(is_of("run-a", &name), "{name}");
            assert!(!is_of("run", &name) && !is_of("run-b", &name), "{name}");
        }
        for name in [
            "squall-run-a-",
            "squall-run-a-1 2",
            "squall-run-a-x",
            "run-a-1",
            "",
        ] {
            assert!(!is_of("run-a", name), "{name}");
        }
    }
}
