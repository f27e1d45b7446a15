//! Turns JSON strings into text.

use std::borrow::Cow;

/// Returns the text of a JSON string without its quotes, which a reader has passed; or nothing
/// where it holds half a surrogate pair.
pub(crate) fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, size) = escape(&rest[at + 1..])?;
        text.push(character);
        rest = &rest[at + 1 + size..];
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// Returns the character of an escape, and how long it is behind its backslash.
fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return coded(text),
        other => *other as char,
    };
    Some((character, 1))
}

fn coded(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 5));
    }
    let second = unit(text.get(5..)?.strip_prefix('\\')?)?;
    if first >= 0xDC00 || !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((character, 11))
}

fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok()
}
