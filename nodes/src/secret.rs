//! A text that its owners know and nobody else: it is written where settings are written to be read again, and nowhere else.
//!
//! A setting of this type needs no care: as text, in logs, on pages, in traces and reports, it is [`Secret::HIDDEN`]. Only who says so,
//! by [`written_out`], writes it as it is; what was written without is refused when it is read, so that this cannot be forgotten for long.
//! In bytes that only programs read, such as a flight recording's, it is itself: a node cannot be booted again without it.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

/// Lets secrets be written as they are, in this thread, while `write` is at it: where a file of settings is written, and where settings
/// go through a text and back.
pub fn written_out<R>(write: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            WRITTEN_OUT.set(self.0);
        }
    }
    // Whatever becomes of it.
    let _before = Before(WRITTEN_OUT.replace(true));
    write()
}

thread_local! {
    static WRITTEN_OUT: Cell<bool> = const { Cell::new(false) };
}

impl Secret {
    /// What is shown in its place.
    pub const HIDDEN: &str = "(a secret)";

    /// What it is. Whoever asks for it sees to it that it is not shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Secret::HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_shown = serializer.is_human_readable() && !WRITTEN_OUT.get();
        serializer.serialize_str(if is_shown { Secret::HIDDEN } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == Secret::HIDDEN {
            return Err(D::Error::custom("this stands for a secret, and is none"));
        }
        Ok(Secret::from(text))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde::Deserialize;

    use super::*;
    use crate::recording::{as_text, pack, unpack};

    #[derive(Clone, Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Settings {
        name: String,
        secret: Secret,
        more: Arc<[Secret]>,
    }

    fn settings() -> Settings {
        Settings {
            name: "a".to_owned(),
            secret: "open sesame".into(),
            more: Arc::from(["open sesame, too".to_owned().into()]),
        }
    }

    fn json(settings: &Settings) -> String {
        serde_json::to_string(settings).unwrap()
    }

    #[test]
    fn whatever_shows_settings_hides_what_is_secret_in_them() {
        let settings = settings();
        for text in [
            format!("{settings:?}"),
            format!("{settings:#?}"),
            as_text(&settings),
            json(&settings),
            serde_json::to_value(&settings).unwrap().to_string(),
        ] {
            assert!(!text.contains("sesame"), "{text}");
            assert_eq!(text.matches(Secret::HIDDEN).count(), 2, "{text}");
        }
    }

    #[test]
    fn where_settings_are_written_out_they_are_read_again_and_otherwise_they_cannot_be() {
        let settings = settings();
        let written = written_out(|| [json(&settings), as_text(&settings)]);
        assert_eq!(serde_json::from_str::<Settings>(&written[0]).unwrap(), settings);
        let ron = crate::ron_options().from_str::<Settings>(&written[1]).unwrap();
        assert_eq!(ron, settings);
        // Afterwards it is hidden again, whatever became of the writing.
        let panicked = catch_unwind(|| written_out(|| panic!("in the middle of it")));
        assert!(panicked.is_err());
        let hidden = json(&settings);
        assert!(!hidden.contains("sesame"), "{hidden}");
        let refused = serde_json::from_str::<Settings>(&hidden).unwrap_err().to_string();
        assert!(refused.contains("stands for a secret"), "{refused}");
        // One within another ends with the outer one.
        let nested = written_out(|| {
            written_out(|| ());
            json(&settings)
        });
        assert!(nested.contains("open sesame"), "{nested}");
    }

    #[test]
    fn in_bytes_for_programs_it_is_itself() {
        let mut bytes = Vec::new();
        pack(&settings(), &mut bytes);
        assert_eq!(unpack::<Settings>(&bytes).unwrap(), settings());
        let mut plain = Vec::new();
        pack(&"open sesame".to_owned(), &mut plain);
        assert_eq!(unpack::<Secret>(&plain).unwrap(), Secret::from("open sesame"));
    }
}
