//! How bytes flow: in order and whole, in any pieces.

use super::{dialler, listener};
use crate::node::{Conn, Do};
use crate::plans::ms;
use crate::plans::{A, B, link, plan};
use squall_sim::plan::Latency;

#[test]
fn bytes_come_in_order_and_whole_over_a_link_that_loses_doubles_and_reorders() {
    for seed in 0..20 {
        let mut law = link(Latency::Uniform(ms(1), ms(20)));
        (law.loss, law.duplicate, law.reorder, law.reorder_by, law.corrupt) = (0.1, 0.1, 0.2, ms(30), 0.05);
        let pours: Vec<Do> = (0..30).map(|nth| Do::Pour(Conn::This, 1 + 300 * nth)).collect();
        let story = plan()
            .links(law)
            .host("a", dialler(pours))
            .host("b", listener())
            .limit(squall_nodes::Span::from_secs(60))
            .trace(seed);
        let wrote = story.wrote(A, 1);
        assert!(wrote.len() > 100_000);
        assert!(
            story.read(B, 1) == wrote,
            "seed {seed}: {:?}",
            story.outcome.traffic.streams
        );
    }
}
