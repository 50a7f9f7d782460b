//! What the words of several protocols for the person at a terminal share.

/// How many things are named in one line; of thousands nobody reads the rest.
const MOST_NAMED: usize = 20;

/// Things in a line, each as `shown`: `a; b; c`. Of more than twenty the rest is counted, unless it is a single one.
pub(crate) fn reckoned<T>(things: &[T], shown: impl Fn(&T) -> String) -> String {
    let named = match things.len() {
        // The words that would stand for it are no shorter.
        len if len <= MOST_NAMED + 1 => len,
        _ => MOST_NAMED,
    };
    let mut parts: Vec<String> = things.iter().take(named).map(shown).collect();
    if things.len() > named {
        parts.push(format!("and {} more", things.len() - named));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_things_are_counted_and_a_single_one_never_is() {
        let of = |count: u32| reckoned(&(1..=count).collect::<Vec<_>>(), u32::to_string);
        assert_eq!([of(0), of(1), of(3)], ["", "1", "1; 2; 3"]);
        assert!(of(21).ends_with("; 20; 21"), "{}", of(21));
        assert!(of(22).ends_with("; 20; and 2 more"), "{}", of(22));
    }
}
