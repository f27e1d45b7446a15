//! Decodes a configuration with serde, strictly, and so that errors name the key.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::config::{unknown, wrong, Config};
use crate::error::{Error, Result};

impl Config {
    /// Decodes the configuration. A key that the struct does not have is refused.
    ///
    /// # Errors
    ///
    /// `plugin.config_invalid`: It does not fit; the message names the key.
    pub fn decode<'de, T: Deserialize<'de>>(&'de self) -> Result<T> {
        let mut entries: Vec<(String, &'de str)> = Vec::new();
        for name in self.object.names()? {
            let text = self.object.raw(&name)?.unwrap_or("null");
            entries.retain(|(earlier, _)| *earlier != name);
            entries.push((name, text));
        }
        T::deserialize(Entries(entries)).map_err(|fault| fault.0)
    }
}

#[derive(Debug)]
struct Fault(Error);

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.message())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault(Error::invalid(message.to_string()))
    }

    fn missing_field(field: &'static str) -> Self {
        Fault(Error::invalid(format!("`{field}` is missing")).hint(format!("set `{field}`")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Fault(unknown(field, expected))
    }
}

struct Entries<'de>(Vec<(String, &'de str)>);

/// The value of a key.
struct Value<'de> {
    key: String,
    text: &'de str,
}

impl<'de> IntoDeserializer<'de, Fault> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Entries<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self
            .0
            .into_iter()
            .map(|(key, text)| (Cow::Owned::<str>(key.clone()), Value { key, text }));
        visitor.visit_map(MapDeserializer::new(entries))
    }
}

impl<'de> Deserializer<'de> for Entries<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some((name, _)) = self
            .0
            .iter()
            .find(|(name, _)| !fields.contains(&name.as_str()))
        {
            return Err(Fault(unknown(name, fields)));
        }
        self.visit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

macro_rules! from_text {
    ($($method:ident($($argument:ident: $kind:ty),*))*) => { $(
        fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, Fault> {
            let mut json = serde_json::Deserializer::from_str(self.text);
            json.$method($($argument,)* visitor).map_err(|error| fault(&self.key, &error))
        }
    )* };
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    from_text! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16()
        deserialize_i32() deserialize_i64() deserialize_i128() deserialize_u8()
        deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_identifier()
        deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}

/// Names the key, not a line and column that the user does not see.
fn fault(key: &str, error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    Fault(wrong(key, text.strip_suffix(&place).unwrap_or(&text)))
}
