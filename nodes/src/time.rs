//! Time as a node sees it: instants and spans in whole nanoseconds.
//!
//! Nothing here reads a clock. Instants come in with inputs; spans come from configuration.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: nanoseconds on the host's own monotonic clock, which shows 0 when the run begins, or is ahead by as much as its
/// scenario says.
///
/// Arithmetic saturates: an instant past the end of the range is [`Time::MAX`], which means *never*.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The instant at which a run begins.
    pub const ZERO: Time = Time(0);
    /// Later than every instant of a run: *never*.
    pub const MAX: Time = Time(u64::MAX);

    /// The instant `ns` nanoseconds after the run began.
    pub const fn from_nanos(ns: u64) -> Self {
        Time(ns)
    }

    /// Nanoseconds since the run began.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it is still to come.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for Time {
    /// Seconds with nine decimals cut to what is needed: `1.25s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let digits = format!("{rest:09}");
        let cut = digits.trim_end_matches('0');
        let text = if cut.is_empty() {
            format!("{whole}s")
        } else {
            format!("{whole}.{cut}s")
        };
        f.pad(&text)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A length of time in whole nanoseconds, never negative.
///
/// In files it is a string with a unit: `"310ms"`, `"2s"`, `"1m 30s"`, `"250us"`. Arithmetic saturates.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// The longest span that a file may name: ten years.
    pub const LONGEST: Span = Span(10 * 365 * 24 * 3600 * 1_000_000_000);

    /// `ns` nanoseconds.
    pub const fn from_nanos(ns: u64) -> Self {
        Span(ns)
    }

    /// `us` microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Span(us.saturating_mul(1_000))
    }

    /// `ms` milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Span(ms.saturating_mul(1_000_000))
    }

    /// `s` seconds.
    pub const fn from_secs(s: u64) -> Self {
        Span(s.saturating_mul(1_000_000_000))
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span in seconds, for people and statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whether the span is empty.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, times: u64) -> Span {
        Span(self.0.saturating_mul(times))
    }
}

impl Div<u64> for Span {
    type Output = Span;
    /// # Panics
    ///
    /// When `parts` is 0.
    fn div(self, parts: u64) -> Span {
        Span(self.0 / parts)
    }
}

impl fmt::Display for Span {
    /// A whole number in the largest unit that is exact: `310ms`, `2s`, `1500us`. It parses back to itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ];
        let (count, unit) = units
            .iter()
            .find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size))
            .map_or((self.0, "ns"), |(size, unit)| (self.0 / size, *unit));
        f.pad(&format!("{count}{unit}"))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not a number with a unit.
    #[error("'{0}' is not a length of time; write a whole number and a unit, such as \"310ms\" or \"2s\"")]
    Syntax(String),
    /// Less than nothing.
    #[error("'{0}' is negative, and lengths of time are not")]
    Negative(String),
    /// Longer than [`Span::LONGEST`].
    #[error("'{0}' is longer than ten years, the longest length of time that a file may name")]
    TooLong(String),
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Span, SpanError> {
        let negative = |text: &str| {
            text.strip_prefix('-')
                .is_some_and(|rest| humantime::parse_duration(rest).is_ok())
        };
        let parsed = humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::NumberOverflow => SpanError::TooLong(text.to_owned()),
            _ if negative(text.trim_start()) => SpanError::Negative(text.to_owned()),
            _ => SpanError::Syntax(text.to_owned()),
        })?;
        match u64::try_from(parsed.as_nanos()) {
            Ok(ns) if ns <= Span::LONGEST.0 => Ok(Span(ns)),
            _ => Err(SpanError::TooLong(text.to_owned())),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time in quotes, such as \"310ms\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        u64::deserialize(deserializer).map(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_prints_as_it_is_read() {
        for text in ["0ns", "1ns", "310ms", "1500us", "2s", "90m", "10h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text, "{text}");
        }
        assert_eq!("1m 30s".parse::<Span>().unwrap(), Span::from_secs(90));
    }

    #[test]
    fn a_span_without_a_unit_or_beyond_ten_years_is_refused() {
        for text in ["", "5", "-", "-5", "--5ms", "1e9s", "NaN", "inf", "5 parsecs"] {
            assert!(
                matches!(text.parse::<Span>(), Err(SpanError::Syntax(_))),
                "{text}"
            );
        }
        assert!(matches!("4000days".parse::<Span>(), Err(SpanError::TooLong(_))));
        for text in ["99999999999999999999s", "18446744073709551615s"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::TooLong(text.to_owned())));
        }
        for text in ["-5ms", "-1m 30s"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::Negative(text.to_owned())));
        }
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Time::MAX + Span::from_nanos(1), Time::MAX);
        assert_eq!(Time::ZERO - Span::from_nanos(1), Time::ZERO);
        assert_eq!(Time::ZERO.since(Time::MAX), Span::ZERO);
        assert_eq!(Span::from_secs(u64::MAX), Span::from_nanos(u64::MAX));
    }

    #[test]
    fn an_instant_prints_in_seconds() {
        assert_eq!(Time::from_nanos(1_250_000_000).to_string(), "1.25s");
        assert_eq!(Time::from_nanos(3).to_string(), "0.000000003s");
        assert_eq!(Time::ZERO.to_string(), "0s");
    }
}
