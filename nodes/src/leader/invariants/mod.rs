//! What leader promises, by name, each with its bound as a formula of the settings.
//!
//! [`always`] holds the promises of every moment; the rest is promised in quiet. [`standing`] is what all of them know of who leads and
//! who follows whom.

mod always;
mod bounds;
mod calls_answered;
mod chat_reaches_all;
mod one_leader;
mod standing;
#[cfg(test)]
mod tests;

use super::LeaderNode;
use crate::history::AnsweredOnce;
use crate::protocol::InvariantKind;
use crate::seen::DiskAtBoot;

use always::{ChatInOrder, TermsGrow, worth, worth_by_source};
use bounds::Terms;
use calls_answered::CallsAnswered;
use chat_reaches_all::ChatReachesAll;
use one_leader::OneLeader;

/// Every promise, those of every moment first.
pub(super) fn all() -> Vec<InvariantKind<LeaderNode>> {
    vec![
        InvariantKind::always(
            "terms_grow",
            "a node never goes back to a term below one that it has seen, and takes and gives no answer of one, unless it has lost its disk",
            TermsGrow::new,
        ),
        InvariantKind::always(
            "answered_once",
            "a call is answered at most once, by whom it was made to, and what was calculated is right",
            |setup| {
                AnsweredOnce::new(match setup.rules {
                    "Original" => worth_by_source,
                    _ => worth,
                })
            },
        ),
        InvariantKind::always(
            "chat_in_order",
            "what somebody has said is shown to nobody twice, and to everyone as it was said and in the order in which it was said",
            ChatInOrder::new,
        ),
        InvariantKind::in_quiet(
            "one_leader",
            "of nodes that can all reach each other and of which somebody knows the list, the one with the highest number leads, and all others follow it",
            |setup| Terms::of(setup).one_leader(),
            OneLeader::new,
        ),
        InvariantKind::in_quiet(
            "calls_answered",
            "what a node that is up is asked to calculate, it answers, and not with there being no leader, nor with too much being open where it is not",
            |setup| Terms::of(setup).calls_answered(),
            CallsAnswered::new,
        ),
        InvariantKind::in_quiet(
            "chat_reaches_all",
            "what somebody is asked to say among nodes that can all reach each other is said, and is shown to each of them",
            |setup| Terms::of(setup).chat_reaches_all(),
            ChatReachesAll::new,
        ),
    ]
}

/// Whether a host that boots with such a disk may be without what it had written there: a new life, as far as promises
/// rest on the disk. What a stale disk still has cannot be told from outside. Where nothing was ever written, nothing was lost.
fn loses(disk: DiskAtBoot) -> bool {
    match disk {
        DiskAtBoot::Fresh | DiskAtBoot::Kept => false,
        DiskAtBoot::Wiped | DiskAtBoot::Stale | DiskAtBoot::Torn | DiskAtBoot::Corrupt => true,
    }
}
