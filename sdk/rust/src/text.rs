//! Text that is cheap to hand on.

use std::fmt;
use std::ops::Deref;

use crate::bytes::{Buffer, Bytes, Span};
use crate::error::{codes, Error, Result};

/// Text in UTF-8: a piece of the batch that it came in, or a string of its own.
///
/// It reads as `&str`.
#[derive(Clone, Default)]
pub struct Text(Bytes);

impl Text {
    /// Returns text that needs no memory.
    pub const fn from_static(text: &'static str) -> Self {
        Text(Bytes::from_static(text.as_bytes()))
    }

    /// Returns a piece of a buffer, which [`check`] has passed.
    #[inline]
    pub(crate) fn shared(buffer: &Buffer, span: Span) -> Self {
        debug_assert!(check(span.of(buffer)).is_ok());
        Text(Bytes::shared(buffer, span))
    }

    #[inline]
    pub(crate) fn is(&self, buffer: &Buffer, span: Span) -> bool {
        self.0.is(buffer, span)
    }

    /// Returns the text as `&str`.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: text is made of `str`, or of a piece that `check` has passed.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }
}

/// Fails where a text of a batch is not UTF-8.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(format!(
            "expected text in UTF-8, got `{}`",
            String::from_utf8_lossy(bytes)
        ))
        .code(codes::BATCH_INVALID)),
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for Text {
    fn eq(&self, other: &T) -> bool {
        self.as_str() == other.as_ref()
    }
}

impl Eq for Text {}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.into())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_string()
    }
}
