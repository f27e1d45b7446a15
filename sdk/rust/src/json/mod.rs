//! JSON as text: read without building values, so that numbers keep every digit.

mod from;
mod nesting;
mod reader;
mod to;
mod unescape;

pub use from::{elements, FromJson};
pub use to::ToJson;

pub(crate) use from::unexpected;
pub(crate) use reader::{Fault, Reader, Written};
pub(crate) use to::write_text;
pub(crate) use unescape::unescaped;

/// Returns bytes as text, where they are one JSON value.
pub(crate) fn checked(bytes: &[u8]) -> Result<&str, Fault> {
    let mut reader = Reader::new(bytes);
    reader.space();
    reader.value()?;
    reader.end().map(|()| checked_text(bytes))
}

/// Returns a piece of JSON that [`Reader`] has passed as text.
pub(crate) fn checked_text(bytes: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    // SAFETY: the reader passes ASCII outside of strings, and strings that are UTF-8.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

/// Returns the beginning of a text, short enough for an error message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.len() <= MOST {
        return text.to_string();
    }
    let end = (0..=MOST).rev().find(|&at| text.is_char_boundary(at));
    format!("{}...", &text[..end.unwrap_or(0)])
}
