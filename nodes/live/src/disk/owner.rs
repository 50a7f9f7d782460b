//! Whose a data folder is: what one node has persisted means nothing to another.

use std::fmt;

use serde::{Deserialize, Serialize};
use squall_nodes::{Node, recording};

use crate::settings::Settings;

/// Whose a data folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The protocol that the node speaks.
    pub protocol: String,
    /// What the node is called.
    pub name: String,
    /// Its role, as a file writes it.
    pub role: String,
}

impl Owner {
    /// The node of these settings.
    pub fn of<N: Node>(settings: &Settings<N>) -> Self {
        Owner {
            protocol: settings.protocol.clone(),
            name: settings.placed.name.clone(),
            role: recording::as_text(&settings.placed.role),
        }
    }
}

/// `c1 (hac Client)`
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { protocol, name, role } = self;
        let text = format!("{name} ({protocol} {role})");
        // It comes from a file.
        let harmless = text.chars().map(|c| if c.is_control() { '?' } else { c });
        f.write_str(&harmless.collect::<String>())
    }
}
