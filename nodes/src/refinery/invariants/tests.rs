//! Masters and nodes that break a promise again and again, each time for less than its bound: what is seen of them is made up here, and they
//! are caught.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::super::wire::Epoch;
use super::super::{Config, Loss, RefineryFact, RefineryNode, Role, Rules};
use super::all;
use crate::invariant::{Breach, Invariant};
use crate::node::HostId;
use crate::protocol::{Placed, Setup, Tolerance};
use crate::seen::Seen;
use crate::time::{Span, Time};
use crate::world::{Links, Resident, World};

const M: HostId = HostId(0);
const S: HostId = HostId(1);
const N: HostId = HostId(2);

/// One promise, and a group of a master `m` that reigns, a standby `s` and a node `n` below the master.
struct Judge {
    world: World,
    invariant: Box<dyn Invariant<RefineryNode>>,
}

impl Judge {
    fn of(name: &str, loss: f64) -> Self {
        let host = |host: HostId, name: &str, role| {
            let mut config = Config::profile("brisk", Rules::Hardened);
            config.address = Some(at(host));
            config.masters = [at(M), at(S)].into();
            Placed {
                name: name.to_owned(),
                ip: *at(host).ip(),
                role,
                config,
            }
        };
        let node = Role::Node("crusher".to_owned());
        let hosts = [
            host(M, "m", Role::Master),
            host(S, "s", Role::Standby),
            host(N, "n", node),
        ];
        let setup = Setup {
            hosts: &hosts,
            rules: "Hardened",
            streams: crate::stream::StreamLaw::default(),
            tolerated: Tolerance {
                loss,
                latency: Span::from_millis(10),
            },
        };
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let kind = all().into_iter().find(|kind| kind.name() == name);
        let built = kind.expect("it is promised").build("()", &setup);
        let mut judge = Judge {
            world: World::new(residents, Links::Tolerated),
            invariant: built.expect("no parameters are needed").invariant,
        };
        let (epoch, upstream) = (Epoch(2), at(M));
        for (host, fact) in [
            (M, RefineryFact::Serving { epoch }),
            (N, RefineryFact::Attached { upstream }),
        ] {
            judge.claim(Time::ZERO, host, fact).expect("all is well");
        }
        judge
    }

    /// Lets time pass, and then sees somebody claim something.
    fn claim(&mut self, time: Time, host: HostId, fact: RefineryFact) -> Result<(), Breach> {
        while self.invariant.due() < time {
            self.invariant.on_due(self.invariant.due(), &self.world)?;
        }
        let (incarnation, fact) = (0, &fact);
        let seen = Seen::Fact {
            host,
            incarnation,
            fact,
        };
        self.invariant.on_seen(time, &seen, &self.world)
    }

    /// Something is undone, and done again five seconds later, every so often from a time on when everything has been quiet for long enough: how often until
    /// somebody minds; `None` when nobody does in half an hour.
    fn caught_after(mut self, every: Span, host: HostId, turn: [RefineryFact; 2]) -> Option<u64> {
        let late = Time::ZERO + Span::from_secs(300);
        (0..Span::from_secs(1_800).as_nanos() / every.as_nanos()).find(|nth| {
            let [undone, done] = turn.clone();
            let begins = late + every * *nth;
            let outcome = self.claim(begins, host, undone);
            let outcome = outcome.and_then(|()| self.claim(begins + Span::from_secs(5), host, done));
            outcome.is_err()
        })
    }
}

fn at(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + host.0), 7500)
}

fn reigns_beside() -> [RefineryFact; 2] {
    let (from, to) = (Epoch(3), Epoch(4));
    [
        RefineryFact::Serving { epoch: from },
        RefineryFact::SteppedDown { from, to },
    ]
}

fn loses_its_upstream() -> [RefineryFact; 2] {
    let (upstream, why) = (at(M), Loss::Silent);
    [
        RefineryFact::Detached { upstream, why },
        RefineryFact::Attached { upstream },
    ]
}

#[test]
fn a_standby_that_reigns_beside_the_master_again_and_again_breaks_one_master() {
    let caught = |loss, every| Judge::of("one_master", loss).caught_after(every, S, reigns_beside());
    let (often, seldom) = (Span::from_secs(10), Span::from_secs(600));
    assert_eq!((caught(0.0, often), caught(0.0, seldom)), (Some(0), Some(0)));
    // Two changes each time, of which six are excused, and a few more for the time that has gone by.
    assert!(matches!(caught(0.05, often), Some(3..=6)));
    // As seldom as links may bring it about.
    assert_eq!(caught(0.05, seldom), None);
}

#[test]
fn a_node_that_loses_its_upstream_again_and_again_breaks_live_upstream() {
    let caught = |loss, every| Judge::of("live_upstream", loss).caught_after(every, N, loses_its_upstream());
    let (often, seldom) = (Span::from_secs(10), Span::from_secs(600));
    assert_eq!((caught(0.0, often), caught(0.0, seldom)), (Some(0), Some(0)));
    assert!(matches!(caught(0.05, often), Some(3..=6)));
    assert_eq!(caught(0.05, seldom), None);
}
