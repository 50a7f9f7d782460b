//! One end of a connection, as its host's kernel knows it: it opens, carries bytes both ways, and closes, by what its node asks for,
//! what comes in and what time it is. It knows no engine.

use squall_nodes::{Closed, ConnId, Span, Time};

use super::packet::{Desk, FIN_TIMEOUT, Kind, Packet, Sending};
use super::receiver::Receiver;
use super::sender::Sender;
use crate::engine::spares::Buffers;
use crate::plan::StreamLaw;

pub(crate) struct End {
    stage: Stage,
    pub(super) owner: Owner,
    sender: Sender,
    receiver: Receiver,
    /// When it began to open, or nothing was left to do but to wait for the other side to close.
    since: Time,
    /// Whether the node reads.
    pub(super) reading: Reading,
    /// What the node is to be told, besides bytes.
    news: News,
    pub(super) entries: Entries,
    /// Where it is stuck, it goes on when all before this was acknowledged.
    stuck_before: Option<u64>,
    /// Who sees to its end when its node has closed it.
    closing: Closing,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It asked for one.
    Dialling,
    /// It was asked, and granted it.
    Answering,
    Open,
    /// There is none any more.
    Over,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The node's, by this number.
    Node(ConnId),
    /// The node's, which has not been told of it.
    Untold,
    /// The kernel's alone: the node has closed it, or knows that it is over.
    Kernel,
}

/// Who sees to the end of a connection that its node has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// The process, which counts it until then.
    Process,
    /// The kernel: the process took as long over it as it may, or is gone.
    Kernel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    Paused,
}

#[derive(Default)]
struct News {
    /// It is open.
    opening: Opening,
    /// Whether the node was told last that it writes more than goes out.
    told: Pressure,
    /// Whether it does.
    is: Pressure,
    /// It is over, and why.
    over: Option<Closed>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Opening {
    /// It is not, or it is no news.
    #[default]
    Old,
    New,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pressure {
    #[default]
    Writable,
    Blocked,
}

/// Its entries in the event queue.
#[derive(Default)]
pub(super) struct Entries {
    /// When it is woken, and the ticket of that entry.
    pub(super) alarm: Option<(Time, u64)>,
    /// Whether its node is about to be told something.
    pub(super) telling: Telling,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Telling {
    #[default]
    No,
    Soon,
}

/// What the node of an end is to be told next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Opened,
    Accepted,
    Blocked,
    Writable,
    /// So many can be read, from this number on.
    Bytes {
        from: u64,
        most: usize,
    },
    Closed(Closed),
}

/// What comes of a packet for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Well,
    /// The connection has just been opened from here.
    Opened,
}

impl End {
    pub(super) fn new() -> Self {
        End {
            stage: Stage::Over,
            owner: Owner::Kernel,
            sender: Sender::new(Span::ZERO),
            receiver: Receiver::new(0),
            since: Time::ZERO,
            reading: Reading::On,
            news: News::default(),
            entries: Entries::default(),
            stuck_before: None,
            closing: Closing::Process,
        }
    }

    /// Throws everything away, so that it can be used again.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        self.sender.clear(buffers);
        self.receiver.clear(buffers);
        self.stage = Stage::Over;
        self.owner = Owner::Kernel;
        self.reading = Reading::On;
        self.news = News::default();
        self.entries = Entries::default();
        self.stuck_before = None;
        self.closing = Closing::Process;
    }

    /// How many bytes of memory it takes besides itself, about.
    pub(super) fn taken(&self) -> usize {
        self.sender.taken() + self.receiver.taken()
    }

    /// How many bytes wait that the send buffer has no room for.
    pub(super) fn waiting(&self, send_buffer: u64) -> u64 {
        self.sender.waiting(send_buffer)
    }

    /// Asks for a connection.
    pub(super) fn dial(&mut self, conn: ConnId, desk: &mut Desk<'_>) {
        self.begin(Stage::Dialling, Owner::Node(conn), desk);
        self.sender.open(Kind::Syn, desk);
        self.stamp(desk);
    }

    /// Asks for a connection that its host may not have, or that cannot be: it is refused there.
    pub(super) fn dial_in_vain(&mut self, conn: ConnId, desk: &mut Desk<'_>) {
        self.begin(Stage::Dialling, Owner::Node(conn), desk);
        self.finish(Closed::Refused, desk.buffers);
    }

    /// Grants a connection that was asked for by a packet.
    pub(super) fn answer(&mut self, asked: &Packet, desk: &mut Desk<'_>) {
        self.begin(Stage::Answering, Owner::Untold, desk);
        self.receiver.open(asked.sent);
        self.sender.open(Kind::SynAck, desk);
        self.sender.acknowledged(0, asked.edge, asked.answers, desk);
        self.stamp(desk);
    }

    fn begin(&mut self, stage: Stage, owner: Owner, desk: &Desk<'_>) {
        self.stage = stage;
        self.owner = owner;
        self.sender = Sender::new(desk.law.min_rto);
        self.receiver = Receiver::new(desk.law.receive_buffer);
        self.since = desk.now;
    }

    /// Takes in what the node writes, of which at most so many bytes may wait.
    pub(super) fn write(&mut self, bytes: &[u8], may_wait: u64, desk: &mut Desk<'_>) {
        if self.stage == Stage::Over || bytes.is_empty() {
            return;
        }
        self.sender.write(bytes, desk.buffers);
        let waiting = self.sender.waiting(desk.law.send_buffer);
        if waiting > may_wait {
            self.say_reset(desk);
            self.finish(Closed::Reset, desk.buffers);
            return;
        }
        if waiting > 0 {
            self.news.is = Pressure::Blocked;
        }
        self.sender.pump(desk);
        self.stamp(desk);
    }

    /// The node closes it: nothing is told any more, and what was written still goes out.
    pub(super) fn close(&mut self, desk: &mut Desk<'_>) {
        self.owner = Owner::Kernel;
        self.news = News::default();
        self.receiver.shut(desk.buffers);
        if self.stage == Stage::Over {
            return;
        }
        self.sender.end();
        self.sender.pump(desk);
        self.since = desk.now;
        self.tell_of_room(desk);
        self.stamp(desk);
    }

    /// Its process is gone. What the kernel has already, goes on without it; everything else is thrown away, and the other side told.
    pub(super) fn abandon(&mut self, desk: &mut Desk<'_>) {
        let closed = self.owner == Owner::Kernel && self.stage != Stage::Over;
        if closed && self.sender.waiting(desk.law.send_buffer) == 0 {
            self.is_let_go(desk.now);
            return;
        }
        self.owner = Owner::Kernel;
        if self.stage != Stage::Dialling {
            self.say_reset(desk);
        }
        self.finish(Closed::Reset, desk.buffers);
    }

    /// Takes a packet in.
    pub(super) fn take(&mut self, packet: &mut Packet, desk: &mut Desk<'_>) -> Taken {
        let mut taken = Taken::Well;
        match (packet.kind, self.stage) {
            (Kind::Reset, Stage::Dialling) => self.finish(Closed::Refused, desk.buffers),
            (Kind::Reset, _) => self.finish(Closed::Reset, desk.buffers),
            (_, Stage::Over) => {}
            // It did not hear that it was granted.
            (Kind::Syn, Stage::Answering) => desk.out.push(Packet {
                kind: Kind::SynAck,
                sending: Sending::Again,
                ..Packet::default()
            }),
            (Kind::Syn, _) => {}
            (Kind::SynAck, Stage::Dialling) => {
                self.stage = Stage::Open;
                self.receiver.open(packet.sent);
                if self.owner != Owner::Kernel {
                    self.news.opening = Opening::New;
                    taken = Taken::Opened;
                }
                self.since = desk.now;
                let before = desk.out.len();
                self.hear(packet, desk);
                self.acknowledge_unless_said(before, desk);
            }
            // What said that it heard was lost.
            (Kind::SynAck, _) => self.acknowledge(desk),
            (Kind::Plain, Stage::Dialling) => {}
            (Kind::Plain, Stage::Answering | Stage::Open) => self.take_plain(packet, desk),
        }
        self.stamp(desk);
        taken
    }

    fn take_plain(&mut self, packet: &mut Packet, desk: &mut Desk<'_>) {
        if self.stage == Stage::Answering {
            self.stage = Stage::Open;
            self.news.opening = Opening::New;
            self.since = desk.now;
        }
        let wants_answer = packet.len() > 0 || packet.sending == Sending::Probe;
        self.receiver.take(packet, desk.buffers);
        let before = desk.out.len();
        self.hear(packet, desk);
        if wants_answer {
            self.acknowledge_unless_said(before, desk);
        }
        if self.owner == Owner::Kernel && self.sender.is_done() && self.receiver.has_ended() {
            // The last acknowledgement may be lost. Then the other side is told that there is nothing here, and had no more to say.
            self.stage = Stage::Over;
        }
    }

    /// Takes in what a packet says of the other direction.
    fn hear(&mut self, packet: &Packet, desk: &mut Desk<'_>) {
        if self
            .sender
            .acknowledged(packet.acked, packet.edge, packet.answers, desk)
            && self.sender.is_done()
        {
            self.since = desk.now;
        }
        if self.news.is == Pressure::Blocked && self.sender.waiting(desk.law.send_buffer) == 0 {
            self.news.is = Pressure::Writable;
        }
    }

    /// When it wants to be woken.
    pub(super) fn due(&self, law: &StreamLaw) -> Option<Time> {
        let given_up = match self.stage {
            Stage::Over => return None,
            Stage::Dialling | Stage::Answering => Some(self.since + law.connect_timeout),
            Stage::Open => match self.sender.waits_since() {
                Some(since) => Some(since + law.user_timeout),
                None => (self.owner == Owner::Kernel).then(|| self.since + self.patience(law)),
            },
        };
        [self.sender.due(), given_up].into_iter().flatten().min()
    }

    /// It is woken.
    pub(super) fn wake(&mut self, desk: &mut Desk<'_>) {
        let lost = match self.stage {
            Stage::Over => return,
            Stage::Dialling | Stage::Answering => desk.now >= self.since + desk.law.connect_timeout,
            Stage::Open => match self.sender.waits_since() {
                Some(since) => desk.now >= since + desk.law.user_timeout,
                None => self.owner == Owner::Kernel && desk.now >= self.since + self.patience(desk.law),
            },
        };
        if lost && self.stage == Stage::Open && self.sender.waits_since().is_none() && self.is_being_closed()
        {
            self.is_let_go(desk.now);
            return;
        }
        if lost {
            self.finish(Closed::TimedOut, desk.buffers);
            return;
        }
        if self.sender.due().is_some_and(|due| due <= desk.now) {
            let opening = if self.stage == Stage::Dialling {
                Kind::Syn
            } else {
                Kind::SynAck
            };
            self.sender.wake(opening, desk);
            self.stamp(desk);
        }
    }

    /// How long it waits for the other side to close, when its own is acknowledged.
    fn patience(&self, law: &StreamLaw) -> Span {
        match self.closing {
            Closing::Process => law.user_timeout,
            Closing::Kernel => FIN_TIMEOUT,
        }
    }

    /// The process has nothing to do with it any more; the kernel has.
    fn is_let_go(&mut self, now: Time) {
        self.closing = Closing::Kernel;
        self.since = now;
    }

    /// Whether its node has closed it, and the process sees to its end.
    pub(super) fn is_being_closed(&self) -> bool {
        self.owner == Owner::Kernel && self.stage != Stage::Over && self.closing == Closing::Process
    }

    /// Whether nobody has any use for it.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Over && self.owner == Owner::Kernel
    }

    /// Whether it asks for a connection, and has heard nothing.
    pub(super) fn is_dialling(&self) -> bool {
        self.stage == Stage::Dialling
    }

    /// Whether the connection exists for its kernel.
    pub(super) fn exists(&self) -> bool {
        self.stage != Stage::Over
    }

    /// What it waits to hear of was dropped by what is not tolerated. Whether it is stuck for that, and was not before.
    pub(super) fn is_held_up(&mut self) -> bool {
        if self.stage == Stage::Over || self.sender.waits_since().is_none() {
            return false;
        }
        // Where there is no room for anything, for the first byte that waits.
        let before = self.sender.next() + u64::from(!self.sender.is_under_way());
        self.stuck_before.replace(before).is_none()
    }

    /// Whether it is stuck no more, and was before.
    pub(super) fn goes_on(&mut self) -> bool {
        let is_over = self.stage == Stage::Over || self.sender.waits_since().is_none();
        let goes_on = |before| is_over || self.sender.acked() >= before;
        self.stuck_before.take_if(|before| goes_on(*before)).is_some()
    }

    /// Whether it is stuck.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck_before.is_some()
    }

    /// What the node is to be told next, if anything.
    pub(super) fn notice(&self) -> Option<Notice> {
        let news = &self.news;
        match self.owner {
            Owner::Kernel => return None,
            Owner::Untold => return (news.opening == Opening::New).then_some(Notice::Accepted),
            Owner::Node(_) if news.opening == Opening::New => return Some(Notice::Opened),
            Owner::Node(_) => {}
        }
        let reads = self.reading == Reading::On;
        if self.receiver.unread() > 0 && reads {
            return Some(Notice::Bytes {
                from: self.receiver.first_unread(),
                most: self.receiver.unread(),
            });
        }
        if let Some(why) = news.over {
            return Some(Notice::Closed(why));
        }
        // The end is read as bytes are.
        if self.receiver.has_ended() && reads {
            return Some(Notice::Closed(Closed::Orderly));
        }
        match (news.told, news.is) {
            (Pressure::Writable, Pressure::Blocked) => Some(Notice::Blocked),
            (Pressure::Blocked, Pressure::Writable) => Some(Notice::Writable),
            _ => None,
        }
    }

    /// The node is told; of bytes, so many are put into `into`.
    pub(super) fn tell(&mut self, notice: Notice, count: usize, into: &mut Vec<u8>, desk: &mut Desk<'_>) {
        match notice {
            Notice::Opened | Notice::Accepted => self.news.opening = Opening::Old,
            Notice::Blocked => self.news.told = Pressure::Blocked,
            Notice::Writable => self.news.told = Pressure::Writable,
            Notice::Bytes { .. } => {
                self.receiver.read(count, into, desk.buffers);
                self.tell_of_room(desk);
            }
            Notice::Closed(_) => self.close(desk),
        }
        self.stamp(desk);
    }

    /// Lets the other side know of room that has come to be.
    fn tell_of_room(&mut self, desk: &mut Desk<'_>) {
        if self.stage == Stage::Open && self.receiver.has_news(desk.most) {
            self.acknowledge(desk);
        }
    }

    fn acknowledge_unless_said(&mut self, before: usize, desk: &mut Desk<'_>) {
        // Whatever goes out says what came in.
        if desk.out.len() == before {
            self.acknowledge(desk);
        }
    }

    fn acknowledge(&mut self, desk: &mut Desk<'_>) {
        desk.out.push(Packet {
            from: self.sender.next(),
            ..Packet::default()
        });
    }

    fn say_reset(&mut self, desk: &mut Desk<'_>) {
        desk.out.push(Packet {
            kind: Kind::Reset,
            ..Packet::default()
        });
    }

    /// Puts on what goes out what every packet says.
    fn stamp(&mut self, desk: &mut Desk<'_>) {
        let edge = self.receiver.promise(desk.most);
        for packet in desk.out.iter_mut() {
            packet.acked = self.receiver.next();
            packet.edge = edge;
            packet.sent = desk.now;
            packet.answers = self.receiver.answers();
        }
    }

    /// There is no connection any more. What came in can still be read, unless nobody reads.
    fn finish(&mut self, why: Closed, buffers: &mut Buffers) {
        if self.stage == Stage::Over {
            return;
        }
        // Half a connection was nobody's business.
        if self.stage == Stage::Answering {
            self.owner = Owner::Kernel;
        }
        self.stage = Stage::Over;
        self.news.over = Some(why);
        self.sender.clear(buffers);
    }
}
