//! What the hosts of a story stand on: loopback addresses, where cuts are made at their edges, or network namespaces on a switch, where the
//! kernel makes them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use squall_stage::netns::{CutWays, Switch, address_of, unavailable};

use crate::story::World;

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
    /// Namespaces for so many hosts, if they can be had. With `SQUALL_NETNS=must` they are to be had.
    pub(crate) fn switch(hosts: usize) -> Option<Self> {
        static SWITCHES: AtomicU32 = AtomicU32::new(0);
        if let Some(why) = unavailable() {
            let must = std::env::var_os("SQUALL_NETNS").is_some_and(|value| value == "must");
            assert!(!must, "{why}");
            return None;
        }
        let number = SWITCHES.fetch_add(1, Ordering::Relaxed);
        let run = format!("contract-{}-{number}", std::process::id());
        Some(Ground::Namespaces {
            switch: Switch::build(&run, hosts).expect("namespaces can be had"),
            cuts: BTreeSet::new(),
            dead: BTreeSet::new(),
        })
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

/// Three addresses on the loopback network that no other story of this process has, and as good as certainly no other process.
fn on_loopback() -> u32 {
    static STORIES: AtomicU32 = AtomicU32::new(0);
    let story = STORIES.fetch_add(1, Ordering::Relaxed);
    assert!(story < 127, "there are no more addresses");
    let block = (std::process::id() % (1 << 13)) << 9 | story << 2 | 1;
    u32::from_be_bytes([127, 64, 0, 0]) + block
}
