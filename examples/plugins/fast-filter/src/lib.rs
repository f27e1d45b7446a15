//! Passes on the messages that fulfil every rule, and leaves out all others.

pub mod asset;
pub mod decimal;
pub mod rule;
pub mod settings;
pub mod value;

use cdpplugin::{
    Batch, Config, Error, Message, Metadata, Object, OutputCollector, Outputs, Processor, Result,
};

use crate::settings::Settings;

/// Why a message without an asset is left out.
const NO_ASSET: &str = "no asset";
/// Why a message about another asset is left out.
const OTHER_ASSET: &str = "another asset";

/// The filter. Without a configuration everything passes.
#[derive(Default)]
pub struct Filter {
    settings: Settings,
}

impl Filter {
    /// Returns why a message is to be left out, or nothing where it passes.
    fn refused(&self, payload: &Object) -> Result<Option<&str>> {
        for rule in &self.settings.rules {
            if !rule.holds(payload)? {
                return Ok(Some(rule.reason()));
            }
        }
        if self.settings.assets.is_empty() {
            return Ok(None);
        }
        Ok(match asset::is_wanted(&self.settings.assets, payload)? {
            Some(true) => None,
            Some(false) => Some(OTHER_ASSET),
            None => Some(NO_ASSET),
        })
    }
}

impl Processor for Filter {
    type Output = Message;

    fn metadata(&self) -> Metadata {
        Metadata::new("fast-filter", env!("CARGO_PKG_VERSION"))
            .description("Passes on messages that fulfil every rule")
            .author("CDP Pipeline")
            .license("Apache-2.0")
            .config_schema(include_str!("../config_schema.json"))
    }

    fn configure(&mut self, config: &Config) -> Result<()> {
        self.settings = Settings::read(config)?;
        Ok(())
    }

    fn process(&mut self, message: Message) -> Result<Message> {
        match self.refused(&message.object()?)? {
            Some(reason) => Err(Error::drop(reason)),
            None => Ok(message),
        }
    }

    /// Reads nothing of a row but its payload, and copies nothing of one that is left out.
    fn process_batch(&mut self, batch: &Batch) -> Result<Outputs> {
        let mut collector = OutputCollector::new(batch);
        for row in 0..batch.len() {
            match batch.object(row).and_then(|payload| self.refused(&payload)) {
                Ok(None) => collector.pass(row)?,
                Ok(Some(reason)) => collector.drop(reason),
                Err(error) => collector.fail(row, error),
            }
        }
        collector.outputs()
    }
}

cdpplugin::processor! { Filter::default() }
