//! The calls of the WebAssembly ABI (`spec/wasm-abi.md`) as functions from bytes to answers.

use crate::answers::Answered;
use crate::batch::Batch;
use crate::bytes::Bytes;
use crate::config::Config;
use crate::error::{codes, Error, Instruction, Result};
use crate::json::ToJson;
use crate::message::Message;
use crate::metadata::Metadata;
use crate::object::Object;
use crate::outputs::Outputs;
use crate::processor::{BatchFunction, Context, IntoMessages, MessageFunction, Processor};
use crate::single::{read_message, write_messages};

/// What the status of an answer says.
pub mod status {
    /// The answer's bytes are what was asked for.
    pub const OK: u32 = 0;
    /// The message was left out; the bytes are the reason.
    pub const DROPPED: u32 = 1;
    /// Try again.
    pub const RETRY: u32 = 2;
    /// An error.
    pub const ERROR: u32 = 3;
    /// The pipeline stops.
    pub const FATAL: u32 = 4;
    /// The configuration cannot be used.
    pub const INVALID: u32 = 5;
    /// Memory was asked for and there was none.
    pub const MEMORY: u32 = 6;
}

/// What a call answers: a status, and bytes from `start` on.
#[derive(Debug)]
pub struct Answer {
    /// One of [`status`].
    pub status: u32,
    /// The answer's bytes, behind `start` others.
    pub bytes: Vec<u8>,
    /// Where they begin.
    pub start: usize,
}

impl Answer {
    fn new(status: u32, bytes: Vec<u8>) -> Self {
        Answer {
            status,
            bytes,
            start: 0,
        }
    }

    fn of(given: Result<Vec<u8>>) -> Self {
        match given {
            Ok(bytes) => Answer::new(status::OK, bytes),
            Err(error) => Answer::failed(&error),
        }
    }

    fn failed(error: &Error) -> Self {
        let status = match error.instruction() {
            Instruction::Drop => {
                return Answer::new(status::DROPPED, error.message().as_bytes().to_vec())
            }
            Instruction::None => status::ERROR,
            Instruction::Retry => status::RETRY,
            Instruction::Fatal => status::FATAL,
            Instruction::Invalid => status::INVALID,
        };
        Answer::new(status, error.to_json())
    }
}

/// What a call is given: bytes, from `start` on.
#[derive(Debug)]
pub struct Input {
    /// The bytes, behind `start` others.
    pub bytes: Vec<u8>,
    /// Where they begin.
    pub start: usize,
}

impl Input {
    fn into_bytes(self) -> Bytes {
        match self.start {
            0 => self.bytes.into(),
            start => self.bytes[start..].into(),
        }
    }
}

/// A plugin as the host sees it.
pub trait Guest {
    /// Says who the plugin is.
    fn metadata(&mut self) -> Answer;
    /// Takes the configuration.
    fn configure(&mut self, config: Input) -> Answer;
    /// Takes the context.
    fn start(&mut self, context: Input) -> Answer;
    /// Takes one message, as JSON.
    fn process(&mut self, message: Input) -> Answer;
    /// Takes a batch.
    fn process_batch(&mut self, batch: Input) -> Answer;
    /// Says how the plugin is.
    fn health(&mut self) -> Answer;
    /// Ends the work.
    fn stop(&mut self) -> Answer;
    /// Gives the state.
    fn export_state(&mut self) -> Answer;
    /// Takes the state.
    fn import_state(&mut self, state: Input) -> Answer;
}

/// Returns a processor as a plugin.
pub fn processor(processor: impl Processor + 'static) -> Box<dyn Guest> {
    Box::new(Hosted {
        processor,
        started: false,
    })
}

/// Returns a function for one message as a plugin.
pub fn message_function<O: IntoMessages + 'static>(
    metadata: Metadata,
    function: impl FnMut(Message) -> Result<O> + 'static,
) -> Box<dyn Guest> {
    processor(MessageFunction { metadata, function })
}

/// Returns a function for batches as a plugin.
pub fn batch_function(
    metadata: Metadata,
    function: impl FnMut(&Batch) -> Result<Outputs> + 'static,
) -> Box<dyn Guest> {
    processor(BatchFunction { metadata, function })
}

struct Hosted<P> {
    processor: P,
    started: bool,
}

impl<P: Processor> Hosted<P> {
    fn configured(&mut self, config: Input) -> Result<()> {
        self.processor
            .configure(&Config::parse(config.into_bytes())?)
    }

    fn begun(&mut self, context: Input) -> Result<()> {
        self.started = true;
        self.processor.start(read_context(context.into_bytes())?)
    }

    fn processed(&mut self, batch: &Batch) -> Result<Outputs> {
        match self.processor.process_batch(batch) {
            Err(error) if error.instruction() == Instruction::Drop => {
                Ok(Outputs::none(batch.len(), error.message()))
            }
            given => given,
        }
    }

    fn answered(&mut self, input: Input) -> Result<Answer> {
        let batch = Batch::decode(input.bytes, input.start)?;
        let outputs = self.processed(&batch)?;
        let (bytes, start) = outputs.encode(batch);
        Ok(Answer {
            status: status::OK,
            bytes,
            start,
        })
    }

    /// Works on a message as a batch of one row.
    fn answered_one(&mut self, input: Input) -> Result<Vec<u8>> {
        let batch = Batch::of(&[read_message(input.into_bytes())?])?;
        let outputs = self.processed(&batch)?;
        let (bytes, start) = outputs.encode(batch);
        let answered = Answered::decode(bytes, start, 1)?;
        if let Some(error) = answered.errors.into_values().next() {
            return Err(error);
        }
        match answered.dropped.into_keys().next() {
            Some(reason) if answered.outputs.is_empty() => Err(Error::drop(reason)),
            _ => write_messages(&answered.outputs),
        }
    }

    fn stopped(&mut self) -> Result<()> {
        match std::mem::take(&mut self.started) {
            true => self.processor.stop(),
            false => Ok(()),
        }
    }
}

/// A configuration is refused by any error that says nothing else.
fn refused(error: Error) -> Error {
    if error.instruction() != Instruction::None {
        return error;
    }
    let error = error.instruct(Instruction::Invalid);
    match error.code_text() == codes::FAILED {
        true => error.code(codes::CONFIG_INVALID),
        false => error,
    }
}

fn read_context(json: Bytes) -> Result<Context> {
    let object = Object::parse(json)?;
    let text = |name| Ok::<_, Error>(object.get(name)?.unwrap_or_default());
    Ok(Context {
        pipeline: text("pipeline")?,
        stage: text("stage")?,
        network: text("network")?,
        schemas: object.object("schemas")?.unwrap_or_default(),
    })
}

impl<P: Processor> Guest for Hosted<P> {
    fn metadata(&mut self) -> Answer {
        Answer::of(self.processor.metadata().to_json())
    }

    fn configure(&mut self, config: Input) -> Answer {
        Answer::of(
            self.configured(config)
                .map(|()| Vec::new())
                .map_err(refused),
        )
    }

    fn start(&mut self, context: Input) -> Answer {
        Answer::of(self.begun(context).map(|()| Vec::new()))
    }

    fn process(&mut self, message: Input) -> Answer {
        Answer::of(self.answered_one(message))
    }

    fn process_batch(&mut self, batch: Input) -> Answer {
        self.answered(batch)
            .unwrap_or_else(|error| Answer::failed(&error))
    }

    fn health(&mut self) -> Answer {
        Answer::of(Ok(self.processor.health().to_json()))
    }

    fn stop(&mut self) -> Answer {
        Answer::of(self.stopped().map(|()| Vec::new()))
    }

    fn export_state(&mut self) -> Answer {
        Answer::of(self.processor.export_state())
    }

    fn import_state(&mut self, state: Input) -> Answer {
        let state = &state.bytes[state.start..];
        Answer::of(self.processor.import_state(state).map(|()| Vec::new()))
    }
}
