//! One host of a run: what the timeline has made of it, what is being done to its process, and how far that has come.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;

use rustix::process::Signal;
use squall_live::line::Counts;
use squall_live::{Line, Policy, Request};
use squall_nodes::{Crash, HostId, Node, Time};

use crate::clock;
use crate::crew::News;
use crate::door::StageError;
use crate::process::{EndedBy, Process, Taken, panic_words};

/// A host and its process.
pub(crate) struct Host<N: Node> {
    pub(crate) name: String,
    /// Its deployment file.
    pub(crate) file: PathBuf,
    /// The folder in which it keeps what it persists.
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) process: Option<Process>,
    pub(crate) power: Power,
    /// What those who watch take it for, once they have seen everything that was put in order for them.
    pub(crate) shown: Shown,
    /// How often it was switched on.
    pub(crate) boots: u32,
    /// What its present process found, or its last.
    pub(crate) state: State,
    /// What is being done to its process, and since when.
    pub(crate) doing: Option<(Act, Time)>,
    /// What is to be done to it after that.
    pub(crate) acts: VecDeque<Act>,
    /// How far its present process has come.
    pub(crate) life: Life,
    /// Its present life, as it told it.
    pub(crate) incarnation: u32,
    /// Until when it has told everything.
    pub(crate) heard: Time,
    /// When its present process was started or last let go on.
    pub(crate) going_since: Time,
    /// The policy that it is to have.
    pub(crate) policy: Policy,
    /// Those before it that its process was not told of while it did not run, the oldest first.
    missed: VecDeque<Policy>,
    /// The number of the last policy that its process was told.
    pub(crate) told: u64,
    /// What its process is to be told when it is started.
    mail: Vec<u8>,
    /// What became of its datagrams: in the present process, and in those before.
    pub(crate) counts: Counts,
    /// With whom streams wait, at its side, for what was swallowed.
    pub(crate) stuck: BTreeSet<HostId>,
    pub(crate) past: Vec<Counts>,
    /// What its processes took.
    pub(crate) taken: Taken,
    /// What the first panic said by which one of its processes ended.
    pub(crate) panic: Option<String>,
    _node: std::marker::PhantomData<fn() -> N>,
}

/// What the timeline has made of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Off,
    On,
    Paused,
}

/// What those who watch take a host for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Up,
    Down,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// There is none, or it has not told anything.
    Nothing,
    /// It waits to be told to go.
    Ready,
    /// Its node has booted.
    Booted,
    /// Its node has booted, and it is stopped, and everything that it has told was heard.
    Stopped,
}

/// Something that is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) what: Do,
    /// The change of the world that it is a part of.
    pub(crate) change: u64,
}

/// Something that was begun.
pub(crate) struct Begun {
    pub(crate) act: Act,
    /// The number of the policy that the process was told with it.
    pub(crate) policy: Option<u64>,
}

/// What can be done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// It is started, with its state or without.
    Start(State),
    /// The others cut it off, and then it is killed.
    CutOff,
    Kill(Crash),
    Stop,
    Continue,
}

/// What a process finds of what the ones before it have persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Kept,
    Wiped,
}

impl<N: Node> Host<N> {
    /// A host that was never switched on.
    pub(crate) fn new(name: String, file: PathBuf, data: PathBuf, log: PathBuf, policy: Policy) -> Self {
        Host {
            name,
            file,
            data,
            log,
            process: None,
            power: Power::Off,
            shown: Shown::Down,
            boots: 0,
            state: State::Kept,
            doing: None,
            acts: VecDeque::new(),
            life: Life::Nothing,
            incarnation: 0,
            heard: Time::ZERO,
            going_since: Time::ZERO,
            policy,
            missed: VecDeque::new(),
            told: 0,
            mail: Vec::new(),
            counts: Counts::default(),
            stuck: BTreeSet::new(),
            past: Vec::new(),
            taken: Taken::default(),
            panic: None,
            _node: std::marker::PhantomData,
        }
    }

    /// Has something done to its process after all that is to be done to it already.
    pub(crate) fn after_all(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Has its process killed now. What was being done to it, or was to be, is not any more: the changes that it was a part of are
    /// returned. When its process is being killed already, or there is none, that is all there is to it.
    pub(crate) fn kill_now(&mut self, act: Act) -> Vec<u64> {
        let mut given_up: Vec<u64> = self.acts.drain(..).map(|act| act.change).collect();
        self.mail.clear();
        match self.doing {
            Some((
                Act {
                    what: Do::Kill(_), ..
                },
                _,
            )) => given_up.push(act.change),
            _ if self.process.is_none() => given_up.push(act.change),
            under_way => {
                given_up.extend(under_way.map(|(act, _)| act.change));
                self.kill_for(act);
            }
        }
        given_up
    }

    /// Has its process cut off and killed then, as [`kill_now`](Self::kill_now) kills it at once.
    pub(crate) fn cut_off_now(&mut self, act: Act) -> Vec<u64> {
        let mut given_up: Vec<u64> = self.acts.drain(..).map(|act| act.change).collect();
        self.mail.clear();
        match self.doing {
            Some((under_way, _)) if matches!(under_way.what, Do::Kill(_)) => given_up.push(act.change),
            _ if self.process.is_none() => given_up.push(act.change),
            under_way => {
                given_up.extend(under_way.map(|(act, _)| act.change));
                self.doing = Some((act, clock::now()));
            }
        }
        given_up
    }

    /// Has its process killed, which is cut off by now as part of a change; unless something else has killed it meanwhile. What is to be
    /// done to it after that stays so.
    pub(crate) fn kill_cut_off(&mut self, change: u64, how: Crash) {
        let what = Do::CutOff;
        if self.doing.is_some_and(|(act, _)| act == Act { what, change }) {
            let what = Do::Kill(how);
            self.kill_for(Act { what, change });
        }
    }

    fn kill_for(&mut self, act: Act) {
        self.doing = Some((act, clock::now()));
        self.look_at_taken();
        self.signal(Signal::KILL);
    }

    /// The change that its next life is a part of, if nothing is left to be done before that.
    pub(crate) fn is_about_to_start(&self) -> Option<u64> {
        let next = self.acts.front().filter(|_| self.doing.is_none())?;
        matches!(next.what, Do::Start(_)).then_some(next.change)
    }

    /// Asks its process something, as soon as it is there.
    pub(crate) fn ask(&mut self, request: &Request<N>) {
        let Ok(mut line) = serde_json::to_vec(request) else {
            return;
        };
        line.push(b'\n');
        // What is being killed has nothing to answer: what is asked is for the life after that.
        let hears = match self.doing {
            Some((act, _)) => !matches!(act.what, Do::Kill(_) | Do::CutOff),
            None => matches!(self.life, Life::Booted | Life::Stopped),
        };
        match &mut self.process {
            Some(process) if hears => process.tell(&line),
            _ => self.mail.extend(line),
        }
    }

    /// Tells its process to boot at a time, under the policy that it is to have.
    pub(crate) fn go(&mut self, at: Time) {
        self.tell_policy();
        let mut lines = Vec::new();
        if serde_json::to_writer(&mut lines, &Request::<N>::Go { at }).is_ok() {
            lines.push(b'\n');
        }
        lines.append(&mut self.mail);
        if let Some(process) = &mut self.process {
            process.tell(&lines);
        }
    }

    /// Gives it another policy. The one before is told with it if its node runs and has not heard of it: something came in under it.
    pub(crate) fn replace_policy(&mut self, policy: Policy) {
        let before = std::mem::replace(&mut self.policy, policy);
        let lives = matches!(self.life, Life::Booted | Life::Stopped);
        if lives && self.told < before.number {
            if self.missed.len() >= Policy::MOST_MISSED {
                self.missed.pop_front();
            }
            self.missed.push_back(before);
        }
    }

    /// A new process knows of no policy, and missed none.
    pub(crate) fn forget_policies(&mut self) {
        self.told = 0;
        self.missed.clear();
    }

    /// Tells its process the policy that it is to have, with those that it missed, unless it was.
    pub(crate) fn tell_policy(&mut self) {
        let mut policy = self.policy.clone();
        policy.missed = self.missed.iter().cloned().collect();
        let request = Request::<N>::Policy {
            policy: Box::new(policy),
        };
        if self.told < self.policy.number
            && let Some(process) = &mut self.process
            && let Ok(mut line) = serde_json::to_vec(&request)
        {
            line.push(b'\n');
            process.tell(&line);
            self.told = self.policy.number;
            self.missed.clear();
        }
    }

    /// Whether it takes a policy now: it runs, or is about to.
    pub(crate) fn takes_policies(&self) -> bool {
        let is_going = match self.doing {
            None => self.life == Life::Booted,
            Some((act, _)) => matches!(act.what, Do::Start(_) | Do::Continue),
        };
        self.process.is_some() && self.power == Power::On && is_going
    }

    /// Whether what it tells is waited for.
    pub(crate) fn holds(&self) -> bool {
        let is_starting = matches!(
            self.doing,
            Some((
                Act {
                    what: Do::Start(_),
                    ..
                },
                _
            ))
        );
        self.process.is_some() && (self.life == Life::Booted || is_starting)
    }

    /// Whether its process is being stopped, to be let go on later.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.doing, Some((Act { what: Do::Stop, .. }, _)))
    }

    pub(crate) fn has_process(&self) -> bool {
        self.process.is_some()
    }

    /// What is being done to it is done, if it is what is asked for: a kill may have taken the place of what it tells of.
    pub(crate) fn done(&mut self, is: impl Fn(Do) -> bool) -> Option<(Act, Time)> {
        self.doing.take_if(|(act, _)| is(act.what))
    }

    pub(crate) fn look_at_taken(&mut self) {
        if let Some(process) = &mut self.process {
            process.look_at_taken();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Removes what it has persisted.
    pub(crate) fn wipe(&self) -> Result<(), StageError> {
        let state = self.data.join("state");
        match std::fs::remove_file(&state) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                Err(StageError::system(format!("remove {}", state.display()), why))
            }
            _ => Ok(()),
        }
    }

    /// Reads what its process has told, and looks at how it is.
    pub(crate) fn news(&mut self, id: HostId, news: &mut Vec<News<N>>) {
        let is_stopping = self.is_stopping();
        let Some(process) = &mut self.process else {
            return;
        };
        process.tell_rest();
        // In this order: what it told before it stopped or ended is there to be read.
        let has_stopped = is_stopping && process.has_stopped();
        let has_ended = process.has_ended();
        process.read(|line| match serde_json::from_slice::<Line<N>>(line) {
            Ok(line) => news.push(News::Told(id, line)),
            Err(why) => news.push(News::Garbled(id, why.to_string())),
        });
        if has_ended {
            let how = self.reap();
            news.push(News::Ended(id, how));
        } else if has_stopped {
            news.push(News::Stopped(id));
        }
    }

    /// Takes leave of its process, which is killed if it has not ended. Says how it ended.
    pub(crate) fn reap(&mut self) -> String {
        let Some(process) = self.process.take() else {
            return String::new();
        };
        let (ending, taken) = process.reap();
        self.taken.cpu = self.taken.cpu + taken.cpu;
        self.taken.peak_memory = self.taken.peak_memory.max(taken.peak_memory);
        if self.doing.is_some_and(|(act, _)| matches!(act.what, Do::Kill(_))) {
            // It has taken along what was under way to it.
            self.counts.under_way = 0;
        }
        self.past.push(std::mem::take(&mut self.counts));
        if ending.by == EndedBy::Panic && self.panic.is_none() {
            self.panic = Some(panic_words(&self.log));
        }
        ending.how
    }
}
