//! Where everything in a file stands: values with their places, and the ways to one of them. `reader` finds them in a text; what
//! a value means is for others to say, from its slice of the text.

mod reader;

use std::ops::Range;

/// How many containers may stand inside one another.
pub const DEEPEST: usize = 64;

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its bytes in the text, with its name and its parentheses.
    pub span: Range<usize>,
    /// The name ahead of it: `Kill` in `Kill("c1")`, or the whole of `Server`.
    pub name: Option<Range<usize>>,
    /// What it is made of.
    pub shape: Shape,
}

/// What a value is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string in quotes, raw or not.
    Text,
    /// A number.
    Number,
    /// A character or bytes.
    Other,
    /// A name that nothing follows: `Server`, `true`.
    Word,
    /// `[a, b]`.
    List(Vec<Item>),
    /// `{a: b}`.
    Map(Vec<(Item, Item)>),
    /// `(a, b)`, or `()`, after a name or not.
    Tuple(Vec<Item>),
    /// `(a: b)`, after a name or not.
    Struct(Vec<Field>),
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The bytes of its name.
    pub name: Range<usize>,
    /// Its value.
    pub value: Item,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The bytes in question.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Item {
    /// Reads a text that holds one value.
    ///
    /// # Errors
    ///
    /// The first thing that is not RON, or that stands deeper than [`DEEPEST`].
    pub fn read(text: &str) -> Result<Item, Unreadable> {
        reader::read(text)
    }

    /// The value at a path such as `hosts[1].role`, `timeline[0][1]` or `config.client_timeout`; keys of maps are found
    /// like fields, by their text.
    pub fn find(&self, text: &str, path: &str) -> Option<&Item> {
        let mut item = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            item = match step.strip_suffix(']') {
                Some(index) => item.items().get(index.parse::<usize>().ok()?)?,
                None => item.field(text, step)?,
            };
        }
        Some(item)
    }

    /// The value of a field or of a key.
    pub fn field(&self, text: &str, name: &str) -> Option<&Item> {
        match &self.shape {
            Shape::Struct(fields) => fields
                .iter()
                .find(|field| plain_name(&text[field.name.clone()]) == name)
                .map(|field| &field.value),
            Shape::Map(pairs) => pairs
                .iter()
                .find(|(key, _)| text[key.span.clone()].trim_matches('"') == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The parts of a list or a tuple; none of anything else.
    pub fn items(&self) -> &[Item] {
        match &self.shape {
            Shape::List(items) | Shape::Tuple(items) => items,
            _ => &[],
        }
    }

    /// The innermost value that begins at or before a byte, and after every other that does.
    pub fn nearest(&self, at: usize) -> &Item {
        let last = |items: &mut dyn Iterator<Item = &'_ Item>| -> Option<Range<usize>> {
            items
                .filter(|item| item.span.start <= at)
                .last()
                .map(|item| item.span.clone())
        };
        let inner: Vec<&Item> = match &self.shape {
            Shape::List(items) | Shape::Tuple(items) => items.iter().collect(),
            Shape::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
            Shape::Struct(fields) => fields.iter().map(|field| &field.value).collect(),
            Shape::Text | Shape::Number | Shape::Other | Shape::Word => Vec::new(),
        };
        match last(&mut inner.iter().copied()) {
            Some(span) => inner
                .into_iter()
                .find(|item| item.span == span)
                .map_or(self, |item| item.nearest(at)),
            None => self,
        }
    }
}

/// A field's name without the mark of a raw one.
pub fn plain_name(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slice<'a>(text: &'a str, path: &str) -> &'a str {
        let item = Item::read(text).unwrap();
        &text[item
            .find(text, path)
            .unwrap_or_else(|| panic!("no {path}"))
            .span
            .clone()]
    }

    #[test]
    fn a_path_leads_to_the_text_of_its_value() {
        let text = r#"
            Scenario( // a ( in a comment
                hosts: [(name: "a)", role: Server), (name: r"b", role: Client /* , */ (zone: 1))],
                timeline: [At("2s", Kill("c1")), Every(interval: "1s", do: HealAll)],
                expect: { Original: Violated(["x"]), "Hardened": Held },
            )"#;
        assert_eq!(slice(text, "hosts[0].name"), "\"a)\"");
        assert_eq!(slice(text, "hosts[1].role"), "Client /* , */ (zone: 1)");
        assert_eq!(slice(text, "hosts[1].role.zone"), "1");
        assert_eq!(slice(text, "timeline[0][1]"), "Kill(\"c1\")");
        assert_eq!(slice(text, "timeline[1].do"), "HealAll");
        assert_eq!(slice(text, "expect.Original[0][0]"), "\"x\"");
        assert_eq!(slice(text, "expect.Hardened"), "Held");
        let item = Item::read(text).unwrap();
        for nowhere in [
            "hosts[2]",
            "hosts.x",
            "timeline[0][1][0][0]",
            "hosts[-1]",
            "expect[99999999999999999999]",
        ] {
            assert!(item.find(text, nowhere).is_none(), "{nowhere}");
        }
    }

    #[test]
    fn what_is_never_closed_is_pointed_at_where_it_was_opened() {
        for (text, at) in [
            ("(a: [1, 2)", 9),
            ("(a: [1, 2", 4),
            ("(a: \"b)", 4),
            ("(a: r#\"b\")", 4),
            ("/* (", 0),
        ] {
            assert_eq!(Item::read(text).unwrap_err().span.start, at, "{text}");
        }
    }

    #[test]
    fn nesting_beyond_the_bound_is_refused_at_once() {
        for open in ["[", "(", "{", "a(", "(a:"] {
            let refused = Item::read(&open.repeat(10_000_000 / open.len())).unwrap_err();
            assert!(refused.span.start < 4 * DEEPEST, "{open} {refused:?}");
        }
        let deep = format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert!(Item::read(&deep).is_ok());
    }

    #[test]
    fn named_and_unnamed_parts_do_not_mix() {
        let refused = Item::read("Fact(\"rejoined\", each: Client)").unwrap_err();
        assert_eq!(refused.span, 17..21);
    }

    /// Text that is more often close to RON than not.
    fn nearly_ron() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            "[a-zA-Z_]{1,4}",
            "-?[0-9]{1,3}(\\.[0-9])?",
            Just("\"s\\\"\"".to_owned()),
            Just("r#\"a\"#".to_owned()),
            Just("'c'".to_owned()),
            Just("b\"x\"".to_owned()),
            Just("/*c*/".to_owned()),
            Just("//c\n".to_owned()),
            "[\\[\\](){},:]",
            "[\\[\\](){},: ]",
            "\\PC",
        ];
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Item::read(&text);
        }

        #[test]
        fn what_ron_reads_is_read_and_every_place_is_inside(text in nearly_ron()) {
            let ours = Item::read(&text);
            if let Ok(item) = &ours {
                for at in 0..text.len() {
                    let nearest = item.nearest(at);
                    prop_assert!(text.get(nearest.span.clone()).is_some());
                }
            }
            let plain = !text.contains("..");
            if plain && squall_nodes::ron_options().from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                prop_assert!(ours.is_ok(), "{ours:?}");
            }
        }
    }
}
