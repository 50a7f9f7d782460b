//! Each promise is seen broken, and kept.

use squall_nodes::{ConfigOf, Crash, DiskAtBoot, Links, Protocol, Resident, Tolerance};

use super::super::{Beat, Role};
use super::*;

const A: HostId = HostId(0);
const B: HostId = HostId(1);
const C: HostId = HostId(2);

/// Three hosts that all beat to each other; `late` is not up at the beginning.
struct Stage {
    hosts: Vec<Placed<BeatNode>>,
    world: World,
}

fn stage(late: Option<HostId>) -> Stage {
    let config: ConfigOf<Beat> = Beat::config("default", "Standard");
    let mut hosts: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .zip(1..)
        .map(|(name, last)| Placed {
            name: name.to_owned(),
            ip: Ipv4Addr::new(10, 0, 0, last),
            role: Role::Beater,
            config: config.clone(),
        })
        .collect();
    Beat::assemble(&mut hosts).expect("any number of hosts beats");
    let residents = (0..).map(HostId).zip(&hosts).map(|(id, host)| Resident {
        name: host.name.clone(),
        ip: host.ip,
        up: late != Some(id),
        drift_ppm: 0,
    });
    let world = World::new(residents, Links::Tolerated);
    Stage { hosts, world }
}

impl Stage {
    fn setup(&self) -> Setup<'_, BeatNode> {
        let tolerated = Tolerance {
            loss: 0.0001,
            latency: ms(10),
        };
        Setup {
            hosts: &self.hosts,
            rules: "Standard",
            tolerated,
            streams: squall_nodes::stream::StreamLaw::default(),
        }
    }
}

fn ms(count: u64) -> Span {
    Span::from_millis(count)
}

fn at(count: u64) -> Time {
    Time::ZERO + ms(count)
}

fn claim(host: HostId, fact: &BeatFact) -> Seen<'_, BeatNode> {
    Seen::Fact {
        host,
        incarnation: 0,
        fact,
    }
}

fn silent(peer: u32, since: Span) -> BeatFact {
    BeatFact::Silent { peer, since }
}

#[test]
fn a_peer_that_is_called_silent_before_the_timeout_is_a_breach() {
    let stage = stage(None);
    let mut promise = TrueClaims::new(&stage.setup());
    let mut judge = |fact| promise.judge(at(500), &claim(A, &fact), &stage.world);
    assert_eq!(judge(silent(0, ms(400))), Ok(Judged::Yes));
    let breach = judge(silent(0, ms(399))).expect_err("it is too early");
    assert_eq!(breach.detail, "a takes a peer for silent after only 399ms");
}

#[test]
fn a_peer_that_never_was_up_cannot_have_been_heard() {
    let mut stage = stage(Some(C));
    let mut promise = TrueClaims::new(&stage.setup());
    let mut judge = |world: &World| promise.judge(at(500), &claim(A, &BeatFact::Complete), world);
    let breach = judge(&stage.world).expect_err("c is down");
    assert_eq!(breach.detail, "a heard c, which never was up");
    for change in [
        Change::Up {
            host: C,
            incarnation: 0,
            disk: DiskAtBoot::Fresh,
        },
        Change::Down {
            host: C,
            how: Crash::Kill,
        },
    ] {
        stage.world.apply(at(600), &change);
        let seen = Seen::World(&change);
        assert_eq!(
            promise.judge(at(600), &seen, &stage.world),
            Ok(Judged::NotConcerned)
        );
        let claimed = promise.judge(at(600), &claim(A, &BeatFact::Complete), &stage.world);
        assert_eq!(claimed, Ok(Judged::Yes), "{change:?}");
    }
}

#[test]
fn a_node_that_does_not_hear_all_that_it_can_reach_is_a_breach() {
    let stage = stage(None);
    let mut promise = Heard::new(&stage.setup());
    let group = stage.world.groups()[0].clone();
    for host in [A, B] {
        promise.observe(at(100), &claim(host, &BeatFact::Complete), &stage.world);
    }
    let breach = promise
        .judge(&group, at(700), &stage.world)
        .expect_err("c has said nothing");
    assert_eq!(breach.detail, "c has not heard all its peers");
    promise.observe(at(800), &claim(C, &BeatFact::Complete), &stage.world);
    assert_eq!(promise.judge(&group, at(800), &stage.world), Ok(Judged::Yes));
    // In another life it begins anew.
    let up = Change::Up {
        host: C,
        incarnation: 1,
        disk: DiskAtBoot::Kept,
    };
    promise.observe(at(900), &Seen::World(&up), &stage.world);
    assert!(promise.judge(&group, at(1_600), &stage.world).is_err());
    // Of a node whose peers are not all there, nothing is asked.
    let alone = Group {
        hosts: vec![C],
        quiet_since: Time::ZERO,
    };
    assert_eq!(
        promise.judge(&alone, at(1_600), &stage.world),
        Ok(Judged::NotConcerned)
    );
}

#[test]
fn a_peer_that_falls_silent_in_quiet_is_a_breach_and_one_that_was_silent_before_is_none() {
    let stage = stage(None);
    let setup = stage.setup();
    let mut promise = Heard::new(&setup);
    // Three tries and one more, each an interval, and the way.
    assert_eq!(longest_gap(&setup), ms(410));
    let mut group = stage.world.groups()[0].clone();
    for host in [A, B, C] {
        promise.observe(at(100), &claim(host, &BeatFact::Complete), &stage.world);
    }
    // The second of those that c hears is b.
    let fact = silent(1, ms(800));
    assert_eq!(
        promise.observe(at(2_000), &claim(C, &fact), &stage.world),
        Judged::Yes
    );
    let breach = promise
        .judge(&group, at(2_000), &stage.world)
        .expect_err("it was not heard");
    assert_eq!(breach.detail, "c can reach b and did not hear it for 800ms");
    assert_eq!(breach.hosts, [C, B]);
    group.quiet_since = at(1_590);
    assert_eq!(promise.judge(&group, at(2_600), &stage.world), Ok(Judged::Yes));
    group.quiet_since = at(1_589);
    assert!(promise.judge(&group, at(2_600), &stage.world).is_err());
}
