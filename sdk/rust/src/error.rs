//! What a plugin returns to tell the host what to do.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::json::{write_text, ToJson};

/// What a plugin's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The codes of errors that this crate itself gives.
pub mod codes {
    /// Something went wrong; the stage's `on_error` decides.
    pub const FAILED: &str = "plugin.failed";
    /// A configuration that cannot be used.
    pub const CONFIG_INVALID: &str = "plugin.config_invalid";
    /// A payload has no form in the encoding that was asked for.
    pub const ENCODING_UNSUPPORTED: &str = "plugin.encoding_unsupported";
    /// Try again later.
    pub const RETRY: &str = "plugin.retry";
    /// Left out on purpose.
    pub const DROP: &str = "plugin.drop";
    /// The pipeline stops.
    pub const FATAL: &str = "plugin.fatal";
    /// An answer that does not fit its batch.
    pub const OUTPUT_INVALID: &str = "plugin.output_invalid";
    /// A state was handed over, and the plugin keeps none.
    pub const STATE_UNSUPPORTED: &str = "plugin.state_unsupported";
    /// The columns of a batch do not fit together.
    pub const BATCH_INVALID: &str = "message.batch_invalid";
    /// Metadata that are not a JSON object.
    pub const METADATA_INVALID: &str = "message.metadata_invalid";
    /// A payload that is not the JSON it should be.
    pub const PAYLOAD_INVALID: &str = "message.payload_invalid";
}

/// What the host is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Nothing in particular: the stage's `on_error` decides.
    None,
    /// Try again: the failure is expected to pass. The stage waits, since order is kept.
    Retry,
    /// Leave this message out on purpose; counted by its reason, never an error.
    Drop,
    /// Stop the pipeline: going on would lose or corrupt data.
    Fatal,
    /// From `configure`: the configuration cannot be used.
    Invalid,
}

/// An error with a stable code, and with what the host shall do.
///
/// Any error of the standard library's kind becomes one with `?`; it keeps its text and gets the
/// code [`codes::FAILED`].
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Told>);

#[derive(Clone, Debug, PartialEq)]
struct Told {
    instruction: Instruction,
    code: Cow<'static, str>,
    message: String,
    hint: String,
    retry_after: Option<Duration>,
}

impl Error {
    fn told(instruction: Instruction, code: &'static str, message: impl Into<String>) -> Self {
        Error(Box::new(Told {
            instruction,
            code: code.into(),
            message: message.into(),
            hint: String::new(),
            retry_after: None,
        }))
    }

    /// Something went wrong; the stage's `on_error` decides what happens.
    pub fn new(message: impl Into<String>) -> Self {
        Error::told(Instruction::None, codes::FAILED, message)
    }

    /// Try again later; see [`Error::after`].
    pub fn retry(message: impl Into<String>) -> Self {
        Error::told(Instruction::Retry, codes::RETRY, message)
    }

    /// Leave the message out, and count the reason.
    pub fn drop(reason: impl Into<String>) -> Self {
        Error::told(Instruction::Drop, codes::DROP, reason)
    }

    /// Stop the pipeline.
    pub fn fatal(message: impl Into<String>) -> Self {
        Error::told(Instruction::Fatal, codes::FATAL, message)
    }

    /// The configuration cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::told(Instruction::Invalid, codes::CONFIG_INVALID, message)
    }

    /// Sets the stable dotted name of the kind of error, such as `enrich.type_unknown`.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Sets what the user can do about it, one sentence.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Sets the least wait before the next try; without it the stage's back-off decides.
    pub fn after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    pub(crate) fn instruct(mut self, instruction: Instruction) -> Self {
        self.0.instruction = instruction;
        self
    }

    /// Returns what the host is told to do.
    pub fn instruction(&self) -> Instruction {
        self.0.instruction
    }

    /// Returns the stable dotted name of the kind of error.
    pub fn code_text(&self) -> &str {
        &self.0.code
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns what the user can do about it, or nothing.
    pub fn hint_text(&self) -> &str {
        &self.0.hint
    }

    /// Returns the least wait before the next try, where there is one.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Error::new(message)
    }
}

impl ToJson for Error {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"code\":");
        write_text(json, self.code_text());
        json.extend_from_slice(b",\"message\":");
        write_text(json, self.message());
        if !self.hint_text().is_empty() {
            json.extend_from_slice(b",\"hint\":");
            write_text(json, self.hint_text());
        }
        if let Some(wait) = self.retry_after() {
            json.extend_from_slice(b",\"retry_after_s\":");
            wait.as_secs_f64().write_json(json);
        }
        json.push(b'}');
    }
}
