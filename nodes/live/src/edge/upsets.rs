//! What is to be told of links that drop what they have no room for, or deliver what they kept for too long.
//!
//! A flood that a link has no room for would be as many lines. So of one link each is told at once, and not again until a while has
//! passed; what came meanwhile is told then, so that nobody takes the link for sound too early.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use squall_nodes::{Span, Time};

/// How long nothing more is told of the same, once it was.
const PAUSE: Span = Span::from_millis(20);
/// Of how many links it is known what was told. Those of which there is nothing more to tell are forgotten at this number.
const MOST_KNOWN: usize = 4096;

/// What became of a datagram, or of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// There was no room for it, or it was too long.
    Choked,
    /// It was under way for longer than is tolerated.
    Straggled,
    /// Streams with a host there wait for what a cut or a law has swallowed.
    Stuck,
    /// None of them does any more.
    Flows,
}

/// What is to be told of the link from an address.
pub(crate) type Upset = (What, Ipv4Addr);

/// What is to be told, and what was.
#[derive(Default)]
pub(super) struct Upsets {
    known: BTreeMap<Upset, Known>,
    to_tell: VecDeque<Upset>,
}

struct Known {
    /// When it was told last.
    told: Time,
    since: Since,
}

/// What came since it was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    Nothing,
    More,
}

impl Upsets {
    /// Notes what became of a datagram.
    #[cold]
    pub(super) fn note(&mut self, what: What, from: Ipv4Addr, now: Time) {
        let upset = (what, from);
        if let Some(known) = self.known.get_mut(&upset) {
            if now < known.told + PAUSE {
                known.since = Since::More;
                return;
            }
        } else if self.known.len() >= MOST_KNOWN {
            self.known
                .retain(|_, known| known.since == Since::More || now < known.told + PAUSE);
            if self.known.len() >= MOST_KNOWN {
                // It is told each time, rather than not at all.
                self.to_tell.push_back(upset);
                return;
            }
        }
        self.tell(upset, now);
    }

    /// Notes what is so from now on, which is told each time.
    #[cold]
    pub(super) fn note_always(&mut self, what: What, from: Ipv4Addr) {
        self.to_tell.push_back((what, from));
    }

    /// Has that told of which more came, once the pause is over.
    pub(super) fn recall(&mut self, now: Time) {
        let Upsets { known, to_tell } = self;
        for (upset, known) in known {
            if known.since == Since::More && now >= known.told + PAUSE {
                *known = Known {
                    told: now,
                    since: Since::Nothing,
                };
                to_tell.push_back(*upset);
            }
        }
    }

    fn tell(&mut self, upset: Upset, now: Time) {
        let known = Known {
            told: now,
            since: Since::Nothing,
        };
        self.known.insert(upset, known);
        self.to_tell.push_back(upset);
    }

    #[inline]
    pub(super) fn any(&self) -> bool {
        !self.to_tell.is_empty()
    }

    /// The next that is to be told.
    pub(super) fn next(&mut self) -> Option<Upset> {
        self.to_tell.pop_front()
    }
}
