//! A plan: a scenario under one rule set with nothing left to look up. The engine runs plans and knows no files.

use std::net::Ipv4Addr;
use std::sync::Arc;

use squall_nodes::{Crash, HostId, HostKey, Node, Placed, Protocol, Span, Time, Tolerance};

/// Everything that a run needs besides its seed.
pub struct Plan<P: Protocol> {
    /// What the scenario is called: the path of its file.
    pub scenario: String,
    /// The rule set, one of [`Protocol::RULES`].
    pub rules: &'static str,
    /// The hosts, in the order of their [`HostId`]s, each at its [`address_of`].
    pub hosts: Vec<PlannedHost<P::Node>>,
    /// What links are like.
    pub network: Network,
    /// How long a persist takes.
    pub persist: Latency,
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
}

/// A host as it is before the run.
pub struct PlannedHost<N: Node> {
    /// Its place in the cluster.
    pub placed: Placed<N>,
    /// What it is called in keyed draws.
    pub key: HostKey,
    /// When it boots for the first time.
    pub starts: Time,
}

/// What links are like: all of them, and the ones that differ.
#[derive(Clone, Debug)]
pub struct Network {
    /// Every link that is not named below.
    pub default: Arc<LinkLaw>,
    /// Links of their own, sorted by (from, to), each pair once.
    pub links: Vec<((HostId, HostId), Arc<LinkLaw>)>,
}

/// What one direction between two hosts does to datagrams. Ratios are from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkLaw {
    /// How long a datagram is on its way.
    pub latency: Latency,
    /// The share that is lost.
    pub loss: f64,
    /// The share that arrives twice; the copy draws a latency of its own.
    pub duplicate: f64,
    /// The share that is held back, so that later ones overtake it.
    pub reorder: f64,
    /// How long what is held back is held back at most; the time is drawn uniformly.
    pub reorder_by: Span,
}

/// A law of latency.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same.
    Constant(Span),
    /// Between the first, included, and the second, excluded, each as likely.
    Uniform(Span, Span),
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
    /// When a fact is claimed, once.
    When {
        /// The fact's place in [`Fact::NAMES`](squall_nodes::Fact::NAMES).
        fact: usize,
        /// By whom; anyone when empty.
        by: Vec<HostId>,
        /// At which claim that matches, counted from 1.
        nth: u32,
        /// How long after it.
        after: Span,
    },
}

/// Something that is done to the world.
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
    /// Lays a layer of cuts over the links.
    Cut(CutPlan),
    /// Takes away the latest layer that is still there and was laid by an equal cut.
    Heal(CutPlan),
    /// Takes away all layers that are there.
    HealAll,
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
}

/// A host that a fault is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This host.
    Host(HostId),
    /// Whoever claimed the fact that triggered the fault.
    Claimant,
}

/// What a restarted host finds on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOnRestart {
    /// What the last persist that completed wrote.
    Kept,
    /// Nothing.
    Wiped,
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
    /// Whether every link keeps within what the scenario tolerates; otherwise no group is ever quiet.
    pub fn links_are_tolerated(&self) -> bool {
        let own = self.network.links.iter().map(|(_, law)| law);
        std::iter::once(&self.network.default)
            .chain(own)
            .all(|law| law.is_within(&self.tolerated))
    }
}

impl LinkLaw {
    /// Whether loss and latency keep within what is tolerated.
    pub fn is_within(&self, tolerated: &Tolerance) -> bool {
        self.loss <= tolerated.loss && self.latency.percentile_999() <= tolerated.latency
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
        "partition",
        "one_way",
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
            Fault::Cut(CutPlan::Partition(_)) => "partition",
            Fault::Cut(CutPlan::OneWay { .. }) => "one_way",
            Fault::Heal(_) => "heal",
            Fault::HealAll => "heal_all",
        }
    }
}

impl Latency {
    /// The latency that 999 of 1000 datagrams do not exceed.
    pub fn percentile_999(&self) -> Span {
        match self {
            Latency::Constant(span) => *span,
            Latency::Uniform(low, high) => {
                *low + Span::from_nanos((high.as_nanos() - low.as_nanos()) / 1000 * 999)
            }
        }
    }
}
