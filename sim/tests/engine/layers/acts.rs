//! What is done to the links, as it is drawn.

use proptest::prelude::*;
use squall_nodes::{HostId, Span};
use squall_sim::plan::{CutPlan, Latency, Layer, LinkChange, LinkLaw};

use super::ALL;
use crate::plans::{bridge, changed, flap, link, ms, one_way, partition, ring, us};

/// More is not done in any run.
pub(super) const MOST_ACTS: usize = 19;

/// One thing that is done to the links.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Lay(Layer),
    /// Lays what the nth layer so far was laid as once more.
    Again(prop::sample::Index),
    /// Heals what the nth layer so far was laid as, if that is still there, naming the hosts the other way round.
    Heal(prop::sample::Index),
    HealAll,
}

/// When an act comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Half-way through the next round.
    Next,
    /// At the very time of the act before it, and after it.
    Same,
}

/// What is done in a run, in order.
pub(super) fn acts() -> impl Strategy<Value = Vec<(When, Act)>> {
    let act = prop_oneof![
        6 => layer().prop_map(Act::Lay),
        2 => any::<prop::sample::Index>().prop_map(Act::Again),
        4 => any::<prop::sample::Index>().prop_map(Act::Heal),
        1 => Just(Act::HealAll),
    ];
    let when = prop_oneof![3 => Just(When::Next), 1 => Just(When::Same)];
    prop::collection::vec((when, act), 1..=MOST_ACTS)
}

fn layer() -> impl Strategy<Value = Layer> {
    let many = || prop::sample::subsequence(ALL.to_vec(), 2..=5);
    // The spans are such that no flap turns over at the time of an act, a round, or an arrival that nothing but latency delays.
    let spans = (1..40u64, 1..40u64).prop_map(|(down, up)| (ms(down) + us(11), ms(up) + us(26)));
    prop_oneof![
        2 => cut().prop_map(Layer::Cut),
        2 => (cut(), spans).prop_map(|(cut, (down, up))| flap(cut, down, up)),
        5 => (many(), many(), change()).prop_map(|(from, to, change)| changed(&from, &to, change)),
    ]
}

fn cut() -> impl Strategy<Value = CutPlan> {
    let some = || prop::sample::subsequence(ALL.to_vec(), 0..=5);
    let places = || prop::collection::vec(0..4usize, 5);
    // The hosts at each place; those at the last are named nowhere.
    let groups = |places: &[usize]| -> [Vec<HostId>; 3] {
        [0, 1, 2].map(|group| {
            ALL.into_iter()
                .filter(|host| places[host.index()] == group)
                .collect()
        })
    };
    prop_oneof![
        places().prop_map(move |places| {
            let [first, second, _] = groups(&places);
            partition(&[&first, &second])
        }),
        (some(), some()).prop_map(|(from, to)| one_way(&from, &to)),
        places().prop_map(move |places| {
            let [over, first, second] = groups(&places);
            bridge(&over, &[&first, &second])
        }),
        (some().prop_shuffle(), 1..3u32).prop_map(|(hosts, reach)| ring(&hosts, reach)),
    ]
}

/// What links are like before anything is done: with all the room there is, or with little.
pub(super) fn base() -> impl Strategy<Value = LinkLaw> {
    let plain = link(Latency::Constant(ms(1)));
    let narrow = LinkLaw {
        bandwidth: Some(20_011),
        queue: 60,
        ..plain.clone()
    };
    prop::sample::select(vec![plain, narrow])
}

/// Changes that show in every single datagram, or leave it as it is.
fn change() -> impl Strategy<Value = LinkChange> {
    let latency =
        prop::sample::select(vec![2, 3, 4, 6, 7, 8]).prop_map(|millis| Latency::Constant(ms(millis)));
    let ratio = || prop::option::weighted(0.3, prop::sample::select(vec![0.0, 1.0]));
    let reorder_by = prop::sample::select(HELD_BY.to_vec());
    // From two datagrams a round to one in four rounds; and from room for one that waits to room for all that is ever said.
    let bandwidth = prop::sample::select(vec![50_021, 20_011, 6_007]);
    let queue = prop::sample::select(vec![31, 60, 150, 20_000]);
    // From what has not even room for one byte beside the headers to what has room for all.
    let mtu = prop::sample::select(vec![HEADERS, HEADERS + 1, 1500]);
    let parts = (
        prop::option::weighted(0.7, latency),
        (ratio(), ratio(), ratio()),
        (ratio(), prop::option::weighted(0.3, reorder_by)),
        (
            prop::option::weighted(0.3, bandwidth),
            prop::option::weighted(0.3, queue),
        ),
        prop::option::weighted(0.3, mtu),
    );
    parts.prop_map(
        |(latency, (loss, duplicate, corrupt), (reorder, reorder_by), (bandwidth, queue), mtu)| LinkChange {
            latency,
            loss,
            duplicate,
            reorder,
            reorder_by,
            corrupt,
            bandwidth,
            queue,
            mtu,
        },
    )
}

/// For how long datagrams are held back at most: within a round, over several, and for longer than is tolerated.
pub(super) const HELD_BY: [Span; 3] = [ms(3), ms(40), ms(150)];

const HEADERS: u32 = squall_sim::plan::HEADERS as u32;
