//! Values of rules, and how they compare with the text of a payload's field.

use std::borrow::Cow;

use cdpplugin::FromJson;

use crate::decimal::Decimal;

/// A value of a rule.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// True or false.
    Truth(bool),
}

impl Value {
    /// Reads a JSON value, or nothing where it is an object, an array or null.
    pub fn read(json: &str) -> Option<Self> {
        match json.as_bytes().first()? {
            b'"' => String::from_json(json).map(Value::Text),
            b't' | b'f' => bool::from_json(json).map(Value::Truth),
            b'{' | b'[' | b'n' => None,
            _ => Some(Value::Number(json.to_string())),
        }
    }

    /// Returns the number that it is, or that its text is.
    pub fn number(&self) -> Option<Decimal<'_>> {
        match self {
            Value::Number(text) | Value::Text(text) => Decimal::parse(text),
            Value::Truth(_) => None,
        }
    }

    /// Tells whether a field holds this value. Two texts are equal letter by letter; a number and a
    /// text are, where the text is the same number.
    pub fn is(&self, json: &str) -> bool {
        match self {
            Value::Truth(truth) => bool::from_json(json) == Some(*truth),
            Value::Text(text) => match text_of(json) {
                Some(held) => held == text.as_str(),
                None => same(Decimal::parse(text), number_of(json)),
            },
            Value::Number(text) => same(Decimal::parse(text), number_of(json)),
        }
    }
}

fn same(one: Option<Decimal<'_>>, other: Option<Decimal<'_>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.compare(&other).is_eq(),
        _ => false,
    }
}

/// Returns the number that a field is, or that its text is: `12.5` and `"12.5000000"`.
pub fn number_of(json: &str) -> Option<Decimal<'_>> {
    Decimal::parse(
        json.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(json),
    )
}

/// Returns the text of a field, or nothing where it holds something else.
pub fn text_of(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return String::from_json(json).map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}
