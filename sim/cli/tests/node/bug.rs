//! A node that panics: it is a bug, and is told as one.

use squall::{App, Exit};
use squall_nodes::{
    ConfigOf, Describe, Input, InvariantKind, Node, NodeRng, Outbox, Outside, Placed, Protocol, Span, Time,
    Timer, Unusable,
};

use crate::process::{Folder, address};

/// A protocol whose node cannot bear to be started.
struct Fragile;

#[derive(Clone)]
struct FragileNode;

squall_nodes::facts! {
    /// What it would claim, if it came to that.
    pub(crate) enum FragileFact {
        /// Nothing.
        "nothing" => Nothing,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Never {}

impl Timer for Never {
    fn code(&self) -> u64 {
        match *self {}
    }
}

impl Node for FragileNode {
    type Role = ();
    type Config = ();
    type Command = ();
    type Answer = ();
    type Timer = Never;
    type Fact = FragileFact;

    fn boot(_: &(), _: &(), _: Option<&[u8]>, _: NodeRng) -> Self {
        FragileNode
    }

    fn handle(&mut self, _: Time, _: Input<'_, Self>, _: &mut Outbox<Self>) {
        panic!("this is too much")
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
            ip: address().parse().expect("an address"),
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

#[test]
fn a_panic_of_a_node_is_a_bug_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let socket = folder.at("control.sock");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let words = [
        "fragile",
        "node",
        "fragile",
        "--control",
        &socket,
        "--log-level",
        "off",
    ];
    let exit = App::new()
        .protocol::<Fragile>()
        .run(words, &mut stdout, &mut stderr);
    let stderr = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!((exit, exit.code()), (Exit::Bug, 101), "{stderr}");
    assert!(
        stderr.contains("the node panicked, which is a bug") && stderr.contains("this is too much"),
        "{stderr}"
    );
    assert!(!std::path::Path::new(&socket).exists());
}
