//! Values out of JSON text.

use super::{checked_text, shortened, unescaped, Reader};
use crate::object::Object;
use crate::text::Text;

/// A value that can be read from JSON.
///
/// Numbers are exact: an integer is read from an integer without point or exponent that fits,
/// a float is the one nearest to the text.
pub trait FromJson: Sized {
    /// What is expected, for error messages: "a whole number from 0 to 255".
    const EXPECTED: &'static str;

    /// Reads the text of one value, which is valid JSON without space around it; or nothing
    /// where it is another kind of value.
    fn from_json(json: &str) -> Option<Self>;
}

/// Says what was expected and what came.
pub(crate) fn unexpected<T: FromJson>(json: &str) -> String {
    format!("expected {}, got `{}`", T::EXPECTED, shortened(json))
}

macro_rules! whole {
    ($($kind:ident $bits:literal)*) => { $(
        impl FromJson for $kind {
            const EXPECTED: &'static str = $bits;

            fn from_json(json: &str) -> Option<Self> {
                json.parse().ok()
            }
        }
    )* };
}

whole! {
    i8 "a whole number of 8 bits with a sign" u8 "a whole number of 8 bits without a sign"
    i16 "a whole number of 16 bits with a sign" u16 "a whole number of 16 bits without a sign"
    i32 "a whole number of 32 bits with a sign" u32 "a whole number of 32 bits without a sign"
    i64 "a whole number of 64 bits with a sign" u64 "a whole number of 64 bits without a sign"
    i128 "a whole number of 128 bits with a sign" u128 "a whole number of 128 bits without a sign"
    isize "a whole number with a sign" usize "a whole number without a sign"
}

impl FromJson for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_json(json: &str) -> Option<Self> {
        json.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl FromJson for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_json(json: &str) -> Option<Self> {
        json.parse().ok()
    }
}

impl FromJson for String {
    const EXPECTED: &'static str = "text";

    fn from_json(json: &str) -> Option<Self> {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        unescaped(inner).map(Into::into)
    }
}

impl FromJson for Text {
    const EXPECTED: &'static str = String::EXPECTED;

    fn from_json(json: &str) -> Option<Self> {
        String::from_json(json).map(Text::from)
    }
}

impl FromJson for Object {
    const EXPECTED: &'static str = "an object";

    fn from_json(json: &str) -> Option<Self> {
        Object::parse(json).ok()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_json(json: &str) -> Option<Self> {
        if json == "null" {
            return Some(None);
        }
        T::from_json(json).map(Some)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    const EXPECTED: &'static str = "an array";

    fn from_json(json: &str) -> Option<Self> {
        elements(json)?.into_iter().map(T::from_json).collect()
    }
}

/// Returns the texts of the values of a JSON array, or nothing where the text is none.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut reader = Reader::new(json.as_bytes());
    if !reader.take(b'[') {
        return None;
    }
    reader.space();
    if reader.take(b']') {
        return Some(found);
    }
    loop {
        let start = reader.at();
        reader.value().ok()?;
        found.push(checked_text(&json.as_bytes()[start..reader.at()]));
        if !reader.more(b']').ok()? {
            return Some(found);
        }
    }
}
