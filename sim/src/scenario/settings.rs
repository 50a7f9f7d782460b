//! The settings of a protocol's nodes: a profile, and what the file has in place of single fields of it.
//!
//! The profile is written out as RON, the fields that the file names are replaced in that text, and the whole is read
//! back. So a file says of the settings only what is special about it, and the protocol's type has the last word.

use squall_nodes::secret::written_out;
use squall_nodes::{ConfigOf, Protocol, ron_options};

use super::complaint::did_you_mean;
use super::desk::{Desk, Fields, Mistyped, bounds_at, follow, parse_typed};
use super::places::{Field, Item, Shape, plain_name};

/// The settings that every host begins with.
pub(crate) struct Settings<P: Protocol> {
    /// Them.
    pub(crate) config: ConfigOf<P>,
    /// The profile that they are of.
    pub(crate) profile: &'static str,
}

impl<P: Protocol> Settings<P> {
    /// The settings of the file's profile under a rule set, with the file's own in place of what they replace.
    pub(crate) fn read<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>, rules: &str) -> Self {
        let profile = Self::profile(desk, scenario);
        Self::of(desk, scenario, rules, profile)
    }

    /// The profile that the file names; the first when it names none.
    pub(crate) fn profile<'f>(desk: &mut Desk<'f>, fields: &Fields<'f>) -> &'static str {
        let first = P::PROFILES.first().copied().unwrap_or("default");
        let Some(item) = fields.get("profile") else {
            return first;
        };
        let Some(written) = desk.text(item, "a profile's name") else {
            return first;
        };
        let known = P::PROFILES.iter().find(|known| **known == written);
        if known.is_none() {
            let hint = did_you_mean(&written, P::PROFILES.iter().copied());
            let message = format!("{} has no profile `{written}`", P::NAME);
            desk.complain(item.span.clone(), message, hint);
        }
        known.copied().unwrap_or(first)
    }

    /// The settings of a profile under a rule set, with the file's own in place of what they replace.
    pub(crate) fn of<'f>(
        desk: &mut Desk<'f>,
        fields: &Fields<'f>,
        rules: &str,
        profile: &'static str,
    ) -> Self {
        let settings = Settings {
            config: P::config(profile, rules),
            profile,
        };
        match fields.get("config").and_then(|item| settings.with(desk, item)) {
            Some(config) => Settings { config, profile },
            None => settings,
        }
    }

    /// These settings with what `item` has in place of single fields; `None` after a complaint.
    pub(crate) fn with<'f>(&self, desk: &mut Desk<'f>, item: &'f Item) -> Option<ConfigOf<P>> {
        // It is read again, field by field.
        let base = match written_out(|| ron_options().to_string(&self.config)) {
            Ok(base) => base,
            Err(error) => {
                let message = format!("the settings of {} cannot be written as RON: {error}", P::NAME);
                desk.complain(item.span.clone(), message, None);
                return None;
            }
        };
        let before = desk.count();
        let base_item = Item::read(&base).ok()?;
        let overrides: &[Field] = match (&base_item.shape, &item.shape) {
            (Shape::Struct(_), Shape::Struct(fields)) => fields,
            (Shape::Struct(_), Shape::Tuple(items)) if items.is_empty() => &[],
            (Shape::Struct(fields), _) => {
                let name = fields.first().map_or("", |field| &base[field.name.clone()]);
                let hint = format!("named fields in parentheses: `({name}: …)`");
                desk.complain(item.span.clone(), "these are not settings", Some(hint));
                return None;
            }
            // Settings without fields are replaced as a whole.
            _ => return desk.typed(item),
        };
        // Field by field first, so that each that is wrong is complained about by itself, at its own place.
        for field in overrides {
            self.try_one(desk, (&base, &base_item), overrides, field);
        }
        if desk.count() > before {
            return None;
        }
        let mut merged = String::new();
        merge(&mut merged, (&base, &base_item), (desk.whole_text(), item));
        match parse_typed(&merged) {
            Ok(config) => Some(config),
            Err(Mistyped { path, error }) => {
                let at = follow(desk.whole_text(), item, &path);
                let message = super::desk::fragment(&error.code.to_string());
                desk.complain(desk.point(at), message, None);
                None
            }
        }
    }

    /// Reads the settings with one field replaced, and complains where that goes wrong.
    fn try_one(&self, desk: &mut Desk<'_>, base: (&str, &Item), overrides: &[Field], field: &Field) {
        let name = plain_name(&desk.whole_text()[field.name.clone()]).to_owned();
        let Some(known) = base.1.field(base.0, &name) else {
            let hint = did_you_mean(&name, field_names(base.0, base.1));
            return desk.complain(
                field.name.clone(),
                format!("{} has no setting `{name}`", P::NAME),
                hint,
            );
        };
        let first = overrides
            .iter()
            .find(|other| plain_name(&desk.whole_text()[other.name.clone()]) == name);
        if first.is_some_and(|first| !std::ptr::eq(first, field)) {
            // Written twice, which is complained about elsewhere.
            return;
        }
        if !unknown_inside(desk, (base.0, known), &field.value) {
            return;
        }
        let mut merged = String::new();
        let alone = Item {
            span: 0..0,
            name: None,
            shape: Shape::Struct(vec![field.clone()]),
        };
        merge(&mut merged, base, (desk.whole_text(), &alone));
        if let Err(Mistyped { path, error }) = parse_typed::<ConfigOf<P>>(&merged) {
            let at = follow(desk.whole_text(), &alone, &path);
            // Where the path leads nowhere in the file, the field as a whole is to blame.
            let at = if at.span == (0..0) { &field.value } else { at };
            match &error.code {
                ron::error::Error::NoSuchEnumVariant { expected, found, .. } => {
                    let hint = did_you_mean(found, expected.iter().copied());
                    desk.complain(at.span.clone(), format!("there is no `{found}` here"), hint);
                }
                other => {
                    let bounds = match other {
                        ron::error::Error::IntegerOutOfBounds => bounds_at::<ConfigOf<P>>(&merged, &path),
                        _ => None,
                    };
                    let message = bounds.unwrap_or_else(|| super::desk::fragment(&other.to_string()));
                    desk.complain(at.span.clone(), message, None);
                }
            }
        }
    }
}

/// Complains about fields of nested settings that are not there, and says whether all are.
fn unknown_inside(desk: &mut Desk<'_>, base: (&str, &Item), written: &Item) -> bool {
    let (Shape::Struct(_), Shape::Struct(fields)) = (&base.1.shape, &written.shape) else {
        return true;
    };
    if written.name.is_some() {
        // A variant or a struct by name replaces the whole.
        return true;
    }
    let mut all = true;
    for field in fields {
        let name = plain_name(&desk.whole_text()[field.name.clone()]).to_owned();
        match base.1.field(base.0, &name) {
            Some(known) => all &= unknown_inside(desk, (base.0, known), &field.value),
            None => {
                let hint = did_you_mean(&name, field_names(base.0, base.1));
                desk.complain(
                    field.name.clone(),
                    format!("there is no setting `{name}` here"),
                    hint,
                );
                all = false;
            }
        }
    }
    all
}

fn field_names<'t>(text: &'t str, item: &'t Item) -> impl Iterator<Item = &'t str> {
    let fields = match &item.shape {
        Shape::Struct(fields) => fields.as_slice(),
        _ => &[],
    };
    fields.iter().map(|field| plain_name(&text[field.name.clone()]))
}

/// Writes `base` with the fields of `over` in place of its own, in depth.
fn merge(into: &mut String, base: (&str, &Item), over: (&str, &Item)) {
    let (Shape::Struct(fields), Shape::Struct(_), None) = (&base.1.shape, &over.1.shape, &over.1.name) else {
        // An item without a place is the one that holds a single field; everything else is a slice of its text.
        into.push_str(&over.0[over.1.span.clone()]);
        return;
    };
    if let Some(name) = &base.1.name {
        into.push_str(&base.0[name.clone()]);
    }
    into.push('(');
    for field in fields {
        let name = &base.0[field.name.clone()];
        into.push_str(name);
        into.push(':');
        match over.1.field(over.0, plain_name(name)) {
            Some(value) => merge(into, (base.0, &field.value), (over.0, value)),
            None => into.push_str(&base.0[field.value.span.clone()]),
        }
        // A comment at the end of a slice must not swallow what follows.
        into.push_str("\n,");
    }
    into.push(')');
}
