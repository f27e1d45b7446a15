//! Payloads and fields as types of the author's, by serde.

use serde::de::Deserialize;
use serde::Serialize;

use crate::error::{codes, Error, Result};
use crate::json::{FromJson, ToJson};
use crate::message::Message;
use crate::object::Object;

impl Message {
    /// Decodes the payload.
    ///
    /// # Errors
    ///
    /// `message.payload_invalid`: It is something else.
    pub fn payload_as<'de, T: Deserialize<'de>>(&'de self) -> Result<T> {
        serde_json::from_slice(&self.payload).map_err(|error| {
            Error::new(format!("the payload cannot be read: {error}")).code(codes::PAYLOAD_INVALID)
        })
    }

    /// Puts a value in place of the payload.
    ///
    /// # Errors
    ///
    /// `message.payload_invalid`: It has no form in JSON, such as a map whose keys are no text.
    pub fn set_payload<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.payload = written(value)?.into();
        Ok(())
    }
}

impl Object {
    /// Decodes a field, or returns nothing where there is no such field.
    pub fn get_as<'de, T: Deserialize<'de>>(&'de self, name: &str) -> Result<Option<T>> {
        match self.raw(name)? {
            Some(json) => serde_json::from_str(json).map(Some).map_err(|error| {
                Error::new(format!("field `{name}`: {error}")).code(codes::PAYLOAD_INVALID)
            }),
            None => Ok(None),
        }
    }

    /// Puts a value in place of a field, or at the end.
    pub fn set_as<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        let json = written(value)?;
        self.set(name, Written(&json))
    }
}

/// What serde has written.
struct Written<'a>(&'a [u8]);

impl ToJson for Written<'_> {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(self.0);
    }
}

fn written<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(format!("the value cannot be written as JSON: {error}"))
            .code(codes::PAYLOAD_INVALID)
    })
}

impl ToJson for serde_json::Value {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(self.to_string().as_bytes());
    }
}

impl FromJson for serde_json::Value {
    const EXPECTED: &'static str = "a JSON value";

    fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}
