//! A story that both worlds play: who is there, what each does when, what is done to them, and what comes of it.

use std::collections::BTreeSet;
use std::thread::{self, ScopedJoinHandle};

use squall_nodes::link::LinkLaw;
use squall_nodes::{Span, Time};
use squall_sim::plan::StreamLaw;

use crate::conns::Do;
use crate::live::Ground;
use crate::node::{Act, Rule, When};

/// How often a live story may be late.
const TRIES: u32 = 4;

/// A story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) hosts: Vec<(&'static str, Vec<Rule>)>,
    /// What every link does; nothing when `None`, but that the virtual network takes a millisecond.
    pub(crate) law: Option<LinkLaw>,
    /// What the kernels go by in streams.
    pub(crate) streams: StreamLaw,
    /// How long a phase lasts in the virtual world. Its calls are made in the middle.
    pub(crate) phase: Span,
    pub(crate) phases: Vec<Phase>,
}

/// A part of a story. It begins with what is done to the world; when that is done, hosts are called with the number of the phase,
/// counted from 1; and it is over when everything has been said that is waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) faults: Vec<Fault>,
    pub(crate) calls: Vec<usize>,
    /// Who says what in it.
    pub(crate) until: Vec<(usize, String)>,
}

/// What can be done to the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing passes from the first to the second.
    Cut(usize, usize),
    /// What the first sends to the second is lost.
    Lose(usize, usize),
    /// What the first sends to the second is under way for so long.
    Delay(usize, usize, Span),
    /// All cuts, losses and delays are healed.
    Heal,
    /// A host goes down without a word.
    Kill(usize),
    /// It loses power.
    PowerCut(usize),
    /// One that was killed comes up with its disk as it is.
    Start(usize),
    /// A host stops running, and keeps its memory.
    Pause(usize),
    Resume(usize),
    /// The next write of a host fails, and no other.
    FailWrite(usize),
    /// It has, and its disk is sound again.
    Mend(usize),
}

/// In which world a story was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    Simulated,
    /// On loopback sockets, where the edges of the hosts make cuts.
    Live,
    /// In network namespaces, where the kernel does: what comes of a stream is what Linux makes of it.
    Namespaces,
}

/// What came of a story. Live, nobody knows what a host counted that was killed.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) world: World,
    /// What each host claimed and answered, in order.
    pub(crate) said: Vec<Vec<String>>,
    /// When it did, on the clock of its world.
    pub(crate) times: Vec<Vec<Time>>,
    /// When each healing began and when it was done, on the same clock.
    pub(crate) healed: Vec<(Time, Time)>,
    /// The numbers of each host's lives.
    pub(crate) lives: Vec<Vec<u32>>,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) cut: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) congested: u64,
    pub(crate) overflowed: u64,
    /// Longer than a datagram or an MTU can be, or to what cannot be.
    pub(crate) refused: u64,
    /// Connections that were reset where they had been dialled, since their peer had enough.
    pub(crate) turned_away: u64,
    /// From whom to whom a link has dropped what it had no room for, or what was too long for it.
    pub(crate) choked: BTreeSet<(usize, usize)>,
}

impl Default for Story {
    fn default() -> Self {
        Story {
            hosts: Vec::new(),
            law: None,
            streams: StreamLaw::default(),
            phase: Span::from_millis(400),
            phases: Vec::new(),
        }
    }
}

impl Story {
    /// A host that opens the ports, says that it is up, and follows the script.
    pub(crate) fn host(self, name: &'static str, ports: &[u16], script: Vec<Rule>) -> Self {
        let opens = ports.iter().map(|port| Act::Bind(*port)).collect();
        self.starting(name, opens, script)
    }

    /// A host that accepts connections on a port, says that it is up, and follows the script.
    pub(crate) fn listener(self, name: &'static str, port: u16, script: Vec<Rule>) -> Self {
        self.starting(name, vec![Act::Conn(Do::Listen(port))], script)
    }

    fn starting(mut self, name: &'static str, mut start: Vec<Act>, script: Vec<Rule>) -> Self {
        start.push(Act::Say("up".to_owned()));
        let mut rules = vec![Rule(When::Start, start)];
        rules.extend(script);
        self.hosts.push((name, rules));
        self
    }

    pub(crate) fn law(mut self, law: LinkLaw) -> Self {
        self.law = Some(law);
        self
    }

    pub(crate) fn streams(mut self, streams: StreamLaw) -> Self {
        self.streams = streams;
        self
    }

    pub(crate) fn phases_of(mut self, phase: Span) -> Self {
        self.phase = phase;
        self
    }

    pub(crate) fn phase(mut self, faults: &[Fault], calls: &[usize], until: &[(usize, &str)]) -> Self {
        let until = until.iter().map(|(host, text)| (*host, (*text).to_owned()));
        self.phases.push(Phase {
            faults: faults.to_vec(),
            calls: calls.to_vec(),
            until: until.collect(),
        });
        self
    }

    /// Plays it in both worlds, and holds both against the same contract.
    pub(crate) fn holds(&self, contract: impl Fn(&Seen)) {
        hold(crate::simulated::play(self), &contract);
        hold(crate::live::play(self, Ground::Loopback), &contract);
    }

    /// The same, and in namespaces besides, where they can be had: of cuts and losses of power, whatever Linux makes of them.
    pub(crate) fn holds_of_linux(&self, contract: impl Fn(&Seen)) {
        hold(crate::simulated::play(self), &contract);
        // Both wait for most of their time.
        let (over_loopback, of_linux) = thread::scope(|scope| {
            let switch = Ground::switch(self);
            let of_linux = switch.map(|switch| scope.spawn(|| crate::live::play(self, switch)));
            let over_loopback = crate::live::play(self, Ground::Loopback);
            (over_loopback, of_linux.map(joined))
        });
        hold(over_loopback, &contract);
        if let Some(seen) = of_linux {
            hold(seen, &contract);
        }
    }

    /// The same where the contract is about when something is seen, so that a machine that has much else to do may break it: live, it is
    /// played a few times before that is the answer.
    pub(crate) fn holds_of_linux_in_time(&self, contract: impl Fn(&Seen) -> Result<(), String> + Sync) {
        thread::scope(|scope| {
            let mut switch = Ground::switch(self);
            let of_linux = switch.is_some().then(|| {
                let again = || Ground::switch(self).expect("it could be had before");
                let play = move || crate::live::play(self, switch.take().unwrap_or_else(again));
                scope.spawn(|| hold_in_time(play, &contract))
            });
            self.holds_in_time(&contract);
            if let Some(of_linux) = of_linux {
                joined(of_linux);
            }
        });
    }

    /// Plays it in both worlds, like that.
    pub(crate) fn holds_in_time(&self, contract: impl Fn(&Seen) -> Result<(), String>) {
        let simulated = crate::simulated::play(self);
        println!("{simulated:#?}");
        assert_eq!(contract(&simulated), Ok(()));
        hold_in_time(|| crate::live::play(self, Ground::Loopback), &contract);
    }
}

/// What comes of a thread; whatever it panics with goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why))
}

/// Plays it until it is in time, a few times at most.
fn hold_in_time(mut play: impl FnMut() -> Seen, contract: &impl Fn(&Seen) -> Result<(), String>) {
    for _ in 0..TRIES {
        let seen = play();
        println!("{seen:#?}");
        match contract(&seen) {
            Ok(()) => return,
            Err(why) => println!("{:?}: {why}", seen.world),
        }
    }
    panic!("it was not in time {TRIES} times");
}

fn hold(seen: Seen, contract: &impl Fn(&Seen)) {
    // What the test prints when the contract is broken says where.
    println!("{seen:#?}");
    contract(&seen);
}

impl Seen {
    /// Nothing yet, of so many hosts.
    pub(crate) fn nothing(world: World, hosts: usize) -> Self {
        Seen {
            world,
            said: vec![Vec::new(); hosts],
            times: vec![Vec::new(); hosts],
            healed: Vec::new(),
            lives: vec![Vec::new(); hosts],
            sent: 0,
            delivered: 0,
            cut: 0,
            lost: 0,
            duplicated: 0,
            congested: 0,
            overflowed: 0,
            refused: 0,
            turned_away: 0,
            choked: BTreeSet::new(),
        }
    }

    /// A host says something.
    pub(crate) fn says(&mut self, host: usize, at: Time, text: String) {
        self.said[host].push(text);
        self.times[host].push(at);
    }

    /// When a host said something, for the first time.
    pub(crate) fn when(&self, host: usize, text: &str) -> Time {
        let place = self.said[host].iter().position(|said| said == text);
        self.times[host][place.unwrap_or_else(|| panic!("{host} does not say {text:?}"))]
    }

    /// What a host said, without that it is up.
    pub(crate) fn said(&self, host: usize) -> Vec<&str> {
        let said = self.said[host].iter().map(String::as_str);
        said.filter(|text| *text != "up").collect()
    }
}
