//! The configuration of a plugin.

use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::json::{unexpected, FromJson};
use crate::object::Object;

/// A configuration, as it was handed over: a JSON object.
#[derive(Clone, Debug)]
pub struct Config {
    text: Bytes,
    pub(crate) object: Object,
}

impl Config {
    /// Reads a configuration; an empty text is `{}`.
    ///
    /// # Errors
    ///
    /// `plugin.config_invalid`: It is no JSON object.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self> {
        let mut text = text.into();
        if text.is_empty() {
            text = Bytes::from_static(b"{}");
        }
        let object =
            Object::parse(text.clone()).map_err(|error| Error::invalid(error.message()))?;
        Ok(Config { text, object })
    }

    /// Returns the text.
    pub fn json(&self) -> &Bytes {
        &self.text
    }

    /// Returns the configuration as an object that is read field by field.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Returns the value of a key, or nothing where it is missing.
    ///
    /// # Errors
    ///
    /// `plugin.config_invalid`: It is a value of another kind; the message names the key.
    pub fn get<T: FromJson>(&self, key: &str) -> Result<Option<T>> {
        match self.object.raw(key)? {
            Some(json) => match T::from_json(json) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong(key, &unexpected::<T>(json))),
            },
            None => Ok(None),
        }
    }

    /// Refuses every key but those given.
    ///
    /// # Errors
    ///
    /// `plugin.config_invalid`: There is another one; the hint lists those that are known.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self
            .object
            .names()?
            .iter()
            .find(|name| !known.contains(&name.as_str()))
        {
            Some(name) => Err(unknown(name, known)),
            None => Ok(()),
        }
    }
}

pub(crate) fn wrong(key: &str, fault: &str) -> Error {
    Error::invalid(format!("`{key}`: {fault}")).hint(format!("change `{key}`"))
}

pub(crate) fn unknown(name: &str, known: &[&str]) -> Error {
    let keys: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    let hint = match keys.is_empty() {
        true => "it takes no configuration".to_string(),
        false => format!("known keys: {}", keys.join(", ")),
    };
    Error::invalid(format!("unknown key `{name}`")).hint(hint)
}
