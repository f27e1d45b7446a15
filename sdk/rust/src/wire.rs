//! The wire format of protobuf, as far as batches need it.

use crate::bytes::Span;
use crate::error::{codes, Error, Result};

/// A field's number, and what it holds: a number, or the place of its bytes.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Number(u32, u64),
    Bytes(u32, Span),
}

/// Reads the fields of a message that stands in a piece of a buffer.
pub(crate) struct Fields<'a> {
    buffer: &'a [u8],
    at: usize,
    end: usize,
}

fn torn() -> Error {
    Error::new("expected a protobuf message, got bytes that are none")
        .code(codes::BATCH_INVALID)
        .hint("build host and plugin with the same plugin.proto")
}

impl<'a> Fields<'a> {
    pub fn new(buffer: &'a [u8], piece: Span) -> Self {
        Fields {
            buffer,
            at: piece.start(),
            end: piece.end(),
        }
    }

    /// Returns the next field, or nothing at the end; fields of 32 and 64 bits are numbers.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Field>> {
        if self.at == self.end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = (tag >> 3) as u32;
        Ok(Some(match tag & 7 {
            2 => Field::Bytes(number, self.piece()?),
            0 => Field::Number(number, self.varint()?),
            1 => Field::Number(number, self.fixed(8)?),
            5 => Field::Number(number, self.fixed(4)?),
            _ => return Err(torn()),
        }))
    }

    /// Tells whether there is nothing left.
    pub fn is_done(&self) -> bool {
        self.at == self.end
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = match self.buffer.get(self.at) {
                Some(&byte) if self.at < self.end => byte,
                _ => return Err(torn()),
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(torn())
    }

    #[inline]
    fn piece(&mut self) -> Result<Span> {
        let size = self.varint()?;
        if size > (self.end - self.at) as u64 {
            return Err(torn());
        }
        let start = self.at;
        self.at += size as usize;
        Ok(Span::new(start, self.at))
    }

    fn fixed(&mut self, size: usize) -> Result<u64> {
        if size > self.end - self.at {
            return Err(torn());
        }
        let bytes = &self.buffer[self.at..self.at + size];
        self.at += size;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// Appends a number.
#[inline]
pub(crate) fn put_varint(wire: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        wire.push(number as u8 | 0x80);
        number >>= 7;
    }
    wire.push(number as u8);
}

/// Appends a field that is a number, unless it is 0.
pub(crate) fn put_number(wire: &mut Vec<u8>, field: u32, number: u64) {
    if number != 0 {
        put_varint(wire, u64::from(field) << 3);
        put_varint(wire, number);
    }
}

/// Appends a field that is bytes, also where there are none.
#[inline]
pub(crate) fn put_entry(wire: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    debug_assert!(field < 16);
    wire.reserve(bytes.len() + 6);
    wire.push((field << 3 | 2) as u8);
    put_varint(wire, bytes.len() as u64);
    wire.extend_from_slice(bytes);
}

/// Appends a field that is bytes, unless it is empty.
pub(crate) fn put_bytes(wire: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_entry(wire, field, bytes);
    }
}
