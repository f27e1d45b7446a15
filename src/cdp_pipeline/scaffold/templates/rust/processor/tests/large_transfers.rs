//! The plugin by the same calls as the host's, without WebAssembly; `flowctl test .` tries the module.

use cdpplugin::testing::{start_test_plugin, Plugin};
use cdpplugin::Message;
use my_plugin::LargeTransfers;

fn started(config: &str) -> Plugin {
    start_test_plugin(LargeTransfers::default(), config).unwrap()
}

fn transfer(payload: &str) -> Message {
    Message::new("token_transfers", payload.to_string())
}

#[test]
fn a_large_transfer_is_marked() {
    let payload = r#"{"amount":1500.50,"asset":"native"}"#;
    let output = started("{}").process(&transfer(payload)).unwrap();
    let expected = r#"{"amount":1500.50,"asset":"native","large":true}"#;
    assert_eq!(expected, output.json().unwrap());
    let marked_by: Option<String> = output.metadata.get("marked_by").unwrap();
    assert_eq!(Some("my-plugin"), marked_by.as_deref());
}

#[test]
fn the_configuration_says_what_is_large() {
    let mut plugin = started(r#"{"min_amount":5}"#);
    assert!(plugin.process(&transfer(r#"{"amount":5}"#)).is_ok());
    let dropped = plugin.process(&transfer(r#"{"amount":4.9}"#)).unwrap_err();
    assert_eq!("small", dropped.message());
}

#[test]
fn a_transfer_without_an_amount_is_an_error() {
    let mut plugin = started("{}");
    for payload in ["{}", r#"{"amount":"much"}"#, r#"{"amount":null}"#] {
        let error = plugin.process(&transfer(payload)).unwrap_err();
        assert_eq!("my_plugin.no_amount", error.code_text());
    }
}
