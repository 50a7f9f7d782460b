//! When what is lost is sent again, held against arithmetic.

use squall_nodes::Span;
use squall_sim::plan::{Latency, StreamLaw};

use super::listener;
use crate::node::{Conn, Do, On, on, place, start};
use crate::plans::{A, B, link, ms, plan};

/// A byte each 500 s, of which a share is lost, comes after the first try with the probability 1 − p, after the second with p(1 − p), and
/// so on; the round trip is 2 ms, and so the first timeout 202 ms, and each twice as long as the one before.
#[test]
fn the_share_that_comes_after_so_many_timeouts_is_what_arithmetic_says() {
    const BYTES: u64 = 4_000;
    const P: f64 = 0.3;
    let each = Span::from_secs(500);
    let mut law = link(Latency::Constant(ms(1)));
    law.loss = P;
    let streams = StreamLaw {
        user_timeout: Span::from_secs(100_000),
        connect_timeout: Span::from_secs(400),
        ..StreamLaw::default()
    };
    let story = plan()
        .streams(streams)
        .link(A, B, law)
        .host(
            "a",
            [
                start([Do::Dial(place(B)), Do::Arm(1, each)]),
                on(
                    On::Timer(1),
                    [Do::Write(Conn::Nth(0), "x".into()), Do::Arm(1, each)],
                ),
            ],
        )
        .host("b", listener())
        .limit(each * (BYTES + 1))
        .trace(11);
    let pieces = story.pieces(B, 1);
    assert_eq!(pieces.len() as u64, BYTES);
    let mut after = [0_u64; 12];
    for (nth, (when, _)) in pieces.into_iter().enumerate() {
        let late = when - each * (nth as u64 + 1) - ms(1);
        let tries = (0..12).find(|tries| late == ms(202) * ((1 << tries) - 1));
        after[tries.unwrap_or_else(|| panic!("{late} is no sum of timeouts"))] += 1;
    }
    let mut share = 1.0 - P;
    for (tries, count) in after.into_iter().enumerate() {
        let expected = BYTES as f64 * share;
        let five_deviations = 5.0 * (expected * (1.0 - share)).sqrt();
        assert!(
            (count as f64 - expected).abs() <= five_deviations.max(1.0),
            "{count} after {tries} timeouts, and not {expected}"
        );
        share *= P;
    }
}

#[test]
fn nothing_new_goes_out_between_a_timeout_and_what_it_sends_again() {
    let mut law = link(Latency::Constant(ms(1)));
    law.loss = 0.3;
    for seed in 0..20 {
        let story = plan()
            .link(A, B, law.clone())
            .host(
                "a",
                [
                    start([Do::Dial(place(B)), Do::Arm(1, ms(10))]),
                    on(On::Timer(1), [Do::Pour(Conn::Nth(0), 5), Do::Arm(1, ms(10))]),
                ],
            )
            .host("b", listener())
            .limit(Span::from_secs(3))
            .trace(seed);
        let counts = story.outcome.traffic.streams;
        // A timeout sends one packet and each that is acknowledged two: of some hundred words, no more are sent than there are.
        assert!(story.wrote(A, 1).starts_with(&story.read(B, 1)));
        assert!(counts.packets < 1_200, "{counts:?}");
    }
}
