//! A guest that uses all of the Rust SDK, and does what it may not, as each payload says.

use cdpplugin::{log, serde_json, Config, Error, Message, Metadata, Processor, Result};
use serde::{Deserialize, Serialize};

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    suffix: String,
}

#[derive(Deserialize, Serialize)]
struct Payment<'a> {
    r#do: &'a str,
    amount: u64,
    rate: f64,
}

#[derive(Default)]
struct Guest {
    settings: Settings,
}

impl Processor for Guest {
    type Output = Message;

    fn metadata(&self) -> Metadata {
        Metadata::new("rust-guest", "1.0.0")
    }

    fn configure(&mut self, config: &Config) -> Result<()> {
        self.settings = config.decode()?;
        Ok(())
    }

    fn process(&mut self, mut message: Message) -> Result<Message> {
        let action: String = message.object()?.get("do")?.unwrap_or_default();
        match action.as_str() {
            "typed" => {
                let payment: Payment = message.payload_as()?;
                let json = serde_json::to_string(&payment)?;
                message.payload = json.into();
            }
            "value" => {
                let mut value: serde_json::Value = message.payload_as()?;
                value["seen"] = format!("yes{}", self.settings.suffix).into();
                message.set_payload(&value)?;
            }
            "log" => log::warning!("a {action} line"; row = 7, text = "é"),
            "print" => println!("a printed line"),
            "panic" => panic!("the ground gave way: {}", message.id),
            "exhaust" => message.trace_id = held_bytes().to_string().into(),
            "refuse" => {
                let mut held: Vec<u8> = Vec::new();
                held.try_reserve_exact(1 << 30)
                    .map_err(|_| Error::new("no room"))?;
            }
            "recurse" => message.trace_id = depth(1).to_string().into(),
            _ => {}
        }
        Ok(message)
    }
}

/// Asks for memory until there is none.
fn held_bytes() -> usize {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
        if held.len() > 1 << 20 {
            return held.len();
        }
    }
}

/// Calls itself without end; a root is no sum that a compiler could turn into a loop.
#[allow(unconditional_recursion)]
fn depth(number: usize) -> f64 {
    (depth(number + 1) + 1.0).sqrt()
}

cdpplugin::processor! { Guest::default() }
