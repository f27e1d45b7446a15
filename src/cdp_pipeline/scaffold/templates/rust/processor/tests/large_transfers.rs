//! The plugin by the same calls as the host's, without WebAssembly; `flowctl test .` tries the module.

use cdpplugin::testing::Plugin;
use cdpplugin::{Message, Result};
use my_plugin::LargeTransfers;

fn processed(config: &str, payload: &str) -> Result<Vec<Message>> {
    let mut plugin = Plugin::of(LargeTransfers::default());
    plugin.configure(config)?;
    plugin.start()?;
    plugin.process(&Message::new("token_transfers", payload.to_string()))
}

#[test]
fn a_large_transfer_is_marked() {
    let outputs = processed("{}", r#"{"amount":1500.50,"asset":"native"}"#).unwrap();
    let expected = r#"{"amount":1500.50,"asset":"native","large":true}"#;
    assert_eq!(expected, outputs[0].json().unwrap());
    let marked_by: Option<String> = outputs[0].metadata.get("marked_by").unwrap();
    assert_eq!(Some("my-plugin"), marked_by.as_deref());
}

#[test]
fn the_configuration_says_what_is_large() {
    assert!(processed(r#"{"min_amount":5}"#, r#"{"amount":5}"#).is_ok());
    let dropped = processed(r#"{"min_amount":5}"#, r#"{"amount":4.9}"#).unwrap_err();
    assert_eq!("small", dropped.message());
}

#[test]
fn a_transfer_without_an_amount_is_an_error() {
    for payload in ["{}", r#"{"amount":"much"}"#, r#"{"amount":null}"#] {
        let error = processed("{}", payload).unwrap_err();
        assert_eq!("my_plugin.no_amount", error.code_text());
    }
}
