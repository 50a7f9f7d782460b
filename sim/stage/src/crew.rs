//! The hosts of a run and their processes: what is done to each, one thing after the other, and what each has told.
//!
//! The timeline's view of a host ([`Power`](crate::host::Power)) changes at once, as in the simulator. What is done to its process for that takes time, and
//! waits for what was done to it before; only a kill waits for nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use squall_live::Line;
use squall_nodes::{HostId, Node, Span, Time};

use crate::clock;
use crate::door::StageError;
use crate::ground::Ground;
use crate::host::{Begun, Do, Host, Life, State};
use crate::process::Process;

/// How often hosts tell what they have come to, so that the watermark goes on.
pub(crate) const MARK_EVERY: Span = Span::from_millis(50);

/// The hosts of a run. When it is dropped, no process is left.
pub(crate) struct Crew<N: Node> {
    pub(crate) hosts: Vec<Host<N>>,
    program: PathBuf,
    /// How long a host may be kept from running before it tells.
    stall: Span,
    /// What the hosts stand on: it is let go after them.
    pub(crate) ground: Box<dyn Ground>,
}

/// What has come of waiting.
pub(crate) enum News<N: Node> {
    /// A host told something.
    Told(HostId, Line<N>),
    /// A host told something that nobody understands.
    Garbled(HostId, String),
    /// A host's process has stopped, as it was to.
    Stopped(HostId),
    /// A host's process has ended, and how.
    Ended(HostId, String),
}

impl<N: Node> Crew<N> {
    /// Hosts that nothing was done to.
    pub(crate) fn new(hosts: Vec<Host<N>>, program: PathBuf, stall: Span, ground: Box<dyn Ground>) -> Self {
        Crew {
            hosts,
            program,
            stall,
            ground,
        }
    }

    /// All hosts.
    pub(crate) fn ids(&self) -> impl Iterator<Item = HostId> + use<N> {
        (0..self.hosts.len() as u32).map(HostId)
    }

    pub(crate) fn host(&mut self, id: HostId) -> &mut Host<N> {
        &mut self.hosts[id.index()]
    }

    /// Starts a host's process, which waits to be told to go.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn spawn(&mut self, id: HostId) -> Result<(), StageError> {
        let mut words = self.ground.words(id);
        words.push(self.program.clone().into());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        let stall = self.stall;
        let host = self.host(id);
        command.arg("node").arg(&host.file).args(["--attended", "--wait"]);
        command.args(["--mark-every".to_owned(), MARK_EVERY.to_string()]);
        command.args(["--stall".to_owned(), stall.to_string()]);
        let process = Process::start(command, &host.log)
            .map_err(|why| StageError::system(format!("start {}", host.name), why))?;
        host.process = Some(process);
        host.life = Life::Nothing;
        host.forget_policies();
        Ok(())
    }

    /// Lets a host's process go on with nothing before it that is under way, as far as it can be gone on with. Says what was begun.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn begin_next(&mut self, id: HostId) -> Result<Option<Begun>, StageError> {
        let host = self.host(id);
        if host.doing.is_some() {
            return Ok(None);
        }
        let Some(act) = host.acts.pop_front() else {
            return Ok(None);
        };
        let now = clock::now();
        host.doing = Some((act, now));
        let mut policy = None;
        match act.what {
            Do::Start(state) => {
                if state == State::Wiped {
                    host.wipe()?;
                }
                host.state = state;
                host.heard = now;
                host.going_since = now;
                if host.process.is_none() {
                    self.spawn(id)?;
                }
                self.host(id).go(Time::ZERO);
            }
            // It has ended before it was to, and that is what is heard of it.
            Do::Kill(_) | Do::CutOff => host.signal(Signal::KILL),
            Do::Stop => host.signal(Signal::STOP),
            Do::Continue => {
                // Before it goes on it is told what is in force now.
                policy = (host.told < host.policy.number).then_some(host.policy.number);
                host.tell_policy();
                host.heard = now;
                host.going_since = now;
                host.life = Life::Booted;
                host.signal(Signal::CONT);
            }
        }
        Ok(Some(Begun { act, policy }))
    }

    /// Until when everything has been told that will be: by all who may still tell something from before.
    pub(crate) fn watermark(&self) -> Time {
        let may_tell = |host: &&Host<N>| host.holds();
        let heard = self.hosts.iter().filter(may_tell).map(|host| host.heard);
        heard.min().unwrap_or(Time::MAX).min(clock::now())
    }

    /// Waits until something comes from the hosts, or until a time, and says what.
    pub(crate) fn wait(&mut self, until: Time) -> Vec<News<N>> {
        // Whether a process has stopped is nothing that could be waited for.
        let soon = clock::now() + Span::from_millis(1);
        let until = if self.hosts.iter().any(Host::is_stopping) {
            until.min(soon)
        } else {
            until
        };
        let moved = self.poll(until.since(clock::now()));
        let mut news = Vec::new();
        for (place, host) in (0..).zip(&mut self.hosts) {
            if moved[place as usize] || host.is_stopping() {
                host.news(HostId(place), &mut news);
            }
        }
        news
    }

    /// Waits until something moves at some host, and says at which.
    fn poll(&self, timeout: Span) -> Vec<bool> {
        let (mut fds, mut whose) = (Vec::new(), Vec::new());
        for (place, host) in self.hosts.iter().enumerate() {
            let Some(process) = &host.process else { continue };
            let of_process = [
                Some(PollFd::from_borrowed_fd(process.end(), PollFlags::IN)),
                process
                    .stdout()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
                process
                    .waiting_stdin()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)),
            ];
            for fd in of_process.into_iter().flatten() {
                fds.push(fd);
                whose.push(place);
            }
        }
        let mut moved = vec![false; self.hosts.len()];
        // Longer than any wait of a run.
        let timeout = Duration::from_nanos(timeout.as_nanos()).min(Duration::from_secs(60));
        // When a signal has come, whoever waits looks at what it wants.
        if let Ok(timeout) = Timespec::try_from(timeout)
            && poll(&mut fds, Some(&timeout)).is_ok()
        {
            for (fd, place) in fds.iter().zip(whose) {
                moved[place] |= !fd.revents().is_empty();
            }
        }
        moved
    }

    /// Ends every process at once. What they took is noted.
    pub(crate) fn kill_all(&mut self) {
        for host in &mut self.hosts {
            if let Some(process) = &mut host.process {
                process.look_at_taken();
                process.signal(Signal::KILL);
            }
        }
        for host in &mut self.hosts {
            host.reap();
        }
    }
}

impl<N: Node> Drop for Crew<N> {
    fn drop(&mut self) {
        self.kill_all();
    }
}
