//! JSON objects are read and changed field by field, and what is left alone stays as it is.

use cdpplugin::{elements, FromJson, Message, Object, Text, ToJson};

fn object(json: &str) -> Object {
    Object::parse(json).unwrap()
}

fn json(object: Object) -> String {
    String::from_utf8(object.into_json().into_vec()).unwrap()
}

/// What is left alone is written as it came, space included.
#[test]
fn keeps_its_text() {
    let text = "{ \"a\" : 1.50 ,\n\"b\":[1, 2 ], \"c\": {\"d\": null} }";
    assert_eq!(text, json(object(text)));
    let mut changed = object(text);
    changed.set("e", true).unwrap();
    assert_eq!(
        "{\"a\" : 1.50 ,\n\"b\":[1, 2 ], \"c\": {\"d\": null},\"e\":true}",
        json(changed)
    );
}

/// A value takes the place of the one before; the others stay where they are.
#[test]
fn sets_in_place() {
    let mut changed = object(r#"{"a":1,"b":2,"c":3}"#);
    changed.set("b", "x").unwrap();
    changed.set("d", 4).unwrap();
    changed.set("d", 5).unwrap();
    assert_eq!(r#"{"a":1,"b":"x","c":3,"d":5}"#, json(changed));
}

/// What is removed is gone, wherever it stood and however often.
#[test]
fn removes() {
    for (name, left) in [
        ("a", r#"{"b":2, "c":3}"#),
        ("b", r#"{"a":1,"c":3}"#),
        ("c", r#"{"a":1, "b":2}"#),
    ] {
        let mut changed = object(r#"{"a":1, "b":2, "c":3}"#);
        assert!(changed.remove(name).unwrap());
        assert!(!changed.remove(name).unwrap());
        assert_eq!(left, json(changed));
    }
    let mut twice = object(r#"{"a":1,"b":2,"a":3}"#);
    twice.remove("a").unwrap();
    assert_eq!(r#"{"b":2}"#, json(twice));
}

/// What was set can be read and removed again.
#[test]
fn reads_what_was_set() {
    let mut made = Object::new();
    assert!(made.is_empty().unwrap());
    made.set("a", "x").unwrap();
    made.set("inner", object(r#"{"b":1}"#)).unwrap();
    assert_eq!(Some("x".to_string()), made.get("a").unwrap());
    assert_eq!(
        Some(1),
        made.object("inner").unwrap().unwrap().get("b").unwrap()
    );
    assert!(made.remove("a").unwrap());
    assert_eq!(r#"{"inner":{"b":1}}"#, json(made));
    assert_eq!("{}", json(Object::new()));
}

/// Of several fields of one name the last counts.
#[test]
fn takes_the_last() {
    assert_eq!(Some(2), object(r#"{"a":1,"a":2}"#).get("a").unwrap());
}

/// Names are compared as texts, however they are written.
#[test]
fn knows_escaped_names() {
    let mut escaped = object("{\"\\u00e9\\\"\":1}");
    assert_eq!(Some(1), escaped.get("é\"").unwrap());
    escaped.set("é\"", 2).unwrap();
    escaped.set("tab\t", 3).unwrap();
    assert_eq!(Some(3), escaped.get("tab\t").unwrap());
    assert_eq!(vec!["é\"", "tab\t"], escaped.names().unwrap());
    assert_eq!("{\"\\u00e9\\\"\":2,\"tab\\t\":3}", json(escaped));
}

/// A field within an object is reached without copying it.
#[test]
fn reads_objects_within() {
    let outer = object(r#"{"a":{"b":{"c":7}},"d":[1]}"#);
    let inner = outer
        .object("a")
        .unwrap()
        .unwrap()
        .object("b")
        .unwrap()
        .unwrap();
    assert_eq!(Some(7), inner.get("c").unwrap());
    assert!(outer.object("d").unwrap().is_none());
    assert!(outer.object("e").unwrap().is_none());
}

/// Integers are exact to 128 bits, and are read from nothing but integers that fit.
#[test]
fn integers_are_exact() {
    assert_eq!(Some(u64::MAX), u64::from_json("18446744073709551615"));
    assert_eq!(Some(i64::MIN), i64::from_json("-9223372036854775808"));
    assert_eq!(Some(i128::MAX), i128::from_json(&i128::MAX.to_string()));
    assert_eq!(
        Some(9_007_199_254_740_993_u64),
        u64::from_json("9007199254740993")
    );
    assert_eq!(None, u64::from_json("18446744073709551616"));
    assert_eq!(None, u64::from_json("-1"));
    assert_eq!(None, i64::from_json("1.0"));
    assert_eq!(None, i64::from_json("1e3"));
    assert_eq!(None, i64::from_json("\"1\""));
}

/// Floats are exact to the last bit, there and back.
#[test]
fn floats_are_exact() {
    for float in [
        0.1,
        -0.5,
        1.5e300,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        123456789.125,
        -0.0,
    ] {
        let written = String::from_utf8(float.to_json()).unwrap();
        assert_eq!(
            Some(float.to_bits()),
            f64::from_json(&written).map(f64::to_bits),
            "{written}"
        );
        assert!(
            Object::parse(format!("{{\"f\":{written}}}")).is_ok(),
            "{written}"
        );
    }
    assert_eq!(
        Some(0.3),
        f64::from_json("0.299999999999999988897769753748")
    );
    assert_eq!(None, f64::from_json("1e400"));
    assert_eq!(b"null".to_vec(), f64::NAN.to_json());
}

/// Texts come out as they went in.
#[test]
fn texts_are_exact() {
    for text in [
        "",
        "plain",
        "é 漢字 🚀",
        "\" \\ / \t \n \u{0} \u{7} \u{7f} \u{2028}",
        "ends with \\",
    ] {
        let mut holder = Object::new();
        holder.set("t", text).unwrap();
        let read = object(&json(holder));
        assert_eq!(Some(text.to_string()), read.get("t").unwrap());
        assert_eq!(Some(Text::from(text)), read.get("t").unwrap());
    }
    assert_eq!(
        Some("🚀/\u{8}\u{c}".into()),
        String::from_json(r#""\ud83d\ude80\/\b\f""#)
    );
    for half in [
        r#""\ud83d""#,
        r#""\ude80""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
    ] {
        assert_eq!(None, String::from_json(half), "{half}");
    }
}

/// Values of other kinds are refused; the message names the field.
#[test]
fn names_what_is_wrong() {
    let error = object(r#"{"a":"x"}"#).get::<i64>("a").unwrap_err();
    assert_eq!("message.payload_invalid", error.code_text());
    assert_eq!(
        "field `a`: expected a whole number of 64 bits with a sign, got `\"x\"`",
        error.message()
    );
    assert_eq!(None, object("{}").get::<i64>("a").unwrap());
    assert_eq!(
        Some(None),
        object(r#"{"a":null}"#).get::<Option<i64>>("a").unwrap()
    );
    assert!(object(r#"{"a":null}"#).get::<i64>("a").is_err());
}

/// Lists are read and written whole.
#[test]
fn reads_lists() {
    let lists = object(r#"{"a":[1, 2 ,3],"b":[],"c":[1,"x"]}"#);
    assert_eq!(Some(vec![1, 2, 3]), lists.get::<Vec<i64>>("a").unwrap());
    assert_eq!(Some(vec![]), lists.get::<Vec<i64>>("b").unwrap());
    assert!(lists.get::<Vec<i64>>("c").is_err());
    assert_eq!(Some(vec!["1", "\"x\""]), elements(r#"[1,"x"]"#));
    assert_eq!(None, elements("{}"));
    assert_eq!(
        b"[[1,null],[2,null]]".to_vec(),
        [[Some(1), None], [Some(2), None]].to_json()
    );
}

const VALID: [&str; 12] = [
    "{}",
    " {\r\n} ",
    r#"{"a":[]}"#,
    r#"{"a":[{}],"b":{"c":[[]]}}"#,
    r#"{"a":-0.0e+00,"b":0,"c":12E5,"d":-1}"#,
    r#"{"a":"\u00e9\"\\\/\b\f\n\r\t"}"#,
    r#"{"":true,"b":false,"c":null}"#,
    r#"{"a":"0123456\"0123456\"01234567\"012345678\"","b":"é234567é9"}"#,
    r#"{"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
    "{\"a\":\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\"}",
    r#"{"a":{"b":{"c":{"d":[1,[2,[3,{"e":[]}]]]}}}}"#,
    r#"{"a" : [ 1 , { "b" : 2 } ] }"#,
];

/// All that is JSON is taken.
#[test]
fn takes_json() {
    for text in VALID {
        assert!(Object::parse(text).is_ok(), "{text}");
    }
}

/// Whatever is no JSON object is refused.
#[test]
fn refuses_other_text() {
    let invalid: [&[u8]; 38] = [
        b"",
        b" ",
        b"1",
        b"[]",
        b"null",
        b"\"a\"",
        b"{",
        b"}",
        b"{}x",
        b"{} {}",
        b"{,}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{\"a\":1 \"b\":2}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":01}",
        b"{\"a\":1.}",
        b"{\"a\":.5}",
        b"{\"a\":+1}",
        b"{\"a\":1e}",
        b"{\"a\":--1}",
        b"{\"a\":nul}",
        b"{\"a\":True}",
        b"{\"a\":NaN}",
        b"{\"a\":[1,]}",
        b"{\"a\":[1}",
        b"{\"a\":{]}",
        b"{\"a\":[}]",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\\u12g4\"}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":\"",
        b"{\"a\":\"\\",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc3\"}",
        b"{\"a\":1}\0",
    ];
    for text in invalid {
        let error = Object::parse(text).unwrap_err();
        assert_eq!(
            "message.payload_invalid",
            error.code_text(),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
}

/// Values may be nested as deep as they like; the stack does not grow with them.
#[test]
fn reads_any_depth() {
    for depth in [1, 63, 64, 65, 127, 128, 129, 1000, 1_000_000] {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Object::parse(text.as_str()).is_ok(), "{depth}");
        let objects = format!(
            "{{\"a\":{}1{}}}",
            "{\"b\":[".repeat(depth),
            "]}".repeat(depth)
        );
        assert!(Object::parse(objects.as_str()).is_ok(), "{depth}");
        let crossed = objects.replacen("]}", "}]", 1);
        assert!(Object::parse(crossed.as_str()).is_err(), "{depth}");
        assert!(Object::parse(&text[..text.len() - 2]).is_err(), "{depth}");
    }
}

/// A message's metadata are read when they are first asked for something.
#[test]
fn reads_metadata_late() {
    let mut message = Message::default();
    message.metadata.set("a", 1).unwrap();
    assert_eq!(Some(1), message.metadata.get("a").unwrap());
    assert_eq!(None, message.metadata.get::<i64>("b").unwrap());
}

/// Text that is set as it is must be one JSON value.
#[test]
fn checks_raw_text() {
    let mut holder = Object::new();
    holder.set_raw("a", "[1, 2]").unwrap();
    for text in ["", "1 2", "[", "x"] {
        assert_eq!(
            "message.payload_invalid",
            holder.set_raw("b", text).unwrap_err().code_text()
        );
    }
    assert_eq!(r#"{"a":[1, 2]}"#, json(holder));
}

/// Reading says the same as another reader of JSON, whatever is done to the text.
#[cfg(feature = "serde")]
#[test]
fn agrees_with_serde() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    const PIECES: &[u8] = b"{}[]\",:\\0123456789.eE+-truefalsn \n\x00\x1f\xc3\xa9\xff/ub";
    let mut valid = 0;
    for _ in 0..60_000 {
        let mut text = VALID[random(VALID.len())].as_bytes().to_vec();
        for _ in 0..=random(3) {
            let (at, piece) = (random(text.len()), PIECES[random(PIECES.len())]);
            match random(3) {
                0 => text[at] = piece,
                1 => text.insert(at, piece),
                _ if text.len() > 1 => drop(text.remove(at)),
                _ => {}
            }
        }
        let raw = serde_raw(&text);
        assert_eq!(
            raw,
            Object::parse(text.as_slice()).is_ok(),
            "{}",
            String::from_utf8_lossy(&text)
        );
        valid += usize::from(raw);
    }
    assert!(valid > 1_000);
}

#[cfg(feature = "serde")]
fn serde_raw(text: &[u8]) -> bool {
    use cdpplugin::serde_json::{from_str, value::RawValue};
    let text = std::str::from_utf8(text);
    let raw = text.ok().and_then(|text| from_str::<&RawValue>(text).ok());
    raw.map_or(false, |raw| raw.get().starts_with('{'))
}
