//! The one loop of both worlds: receive an input, hand it to its node, perform the effects.

use crate::node::{HostId, Input, Node};
use crate::outbox::{Effects, Ids, Outbox};
use crate::time::Time;

/// An input on its way to its node.
pub struct Delivery<'a, N: Node> {
    /// The host that the node runs on.
    pub host: HostId,
    /// The host's life that it is for, counted from 0. A recording begins anew with each.
    pub incarnation: u32,
    /// The time on that host's clock.
    pub now: Time,
    /// The node.
    pub node: &'a mut N,
    /// The counter that this incarnation's numbers come from.
    pub ids: &'a mut Ids,
    /// What it is told.
    pub input: Input<'a, N>,
}

/// A world that nodes live in: the virtual network, or real sockets. It owns the nodes, since restarts happen there.
pub trait Transport<N: Node> {
    /// The next input there is, waiting for it if need be; `None` when the run is over. Time moves here and nowhere else.
    fn receive(&mut self) -> Option<Delivery<'_, N>>;

    /// Does what the node on `host` asked for at `now`, in order.
    ///
    /// A transport that takes the host down in the middle drops the rest.
    fn perform(&mut self, host: HostId, now: Time, effects: Effects<'_, N>);
}

/// Someone who is shown what every node is told and what it asks for, before any of that is done: a flight recorder.
pub trait Witness<N: Node> {
    /// The node on `host`, in this life, is about to be told `input` at `now`. What comes of it is shown next, unless it panics.
    #[inline]
    fn told(&mut self, host: HostId, incarnation: u32, now: Time, input: &Input<'_, N>) {
        let _ = (host, incarnation, now, input);
    }

    /// The node on `host`, in this life, was told `input` at `now`, and asks for `effects`.
    fn handled(
        &mut self,
        host: HostId,
        incarnation: u32,
        now: Time,
        input: &Input<'_, N>,
        effects: &Effects<'_, N>,
    );
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwitnessed;

impl<N: Node> Witness<N> for Unwitnessed {
    #[inline]
    fn handled(&mut self, _: HostId, _: u32, _: Time, _: &Input<'_, N>, _: &Effects<'_, N>) {}
}

/// Whoever is there looks.
impl<N: Node, W: Witness<N>> Witness<N> for Option<W> {
    #[inline]
    fn told(&mut self, host: HostId, incarnation: u32, now: Time, input: &Input<'_, N>) {
        if let Some(witness) = self {
            witness.told(host, incarnation, now, input);
        }
    }

    #[inline]
    fn handled(
        &mut self,
        host: HostId,
        incarnation: u32,
        now: Time,
        input: &Input<'_, N>,
        effects: &Effects<'_, N>,
    ) {
        if let Some(witness) = self {
            witness.handled(host, incarnation, now, input, effects);
        }
    }
}

/// Runs the nodes of `transport` until it has no more inputs. It is the only caller of [`Node::handle`].
///
/// `outbox` is the scratch space; keep it from run to run and nothing is allocated for it twice. `witness` is shown everything.
pub fn drive<N: Node>(
    transport: &mut impl Transport<N>,
    outbox: &mut Outbox<N>,
    witness: &mut impl Witness<N>,
) {
    while let Some(Delivery {
        host,
        incarnation,
        now,
        node,
        ids,
        input,
    }) = transport.receive()
    {
        outbox.begin(*ids);
        witness.told(host, incarnation, now, &input);
        node.handle(now, input, outbox);
        *ids = outbox.ids();
        let effects = outbox.effects();
        witness.handled(host, incarnation, now, &input, &effects);
        transport.perform(host, now, effects);
    }
}
