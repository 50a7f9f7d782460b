//! What becomes of connections when a machine goes down.

use squall_nodes::{Crash, HostId, Protocol};

use super::{Counts, Place, Side};
use crate::engine::Engine;

impl<P: Protocol> Engine<'_, P> {
    /// A host goes down. Killed, its kernel tells the peers; without power, nobody does.
    pub(in crate::engine) fn drop_streams(&mut self, id: HostId, how: Crash) {
        if self.streams.kernels.is_empty() {
            return;
        }
        self.streams.kernels[id.index()].listening.clear();
        self.streams.kernels[id.index()].names.clear();
        for slot in 0..self.streams.connections.len() as u32 {
            for side in [Side::Dialler, Side::Listener] {
                let connection = &self.streams.connections[slot as usize];
                if connection.host(side) != id || connection.end(side).is_none() {
                    continue;
                }
                let place = Place {
                    slot,
                    generation: connection.generation,
                    side,
                };
                // It was the process that counted it.
                self.streams.recount(place, Counts::Not);
                match how {
                    Crash::Kill => {
                        self.at_end(place, |end, desk| end.abandon(desk));
                    }
                    Crash::PowerCut => self.remove_end(place),
                }
            }
        }
    }
}
