//! What a node claims and answers, in words for the person at its terminal.

use std::net::SocketAddrV4;

use super::wire::Epoch;
use super::{Answer, Below, Loss, Parting, RefineryFact, Refusal, Standing};
use crate::words::reckoned;

/// What a node claims; nothing where something else that it claims says the same to the person.
pub(super) fn told(fact: &RefineryFact) -> Option<String> {
    Some(match fact {
        RefineryFact::Started { .. } => "this node runs".to_owned(),
        RefineryFact::Idle => "this node does nothing: the original rules know no standby".to_owned(),
        RefineryFact::Serving { .. } => "this node serves: nodes may join it".to_owned(),
        RefineryFact::Promoted { .. } => {
            "this node is promoted, in place of the master that it had followed".to_owned()
        }
        RefineryFact::SteppedDown { .. } => {
            "this node has stepped down: somebody else reigns in a later epoch".to_owned()
        }
        RefineryFact::Following { master, .. } => format!("this node follows the master at {master}"),
        RefineryFact::Suspected { master, why } => {
            format!("the master at {master} is suspected: {}", loss(why))
        }
        RefineryFact::Enlisted { id, address } => format!("{id} at {address} is enlisted"),
        RefineryFact::StruckOff { id, address } => format!("{id} at {address} is struck off"),
        RefineryFact::Authenticated { id, from, .. } => {
            format!("{id} has shown that it belongs here, from {from}")
        }
        RefineryFact::Declined { from, id, .. } => {
            format!("{from}, which says that it is {id}, was declined: it has another secret than this node")
        }
        RefineryFact::Closed { from, why, .. } => {
            format!("the connection from {from} is closed: {}", refusal(why))
        }
        RefineryFact::Joined { master, .. } => format!("this node has joined the master at {master}"),
        RefineryFact::Orphaned { master, why } => {
            format!("this node is orphaned of the master at {master}: {}", loss(why))
        }
        RefineryFact::TurnedAway { by, why } => {
            format!("this node was turned away by {by}: {}", loss(why))
        }
        RefineryFact::Attached { upstream } => {
            format!("this node is attached to its upstream at {upstream}")
        }
        RefineryFact::Detached { upstream, why } => {
            format!(
                "this node is detached from its upstream at {upstream}: {}",
                loss(why)
            )
        }
        RefineryFact::BrokeIn { id } => format!("this node has broken in, as {id}"),
        RefineryFact::DiskUnreadable => {
            "what was on the disk is not what was written there; this node goes on without".to_owned()
        }
        RefineryFact::RefusedToStart { why } => format!("this node does nothing: {why}"),
        RefineryFact::NoEpochLeft => "there is no epoch left in which this node could reign".to_owned(),
        // Whoever is asked is authenticated, declined or closed next; a grant is enlisted; an epoch comes with its master.
        RefineryFact::Asked { .. } | RefineryFact::Granted { .. } | RefineryFact::Accepted { .. } => {
            return None;
        }
    })
}

/// What a node answers.
pub(super) fn answered(answer: &Answer) -> String {
    let Answer::Status {
        standing,
        epoch,
        master,
        upstream,
        below,
        standby,
    } = answer;
    let what = match standing {
        Standing::Reigning => "reigns",
        Standing::Following => "follows the other master",
        Standing::Seeking => "looks for a master",
        Standing::Misdirected { to } => return misdirected(*to, *epoch),
        Standing::TurnedAway { by, why } => {
            let why = loss(why);
            return format!("this node looks for a master, and is turned away by {by}: {why}");
        }
        Standing::Idle => "does nothing: the original rules know no standby",
        Standing::Joined => "is let in, and has no upstream yet",
        Standing::Attached => "has its place in the tree",
        Standing::Failing => "is silent until its disk can be written again",
        Standing::Adversary => "is an adversary",
        Standing::Refused => "does nothing, since it refused to start",
    };
    // The original rules have none.
    let in_epoch = match epoch {
        Epoch(0) => String::new(),
        epoch => format!(", in epoch {epoch}"),
    };
    let of_master = match (standing, master) {
        (Standing::Reigning, _) | (_, None) => String::new(),
        (_, Some(master)) => format!("; its master is at {master}"),
    };
    let of_upstream = match upstream {
        Some(upstream) if *master == Some(*upstream) => ", and so is its upstream".to_owned(),
        Some(upstream) => format!("; its upstream is at {upstream}"),
        None => String::new(),
    };
    let of_below = match below.as_slice() {
        [] => String::new(),
        [only] => format!("; below it is {}", of(only)),
        many => format!("; below it are {}: {}", many.len(), reckoned(many, of)),
    };
    let of_standby = match standby {
        Some(standby) => format!("; {standby} follows it"),
        None => String::new(),
    };
    format!("this node {what}{in_epoch}{of_master}{of_standby}{of_upstream}{of_below}")
}

/// What a node answers that looks for a master where none can be.
fn misdirected(to: SocketAddrV4, epoch: Epoch) -> String {
    let in_epoch = match epoch {
        Epoch(0) => String::new(),
        epoch => format!(", and knows of epoch {epoch}"),
    };
    format!(
        "this node looks for a master{in_epoch}; at {to}, which it was given for one, there is a node of the tree: correct its arguments"
    )
}

/// `press-1 (press) at 127.0.0.1:7203, by way of 127.0.0.1:7201`.
fn of(below: &Below) -> String {
    let Below {
        id,
        address,
        kind,
        upstream,
        is_here,
    } = below;
    let away = if *is_here { "" } else { ", not here yet" };
    format!("{id} ({kind}) at {address}, by way of {upstream}{away}")
}

/// Why a connection that this node has dialled is over.
fn loss(why: &Loss) -> String {
    match why {
        Loss::Refused => "nobody listens there".to_owned(),
        Loss::Reset => "it died, or threw the connection away".to_owned(),
        Loss::TimedOut | Loss::Silent => "it was silent for too long".to_owned(),
        Loss::Ended | Loss::Closed(Parting::Plain) => "it has ended the connection".to_owned(),
        Loss::Closed(Parting::NotReigning(epoch)) => format!("it does not reign, and knows of epoch {epoch}"),
        Loss::Closed(Parting::Full) => "it has no room".to_owned(),
        Loss::Closed(Parting::Unexpected) => {
            "it was given another address for the other master than this one".to_owned()
        }
        Loss::Closed(Parting::Version) => "it has another version than this node".to_owned(),
        Loss::Closed(Parting::Replaced) => {
            "somebody else has joined under this node's id: no two may have the same".to_owned()
        }
        Loss::Closed(Parting::NoMaster) => "it is a node of the tree, and no master".to_owned(),
        Loss::Declined => "it does not let this node in, which has another secret".to_owned(),
        Loss::Turn => "it said something out of its turn".to_owned(),
        Loss::Unreadable(error) => format!("what it said cannot be read: {error}"),
        Loss::Outdated(epoch) => format!("it reigns in epoch {epoch}, which is past"),
        Loss::Moved => "another upstream was given".to_owned(),
    }
}

/// Why somebody who has dialled was closed.
fn refusal(why: &Refusal) -> String {
    match why {
        Refusal::Unexpected => {
            "it is not at the address that this node was given for the other master".to_owned()
        }
        Refusal::Displaced => "somebody else has joined under the id of this node".to_owned(),
        Refusal::NoMaster => "it takes this node for a master".to_owned(),
        Refusal::Version => "it has another version".to_owned(),
        Refusal::Turn => "it said something out of its turn".to_owned(),
        Refusal::Unreadable(error) => format!("what it said cannot be read: {error}"),
        Refusal::Slow => "it took too long to be let in".to_owned(),
        Refusal::Silent => "it was silent for too long".to_owned(),
        Refusal::Crowded => "there is no room for it".to_owned(),
        Refusal::TooMany => "too many of its address are not let in yet".to_owned(),
        Refusal::Replaced => "somebody else has joined under its id".to_owned(),
        Refusal::Full => "as many are below this node as may be".to_owned(),
        Refusal::NotReigning(epoch) => format!("this node does not reign, and knows of epoch {epoch}"),
        Refusal::Evicted => "it was silent, and its place was needed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::WireError;
    use super::*;

    #[test]
    fn a_status_reads_as_a_sentence_with_names_first() {
        let at = |port: u16| format!("127.0.0.1:{port}").parse().expect("an address");
        let below = |id: &str, port, upstream, is_here| Below {
            id: id.to_owned(),
            address: at(port),
            kind: "press".to_owned(),
            upstream: at(upstream),
            is_here,
        };
        let status = |standing, master, upstream, below| Answer::Status {
            standing,
            epoch: Epoch(2),
            master,
            upstream,
            below,
            standby: None,
        };
        let all = vec![below("p1", 7202, 7201, true), below("p2", 7203, 7202, false)];
        assert_eq!(
            answered(&status(Standing::Reigning, Some(at(7201)), None, all)),
            "this node reigns, in epoch 2; below it are 2: p1 (press) at 127.0.0.1:7202, by way of 127.0.0.1:7201; \
             p2 (press) at 127.0.0.1:7203, by way of 127.0.0.1:7202, not here yet"
        );
        let attached = |upstream| {
            answered(&status(
                Standing::Attached,
                Some(at(7201)),
                Some(at(upstream)),
                Vec::new(),
            ))
        };
        assert_eq!(
            attached(7201),
            "this node has its place in the tree, in epoch 2; its master is at 127.0.0.1:7201, and so is its upstream"
        );
        assert_eq!(
            attached(7202),
            "this node has its place in the tree, in epoch 2; its master is at 127.0.0.1:7201; its upstream is at 127.0.0.1:7202"
        );
        assert_eq!(
            answered(&Answer::of(Standing::Refused)),
            "this node does nothing, since it refused to start"
        );
    }

    #[test]
    fn claims_read_as_sentences_and_what_says_the_same_twice_is_left_out() {
        let from = "127.0.0.1:7301".parse().expect("an address");
        for (fact, says) in [
            (
                RefineryFact::Enlisted {
                    id: "p1".to_owned(),
                    address: from,
                },
                Some("p1 at 127.0.0.1:7301 is enlisted"),
            ),
            (
                RefineryFact::Closed {
                    conn: 3,
                    from,
                    why: Refusal::Unreadable(WireError::Code),
                },
                Some(
                    "the connection from 127.0.0.1:7301 is closed: what it said cannot be read: no code that there is",
                ),
            ),
            (
                RefineryFact::Orphaned {
                    master: from,
                    why: Loss::Closed(Parting::NotReigning(Epoch(4))),
                },
                Some(
                    "this node is orphaned of the master at 127.0.0.1:7301: it does not reign, and knows of epoch 4",
                ),
            ),
            (RefineryFact::Accepted { epoch: Epoch(4) }, None),
        ] {
            assert_eq!(told(&fact).as_deref(), says);
        }
    }
}
