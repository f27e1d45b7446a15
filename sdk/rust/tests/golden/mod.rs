//! Reads `spec/vectors`.

use std::path::Path;
use std::rc::Rc;

use cdpplugin::{elements, FromJson, Message, Object, SourceInfo};

/// Returns the cases of a file.
pub fn cases(file: &str) -> Vec<Object> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let cases: Vec<Object> = Object::parse(text).unwrap().get("cases").unwrap().unwrap();
    assert!(!cases.is_empty());
    cases
}

/// Returns a member of a case; without it its default.
pub fn member<T: FromJson + Default>(case: &Object, name: &str) -> T {
    case.get(name).unwrap().unwrap_or_default()
}

/// Returns the bytes of a member in base64.
pub fn wire(case: &Object, name: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: String = member(case, name);
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        held = held << 6 | DIGITS.iter().position(|each| *each == digit).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

/// Returns the message that an object of a case describes.
pub fn message(told: &Object) -> Message {
    let source = told.object("source").unwrap().unwrap_or_default();
    let text = |object: &Object, name: &str| member::<String>(object, name).into();
    let payload = match told.raw("payload_base64").unwrap() {
        Some(_) => wire(told, "payload_base64").into(),
        None => member::<String>(told, "payload").into(),
    };
    Message {
        id: text(told, "id"),
        r#type: text(told, "type"),
        payload,
        metadata: told.object("metadata").unwrap().unwrap_or_default(),
        source: Rc::new(SourceInfo {
            name: text(&source, "name"),
            network: text(&source, "network"),
            uri: text(&source, "uri"),
        }),
        trace_id: text(told, "trace_id"),
        content_type: text(told, "content_type"),
    }
}

/// Returns the messages that an array of a case describes.
pub fn messages(case: &Object, name: &str) -> Vec<Message> {
    member::<Vec<Object>>(case, name)
        .iter()
        .map(message)
        .collect()
}

/// Fails where two messages differ; metadata are compared as values.
pub fn assert_same(expected: &Message, got: &Message, place: &str) {
    assert_eq!(
        compact(expected.metadata.clone()),
        compact(got.metadata.clone()),
        "{place}"
    );
    let metadata = Object::new();
    let bare = |message: &Message| Message {
        metadata: metadata.clone(),
        ..message.clone()
    };
    assert_eq!(bare(expected), bare(got), "{place}");
}

/// Returns JSON without space, the fields of each object sorted and their names unescaped.
pub fn compact(object: Object) -> String {
    canonical(std::str::from_utf8(&object.into_json()).unwrap().trim())
}

/// Returns a value's JSON without space, the fields of each object sorted.
pub fn canonical(json: &str) -> String {
    if let Some(values) = elements(json) {
        let values: Vec<String> = values.into_iter().map(canonical).collect();
        return format!("[{}]", values.join(","));
    }
    if let Some(text) = String::from_json(json) {
        return format!("{text:?}");
    }
    let object = match Object::parse(json) {
        Ok(object) => object,
        Err(_) => return json.to_string(),
    };
    let mut names = object.names().unwrap();
    names.sort();
    let field =
        |name: &String| format!("{name:?}:{}", canonical(object.raw(name).unwrap().unwrap()));
    format!(
        "{{{}}}",
        names.iter().map(field).collect::<Vec<_>>().join(",")
    )
}
