//! How much of the machine's processors others take while something is played live: what hosts cannot have, they are late for.
//!
//! The kernel counts, in the same ticks, what all processors do (`/proc/stat`) and what this process and those of its children that have
//! ended did on them (`/proc/self/stat`). What is not idle and not this program's own is the others': other processes, interrupts, and what
//! a hypervisor takes for its other machines. It is a share of the time of all processors together, so neither their number nor the length
//! of a tick comes into it; hosts that hold each other up are no others.

use std::fs;
use std::ops::AddAssign;

/// What others took of the machine's processors, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// What others took.
    took: u64,
    /// All that there was to take.
    of: u64,
}

impl Others {
    /// Their share, from 0 to 1; `None` where nothing was counted.
    pub(super) fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.took as f64 / self.of as f64)
    }
}

impl AddAssign for Others {
    fn add_assign(&mut self, more: Others) {
        self.took += more.took;
        self.of += more.of;
    }
}

/// What the processors had done when they were looked at, in ticks. Children are to have ended, and to have been waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    busy: u64,
    idle: u64,
    own: u64,
}

impl Look {
    /// Looks now; `None` where the system does not say.
    pub(super) fn now() -> Option<Look> {
        let (busy, idle) = of_all(&fs::read_to_string("/proc/stat").ok()?)?;
        let own = of_own(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Look { busy, idle, own })
    }

    /// What others took from the other look to this one.
    pub(super) fn since(self, before: Look) -> Others {
        // Each is counted for itself: a tick may be seen in one and not yet in the other, and idle time may be set right.
        let more = |now: u64, then: u64| now.saturating_sub(then);
        let busy = more(self.busy, before.busy);
        Others {
            took: more(busy, more(self.own, before.own)),
            of: busy + more(self.idle, before.idle),
        }
    }
}

/// For how long all processors together were busy, and for how long not, of `/proc/stat`.
fn of_all(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    // What guests of this machine take, in the two fields behind these, is in the first two already.
    let [
        user,
        nice,
        system,
        idle,
        io_wait,
        interrupts,
        soft_interrupts,
        stolen,
        ..,
    ] = ticks[..]
    else {
        return None;
    };
    Some((
        user + nice + system + interrupts + soft_interrupts + stolen,
        idle + io_wait,
    ))
}

/// What a process and its children that were waited for took, of `/proc/PID/stat`.
fn of_own(line: &str) -> Option<u64> {
    // The second field is a name in parentheses, which may hold anything; the first behind it is the third of all.
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    (14..=17)
        .map(|field| fields.get(field - 3)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 20 30 800 50 1 2 7 90 3\ncpu0 100 20 30 800 50 1 2 7 90 3\nintr 7\n";
    const OWN: &str = "7 (a) S 1 (b) R 1 7 7 0 -1 4194560 95 0 0 0 20 3 40 2 20 0 1 0 8812 3145728 212";

    #[test]
    fn what_is_not_idle_and_not_its_own_is_the_others() {
        assert_eq!(of_all(STAT), Some((160, 850)));
        assert_eq!(of_own(OWN), Some(65));
        let look = |busy, idle, own| Look { busy, idle, own };
        let others = look(1_100, 2_100, 30).since(look(1_000, 2_000, 10));
        assert_eq!(others, Others { took: 80, of: 200 });
        assert_eq!(others.share(), Some(0.4));
        // Nothing is less than nothing, and what did not last is no share.
        assert_eq!(look(5, 9, 9).since(look(4, 10, 0)).share(), Some(0.0));
        assert_eq!(Others::default().share(), None);
    }

    #[test]
    fn what_is_no_such_line_says_nothing() {
        for text in [
            "",
            "cpu0 1 2 3 4 5 6 7 8\n",
            "cpu  1 2 3\n",
            "cpu  1 2 3 4 five 6 7 8\n",
        ] {
            assert_eq!(of_all(text), None, "{text}");
        }
        for line in [
            "",
            "7 (a) S 1",
            "7 (a) S 1 7 7 0 -1 4194560 95 0 0 0 20 3 40 many 20",
        ] {
            assert_eq!(of_own(line), None, "{line}");
        }
    }

    /// What this test takes itself is its own, and what a child takes that it has not waited for is another's, as that of a stranger is.
    #[test]
    fn a_process_that_is_none_of_its_own_is_seen() {
        let busy = |child: &mut std::process::Child| {
            let stat = || fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
            while of_own(&stat()).expect("it is counted") < 20 {
                std::thread::yield_now();
            }
        };
        let before = Look::now().expect("the system says it");
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .expect("a shell");
        busy(&mut child);
        let meanwhile = Look::now().expect("the system says it").since(before);
        // Before it is waited for it is nobody of its own.
        assert!(meanwhile.took >= 10, "{meanwhile:?}");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let own = Look::now().expect("the system says it").own - before.own;
        assert!(own >= 20, "{own}");
    }
}
