//! What the hosts of a story stand on: loopback addresses, where cuts are made at their edges, or network namespaces on a switch, where the
//! kernel makes them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use squall_nodes::link::LinkLaw;
use squall_stage::netns::{CutWays, Switch, address_of, unavailable};

use crate::story::{Story, World};

/// How many bytes a narrow link lets out at once, when nothing went out before.
const BUCKET: u64 = 5_000;

/// What the hosts of one story stand on.
pub(crate) enum Ground {
    Loopback,
    Namespaces {
        switch: Switch,
        /// From whom to whom nothing passes.
        cuts: BTreeSet<(usize, usize)>,
        /// Who has no power.
        dead: BTreeSet<usize>,
    },
}

impl Ground {
    /// Namespaces for the hosts of a story, with its links, if these can be had. With `SQUALL_NETNS=must` they are to be had.
    pub(crate) fn switch(story: &Story) -> Option<Self> {
        static SWITCHES: AtomicU32 = AtomicU32::new(0);
        if let Some(why) = unavailable() {
            let must = std::env::var_os("SQUALL_NETNS").is_some_and(|value| value == "must");
            assert!(!must, "{why}");
            return None;
        }
        let number = SWITCHES.fetch_add(1, Ordering::Relaxed);
        let run = format!("contract-{}-{number}", std::process::id());
        let hosts = story.hosts.len();
        let switch = Switch::build(&run, hosts).expect("namespaces can be had");
        if let Some(law) = &story.law {
            let bandwidth = law.bandwidth.expect("of laws, Linux is given the narrow links");
            let narrowed = (0..hosts).try_for_each(|host| narrow(&switch, host, bandwidth, law.queue));
            if let Err(why) = narrowed {
                let must = std::env::var_os("SQUALL_TBF").is_some_and(|value| value == "must");
                assert!(!must, "there are no narrow links here: {why}");
                return None;
            }
        }
        Some(Ground::Namespaces {
            switch,
            cuts: BTreeSet::new(),
            dead: BTreeSet::new(),
        })
    }

    /// The law that the edges are to make, if that is theirs to do.
    pub(super) fn law_of(&self, story: &Story) -> Option<LinkLaw> {
        match self {
            Ground::Loopback => story.law.clone(),
            Ground::Namespaces { .. } => None,
        }
    }

    pub(super) fn world(&self) -> World {
        match self {
            Ground::Loopback => World::Live,
            Ground::Namespaces { .. } => World::Namespaces,
        }
    }

    pub(super) fn addresses(&self, hosts: usize) -> Vec<Ipv4Addr> {
        match self {
            Ground::Loopback => {
                let block = on_loopback();
                (0..hosts as u32)
                    .map(|place| Ipv4Addr::from_bits(block + place))
                    .collect()
            }
            Ground::Namespaces { .. } => (0..hosts).map(address_of).collect(),
        }
    }

    /// The words that come before a program's for it to run on a host.
    pub(super) fn words(&self, host: usize) -> Vec<OsString> {
        match self {
            Ground::Loopback => Vec::new(),
            Ground::Namespaces { switch, .. } => switch.words(host),
        }
    }

    /// Cuts a way, if that is not the edges' business. So do the others.
    pub(super) fn cut(&mut self, from: usize, to: usize) -> bool {
        if let Ground::Namespaces { cuts, .. } = self {
            cuts.insert((from, to));
        }
        self.make_cuts()
    }

    pub(super) fn heal(&mut self) -> bool {
        if let Ground::Namespaces { cuts, .. } = self {
            cuts.clear();
        }
        self.make_cuts()
    }

    pub(super) fn unplug(&mut self, host: usize) -> bool {
        let Ground::Namespaces { switch, dead, .. } = self else {
            return false;
        };
        dead.insert(host);
        switch.unplug(host).expect("an interface can be taken down");
        true
    }

    /// Brings a host back that was unplugged.
    pub(super) fn plug_in(&mut self, host: usize) -> bool {
        let Ground::Namespaces { switch, dead, .. } = self else {
            return false;
        };
        if dead.remove(&host) {
            switch.plug_in(host).expect("an interface can be brought up");
        }
        true
    }

    fn make_cuts(&mut self) -> bool {
        let Ground::Namespaces { switch, cuts, .. } = self else {
            return false;
        };
        let ways = cuts.iter().copied().collect();
        switch.cut(&[CutWays { by: 0, ways }]).expect("cuts can be made");
        true
    }
}

/// Lets no more bits a second out of a host, which wait in a queue of so many bytes. A kernel may have been built without that.
fn narrow(switch: &Switch, host: usize, bandwidth: u64, queue: u64) -> Result<(), String> {
    let mut words = switch.words(host).into_iter();
    let mut command = Command::new(words.next().expect("there are some"));
    let told = format!("tc qdisc add dev eth0 root tbf rate {bandwidth}bit burst {BUCKET} limit {queue}");
    let done = command.args(words).args(told.split(' ')).output();
    let done = done.expect("a program can be started");
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Three addresses on the loopback network that no other story of this process has, and as good as certainly no other process.
fn on_loopback() -> u32 {
    static STORIES: AtomicU32 = AtomicU32::new(0);
    let story = STORIES.fetch_add(1, Ordering::Relaxed);
    assert!(story < 127, "there are no more addresses");
    let block = (std::process::id() % (1 << 13)) << 9 | story << 2 | 1;
    u32::from_be_bytes([127, 64, 0, 0]) + block
}
