//! What passes the filter, and why the rest does not.

use cdpplugin::testing::{start_test_plugin, Answered};
use cdpplugin::Message;
use filter::Filter;

/// Runs payloads through a filter, in one batch.
fn answered(config: &str, payloads: &[&str]) -> Answered {
    let mut plugin = start_test_plugin(Filter::default(), config).unwrap();
    let messages: Vec<_> = payloads
        .iter()
        .map(|json| Message::new("Payment", *json))
        .collect();
    plugin.process_all(&messages).unwrap()
}

/// Returns which payloads pass; none of them may fail.
fn passing(config: &str, payloads: &[&str]) -> Vec<usize> {
    let answer = answered(config, payloads);
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.rows
}

/// Tells whether a payload fulfils a rule.
fn holds(field: &str, op: &str, value: &str, payload: &str) -> bool {
    let rule = format!(r#"{{"rules":[{{"field":"{field}","op":"{op}","value":{value}}}]}}"#);
    passing(&rule, &[payload]) == [0]
}

fn refusal(config: &str) -> String {
    let error = start_test_plugin(Filter::default(), config).err().unwrap();
    assert_eq!("plugin.config_invalid", error.code_text());
    assert!(!error.hint_text().is_empty());
    error.message().to_string()
}

/// Without a configuration everything passes as it came.
#[test]
fn passes_without_rules() {
    let payloads = [r#"{ "amount": 1 }"#, r#"{}"#];
    let answer = answered("{}", &payloads);
    assert_eq!(vec![0, 1], answer.rows);
    assert_eq!(answer.outputs[0].payload, payloads[0]);
}

/// A rule on an amount leaves out what does not fulfil it, and counts the reason.
#[test]
fn filters_by_amount() {
    let config = r#"{"rules":[{"field":"amount","op":">","value":1000000}]}"#;
    let answer = answered(
        config,
        &[
            r#"{"amount":1000000}"#,
            r#"{"amount":1000001}"#,
            r#"{"amount":5}"#,
        ],
    );
    assert_eq!(vec![1], answer.rows);
    assert_eq!(Some(&2), answer.dropped.get("not `amount` > 1000000"));
}

/// One message alone is answered as it is in a batch.
#[test]
fn filters_one_message() {
    let mut plugin = start_test_plugin(Filter::default(), r#"{"min_amount": 10}"#).unwrap();
    let passed = plugin
        .process(&Message::new("Payment", r#"{"amount":"10.0000000"}"#))
        .unwrap();
    assert_eq!(passed.payload, r#"{"amount":"10.0000000"}"#);
    let dropped = plugin
        .process(&Message::new("Payment", r#"{"amount":9}"#))
        .unwrap_err();
    assert_eq!("not `amount` >= 10", dropped.message());
}

/// Every rule must hold.
#[test]
fn asks_for_all_rules() {
    let config =
        r#"{"rules":[{"field":"a","op":">=","value":2},{"field":"b","op":"==","value":"x"}]}"#;
    let payloads = [
        r#"{"a":2,"b":"x"}"#,
        r#"{"a":1,"b":"x"}"#,
        r#"{"a":2,"b":"y"}"#,
    ];
    assert_eq!(vec![0], passing(config, &payloads));
}

/// A field that is missing or null fulfils no rule, not even that it is something else.
#[test]
fn leaves_out_what_is_missing() {
    for op in [">", ">=", "<", "<=", "==", "!=", "contains"] {
        assert!(!holds("a", op, "1", "{}"), "{op}");
        assert!(!holds("a", op, "1", r#"{"a":null}"#), "{op}");
    }
    assert!(!holds("a", "in", "[1]", "{}"));
}

/// `exists` asks whether a field is there.
#[test]
fn asks_for_existence() {
    assert!(holds("a", "exists", "true", r#"{"a":0}"#));
    assert!(!holds("a", "exists", "true", r#"{"a":null}"#));
    assert!(!holds("a", "exists", "true", "{}"));
    assert!(holds("a", "exists", "false", "{}"));
    let bare = r#"{"rules":[{"field":"a","op":"exists"}]}"#;
    assert_eq!(vec![1], passing(bare, &["{}", r#"{"a":false}"#]));
}

/// A dot leads into an object; nothing leads into anything else.
#[test]
fn follows_paths() {
    assert!(holds(
        "details.to.name",
        "==",
        "\"x\"",
        r#"{"details":{"to":{"name":"x"}}}"#
    ));
    assert!(!holds(
        "details.to.name",
        "==",
        "\"x\"",
        r#"{"details":{"to":["name","x"]}}"#
    ));
    assert!(!holds(
        "details.to.name",
        "==",
        "\"x\"",
        r#"{"details":"to"}"#
    ));
    assert!(holds("a.b", "exists", "false", r#"{"a":5}"#));
}

/// Amounts as Stellar writes them are numbers.
#[test]
fn reads_texts_as_numbers() {
    assert!(holds("amount", ">", "12", r#"{"amount":"12.5000000"}"#));
    assert!(holds("amount", "==", "12.5", r#"{"amount":"12.5000000"}"#));
    assert!(holds(
        "amount",
        "<=",
        "\"12.5\"",
        r#"{"amount":"12.5000000"}"#
    ));
    assert!(holds(
        "amount",
        "in",
        "[1,12.5]",
        r#"{"amount":"12.5000000"}"#
    ));
    assert!(!holds("amount", ">", "12.5", r#"{"amount":"12.5000000"}"#));
}

/// Numbers are compared digit by digit, however many there are.
#[test]
fn compares_exactly() {
    let above = [
        ("9007199254740993", "9007199254740992"),
        (
            "170141183460469231731687303715884105728",
            "170141183460469231731687303715884105727",
        ),
        ("0.30000000000000000001", "0.3"),
        ("-9007199254740992", "-9007199254740993"),
        ("1e400", "9e399"),
        ("1e-400", "0"),
        ("0", "-1e-400"),
        ("1", "-1"),
        ("10", "9.999"),
        ("1.0000000000000000000000000000001", "1"),
    ];
    for (more, less) in above {
        let field = format!(r#"{{"a":{more}}}"#);
        assert!(holds("a", ">", less, &field), "{more} > {less}");
        assert!(!holds("a", "<=", less, &field), "{more} <= {less}");
        assert!(!holds("a", "==", less, &field), "{more} == {less}");
        assert!(
            holds("a", "<", more, &format!(r#"{{"a":"{less}"}}"#)),
            "{less} < {more}"
        );
    }
}

/// A number may be written in several ways.
#[test]
fn compares_by_value() {
    for same in [
        "100",
        "100.00",
        "1e2",
        "1E+2",
        "10000e-2",
        "0.1e3",
        "\"00100\"",
    ] {
        assert!(
            holds("a", "==", "100", &format!(r#"{{"a":{same}}}"#)),
            "{same}"
        );
        assert!(
            holds("a", ">=", "100", &format!(r#"{{"a":{same}}}"#)),
            "{same}"
        );
    }
    for zero in ["0", "-0", "0.000", "0e9", "\"0.0000000\""] {
        assert!(
            holds("a", "==", "0", &format!(r#"{{"a":{zero}}}"#)),
            "{zero}"
        );
    }
}

/// What should be a number and is none is an error of its row alone.
#[test]
fn fails_what_is_no_number() {
    let config = r#"{"rules":[{"field":"amount","op":">","value":1}]}"#;
    let payloads = [
        r#"{"amount":2}"#,
        r#"{"amount":"abc"}"#,
        r#"{"amount":true}"#,
        r#"{"amount":{"n":2}}"#,
        r#"{"amount":[2]}"#,
        r#"{"amount":""}"#,
        r#"{"amount":" 2"}"#,
        r#"{"amount":"2."}"#,
        r#"{"amount":"0x2"}"#,
        r#"{"amount":"Infinity"}"#,
        r#"{"amount":3}"#,
    ];
    let answer = answered(config, &payloads);
    assert_eq!(vec![0, 10], answer.rows);
    assert_eq!(
        (1..=9).collect::<Vec<_>>(),
        answer.errors.keys().copied().collect::<Vec<_>>()
    );
    let error = &answer.errors[&1];
    assert_eq!("filter.not_a_number", error.code_text());
    assert_eq!(
        "rule `amount` > 1: expected a number, got `\"abc\"`",
        error.message()
    );
    assert!(!error.hint_text().is_empty());
}

/// A payload that is no object is an error of its row alone.
#[test]
fn fails_what_is_no_object() {
    let answer = answered("{}", &["[1]", r#"{"a":1}"#, "{\"a\":", "5"]);
    assert_eq!(vec![1], answer.rows);
    assert!(answer
        .errors
        .values()
        .all(|error| error.code_text() == "message.payload_invalid"));
    assert_eq!(3, answer.errors.len());
}

/// Two texts are equal letter by letter, also where both are numbers.
#[test]
fn compares_texts() {
    assert!(holds("a", "==", "\"x\"", r#"{"a":"x"}"#));
    assert!(holds("a", "==", "\"é\"", "{\"a\":\"\\u00e9\"}"));
    assert!(!holds("a", "==", "\"x\"", r#"{"a":"X"}"#));
    assert!(!holds("a", "==", "\"100\"", r#"{"a":"1e2"}"#));
    assert!(holds("a", "==", "\"100\"", r#"{"a":1e2}"#));
    assert!(holds("a", "!=", "\"x\"", r#"{"a":5}"#));
    assert!(holds("a", "!=", "5", r#"{"a":"x"}"#));
    assert!(holds("a", "==", "true", r#"{"a":true}"#));
    assert!(!holds("a", "==", "true", r#"{"a":"true"}"#));
}

/// `in` and `contains` look into arrays and texts.
#[test]
fn looks_into_lists() {
    assert!(holds("a", "in", "[\"x\",\"y\"]", r#"{"a":"y"}"#));
    assert!(!holds("a", "in", "[\"x\",\"y\"]", r#"{"a":"z"}"#));
    assert!(!holds("a", "in", "[]", r#"{"a":"z"}"#));
    assert!(holds("a", "contains", "\"fun\"", r#"{"a":"refund"}"#));
    assert!(!holds("a", "contains", "\"FUN\"", r#"{"a":"refund"}"#));
    assert!(holds("a", "contains", "2", r#"{"a":[1, 2.0]}"#));
    assert!(!holds("a", "contains", "2", r#"{"a":[12]}"#));
    assert!(!holds("a", "contains", "\"2\"", r#"{"a":12}"#));
}

/// `min_amount` asks for an `amount` of that much at the least.
#[test]
fn asks_for_an_amount() {
    let payloads = [
        r#"{"amount":"12.5000000"}"#,
        r#"{"amount":12.4999999}"#,
        r#"{"other":50}"#,
    ];
    for config in [r#"{"min_amount":12.5}"#, r#"{"min_amount":"12.50"}"#] {
        assert_eq!(vec![0], passing(config, &payloads));
    }
}

const USDC: &str = "USDC:GA5Z";

/// `asset_filter` knows assets by code, by code and issuer, and the native one.
#[test]
fn asks_for_assets() {
    let payloads = [
        r#"{"asset":"native"}"#,
        r#"{"asset_type":"native"}"#,
        r#"{"asset_code":"XLM"}"#,
        r#"{"asset":"XLM:GBAD"}"#,
        r#"{"asset":"USDC:GA5Z"}"#,
        r#"{"asset_code":"USDC","asset_issuer":"GA5Z"}"#,
        r#"{"asset_code":"USDC","asset_issuer":"GBAD"}"#,
        r#"{"asset_code":"USDC"}"#,
        r#"{"asset_code":null,"asset":"native"}"#,
        r#"{"asset":"usdc:GA5Z"}"#,
        r#"{}"#,
    ];
    let wanted = |assets: &str| passing(&format!(r#"{{"asset_filter":[{assets}]}}"#), &payloads);
    assert_eq!(vec![0, 1, 2, 8], wanted("\"native\""));
    assert_eq!(vec![0, 1, 2, 8], wanted("\"XLM\""));
    assert_eq!(vec![3], wanted("\"XLM:GBAD\""));
    assert_eq!(vec![4, 5, 6, 7], wanted("\"USDC\""));
    assert_eq!(vec![4, 5], wanted(&format!("\"{USDC}\"")));
    assert_eq!((0..11).collect::<Vec<_>>(), wanted(""));
    let answer = answered(r#"{"asset_filter":["USDC"]}"#, &payloads);
    assert_eq!(Some(&1), answer.dropped.get("no asset"));
}

/// A configuration that cannot be used is refused, with its place.
#[test]
fn refuses_configurations() {
    let cases = [
        (r#"{"rule":[]}"#, "unknown key `rule`"),
        (r#"{"rules":{}}"#, "`rules`: expected an array, got `{}`"),
        (
            r#"{"rules":[{"field":"a","op":"="}]}"#,
            "`rules[0].op`: there is no operator `=`",
        ),
        (
            r#"{"rules":[{"op":">","value":1}]}"#,
            "`rules[0].field`: expected text",
        ),
        (
            r#"{"rules":[{"field":"a","op":">","value":1},{"field":"a","op":">"}]}"#,
            "`rules[1].value`: expected a number, got `nothing`",
        ),
        (
            r#"{"rules":[{"field":"a","op":">","value":"x"}]}"#,
            "`rules[0].value`: expected a number, got `\"x\"`",
        ),
        (
            r#"{"rules":[{"field":"a","op":"in","value":1}]}"#,
            "`rules[0].value`: expected an array of texts, numbers and truths, got `1`",
        ),
        (
            r#"{"rules":[{"field":"a","op":"==","value":null}]}"#,
            "`rules[0].value`: expected a text, a number or a truth, got `null`",
        ),
        (
            r#"{"rules":[{"field":"a","op":"==","value":1,"extra":1}]}"#,
            "`rules[0]`: unknown key `extra`",
        ),
        (
            r#"{"min_amount":true}"#,
            "`min_amount`: expected a number, got `true`",
        ),
        (
            r#"{"asset_filter":["USDC:"]}"#,
            "`asset_filter`: expected `native`, `CODE` or `CODE:ISSUER`, got `USDC:`",
        ),
        (
            r#"{"asset_filter":"USDC"}"#,
            "`asset_filter`: expected an array, got `\"USDC\"`",
        ),
    ];
    for (config, message) in cases {
        assert_eq!(message, refusal(config), "{config}");
    }
}
