//! One message as the JSON object of `process`.

use std::rc::Rc;

use crate::bytes::Bytes;
use crate::error::{codes, Error, Result};
use crate::json::ToJson;
use crate::message::{Message, SourceInfo};
use crate::object::Object;
use crate::text::Text;

/// Reads a message; what is left out has its default.
pub(crate) fn read_message(json: Bytes) -> Result<Message> {
    let object = Object::parse(json)?;
    let text = |name| Ok::<_, Error>(object.get::<Text>(name)?.unwrap_or_default());
    let content_type = text("content_type")?;
    let own = Message::default();
    Ok(Message {
        id: text("id")?,
        r#type: text("type")?,
        payload: object.raw("payload")?.map_or(own.payload, Bytes::from),
        metadata: object.object("metadata")?.unwrap_or_default(),
        source: Rc::new(read_source(&object)?),
        trace_id: text("trace_id")?,
        content_type: if content_type.is_empty() {
            own.content_type
        } else {
            content_type
        },
    })
}

fn read_source(message: &Object) -> Result<SourceInfo> {
    let object = message.object("source")?.unwrap_or_default();
    let text = |name| Ok::<_, Error>(object.get::<Text>(name)?.unwrap_or_default());
    Ok(SourceInfo {
        name: text("name")?,
        network: text("network")?,
        uri: text("uri")?,
    })
}

/// Returns messages as a JSON array.
///
/// # Errors
///
/// [`codes::OUTPUT_INVALID`]: A payload is no JSON.
pub(crate) fn write_messages(messages: &[Message]) -> Result<Vec<u8>> {
    let mut json = vec![b'['];
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write_message(message, &mut json)?;
    }
    json.push(b']');
    Ok(json)
}

/// Appends a message as a JSON object.
pub(crate) fn write_message(message: &Message, json: &mut Vec<u8>) -> Result<()> {
    let mut object = Object::new();
    object.set("id", &message.id)?;
    object.set("type", &message.r#type)?;
    object.set("payload", Checked(checked(message)?))?;
    object.set("metadata", &message.metadata)?;
    let source = &message.source;
    let mut place = Object::new();
    place.set("name", &source.name)?;
    place.set("network", &source.network)?;
    place.set("uri", &source.uri)?;
    object.set("source", &place)?;
    object.set("trace_id", &message.trace_id)?;
    object.set("content_type", &message.content_type)?;
    object.write_json(json);
    Ok(())
}

struct Checked<'a>(&'a str);

impl ToJson for Checked<'_> {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(self.0.as_bytes());
    }
}

fn checked(message: &Message) -> Result<&str> {
    message.json().map_err(|error| {
        error
            .code(codes::OUTPUT_INVALID)
            .hint("give every output a payload that is JSON")
    })
}
