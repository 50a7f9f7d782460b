//! A share of the runs of a sweep, as it is typed.

use squall_sim::sweep::Share;

/// How many digits there may be behind the point: as fine as a [`Share`] is.
const DECIMALS: usize = 4;

/// Reads a share: a number from 0 to 100 with a per cent sign, and at most four digits behind its point.
///
/// # Errors
///
/// What is wrong with it, in a sentence that says what would be right.
pub(crate) fn share(text: &str) -> Result<Share, String> {
    let Some(number) = text.strip_suffix('%') else {
        return Err(unsigned(text));
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(rest) {
        return Err(format!("`{number}` is not a number from 0 to 100"));
    }
    if rest.len() > DECIMALS {
        return Err(format!("write at most {DECIMALS} digits behind the point"));
    }
    // Both are digits alone: what does not fit is far too much.
    let whole: u32 = whole.parse().unwrap_or(u32::MAX);
    let rest: u32 = format!("{rest:0<DECIMALS$}").parse().unwrap_or(u32::MAX);
    match whole.saturating_mul(PER_CENT).saturating_add(rest) {
        parts if parts > 100 * PER_CENT => Err(format!("`{text}` is more than all, which is `100%`")),
        parts => Ok(Share::millionths(parts)),
    }
}

/// The millionths of one per cent.
const PER_CENT: u32 = 10_000;

/// What is wrong with a text that does not end in a per cent sign.
fn unsigned(text: &str) -> String {
    match text {
        "none" | "off" => "write `0%` for none".to_owned(),
        "all" => "write `100%` for all".to_owned(),
        _ => "write a share with a per cent sign: `1%`, `0.5%`, `100%`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_with_a_per_cent_sign() {
        for (text, parts) in [
            ("1%", 10_000),
            ("0%", 0),
            ("100%", 1_000_000),
            ("0.5%", 5_000),
            ("0.0001%", 1),
            ("12.3400%", 123_400),
            ("007%", 70_000),
        ] {
            assert_eq!(share(text), Ok(Share::millionths(parts)), "{text}");
        }
    }

    #[test]
    fn what_is_no_share_is_refused_with_what_would_be_right() {
        for (text, told) in [
            ("1", "write a share with a per cent sign: `1%`, `0.5%`, `100%`"),
            ("0.01", "write a share with a per cent sign: `1%`, `0.5%`, `100%`"),
            ("", "write a share with a per cent sign: `1%`, `0.5%`, `100%`"),
            ("none", "write `0%` for none"),
            ("all", "write `100%` for all"),
            ("%", "`` is not a number from 0 to 100"),
            ("-1%", "`-1` is not a number from 0 to 100"),
            ("+1%", "`+1` is not a number from 0 to 100"),
            ("1.%", "`1.` is not a number from 0 to 100"),
            (".5%", "`.5` is not a number from 0 to 100"),
            ("1 %", "`1 ` is not a number from 0 to 100"),
            ("1e1%", "`1e1` is not a number from 0 to 100"),
            ("100.0001%", "`100.0001%` is more than all, which is `100%`"),
            ("99999999999%", "`99999999999%` is more than all, which is `100%`"),
            ("0.00001%", "write at most 4 digits behind the point"),
        ] {
            assert_eq!(share(text), Err(told.to_owned()), "{text}");
        }
    }
}
