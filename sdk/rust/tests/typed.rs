//! Payloads and configurations as types of the author's, by serde.
#![cfg(feature = "serde")]

use cdpplugin::{serde_json, Config, Message, Object, Result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
struct Payment<'a> {
    to: &'a str,
    amount: u64,
    rate: f64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    memo: Option<&'a serde_json::value::RawValue>,
}

const TEXT: &str = r#"{"to":"G1","amount":18446744073709551615,"rate":0.1,"memo":[1.50, 2]}"#;

/// A payload is read into a struct that borrows from it, and is written back.
#[test]
fn reads_payloads() {
    let mut message = Message::new("Payment", TEXT);
    let payment: Payment = message.payload_as().unwrap();
    assert_eq!(
        ("G1", u64::MAX, 0.1),
        (payment.to, payment.amount, payment.rate)
    );
    assert_eq!("[1.50, 2]", payment.memo.unwrap().get());
    let mut changed = Message::default();
    changed.set_payload(&payment).unwrap();
    assert_eq!(changed.payload, TEXT);
    message.payload = "[".into();
    assert_eq!(
        "message.payload_invalid",
        message.payload_as::<Payment>().unwrap_err().code_text()
    );
}

/// Numbers are exact where a type holds them: integers to 128 bits, floats to the last bit.
#[test]
fn typed_numbers_are_exact() {
    for float in [
        "0.1",
        "5e-324",
        "1.7976931348623157e308",
        "123456789.125",
        "2.2250738585072011e-308",
    ] {
        let value: f64 = Message::new("", float).payload_as().unwrap();
        assert_eq!(
            float.parse::<f64>().unwrap().to_bits(),
            value.to_bits(),
            "{float}"
        );
        let mut message = Message::default();
        message.set_payload(&value).unwrap();
        assert_eq!(
            value.to_bits(),
            message.payload_as::<f64>().unwrap().to_bits()
        );
    }
    let large = i128::MIN.to_string();
    assert_eq!(
        i128::MIN,
        Message::new("", large.as_str())
            .payload_as::<i128>()
            .unwrap()
    );
    assert!(Message::new("", "1.5").payload_as::<u64>().is_err());
}

/// Any value keeps every digit of its numbers.
#[cfg(feature = "exact-values")]
#[test]
fn values_keep_digits() {
    let text = r#"{"a":340282366920938463463374607431768211456,"b":0.1000000000000000000000000000001,"c":-9007199254740993}"#;
    let mut message = Message::new("", text);
    let mut value: serde_json::Value = message.payload_as().unwrap();
    value["d"] = serde_json::Value::Bool(true);
    message.set_payload(&value).unwrap();
    let object = message.object().unwrap();
    assert_eq!(
        Some("340282366920938463463374607431768211456"),
        object.raw("a").unwrap()
    );
    assert_eq!(
        Some("0.1000000000000000000000000000001"),
        object.raw("b").unwrap()
    );
    assert_eq!(Some("-9007199254740993"), object.raw("c").unwrap());
}

#[derive(Debug, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Deserialize)]
struct Inner {
    count: u64,
    rate: f64,
}

/// What README says of flattened structs: integers are read; a float is refused where values are
/// exact, never rounded.
#[test]
fn flattened_floats() {
    let read = |text: &str| {
        Message::new("", text)
            .payload_as::<Flat>()
            .map(|flat| flat.inner)
    };
    let given = read(r#"{"count":18446744073709551615,"rate":1}"#).unwrap();
    assert_eq!((u64::MAX, 1.0), (given.count, given.rate));
    assert_eq!(
        cfg!(feature = "exact-values"),
        read(r#"{"count":1,"rate":0.5}"#).is_err()
    );
}

/// A field is read and written as a type.
#[test]
fn reads_fields() -> Result<()> {
    let mut object = Object::parse(r#"{"inner":{"count":1,"rate":2.5},"x":1.50}"#)?;
    let inner: Inner = object.get_as("inner")?.unwrap();
    assert_eq!(2.5, inner.rate);
    object.set_as("list", &[Some(1), None])?;
    assert_eq!(
        r#"{"inner":{"count":1,"rate":2.5},"x":1.50,"list":[1,null]}"#,
        format!("{object:?}")
    );
    assert!(object
        .get_as::<Inner>("x")
        .unwrap_err()
        .message()
        .starts_with("field `x`"));
    assert!(object.get_as::<Inner>("absent")?.is_none());
    Ok(())
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    AsIs,
    Twice,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Settings {
    name: String,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    extra: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Rule {
    field: String,
    value: u64,
}

fn decoded(text: &str) -> Result<Settings> {
    Config::parse(text)?.decode()
}

/// A configuration is decoded into a struct, with its defaults.
#[test]
fn decodes_configurations() {
    let text =
        r#"{"name":"n","mode":"twice","rules":[{"field":"a","value":5}],"extra":{"deep":[1]}}"#;
    let settings = decoded(text).unwrap();
    assert_eq!(Mode::Twice, settings.mode);
    assert_eq!(
        vec![Rule {
            field: "a".into(),
            value: 5
        }],
        settings.rules
    );
    assert_eq!(Some(serde_json::json!({"deep": [1]})), settings.extra);
    let bare = decoded(r#"{"name":"n"}"#).unwrap();
    assert_eq!((Mode::AsIs, None), (bare.mode, bare.extra));
}

/// A configuration that does not fit is refused; the message names the key.
#[test]
fn refuses_configurations() {
    let cases = [
        (r#"{"name":"n","nmae":1}"#, "unknown key `nmae`"),
        (r#"{}"#, "`name` is missing"),
        (
            r#"{"name":5}"#,
            "`name`: invalid type: integer `5`, expected a string",
        ),
        (
            r#"{"name":"n","mode":"thrice"}"#,
            "`mode`: unknown variant `thrice`, expected `as-is` or `twice`",
        ),
        (
            r#"{"name":"n","rules":[{"field":"a"}]}"#,
            "`rules`: missing field `value`",
        ),
    ];
    for (text, message) in cases {
        let error = decoded(text).unwrap_err();
        assert_eq!("plugin.config_invalid", error.code_text(), "{text}");
        assert_eq!(message, error.message(), "{text}");
        assert!(!error.hint_text().is_empty(), "{text}");
    }
    let error = decoded(r#"{"name":"n","nmae":1}"#).unwrap_err();
    assert_eq!(
        "known keys: `name`, `mode`, `rules`, `extra`",
        error.hint_text()
    );
}
