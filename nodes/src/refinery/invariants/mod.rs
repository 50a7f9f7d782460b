//! What refinery promises, by name.

use super::RefineryNode;
use crate::protocol::InvariantKind;

/// Every promise.
pub(super) fn all() -> Vec<InvariantKind<RefineryNode>> {
    Vec::new()
}
