//! A plan: a scenario under one rule set with nothing left to look up. The engine runs plans and knows no files.
//!
#![doc = include_str!("faults.md")]

use std::net::Ipv4Addr;
use std::sync::Arc;

// Whoever makes a plan finds its words here.
pub use squall_nodes::latency::Latency;
pub use squall_nodes::link::{HEADERS, LinkChange, LinkLaw, transmission};
pub use squall_nodes::stream::StreamLaw;
use squall_nodes::{Crash, HostId, HostKey, Node, Placed, Protocol, Span, Time, Tolerance};

use crate::machine::Lateness;

/// Everything that a run needs besides its seed.
pub struct Plan<P: Protocol> {
    /// What the scenario is called: the path of its file.
    pub scenario: String,
    /// The rule set, one of [`Protocol::RULES`].
    pub rules: &'static str,
    /// The hosts, in the order of their [`HostId`]s; in a plan for the virtual world each at its [`address_of`].
    pub hosts: Vec<PlannedHost<P::Node>>,
    /// What links are like.
    pub network: Network,
    /// How long a persist takes.
    pub persist: Latency,
    /// How late hosts are about what nobody but themselves brings about: their boots and their timers; exact when `None`. No file can say
    /// it: it is what a machine was measured to take. What runs with it is judged as a live run is, with
    /// [`live_tolerance`](Self::live_tolerance).
    pub lateness: Option<Lateness>,
    /// What is done to the world, in the order of the file.
    pub timeline: Vec<Step>,
    /// What clients and operators ask, in the order of the file.
    pub workload: Vec<Work<P::Node>>,
    /// When the run ends, counted from its beginning.
    pub limit: Span,
    /// After how many events a run that has not ended is stopped, as inconclusive;
    /// [`Outcome::events`](crate::outcome::Outcome::events) says what counts.
    pub max_events: u64,
    /// What is judged.
    pub invariants: Vec<PlannedInvariant>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// What the file expects of this rule set.
    pub expect: Expect,
    /// How bad the links may be while liveness is asked for.
    pub tolerated: Tolerance,
    /// How much later than here things may come in a live run, where machines have other work to do: every promise of quiet has that much
    /// more time, and a host that is kept from running for longer disturbs its group.
    pub live_tolerance: Span,
}

/// A host as it is before the run.
pub struct PlannedHost<N: Node> {
    /// Its place in the cluster.
    pub placed: Placed<N>,
    /// What it is called in keyed draws.
    pub key: HostKey,
    /// When it boots for the first time.
    pub starts: Time,
    /// How its clock stands and goes when the run begins.
    pub clock: Clock,
}

/// A host's own clock, as the run begins: at `offset`, and going `1 + drift_ppm / 1 000 000` times as fast as true time.
///
/// It is monotonic, and the machine's: it goes on while the host is paused or down. It is what the node is told the time by, and what
/// its timers' deadlines are on; the times of a plan, of traces and of measures are true ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// How far it is ahead of true time.
    pub offset: Span,
    /// By how many millionths it is fast; slow where it is negative. Within [`Clock::SLOWEST_PPM`] and [`Clock::FASTEST_PPM`].
    pub drift_ppm: i32,
}

impl Clock {
    /// The least that a drift may be: half as fast as true time.
    pub const SLOWEST_PPM: i32 = -500_000;
    /// The most that a drift may be: twice as fast.
    pub const FASTEST_PPM: i32 = 1_000_000;
}

/// What links are like: all of them, those between zones, and those that differ by themselves.
#[derive(Clone, Debug)]
pub struct Network {
    /// Every link that is not named below.
    pub default: Arc<LinkLaw>,
    /// Links between hosts by the zones that these are in.
    pub zones: Zones,
    /// Links of their own, sorted by (from, to), each pair once. What they have goes before what their zones have.
    pub links: Vec<((HostId, HostId), Arc<LinkLaw>)>,
    /// What the kernels of the hosts go by in streams.
    pub streams: StreamLaw,
}

/// The zones of a network: data centres, racks, continents.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    /// Their names.
    pub names: Vec<String>,
    /// The zone of each host, by its place among the names; `None` for a host that is in none. By [`HostId`].
    pub of: Vec<Option<u32>>,
    /// Links from one zone to another, or inside one, sorted by (from, to), each pair once.
    pub laws: Vec<((u32, u32), Arc<LinkLaw>)>,
}

/// One entry of the timeline.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it happens.
    pub trigger: Trigger,
    /// What happens.
    pub fault: Fault,
    /// The fault as reports name it: `partition(c1 c2 | c3 c4)`.
    pub label: String,
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// At a time.
    At(Time),
    /// Again and again.
    Every {
        /// The first time.
        first: Time,
        /// From one time to the next; at least a microsecond.
        interval: Span,
        /// Not at or after this time.
        until: Time,
    },
    /// When a node does something, once.
    When {
        /// What.
        cue: Cue,
        /// Who; anyone when empty.
        by: Vec<HostId>,
        /// At which time that it happens, counted from 1, of all that `by` do.
        nth: u32,
        /// How long after it.
        after: Span,
    },
}

/// Something that a node does, and that a fault can wait for. What triggers at once happens before the rest of what the node
/// asked for with the same input; if it takes the node down, the rest is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cue {
    /// It claims the fact at this place in [`Fact::NAMES`](squall_nodes::Fact::NAMES).
    Fact(usize),
    /// A write to its disk begins. A node that is killed now leaves the old contents or the new.
    PersistBegun,
    /// A write is on its disk, and has not failed. What waited behind it has not gone on yet: a node that is killed now leaves the
    /// new contents, and nobody hears of it.
    PersistCompleted,
    /// It has sent a datagram to one of these, whatever becomes of it; to anyone when empty. What waits behind a write is sent when
    /// it goes on.
    Send(Vec<HostId>),
    /// A connection that it dialled to one of these is open; to anyone when empty. Its node has not been told yet.
    Open(Vec<HostId>),
}

/// Something that is done to the world. [Every fault under every trigger](self#every-fault-under-every-trigger) has a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Takes hosts down.
    Crash(Crash, Vec<Target>),
    /// Boots hosts that are down and were up before.
    Restart {
        /// Which.
        who: Vec<Target>,
        /// What they find.
        disk: DiskOnRestart,
    },
    /// Stops hosts, which keep their memory.
    Pause(Vec<Target>),
    /// Lets paused hosts run again.
    Resume(Vec<Target>),
    /// Moves hosts' clocks forward. A timer whose deadline is jumped over goes off at once. Clocks of hosts that are down jump too.
    Jump {
        /// Whose.
        who: Vec<Target>,
        /// How far; more than nothing.
        by: Span,
    },
    /// Lays a layer over the world: it lasts until it is healed, and others over the same hosts and links come and go without it.
    Lay(Layer),
    /// Takes away the latest layer that is still there and was laid by an equal fault: one that comes to the same for every host,
    /// whatever the order in which hosts and groups are named. In a ring the order counts.
    Heal(Layer),
    /// Takes away all layers over links that are there, in the order in which they were laid: cuts, flapping ones, and changes
    /// of laws. Layers over hosts stay.
    HealAll,
}

/// A fault that lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Links are cut.
    Cut(CutPlan),
    /// Links are cut, and open, and cut again: cut first. It is one layer, cut or open; each time that it cuts is a cut of its own
    /// for those who watch.
    Flap {
        /// Which.
        cut: CutPlan,
        /// For how long they are cut each time; more than nothing.
        down: Span,
        /// For how long they are open each time; more than nothing.
        up: Span,
    },
    /// Links get other laws. Where several lie over a link, the one that was laid last has the last word on each part. A layer
    /// touches a datagram when the law that it goes out under would be another one without the layers of its step.
    Links {
        /// From whom.
        from: Vec<Target>,
        /// To whom; not from a host to itself.
        to: Vec<Target>,
        /// What is put in place of their laws.
        change: LinkChange,
    },
    /// Hosts are slow: an input is handled only when the host has worked on it this long, and one after the other. Several add
    /// up. What comes in meanwhile waits in the host's kernel, as while it is paused: datagrams in a buffer of the same size,
    /// timers, calls, the start of a node, and writes that are on the disk, each of which takes its time as well.
    ///
    /// A paused host works on nothing, and goes on where it was when it is resumed. When a layer is laid or healed, it is
    /// done with the input that it works on after what that is to take from then on; when the last is healed, what waits is
    /// found at once. A timer that the node takes back while it waits takes no time.
    Slow {
        /// Which.
        who: Vec<Target>,
        /// How long each input takes; more than nothing.
        by: Span,
    },
    /// Writes take longer. Several add up. It is for writes that begin while it is there, and they take so long when it is healed too.
    SlowDisk {
        /// Whose.
        who: Vec<Target>,
        /// How much longer; more than nothing.
        by: Span,
    },
    /// Writes fail: a write that would complete while it is there leaves the disk as it was, and what waits behind it is dropped.
    /// Its node is told so of each persist that the write would have completed, and then of each that waited, in order. Of several,
    /// the greatest share counts: one draw decides a write's fate.
    FailingDisk {
        /// Whose.
        who: Vec<Target>,
        /// The share of writes that fail, drawn for each; more than 0.
        share: f64,
    },
    /// Clocks go at another rate. Several add up, and to the clock's own drift; what they come to is kept within
    /// [`Clock::SLOWEST_PPM`] and [`Clock::FASTEST_PPM`]. The bounds are for the sum: more of one makes up for more of another. What is
    /// beyond them does nothing, and a layer without which the sum is kept at the same bound touches nothing.
    Drift {
        /// Whose.
        who: Vec<Target>,
        /// By how many millionths they are fast; slow where it is negative. Not 0.
        ppm: i32,
    },
}

/// Which links a fault cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutPlan {
    /// Nothing passes between the groups. Hosts that none names form one more group.
    Partition(Vec<Vec<Target>>),
    /// Nothing passes from the first to the second.
    OneWay {
        /// Whose datagrams are lost.
        from: Vec<Target>,
        /// On the way to whom.
        to: Vec<Target>,
    },
    /// Nothing passes between the sides, but everything to and from the hosts between them. Hosts that nothing names form one
    /// more side.
    Bridge {
        /// Who reaches everyone.
        over: Vec<Target>,
        /// The sides.
        sides: Vec<Vec<Target>>,
    },
    /// Hosts in a ring, in this order, each of which reaches `reach` neighbours on either side and nobody else. Hosts that it does
    /// not name reach each other, and nobody in it. Where it names [`Target::Actor`] who is named besides, so that fewer than
    /// 2 × `reach` + 2 hosts are left, it is not laid, and the run is inconclusive.
    Ring {
        /// The ring.
        hosts: Vec<Target>,
        /// How many places away a host reaches; at least 1.
        reach: u32,
    },
}

/// A host that a fault is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This host.
    Host(HostId),
    /// Whoever did what triggered the fault.
    Actor,
}

impl Target {
    /// The host meant; none where nobody did anything.
    pub fn host(self, actor: Option<HostId>) -> Option<HostId> {
        match self {
            Target::Host(host) => Some(host),
            Target::Actor => actor,
        }
    }
}

/// What a restarted host finds on its disk. What it finds is what is there from then on: no later restart brings back what a
/// damage took.
///
/// A damage is of what was written: where nothing was, or nothing since the disk was wiped or damaged, and where it would leave the
/// disk as it is, the host restarts with it as it is and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOnRestart {
    /// What the last persist that completed wrote.
    Kept,
    /// Nothing.
    Wiped,
    /// What was there before the last write: the one that was under way when the host went down, else the last that completed,
    /// which the disk only said it had done.
    Stale,
    /// The beginning of that write, as much as a draw has it, and what was there before it in the rest: neither the old nor the new,
    /// wherever there is anything between them.
    Torn,
    /// What the last persist that completed wrote, with one byte, drawn, turned into another one.
    Corrupt,
}

/// Calls of one kind.
pub struct Work<N: Node> {
    /// The first time.
    pub first: Time,
    /// From one time to the next; once only when `None`. At least a microsecond.
    pub interval: Option<Span>,
    /// Not at or after this time.
    pub until: Time,
    /// Whom to ask: one of these each time, drawn. When that host is down, no call is made or counted.
    pub of: Vec<HostId>,
    /// What to ask.
    pub command: N::Command,
    /// The entry as reports name it.
    pub label: String,
}

/// An invariant of the protocol, by its place in [`Protocol::invariants`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedInvariant {
    /// Which.
    pub kind: usize,
    /// Its full name: `hac.one_server`.
    pub name: String,
    /// Its parameters as written, with the parentheses: `(bound: "1s")`, or `()`.
    pub params: String,
    /// Whether the file names it, so that it must have something to judge.
    pub origin: Origin,
}

/// Where something in a plan comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file names it.
    Written,
    /// The protocol adds it by itself.
    Default,
}

/// A length of time that is measured in each run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What reports call it.
    pub name: String,
    /// What starts the clock, each time that it happens.
    pub from: Moment,
    /// What stops it: the first of these after that.
    pub to: Moment,
    /// Each of these hosts has to reach `to` by a claim of its own, as far as it was up all the time; anyone when `None`.
    /// The measure is the time until the last of them has.
    pub each: Option<Vec<HostId>>,
}

/// Something that happens in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// A fault of a kind, as [`Fault::kind`] names it.
    Fault(&'static str),
    /// A claim of the fact at this place in [`Fact::NAMES`](squall_nodes::Fact::NAMES).
    Fact(usize),
}

/// What a file expects of a rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No invariant is violated.
    Held,
    /// One of these is violated: in a run, in this one; in a sweep, in at least one, and no other in any.
    Violated(Vec<String>),
}

/// The address of a host in the virtual world: `10.0.0.1` and on.
pub fn address_of(host: HostId) -> Ipv4Addr {
    Ipv4Addr::from(FIRST_ADDRESS + host.0)
}

/// The host that would have an address in the virtual world.
pub fn host_at(ip: Ipv4Addr) -> HostId {
    HostId(u32::from(ip).wrapping_sub(FIRST_ADDRESS))
}

const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 0, 0, 1]);

impl<P: Protocol> Plan<P> {
    /// Whether every link, and the time that a persist holds back what a node says, keep within what the scenario tolerates;
    /// otherwise no group is ever quiet.
    pub fn links_are_tolerated(&self) -> bool {
        let disks = self.persist.percentile_999() <= self.tolerated.latency;
        disks && self.network.laws().all(|law| law.is_within(&self.tolerated))
    }
}

impl Network {
    /// All links alike.
    pub fn of(law: LinkLaw) -> Self {
        Network {
            default: Arc::new(law),
            zones: Zones::default(),
            links: Vec::new(),
            streams: StreamLaw::default(),
        }
    }

    /// The law of every link.
    pub fn laws(&self) -> impl Iterator<Item = &LinkLaw> {
        let zones = self.zones.laws.iter().map(|(_, law)| law);
        let own = self.links.iter().map(|(_, law)| law);
        std::iter::once(&self.default)
            .chain(zones)
            .chain(own)
            .map(Arc::as_ref)
    }

    /// The law of the link from one host to another.
    pub fn law(&self, from: HostId, to: HostId) -> &Arc<LinkLaw> {
        let (place, zones) = (self.place(from, to), self.zones.laws.len());
        match place.checked_sub(1) {
            None => &self.default,
            Some(place) if place < zones => &self.zones.laws[place].1,
            Some(place) => &self.links[place - zones].1,
        }
    }

    /// The place of that law among [`laws`](Network::laws).
    pub(crate) fn place(&self, from: HostId, to: HostId) -> usize {
        let own = self.links.binary_search_by_key(&(from, to), |(pair, _)| *pair);
        let own = own.ok().map(|place| 1 + self.zones.laws.len() + place);
        own.or_else(|| self.zones.place(from, to).map(|place| 1 + place))
            .unwrap_or(0)
    }
}

impl Zones {
    /// The place of the law between the zones of two hosts, where there is one.
    fn place(&self, from: HostId, to: HostId) -> Option<usize> {
        if self.laws.is_empty() {
            return None;
        }
        let [from, to] = [from, to].map(|host| self.of.get(host.index()).copied().flatten());
        self.laws
            .binary_search_by_key(&(from?, to?), |(pair, _)| *pair)
            .ok()
    }
}

impl Fault {
    /// The name of every kind of fault.
    pub const KINDS: &'static [&'static str] = &[
        "kill",
        "power_cut",
        "restart",
        "pause",
        "resume",
        "jump",
        "partition",
        "one_way",
        "bridge",
        "ring",
        "flap",
        "link",
        "slow",
        "slow_disk",
        "failing_disk",
        "drift",
        "heal",
        "heal_all",
    ];

    /// The kind, in snake case.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Crash(Crash::Kill, _) => "kill",
            Fault::Crash(Crash::PowerCut, _) => "power_cut",
            Fault::Restart { .. } => "restart",
            Fault::Pause(_) => "pause",
            Fault::Resume(_) => "resume",
            Fault::Jump { .. } => "jump",
            Fault::Lay(layer) => layer.kind(),
            Fault::Heal(_) => "heal",
            Fault::HealAll => "heal_all",
        }
    }
}

impl Layer {
    /// The kind of fault that lays it, in snake case.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Cut(CutPlan::Partition(_)) => "partition",
            Layer::Cut(CutPlan::OneWay { .. }) => "one_way",
            Layer::Cut(CutPlan::Bridge { .. }) => "bridge",
            Layer::Cut(CutPlan::Ring { .. }) => "ring",
            Layer::Flap { .. } => "flap",
            Layer::Links { .. } => "link",
            Layer::Slow { .. } => "slow",
            Layer::SlowDisk { .. } => "slow_disk",
            Layer::FailingDisk { .. } => "failing_disk",
            Layer::Drift { .. } => "drift",
        }
    }

    /// Whether it lies over links, so that [`Fault::HealAll`] takes it away.
    pub fn is_over_links(&self) -> bool {
        match self {
            Layer::Cut(_) | Layer::Flap { .. } | Layer::Links { .. } => true,
            Layer::Slow { .. } | Layer::SlowDisk { .. } | Layer::FailingDisk { .. } | Layer::Drift { .. } => {
                false
            }
        }
    }
}
