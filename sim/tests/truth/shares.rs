//! Loss, duplication, reordering and corruption: their shares, and what is drawn beside them.

use std::collections::BTreeMap;

use squall_nodes::Span;
use squall_sim::plan::{Latency, LinkLaw};
use squall_sim::trace::Fate;

use crate::node::{Gaps, Seen, Stream, words};
use crate::statistics::{assert_fits, assert_tells, from_expected, from_independence, from_law, from_share};

/// How many datagrams are counted where a share is looked at.
const MANY: u64 = 100_000;

fn constant() -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(Span::from_millis(10)))
}

#[test]
fn the_share_of_loss_is_lost() {
    let traffic = Stream::of(MANY).count(
        LinkLaw {
            loss: 0.3,
            ..constant()
        },
        1,
    );
    assert_fits(from_share(traffic.lost, MANY, 0.3), "a loss of 0.3");
    for other in [0.3 * 0.95, 0.3 * 1.05] {
        assert_tells(from_share(traffic.lost, MANY, other), "a loss 5 % off");
    }
    assert_eq!(traffic.delivered, MANY - traffic.lost);
}

#[test]
fn small_shares_are_met_as_well() {
    let law = LinkLaw {
        loss: 0.001,
        duplicate: 0.002,
        corrupt: 0.003,
        ..constant()
    };
    let traffic = Stream::of(MANY).count(law, 1);
    let arrived = MANY - traffic.lost;
    assert_fits(from_share(traffic.lost, MANY, 0.001), "a loss of 0.001");
    assert_fits(from_share(traffic.duplicated, arrived, 0.002), "0.002 doubled");
    assert_fits(from_share(traffic.corrupted, arrived, 0.003), "0.003 corrupted");
    assert_tells(from_share(traffic.corrupted, arrived, 0.002), "0.002 corrupted");
}

#[test]
fn what_is_lost_has_nothing_to_do_with_what_was_lost_before() {
    let law = LinkLaw {
        loss: 0.3,
        ..constant()
    };
    let seen = Stream::of(20_000).watch(law, 2);
    let lost: Vec<f64> = seen
        .sent
        .iter()
        .map(|(_, fate)| f64::from(u8::from(*fate == Fate::Lost)))
        .collect();
    for lag in [1, 2, 7, 10] {
        let pairs: Vec<(f64, f64)> = lost.iter().copied().zip(lost[lag..].iter().copied()).collect();
        assert_fits(from_independence(&pairs), "independent losses");
    }
    // Were one loss in ten followed by another for sure, that would show.
    let mut bursts = lost.clone();
    for place in 1..bursts.len() {
        if bursts[place - 1] == 1.0 && place % 10 == 0 {
            bursts[place] = 1.0;
        }
    }
    let pairs: Vec<(f64, f64)> = bursts.iter().copied().zip(bursts[1..].iter().copied()).collect();
    assert_tells(from_independence(&pairs), "losses in bursts");
}

#[test]
fn the_share_of_duplication_is_doubled() {
    let law = LinkLaw {
        duplicate: 0.3,
        ..constant()
    };
    let traffic = Stream::of(MANY).count(law, 3);
    assert_fits(from_share(traffic.duplicated, MANY, 0.3), "0.3 doubled");
    for other in [0.3 * 0.95, 0.3 * 1.05] {
        assert_tells(from_share(traffic.duplicated, MANY, other), "a share 5 % off");
    }
    assert_eq!(traffic.delivered, MANY + traffic.duplicated);
}

#[test]
fn a_copy_has_a_latency_of_the_law_that_has_nothing_to_do_with_that_of_the_first() {
    let (low, high) = (Span::from_millis(1), Span::from_millis(9));
    let law = LinkLaw {
        duplicate: 1.0,
        ..LinkLaw::delaying(Latency::Uniform(low, high))
    };
    let seen = Stream::of(10_000).watch(law, 4);
    let mut both: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for (number, took) in seen.latencies() {
        both.entry(number).or_default().push(took);
    }
    assert!(both.len() == 10_000 && both.values().all(|took| took.len() == 2));
    let uniform = |x: f64| ((x - 1e6) / 8e6).clamp(0.0, 1.0);
    // The sooner of two that are independent and uniform has the distribution 1 − (1 − F)², the later one F².
    let sooner: Vec<u64> = both.values().map(|took| took[0].min(took[1])).collect();
    let later: Vec<u64> = both.values().map(|took| took[0].max(took[1])).collect();
    let alone = |x: f64| 1.0 - (1.0 - uniform(x)) * (1.0 - uniform(x));
    assert_fits(from_law(&sooner, alone), "the sooner of two");
    assert_fits(from_law(&later, |x| uniform(x) * uniform(x)), "the later of two");
    assert_tells(from_law(&sooner, uniform), "one and the same latency");
}

#[test]
fn the_share_of_reordering_is_held_back_for_a_time_that_is_uniform() {
    let by = Span::from_millis(20);
    let law = LinkLaw {
        reorder: 0.5,
        reorder_by: by,
        ..constant()
    };
    let seen = Stream::of(40_000).watch(law, 5);
    let ten = Span::from_millis(10).as_nanos();
    let held: Vec<u64> = seen
        .latencies()
        .iter()
        .filter_map(|(_, took)| took.checked_sub(ten + 1))
        .collect();
    let (count, of) = (held.len() as u64, seen.sent.len() as u64);
    assert_fits(from_share(count, of, 0.5), "half held back");
    assert_tells(from_share(count, of, 0.5 * 0.95), "5 % fewer held back");
    let uniform = |most: f64| move |x: f64| (x / most).clamp(0.0, 1.0);
    assert_fits(from_law(&held, uniform(20e6)), "uniform up to 20 ms");
    for most in [20e6 * 0.95, 20e6 * 1.05] {
        assert_tells(from_law(&held, uniform(most)), "a time 5 % off");
    }
}

#[test]
fn the_share_of_corruption_is_corrupted() {
    let law = LinkLaw {
        corrupt: 0.3,
        loss: 0.2,
        ..constant()
    };
    let traffic = Stream::of(MANY).count(law, 6);
    let arrived = MANY - traffic.lost;
    assert_fits(
        from_share(traffic.corrupted, arrived, 0.3),
        "0.3 of what is not lost",
    );
    for other in [0.3 * 0.95, 0.3 * 1.05, 0.3 * 0.8] {
        assert_tells(from_share(traffic.corrupted, arrived, other), "another share");
    }
}

/// Each of the 64 places and each of the 255 masks as likely, and the one whatever the other.
#[test]
fn what_is_corrupted_has_one_byte_changed_to_any_other_anywhere() {
    const BYTES: usize = 64;
    let law = LinkLaw {
        corrupt: 1.0,
        ..constant()
    };
    let stream = Stream {
        bytes: BYTES,
        ..Stream::of(20_000)
    };
    let Seen { heard, traffic, .. } = stream.watch(law, 7);
    assert_eq!((traffic.corrupted, heard.len()), (20_000, 20_000));
    let mut places = [0; BYTES];
    let mut masks = [0; 255];
    // The place and the mask, each in eight parts. Of the masks the first part has one less, since 0 is none.
    let mut both = [0; 64];
    // As many as were sent were heard, and each took as long: the nth is the nth.
    for (number, (_, says)) in heard.iter().enumerate() {
        let said = words(number as u64, BYTES);
        let changed: Vec<usize> = (0..BYTES).filter(|place| said[*place] != says[*place]).collect();
        let [place] = changed[..] else {
            panic!("{} bytes of number {number} are changed", changed.len());
        };
        let mask = said[place] ^ says[place];
        places[place] += 1;
        masks[usize::from(mask) - 1] += 1;
        both[place / 8 * 8 + usize::from(mask / 32)] += 1;
    }
    let n = heard.len() as f64;
    let even = |cells: usize| vec![n / cells as f64; cells];
    assert_fits(from_expected(&places, &even(BYTES)), "any place");
    assert_fits(from_expected(&masks, &even(255)), "any mask");
    let expected: Vec<f64> = (0..64)
        .map(|cell| n / 8.0 * if cell % 8 == 0 { 31.0 } else { 32.0 } / 255.0)
        .collect();
    assert_fits(from_expected(&both, &expected), "any mask at any place");
    // A tenth more at the first half of the places would show, and so would it for the masks.
    let skewed = |cells: usize| -> Vec<f64> {
        let share = |cell: usize| if cell < cells / 2 { 1.1 } else { 0.9 };
        let whole: f64 = (0..cells).map(share).sum();
        (0..cells).map(|cell| n * share(cell) / whole).collect()
    };
    assert_tells(from_expected(&places, &skewed(BYTES)), "places that are not even");
    assert_tells(from_expected(&masks, &skewed(255)), "masks that are not even");
}

/// What goes in comes out, is dropped, or is still there: to the last datagram, of a link that does everything.
#[test]
fn every_datagram_is_delivered_dropped_or_in_flight() {
    let law = LinkLaw {
        latency: Latency::Exponential {
            min: Span::ZERO,
            mean: Span::from_millis(30),
        },
        loss: 0.1,
        duplicate: 0.1,
        reorder: 0.1,
        reorder_by: Span::from_millis(50),
        corrupt: 0.1,
        bandwidth: Some(3_000_000),
        queue: 2_000,
        mtu: Some(1_500),
    };
    let stream = Stream {
        gaps: Gaps::Poisson(Span::from_millis(1)),
        ..Stream::of(MANY / 2)
    };
    let traffic = stream.count(law, 8);
    assert!(traffic.is_balanced(), "{traffic:?}");
    assert_eq!(
        (traffic.sent, traffic.in_flight, traffic.too_long),
        (MANY / 2, 0, 0)
    );
    assert!(traffic.congested > 1_000, "{traffic:?}");
    let carried = traffic.sent - traffic.congested;
    assert_fits(
        from_share(traffic.lost, carried, 0.1),
        "0.1 of what was carried lost",
    );
    let arrived = carried - traffic.lost;
    assert_fits(
        from_share(traffic.duplicated, arrived, 0.1),
        "0.1 of the rest doubled",
    );
    assert_fits(
        from_share(traffic.corrupted, arrived, 0.1),
        "0.1 of the rest corrupted",
    );
    assert_eq!(traffic.delivered, arrived + traffic.duplicated);
}
