//! Settings under other rules than those that were recorded, or with other values.

use serde_json::Value;
use squall_nodes::secret::written_out;
use squall_nodes::{ConfigOf, Data, Protocol};

/// Settings with those parts replaced that a change of the rule set changes in the protocol's own profiles, where they are as the
/// profile has them; what somebody had set otherwise stays. The profile is the one that the settings are most like.
///
/// # Errors
///
/// When one of the rule sets is none of the protocol's (a recording may name what this program does not know), the settings are not made of
/// named parts, or no settings come of it.
pub fn under<P: Protocol>(config: &ConfigOf<P>, from: &str, to: &str) -> Result<ConfigOf<P>, String> {
    for rules in [from, to] {
        if !P::RULES.contains(&rules) {
            return Err(format!(
                "{} has no rule set {rules:?} to tell them apart by",
                P::NAME
            ));
        }
    }
    let mut recorded = as_value(config)?;
    let mut nearest: Option<(usize, Value, Value)> = None;
    for profile in P::PROFILES {
        let (before, after) = (
            as_value(&P::config(profile, from))?,
            as_value(&P::config(profile, to))?,
        );
        let alike = alike(&recorded, &before);
        if nearest.as_ref().is_none_or(|(most, ..)| alike > *most) {
            nearest = Some((alike, before, after));
        }
    }
    let Some((_, Value::Object(before), Value::Object(after))) = nearest else {
        return Err("they have no parts with names".to_owned());
    };
    let Value::Object(parts) = &mut recorded else {
        return Err("they have no parts with names".to_owned());
    };
    for (name, after) in after {
        let is_untouched = parts.get(&name) == before.get(&name);
        if is_untouched {
            parts.insert(name, after);
        }
    }
    serde_json::from_value(recorded).map_err(|error| error.to_string())
}

/// Settings with those parts replaced that are named, each by what is written in JSON, or by the text itself where that is no JSON.
///
/// # Errors
///
/// When there is no such part, or it cannot be that.
pub fn with<P: Protocol>(config: ConfigOf<P>, set: &[(String, String)]) -> Result<ConfigOf<P>, String> {
    if set.is_empty() {
        return Ok(config);
    }
    let mut value = as_value(&config)?;
    let Value::Object(parts) = &mut value else {
        return Err("they have no parts with names".to_owned());
    };
    for (name, text) in set {
        let there: Vec<&str> = parts.keys().map(String::as_str).collect();
        let message = format!("there is no {name:?}; there are {}", there.join(", "));
        let part = parts.get_mut(name).ok_or(message)?;
        *part = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        // Looked at one by one, so that it is known which of them it is.
        let whole = Value::Object(parts.clone());
        serde_json::from_value::<ConfigOf<P>>(whole).map_err(|error| format!("{name}: {error}"))?;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// All of them, what is secret included: they are read again.
fn as_value<C: Data>(config: &C) -> Result<Value, String> {
    written_out(|| serde_json::to_value(config)).map_err(|error| error.to_string())
}

/// How many parts are the same.
fn alike(one: &Value, other: &Value) -> usize {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, value): &(&String, &Value)| other.get(*name) == Some(*value);
            one.iter().filter(same).count()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use squall_nodes::hac::Hac;
    use squall_nodes::refinery::Refinery;

    use super::*;

    #[test]
    fn what_is_secret_stays_what_it_is() {
        let mut config = Refinery::config("brisk", "Original");
        config.secret = "open sesame".into();
        let hardened = under::<Refinery>(&config, "Original", "Hardened").unwrap();
        assert_eq!(hardened.secret, config.secret);
        let set = [("fan_out".to_owned(), "7".to_owned())];
        let more = with::<Refinery>(config.clone(), &set).unwrap();
        assert_eq!((more.secret, more.fan_out), (config.secret.clone(), 7));
        let set = [("secret".to_owned(), "another".to_owned())];
        assert_eq!(with::<Refinery>(config, &set).unwrap().secret, "another".into());
    }

    #[test]
    fn rules_that_a_recording_names_and_nobody_knows_are_an_error() {
        let config = Hac::config("brisk", "Hardened");
        let unknown = under::<Hac>(&config, "Softened", "Original").unwrap_err();
        assert!(unknown.contains("Softened"), "{unknown}");
        let known = under::<Hac>(&config, "Hardened", "Original").unwrap();
        assert_eq!(known, Hac::config("brisk", "Original"));
    }
}
