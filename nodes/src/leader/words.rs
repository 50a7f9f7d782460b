//! What a node claims and answers, in words for the person at its terminal.

use super::{Answer, LeaderFact, Standing};

/// What a node claims; nothing where the person knows it already, or it is the node's own affair.
pub(super) fn told(fact: &LeaderFact) -> Option<String> {
    Some(match fact {
        LeaderFact::Started { .. } => "this node runs".to_owned(),
        LeaderFact::Connected { number, nodes } => {
            format!("this node is number {number} of {nodes}")
        }
        LeaderFact::Told { node } => format!("{node} was told of everyone"),
        LeaderFact::NodeDown { node } => format!("{node} is down, and is tried again"),
        LeaderFact::HeartbeatOverdue { leader: Some(leader) } => {
            format!("number {leader}, which led, has not been heard of for too long")
        }
        LeaderFact::HeartbeatOverdue { leader: None } => "nobody has led for too long".to_owned(),
        LeaderFact::Chosen { number } => format!("number {number} is to lead"),
        LeaderFact::Offered { .. } => "this node may lead, if you `accept`".to_owned(),
        LeaderFact::Leading { .. } => "this node leads".to_owned(),
        // Without terms, a leader may be followed that nobody has heard of.
        LeaderFact::Following {
            leader,
            address,
            term,
        } => match term.counter {
            0 => format!("this node takes number {leader}, {address}, for the leader"),
            _ => format!("number {leader} leads: {address}"),
        },
        LeaderFact::GaveWay { .. } => "this node leads no more".to_owned(),
        LeaderFact::RequestLost { .. } => {
            "what you asked for was lost on its way, and will not be answered".to_owned()
        }
        LeaderFact::Chat { name, text, .. } => format!("{name}: {text}"),
        LeaderFact::ChatLost { to, .. } => format!("{to} has not had all that you said"),
        LeaderFact::Unreadable { kind, count, peer } => {
            format!(
                "connections were closed for what came in on them, {count} so far, the last of {peer}: {kind}"
            )
        }
        LeaderFact::DiskUnreadable => {
            "what was on the disk is not what was written there; this node goes on without".to_owned()
        }
        LeaderFact::RefusedToStart { why } => format!("this node does nothing: {why}"),
        LeaderFact::AnotherList { node } => {
            format!("{node} goes by another list of nodes than this one")
        }
        LeaderFact::NotListed { from, .. } => {
            format!("{from} has sent a list on which this node is not, as it knows itself")
        }
        // The person has said it, or it is answered to them, or it is among terms.
        LeaderFact::Said { .. }
        | LeaderFact::Calculated { .. }
        | LeaderFact::AnswerTaken { .. }
        | LeaderFact::AnswerRefused { .. }
        | LeaderFact::TermSeen { .. } => return None,
    })
}

/// What a node answers.
pub(super) fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Status {
            standing,
            number,
            leader,
            term: _,
            nodes,
            open,
        } => {
            let what = match standing {
                Standing::Waiting => "waits to be told of the others",
                Standing::Following => "follows",
                Standing::Choosing => "has no leader",
                Standing::Offered => "may lead, if you `accept`",
                Standing::Leading => "leads",
                Standing::Failing => "is silent until its disk can be written again",
                Standing::Refused => "does nothing, since it refused to start",
            };
            let whom = match (standing, leader) {
                (Standing::Following, Some(leader)) => format!(" number {leader}"),
                _ => String::new(),
            };
            let place = |number: &u32| {
                let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
                format!("; number {number} of {}", nodes.join(", "))
            };
            let place = number.as_ref().map(place).unwrap_or_default();
            let open = match open {
                0 => String::new(),
                1 => "; one request is open".to_owned(),
                more => format!("; {more} requests are open"),
            };
            format!("this node {what}{whom}{place}{open}")
        }
        Answer::Calculated {
            outcome: Ok(value), ..
        } => value.clone(),
        Answer::Calculated {
            outcome: Err(error), ..
        } => error.to_string(),
        Answer::NoLeader => "nobody leads at the moment".to_owned(),
        Answer::Busy => "too much of it is open already".to_owned(),
        Answer::Said { .. } => "said".to_owned(),
        Answer::Alone => "there is nobody yet to whom it could be said".to_owned(),
        Answer::TooLong => "that is too long to be said at once".to_owned(),
        Answer::Accepted => "this node leads now".to_owned(),
        Answer::NothingToAccept => {
            "there is nothing to accept: the role is not offered to this node".to_owned()
        }
    }
}
