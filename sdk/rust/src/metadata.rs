//! Who a plugin is.

use crate::error::{Error, Result};
use crate::json::ToJson;
use crate::object::Object;

/// Name and version of this SDK.
pub const SDK: &str = concat!("rust/", env!("CARGO_PKG_VERSION"));

/// The version of the WebAssembly ABI that this SDK speaks; see `spec/wasm-abi.md`.
pub const ABI: u32 = 1;

/// The form in which payloads are handed to a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// JSON after SEP-51.
    Sep51,
    /// XDR, as it is in the ledger.
    Xdr,
    /// An Arrow IPC stream for a whole batch.
    Arrow,
}

impl Encoding {
    const ALL: [Encoding; 4] = [
        Encoding::Json,
        Encoding::Sep51,
        Encoding::Xdr,
        Encoding::Arrow,
    ];

    /// Returns its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Json => "json",
            Encoding::Sep51 => "sep51",
            Encoding::Xdr => "xdr",
            Encoding::Arrow => "arrow",
        }
    }

    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return Some(Encoding::Json);
        }
        Encoding::ALL
            .into_iter()
            .find(|encoding| encoding.name().as_bytes() == name)
    }

    /// Tells whether payloads are JSON text.
    pub fn is_text(self) -> bool {
        matches!(self, Encoding::Json | Encoding::Sep51)
    }
}

/// What a plugin needs of the machine; 0 and false ask for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceRequirements {
    /// The memory that must be free before it is started, in MiB.
    pub min_memory_mb: u32,
    /// The memory that it uses at the most, in MiB; 0 is no bound of its own.
    pub max_memory_mb: u32,
    /// The relative weight of processor time, 1024 being one core's worth.
    pub cpu_shares: u32,
    /// Whether it needs a graphics processor.
    pub gpu_required: bool,
}

impl ResourceRequirements {
    fn as_object(self) -> Result<Object> {
        let mut object = Object::new();
        object.set("min_memory_mb", self.min_memory_mb)?;
        object.set("max_memory_mb", self.max_memory_mb)?;
        object.set("cpu_shares", self.cpu_shares)?;
        object.set("gpu_required", self.gpu_required)?;
        Ok(object)
    }
}

/// A plugin's identity card.
///
/// ```
/// let metadata = cdpplugin::Metadata::new("large-payments", "1.0.0")
///     .description("Passes on what moves more than a million")
///     .input_types(["Payment"]);
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    told: Object,
    fault: Option<Error>,
}

impl Metadata {
    /// Returns the metadata of a processor.
    ///
    /// `name` is unique, lower case with dashes; `version` is a semantic version.
    pub fn new(name: &str, version: &str) -> Self {
        let metadata = Metadata {
            told: Object::new(),
            fault: None,
        };
        metadata
            .with("name", name)
            .with("version", version)
            .with("type", "processor")
            .with("sdk", SDK)
            .with("abi", ABI)
    }

    fn with(mut self, name: &str, value: impl ToJson) -> Self {
        if let Err(error) = self.told.set(name, value) {
            self.fault = Some(error);
        }
        self
    }

    fn with_json(mut self, name: &str, json: &str) -> Self {
        if let Err(error) = self.told.set_raw(name, json) {
            self.fault = Some(error);
        }
        self
    }

    /// Says that the plugin is a consumer: what it has answered is durable.
    pub fn consumer(self) -> Self {
        self.with("type", "consumer")
    }

    /// Sets one sentence about it.
    pub fn description(self, description: &str) -> Self {
        self.with("description", description)
    }

    /// Sets who to ask.
    pub fn author(self, author: &str) -> Self {
        self.with("author", author)
    }

    /// Sets an SPDX expression, such as `Apache-2.0`.
    pub fn license(self, license: &str) -> Self {
        self.with("license", license)
    }

    /// Sets the message types that it takes; without them it takes any.
    pub fn input_types<const N: usize>(self, types: [&str; N]) -> Self {
        self.with("input_types", types)
    }

    /// Sets the message types that it gives; without them it gives those it was given.
    pub fn output_types<const N: usize>(self, types: [&str; N]) -> Self {
        self.with("output_types", types)
    }

    /// Sets the JSON Schema (draft 2020-12) of its configuration.
    pub fn config_schema(self, json: &str) -> Self {
        self.with_json("config_schema", json)
    }

    /// Sets the JSON Schema of an output type's payload.
    pub fn output_schema(mut self, r#type: &str, json: &str) -> Self {
        let mut schemas = self
            .told
            .object("output_schema")
            .ok()
            .flatten()
            .unwrap_or_default();
        if let Err(error) = schemas.set_raw(r#type, json) {
            self.fault = Some(error);
        }
        self.with("output_schema", schemas)
    }

    /// Sets the form in which payloads are handed to it; without it JSON.
    pub fn input_encoding(self, encoding: Encoding) -> Self {
        self.with("input_encoding", encoding.name())
    }

    /// Says that outputs depend on earlier messages: the plugin runs once, in order.
    pub fn stateful(self) -> Self {
        self.with("stateful", true)
    }

    /// Sets what it needs of the machine.
    pub fn resources(mut self, needed: ResourceRequirements) -> Self {
        match needed.as_object() {
            Ok(resources) => self.with("resources", resources),
            Err(error) => {
                self.fault = Some(error);
                self
            }
        }
    }

    /// Returns the metadata as JSON.
    ///
    /// # Errors
    ///
    /// A schema is no JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        match &self.fault {
            Some(error) => Err(error.clone()),
            None => Ok(self.told.to_json()),
        }
    }
}
