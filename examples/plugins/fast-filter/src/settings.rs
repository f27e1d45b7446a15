//! The configuration.

use cdpplugin::{Config, Error, Object, Result};

use crate::asset::Wanted;
use crate::decimal::Decimal;
use crate::rule::Rule;
use crate::value::Value;

/// What a message must fulfil to pass: all of it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rules, `min_amount` among them.
    pub rules: Vec<Rule>,
    /// Assets, one of which it must be about; none asks for nothing.
    pub assets: Vec<Wanted>,
}

impl Settings {
    /// Reads a configuration.
    pub fn read(config: &Config) -> Result<Self> {
        config.only(&["rules", "min_amount", "asset_filter"])?;
        let rules: Vec<Object> = config.get("rules")?.unwrap_or_default();
        let places = (0..).map(|number: usize| format!("rules[{number}]"));
        let mut rules = rules
            .iter()
            .zip(places)
            .map(|(rule, place)| Rule::read(rule, &place))
            .collect::<Result<Vec<_>>>()?;
        if let Some(json) = config.object().raw("min_amount")? {
            rules.insert(0, min_amount(json)?);
        }
        let assets: Vec<String> = config.get("asset_filter")?.unwrap_or_default();
        let assets = assets
            .iter()
            .map(|asset| Wanted::read(asset))
            .collect::<Result<_>>()?;
        Ok(Settings { rules, assets })
    }
}

fn min_amount(json: &str) -> Result<Rule> {
    match Value::read(json) {
        Some(Value::Number(text) | Value::Text(text)) if Decimal::parse(&text).is_some() => {
            Ok(Rule::at_least("amount", &text))
        }
        _ => Err(
            Error::invalid(format!("`min_amount`: expected a number, got `{json}`"))
                .hint("change `min_amount`"),
        ),
    }
}
