//! What each fault that is done to links looks like: cuts, changes of laws, and their healing.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{CutPlan, Fault, HEADERS, Latency, LinkChange};
use squall_sim::trace::{Fate, Happening};

use super::{A, B, C, D, Struck, When, scene};
use crate::node::{Rule, beat};
use crate::plans::{
    Draft, bridge as bridge_of, changed, flap as flap_of, heal as heal_of, lay, lay_over, ms,
    one_way as one_way_of, partition as partition_of, ring as ring_of,
};

const ALL: [(HostId, &str); 4] = [(A, "a"), (B, "b"), (C, "c"), (D, "d")];

pub(super) fn partition(when: When) {
    keeps_apart(when, partition_of(&[&[A, B], &[C]]), |from, to| {
        [from, to] != ["a", "b"] && [from, to] != ["b", "a"]
    });
}

pub(super) fn one_way(when: When) {
    keeps_apart(when, one_way_of(&[A], &[B, C]), |from, to| {
        from == "a" && to != "d"
    });
}

pub(super) fn bridge(when: When) {
    keeps_apart(when, bridge_of(&[C], &[&[A], &[B]]), |from, to| {
        from != "c" && to != "c"
    });
}

pub(super) fn ring(when: When) {
    // Neighbours are a and b, b and c, c and d, d and a.
    keeps_apart(when, ring_of(&[A, B, C, D], 1), |from, to| {
        [["a", "c"], ["c", "a"], ["b", "d"], ["d", "b"]].contains(&[from, to])
    });
}

/// It is cut, then open, then cut.
pub(super) fn flap(when: When) {
    let draft = scene().host("a", beat(&[B], ms(2), ms(5))).host("b", []);
    let cut = partition_of(&[&[A]]);
    let struck = when.strike(draft, lay_over(flap_of(cut, ms(20), ms(30))));
    let at = struck.at[0];
    let heard = |from: Span, to: Span| {
        let all = struck.story.heard(B);
        all.into_iter()
            .filter(|(when, _)| (from..to).contains(when))
            .count()
    };
    assert_eq!(heard(at - ms(20), at), 4);
    assert_eq!(heard(at, at + ms(20)), 0);
    assert_eq!(heard(at + ms(20), at + ms(50)), 6);
    assert_eq!(heard(at + ms(50), at + ms(70)), 0);
}

/// What is sent from then on takes longer.
pub(super) fn link_latency(when: When) {
    let struck = changes(when, |change| change.latency = Some(Latency::Constant(ms(42))));
    struck.each(|sent, copies, was_sent_after| {
        let takes = if was_sent_after { ms(42) } else { ms(1) };
        // Those of the last moments are still on their way.
        if sent + takes < Struck::LIMIT {
            assert_eq!(copies, [sent + takes]);
        }
    });
}

/// What is sent from then on is lost.
pub(super) fn link_loss(when: When) {
    let struck = changes(when, |change| change.loss = Some(1.0));
    struck.each(|_, copies, was_sent_after| assert_eq!(copies.is_empty(), was_sent_after));
    assert!(struck.fates().contains(&Fate::Lost));
}

/// What is sent from then on arrives twice.
pub(super) fn link_duplicate(when: When) {
    let struck = changes(when, |change| change.duplicate = Some(1.0));
    struck.each(|_, copies, was_sent_after| assert_eq!(copies.len(), 1 + usize::from(was_sent_after)));
}

/// What is sent from then on arrives in another order.
pub(super) fn link_reorder(when: When) {
    let struck = changes(when, |change| {
        change.reorder = Some(1.0);
        change.reorder_by = Some(ms(80));
    });
    let sent = |said: &(Span, String)| said.1.parse::<u64>().unwrap();
    let heard = struck.story.heard(B);
    let (before, after): (Vec<_>, Vec<_>) = heard.into_iter().partition(|(at, _)| *at < struck.at[0]);
    assert!(before.len() > 8 && before.is_sorted_by_key(sent), "{before:?}");
    assert!(after.len() > 8 && !after.is_sorted_by_key(sent), "{after:?}");
    struck.each(|sent, copies, was_sent_after| {
        let most = if was_sent_after { ms(81) } else { ms(1) };
        let late = copies.iter().find(|at| **at > sent + most);
        assert_eq!(late, None, "sent at {sent}");
    });
}

/// What is sent from then on arrives with a byte changed.
pub(super) fn link_corrupt(when: When) {
    let struck = changes(when, |change| change.corrupt = Some(1.0));
    // Nothing is lost and all take the same time: the nth that is heard is the nth that was sent.
    let heard = struck.story.heard(B);
    assert_eq!(heard.len(), 40);
    for (nth, (at, says)) in heard.into_iter().enumerate() {
        let was_sent_after = at - ms(1) > struck.at[0];
        assert_eq!(says != nth.to_string(), was_sent_after, "{nth} became {says}");
        assert_eq!(says.chars().count(), nth.to_string().len());
    }
}

/// What is sent from then on waits for its turn, and what finds no room is dropped.
pub(super) fn link_bandwidth(when: When) {
    let struck = changes(when, |change| {
        // Each of 30 or 31 bytes takes 15 ms, or a little more, and three of them may wait.
        change.bandwidth = Some(16_000);
        change.queue = Some(95);
    });
    let heard = struck.story.heard(B);
    let late: Vec<Span> = heard
        .into_iter()
        .map(|(at, _)| at)
        .filter(|at| *at > struck.at[0] + ms(20))
        .collect();
    assert!(late.len() > 10, "{late:?}");
    assert!(late.windows(2).all(|two| two[1] - two[0] >= ms(15)), "{late:?}");
    assert!(struck.fates().contains(&Fate::Congested));
}

/// What is longer is dropped.
pub(super) fn link_mtu(when: When) {
    let struck = changes(when, |change| change.mtu = Some(HEADERS as u32 + 1));
    // What is said is one byte long as long as there are digits, which is until 105 ms.
    struck.each(|_, copies, was_sent_after| assert_eq!(copies.is_empty(), was_sent_after));
    assert!(struck.fates().contains(&Fate::TooLong));
}

/// Nothing passes until then, and everything from then on.
pub(super) fn heal(when: When) {
    let cut = || partition_of(&[&[A], &[B]]);
    opens(when, scene().at(ms(50), lay(cut())), heal_of(cut()));
}

/// However many layers there are.
pub(super) fn heal_all(when: When) {
    let loss = LinkChange {
        loss: Some(1.0),
        ..LinkChange::default()
    };
    let draft = scene()
        .at(ms(50), lay_over(changed(&[A], &[B], loss)))
        .at(ms(70), lay(partition_of(&[&[A]])))
        .at(ms(70), lay_over(flap_of(one_way_of(&[A], &[B]), ms(30), ms(1))));
    opens(when, draft, Fault::HealAll);
}

/// Everyone talks to everyone; from then on nothing passes from one to another where `is_cut`, and everything elsewhere.
fn keeps_apart(when: When, cut: CutPlan, is_cut: impl Fn(&str, &str) -> bool) {
    let talk = |own: HostId| -> Vec<Rule> {
        let others: Vec<HostId> = ALL
            .iter()
            .map(|(host, _)| *host)
            .filter(|host| *host != own)
            .collect();
        beat(&others, ms(5), ms(10))
    };
    let draft = ALL
        .iter()
        .fold(scene(), |draft, (host, name)| draft.host(name, talk(*host)));
    let struck = when.strike(draft, lay(cut));
    let at = struck.at[0];
    for (to, to_name) in ALL {
        for (_, from_name) in ALL.iter().filter(|(from, _)| *from != to) {
            let all = struck.heard_from(to, from_name, Span::ZERO).len();
            let after = struck.heard_from(to, from_name, at).len();
            assert!(all - after >= 10, "{to_name} heard {from_name} before");
            assert_eq!(
                after == 0,
                is_cut(from_name, to_name),
                "from {from_name} to {to_name}: {after}"
            );
        }
    }
}

/// Changes the law of the link from `a` to `b`, on which `a` says its number at 5, 15, 25, … ms.
fn changes(when: When, part: impl Fn(&mut LinkChange)) -> Struck {
    let mut change = LinkChange::default();
    part(&mut change);
    let draft = scene().host("a", beat(&[B], ms(5), ms(10))).host("b", []);
    when.strike(draft, lay_over(changed(&[A], &[B], change)))
}

/// From `a` to `b` nothing passes from 50 ms on, and everything from the fault on.
fn opens(when: When, draft: Draft, fault: Fault) {
    let talk = |to| beat(&[to], ms(5), ms(10));
    let struck = when.strike(draft.host("a", talk(B)).host("b", talk(A)), fault);
    let at = struck.at[0];
    let heard = struck.story.heard(B);
    let within = |from: Span, to: Span| heard.iter().filter(|(when, _)| (from..to).contains(when)).count();
    assert_eq!(within(ms(0), ms(50)), 5);
    assert_eq!(within(ms(50), at), 0);
    let expected = (Struck::LIMIT - at).as_nanos() / ms(10).as_nanos();
    assert_eq!(within(at, Struck::LIMIT) as u64, expected);
}

impl Struck {
    /// Shows each datagram from `a` to `b`: when it was sent, when its copies were heard, and whether it was sent after the fault.
    fn each(&self, judge: impl Fn(Span, &[Span], bool)) {
        let heard = self.story.heard(B);
        let (mut before, mut after) = (0, 0);
        for nth in 0..40 {
            let sent = ms(5) + ms(10) * nth;
            let says = nth.to_string();
            let copies = heard
                .iter()
                .filter(|(_, heard)| *heard == says)
                .map(|(at, _)| *at);
            let was_sent_after = sent > self.at[0];
            judge(sent, &copies.collect::<Vec<_>>(), was_sent_after);
            if was_sent_after { after += 1 } else { before += 1 }
        }
        assert!(before >= 10 && after >= 10);
    }

    /// What became of all that `a` sent, at once.
    fn fates(&self) -> Vec<Fate> {
        let fate = |what: &Happening| match what {
            Happening::Sent { fate, .. } => Some(*fate),
            _ => None,
        };
        let own = self
            .story
            .trace
            .events
            .iter()
            .filter(|event| event.host == Some(A));
        own.filter_map(|event| fate(&event.what)).collect()
    }
}
