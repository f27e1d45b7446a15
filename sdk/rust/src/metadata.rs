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

    /// Sets the memory that must be free before it is started, and that it uses at the most.
    pub fn memory_mb(self, min: u32, max: u32) -> Self {
        let mut resources = Object::new();
        let set = resources
            .set("min_memory_mb", min)
            .and_then(|()| resources.set("max_memory_mb", max));
        debug_assert!(set.is_ok());
        self.with("resources", resources)
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
