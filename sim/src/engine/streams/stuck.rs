//! Streams that what is not tolerated has held up. Their senders back off, and go on only some time after it is over, when nobody could
//! tell any more that it ever was: those who watch for quiet have to know.
//!
//! An ordinary loss holds up nothing: what it costs is in the bounds of those who promise anything of streams.

use squall_nodes::{Change, HostId, Protocol};

use super::Place;
use super::wire::Parcel;
use crate::engine::Engine;
use crate::engine::see::By;

impl<P: Protocol> Engine<'_, P> {
    /// What is not tolerated drops a packet, or delays it: either end may wait for what it says.
    #[cold]
    pub(super) fn hold_up(&mut self, parcel: &Parcel) {
        self.hold_up_end(parcel.to());
        self.hold_up_end(parcel.to().other());
    }

    /// An end waits for what will not come in time.
    pub(super) fn hold_up_end(&mut self, place: Place) {
        let Some(connection) = self.streams.connection(place) else {
            return;
        };
        let (from, to) = (connection.host(place.side), connection.host(place.side.other()));
        let end = &mut self.streams.connections[place.slot as usize].ends[place.side as usize];
        let known = to.index() < self.hosts.len();
        if !known || !end.as_mut().is_some_and(|end| end.is_held_up()) {
            return;
        }
        let ends = self.streams.stuck.entry((from, to)).or_default();
        *ends += 1;
        if *ends == 1 {
            self.change(Change::StreamStuck { from, to }, By::itself("stream"));
        }
    }

    /// One of the ends that are stuck is so no more.
    pub(super) fn flows(&mut self, from: HostId, to: HostId) {
        let Some(ends) = self.streams.stuck.get_mut(&(from, to)) else {
            return;
        };
        *ends -= 1;
        if *ends == 0 {
            self.streams.stuck.remove(&(from, to));
            self.change(Change::StreamFlows { from, to }, By::itself("stream"));
        }
    }
}
