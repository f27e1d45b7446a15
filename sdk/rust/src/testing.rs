//! Runs a plugin in a test, outside of WebAssembly: by the same calls, through the same bytes.
//!
//! ```
//! use cdpplugin::testing::start_test_plugin;
//! use cdpplugin::{Message, Metadata, Result};
//!
//! fn large(message: Message) -> Result<Option<Message>> {
//!     let amount: Option<i64> = message.object()?.get("amount")?;
//!     Ok(Some(message).filter(|_| amount > Some(1_000)))
//! }
//!
//! cdpplugin::processor! { Metadata::new("large-payments", "1.0.0"), large }
//!
//! let mut plugin = start_test_plugin(cdp_plugin(), "{}").unwrap();
//! let messages = [5, 5_000].map(|amount| Message::new("Payment", format!("{{\"amount\":{amount}}}")));
//! let answer = plugin.process_all(&messages).unwrap();
//! assert_eq!(vec![1], answer.rows);
//! assert_eq!(answer.outputs[0].payload, r#"{"amount":5000}"#);
//! assert_eq!(plugin.process(&messages[1]).unwrap().payload, r#"{"amount":5000}"#);
//! ```

use std::time::Duration;

pub use crate::answers::Answered;
use crate::batch::Batch;
use crate::bytes::Bytes;
use crate::error::{codes, Error, Instruction, Result};
use crate::guest::{status, Answer, Guest, Input};
use crate::json::elements;
use crate::message::Message;
use crate::metadata::Encoding;
use crate::object::Object;
use crate::processor::Processor;
use crate::single::{read_message, write_message};
use crate::writer::BatchWriter;

/// Configures and starts a plugin: what the macro [`processor!`](crate::processor) made (`cdp_plugin()`
/// gives it), or a [`Processor`]. The configuration is a JSON object.
///
/// # Errors
///
/// What the plugin answers: its configuration is refused, or it does not start. Then it was stopped.
pub fn start_test_plugin(plugin: impl IntoPlugin, config: &str) -> Result<Plugin> {
    let mut plugin = plugin.into_plugin();
    plugin.configure(config)?;
    if let Err(error) = plugin.start() {
        drop(plugin.stop()); // why it did not start says more
        return Err(error);
    }
    Ok(plugin)
}

/// What [`start_test_plugin`] takes.
pub trait IntoPlugin {
    /// Returns it as a plugin that nothing was asked of yet.
    fn into_plugin(self) -> Plugin;
}

impl IntoPlugin for Box<dyn Guest> {
    fn into_plugin(self) -> Plugin {
        Plugin::new(self)
    }
}

impl<P: Processor + 'static> IntoPlugin for P {
    fn into_plugin(self) -> Plugin {
        Plugin::of(self)
    }
}

/// A plugin in a test.
pub struct Plugin(Box<dyn Guest>);

fn input(bytes: impl Into<Vec<u8>>) -> Input {
    Input {
        bytes: bytes.into(),
        start: 0,
    }
}

impl Plugin {
    /// Returns a plugin made by the macro [`processor!`](crate::processor); in its crate
    /// `cdp_plugin()` gives it.
    pub fn new(guest: Box<dyn Guest>) -> Self {
        Plugin(guest)
    }

    /// Returns a plugin made of a processor.
    pub fn of(processor: impl Processor + 'static) -> Self {
        Plugin(crate::guest::processor(processor))
    }

    /// Returns what the plugin says of itself.
    pub fn metadata(&mut self) -> Result<Object> {
        Object::parse(answered(self.0.metadata())?)
    }

    /// Hands over a configuration, a JSON object.
    pub fn configure(&mut self, config: &str) -> Result<()> {
        answered(self.0.configure(input(config))).map(drop)
    }

    /// Starts the plugin, as the stage `test` of the pipeline `test`.
    pub fn start(&mut self) -> Result<()> {
        self.start_with(r#"{"pipeline":"test","stage":"test","network":"","schemas":{}}"#)
    }

    /// Starts the plugin with a context, a JSON object.
    pub fn start_with(&mut self, context: &str) -> Result<()> {
        answered(self.0.start(input(context))).map(drop)
    }

    /// Hands over one message as a batch of its own; returns its output.
    ///
    /// # Errors
    ///
    /// What the plugin answers. A message that was left out is an error too, whose instruction is
    /// [`Drop`](Instruction::Drop) and whose message is the reason; [`codes::OUTPUT_INVALID`]: there
    /// are several outputs.
    pub fn process(&mut self, message: &Message) -> Result<Message> {
        let mut answer = self.process_all(std::slice::from_ref(message))?;
        if let Some(error) = answer.errors.into_values().next() {
            return Err(error);
        }
        match answer.outputs.len() {
            1 => Ok(answer.outputs.remove(0)),
            0 => Err(Error::drop(
                answer.dropped.into_keys().next().unwrap_or_default(),
            )),
            several => Err(Error::new(format!("expected one output, got {several}"))
                .code(codes::OUTPUT_INVALID)
                .hint("call `process_all`, which returns them all")),
        }
    }

    /// Hands over messages as one batch.
    ///
    /// # Errors
    ///
    /// One of the batch as a whole: a retry, a fatal error.
    pub fn process_all(&mut self, messages: &[Message]) -> Result<Answered> {
        let mut writer = BatchWriter::new(messages.len(), 0);
        messages.iter().for_each(|message| writer.add(message));
        self.process_wire(writer.finish(Encoding::Json))
    }

    /// Hands over one message by the call for single ones, as JSON; returns its outputs. A message that
    /// was dropped for a reason is an error that says so.
    pub fn process_single(&mut self, message: &Message) -> Result<Vec<Message>> {
        let mut json = Vec::new();
        write_message(message, &mut json)?;
        let answer = answered(self.0.process(input(json)))?;
        let text = String::from_utf8(answer)?;
        let outputs = elements(&text).unwrap_or_default();
        outputs
            .into_iter()
            .map(|output| read_message(Bytes::from(output)))
            .collect()
    }

    /// Hands over a batch as a `MessageBatch`.
    pub fn process_wire(&mut self, batch: Vec<u8>) -> Result<Answered> {
        let rows = Batch::decode(batch.clone(), 0)?.len();
        let answer = self.0.process_batch(input(batch));
        if answer.status != status::OK {
            return Err(failure(&answer));
        }
        Answered::decode(answer.bytes, answer.start, rows)
    }

    /// Returns how the plugin is, a JSON object.
    pub fn health(&mut self) -> Result<Object> {
        Object::parse(answered(self.0.health())?)
    }

    /// Returns the state.
    pub fn export_state(&mut self) -> Result<Vec<u8>> {
        answered(self.0.export_state())
    }

    /// Hands over a state.
    pub fn import_state(&mut self, state: &[u8]) -> Result<()> {
        answered(self.0.import_state(input(state))).map(drop)
    }

    /// Stops the plugin.
    pub fn stop(&mut self) -> Result<()> {
        answered(self.0.stop()).map(drop)
    }
}

fn answered(answer: Answer) -> Result<Vec<u8>> {
    match answer.status {
        status::OK => Ok(answer.bytes[answer.start..].to_vec()),
        _ => Err(failure(&answer)),
    }
}

/// Returns the error that an answer tells of.
fn failure(answer: &Answer) -> Error {
    let text = String::from_utf8_lossy(&answer.bytes[answer.start..]).into_owned();
    if answer.status == status::DROPPED {
        return Error::drop(text);
    }
    let object = Object::parse(text.as_str()).unwrap_or_default();
    let told = |name: &str| object.get::<String>(name).ok().flatten();
    let error = Error::new(told("message").unwrap_or(text));
    let error = error
        .hint(told("hint").unwrap_or_default())
        .instruct(match answer.status {
            status::RETRY => Instruction::Retry,
            status::FATAL => Instruction::Fatal,
            status::INVALID => Instruction::Invalid,
            _ => Instruction::None,
        });
    let error = match object.get::<f64>("retry_after_s") {
        Ok(Some(wait_s)) => error.after(Duration::from_secs_f64(wait_s)),
        _ => error,
    };
    match told("code") {
        Some(code) => error.code(code),
        None => error,
    }
}
