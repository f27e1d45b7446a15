//! A rule: a field, an operator and a value.

use std::cmp::Ordering;

use cdpplugin::{Error, Object, Result};

use crate::decimal::Decimal;
use crate::value::{number_of, text_of, Value};

/// The code of an error of a row whose field should be a number.
pub const NOT_A_NUMBER: &str = "filter.not_a_number";

/// What is asked of a field.
#[derive(Clone, Debug)]
enum Test {
    /// It stands in this relation to a number.
    Order(&'static [Ordering], String),
    /// It holds one of these values, or none of them.
    Equal(Vec<Value>, bool),
    /// It is a text with this piece, or an array with this value.
    Contains(Value),
    /// It is there, or not.
    Exists(bool),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    path: Vec<String>,
    test: Test,
    shown: String,
    reason: String,
}

/// The operators, as they are written.
pub const OPERATORS: [&str; 9] = [">", ">=", "<", "<=", "==", "!=", "in", "contains", "exists"];

impl Rule {
    /// Returns a rule for a number at the least.
    pub fn at_least(field: &str, number: &str) -> Self {
        let shown = format!("`{field}` >= {number}");
        Rule::new(
            field,
            Test::Order(&[Ordering::Greater, Ordering::Equal], number.to_string()),
            shown,
        )
    }

    fn new(field: &str, test: Test, shown: String) -> Self {
        let reason = format!("not {shown}");
        Rule {
            path: field.split('.').map(String::from).collect(),
            test,
            shown,
            reason,
        }
    }

    /// Reads a rule of the configuration; `place` is where it stands there.
    pub fn read(rule: &Object, place: &str) -> Result<Self> {
        const KEYS: [&str; 3] = ["field", "op", "value"];
        if let Some(name) = rule
            .names()?
            .iter()
            .find(|name| !KEYS.contains(&name.as_str()))
        {
            return Err(Error::invalid(format!("`{place}`: unknown key `{name}`"))
                .hint("a rule has `field`, `op` and `value`"));
        }
        let text = |key: &str| match rule.get::<String>(key) {
            Ok(Some(text)) if !text.is_empty() => Ok(text),
            _ => Err(Error::invalid(format!("`{place}.{key}`: expected text"))
                .hint(format!("set `{key}`"))),
        };
        let (field, operator) = (text("field")?, text("op")?);
        let test = test(&operator, rule.raw("value")?, place)?;
        let shown = match rule.raw("value")? {
            Some(value) => format!("`{field}` {operator} {value}"),
            None => format!("`{field}` {operator}"),
        };
        Ok(Rule::new(&field, test, shown))
    }

    /// Returns why a message that does not fit is left out.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Tells whether a payload fits. A field that is missing or null fits no rule but one that asks
    /// for that.
    pub fn holds(&self, payload: &Object) -> Result<bool> {
        at(payload, &self.path, |field| match (&self.test, field) {
            (Test::Exists(wanted), field) => Ok(field.is_some() == *wanted),
            (_, None) => Ok(false),
            (Test::Order(wanted, number), Some(json)) => self.compare(wanted, number, json),
            (Test::Equal(values, wanted), Some(json)) => {
                Ok(values.iter().any(|value| value.is(json)) == *wanted)
            }
            (Test::Contains(value), Some(json)) => Ok(contains(value, json)),
        })
    }

    fn compare(&self, wanted: &[Ordering], number: &str, json: &str) -> Result<bool> {
        match (number_of(json), Decimal::parse(number)) {
            (Some(held), Some(number)) => Ok(wanted.contains(&held.compare(&number))),
            _ => Err(self.no_number(json)),
        }
    }

    #[cold]
    fn no_number(&self, json: &str) -> Error {
        const MOST: usize = 40;
        let got: String = json.chars().take(MOST).collect();
        Error::new(format!(
            "rule {}: expected a number, got `{got}`",
            self.shown
        ))
        .code(NOT_A_NUMBER)
        .hint("compare a field that holds numbers, or set `on_error` of the stage")
    }
}

/// Hands over the text of the field at a path, or nothing where it is missing or null.
fn at<T>(
    object: &Object,
    path: &[String],
    work: impl FnOnce(Option<&str>) -> Result<T>,
) -> Result<T> {
    match path {
        [name] => work(object.raw(name)?.filter(|json| *json != "null")),
        [name, rest @ ..] => match object.object(name)? {
            Some(inner) => at(&inner, rest, work),
            None => work(None),
        },
        [] => work(None),
    }
}

fn contains(value: &Value, json: &str) -> bool {
    if let Some(values) = array_of(json) {
        return values.iter().any(|element| value.is(element));
    }
    match (value, text_of(json)) {
        (Value::Text(piece) | Value::Number(piece), Some(text)) => text.contains(piece.as_str()),
        _ => false,
    }
}

/// An array's values as they are written.
fn array_of(json: &str) -> Option<Vec<&str>> {
    cdpplugin::elements(json)
}

fn test(operator: &str, value: Option<&str>, place: &str) -> Result<Test> {
    use Ordering::{Equal, Greater, Less};
    Ok(match operator {
        ">" => Test::Order(&[Greater], number(value, place)?),
        ">=" => Test::Order(&[Greater, Equal], number(value, place)?),
        "<" => Test::Order(&[Less], number(value, place)?),
        "<=" => Test::Order(&[Less, Equal], number(value, place)?),
        "==" => Test::Equal(vec![scalar(value, place)?], true),
        "!=" => Test::Equal(vec![scalar(value, place)?], false),
        "in" => Test::Equal(list(value, place)?, true),
        "contains" => Test::Contains(scalar(value, place)?),
        "exists" => match value {
            None | Some("true") => Test::Exists(true),
            Some("false") => Test::Exists(false),
            Some(_) => return Err(wrong(place, "true, false or nothing", value)),
        },
        _ => {
            return Err(
                Error::invalid(format!("`{place}.op`: there is no operator `{operator}`"))
                    .hint(format!("use one of {}", OPERATORS.join(" "))),
            )
        }
    })
}

fn number(value: Option<&str>, place: &str) -> Result<String> {
    let read = value.and_then(Value::read);
    match read {
        Some(Value::Number(text) | Value::Text(text)) if Decimal::parse(&text).is_some() => {
            Ok(text)
        }
        _ => Err(wrong(place, "a number", value)),
    }
}

fn scalar(value: Option<&str>, place: &str) -> Result<Value> {
    value
        .and_then(Value::read)
        .ok_or_else(|| wrong(place, "a text, a number or a truth", value))
}

fn list(value: Option<&str>, place: &str) -> Result<Vec<Value>> {
    let values = value
        .and_then(array_of)
        .and_then(|all| all.into_iter().map(Value::read).collect());
    values.ok_or_else(|| wrong(place, "an array of texts, numbers and truths", value))
}

fn wrong(place: &str, expected: &str, got: Option<&str>) -> Error {
    let got = got.unwrap_or("nothing");
    Error::invalid(format!("`{place}.value`: expected {expected}, got `{got}`"))
        .hint("change `value`, or use another `op`")
}
