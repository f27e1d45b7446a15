//! What the author of a plugin writes.

use crate::batch::Batch;
use crate::collector::OutputCollector;
use crate::config::Config;
use crate::error::{codes, Error, Result};
use crate::json::ToJson;
use crate::message::Message;
use crate::metadata::Metadata;
use crate::object::Object;
use crate::outputs::Outputs;
use crate::text::Text;

/// Where a plugin stands; handed over when it starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The pipeline's name.
    pub pipeline: Text,
    /// The name of the plugin's stage in it.
    pub stage: Text,
    /// The network's passphrase, or empty.
    pub network: Text,
    /// The JSON Schema of the payload of each message type that may come, as far as it is declared.
    pub schemas: Object,
}

/// How a plugin is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Healthy,
    /// It works, but look at it.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// How a plugin is, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthStatus {
    /// The state in one word.
    pub status: Status,
    /// One sentence for the operator.
    pub message: String,
    /// Free facts.
    pub details: Object,
}

impl Default for HealthStatus {
    fn default() -> Self {
        HealthStatus {
            status: Status::Healthy,
            message: String::new(),
            details: Object::new(),
        }
    }
}

impl ToJson for HealthStatus {
    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"status\":");
        let status = match self.status {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
        };
        status.write_json(json);
        json.extend_from_slice(b",\"message\":");
        self.message.write_json(json);
        json.extend_from_slice(b",\"details\":");
        self.details.write_json(json);
        json.push(b'}');
    }
}

/// What comes of one message: a [`Message`], none or one (`Option`), several (`Vec`), or none at
/// all (`()`, for consumers).
pub trait IntoMessages {
    /// Hands the messages over, as outputs of a row.
    fn give(self, row: usize, collector: &mut OutputCollector<'_>) -> Result<()>;
}

impl IntoMessages for Message {
    #[inline]
    fn give(self, row: usize, collector: &mut OutputCollector<'_>) -> Result<()> {
        collector.add(row, &self)
    }
}

impl IntoMessages for Option<Message> {
    #[inline]
    fn give(self, row: usize, collector: &mut OutputCollector<'_>) -> Result<()> {
        match self {
            Some(message) => collector.add(row, &message),
            None => Ok(()),
        }
    }
}

impl IntoMessages for Vec<Message> {
    fn give(self, row: usize, collector: &mut OutputCollector<'_>) -> Result<()> {
        self.iter()
            .try_for_each(|message| collector.add(row, message))
    }
}

impl IntoMessages for () {
    fn give(self, _: usize, _: &mut OutputCollector<'_>) -> Result<()> {
        Ok(())
    }
}

/// A processor or consumer with a configuration, a life or a state.
///
/// Calls come one at a time, in this order: `configure`, `start`, `import_state`, then any number of
/// messages and `health`, then `export_state` and `stop`.
pub trait Processor {
    /// What comes of one message, such as `Option<Message>` or `Vec<Message>`.
    type Output: IntoMessages;

    /// Says who the plugin is.
    fn metadata(&self) -> Metadata;

    /// Takes the configuration; called also for an empty one. Any error refuses it, and is shown to
    /// the user.
    fn configure(&mut self, _config: &Config) -> Result<()> {
        Ok(())
    }

    /// Begins the work.
    fn start(&mut self, _context: Context) -> Result<()> {
        Ok(())
    }

    /// Processes one message. An error costs the message, never its batch.
    fn process(&mut self, message: Message) -> Result<Self::Output>;

    /// Processes a batch. An error that is returned is about the whole of it; those of a row are
    /// handed to the collector. Without it each message is processed alone.
    fn process_batch(&mut self, batch: &Batch) -> Result<Outputs> {
        each_message(batch, |message| self.process(message))
    }

    /// Says how the plugin is; cheap.
    fn health(&self) -> HealthStatus {
        HealthStatus::default()
    }

    /// Returns the state, for the instance that replaces this one.
    fn export_state(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes the state of the instance that this one replaces.
    fn import_state(&mut self, state: &[u8]) -> Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        Err(Error::fatal("the plugin was handed a state and keeps none")
            .code(codes::STATE_UNSUPPORTED))
    }

    /// Ends the work; the last call. Not called where the plugin was not started.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Processes a batch message by message; an error costs its row.
#[inline]
pub fn each_message<O: IntoMessages>(
    batch: &Batch,
    mut process: impl FnMut(Message) -> Result<O>,
) -> Result<Outputs> {
    let mut collector = OutputCollector::new(batch);
    for row in 0..batch.len() {
        let given = batch.message(row).and_then(&mut process);
        if let Err(error) = given.and_then(|outputs| outputs.give(row, &mut collector)) {
            collector.fail(row, error);
        }
    }
    collector.outputs()
}

/// A plugin made of one function for a message.
pub(crate) struct MessageFunction<F> {
    pub metadata: Metadata,
    pub function: F,
}

impl<O: IntoMessages, F: FnMut(Message) -> Result<O>> Processor for MessageFunction<F> {
    type Output = O;

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn process(&mut self, message: Message) -> Result<O> {
        (self.function)(message)
    }
}

/// A plugin made of one function for a batch.
pub(crate) struct BatchFunction<F> {
    pub metadata: Metadata,
    pub function: F,
}

impl<F: FnMut(&Batch) -> Result<Outputs>> Processor for BatchFunction<F> {
    type Output = ();

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn process(&mut self, _: Message) -> Result<()> {
        Err(Error::fatal("the plugin takes batches"))
    }

    fn process_batch(&mut self, batch: &Batch) -> Result<Outputs> {
        (self.function)(batch)
    }
}
