//! How text looks: colours, columns, numbers, and commands that can be pasted into a shell.

use std::fmt::Write as _;

/// What a text needs to know of where it is going.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether there are colours.
    pub colour: Colour,
    /// What calls the program, as a shell reads it, in commands that repeat a run: `squall`, `cargo run --`.
    pub program: String,
    /// Which command repeats a run.
    pub repeats: Repeats,
    /// How wide columns are.
    pub columns: Columns,
}

/// The command that repeats a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// It was simulated, and comes out the same.
    Run,
    /// It was played on live processes, and is played again.
    Live,
}

/// Whether a text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// None: plain text.
    Plain,
    /// The sixteen colours of a terminal.
    Ansi,
}

/// Widths of columns, in characters, so that lines written one by one stand in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Of the longest scenario's name.
    pub scenario: usize,
    /// Of the longest rule set's name.
    pub rules: usize,
}

impl Columns {
    /// Wide enough for each of these pairs of scenario and rule set.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        pairs
            .into_iter()
            .fold(Columns::default(), |widest, (scenario, rules)| Columns {
                scenario: widest.scenario.max(scenario.chars().count()),
                rules: widest.rules.max(rules.chars().count()),
            })
    }
}

/// What is said with a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Good,
    Bad,
    Doubtful,
    Faint,
    Strong,
    Fact,
    World,
}

impl Look {
    /// A look without colours, with columns of no width.
    pub fn plain(program: &str) -> Self {
        Look {
            colour: Colour::Plain,
            program: program.to_owned(),
            repeats: Repeats::Run,
            columns: Columns::default(),
        }
    }

    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Doubtful => "33",
            Ink::Faint => "2",
            Ink::Strong => "1",
            Ink::Fact => "1;36",
            Ink::World => "35",
        };
        match self.colour {
            Colour::Plain => text.to_owned(),
            Colour::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// The command that repeats a run.
    pub fn run_command(&self, scenario: &str, rules: &str, seed: u64) -> String {
        let command = match self.repeats {
            Repeats::Run => "run",
            Repeats::Live => "live",
        };
        format!(
            "{} {command} {} --rules {} --seed {seed}",
            self.program,
            file(scenario),
            quoted(rules)
        )
    }

    /// The command that repeats a sweep.
    pub fn sweep_command(&self, scenario: &str, rules: &str, seeds: (u64, u128)) -> String {
        let (program, scenario, rules) = (&self.program, file(scenario), quoted(rules));
        format!(
            "{program} sweep {scenario} --rules {rules} --seeds {}..{}",
            seeds.0, seeds.1
        )
    }

    /// The command that checks a file.
    pub fn check_command(&self, scenario: &str) -> String {
        format!("{} check {}", self.program, file(scenario))
    }

    /// The command that repeats the runs of some seeds on one thread, each of them twice.
    pub fn recheck_command(&self, scenario: &str, rules: &str, seeds: (u64, u128)) -> String {
        format!(
            "{} --jobs 1 --recheck 100%",
            self.sweep_command(scenario, rules, seeds)
        )
    }
}

/// A file as an argument: never taken for an option.
fn file(name: &str) -> String {
    if name.starts_with('-') {
        quoted(&format!("./{name}"))
    } else {
        quoted(name)
    }
}

/// A word as a POSIX shell reads it back. What a terminal would obey is written in numbers.
pub fn quoted(word: &str) -> String {
    if word.chars().any(is_obeyed) {
        return quoted_in_numbers(word);
    }
    let plain = |c: char| c.is_alphanumeric() || "_-./,:+@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A word in the quotes that know escapes, `$'…'`: each byte of a character that a terminal would obey in three octal digits, which no
/// digit that follows can be taken for a part of.
fn quoted_in_numbers(word: &str) -> String {
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_obeyed(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Nanoseconds as milliseconds with three decimals, cut, not rounded: `2310.123`.
pub(crate) fn millis(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

/// A length of time for people, exact: `310ms`, `4.2s`, `250us`.
pub(crate) fn span(ns: u64) -> String {
    let (size, unit) = match ns {
        0 => return "0s".to_owned(),
        1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, "us"),
        _ => (1, "ns"),
    };
    let rest = format!("{:09}", ns % size * (1_000_000_000 / size));
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() {
        format!("{}{unit}", ns / size)
    } else {
        format!("{}.{rest}{unit}", ns / size)
    }
}

/// A number with its digits in threes: `1 204 500`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2 runs`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Text that came from packets, files or nodes, on one line and without anything that a terminal would obey.
pub(crate) fn harmless(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_obeyed(c) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether a terminal would do something else with a character than show it.
fn is_obeyed(c: char) -> bool {
    c.is_control() || is_reordering(c)
}

/// Whether a character changes the direction of those around it.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` filled up with spaces to `width` characters.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let look = Look::plain("squall");
        assert_eq!(
            look.run_command("scenarios/hac/x.ron", "Original", 7),
            "squall run scenarios/hac/x.ron --rules Original --seed 7"
        );
        let live = Look {
            repeats: Repeats::Live,
            ..look.clone()
        };
        assert_eq!(
            live.run_command("x.ron", "A", 0),
            "squall live x.ron --rules A --seed 0"
        );
        assert_eq!(
            look.run_command("my it's.ron", "A", 0),
            r"squall run 'my it'\''s.ron' --rules A --seed 0"
        );
        assert_eq!(
            look.run_command("a\u{1b}[31m'1\\.ron", "A", 0),
            r"squall run $'a\033[31m\'1\\.ron' --rules A --seed 0"
        );
        assert_eq!(
            look.check_command("\u{202e}7.ron"),
            r"squall check $'\342\200\2567.ron'"
        );
        assert_eq!(
            look.sweep_command("-x.ron", "A", (3, 9)),
            "squall sweep ./-x.ron --rules A --seeds 3..9"
        );
        assert_eq!(
            look.recheck_command("x.ron", "A", (3, 9)),
            "squall sweep x.ron --rules A --seeds 3..9 --jobs 1 --recheck 100%"
        );
    }

    #[test]
    fn a_program_may_be_called_by_several_words() {
        let look = Look::plain("cargo run --");
        assert_eq!(
            look.run_command("x.ron", "A", 0),
            "cargo run -- run x.ron --rules A --seed 0"
        );
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_000), grouped(1_204_500)],
            ["0", "999", "1 000", "1 204 500"]
        );
        assert_eq!(
            [millis(0), millis(2_310_123_999), millis(1_000)],
            ["0.000", "2310.123", "0.001"]
        );
        let spans = [
            0,
            5,
            1_500,
            310_000_000,
            4_200_000_000,
            60_000_000_000,
            1_000_000_001,
        ];
        assert_eq!(
            spans.map(span),
            ["0s", "5ns", "1.5us", "310ms", "4.2s", "60s", "1.000000001s"]
        );
        assert_eq!(
            [listed::<&str>(&[]), listed(&["a"]), listed(&["a", "b", "c"])],
            ["", "a", "a, b and c"]
        );
    }

    #[test]
    fn what_a_peer_sent_does_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31m\nb\u{202e}", 100), "a\\u{1b}[31m b\\u{202e}");
        assert_eq!(harmless("äöü", 2), "äö…");
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        let mut look = Look::plain("squall");
        assert_eq!(look.paint(Ink::Bad, "x"), "x");
        look.colour = Colour::Ansi;
        assert_eq!(look.paint(Ink::Bad, "x"), "\x1b[1;31mx\x1b[0m");
    }
}
