//! Settings as trees, so that what rule sets have in common, and what a host has in place of it, can be told field by field.

use squall_nodes::secret::written_out;
use squall_nodes::{Data, ron_options};

use super::page::Page;
use crate::scenario::places::{Item, Shape};

/// Settings, or a part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// A value that is replaced as a whole, as RON.
    Leaf(String),
    /// Named fields, after a name or not.
    Fields {
        name: String,
        fields: Vec<(String, Tree)>,
    },
}

impl Tree {
    pub(crate) fn of<T: Data>(settings: &T) -> Self {
        // What is written here is read again.
        let text = written_out(|| ron_options().to_string(settings)).unwrap_or_default();
        match Item::read(&text) {
            Ok(item) => Tree::read(&text, &item),
            // What RON writes, RON reads.
            Err(_) => Tree::Leaf(text),
        }
    }

    fn read(text: &str, item: &Item) -> Self {
        match &item.shape {
            Shape::Struct(fields) => Tree::Fields {
                name: item
                    .name
                    .clone()
                    .map_or_else(String::new, |name| text[name].to_owned()),
                fields: fields
                    .iter()
                    .map(|field| {
                        (
                            text[field.name.clone()].to_owned(),
                            Tree::read(text, &field.value),
                        )
                    })
                    .collect(),
            },
            _ => Tree::Leaf(text[item.span.clone()].to_owned()),
        }
    }

    /// What all of the trees have in common; `None` when that is nothing.
    pub(crate) fn agreed(trees: &[Tree]) -> Option<Tree> {
        let (first, rest) = trees.split_first()?;
        if rest.iter().all(|other| other == first) {
            return Some(first.clone());
        }
        Tree::by_field(trees, |part| Tree::agreed(&part))
    }

    /// What the trees have in place of others, each of which stands below one of them; `None` when they are the same.
    pub(crate) fn in_place_of(trees: &[Tree], others: &[Tree]) -> Option<Tree> {
        if trees == others {
            return None;
        }
        let both = [trees, others].concat();
        let apart = Tree::by_field(&both, |part| {
            let (trees, others) = part.split_at(trees.len());
            Tree::in_place_of(trees, others)
        });
        // What cannot be told field by field is replaced as a whole.
        apart.or_else(|| Tree::agreed(trees))
    }

    /// A tree made of what becomes of each field, where all of the trees have the same ones; `None` when nothing is left.
    fn by_field(trees: &[Tree], of_field: impl Fn(Vec<Tree>) -> Option<Tree>) -> Option<Tree> {
        let (Tree::Fields { name, fields }, rest) = trees.split_first()? else {
            return None;
        };
        let is_alike = |other: &Tree| match other {
            Tree::Leaf(_) => false,
            Tree::Fields {
                name: other,
                fields: of_other,
            } => {
                other == name
                    && of_other.len() == fields.len()
                    && of_other.iter().zip(fields).all(|(one, other)| one.0 == other.0)
            }
        };
        if !rest.iter().all(is_alike) {
            return None;
        }
        let kept: Vec<(String, Tree)> = (0..fields.len())
            .filter_map(|nth| {
                let part = trees.iter().filter_map(|tree| tree.nth(nth).cloned()).collect();
                Some((fields[nth].0.clone(), of_field(part)?))
            })
            .collect();
        // Without its name it is laid over what is there, field by field.
        (!kept.is_empty()).then(|| Tree::Fields {
            name: String::new(),
            fields: kept,
        })
    }

    fn nth(&self, nth: usize) -> Option<&Tree> {
        match self {
            Tree::Leaf(_) => None,
            Tree::Fields { fields, .. } => fields.get(nth).map(|(_, value)| value),
        }
    }

    /// What this has and a part of it has not, each with its path.
    pub(crate) fn beyond(&self, part: Option<&Tree>) -> Vec<String> {
        let mut rest = Vec::new();
        self.collect_beyond(part, "", &mut rest);
        rest
    }

    fn collect_beyond(&self, part: Option<&Tree>, path: &str, into: &mut Vec<String>) {
        match (self, part) {
            (Tree::Fields { fields, .. }, Some(Tree::Fields { fields: kept, .. })) => {
                for (name, value) in fields {
                    let part = kept
                        .iter()
                        .find(|(other, _)| other == name)
                        .map(|(_, value)| value);
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    value.collect_beyond(part, &path, into);
                }
            }
            (_, Some(_)) => {}
            (whole, None) if path.is_empty() => into.push(whole.inline()),
            (whole, None) => into.push(format!("{path}: {}", whole.inline())),
        }
    }

    /// On one line.
    pub(crate) fn inline(&self) -> String {
        match self {
            Tree::Leaf(text) => text.clone(),
            Tree::Fields { name, fields } => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.inline()))
                    .collect();
                format!("{name}({})", fields.join(", "))
            }
        }
    }

    /// As a field of this name: what is its own, which is a part of this, a line each, and the rest as comments; where nothing is its own, all
    /// of it is a comment.
    pub(crate) fn write_over(&self, own: Option<&Tree>, page: &mut Page, name: &str) {
        match (self, own) {
            (Tree::Fields { .. }, Some(part @ Tree::Fields { fields: own, .. })) => {
                page.open(&format!("{name}: ("));
                for (name, value) in own {
                    page.field(name, value.inline());
                }
                for setting in self.beyond(Some(part)) {
                    page.comment(&format!("{setting},"));
                }
                page.close("),");
            }
            (Tree::Fields { fields, .. }, None) if !fields.is_empty() => {
                page.comment(&format!("{name}: ("));
                for (name, value) in fields {
                    page.comment(&format!("    {name}: {},", value.inline()));
                }
                page.comment("),");
            }
            (_, Some(own)) => own.write(page, name),
            (_, None) => {}
        }
    }

    /// As a field of this name, with its own fields a line each. Settings that are nothing are left out.
    pub(crate) fn write(&self, page: &mut Page, name: &str) {
        match self {
            Tree::Leaf(text) if text == "()" => {}
            Tree::Leaf(text) => page.field(name, text),
            Tree::Fields { name: own, fields } => {
                page.open(&format!("{name}: {own}("));
                for (name, value) in fields {
                    page.field(name, value.inline());
                }
                page.close("),");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::read(text, &Item::read(text).expect("RON"))
    }

    fn inline(tree: Option<Tree>) -> Option<String> {
        tree.map(|tree| tree.inline())
    }

    #[test]
    fn what_rule_sets_have_in_common_is_told_in_depth() {
        let trees = [
            tree(r#"(a: 1, b: (c: "x, y", d: [1, 2]), e: Some(1))"#),
            tree(r#"(a: 2, b: (c: "x, y", d: [1, 3]), e: Some(1))"#),
        ];
        let common = Tree::agreed(&trees);
        assert_eq!(
            inline(common.clone()),
            Some(r#"(b: (c: "x, y"), e: Some(1))"#.to_owned())
        );
        assert_eq!(trees[1].beyond(common.as_ref()), ["a: 2", "b.d: [1, 3]"]);
        assert_eq!(trees[0].beyond(Some(&trees[0])), Vec::<String>::new());
        assert_eq!(inline(Tree::agreed(&[tree("(a: 1)"), tree("(a: 2)")])), None);
        assert_eq!(tree("(a: 1)").beyond(None), ["(a: 1)"]);
    }

    #[test]
    fn what_stands_in_place_of_something_is_what_differs() {
        let base = [
            tree("(a: 1, b: (c: 1, d: 2), e: None)"),
            tree("(a: 2, b: (c: 1, d: 2), e: None)"),
        ];
        let over = |more: [&str; 2]| inline(Tree::in_place_of(&more.map(tree), &base));
        let same = [
            "(a: 1, b: (c: 1, d: 2), e: None)",
            "(a: 2, b: (c: 1, d: 2), e: None)",
        ];
        assert_eq!(over(same), None);
        let nested = [
            "(a: 1, b: (c: 1, d: 9), e: None)",
            "(a: 2, b: (c: 1, d: 9), e: None)",
        ];
        assert_eq!(over(nested), Some("(b: (d: 9))".to_owned()));
        // The host's own value is that of one of the rule sets, and stands in place of the other's.
        let one = [
            "(a: 1, b: (c: 1, d: 2), e: None)",
            "(a: 1, b: (c: 1, d: 2), e: None)",
        ];
        assert_eq!(over(one), Some("(a: 1)".to_owned()));
        let another = [
            "(a: 1, b: (c: 1, d: 2), e: V(x: 1))",
            "(a: 2, b: (c: 1, d: 2), e: V(x: 1))",
        ];
        assert_eq!(over(another), Some("(e: V(x: 1))".to_owned()));
    }
}
