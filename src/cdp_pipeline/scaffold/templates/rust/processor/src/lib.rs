//! Marks large transfers, and leaves out the others.

use cdpplugin::{Config, Error, Message, Metadata, Object, Processor, Result};

/// Knows from which amount on a transfer is large.
pub struct LargeTransfers {
    min_amount: f64,
}

impl Default for LargeTransfers {
    fn default() -> Self {
        LargeTransfers { min_amount: 1000.0 }
    }
}

impl Processor for LargeTransfers {
    type Output = Message;

    fn metadata(&self) -> Metadata {
        Metadata::new("my-plugin", env!("CARGO_PKG_VERSION"))
            .description("Marks large transfers and leaves out the others")
            .license("Apache-2.0")
            .input_types(["token_transfers"])
            .output_types(["token_transfers"])
    }

    /// Takes the configuration; the host has checked it against the schema in plugin.yaml.
    fn configure(&mut self, config: &Config) -> Result<()> {
        config.only(&["min_amount"])?;
        self.min_amount = config.get("min_amount")?.unwrap_or(1000.0);
        Ok(())
    }

    /// Marks a large transfer; an error costs this message only.
    fn process(&mut self, mut message: Message) -> Result<Message> {
        let mut transfer = message.object()?;
        if amount(&transfer)? < self.min_amount {
            return Err(Error::drop("small"));
        }
        transfer.set("large", true)?;
        message.payload = transfer.into();
        message.metadata.set("marked_by", "my-plugin")?;
        Ok(message)
    }
}

fn amount(transfer: &Object) -> Result<f64> {
    if let Ok(Some(amount)) = transfer.get("amount") {
        return Ok(amount);
    }
    let got = transfer.raw("amount")?.unwrap_or("null");
    Err(
        Error::new(format!("expected `amount` to be a number, got `{got}`"))
            .code("my_plugin.no_amount")
            .hint("put `rows` with the table token_transfers before this stage"),
    )
}

cdpplugin::processor! { LargeTransfers::default() }
