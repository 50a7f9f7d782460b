//! What is said: to everyone, each sender's words in their order.

use std::collections::VecDeque;

use super::config::Change;
use super::disk::Had;
use super::facts::LeaderFact;
use super::peer::Peer;
use super::post::{Post, What};
use super::wire::{Ack, Chat, LARGEST, LONGEST_CHAT, Message, Said};
use super::{Answer, LeaderNode};
use crate::node::CallId;
use crate::outbox::Outbox;
use crate::time::Time;

/// How much of what was said is kept for those who have not had it.
pub const MOST_SAID: usize = 256;

/// How far above the session that a node has known of another it believes one: a session counts lives, so whoever is further ahead has made
/// it up. By one message it cannot use up the numbers that there are.
const MOST_AHEAD: u64 = 1 << 16;

/// What this node has said, and who has had how much of it.
#[derive(Clone)]
pub(super) struct Chats {
    /// By which the lives of this node are told apart.
    life: u64,
    /// How much was said.
    count: u64,
    /// The last of it, in order.
    said: VecDeque<Said>,
    /// By place in the list of nodes.
    lanes: Vec<Lane>,
}

/// What goes to one node.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// The number of the last that it has had, or that was lost on the way to it.
    had: u64,
    session: u64,
    /// How many connections with it are open.
    flying: u32,
}

impl Chats {
    pub(super) fn new(life: u64) -> Self {
        Chats {
            life,
            count: 0,
            said: VecDeque::new(),
            lanes: Vec::new(),
        }
    }

    /// All connections are closed.
    pub(super) fn start_over(&mut self) {
        for lane in &mut self.lanes {
            lane.flying = 0;
        }
    }

    /// The lane to a node. A new one begins with the oldest that is still kept.
    fn lane(&mut self, place: usize) -> &mut Lane {
        if self.lanes.len() <= place {
            let (had, session) = (self.said.front().map_or(self.count, |said| said.number - 1), 1);
            let lane = Lane {
                had,
                session,
                flying: 0,
            };
            self.lanes.resize(place + 1, lane);
        }
        &mut self.lanes[place]
    }
}

impl Peer {
    /// A person says something to everyone.
    pub(super) fn on_chat_command(
        &mut self,
        now: Time,
        call: CallId,
        text: &str,
        out: &mut Outbox<LeaderNode>,
    ) {
        if text.len() > LONGEST_CHAT {
            return self.answer(call, Answer::TooLong, out);
        }
        let Some(mesh) = &self.mesh else {
            return self.answer(call, Answer::Alone, out);
        };
        let others: Vec<usize> = mesh.others().collect();
        for place in &others {
            // It begins before what is said now.
            self.chats.lane(*place);
        }
        self.chats.count += 1;
        let (life, number) = (self.chats.life, self.chats.count);
        let text = text.to_owned();
        self.chats.said.push_back(Said {
            number,
            text: text.clone(),
        });
        self.claim(LeaderFact::Said { life, number, text }, out);
        self.answer(call, Answer::Said { number }, out);
        if self.chats.said.len() > MOST_SAID {
            let lost = self.chats.said.pop_front().map_or(0, |said| said.number);
            for place in &others {
                self.lose_chats(*place, lost, out);
            }
        }
        for place in others {
            if self.chats.lane(place).flying == 0 {
                self.send_chats(now, place, out);
            }
        }
    }

    /// Whether somebody has not had everything.
    pub(super) fn has_chats_to_send(&self) -> bool {
        let own = self.mesh.as_ref().map(|mesh| mesh.own);
        let lanes = self.chats.lanes.iter().enumerate();
        let mut others = lanes.filter(|(place, _)| Some(*place) != own);
        others.any(|(_, lane)| lane.had < self.chats.count)
    }

    /// Sends again what somebody has not had.
    pub(super) fn retry_chats(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        for place in mesh.others() {
            let lane = *self.chats.lane(place);
            if lane.flying == 0 || self.changes.has(Change::Resend) {
                self.send_chats(now, place, out);
            }
        }
    }

    /// Another list: places are other nodes than before, to whom what was said before is not said.
    pub(super) fn forget_lanes(&mut self) {
        self.chats.lanes.clear();
        self.chats.said.clear();
        if let Some(mesh) = &self.mesh {
            self.had.retain(|had| mesh.place_of(had.from).is_some());
        }
    }

    fn send_chats(&mut self, now: Time, place: usize, out: &mut Outbox<LeaderNode>) {
        if self.is_silent() {
            return;
        }
        let resends = self.changes.has(Change::Resend);
        let (is_hardened, longest) = (self.is_hardened(), self.config.longest_message as usize);
        let (life, lane) = (self.chats.life, *self.chats.lane(place));
        let mut chat = Chat {
            from: self.me,
            name: self.config.name.clone(),
            life,
            session: is_hardened.then_some(lane.session),
            said: Vec::new(),
        };
        // A byte of text takes up to six, as an escape; the frame around each less than a hundred.
        let mut room = longest.saturating_sub(512);
        for said in self.chats.said.iter().filter(|said| said.number > lane.had) {
            let size = 6 * said.text.len() + 100;
            if size > room || (!resends && !chat.said.is_empty()) {
                break;
            }
            room -= size;
            chat.said.push(said.clone());
        }
        let Some(last) = chat.said.last().map(|said| said.number) else {
            return;
        };
        let session = lane.session;
        self.chats.lane(place).flying += 1;
        let bytes = Post::encode(&Message::Chat(chat));
        self.send(now, place, What::Chat { last, session }, &bytes, out);
    }

    /// A node has answered that what was said has come.
    pub(super) fn on_chat_answer(
        &mut self,
        now: Time,
        place: usize,
        last: u64,
        session: u64,
        ack: &Ack,
        out: &mut Outbox<LeaderNode>,
    ) {
        let resends = self.changes.has(Change::Resend);
        let count = self.chats.count;
        let lane = self.chats.lane(place);
        lane.flying = lane.flying.saturating_sub(1);
        let before = lane.had;
        if !resends {
            lane.had = before.max(last);
        }
        if let Some(had) = ack.had {
            lane.had = before.max(had.min(count));
        }
        let is_too_low = ack
            .above
            .filter(|above| *above >= lane.session && session == lane.session);
        if let Some(above) = is_too_low {
            lane.session = (above + 1).min(LARGEST);
        }
        // It is said again in the higher session with the next retry. At once, whoever makes up sessions would have it dial without a pause.
        let goes_on = lane.had > before;
        self.forget_what_all_have();
        if goes_on {
            self.send_chats(now, place, out);
        }
    }

    /// What was said may not have come.
    pub(super) fn on_chat_lost(&mut self, now: Time, place: usize, last: u64, out: &mut Outbox<LeaderNode>) {
        let lane = self.chats.lane(place);
        lane.flying = lane.flying.saturating_sub(1);
        if !self.changes.has(Change::Resend) {
            self.lose_chats(place, last, out);
            self.forget_what_all_have();
            self.send_chats(now, place, out);
        }
    }

    /// Gives up what was said to a node, up to a number.
    fn lose_chats(&mut self, place: usize, last: u64, out: &mut Outbox<LeaderNode>) {
        let to = self.mesh.as_ref().and_then(|mesh| mesh.nodes.get(place).copied());
        let lane = self.chats.lane(place);
        if lane.had < last
            && let Some(to) = to
        {
            lane.had = last;
            out.claim(LeaderFact::ChatLost { to, number: last });
        }
    }

    fn forget_what_all_have(&mut self) {
        let own = self.mesh.as_ref().map(|mesh| mesh.own);
        let lanes = self.chats.lanes.iter().enumerate();
        let others = lanes.filter(|(place, _)| Some(*place) != own);
        let had = others.map(|(_, lane)| lane.had).min().unwrap_or(u64::MAX);
        while self.chats.said.front().is_some_and(|said| said.number <= had) {
            self.chats.said.pop_front();
        }
    }

    /// Somebody has said something.
    pub(super) fn on_chat(&mut self, chat: Chat, out: &mut Outbox<LeaderNode>) -> Message {
        let mut ack = self.plain_ack();
        if !self.is_hardened() {
            self.show(&chat, 0, out);
            return Message::Ack(ack);
        }
        let is_listed = self
            .mesh
            .as_ref()
            .is_some_and(|mesh| mesh.place_of(chat.from).is_some());
        let (Some(session), true) = (chat.session, is_listed) else {
            // It is said again when this node has been told who there is.
            return Message::Ack(ack);
        };
        if !self.changes.has(Change::Number) {
            self.show(&chat, 0, out);
            ack.had = chat.said.last().map(|said| said.number);
            return Message::Ack(ack);
        }
        let place = self.had.iter().position(|had| had.from == chat.from);
        let place = place.unwrap_or_else(|| {
            self.had.push(Had {
                from: chat.from,
                session: 0,
                life: chat.life,
                number: 0,
            });
            self.had.len() - 1
        });
        let had = &mut self.had[place];
        let is_another_life = had.life != chat.life;
        if session < had.session || (session == had.session && is_another_life) {
            ack.above = Some(had.session);
            return Message::Ack(ack);
        }
        let before = if is_another_life { 0 } else { had.number };
        let last = chat.said.last().map_or(0, |said| said.number);
        *had = Had {
            from: chat.from,
            session: session.min(had.session.saturating_add(MOST_AHEAD)),
            life: chat.life,
            number: before.max(last),
        };
        ack.had = Some(had.number);
        // What is shown now must not be shown again after a crash.
        self.save(out);
        self.show(&chat, before, out);
        Message::Ack(ack)
    }

    /// Shows what was said beyond a number. It is not sent again once it counts as shown: a write that fails must not take it along.
    fn show(&mut self, chat: &Chat, beyond: u64, out: &mut Outbox<LeaderNode>) {
        for said in chat.said.iter().filter(|said| said.number > beyond) {
            let shown = LeaderFact::Chat {
                from: chat.from,
                name: chat.name.clone(),
                life: chat.life,
                number: said.number,
                text: said.text.clone(),
            };
            self.claim(shown, out);
        }
    }
}
