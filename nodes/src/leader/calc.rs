//! What a `calc` request asks for: arithmetic over exact fractions, of a bounded length, depth and size.
//!
//! *Decided*, since the source says only that there are calc requests: `+ - * /`, signs, parentheses and decimal numbers. The
//! result is exact. It is printed as a decimal where that ends, else as `p/q` in lowest terms. Whatever is wrong with a request
//! is an answer like any other.

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedMul};
use serde::{Deserialize, Serialize};

/// The longest expression, in bytes.
pub const LONGEST: usize = 1024;
/// How many parentheses and signs may be open at once.
pub const DEEPEST: usize = 64;
/// The largest numerator and denominator of a number, in lowest terms: 36 digits. A step that has to go beyond 127 bits on
/// its way to a smaller result is too large as well.
pub const LARGEST: i128 = 10_i128.pow(36);

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalcError {
    /// It is no expression; something else was to be at this byte, counted from 0.
    #[error("bad syntax at byte {0}")]
    Syntax(u16),
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A number is larger than [`LARGEST`], or has to be divided more finely.
    #[error("overflow")]
    Overflow,
    /// It is longer than [`LONGEST`].
    #[error("too long")]
    TooLong,
    /// It is nested more deeply than [`DEEPEST`].
    #[error("nested too deeply")]
    TooDeep,
}

/// The value of an expression: `7`, `-0.25`, `1/3`.
///
/// # Errors
///
/// Why it has none.
pub fn evaluate(expression: &str) -> Result<String, CalcError> {
    if expression.len() > LONGEST {
        return Err(CalcError::TooLong);
    }
    let mut parser = Parser {
        bytes: expression.as_bytes(),
        at: 0,
        depth: 0,
    };
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(print(value)),
        Some(_) => Err(parser.unexpected()),
    }
}

type Number = Ratio<i128>;

/// Reads left to right and keeps nothing but the value so far.
struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    /// Products, added and subtracted from left to right.
    fn sum(&mut self) -> Result<Number, CalcError> {
        let mut value = self.product()?;
        while let Some(operator @ (b'+' | b'-')) = self.peek() {
            self.at += 1;
            let right = self.product()?;
            let right = if operator == b'-' { -right } else { right };
            value = add(value, right)?;
        }
        Ok(value)
    }

    /// Factors, multiplied and divided from left to right.
    fn product(&mut self) -> Result<Number, CalcError> {
        let mut value = self.factor()?;
        while let Some(operator @ (b'*' | b'/')) = self.peek() {
            self.at += 1;
            let right = self.factor()?;
            value = if operator == b'*' {
                multiply(value, right)?
            } else {
                divide(value, right)?
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<Number, CalcError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(CalcError::TooDeep);
        }
        let value = match self.peek() {
            Some(b'+') => {
                self.at += 1;
                self.factor()?
            }
            Some(b'-') => {
                self.at += 1;
                -self.factor()?
            }
            Some(b'(') => {
                self.at += 1;
                let value = self.sum()?;
                if self.peek() != Some(b')') {
                    return Err(self.unexpected());
                }
                self.at += 1;
                value
            }
            Some(b'0'..=b'9' | b'.') => self.number()?,
            _ => return Err(self.unexpected()),
        };
        self.depth -= 1;
        Ok(value)
    }

    /// `12`, `0.5`, `.5`, `5.`; a digit at least.
    fn number(&mut self) -> Result<Number, CalcError> {
        let (mut digits, mut scale, mut any, mut fraction) = (0_i128, 1_i128, false, false);
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    digits = ten_times(digits)? + i128::from(byte - b'0');
                    if fraction {
                        scale = ten_times(scale)?;
                    }
                }
                b'.' if !fraction => fraction = true,
                _ => break,
            }
            self.at += 1;
        }
        if !any {
            return Err(self.unexpected());
        }
        bounded(Ratio::new(digits, scale))
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self) -> CalcError {
        // The expression is no longer than `LONGEST`.
        CalcError::Syntax(self.at as u16)
    }
}

/// Ten times a number that is not above [`LARGEST`], which leaves room for a digit.
fn ten_times(number: i128) -> Result<i128, CalcError> {
    if number > LARGEST {
        return Err(CalcError::Overflow);
    }
    Ok(number * 10)
}

fn add(left: Number, right: Number) -> Result<Number, CalcError> {
    left.checked_add(&right)
        .ok_or(CalcError::Overflow)
        .and_then(bounded)
}

fn multiply(left: Number, right: Number) -> Result<Number, CalcError> {
    left.checked_mul(&right)
        .ok_or(CalcError::Overflow)
        .and_then(bounded)
}

/// By way of the reciprocal, so that no denominator is ever negative: turning the sign of the smallest `i128` would panic.
fn divide(left: Number, right: Number) -> Result<Number, CalcError> {
    if *right.numer() == 0 {
        return Err(CalcError::DivisionByZero);
    }
    multiply(left, right.recip())
}

fn bounded(number: Number) -> Result<Number, CalcError> {
    let fits = number.numer().unsigned_abs() <= LARGEST.unsigned_abs() && *number.denom() <= LARGEST;
    fits.then_some(number).ok_or(CalcError::Overflow)
}

/// As a decimal where it ends, which it does when the denominator has no prime factors but two and five; else `p/q`.
fn print(number: Number) -> String {
    let (numer, denom) = (*number.numer(), *number.denom());
    let without = |mut rest: i128, prime: i128| {
        while rest % prime == 0 {
            rest /= prime;
        }
        rest
    };
    if without(without(denom, 2), 5) != 1 {
        return format!("{numer}/{denom}");
    }
    let sign = if numer < 0 { "-" } else { "" };
    let (numer, denom) = (numer.unsigned_abs(), denom.unsigned_abs());
    let mut text = format!("{sign}{}", numer / denom);
    let mut rest = numer % denom;
    if rest > 0 {
        text.push('.');
    }
    // A place a round: ten times a rest below the denominator fits, and each place takes a factor out of the denominator.
    while rest > 0 {
        rest *= 10;
        text.push(char::from(b'0' + (rest / denom) as u8));
        rest %= denom;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(expression: &str) -> String {
        evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    #[test]
    fn what_ends_is_printed_as_a_decimal_and_the_rest_as_a_fraction() {
        for (expression, expected) in [
            ("1+2*3", "7"),
            ("(1+2)*3", "9"),
            ("8-3-2", "3"),
            ("8/4/2", "1"),
            ("1/3", "1/3"),
            ("2/6+1/6", "0.5"),
            ("1/3*3", "1"),
            ("0.1+0.2", "0.3"),
            ("-1/8", "-0.125"),
            ("--2", "2"),
            ("2*-3", "-6"),
            ("-(1-4)/7", "3/7"),
            (".5 + 5.", "5.5"),
            (" \t( ( 7 ) )\n", "7"),
            ("0*-1", "0"),
            ("-0", "0"),
            ("1/1024", "0.0009765625"),
            ("007", "7"),
        ] {
            assert_eq!(value(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        let long = "1+".repeat(LONGEST / 2) + "1";
        let deep = |depth: usize| "(".repeat(depth) + "1" + &")".repeat(depth);
        for (expression, expected) in [
            ("", CalcError::Syntax(0)),
            ("1+", CalcError::Syntax(2)),
            ("1 2", CalcError::Syntax(2)),
            ("(1", CalcError::Syntax(2)),
            ("1)", CalcError::Syntax(1)),
            (".", CalcError::Syntax(1)),
            ("1..2", CalcError::Syntax(2)),
            ("1e3", CalcError::Syntax(1)),
            ("x", CalcError::Syntax(0)),
            ("1/0", CalcError::DivisionByZero),
            ("1/(0.5-1/2)", CalcError::DivisionByZero),
            (&"9".repeat(37), CalcError::Overflow),
            (&format!("0.{}1", "0".repeat(36)), CalcError::Overflow),
            (&["99999999999"; 5].join("*"), CalcError::Overflow),
            (&long, CalcError::TooLong),
            (&deep(DEEPEST), CalcError::TooDeep),
            (&"-".repeat(DEEPEST + 1), CalcError::TooDeep),
        ] {
            assert_eq!(evaluate(expression), Err(expected), "{expression}");
        }
        assert_eq!(value(&deep(DEEPEST - 1)), "1");
        assert_eq!(value(&format!("1{}", "0".repeat(36))), LARGEST.to_string());
    }

    #[test]
    fn a_long_decimal_is_printed_to_its_last_place() {
        let halved = format!("1/{}", ["2"; 100].join("/"));
        let printed = value(&halved);
        assert_eq!(printed.len(), "0.".len() + 100);
        assert!(printed.ends_with("25"), "{printed}");
        assert_eq!(value(&format!("{halved}*{}", ["2"; 100].join("*"))), "1");
    }

    /// An expression, and its value as a fraction of small whole numbers that is not in lowest terms.
    fn expressions() -> impl Strategy<Value = (String, Option<(i64, i64)>)> {
        let leaf = (0..20i64).prop_map(|n| (n.to_string(), Some((n, 1))));
        leaf.prop_recursive(3, 16, 2, |inner| {
            (inner.clone(), 0..4usize, inner).prop_map(|((a, x), operator, (b, y))| {
                let value = x.zip(y).and_then(|((p, q), (r, s))| match operator {
                    0 => Some((p * s + r * q, q * s)),
                    1 => Some((p * s - r * q, q * s)),
                    2 => Some((p * r, q * s)),
                    _ if r == 0 => None,
                    _ => Some((p * s, q * r)),
                });
                (format!("({a}){}({b})", ["+", "-", "*", "/"][operator]), value)
            })
        })
    }

    proptest! {
        #[test]
        fn values_are_what_small_fractions_come_to((expression, expected) in expressions()) {
            match (evaluate(&expression), expected) {
                (Err(CalcError::DivisionByZero), None) => {}
                (Ok(printed), Some((p, q))) => {
                    // The printed value less the expected one, times its denominator, is nothing.
                    let rest = value(&format!("({printed})*({q})-({p})"));
                    prop_assert_eq!(rest, "0", "{} is {}", expression, printed);
                }
                (got, expected) => prop_assert!(false, "{expression}: {got:?}, {expected:?}"),
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-0-9.+*/() ]{0,80}|.{0,40}") {
            let _ = evaluate(&text);
        }

        #[test]
        fn what_is_printed_is_its_own_value(text in "[-1-9.+*/()]{1,12}") {
            if let Ok(printed) = evaluate(&text) {
                prop_assert_eq!(evaluate(&printed), Ok(printed));
            }
        }
    }
}
