//! One message: what most plugin authors see.

use std::rc::Rc;

use crate::bytes::Bytes;
use crate::error::{codes, Error, Result};
use crate::json::checked;
use crate::object::Object;
use crate::text::Text;

/// The content type of payloads that are JSON.
pub const CONTENT_TYPE_JSON: &str = "application/json";

/// Where a message came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// The source plugin, such as `galexie`.
    pub name: Text,
    /// The Stellar network's passphrase, or empty where none applies.
    pub network: Text,
    /// The place that was read, without secrets.
    pub uri: Text,
}

/// A message. One that is handed to a plugin is its own to change.
///
/// It shares memory with the batch that it came in and nothing of it is decoded before it is read,
/// so that passing it on costs little.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Unique and deterministic. Left empty in an output, the host derives one that is the same
    /// when the message is replayed.
    pub id: Text,
    /// What kind of payload it carries, such as `Payment`.
    pub r#type: Text,
    /// JSON text, unless the plugin asked for another encoding.
    pub payload: Bytes,
    /// A JSON object.
    pub metadata: Object,
    /// Where it came from.
    pub source: Rc<SourceInfo>,
    /// A trace id, or empty.
    pub trace_id: Text,
    /// The media type of the payload.
    pub content_type: Text,
}

impl Message {
    /// Returns a message without an id, with a payload that is JSON.
    pub fn new(r#type: impl Into<Text>, payload: impl Into<Bytes>) -> Self {
        Message {
            r#type: r#type.into(),
            payload: payload.into(),
            ..Message::default()
        }
    }

    /// Returns the payload as JSON text.
    ///
    /// # Errors
    ///
    /// `message.payload_invalid`: It is something else.
    pub fn json(&self) -> Result<&str> {
        checked(&self.payload).map_err(|fault| {
            Error::new(format!("expected a payload that is JSON: {fault}"))
                .code(codes::PAYLOAD_INVALID)
        })
    }

    /// Returns the payload as an object that is read field by field.
    ///
    /// # Errors
    ///
    /// `message.payload_invalid`: It is something else.
    pub fn object(&self) -> Result<Object> {
        Object::parse(self.payload.clone())
    }
}

impl Default for Message {
    fn default() -> Self {
        Message {
            id: Text::default(),
            r#type: Text::default(),
            payload: Bytes::from_static(b"null"),
            metadata: Object::default(),
            source: Rc::default(),
            trace_id: Text::default(),
            content_type: Text::from_static(CONTENT_TYPE_JSON),
        }
    }
}
