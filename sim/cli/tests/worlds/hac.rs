//! What random storms have found in hac stays mended, and by what is said to mend it: without that, be it a change of the rules or what a
//! promise has come to say, the file still breaks.

use std::marker::PhantomData;
use std::net::SocketAddrV4;

use squall_nodes::hac::wire::Epoch;
use squall_nodes::hac::{self, Hac, HacFact, HacNode, Role};
use squall_nodes::{
    Breach, Built, Change, ConfigOf, Describe, Invariant, InvariantKind, Links, Misfit, Placed, Protocol,
    Resident, Seen, Setup, Span, Time, World,
};
use squall_sim::Verdict;
use squall_sim::registered;
use squall_sim::runner::Runner;

use crate::finds;
use crate::library::root;

/// A file, and what keeps its flaw away.
struct Find {
    file: &'static str,
    mend: Mend,
}

/// What a find was mended by.
enum Mend {
    /// A change of the rules; without it, the promise is broken.
    Change(hac::Change, &'static str),
    /// No rule of a node could mend it: what is promised, or when, was put right. As it was before, the promise is broken.
    Promise {
        why: &'static str,
        before: Before,
        broken: &'static str,
    },
    /// No rule of a node could mend it: the world that nodes live in was put right. A test of the engine's own, which names the
    /// file, runs it in a world as it was before and has the promise broken.
    World {
        why: &'static str,
        test: &'static str,
        broken: &'static str,
    },
}

/// Makes hac with a promise as it was before a find.
type Before = fn() -> Box<dyn Runner>;

const FOUND: [Find; 6] = [
    Find {
        file: "found_forgotten_by_table.ron",
        mend: Mend::Change(hac::Change::Introduce, "hac.one_server"),
    },
    Find {
        file: "found_epoch_opened_twice.ron",
        mend: Mend::Change(hac::Change::Nonce, "hac.heard_grows"),
    },
    Find {
        file: "found_said_without_a_disk.ron",
        mend: Mend::Change(hac::Change::StartOver, "hac.epoch_grows"),
    },
    Find {
        file: "found_nobody_in_common.ron",
        mend: Mend::Promise {
            why: "nobody is left who could tell the two of each other, so nothing is promised of them",
            before: registered::<HacBefore<OfStrangersToo>>,
            broken: "hac.one_server",
        },
    },
    Find {
        file: "found_straggler.ron",
        mend: Mend::Promise {
            why: "a group is not quiet before what a bad link has kept has come",
            before: registered::<HacBefore<WhateverStraggles>>,
            broken: "hac.peers_agree",
        },
    },
    Find {
        file: "found_told_too_late.ron",
        mend: Mend::World {
            why: "what is said before a node knows that its write failed is dropped with the write",
            test: "sim/src/engine/tests/untold.rs",
            broken: "hac.epoch_grows",
        },
    },
];

#[test]
fn every_find_of_the_library_is_accounted_for_here_and_on_the_page_of_hac() {
    finds::assert_accounted_for::<Hac>(FOUND.iter().map(|Find { file, mend }| {
        let says = match mend {
            Mend::Change(change, _) => format!("[`{change:?}`]"),
            Mend::Promise { .. } | Mend::World { .. } => "None is possible".to_owned(),
        };
        (*file, says)
    }));
}

#[test]
fn what_a_storm_found_is_mended() {
    for Find { file, mend } in FOUND {
        for outcome in finds::run::<Hac>(finds::text::<Hac>(file), finds::SEEDS) {
            let why = match mend {
                Mend::Change(change, _) => format!("mended by {change:?}"),
                Mend::Promise { why, .. } | Mend::World { why, .. } => why.to_owned(),
            };
            let (seed, verdict, violation) = (outcome.seed, outcome.verdict, &outcome.violation);
            assert_eq!(
                verdict,
                Verdict::Held,
                "{file}, seed {seed} ({why}): {violation:?}"
            );
        }
    }
}

#[test]
fn without_its_mend_what_a_storm_found_breaks_again() {
    for Find { file, mend } in FOUND {
        let (runner, text, broken) = match mend {
            Mend::Change(change, broken) => {
                (registered::<Hac>(), finds::without::<Hac>(file, change), broken)
            }
            Mend::Promise { before, broken, .. } => (before(), finds::text::<Hac>(file), broken),
            Mend::World { test, broken, .. } => {
                let test = std::fs::read_to_string(root().join(test)).expect("the test can be read");
                let (file, broken) = (format!("/{file}\""), format!("Some(\"{broken}\")"));
                assert!(test.contains(&file) && test.contains(&broken), "{file} {broken}");
                continue;
            }
        };
        for outcome in finds::run_by(&*runner, text, 0) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(violated.as_deref(), Some(broken), "{file} without its mend");
        }
    }
}

/// hac, with one promise as it was before a find.
struct HacBefore<T>(PhantomData<fn() -> T>);

/// A promise as it was before a find.
trait Twin: 'static {
    /// Which.
    const PROMISE: &'static str;

    /// Whether the promise is made of a cluster.
    fn applies(setup: &Setup<'_, HacNode>) -> bool;

    /// Makes of the promise as it is what it was.
    fn of(promise: Box<dyn Invariant<HacNode>>, setup: &Setup<'_, HacNode>) -> Box<dyn Invariant<HacNode>>;
}

impl<T: Twin> Protocol for HacBefore<T> {
    const NAME: &'static str = Hac::NAME;
    const RULES: &'static [&'static str] = Hac::RULES;
    const PROFILES: &'static [&'static str] = Hac::PROFILES;
    const ABOUT: &'static str = Hac::ABOUT;
    type Node = HacNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        Hac::config(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<HacNode>]) -> Result<(), Vec<Misfit>> {
        Hac::assemble(hosts)
    }

    fn invariants() -> Vec<InvariantKind<HacNode>> {
        let before = |kind: InvariantKind<HacNode>| {
            if kind.name() != T::PROMISE {
                return kind;
            }
            let twin = move |(), setup: &Setup<'_, HacNode>| {
                let built = kind.build("()", setup).expect("it has no parameters");
                Built {
                    invariant: T::of(built.invariant, setup),
                    ..built
                }
            };
            InvariantKind::with(T::PROMISE, "as it was before a find", twin).only_if(T::applies)
        };
        Hac::invariants().into_iter().map(before).collect()
    }

    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        Hac::shortest_timeout(config)
    }

    fn describer() -> Box<dyn Describe> {
        Hac::describer()
    }
}

/// One server was promised of all that can reach each other, whoever knows whom.
struct OfStrangersToo {
    promise: Box<dyn Invariant<HacNode>>,
    everyone: Vec<SocketAddrV4>,
}

impl Twin for OfStrangersToo {
    const PROMISE: &'static str = "one_server";

    fn applies(setup: &Setup<'_, HacNode>) -> bool {
        setup.hosts.iter().any(|host| host.role != Role::Peer)
    }

    fn of(promise: Box<dyn Invariant<HacNode>>, setup: &Setup<'_, HacNode>) -> Box<dyn Invariant<HacNode>> {
        let address = |host: &Placed<HacNode>| SocketAddrV4::new(host.ip, host.config.port);
        Box::new(OfStrangersToo {
            promise,
            everyone: setup.hosts.iter().map(address).collect(),
        })
    }
}

impl Invariant<HacNode> for OfStrangersToo {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Result<(), Breach> {
        self.promise.on_seen(at, seen, world)?;
        // The promise takes it that a node knows whom it has granted an id. Whoever comes up after the others, or with an empty disk,
        // has done so to everyone; that is one end of any two that would have nobody in common.
        let Seen::World(Change::Up { host, .. }) = seen else {
            return Ok(());
        };
        for &addr in &self.everyone {
            let granted = Seen::Fact {
                host: *host,
                incarnation: world.incarnation(*host),
                fact: &HacFact::Granted {
                    id: 0,
                    epoch: Epoch::NONE,
                    addr,
                },
            };
            self.promise.on_seen(at, &granted, world)?;
        }
        Ok(())
    }

    fn due(&self) -> Time {
        self.promise.due()
    }

    fn on_due(&mut self, at: Time, world: &World) -> Result<(), Breach> {
        self.promise.on_due(at, world)
    }

    fn judged(&self) -> u64 {
        self.promise.judged()
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<HacNode>> {
        Box::new(OfStrangersToo {
            promise: self.promise.boxed_clone(),
            everyone: self.everyone.clone(),
        })
    }
}

/// A group was quiet whatever late word came in.
struct WhateverStraggles {
    promise: Box<dyn Invariant<HacNode>>,
    /// The world, which is told of no straggler.
    world: World,
}

impl Twin for WhateverStraggles {
    const PROMISE: &'static str = "peers_agree";

    fn applies(setup: &Setup<'_, HacNode>) -> bool {
        setup.hosts.iter().any(|host| host.role == Role::Peer)
    }

    fn of(promise: Box<dyn Invariant<HacNode>>, setup: &Setup<'_, HacNode>) -> Box<dyn Invariant<HacNode>> {
        let residents = setup.hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        Box::new(WhateverStraggles {
            promise,
            world: World::new(residents, Links::Tolerated),
        })
    }
}

impl Invariant<HacNode> for WhateverStraggles {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, HacNode>, _world: &World) -> Result<(), Breach> {
        match seen {
            Seen::World(Change::Straggled { .. }) => return Ok(()),
            Seen::World(change) => self.world.apply(at, change),
            _ => {}
        }
        self.promise.on_seen(at, seen, &self.world)
    }

    fn due(&self) -> Time {
        self.promise.due()
    }

    fn on_due(&mut self, at: Time, _world: &World) -> Result<(), Breach> {
        self.promise.on_due(at, &self.world)
    }

    fn judged(&self) -> u64 {
        self.promise.judged()
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<HacNode>> {
        Box::new(WhateverStraggles {
            promise: self.promise.boxed_clone(),
            world: self.world.clone(),
        })
    }
}
