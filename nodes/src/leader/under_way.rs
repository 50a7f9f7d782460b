//! How many connections of a node may be under way at once.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use super::config::{Change, Config, MOST_AT_ONCE, MOST_OF_A_NODE, MOST_UNHEARD};
use crate::node::ConnId;
use crate::time::{Span, Time};

/// The connections of a node that are under way, the oldest first.
#[derive(Clone)]
pub(super) enum UnderWay {
    /// Without [`Change::BackOff`]: by what they are for, until their deadline. The oldest is closed for one more than there may be.
    OfKinds {
        lanes: BTreeMap<Lane, VecDeque<ConnId>>,
        /// How many there may be for one thing.
        most: usize,
    },
    /// With it: by whom they go to, until their host has done with them.
    OfNodes {
        lines: BTreeMap<SocketAddrV4, Line>,
        deadline: Span,
    },
}

/// What is under way to one node.
#[derive(Clone, Default)]
pub(super) struct Line {
    conns: VecDeque<ConnId>,
    /// The last of those that had been dialled when something was last heard of the node.
    heard: Option<ConnId>,
    /// When it was last dialled.
    dialled: Time,
}

/// What is counted as the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    /// The place in the list of whom it goes to.
    pub(super) to: usize,
    pub(super) kind: Kind,
}

/// What is counted as the same thing, if it goes to the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Nodes,
    Heartbeat,
    Choose,
    Chat,
    Calc(u64),
}

/// Whether there may be one more connection.
pub(super) enum Room {
    Free,
    /// If this one is closed for it.
    InPlaceOf(ConnId),
    Full,
}

impl UnderWay {
    pub(super) fn new(config: &Config) -> Self {
        match config.changes().has(Change::BackOff) {
            true => UnderWay::OfNodes {
                lines: BTreeMap::new(),
                deadline: config.deadline,
            },
            false => UnderWay::OfKinds {
                lanes: BTreeMap::new(),
                most: config.most_at_once() as usize,
            },
        }
    }

    /// Whether there may be one more, in the place of one that may never end where nothing else helps.
    pub(super) fn room(
        &self,
        to: SocketAddrV4,
        lane: Lane,
        now: Time,
        may_never_end: impl Fn(ConnId) -> bool,
    ) -> Room {
        match self {
            UnderWay::OfKinds { lanes, most } => {
                let full = lanes.get(&lane).filter(|conns| conns.len() >= *most);
                let oldest = full.and_then(|conns| conns.front());
                oldest.map_or(Room::Free, |oldest| Room::InPlaceOf(*oldest))
            }
            UnderWay::OfNodes { lines, deadline } => match lines.get(&to) {
                Some(line) => line.room(now, *deadline, may_never_end),
                None => Room::Free,
            },
        }
    }

    pub(super) fn begin(&mut self, to: SocketAddrV4, lane: Lane, conn: ConnId, now: Time) {
        match self {
            UnderWay::OfKinds { lanes, .. } => lanes.entry(lane).or_default().push_back(conn),
            UnderWay::OfNodes { lines, .. } => {
                let line = lines.entry(to).or_default();
                line.conns.push_back(conn);
                line.dialled = now;
            }
        }
    }

    pub(super) fn end(&mut self, to: SocketAddrV4, lane: Lane, conn: ConnId) {
        match self {
            UnderWay::OfKinds { lanes, .. } => {
                if let Some(conns) = lanes.get_mut(&lane) {
                    conns.retain(|other| *other != conn);
                    if conns.is_empty() {
                        lanes.remove(&lane);
                    }
                }
            }
            UnderWay::OfNodes { lines, .. } => {
                if let Some(line) = lines.get_mut(&to) {
                    line.conns.retain(|other| *other != conn);
                    if line.conns.is_empty() {
                        lines.remove(&to);
                    }
                }
            }
        }
    }

    /// Whether a connection is still under way when its deadline is over.
    pub(super) fn outlasts_deadlines(&self) -> bool {
        matches!(self, UnderWay::OfNodes { .. })
    }

    /// Something is heard of a node, so that it may be dialled again at once.
    pub(super) fn hear(&mut self, of: SocketAddrV4) {
        if let UnderWay::OfNodes { lines, .. } = self
            && let Some(line) = lines.get_mut(&of)
        {
            line.heard = line.conns.back().copied();
        }
    }

    /// Those to a node, where they are counted by that.
    pub(super) fn to(&self, node: SocketAddrV4) -> impl Iterator<Item = ConnId> {
        let line = match self {
            UnderWay::OfKinds { .. } => None,
            UnderWay::OfNodes { lines, .. } => lines.get(&node),
        };
        line.into_iter().flat_map(|line| &line.conns).copied()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            UnderWay::OfKinds { lanes, .. } => lanes.is_empty(),
            UnderWay::OfNodes { lines, .. } => lines.is_empty(),
        }
    }
}

impl Line {
    /// A few at once, and from then on, if nothing is heard of the node, one in a while, so that it is found when it is there again.
    fn room(&self, now: Time, deadline: Span, may_never_end: impl Fn(ConnId) -> bool) -> Room {
        let unheard = self.conns.iter().filter(|conn| Some(**conn) > self.heard);
        let (all, unheard) = (self.conns.len(), unheard.count());
        if unheard < MOST_AT_ONCE && all < MOST_OF_A_NODE {
            return Room::Free;
        }
        if now.since(self.dialled) < deadline * 2 {
            return Room::Full;
        }
        if all < MOST_UNHEARD {
            return Room::Free;
        }
        match self.conns.iter().find(|conn| may_never_end(**conn)) {
            Some(oldest) => Room::InPlaceOf(*oldest),
            None => Room::Full,
        }
    }
}
