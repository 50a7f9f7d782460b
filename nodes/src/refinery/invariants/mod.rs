//! What refinery promises, by name, each with its bound as a formula of the settings.
//!
//! [`always`] holds the promises of every moment; the rest is promised in quiet. [`cast`] is what is known of the hosts before the
//! run, [`standing`] what each of them has claimed since, [`relapses`] what may come undone in quiet.

mod always;
mod bounds;
mod cast;
mod one_master;
mod registry_true;
mod relapses;
mod standing;
#[cfg(test)]
mod tests;
mod tree;

use super::RefineryNode;
use crate::protocol::{InvariantKind, Setup};

use always::{AuthenticatedFirst, EpochGrows, HonestStay, StrangersStayOut};
use bounds::Terms;
use cast::Cast;
use one_master::OneMaster;
use registry_true::RegistryTrue;
use tree::{LiveUpstream, Tree};

/// Every promise, those of every moment first.
pub(super) fn all() -> Vec<InvariantKind<RefineryNode>> {
    vec![
        InvariantKind::always(
            "authenticated_first",
            "nobody is given an upstream on a connection on which it has not shown that it belongs to the cluster",
            AuthenticatedFirst::new,
        ),
        InvariantKind::always(
            "strangers_stay_out",
            "who has another version is not asked for its cert, and who does not have the secret, or says again what another has said, is not let in",
            StrangersStayOut::new,
        ),
        InvariantKind::always(
            "honest_stay",
            "no node that belongs to the cluster is closed, or turned away by whom it has reached, on account of somebody who has not been let in",
            HonestStay::new,
        ),
        InvariantKind::always(
            "epoch_grows",
            "a node that has accepted an epoch, or opened one, never goes back to a lower one",
            EpochGrows::new,
        ),
        InvariantKind::in_quiet(
            "one_master",
            "where a master or a standby can be reached, exactly one of them reigns",
            |setup| Terms::of(setup).one_master(),
            OneMaster::new,
        ),
        InvariantKind::in_quiet(
            "live_upstream",
            "where a master or a standby can be reached, every node that belongs to the cluster has an upstream that is up and can be reached",
            |setup| Terms::of(setup).live_upstream(),
            LiveUpstream::new,
        )
        .only_if(has_nodes),
        InvariantKind::in_quiet(
            "tree",
            "from upstream to upstream every node gets to the one that reigns, and nobody has more nodes below it than it may",
            |setup| Terms::of(setup).live_upstream(),
            Tree::new,
        )
        .only_if(has_nodes),
        InvariantKind::in_quiet(
            "registry_true",
            "the one that reigns has those nodes in its registry that know it, are up and can reach it, and no others, and no node takes another one for its master",
            |setup| Terms::of(setup).registry_true(),
            RegistryTrue::new,
        )
        .only_if(has_nodes),
    ]
}

fn has_nodes(setup: &Setup<'_, RefineryNode>) -> bool {
    !Cast::new(setup).nodes().is_empty()
}
