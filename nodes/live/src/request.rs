//! What a live node can be asked, on its control socket or by whoever attends it: a line of JSON each.

use serde::{Deserialize, Serialize};
use squall_nodes::{Node, Time};

use crate::policy::Policy;

/// One request: `{"call":{"call":1,"command":…}}`, or `"stop"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "")]
pub enum Request<N: Node> {
    /// Boot at this time, or at once when it is past. Only a node that was started to wait for it waits for it.
    Go {
        /// When, on the machine's monotonic clock.
        at: Time,
    },
    /// A call to the node.
    Call {
        /// Under which number, which is used for no other call to this process.
        call: u64,
        /// What is asked.
        command: N::Command,
    },
    /// Put a policy in force.
    Policy {
        /// Which.
        policy: Policy,
    },
    /// Who are you, and how are you?
    Status,
    /// Stop in order.
    Stop,
}

/// What comes back on a control socket: `{"answer":{"call":1,"answer":…}}`, or `"done"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "")]
pub enum Reply<N: Node> {
    /// The node answers a call; it may answer once more.
    Answer {
        /// Which call.
        call: u64,
        /// What it gets.
        answer: N::Answer,
    },
    /// It was done, or is under way.
    Done,
    /// Who the node is and how it is, as the status page has it.
    Status {
        /// The page, as JSON.
        status: serde_json::Value,
    },
    /// The request cannot be met, and why.
    Refused {
        /// Why.
        why: String,
    },
}
