//! Messages in words, for traces.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::config::LONGEST_BOUND;
use super::wire::{Calc, CalcResult, Chat, Message, Reader, Term};
use crate::protocol::Describe;

/// Tells people what leader's messages say. Of what is not complete it keeps the beginning, by the ends of the connection.
#[derive(Clone, Debug, Default)]
pub struct Describer {
    begun: BTreeMap<(SocketAddrV4, SocketAddrV4), Reader>,
}

/// Of how many messages the beginnings are kept. They are forgotten when there are more: most are of connections that are gone.
const MOST_BEGUN: usize = 4_096;

/// More than this of a text or a list is counted, not told.
const TOLD: usize = 60;

impl Describe for Describer {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        format!(
            "{} bytes in a datagram, which no node of leader takes",
            bytes.len()
        )
    }

    fn stream(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Vec<String> {
        let ends = (from, to);
        if self.begun.len() >= MOST_BEGUN {
            self.begun.clear();
        }
        let new = || Reader::new(LONGEST_BOUND as usize);
        let told = match self.begun.entry(ends).or_insert_with(new).push(bytes) {
            Ok(None) => return Vec::new(),
            Ok(Some(message)) => tell(&message),
            Err(error) => format!("what is no message: {error}"),
        };
        self.begun.remove(&ends);
        vec![told]
    }
}

/// `heartbeat of 10.0.0.5:7500, term 3.5`
pub(super) fn tell(message: &Message) -> String {
    match message {
        Message::Nodes(nodes) => {
            let count = nodes.nodes.len();
            let noun = if count == 1 { "node" } else { "nodes" };
            format!(
                "the list of {count} {noun}, from {}{}",
                nodes.from,
                in_term(nodes.term)
            )
        }
        Message::Heartbeat(heartbeat) => {
            format!("heartbeat of {}{}", heartbeat.from, in_term(heartbeat.term))
        }
        Message::Choose(choose) => {
            format!("{} misses the leader{}", choose.from, in_term(choose.term))
        }
        Message::Chat(chat) => tell_chat(chat),
        Message::Calc(Calc {
            request,
            expression,
            term,
            ..
        }) => format!("request {request}: {}{}", short(expression), in_term(*term)),
        Message::Result(CalcResult {
            request,
            value,
            error,
            term,
        }) => {
            let value = value.as_deref().map(|value| format!("is {}", short(value)));
            let error = error.map(|error| format!("has no value: {error}"));
            let outcome = value.or(error).unwrap_or_default();
            format!("request {request} {outcome}{}", in_term(*term))
        }
        Message::Ack(ack) => {
            let waits = if ack.waits { ", and the list is wanted" } else { "" };
            let had = ack.had.map(|had| format!(", had up to {had}"));
            let above = ack
                .above
                .map(|above| format!(", refused: the session is to be above {above}"));
            let more = had.or(above).unwrap_or_default();
            format!("acknowledged{more}{waits}{}", in_term(ack.term))
        }
    }
}

fn tell_chat(chat: &Chat) -> String {
    let (first, more) = (chat.said.first(), chat.said.len().saturating_sub(1));
    let first = first.map(|said| format!("{} says {}: {}", chat.name, said.number, short(&said.text)));
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    first.unwrap_or_default() + &more
}

fn in_term(term: Option<Term>) -> String {
    term.map_or(String::new(), |term| format!(", term {term}"))
}

/// A text in quotes, cut where it is long.
fn short(text: &str) -> String {
    if text.chars().count() <= TOLD {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(TOLD).collect();
    format!("{beginning:?}… ({} bytes)", text.len())
}

#[cfg(test)]
mod tests {
    use super::super::calc::CalcError;
    use super::super::wire::{Ack, Heartbeat, Listed, Nodes, Said};
    use super::*;

    fn at(last: u8) -> SocketAddrV4 {
        SocketAddrV4::new([10, 0, 0, last].into(), 7500)
    }

    #[test]
    fn messages_are_told_in_a_line_each() {
        let term = Some(Term {
            counter: 3,
            number: 5,
        });
        let from = at(5);
        let calc = |expression: &str| {
            Message::Calc(Calc {
                from,
                request: 7,
                expression: expression.to_owned(),
                term: None,
            })
        };
        let result = |value: Option<&str>, error| {
            Message::Result(CalcResult {
                request: 7,
                value: value.map(str::to_owned),
                error,
                term,
            })
        };
        let said = |number, text: &str| Said {
            number,
            text: text.to_owned(),
        };
        let ack = Ack {
            waits: true,
            term,
            list: None,
            had: Some(3),
            above: None,
        };
        let listed = Listed {
            number: 1,
            address: at(1),
        };
        for (message, told) in [
            (
                Message::Heartbeat(Heartbeat { from, term }),
                "heartbeat of 10.0.0.5:7500, term 3.5",
            ),
            (
                Message::Nodes(Nodes {
                    from,
                    nodes: vec![listed],
                    term: None,
                }),
                "the list of 1 node, from 10.0.0.5:7500",
            ),
            (calc("1+2"), "request 7: \"1+2\""),
            (result(Some("3"), None), "request 7 is \"3\", term 3.5"),
            (
                result(None, Some(CalcError::DivisionByZero)),
                "request 7 has no value: division by zero, term 3.5",
            ),
            (
                Message::Chat(Chat {
                    from,
                    name: "bob".to_owned(),
                    life: 1,
                    session: None,
                    said: vec![said(4, "hello"), said(5, "again")],
                }),
                "bob says 4: \"hello\", and 1 more",
            ),
            (
                Message::Ack(ack),
                "acknowledged, had up to 3, and the list is wanted, term 3.5",
            ),
        ] {
            assert_eq!(tell(&message), told);
        }
        let long = tell(&calc(&"1+".repeat(100)));
        assert!(long.ends_with("… (200 bytes)") && long.len() < 90, "{long}");
    }

    #[test]
    fn a_message_is_told_when_it_is_complete_and_each_direction_for_itself() {
        let mut describer = Describer::default();
        let mut bytes = Vec::new();
        Message::Ack(Ack::default()).encode(&mut bytes);
        let (front, back) = bytes.split_at(7);
        assert_eq!(describer.stream(at(1), at(2), front), Vec::<String>::new());
        assert_eq!(
            describer.stream(at(2), at(1), b"x"),
            ["what is no message: it does not begin with a brace"]
        );
        assert_eq!(describer.stream(at(1), at(2), back), ["acknowledged"]);
        assert!(describer.begun.is_empty());
    }
}
