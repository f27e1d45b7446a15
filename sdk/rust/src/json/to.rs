//! Values as JSON text.

use std::io::Write;

use crate::object::Object;
use crate::text::Text;

/// A value that can be written as JSON. Numbers that JSON does not have (not a number, the
/// infinities) become `null`.
pub trait ToJson {
    /// Appends the value.
    fn write_json(&self, json: &mut Vec<u8>);

    /// Returns the value as JSON text.
    fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        self.write_json(&mut json);
        json
    }
}

impl ToJson for bool {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

macro_rules! whole {
    ($($kind:ty)*) => { $(
        impl ToJson for $kind {
            fn write_json(&self, json: &mut Vec<u8>) {
                write_displayed(json, self);
            }
        }
    )* };
}

whole!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! floating {
    ($($kind:ty)*) => { $(
        impl ToJson for $kind {
            fn write_json(&self, json: &mut Vec<u8>) {
                match self.is_finite() {
                    true => write_displayed(json, format_args!("{self:?}")),
                    false => json.extend_from_slice(b"null"),
                }
            }
        }
    )* };
}

floating!(f32 f64);

/// Appends what a value displays; a vector takes all that is written to it.
fn write_displayed(json: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(json, "{value}");
}

impl ToJson for str {
    fn write_json(&self, json: &mut Vec<u8>) {
        write_text(json, self);
    }
}

impl ToJson for String {
    fn write_json(&self, json: &mut Vec<u8>) {
        write_text(json, self);
    }
}

impl ToJson for Text {
    fn write_json(&self, json: &mut Vec<u8>) {
        write_text(json, self);
    }
}

impl ToJson for Object {
    fn write_json(&self, json: &mut Vec<u8>) {
        self.write_to(json);
    }
}

impl ToJson for () {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"null");
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write_json(&self, json: &mut Vec<u8>) {
        (**self).write_json(json);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write_json(&self, json: &mut Vec<u8>) {
        match self {
            Some(value) => value.write_json(json),
            None => ().write_json(json),
        }
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.push(b'[');
        for (at, value) in self.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            value.write_json(json);
        }
        json.push(b']');
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write_json(&self, json: &mut Vec<u8>) {
        self.as_slice().write_json(json);
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn write_json(&self, json: &mut Vec<u8>) {
        self.as_slice().write_json(json);
    }
}

/// Appends a text as a JSON string.
pub(crate) fn write_text(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        json.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', byte]),
            b'\n' => json.extend_from_slice(b"\\n"),
            b'\r' => json.extend_from_slice(b"\\r"),
            b'\t' => json.extend_from_slice(b"\\t"),
            _ => write_displayed(json, format_args!("\\u{byte:04x}")),
        }
    }
    json.extend_from_slice(&text.as_bytes()[plain..]);
    json.push(b'"');
}
