//! JSON of strangers: bounded in depth, and no member twice.
//!
//! RFC 8259 leaves open what a member means that is there twice, and readers differ: one takes the first, another the last.
//! A document that shows two readers two keys is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON value and nothing after it, with at most `depth` arrays and objects around any part of it.
///
/// `None` for whatever is wrong with it: nobody repairs a document by what its parser says.
pub(crate) fn parse(bytes: &[u8], depth: usize) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = reader.deserialize_any(Within(depth)).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// How many arrays and objects may still open.
#[derive(Clone, Copy)]
struct Within(usize);

impl Within {
    fn below<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(below)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse;

    #[test]
    fn reads_what_is_json() {
        let text = br#" {"a":[null,true,-1,18446744073709551615,0.5,"x\u00e9"],"b":{}} "#;
        let expected = json!({"a": [null, true, -1, u64::MAX, 0.5, "x\u{e9}"], "b": {}});
        assert_eq!(parse(text, 2), Some(expected));
    }

    #[test]
    fn refuses_depth_members_twice_truncations_and_what_follows() {
        let text = br#"{"a":{"b":[1]}}"#;
        assert!(parse(text, 3).is_some());
        assert_eq!(parse(text, 2), None);
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end], 3), None, "{end}");
        }
        for bad in [r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"\u0061":2}}"#, "{} x", "[1]]", "\u{feff}{}", ""] {
            assert_eq!(parse(bad.as_bytes(), 9), None, "{bad}");
        }
        assert_eq!(parse(b"1", 0), Some(Value::from(1)));
        assert_eq!(parse("[".repeat(100_000).as_bytes(), 16), None);
    }
}
