//! What a live node can be asked, on its control socket or by whoever attends it: a line of JSON each.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use squall_nodes::{Node, Time};

use crate::policy::Policy;

/// One request: `{"ask":"call","call":1,"command":…}`, or `{"ask":"stop"}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case", bound = "")]
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
        policy: Box<Policy>,
    },
    /// Who are you, and how are you?
    Status,
    /// Stop in order.
    Stop,
}

/// What comes back on a control socket: `{"reply":"answer","call":1,"answer":…}`, or `{"reply":"done"}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reply", rename_all = "snake_case", bound = "")]
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
        status: Value,
    },
    /// The request cannot be met, and why.
    Refused {
        /// Why.
        why: String,
    },
}

// Both are read in two steps: what a protocol has put in is read from JSON, in which the keys of a map are texts and may stand for
// numbers. In the buffer that serde keeps when a name stands inside, they may not.

impl<'de, N: Node> Deserialize<'de> for Request<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "ask", rename_all = "snake_case")]
        enum Read {
            Go { at: Time },
            Call { call: u64, command: Value },
            Policy { policy: Value },
            Status,
            Stop,
        }
        Ok(match Read::deserialize(deserializer)? {
            Read::Go { at } => Request::Go { at },
            Read::Call { call, command } => Request::Call {
                call,
                command: typed(command)?,
            },
            Read::Policy { policy } => Request::Policy {
                policy: typed(policy)?,
            },
            Read::Status => Request::Status,
            Read::Stop => Request::Stop,
        })
    }
}

impl<'de, N: Node> Deserialize<'de> for Reply<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "reply", rename_all = "snake_case")]
        enum Read {
            Answer { call: u64, answer: Value },
            Done,
            Status { status: Value },
            Refused { why: String },
        }
        Ok(match Read::deserialize(deserializer)? {
            Read::Answer { call, answer } => Reply::Answer {
                call,
                answer: typed(answer)?,
            },
            Read::Done => Reply::Done,
            Read::Status { status } => Reply::Status { status },
            Read::Refused { why } => Reply::Refused { why },
        })
    }
}

fn typed<T: de::DeserializeOwned, E: de::Error>(value: Value) -> Result<T, E> {
    serde_json::from_value(value).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_nodes::{Input, NodeRng, Outbox, Timer};

    use super::*;

    /// A node that is asked, and answers, maps with numbers for keys.
    #[derive(Clone, Debug, PartialEq)]
    struct Mapper;

    squall_nodes::facts! {
        /// Nothing of interest.
        enum Quiet {
            /// Nothing.
            "quiet" => Quiet,
        }
    }

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    struct NoTimer;
    impl Timer for NoTimer {
        fn code(&self) -> u64 {
            0
        }
    }

    impl Node for Mapper {
        type Role = ();
        type Config = ();
        type Command = BTreeMap<u32, bool>;
        type Answer = BTreeMap<i8, u8>;
        type Timer = NoTimer;
        type Fact = Quiet;

        fn boot((): &(), (): &(), _: Option<&[u8]>, _: NodeRng) -> Self {
            Mapper
        }

        fn handle(&mut self, _: Time, _: Input<'_, Self>, _: &mut Outbox<Self>) {}
    }

    #[test]
    fn requests_and_replies_are_read_as_they_were_written() {
        let text = "{\"ask\":\"call\",\"call\":1,\"command\":{\"7\":true}}";
        let request: Request<Mapper> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        let text = "{\"reply\":\"answer\",\"call\":1,\"answer\":{\"-7\":3}}";
        let reply: Reply<Mapper> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&reply).unwrap(), text);
        for text in ["{\"ask\":\"stop\"}", "{\"ask\":\"go\",\"at\":7}"] {
            let request: Request<Mapper> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
        let wrong = serde_json::from_str::<Request<Mapper>>("{\"ask\":\"fly\"}");
        assert!(wrong.err().unwrap().to_string().contains("unknown variant `fly`"));
        let wrong = "{\"ask\":\"call\",\"call\":1,\"command\":{\"x\":true}}";
        assert!(serde_json::from_str::<Request<Mapper>>(wrong).is_err());
    }
}
