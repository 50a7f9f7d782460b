//! What a command came to, as the number that a shell sees.

use std::process::ExitCode;

use squall_sim::outcome::Standing;

/// What a command came to. The worse is the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Every verdict is as its file expects: 0.
    #[default]
    AsExpected,
    /// Some verdict is not known: 3.
    Unknown,
    /// Whoever reads the output went away before its end, and nothing was amiss until then: 141, by which a shell reports
    /// that SIGPIPE ended a program.
    Unread,
    /// Some verdict is not as expected, or not strict where strictness was asked for: 1.
    Otherwise,
    /// The command or a file cannot be used as it is, or this machine cannot play it live: 2. What was run before is reported.
    Unusable,
    /// Ctrl-C: 130. What there was has been reported.
    Interrupted,
    /// A run panicked, or did not come out the same again, which is a bug of the node or of Squall: 101.
    Bug,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Exit; 7] = [
        Exit::AsExpected,
        Exit::Otherwise,
        Exit::Unusable,
        Exit::Unknown,
        Exit::Bug,
        Exit::Interrupted,
        Exit::Unread,
    ];

    /// What it means, in a line.
    pub(crate) fn says(self) -> &'static str {
        match self {
            Exit::AsExpected => "every verdict is as its file expects, and every replay as it was recorded",
            Exit::Otherwise => "some verdict or replay is not",
            Exit::Unusable => "the command or a file cannot be used, or this machine cannot play it live",
            Exit::Unknown => "some verdict is not known",
            Exit::Bug => "a run panicked, or gave two results for one seed: a bug of the node or of Squall",
            Exit::Interrupted => "stopped by Ctrl-C, with what there was reported",
            Exit::Unread => "whoever read the output went away, as `head` does; nothing was amiss until then",
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::AsExpected => 0,
            Exit::Otherwise => 1,
            Exit::Unusable => 2,
            Exit::Unknown => 3,
            Exit::Bug => 101,
            Exit::Interrupted => 130,
            Exit::Unread => 141,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Exit {
        match standing {
            Standing::AsExpected => Exit::AsExpected,
            Standing::Otherwise => Exit::Otherwise,
            Standing::Unknown => Exit::Unknown,
        }
    }
}
