//! What a node asks for first, found out before it boots: a twin of it is told to start, and what it asks for is looked at and not done. So
//! a port that is another's is known before anything of the node's life is begun.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squall_nodes::{
    Delivery, Effect, Effects, HostId, HostKey, Ids, Input, Node, NodeRng, Outbox, Placed, Time, Transport,
    Unwitnessed, drive,
};

use crate::disk::Found;

/// What a node asks for when it is told to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct First {
    /// Ports, in that order.
    pub(crate) ports: Vec<u16>,
    /// Ports that it accepts connections on.
    pub(crate) listens: Vec<u16>,
    /// Whether it asks for connections, its own or others'.
    pub(crate) connects: bool,
    /// The first thing that is not done live.
    pub(crate) not_live: Option<&'static str>,
}

/// What a node asks for when it is told to start: nothing, where it panics over it. That it does is found out, and recorded, when it boots.
pub(crate) fn rehearse<N: Node>(placed: &Placed<N>, seed: u64, found: &Found, now: Time) -> First {
    let first = || {
        let rng = NodeRng::new(seed, HostKey::of(&placed.name), found.incarnation);
        let mut stage = Stage {
            twin: N::boot(&placed.role, &placed.config, found.state.as_deref(), rng),
            ids: Ids::default(),
            incarnation: found.incarnation,
            now,
            turns: 1,
            first: First::default(),
        };
        drive(&mut stage, &mut Outbox::new(), &mut Unwitnessed);
        stage.first
    };
    catch_unwind(AssertUnwindSafe(first)).unwrap_or_else(|_| First {
        connects: true,
        ..First::default()
    })
}

/// What is said of files that are to secure the connections of a node that asks for none when it starts.
pub(crate) const NOTHING_TO_SECURE: &str = "the node asks for no connections when it starts, and TLS secures nothing else: what it says in datagrams goes out as it is";

/// What of an effect is not done live.
pub(crate) fn not_live<N: Node>(effect: &Effect<'_, N>) -> Option<&'static str> {
    match effect {
        Effect::Multicast { .. } | Effect::Join { .. } | Effect::Leave { .. } => Some("multicast"),
        Effect::Listen { .. }
        | Effect::Dial { .. }
        | Effect::Write { .. }
        | Effect::PauseReading { .. }
        | Effect::ResumeReading { .. }
        | Effect::Close { .. }
        | Effect::Arm { .. }
        | Effect::Disarm { .. }
        | Effect::Bind { .. }
        | Effect::Send { .. }
        | Effect::Claim(_)
        | Effect::Answer { .. }
        | Effect::Persist { .. } => None,
    }
}

/// A world in which nothing comes of anything.
struct Stage<N: Node> {
    twin: N,
    ids: Ids,
    incarnation: u32,
    now: Time,
    turns: u32,
    first: First,
}

impl<N: Node> Transport<N> for Stage<N> {
    fn receive(&mut self) -> Option<Delivery<'_, N>> {
        self.turns = self.turns.checked_sub(1)?;
        Some(Delivery {
            host: HostId(0),
            incarnation: self.incarnation,
            now: self.now,
            node: &mut self.twin,
            ids: &mut self.ids,
            input: Input::Start,
        })
    }

    fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, N>) {
        for effect in effects {
            if let Effect::Bind { port } = effect
                && !self.first.ports.contains(&port)
            {
                self.first.ports.push(port);
            }
            if let Effect::Listen { port } = effect
                && !self.first.listens.contains(&port)
            {
                self.first.listens.push(port);
            }
            self.first.connects |= matches!(effect, Effect::Listen { .. } | Effect::Dial { .. });
            self.first.not_live = self.first.not_live.or(not_live(&effect));
        }
    }
}
