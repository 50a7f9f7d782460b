//! What a node claims and answers, in words for the person at its terminal.

use super::wire::{Epoch, Status};
use super::{Answer, AnswerRow, HacFact, Standing};
use crate::words::reckoned;

/// What a node claims; nothing where it says little to the person, or says it again and again.
pub(super) fn told(fact: &HacFact) -> Option<String> {
    Some(match fact {
        HacFact::Started { id: Some(id), .. } => format!("this node runs, and was number {id} before"),
        HacFact::Started { id: None, .. } => "this node runs".to_owned(),
        HacFact::Serving { id, .. } => format!("this node serves, as number {id}"),
        HacFact::Granted { id, addr, .. } => format!("{addr} is number {id} from now on"),
        HacFact::Joined { id, server, .. } => {
            format!("this node has joined the server at {server}, as number {id}")
        }
        HacFact::Rejoined { id, server, .. } => {
            format!("this node has rejoined: the server at {server}, as number {id}")
        }
        HacFact::Suspected { server } => {
            format!("the server at {server} is suspected: it has not been heard of for too long")
        }
        HacFact::Promoted { id, .. } => format!("this node is promoted: number {id} is to serve"),
        HacFact::SteppedDown { .. } => {
            "this node has stepped down: somebody else serves in a later epoch".to_owned()
        }
        HacFact::PeerAlive { addr } => format!("{addr} is alive"),
        HacFact::PeerDead { addr } => {
            format!("{addr} is held for dead: it has not been heard of for too long")
        }
        HacFact::Unreadable { kind, count } => {
            format!("datagrams have come that are nothing for this node, {count} so far: {kind}")
        }
        HacFact::DiskUnreadable => {
            "what was on the disk is not what was written there; this node goes on without".to_owned()
        }
        HacFact::RefusedToStart { why } => format!("this node does nothing: {why}"),
        // It is claimed beside what comes of it, or each round.
        HacFact::Accepted { .. } | HacFact::Table { .. } => return None,
    })
}

/// What a node answers.
pub(super) fn answered(answer: &Answer) -> String {
    let Answer::Status {
        standing,
        id,
        server,
        epoch,
        rows,
    } = answer;
    let what = match (standing, server) {
        (Standing::Seeking, _) => "looks for a server".to_owned(),
        (Standing::Following, Some(server)) => format!("follows the server at {server}"),
        (Standing::Following, None) => "follows a server".to_owned(),
        (Standing::Electing, _) => "has lost its server, and waits for the next one".to_owned(),
        (Standing::Serving, _) => "serves".to_owned(),
        (Standing::Peer, _) => "is a peer among equals".to_owned(),
        (Standing::Failing, _) => "is silent until its disk can be written again".to_owned(),
        (Standing::Refused, _) => "does nothing, since it refused to start".to_owned(),
    };
    let as_number = id.map(|id| format!(", as number {id}")).unwrap_or_default();
    // The original rules have none.
    let in_epoch = match epoch {
        Epoch { counter: 0, .. } => String::new(),
        epoch => format!(", in epoch {epoch}"),
    };
    let knows = match rows.as_slice() {
        [] => String::new(),
        [only] => format!("; it knows of {}", row(only)),
        rows => format!("; it knows of {}: {}", rows.len(), reckoned(rows, row)),
    };
    format!("this node {what}{as_number}{in_epoch}{knows}")
}

/// `2 at 127.0.0.1:7102, alive`.
fn row(row: &AnswerRow) -> String {
    let status = match row.status {
        Some(Status::Alive) => "alive",
        Some(Status::Dead) => "dead",
        None => "not heard of yet",
    };
    let share = row.availability.map(|thousandths| {
        let (whole, tenth) = (thousandths / 10, thousandths % 10);
        format!("heard {whole}.{tenth} % of the time")
    });
    let parts = [
        Some(format!("{} at {}", row.id, row.addr)),
        Some(status.to_owned()),
        share,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::wire::WireError;
    use super::*;

    fn status(standing: Standing, rows: Vec<AnswerRow>) -> Answer {
        Answer::Status {
            standing,
            id: Some(2),
            server: "127.0.0.1:7101".parse().ok(),
            epoch: Epoch {
                counter: 3,
                server: 1,
                nonce: 77,
            },
            rows,
        }
    }

    #[test]
    fn a_status_reads_as_a_sentence() {
        let row = |id, port, status, availability| AnswerRow {
            id,
            addr: format!("127.0.0.1:{port}").parse().expect("an address"),
            status,
            heard: 9,
            availability,
        };
        let rows = vec![
            row(1, 7101, Some(Status::Alive), None),
            row(2, 7102, None, Some(1000)),
            row(3, 7103, Some(Status::Dead), Some(505)),
        ];
        assert_eq!(
            answered(&status(Standing::Following, rows)),
            "this node follows the server at 127.0.0.1:7101, as number 2, in epoch 3.1; it knows of 3: 1 at 127.0.0.1:7101, alive; \
             2 at 127.0.0.1:7102, not heard of yet, heard 100.0 % of the time; 3 at 127.0.0.1:7103, dead, heard 50.5 % of the time"
        );
        let refused = Answer::Status {
            standing: Standing::Refused,
            id: None,
            server: None,
            epoch: Epoch::NONE,
            rows: Vec::new(),
        };
        assert_eq!(
            answered(&refused),
            "this node does nothing, since it refused to start"
        );
    }

    #[test]
    fn what_is_claimed_again_and_again_is_not_told_and_nothing_is_told_as_a_dump() {
        let server = "127.0.0.1:7101".parse().expect("an address");
        let epoch = Epoch::NONE;
        assert_eq!(told(&HacFact::Accepted { epoch }), None);
        for (fact, says) in [
            (HacFact::Started { id: None, epoch }, "this node runs"),
            (
                HacFact::Rejoined { id: 3, epoch, server },
                "this node has rejoined: the server at 127.0.0.1:7101, as number 3",
            ),
            (
                HacFact::Suspected { server },
                "the server at 127.0.0.1:7101 is suspected: it has not been heard of for too long",
            ),
            (
                HacFact::Unreadable {
                    kind: WireError::BadChecksum,
                    count: 4,
                },
                "datagrams have come that are nothing for this node, 4 so far: a wrong checksum",
            ),
        ] {
            assert_eq!(told(&fact).as_deref(), Some(says));
        }
    }
}
