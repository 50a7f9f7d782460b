//! What several changes make of a law, against the same as anyone would write it down.

use proptest::prelude::*;
use squall_nodes::Span;
use squall_sim::plan::{Latency, LinkChange, LinkLaw};

proptest! {
    #[test]
    fn of_several_changes_the_last_that_says_something_has_each_part(
        base in any_law(),
        changes in prop::collection::vec(any_change(), 0..6),
    ) {
        let law = changes.iter().fold(base.clone(), |law, change| change.over(&law));
        prop_assert_eq!(law, last_words(base, &changes));
    }
}

/// What several changes make of a law, as anyone would write it down. Every part is named: one that is new does not pass unseen.
fn last_words(base: LinkLaw, changes: &[LinkChange]) -> LinkLaw {
    let LinkLaw {
        mut latency,
        mut loss,
        mut duplicate,
        mut reorder,
        mut reorder_by,
        mut corrupt,
        mut bandwidth,
        mut queue,
        mut mtu,
    } = base;
    for change in changes {
        let LinkChange {
            latency: new_latency,
            loss: new_loss,
            duplicate: new_duplicate,
            reorder: new_reorder,
            reorder_by: new_reorder_by,
            corrupt: new_corrupt,
            bandwidth: new_bandwidth,
            queue: new_queue,
            mtu: new_mtu,
        } = change.clone();
        put(new_latency, &mut latency);
        put(new_loss, &mut loss);
        put(new_duplicate, &mut duplicate);
        put(new_reorder, &mut reorder);
        put(new_reorder_by, &mut reorder_by);
        put(new_corrupt, &mut corrupt);
        put(new_bandwidth.map(Some), &mut bandwidth);
        put(new_queue, &mut queue);
        put(new_mtu.map(Some), &mut mtu);
    }
    LinkLaw {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    }
}

fn put<T>(new: Option<T>, part: &mut T) {
    if let Some(new) = new {
        *part = new;
    }
}

/// Laws of which hardly any two are alike in any part.
fn any_law() -> impl Strategy<Value = LinkLaw> {
    let share = || 0.0..=1.0;
    let limits = (
        prop::option::of(1..u64::MAX),
        any::<u64>(),
        prop::option::of(any::<u32>()),
    );
    (
        any_latency(),
        share(),
        share(),
        share(),
        any_span(),
        share(),
        limits,
    )
        .prop_map(
            |(latency, loss, duplicate, reorder, reorder_by, corrupt, (bandwidth, queue, mtu))| LinkLaw {
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

/// Changes of any parts, to anything.
fn any_change() -> impl Strategy<Value = LinkChange> {
    let share = || prop::option::of(0.0..=1.0);
    let limits = (
        prop::option::of(1..u64::MAX),
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u32>()),
    );
    let (latency, reorder_by) = (prop::option::of(any_latency()), prop::option::of(any_span()));
    (latency, share(), share(), share(), reorder_by, share(), limits).prop_map(
        |(latency, loss, duplicate, reorder, reorder_by, corrupt, (bandwidth, queue, mtu))| LinkChange {
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

fn any_span() -> impl Strategy<Value = Span> {
    (0..=Span::LONGEST.as_nanos()).prop_map(Span::from_nanos)
}

fn any_latency() -> impl Strategy<Value = Latency> {
    prop_oneof![
        any_span().prop_map(Latency::Constant),
        (any_span(), any_span()).prop_map(|(one, other)| Latency::Uniform(one.min(other), one.max(other))),
        prop::collection::vec(any_span(), 1..4).prop_map(|mut samples| {
            samples.sort();
            Latency::Empirical(samples.into())
        }),
    ]
}
