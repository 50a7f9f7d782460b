//! Payloads: JSON objects of strings, lists and objects, and of nothing else, in the order in which they are written.
//!
//! What is read is bounded in depth and in the number of its values, whatever its bytes say. What is written never holds `;;` or
//! `<EOF>`: a `;` and a `<` in a text are written as JSON escapes, so that any text may go through a packet.

use std::cell::Cell;
use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::ser::Formatter;

use super::WireError;

/// How deep a payload may be nested, itself included.
pub const MAX_DEPTH: u32 = 8;

/// How many values a payload may hold, itself included.
pub const MAX_VALUES: u32 = 4_096;

/// A payload: keys with their values, each key once, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

/// What a key may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Values in their order.
    List(Vec<Value>),
    /// An object of its own.
    Object(Object),
}

impl Object {
    /// An object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one key more, or with another value where it had the key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: Value) -> Self {
        let key = key.into();
        match self.0.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => self.0.push((key, value)),
        }
        self
    }

    /// The same with a text more.
    #[must_use]
    pub fn text(self, key: &str, text: impl Into<String>) -> Self {
        self.with(key, Value::Text(text.into()))
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// Reads a payload.
    ///
    /// # Errors
    ///
    /// That it is no JSON object of texts, lists and objects, names a key twice, or is beyond a bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let left = Cell::new(MAX_VALUES);
        let bound = Cell::new(None);
        let seed = Seed {
            depth: MAX_DEPTH,
            left: &left,
            beyond: &bound,
        };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = seed.deserialize(&mut json).and_then(|value| {
            json.end()?;
            Ok(value)
        });
        match read {
            Ok(Value::Object(object)) => Ok(object),
            Ok(Value::Text(_) | Value::List(_)) => Err(WireError::Payload),
            Err(_) => Err(bound.get().unwrap_or(WireError::Payload)),
        }
    }

    /// Appends the payload's bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut json = serde_json::Serializer::with_formatter(&mut *into, Unframed);
        // Texts, lists and objects into a growing buffer: there is nothing that could fail.
        let written = self.serialize(&mut json);
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Object(object) => object.serialize(serializer),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
        }
    }
}

/// Writes what frames a packet as escapes wherever a text has it.
struct Unframed;

impl Formatter for Unframed {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find([';', '<']) {
            let (plain, from) = rest.split_at(place);
            writer.write_all(plain.as_bytes())?;
            writer.write_all(if from.starts_with(';') {
                b"\\u003b"
            } else {
                b"\\u003c"
            })?;
            rest = &from[1..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Reads a value within bounds.
#[derive(Clone, Copy)]
struct Seed<'a> {
    /// How deep it may still be.
    depth: u32,
    /// How many values may still come, here and elsewhere.
    left: &'a Cell<u32>,
    /// The bound that was found exceeded.
    beyond: &'a Cell<Option<WireError>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Seed<'a> {
    fn count<E: de::Error>(&self) -> Result<(), E> {
        match self.left.get() {
            0 => Err(self.refuse(WireError::TooManyValues)),
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }

    /// The seed of what is inside.
    fn inside<E: de::Error>(&self) -> Result<Seed<'a>, E> {
        self.count()?;
        match self.depth {
            0 => Err(self.refuse(WireError::TooDeep)),
            depth => Ok(Seed {
                depth: depth - 1,
                ..*self
            }),
        }
    }

    fn refuse<E: de::Error>(&self, why: WireError) -> E {
        self.beyond.set(Some(why));
        E::custom(why)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.count()?;
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut keys = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inside)?;
            if !keys.insert(key.clone()) {
                return Err(self.refuse(WireError::Payload));
            }
            entries.push((key, value));
        }
        Ok(Value::Object(Object(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<Object, WireError> {
        Object::decode(text.as_bytes())
    }

    #[test]
    fn what_frames_a_packet_is_escaped_in_keys_and_values() {
        let object = Object::new().text("a;;b", "x<EOF>;y;;").with(
            "l",
            Value::List(vec![
                Value::Text("\"<\\".to_owned()),
                Value::Object(Object::new()),
            ]),
        );
        let mut bytes = Vec::new();
        object.encode(&mut bytes);
        let text = String::from_utf8(bytes).expect("JSON is text");
        assert!(!text.contains('<') && !text.contains(';'), "{text}");
        assert_eq!(decoded(&text), Ok(object));
    }

    #[test]
    fn keys_keep_their_order() {
        let mut bytes = Vec::new();
        let object = Object::new().text("z", "1").text("a", "2").text("z", "3");
        object.encode(&mut bytes);
        assert_eq!(bytes, br#"{"z":"3","a":"2"}"#);
    }

    #[test]
    fn what_is_no_object_of_texts_lists_and_objects_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "\"a\"",
            "{}x",
            "{\"a\":1}",
            "{\"a\":null}",
            "{\"a\":true}",
            "{\"a\":\"b\",\"a\":\"c\"}",
            "{\"a\":\"\\ud800\"}",
            "{'a':'b'}",
        ] {
            assert_eq!(decoded(text), Err(WireError::Payload), "{text}");
        }
        assert_eq!(Object::decode(b"{\"a\":\"\xff\"}"), Err(WireError::Payload));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(decoded(&nested(MAX_DEPTH as usize)).is_ok());
        assert_eq!(decoded(&nested(MAX_DEPTH as usize + 1)), Err(WireError::TooDeep));
        assert_eq!(decoded(&nested(100_000)), Err(WireError::TooDeep));
        let list = |len: u32| {
            let texts = vec!["\"\""; len as usize];
            format!("{{\"a\":[{}]}}", texts.join(","))
        };
        // The object and the list are values too.
        assert!(decoded(&list(MAX_VALUES - 2)).is_ok());
        assert_eq!(decoded(&list(MAX_VALUES - 1)), Err(WireError::TooManyValues));
    }
}
