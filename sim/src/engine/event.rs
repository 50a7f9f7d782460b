//! What lies in the event queue, and where datagrams too long for it lie.

use squall_nodes::{CallId, HostId, Token};

use super::network::Flaw;
use super::queue::{Full, Queue};
use super::spares::{Buffers, taken_by};
use super::streams::Place;

/// Payloads of up to this length lie in the event itself.
pub(crate) const INLINE: usize = 32;

/// Something that comes up at an instant. With its time and its order it fills one line of the processor's cache.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A datagram reaches its host.
    Datagram(Datagram),
    /// A timer of a host may be due.
    Timer {
        host: HostId,
        incarnation: u32,
        place: u32,
    },
    /// A host that starts late is switched on.
    Boot { host: HostId },
    /// A node gets its first input.
    Start { host: HostId, incarnation: u32 },
    /// A write reaches the disk.
    Written { host: HostId, incarnation: u32 },
    /// A node is told that a persist is complete.
    Persisted {
        host: HostId,
        incarnation: u32,
        token: Token,
    },
    /// A node is told that a persist failed.
    PersistFailed {
        host: HostId,
        incarnation: u32,
        token: Token,
    },
    /// A slow host is done with the first thing that it holds.
    Worked { host: HostId },
    /// An entry of the workload makes its next call.
    Work { entry: u32, ordinal: u64 },
    /// A call reaches its node.
    Command {
        host: HostId,
        incarnation: u32,
        entry: u32,
        call: CallId,
    },
    /// An entry of the timeline happens.
    Step { step: u32, actor: Option<HostId> },
    /// A flap over links cuts, or opens.
    Flap { layer: u32 },
    /// A packet of a stream reaches its host.
    Parcel { host: HostId, parcel: u32 },
    /// An end of a stream may have waited for long enough.
    Alarm { host: HostId, place: Place },
    /// A node is told something of a stream.
    Tell {
        host: HostId,
        incarnation: u32,
        place: Place,
    },
    /// A datagram is about to arrive that should not have taken so long.
    Straggler { from: HostId, to: HostId },
    /// An invariant wants to look.
    Judge,
}

const _: () = assert!(
    Queue::<Event>::RECORD == 64,
    "an event fills one line of the cache"
);

impl Event {
    /// The host that it is for.
    pub(crate) fn host(&self) -> Option<HostId> {
        match self {
            Event::Datagram(datagram) => Some(datagram.to),
            Event::Timer { host, .. }
            | Event::Boot { host }
            | Event::Start { host, .. }
            | Event::Written { host, .. }
            | Event::Persisted { host, .. }
            | Event::PersistFailed { host, .. }
            | Event::Worked { host }
            | Event::Parcel { host, .. }
            | Event::Alarm { host, .. }
            | Event::Tell { host, .. }
            | Event::Command { host, .. } => Some(*host),
            Event::Work { .. }
            | Event::Step { .. }
            | Event::Flap { .. }
            | Event::Straggler { .. }
            | Event::Judge => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram {
    pub(crate) to: HostId,
    pub(crate) from: HostId,
    pub(crate) from_port: u16,
    pub(crate) to_port: u16,
    pub(crate) len: u16,
    pub(crate) lies: Lies,
    /// The payload, zero-padded, when it is short; else its place among the [`Payloads`] in the first four bytes.
    pub(crate) bytes: [u8; INLINE],
}

/// Where the payload of a datagram lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    Inline,
    /// Among the [`Payloads`].
    Outside,
}

impl Datagram {
    /// The place of a long payload.
    #[inline]
    pub(crate) fn long(&self) -> Option<u32> {
        let [a, b, c, d, ..] = self.bytes;
        (self.lies == Lies::Outside).then(|| u32::from_le_bytes([a, b, c, d]))
    }

    /// The whole payload.
    #[inline]
    pub(crate) fn payload<'a>(&'a self, payloads: &'a Payloads) -> &'a [u8] {
        match self.long() {
            Some(place) => &payloads.slots[place as usize],
            None => &self.bytes[..usize::from(self.len)],
        }
    }
}

/// Payloads too long to lie in an event.
#[derive(Default)]
pub(crate) struct Payloads {
    slots: Vec<Vec<u8>>,
    /// The slots that hold none.
    free: Vec<u32>,
    /// How many bytes of memory those that are kept now take, about.
    bytes: usize,
}

impl Payloads {
    /// What each takes besides its buffer: a slot, and the number of one that is free.
    const EACH: usize = size_of::<Vec<u8>>() + size_of::<u32>();

    /// How many bytes of memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self, buffers: &mut Buffers) {
        self.bytes = 0;
        for slot in &mut self.slots {
            buffers.put(std::mem::take(slot));
        }
        self.free.clear();
        self.free.extend(0..self.slots.len() as u32);
    }

    /// The bytes as they lie in an event, and where that is. All long payloads may take `most` bytes of memory.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no room for a long payload.
    #[inline]
    pub(crate) fn store(
        &mut self,
        bytes: &[u8],
        most: usize,
        buffers: &mut Buffers,
    ) -> Result<(Lies, [u8; INLINE]), Full> {
        // The longest that fit are copied without a loop.
        if let Ok(inline) = <[u8; INLINE]>::try_from(bytes) {
            return Ok((Lies::Inline, inline));
        }
        let mut inline = [0; INLINE];
        if let Some(room) = inline.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            return Ok((Lies::Inline, inline));
        }
        self.store_outside(bytes, most, buffers)
            .map(|place| (Lies::Outside, place))
    }

    #[cold]
    fn store_outside(
        &mut self,
        bytes: &[u8],
        most: usize,
        buffers: &mut Buffers,
    ) -> Result<[u8; INLINE], Full> {
        let mut inline = [0; INLINE];
        let after = self.bytes + taken_by(bytes.len()) + Self::EACH;
        if after > most {
            return Err(Full);
        }
        self.bytes = after;
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Vec::new());
            self.slots.len() as u32 - 1
        });
        self.slots[place as usize] = buffers.filled(bytes);
        inline[..4].copy_from_slice(&place.to_le_bytes());
        Ok(inline)
    }

    /// Gives a datagram a flaw: its own bytes, and nobody else's, are others now.
    pub(crate) fn corrupt(&mut self, datagram: &mut Datagram, flaw: Flaw) {
        let bytes = match datagram.long() {
            Some(place) => &mut self.slots[place as usize][..],
            None => &mut datagram.bytes[..usize::from(datagram.len)],
        };
        bytes[flaw.place] ^= flaw.mask;
    }

    /// Gives back the room of a datagram that is done with.
    #[inline]
    pub(crate) fn release(&mut self, datagram: &Datagram, buffers: &mut Buffers) {
        if let Some(place) = datagram.long() {
            buffers.put(std::mem::take(&mut self.slots[place as usize]));
            self.free.push(place);
            self.bytes -= taken_by(usize::from(datagram.len)) + Self::EACH;
        }
    }
}
