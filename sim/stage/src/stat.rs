//! What the machine says of a process in `/proc`.

use std::fs;

/// A line of `/proc/PID/stat`, as far as anybody here wants to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Whether it runs, sleeps or is stopped; a letter of `proc_pid_stat(5)`.
    state: String,
    /// Processor time, of the user and the system, in ticks.
    pub(crate) cpu: u64,
    /// When it was started, in ticks since the machine was.
    pub(crate) started: u64,
}

impl Stat {
    /// What is said of the process of this number; `None` when there is none.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Stat::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it is a dead one that nobody has asked after.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state.as_str(), "Z" | "X")
    }

    fn read(line: &str) -> Option<Self> {
        // The second field is a name in parentheses, which may hold anything.
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first of these is the third of all.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Stat {
            state: (*fields.first()?).to_owned(),
            cpu: number(14)? + number(15)?,
            started: number(22)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "7 (a) S 1 (b) R 1 7 7 0 -1 4194560 95 0 0 0 20 3 0 0 20 0 1 0 8812 3145728 212 18446744073709551615";
        let stat = Stat::read(line).unwrap();
        assert_eq!((stat.cpu, stat.started, stat.is_dead()), (23, 8812, false));
        assert_eq!(Stat::read("7 (cut off) Z 1 7"), None);
        assert!(Stat::read(&line.replace(" R ", " Z ")).unwrap().is_dead());
    }

    #[test]
    fn of_this_process_it_is_known_when_it_was_started_and_of_none_nothing() {
        let (first, second) = (Stat::of(std::process::id()), Stat::of(std::process::id()));
        assert_eq!(first.unwrap().started, second.unwrap().started);
        assert_eq!(Stat::of(u32::MAX), None);
    }
}
