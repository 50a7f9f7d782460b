//! A protocol whose node panics, which is a bug of it.

use std::net::Ipv4Addr;

use squall_nodes::{
    ConfigOf, Describe, Input, InvariantKind, Node, NodeRng, Outbox, Outside, Placed, Protocol, Span, Time,
    Timer, Unusable,
};

/// How long a node lives.
const LIVES: Span = Span::from_millis(100);

/// A protocol whose nodes break after a while.
pub(crate) struct Fragile;

#[derive(Clone)]
pub(crate) struct FragileNode;

squall_nodes::facts! {
    /// What it claims.
    pub(crate) enum FragileFact {
        /// It is there.
        "here" => Here,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Breaks;

impl Timer for Breaks {
    fn code(&self) -> u64 {
        0
    }
}

impl Node for FragileNode {
    type Role = ();
    type Config = ();
    type Command = ();
    type Answer = ();
    type Timer = Breaks;
    type Fact = FragileFact;

    fn boot(_: &(), _: &(), _: Option<&[u8]>, _: NodeRng) -> Self {
        FragileNode
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Timer(Breaks) => panic!("this is\n  too much"),
            Input::Start => {
                out.claim(FragileFact::Here);
                out.arm(Breaks, now + LIVES);
            }
            _ => {}
        }
    }
}

struct Silent;

impl Describe for Silent {
    fn datagram(&mut self, _: std::net::SocketAddrV4, _: std::net::SocketAddrV4, _: &[u8]) -> String {
        String::new()
    }
}

impl Protocol for Fragile {
    const NAME: &'static str = "fragile";
    const ABOUT: &'static str = "breaks";
    type Node = FragileNode;

    fn config(_: &str, _: &str) -> ConfigOf<Self> {}

    fn start(_: &[String], config: (), _: &dyn Outside) -> Result<Placed<FragileNode>, Unusable> {
        Ok(Placed {
            name: "f".to_owned(),
            ip: Ipv4Addr::LOCALHOST,
            role: (),
            config,
        })
    }

    fn invariants() -> Vec<InvariantKind<FragileNode>> {
        Vec::new()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Silent)
    }
}
