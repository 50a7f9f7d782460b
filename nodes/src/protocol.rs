//! What a scenario file names: a protocol with its rule sets, profiles, invariants, and its way to read its own packets.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::invariant::{Always, InQuiet, Invariant, always, in_quiet};
use crate::node::{Fact, Node};
use crate::start::{Outside, Unusable};
use crate::stream::StreamLaw;
use crate::time::Span;

/// A protocol that can be named in a scenario file and run under every command.
pub trait Protocol: Sized + Send + Sync + 'static {
    /// What scenario files call it; also what stands ahead of its invariants' names.
    const NAME: &'static str;
    /// Its rule sets, the flawed one first where there are two.
    const RULES: &'static [&'static str] = &["Standard"];
    /// Its profiles: named sets of settings. The first is the default.
    const PROFILES: &'static [&'static str] = &["default"];
    /// One line about it, for lists.
    const ABOUT: &'static str;
    /// The state machine. Where there are several kinds of node, one enum of them.
    type Node: Node;

    /// The settings of a profile under a rule set; both are names from the lists above.
    fn config(profile: &str, rules: &str) -> ConfigOf<Self>;

    /// Fills in what each host's settings say of the others (addresses, members), and refuses what cannot be.
    ///
    /// A live node is assembled alone, with what its settings say of others already in them: what is there is kept.
    ///
    /// # Errors
    ///
    /// All that is wrong with the settings or the cast of hosts.
    fn assemble(hosts: &mut [Placed<Self::Node>]) -> Result<(), Vec<Misfit>> {
        let _ = hosts;
        Ok(())
    }

    /// Refuses what does not fit into what streams go by, which settings do not know of: connections that a host may not have. It is asked
    /// when the hosts are assembled.
    ///
    /// # Errors
    ///
    /// All that does not fit.
    fn fits(hosts: &[Placed<Self::Node>], streams: &StreamLaw) -> Result<(), Vec<Misfit>> {
        let _ = (hosts, streams);
        Ok(())
    }

    /// The arguments that a live node can be started with, each with what it does: those of the source document, for help and
    /// for complaints.
    const WORDS: &'static [(&'static str, &'static str)] = &[];

    /// Who a live node is by arguments of the protocol's own, `["client", "10.0.0.1", "7101"]`: its name, address, role and
    /// settings, which are `config` in all that the arguments do not say. It is [assembled](Protocol::assemble) afterwards, alone.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments; that there are none for this protocol, unless it says otherwise.
    fn start(
        words: &[String],
        config: ConfigOf<Self>,
        outside: &dyn Outside,
    ) -> Result<Placed<Self::Node>, Unusable> {
        let _ = (words, config, outside);
        Err(
            Unusable::new(format!("{} has no arguments of its own", Self::NAME))
                .hint("describe the node in a file: `Node(…)`"),
        )
    }

    /// What to ask of a node that runs, so that it tells how it stands: nothing, unless the protocol says so.
    fn status_command() -> Option<<Self::Node as Node>::Command> {
        None
    }

    /// What a node claims, in words for the person at its terminal; `None` where it is nothing to them.
    fn told(fact: &<Self::Node as Node>::Fact) -> Option<String> {
        let written = format!("{fact:?}");
        // The name, as everywhere, in place of the variant's.
        let end = written
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(written.len());
        Some(format!("{}{}", fact.name(), &written[end..]))
    }

    /// What a node answers, in words for the person at its terminal.
    fn answered(answer: &<Self::Node as Node>::Answer) -> String {
        format!("{answer:?}")
    }

    /// What the protocol promises.
    fn invariants() -> Vec<InvariantKind<Self::Node>>;

    /// The shortest timeout by which a node gives up on another: latency within a third of it is tolerated.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span;

    /// Something that tells people what packets say.
    fn describer() -> Box<dyn Describe>;
}

/// The settings of a protocol's nodes.
pub type ConfigOf<P> = <<P as Protocol>::Node as Node>::Config;

/// A host in its place in the cluster, before it boots.
#[derive(Clone)]
pub struct Placed<N: Node> {
    /// Its name in the scenario.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// What it is.
    pub role: N::Role,
    /// Its settings.
    pub config: N::Config,
}

// By hand: a node does not have to have a form for people.
impl<N: Node> fmt::Debug for Placed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("name", &self.name)
            .field("ip", &self.ip)
            .field("role", &self.role)
            .field("config", &self.config)
            .finish()
    }
}

/// Something in the settings or in the cast of hosts that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The place of the host in question, or `None` when it is about all of them.
    pub host: Option<usize>,
    /// The setting in question.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Everything that an invariant may know before the run.
pub struct Setup<'a, N: Node> {
    /// The hosts, in the order of their [`HostId`](crate::HostId)s.
    pub hosts: &'a [Placed<N>],
    /// The rule set.
    pub rules: &'a str,
    /// How bad the links may be while liveness is asked for.
    pub tolerated: Tolerance,
    /// What streams go by.
    pub streams: StreamLaw,
}

/// How bad links may be while liveness is still asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The share of datagrams that may be lost, from 0 to below 1.
    pub loss: f64,
    /// The 99.9th percentile of latency.
    pub latency: Span,
}

impl Tolerance {
    /// How many tries it takes until all of them are lost with a probability of at most 10⁻⁹.
    pub fn retries(&self) -> u32 {
        let (mut all_lost, mut tries) = (self.loss, 1);
        while all_lost > 1e-9 && tries < 10_000 {
            all_lost *= self.loss;
            tries += 1;
        }
        tries
    }
}

/// When a promise holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// At every moment.
    Always,
    /// In a group that has been quiet for the bound.
    InQuiet {
        /// The bound.
        bound: Span,
    },
}

/// An invariant made for one run, with the bound it was made with.
pub struct Built<N: Node> {
    /// The invariant.
    pub invariant: Box<dyn Invariant<N>>,
    /// When it holds, as the scenario has it.
    pub promise: Promise,
    /// When it holds by the protocol's own formula.
    pub by_default: Promise,
}

/// A kind of invariant that a protocol offers, to be made anew for each run.
pub struct InvariantKind<N: Node> {
    name: &'static str,
    says: &'static str,
    applies: fn(&Setup<'_, N>) -> bool,
    build: Box<BuildFn<N>>,
}

type BuildFn<N> = dyn Fn(&str, &Setup<'_, N>) -> Result<Built<N>, ron::error::SpannedError> + Send + Sync;

impl<N: Node> InvariantKind<N> {
    /// A promise that holds always. `says` is the promise in one sentence, as a violation quotes it.
    pub fn always<J: Always<N>>(
        name: &'static str,
        says: &'static str,
        make: fn(&Setup<'_, N>) -> J,
    ) -> Self {
        Self::judged_by(name, says, move |setup| Built {
            invariant: always(make(setup)),
            promise: Promise::Always,
            by_default: Promise::Always,
        })
    }

    /// A promise without parameters, judged by any [`Invariant`].
    pub fn judged_by(
        name: &'static str,
        says: &'static str,
        make: impl Fn(&Setup<'_, N>) -> Built<N> + Send + Sync + 'static,
    ) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        Self::with(name, says, move |Nothing {}, setup| make(setup))
    }

    /// A promise that holds in quiet, with its bound as a formula of the settings, rounded up to whole milliseconds; a
    /// scenario may give another `bound`.
    pub fn in_quiet<J: InQuiet<N>>(
        name: &'static str,
        says: &'static str,
        bound: fn(&Setup<'_, N>) -> Span,
        make: fn(&Setup<'_, N>) -> J,
    ) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Bound {
            bound: Option<Span>,
        }
        Self::with(name, says, move |params: Bound, setup| {
            // People read it; no promise rests on a fraction of a millisecond.
            let by_default = Span::from_millis(bound(setup).as_nanos().div_ceil(1_000_000));
            let bound = params.bound.unwrap_or(by_default);
            Built {
                invariant: in_quiet(bound, bound / 4, make(setup)),
                promise: Promise::InQuiet { bound },
                by_default: Promise::InQuiet { bound: by_default },
            }
        })
    }

    /// A promise with parameters of its own, read from the scenario's `name(…)`.
    pub fn with<T: DeserializeOwned>(
        name: &'static str,
        says: &'static str,
        make: impl Fn(T, &Setup<'_, N>) -> Built<N> + Send + Sync + 'static,
    ) -> Self {
        let build =
            move |params: &str, setup: &Setup<'_, N>| Ok(make(ron_options().from_str(params)?, setup));
        InvariantKind {
            name,
            says,
            applies: |_| true,
            build: Box::new(build),
        }
    }

    /// Judges by itself only in clusters of which `applies` is true; where a scenario names it, it judges all the same.
    #[must_use]
    pub fn only_if(mut self, applies: fn(&Setup<'_, N>) -> bool) -> Self {
        self.applies = applies;
        self
    }

    /// The name, without the protocol's.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The promise in one sentence.
    pub fn says(&self) -> &'static str {
        self.says
    }

    /// Whether it judges this cluster when the scenario does not say.
    pub fn applies(&self, setup: &Setup<'_, N>) -> bool {
        (self.applies)(setup)
    }

    /// Makes the invariant for one run. `params` is what the scenario has in the parentheses, with them: `(bound: "1s")`.
    ///
    /// # Errors
    ///
    /// What is wrong with the parameters, with its place in `params`.
    pub fn build(&self, params: &str, setup: &Setup<'_, N>) -> Result<Built<N>, ron::error::SpannedError> {
        (self.build)(params, setup)
    }
}

/// The dialect of RON that every file of the house is read in.
pub fn ron_options() -> ron::Options {
    use ron::extensions::Extensions;
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_NEWTYPES)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// Tells people what a packet says. It may keep state from packet to packet.
pub trait Describe {
    /// A line about a datagram on its way from `from` to `to`.
    fn datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> String;

    /// A line for each message that `bytes` complete of a stream, the next ones of the direction `from` one end `to` the other. They
    /// come in order and in any pieces; what is not complete is for the describer to keep. Both addresses together are those of one
    /// connection and no other that is open. Nothing is told but how many bytes they are, unless a protocol says more.
    fn stream(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Vec<String> {
        let _ = (from, to, bytes);
        Vec::new()
    }

    /// A connection between these ends begins: what is kept of an earlier one between them is of no use any more.
    fn begins(&mut self, one: SocketAddrV4, other: SocketAddrV4) {
        let _ = (one, other);
    }
}
