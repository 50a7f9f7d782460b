//! What hac itself asks for in memory, input by input: the engine asks for none, so this is all that a run of it takes. It has a program
//! of its own since the counting allocator is the whole program's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use allocation_counter::{measure, opt_out};
use squall_nodes::hac::{Hac, HacNode, Role, Timer};
use squall_nodes::{
    Delivery, Describe, Effect, Effects, HostId, HostKey, Ids, Input, Node, NodeRng, Outbox, Placed,
    Protocol, Span, Time, Token, Transport, Unwitnessed, drive,
};

#[test]
fn a_settled_cluster_asks_for_memory_where_a_table_is_said_and_heard_and_nowhere_else() {
    let mut room = Room::new();
    room.pass(MINUTE);
    room.done.clear();
    room.pass(MINUTE);
    for (input, sent, most) in [
        // What each client says of itself.
        ("timer Availability", 1, 0),
        ("AC", 0, 0),
        // The table of the server, encoded once for its four clients; and what a client makes of it, told as a fact.
        ("timer Round", 4, 1),
        ("AS", 0, 8),
    ] {
        let like = room.done.iter().filter(|done| done.input == input);
        let took: Vec<u64> = like
            .map(|done| {
                assert_eq!((done.sent, done.persists), (sent, 0), "{input}");
                done.allocations
            })
            .collect();
        assert!(took.len() >= 100, "{input}: {} times", took.len());
        assert_eq!(took.iter().max(), Some(&most), "{input}");
    }
    let sum = |what: fn(&Done) -> u64| room.done.iter().map(what).sum::<u64>();
    let (allocations, sent) = (sum(|done| done.allocations), sum(|done| done.sent));
    assert!(
        (270..=280).contains(&(100 * allocations / sent)),
        "{allocations} for {sent} datagrams"
    );
}

#[test]
fn an_input_that_has_something_written_takes_from_6_to_20_allocations_and_hearing_of_it_none() {
    let mut room = Room::new();
    room.pass(MINUTE);
    // The server is gone; one of its clients takes its place, and the others follow it.
    room.switch_off(0);
    room.pass(MINUTE);
    let writes = || {
        room.done
            .iter()
            .filter(|done| done.persists > 0)
            .map(|done| done.allocations)
    };
    assert!(writes().count() >= 20, "{} writes", writes().count());
    assert_eq!((writes().min(), writes().max()), (Some(6), Some(20)));
    let told = room.done.iter().filter(|done| done.input == "persisted");
    assert!(told.clone().count() >= 20 && told.clone().all(|done| done.allocations == 0));
}

const MINUTE: Span = Span::from_secs(60);

/// Five hosts on one switch that loses nothing, each with a disk that takes no time.
struct Room {
    hosts: Vec<Host>,
    queue: BTreeMap<(Time, u64), (usize, What)>,
    /// Of each timer that is armed, the entry in the queue that counts.
    armed: BTreeMap<(usize, u64), u64>,
    pushed: u64,
    now: Time,
    outbox: Outbox<HacNode>,
    describer: Box<dyn Describe>,
    done: Vec<Done>,
}

struct Host {
    addr: SocketAddrV4,
    /// `None` once it is switched off.
    node: Option<HacNode>,
    ids: Ids,
}

/// What a node is told.
enum What {
    Start,
    Datagram(SocketAddrV4, Vec<u8>),
    Timer(Timer),
    Persisted(Token),
}

/// What an input came to.
struct Done {
    input: String,
    sent: u64,
    persists: u64,
    allocations: u64,
}

const LATENCY: Span = Span::from_millis(5);

impl Room {
    fn new() -> Self {
        let mut placed: Vec<Placed<HacNode>> = (0..5_u8)
            .map(|place| Placed {
                name: format!("n{place}"),
                ip: Ipv4Addr::new(10, 0, 0, 1 + place),
                role: if place == 0 { Role::Server } else { Role::Client },
                config: Hac::config("brisk", "Hardened"),
            })
            .collect();
        Hac::assemble(&mut placed).expect("a cluster");
        let host = |placed: &Placed<HacNode>| Host {
            addr: SocketAddrV4::new(placed.ip, placed.config.port),
            node: Some(HacNode::boot(
                &placed.role,
                &placed.config,
                None,
                NodeRng::new(1, HostKey::of(&placed.name), 0),
            )),
            ids: Ids::default(),
        };
        let mut room = Room {
            hosts: placed.iter().map(host).collect(),
            queue: BTreeMap::new(),
            armed: BTreeMap::new(),
            pushed: 0,
            now: Time::ZERO,
            outbox: Outbox::new(),
            describer: Hac::describer(),
            done: Vec::new(),
        };
        for host in 0..placed.len() {
            room.push(Time::ZERO, host, What::Start);
        }
        room
    }

    fn switch_off(&mut self, host: usize) {
        self.hosts[host].node = None;
    }

    fn push(&mut self, at: Time, host: usize, what: What) -> u64 {
        self.pushed += 1;
        self.queue.insert((at, self.pushed), (host, what));
        self.pushed
    }

    /// Lets time pass.
    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= until
        {
            let ((at, number), (host, what)) = entry.remove_entry();
            self.now = at;
            if let What::Timer(timer) = &what {
                let code = squall_nodes::Timer::code(timer);
                if self.armed.get(&(host, code)) != Some(&number) {
                    continue;
                }
                self.armed.remove(&(host, code));
            }
            self.tell(host, &what);
        }
        self.now = until;
    }

    /// Tells a node something, counts what that costs, and does what it asks for.
    fn tell(&mut self, host: usize, what: &What) {
        let Host { addr, node, ids } = &mut self.hosts[host];
        let Some(node) = node else { return };
        let mut telling = Telling {
            now: self.now,
            told: Some((what, *addr, node, ids)),
            wants: Vec::new(),
        };
        let outbox = &mut self.outbox;
        let counted = measure(|| drive(&mut telling, outbox, &mut Unwitnessed));
        let wants = telling.wants;
        let input = match what {
            What::Start => "start".to_owned(),
            What::Datagram(from, bytes) => {
                let says = self.describer.datagram(*from, *addr, bytes);
                says.split(' ').next().unwrap_or_default().to_owned()
            }
            What::Timer(timer) => format!("timer {timer:?}")
                .split('(')
                .next()
                .unwrap_or_default()
                .to_owned(),
            What::Persisted(_) => "persisted".to_owned(),
        };
        let (mut sent, mut persists) = (0, 0);
        let from = *addr;
        for want in wants {
            match want {
                Want::Send(to, bytes) => {
                    sent += 1;
                    if let Some(receiver) = self.hosts.iter().position(|host| host.addr == to) {
                        self.push(self.now + LATENCY, receiver, What::Datagram(from, bytes));
                    }
                }
                Want::Arm(timer, at) => {
                    let number = self.push(at.max(self.now), host, What::Timer(timer));
                    self.armed
                        .insert((host, squall_nodes::Timer::code(&timer)), number);
                }
                Want::Disarm(timer) => {
                    self.armed.remove(&(host, squall_nodes::Timer::code(&timer)));
                }
                Want::Persist(token) => {
                    persists += 1;
                    self.push(self.now, host, What::Persisted(token));
                }
            }
        }
        self.done.push(Done {
            input,
            sent,
            persists,
            allocations: counted.count_total,
        });
    }
}

/// One input on its way to its node, and what the node asks for.
struct Telling<'a> {
    now: Time,
    told: Option<(&'a What, SocketAddrV4, &'a mut HacNode, &'a mut Ids)>,
    wants: Vec<Want>,
}

/// What a node asks for, as far as it matters here.
enum Want {
    Send(SocketAddrV4, Vec<u8>),
    Arm(Timer, Time),
    Disarm(Timer),
    Persist(Token),
}

impl Transport<HacNode> for Telling<'_> {
    fn receive(&mut self) -> Option<Delivery<'_, HacNode>> {
        let (what, on, node, ids) = self.told.take()?;
        let input = match what {
            What::Start => Input::Start,
            What::Datagram(from, bytes) => Input::Datagram {
                on,
                from: *from,
                bytes,
            },
            What::Timer(timer) => Input::Timer(*timer),
            What::Persisted(token) => Input::Persisted(*token),
        };
        Some(Delivery {
            host: HostId(0),
            incarnation: 0,
            now: self.now,
            node,
            ids,
            input,
        })
    }

    fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, HacNode>) {
        opt_out(|| {
            for effect in effects {
                match effect {
                    Effect::Send { to, bytes, .. } => self.wants.push(Want::Send(to, bytes.to_vec())),
                    Effect::Arm { timer, at } => self.wants.push(Want::Arm(timer, at)),
                    Effect::Disarm { timer } => self.wants.push(Want::Disarm(timer)),
                    Effect::Persist { token, .. } => self.wants.push(Want::Persist(token)),
                    // What is claimed and answered is for others, and hac opens one port and never another.
                    _ => {}
                }
            }
        });
    }
}
