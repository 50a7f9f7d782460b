//! Every fault under every trigger: each cell of the table in `sim/src/faults.md` is a test of its own.
//!
//! A cell asserts that the fault struck when it should, that it counted something, and that what is seen of the run from then on is
//! what the fault means and was something else before; under `Every`, that the second time does something too. What a fault looks like is written once, for all triggers.

mod links;
mod machines;

use squall_nodes::{Change, Crash, HostId, Span};
use squall_sim::Verdict;
use squall_sim::plan::{Cue, DiskOnRestart, Fault, Trigger};

use crate::node::{Do, On, PORT, SAID, on, persist, place, say, start};
use crate::plans::{Draft, at, ms, plan};
use crate::stories::Story;

/// Whose deeds trigger faults: it claims, sends and persists at 100 ms, and opens a connection at 99 ms, once, and has nothing to
/// do with the others.
const CUE: HostId = HostId(0);
const A: HostId = HostId(1);
const B: HostId = HostId(2);
const C: HostId = HostId(3);
const D: HostId = HostId(4);

/// The columns of the table.
#[derive(Clone, Copy)]
enum When {
    AtATime,
    AgainAndAgain,
    Claimed,
    PersistBegun,
    PersistCompleted,
    Sent,
    Opened,
}

/// Makes a test of each cell: the faults, each with the names of its tests in the order of the triggers.
macro_rules! table {
    ($(
        $what:path:
        $at:ident $every:ident $claimed:ident
        $begun:ident $completed:ident $sent:ident $opened:ident;
    )*) => {$(
        #[test]
        fn $at() {
            $what(When::AtATime);
        }

        #[test]
        fn $every() {
            $what(When::AgainAndAgain);
        }

        #[test]
        fn $claimed() {
            $what(When::Claimed);
        }

        #[test]
        fn $begun() {
            $what(When::PersistBegun);
        }

        #[test]
        fn $completed() {
            $what(When::PersistCompleted);
        }

        #[test]
        fn $sent() {
            $what(When::Sent);
        }

        #[test]
        fn $opened() {
            $what(When::Opened);
        }
    )*};
}

table! {
    machines::kill:
        kill_at_a_time kill_again_and_again kill_when_a_fact_is_claimed
        kill_when_a_persist_begins kill_when_a_persist_completes
        kill_when_a_datagram_is_sent kill_when_a_connection_opens;
    machines::power_cut:
        power_cut_at_a_time power_cut_again_and_again power_cut_when_a_fact_is_claimed
        power_cut_when_a_persist_begins power_cut_when_a_persist_completes
        power_cut_when_a_datagram_is_sent power_cut_when_a_connection_opens;
    machines::kept_restart:
        kept_restart_at_a_time kept_restart_again_and_again kept_restart_when_a_fact_is_claimed
        kept_restart_when_a_persist_begins kept_restart_when_a_persist_completes
        kept_restart_when_a_datagram_is_sent kept_restart_when_a_connection_opens;
    machines::wiped_restart:
        wiped_restart_at_a_time wiped_restart_again_and_again wiped_restart_when_a_fact_is_claimed
        wiped_restart_when_a_persist_begins wiped_restart_when_a_persist_completes
        wiped_restart_when_a_datagram_is_sent wiped_restart_when_a_connection_opens;
    machines::stale_restart:
        stale_restart_at_a_time stale_restart_again_and_again stale_restart_when_a_fact_is_claimed
        stale_restart_when_a_persist_begins stale_restart_when_a_persist_completes
        stale_restart_when_a_datagram_is_sent stale_restart_when_a_connection_opens;
    machines::torn_restart:
        torn_restart_at_a_time torn_restart_again_and_again torn_restart_when_a_fact_is_claimed
        torn_restart_when_a_persist_begins torn_restart_when_a_persist_completes
        torn_restart_when_a_datagram_is_sent torn_restart_when_a_connection_opens;
    machines::corrupt_restart:
        corrupt_restart_at_a_time corrupt_restart_again_and_again corrupt_restart_when_a_fact_is_claimed
        corrupt_restart_when_a_persist_begins corrupt_restart_when_a_persist_completes
        corrupt_restart_when_a_datagram_is_sent corrupt_restart_when_a_connection_opens;
    machines::pause:
        pause_at_a_time pause_again_and_again pause_when_a_fact_is_claimed
        pause_when_a_persist_begins pause_when_a_persist_completes
        pause_when_a_datagram_is_sent pause_when_a_connection_opens;
    machines::resume:
        resume_at_a_time resume_again_and_again resume_when_a_fact_is_claimed
        resume_when_a_persist_begins resume_when_a_persist_completes
        resume_when_a_datagram_is_sent resume_when_a_connection_opens;
    machines::jumps:
        jump_at_a_time jump_again_and_again jump_when_a_fact_is_claimed
        jump_when_a_persist_begins jump_when_a_persist_completes
        jump_when_a_datagram_is_sent jump_when_a_connection_opens;
    links::partition:
        partition_at_a_time partition_again_and_again partition_when_a_fact_is_claimed
        partition_when_a_persist_begins partition_when_a_persist_completes
        partition_when_a_datagram_is_sent partition_when_a_connection_opens;
    links::one_way:
        one_way_at_a_time one_way_again_and_again one_way_when_a_fact_is_claimed
        one_way_when_a_persist_begins one_way_when_a_persist_completes
        one_way_when_a_datagram_is_sent one_way_when_a_connection_opens;
    links::bridge:
        bridge_at_a_time bridge_again_and_again bridge_when_a_fact_is_claimed
        bridge_when_a_persist_begins bridge_when_a_persist_completes
        bridge_when_a_datagram_is_sent bridge_when_a_connection_opens;
    links::ring:
        ring_at_a_time ring_again_and_again ring_when_a_fact_is_claimed
        ring_when_a_persist_begins ring_when_a_persist_completes
        ring_when_a_datagram_is_sent ring_when_a_connection_opens;
    links::flap:
        flap_at_a_time flap_again_and_again flap_when_a_fact_is_claimed
        flap_when_a_persist_begins flap_when_a_persist_completes
        flap_when_a_datagram_is_sent flap_when_a_connection_opens;
    links::link_latency:
        link_latency_at_a_time link_latency_again_and_again link_latency_when_a_fact_is_claimed
        link_latency_when_a_persist_begins link_latency_when_a_persist_completes
        link_latency_when_a_datagram_is_sent link_latency_when_a_connection_opens;
    links::link_loss:
        link_loss_at_a_time link_loss_again_and_again link_loss_when_a_fact_is_claimed
        link_loss_when_a_persist_begins link_loss_when_a_persist_completes
        link_loss_when_a_datagram_is_sent link_loss_when_a_connection_opens;
    links::link_duplicate:
        link_duplicate_at_a_time link_duplicate_again_and_again link_duplicate_when_a_fact_is_claimed
        link_duplicate_when_a_persist_begins link_duplicate_when_a_persist_completes
        link_duplicate_when_a_datagram_is_sent link_duplicate_when_a_connection_opens;
    links::link_reorder:
        link_reorder_at_a_time link_reorder_again_and_again link_reorder_when_a_fact_is_claimed
        link_reorder_when_a_persist_begins link_reorder_when_a_persist_completes
        link_reorder_when_a_datagram_is_sent link_reorder_when_a_connection_opens;
    links::link_corrupt:
        link_corrupt_at_a_time link_corrupt_again_and_again link_corrupt_when_a_fact_is_claimed
        link_corrupt_when_a_persist_begins link_corrupt_when_a_persist_completes
        link_corrupt_when_a_datagram_is_sent link_corrupt_when_a_connection_opens;
    links::link_bandwidth:
        link_bandwidth_at_a_time link_bandwidth_again_and_again link_bandwidth_when_a_fact_is_claimed
        link_bandwidth_when_a_persist_begins link_bandwidth_when_a_persist_completes
        link_bandwidth_when_a_datagram_is_sent link_bandwidth_when_a_connection_opens;
    links::link_mtu:
        link_mtu_at_a_time link_mtu_again_and_again link_mtu_when_a_fact_is_claimed
        link_mtu_when_a_persist_begins link_mtu_when_a_persist_completes
        link_mtu_when_a_datagram_is_sent link_mtu_when_a_connection_opens;
    machines::slow:
        slow_at_a_time slow_again_and_again slow_when_a_fact_is_claimed
        slow_when_a_persist_begins slow_when_a_persist_completes
        slow_when_a_datagram_is_sent slow_when_a_connection_opens;
    machines::slow_disk:
        slow_disk_at_a_time slow_disk_again_and_again slow_disk_when_a_fact_is_claimed
        slow_disk_when_a_persist_begins slow_disk_when_a_persist_completes
        slow_disk_when_a_datagram_is_sent slow_disk_when_a_connection_opens;
    machines::failing_disk_of_all:
        failing_disk_at_a_time failing_disk_again_and_again failing_disk_when_a_fact_is_claimed
        failing_disk_when_a_persist_begins failing_disk_when_a_persist_completes
        failing_disk_when_a_datagram_is_sent failing_disk_when_a_connection_opens;
    machines::drifts:
        drift_at_a_time drift_again_and_again drift_when_a_fact_is_claimed
        drift_when_a_persist_begins drift_when_a_persist_completes
        drift_when_a_datagram_is_sent drift_when_a_connection_opens;
    links::heal:
        heal_at_a_time heal_again_and_again heal_when_a_fact_is_claimed
        heal_when_a_persist_begins heal_when_a_persist_completes
        heal_when_a_datagram_is_sent heal_when_a_connection_opens;
    machines::heal_of_a_host:
        heal_of_a_host_at_a_time heal_of_a_host_again_and_again heal_of_a_host_when_a_fact_is_claimed
        heal_of_a_host_when_a_persist_begins heal_of_a_host_when_a_persist_completes
        heal_of_a_host_when_a_datagram_is_sent heal_of_a_host_when_a_connection_opens;
    links::heal_all:
        heal_all_at_a_time heal_all_again_and_again heal_all_when_a_fact_is_claimed
        heal_all_when_a_persist_begins heal_all_when_a_persist_completes
        heal_all_when_a_datagram_is_sent heal_all_when_a_connection_opens;
}

/// A run in which a fault struck.
struct Struck {
    story: Story,
    /// When it struck.
    at: Vec<Span>,
}

/// The host whose deeds trigger; the others are added to it.
fn scene() -> Draft {
    let to_itself = Do::Send {
        to: place(CUE),
        says: "now".to_owned(),
    };
    let deeds = [say("now"), to_itself, persist("now")];
    let rules = [
        start([Do::Arm(1, ms(100)), Do::Arm(2, ms(97)), Do::Listen(PORT)]),
        on(On::Timer(1), deeds),
        // It takes a round trip until the connection is open.
        on(On::Timer(2), [Do::Dial(place(CUE))]),
    ];
    plan().host("cue", rules).limit(Struck::LIMIT)
}

impl When {
    /// Adds a fault to what happens anyhow, and runs it.
    fn strike(self, draft: Draft, fault: Fault) -> Struck {
        if let When::AgainAndAgain = self {
            strikes_again(&draft, &fault);
        }
        let story = draft.step(self.trigger(), fault).trace(1);
        let struck = Struck {
            story,
            at: self.times(),
        };
        let done = struck.story.outcome.faults.last().unwrap();
        assert_eq!(done.at, Some(at(struck.at[0])), "{}", done.fault);
        assert!(done.affected > 0, "{}", done.fault);
        let outcome = &struck.story.outcome;
        assert_eq!(outcome.verdict, Verdict::Held, "{:?}", outcome.doubts);
        struck
    }

    fn trigger(self) -> Trigger {
        let cue = match self {
            When::AtATime => return Trigger::At(at(ms(100))),
            When::AgainAndAgain => {
                return Trigger::Every {
                    first: at(ms(100)),
                    interval: ms(100),
                    until: at(ms(300)),
                };
            }
            When::Claimed => Cue::Fact(SAID),
            When::PersistBegun => Cue::PersistBegun,
            When::PersistCompleted => Cue::PersistCompleted,
            When::Sent => Cue::Send(vec![CUE]),
            When::Opened => Cue::Open(vec![CUE]),
        };
        Trigger::When {
            cue,
            by: vec![CUE],
            nth: 1,
            after: Span::ZERO,
        }
    }

    /// When it strikes.
    fn times(self) -> Vec<Span> {
        match self {
            When::AtATime | When::Claimed | When::PersistBegun | When::Sent => vec![ms(100)],
            When::Opened => vec![ms(99)],
            When::AgainAndAgain => vec![ms(100), ms(200)],
            // A write takes 10 ms.
            When::PersistCompleted => vec![ms(110)],
        }
    }
}

/// Asserts that the second time counts: where what the first did is undone in between, the world changes at the second time as it does
/// not when there is none, and more is touched than the first does.
fn strikes_again(draft: &Draft, fault: &Fault) {
    let run = |trigger: Trigger| {
        let undone = undoing(draft, fault).into_iter();
        let draft = undone.fold(draft.again(), |draft, undoing| draft.at(ms(150), undoing));
        let story = draft.step(trigger, fault.clone()).trace(1);
        let second = story
            .changes()
            .into_iter()
            .filter(|(when, _)| *when == ms(200))
            .count();
        (story, second)
    };
    let (once, at_no_second) = run(When::AtATime.trigger());
    let (again, at_the_second) = run(When::AgainAndAgain.trigger());
    let touched = |story: &Story| story.outcome.faults.last().unwrap().affected;
    let kind = fault.kind();
    assert_eq!(at_no_second, 0, "{kind}");
    assert!(at_the_second > 0, "{kind}: nothing changed the second time");
    assert!(
        touched(&again) > touched(&once),
        "{kind}: {} after {}",
        touched(&again),
        touched(&once)
    );
    assert_eq!(
        again.outcome.verdict,
        Verdict::Held,
        "{kind}: {:?}",
        again.outcome.doubts
    );
}

/// What takes back what a fault did, so that it has something to do the next time; nothing for one that does more each time.
fn undoing(draft: &Draft, fault: &Fault) -> Option<Fault> {
    match fault {
        Fault::Crash(_, who) => Some(Fault::Restart {
            who: who.clone(),
            disk: DiskOnRestart::Kept,
        }),
        Fault::Restart { who, .. } => Some(Fault::Crash(Crash::Kill, who.clone())),
        Fault::Pause(who) => Some(Fault::Resume(who.clone())),
        Fault::Resume(who) => Some(Fault::Pause(who.clone())),
        Fault::Jump { .. } => None,
        Fault::Lay(layer) => Some(Fault::Heal(layer.clone())),
        Fault::Heal(layer) => Some(Fault::Lay(layer.clone())),
        Fault::HealAll => draft.first_laid(),
    }
}

impl Struck {
    /// How long each run is.
    const LIMIT: Span = ms(400);

    /// How often it had struck by a time.
    fn times_by(&self, by: Span) -> u64 {
        self.at.iter().filter(|at| **at <= by).count() as u64
    }

    /// How the world changed, in order.
    fn changes(&self) -> Vec<Change> {
        self.story
            .changes()
            .into_iter()
            .map(|(_, change)| change)
            .collect()
    }

    /// What a host's node heard from another from a time on.
    fn heard_from(&self, host: HostId, from: &str, since: Span) -> Vec<String> {
        let lines = self.story.of(host).into_iter();
        let is_it = |line: &String| {
            let (when, what) = line.split_once(' ').unwrap();
            let when: Span = when.parse().unwrap();
            when >= since && what.starts_with("hears") && what.ends_with(&format!(" from {from}"))
        };
        lines.filter(is_it).collect()
    }
}
