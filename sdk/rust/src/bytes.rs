//! Bytes that are cheap to hand on.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::object::Object;

/// A piece of a text or buffer, from `start` to `end` (exclusive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// What is taken apart into spans is at most this long, in bytes.
    pub const MOST: usize = u32::MAX as usize;

    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= Self::MOST);
        Span {
            start: start as u32,
            end: end as u32,
        }
    }

    #[inline]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    pub fn start(&self) -> usize {
        self.start as usize
    }

    pub fn end(&self) -> usize {
        self.end as usize
    }

    pub fn len(&self) -> usize {
        self.end() - self.start()
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns this piece of what itself begins at `base`.
    fn within(self, base: Span) -> Self {
        Span {
            start: base.start + self.start,
            end: base.start + self.end,
        }
    }
}

/// A buffer that several have pieces of.
pub(crate) type Buffer = Rc<Vec<u8>>;

/// Bytes: a piece of the batch that they came in, or a vector of their own.
///
/// They read as `&[u8]` and are made from texts, vectors and [`Object`]s. A piece of a batch keeps
/// the whole batch in memory; [`Bytes::own`] makes a copy to be kept for long.
#[derive(Clone)]
pub struct Bytes(Held);

#[derive(Clone)]
enum Held {
    Static(&'static [u8]),
    Shared(Buffer, Span),
    Own(Vec<u8>),
}

impl Bytes {
    /// Returns bytes that need no memory.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Bytes(Held::Static(bytes))
    }

    #[inline]
    pub(crate) fn shared(buffer: &Buffer, span: Span) -> Self {
        Bytes(Held::Shared(Rc::clone(buffer), span))
    }

    /// Returns a piece, which shares memory where it can.
    pub(crate) fn piece(&self, span: Span) -> Self {
        match &self.0 {
            Held::Static(bytes) => Bytes::from_static(span.of(bytes)),
            Held::Shared(buffer, base) => Bytes::shared(buffer, span.within(*base)),
            Held::Own(bytes) => span.of(bytes).into(),
        }
    }

    /// Tells whether these bytes are the given piece of a buffer, not only equal to it.
    #[inline]
    pub(crate) fn is(&self, buffer: &Buffer, span: Span) -> bool {
        match &self.0 {
            Held::Shared(held, own) => *own == span && Rc::ptr_eq(held, buffer),
            _ => span.is_empty() && self.is_empty(),
        }
    }

    /// Tells whether these bytes are some piece of a buffer.
    #[inline]
    pub(crate) fn is_of(&self, buffer: &Buffer) -> bool {
        matches!(&self.0, Held::Shared(held, _) if Rc::ptr_eq(held, buffer))
    }

    /// Returns the same bytes, in memory of their own.
    pub fn own(&self) -> Self {
        self.to_vec().into()
    }

    /// Returns the bytes as a vector.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Held::Own(bytes) => bytes,
            _ => self.to_vec(),
        }
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::from_static(b"")
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Static(bytes) => bytes,
            Held::Shared(buffer, span) => span.of(buffer),
            Held::Own(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", String::from_utf8_lossy(self))
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Bytes {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Eq for Bytes {}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Held::Own(bytes))
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Object> for Bytes {
    fn from(object: Object) -> Self {
        object.into_json()
    }
}
