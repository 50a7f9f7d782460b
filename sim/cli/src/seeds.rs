//! Ranges of seeds, as they are typed.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A range of seeds that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(RangeInclusive<u64>);

impl Seeds {
    /// The seeds.
    pub(crate) fn range(&self) -> RangeInclusive<u64> {
        self.0.clone()
    }

    /// The first so many of them, at least one.
    pub(crate) fn first(&self, count: u64) -> RangeInclusive<u64> {
        let (first, last) = (*self.0.start(), *self.0.end());
        first..=last.min(first.saturating_add(count.saturating_sub(1)))
    }
}

/// Why a text is not a range of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeedsError {
    Syntax,
    Number(String),
    /// Two numbers with a dash between them.
    Dash(u64, u64),
    Empty,
}

impl fmt::Display for SeedsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeedsError::Syntax => f.write_str("write A..B without B, A..=B with it, or how many, from 0"),
            SeedsError::Number(text) => {
                write!(f, "`{text}` is not a whole number from 0 to {}", u64::MAX)
            }
            SeedsError::Dash(from, to) => {
                write!(f, "write `{from}..{to}` without {to}, or `{from}..={to}` with it")
            }
            SeedsError::Empty => f.write_str("there is no seed in it"),
        }
    }
}

impl std::error::Error for SeedsError {}

impl FromStr for Seeds {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let (first, last) = match text.split_once("..") {
            None => match text.split_once('-').map(|(from, to)| (number(from), number(to))) {
                Some((Ok(from), Ok(to))) => return Err(SeedsError::Dash(from, to)),
                _ => (0, before(number(text)?)?),
            },
            Some((_, "" | "=")) | Some(("", _)) => return Err(SeedsError::Syntax),
            Some((from, to)) => match to.strip_prefix('=') {
                Some(last) => (number(from)?, number(last)?),
                None => (number(from)?, before(end(to)?)?),
            },
        };
        if first > last {
            Err(SeedsError::Empty)
        } else {
            Ok(Seeds(first..=last))
        }
    }
}

/// Reads one seed.
///
/// # Errors
///
/// When it is none, in a sentence.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    let none = || format!("`{text}` is not a whole number from 0 to {}", u64::MAX);
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let seed = plain.then(|| text.parse().ok()).flatten();
    seed.ok_or_else(none)
}

/// The end of a range without it: the number after the greatest seed is one.
fn end(text: &str) -> Result<u128, SeedsError> {
    const BEYOND: &str = "18446744073709551616";
    match text.replace('_', "") == BEYOND {
        true => Ok(1 << 64),
        false => number(text).map(u128::from),
    }
}

/// The last seed before an end.
fn before(end: impl Into<u128>) -> Result<u64, SeedsError> {
    let last = end.into().checked_sub(1).ok_or(SeedsError::Empty)?;
    u64::try_from(last).map_err(|_| SeedsError::Empty)
}

fn number(text: &str) -> Result<u64, SeedsError> {
    let digits = text.replace('_', "");
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok()).flatten();
    number.ok_or_else(|| SeedsError::Number(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_in_rust_and_a_number_is_how_many() {
        for (text, range) in [
            ("3..9", 3..=8),
            ("3..=9", 3..=9),
            ("50", 0..=49),
            ("10_000", 0..=9_999),
            ("0..=0", 0..=0),
            (
                "18446744073709551614..=18446744073709551615",
                u64::MAX - 1..=u64::MAX,
            ),
            ("7..18446744073709551616", 7..=u64::MAX),
            ("0..18446744073709551615", 0..=u64::MAX - 1),
        ] {
            assert_eq!(
                text.parse::<Seeds>().map(|seeds| seeds.range()),
                Ok(range),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_a_reason() {
        for text in ["5..5", "9..3", "0", "9..=3", "5..0"] {
            assert_eq!(text.parse::<Seeds>(), Err(SeedsError::Empty), "{text}");
        }
        for text in ["..", "5..", "..9", "5..=", "..=9"] {
            assert_eq!(text.parse::<Seeds>(), Err(SeedsError::Syntax), "{text}");
        }
        for text in [
            "",
            "x",
            "-1",
            "-5..5",
            "1.5",
            "1...9",
            "+5",
            "0..=18446744073709551616",
            "0..18446744073709551617",
            "99999999999999999999",
        ] {
            assert!(
                matches!(text.parse::<Seeds>(), Err(SeedsError::Number(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_dash_is_met_with_dots() {
        let dash = "0-10".parse::<Seeds>();
        assert_eq!(dash, Err(SeedsError::Dash(0, 10)));
        assert_eq!(
            dash.map_err(|error| error.to_string()),
            Err("write `0..10` without 10, or `0..=10` with it".to_owned())
        );
    }

    #[test]
    fn one_seed_is_any_whole_number_that_fits() {
        assert_eq!(seed("0"), Ok(0));
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "-1", "+1", "x", "1.5", "18446744073709551616"] {
            let told = seed(text).expect_err(text);
            assert!(told.contains("is not a whole number from 0 to"), "{told}");
        }
    }

    #[test]
    fn the_first_of_few_are_all() {
        let seeds: Seeds = "5..100".parse().expect("a range");
        assert_eq!(seeds.first(20), 5..=24);
        assert_eq!(seeds.first(500), 5..=99);
    }
}
