//! What hosts may be called, and ranges of their names.

/// The longest name of a host, in bytes.
const LONGEST_NAME: usize = 64;

/// What a string names: a host, or a range of them.
pub(crate) enum Pattern<'a> {
    One(&'a str),
    Range { prefix: &'a str, first: u64, last: u64 },
}

impl<'a> Pattern<'a> {
    /// Reads a name or a range, or says what is wrong and what would be right.
    pub(crate) fn read(text: &'a str) -> Result<Self, (String, String)> {
        let Some((from, to)) = text.split_once("..") else {
            return if is_name(text) {
                Ok(Pattern::One(text))
            } else {
                Err(not_a_name(text))
            };
        };
        for end in [from, to] {
            if !is_name(end) && !end.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(not_a_name(end));
            }
        }
        let (prefix, first) = numbered(from).ok_or_else(|| not_a_range(text))?;
        let (other, last) = numbered(to).ok_or_else(|| not_a_range(text))?;
        if prefix != other || !is_name(from) {
            return Err(not_a_range(text));
        }
        if first > last {
            return Err((
                format!("`{text}` runs backwards"),
                format!("write `\"{to}..{from}\"`"),
            ));
        }
        Ok(Pattern::Range { prefix, first, last })
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Pattern::One(_) => 1,
            Pattern::Range { first, last, .. } => (last - first).saturating_add(1),
        }
    }

    pub(crate) fn each(&self, mut take: impl FnMut(String)) {
        match self {
            Pattern::One(name) => take((*name).to_owned()),
            Pattern::Range { prefix, first, last } => {
                (*first..=*last).for_each(|at| take(format!("{prefix}{at}")))
            }
        }
    }
}

/// A name's letters and its number, which has no needless zero ahead.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[letters.len()..];
    let number: u64 = digits.parse().ok()?;
    (digits == number.to_string()).then_some((letters, number))
}

/// Whether one name is the next after another in a range.
pub(crate) fn follows(one: &str, next: &str) -> bool {
    match (numbered(one), numbered(next)) {
        (Some((letters, number)), Some((same, after))) => {
            letters == same && number.checked_add(1) == Some(after)
        }
        _ => false,
    }
}

/// Says what is wrong with the name of a live node, which is called as hosts are, and what would be right.
pub(crate) fn node_name(name: &str) -> Result<(), (String, String)> {
    if is_name(name) {
        Ok(())
    } else {
        Err(not_a("node", name))
    }
}

/// Says what is wrong with the name of a zone, and what would be right.
pub(crate) fn zone_name(name: &str) -> Result<(), (String, String)> {
    if is_name(name) {
        Ok(())
    } else {
        Err(not_a("zone", name))
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= LONGEST_NAME
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn not_a_name(text: &str) -> (String, String) {
    not_a("host", text)
}

fn not_a(what: &str, text: &str) -> (String, String) {
    let hint = format!(
        "a name begins with a letter and goes on with letters, digits, `-` and `_`, up to {LONGEST_NAME}"
    );
    let shown: String = text.chars().take(LONGEST_NAME).collect();
    (format!("`{shown}` is not the name of a {what}"), hint)
}

fn not_a_range(text: &str) -> (String, String) {
    let hint =
        "a range has the same letters at both ends and numbers without zeros ahead: `\"c1..c4\"`".to_owned();
    (format!("`{text}` is not a range of hosts"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        Pattern::read(text)
            .unwrap_or_else(|(message, _)| panic!("{message}"))
            .each(|name| names.push(name));
        names
    }

    #[test]
    fn a_range_is_all_that_lies_between_its_ends() {
        assert_eq!(names("c1..c4"), ["c1", "c2", "c3", "c4"]);
        assert_eq!(names("rack2-9..rack2-11"), ["rack2-9", "rack2-10", "rack2-11"]);
        assert_eq!(names("a"), ["a"]);
        assert_eq!(names("c7..c7"), ["c7"]);
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_would_be_one() {
        for text in [
            "c1..4",
            "c01..c04",
            "c4..c1",
            "a..b",
            "c1..d4",
            "..",
            "c1..",
            "1..4",
            "c1..c4..c9",
            "",
            "é",
            "a b",
        ] {
            assert!(Pattern::read(text).is_err(), "{text}");
        }
        assert!(Pattern::read("c1..c99999999999999999999").is_err());
        assert_eq!(
            Pattern::read("c0..c18446744073709551615")
                .ok()
                .map(|range| range.len()),
            Some(u64::MAX)
        );
    }
}
