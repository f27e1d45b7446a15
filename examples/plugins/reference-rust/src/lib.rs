//! The reference processor in Rust: it does what `spec/conformance.md` says, and nothing else.
//!
//! It runs in a sandbox. So there is no key `diary`, since there are no files, and `sleep` returns
//! at once, since the clock is the guest's own.

mod instruction;
mod task;

use cdpplugin::{
    Bytes, Config, Context, Error, HealthStatus, Message, Metadata, Object, Processor, Result,
};

use crate::instruction::{fail_start, is_instruction};

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "greeting": {"type": "string", "description": "Any text."},
    "extra": {"description": "Any value."},
    "start": {"enum": ["", "fail", "retry", "fatal", "panic"], "default": "", "description": "How its start fails."}
  }
}"#;

/// Does what the key `do` of each payload says.
#[derive(Default)]
pub struct Reference {
    config: Bytes,
    start: String,
    context: Context,
    count: u64,
    changes: u64,
    status: HealthStatus,
}

impl Processor for Reference {
    type Output = Vec<Message>;

    fn metadata(&self) -> Metadata {
        Metadata::new("cdp-reference-processor", "1.0.0")
            .description("Does what a payload asks for")
            .license("Apache-2.0")
            .config_schema(SCHEMA)
    }

    fn configure(&mut self, config: &Config) -> Result<()> {
        config.only(&["greeting", "extra", "start"])?;
        config.get::<String>("greeting")?;
        self.start = config.get("start")?.unwrap_or_default();
        if !self.start.is_empty() && !is_instruction(&self.start) {
            let got = &self.start;
            return Err(Error::invalid(format!(
                "expected `start` to be fail, retry, fatal or panic, got `{got}`"
            ))
            .hint("change `start`"));
        }
        self.config = config.json().clone();
        Ok(())
    }

    fn start(&mut self, context: Context) -> Result<()> {
        if !self.start.is_empty() {
            return Err(fail_start(&self.start));
        }
        self.context = context;
        Ok(())
    }

    fn process(&mut self, message: Message) -> Result<Vec<Message>> {
        message.json()?;
        match Object::parse(message.payload.clone()) {
            Ok(task) if task.raw("do")?.is_some() => self.obey(message, &task),
            _ => Ok(vec![message]),
        }
    }

    fn health(&self) -> HealthStatus {
        self.status.clone()
    }

    fn export_state(&mut self) -> Result<Vec<u8>> {
        Ok(self.count.to_string().into_bytes())
    }

    fn import_state(&mut self, state: &[u8]) -> Result<()> {
        self.count = std::str::from_utf8(state)?.parse()?;
        Ok(())
    }
}

cdpplugin::processor! { Reference::default() }
