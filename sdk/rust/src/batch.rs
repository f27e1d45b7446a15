//! A number of messages as columns.

use std::cell::RefCell;
use std::rc::Rc;

use crate::bytes::{Buffer, Bytes, Span};
use crate::columns::{Column, Entries, Name};
use crate::error::{codes, Error, Result};
use crate::message::{Message, SourceInfo, CONTENT_TYPE_JSON};
use crate::metadata::Encoding;
use crate::object::Object;
use crate::text::{self, Text};
use crate::wire::{Field, Fields};
use crate::writer::BatchWriter;

/// A number of messages as columns, which are read-only and share the memory that they came in.
#[derive(Debug)]
pub struct Batch {
    buffer: Buffer,
    piece: Span,
    rows: usize,
    columns: [Entries; 7],
    encoding: Encoding,
    arrow: Span,
    source: RefCell<Option<Rc<SourceInfo>>>,
}

impl Batch {
    /// Reads a `MessageBatch` that stands behind a number of other bytes.
    pub(crate) fn decode(bytes: Vec<u8>, start: usize) -> Result<Self> {
        if bytes.len() > Span::MOST {
            return Err(invalid(format!(
                "the batch has {} bytes, too many",
                bytes.len()
            )));
        }
        let piece = Span::new(start, bytes.len());
        Batch::decode_piece(Rc::new(bytes), piece)
    }

    /// Reads a `MessageBatch` that is a piece of a buffer.
    pub(crate) fn decode_piece(buffer: Buffer, piece: Span) -> Result<Self> {
        let mut batch = Batch {
            buffer: Rc::clone(&buffer),
            piece,
            rows: 0,
            columns: Default::default(),
            encoding: Encoding::Json,
            arrow: Span::default(),
            source: RefCell::default(),
        };
        let mut fields = Fields::new(&buffer, piece);
        while let Some(field) = fields.next()? {
            match field {
                Field::Number(1, rows) => batch.rows = rows as u32 as usize,
                Field::Bytes(9, name) => batch.encoding = encoding_of(name.of(&buffer))?,
                Field::Bytes(10, piece) => batch.arrow = piece,
                Field::Bytes(number, piece) => batch.take(number, piece)?,
                Field::Number(..) => {}
            }
        }
        batch.check().map(|()| batch)
    }

    #[inline]
    fn take(&mut self, number: u32, piece: Span) -> Result<()> {
        if let Some(name) = Name::of(number) {
            if name.is_text() {
                text::check(piece.of(&self.buffer))?;
            }
            let entries = &mut self.columns[name.place()].0;
            if entries.len() == 1 {
                entries.reserve(self.rows.min(self.buffer.len()));
            }
            entries.push(piece);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        for name in Name::ALL {
            let count = self.columns[name.place()].0.len();
            if count != 0 && count != self.rows && (count != 1 || self.rows == 0) {
                return Err(invalid(format!(
                    "column `{}` has {count} entries in a batch of {} rows, expected none, one or one a row",
                    name.label(),
                    self.rows
                )));
            }
        }
        Ok(())
    }

    /// Returns messages as a batch, one row each.
    pub fn of(messages: &[Message]) -> Result<Self> {
        let mut writer = BatchWriter::new(messages.len(), 0);
        for message in messages {
            writer.add(message);
        }
        Batch::decode(writer.finish(Encoding::Json), 0)
    }

    /// Returns the number of messages.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Tells whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the form of the payloads.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the Arrow IPC stream that holds all rows, where that is the encoding.
    pub fn arrow(&self) -> &[u8] {
        self.arrow.of(&self.buffer)
    }

    fn column(&self, name: Name, default: &'static [u8]) -> Column<'_> {
        Column {
            buffer: &self.buffer,
            entries: &self.columns[name.place()],
            default,
        }
    }

    /// Returns the message ids.
    pub fn ids(&self) -> Column<'_> {
        self.column(Name::Ids, b"")
    }

    /// Returns the message types.
    pub fn types(&self) -> Column<'_> {
        self.column(Name::Types, b"")
    }

    /// Returns the payloads.
    pub fn payloads(&self) -> Column<'_> {
        self.column(Name::Payloads, self.empty_payload())
    }

    /// Returns the metadata, JSON objects.
    pub fn metadata(&self) -> Column<'_> {
        self.column(Name::Metadata, b"{}")
    }

    /// Returns the trace ids.
    pub fn trace_ids(&self) -> Column<'_> {
        self.column(Name::TraceIds, b"")
    }

    /// Returns the content types.
    pub fn content_types(&self) -> Column<'_> {
        self.column(Name::ContentTypes, CONTENT_TYPE_JSON.as_bytes())
    }

    fn empty_payload(&self) -> &'static [u8] {
        match self.encoding.is_text() {
            true => b"null",
            false => b"",
        }
    }

    #[inline]
    pub(crate) fn span(&self, name: Name, row: usize) -> Span {
        self.columns[name.place()].at(row)
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn into_buffer(self) -> (Buffer, Span) {
        (self.buffer, self.piece)
    }

    /// Returns the batch as a `MessageBatch`, the form in which a host sends it.
    pub fn wire(&self) -> &[u8] {
        self.piece.of(&self.buffer)
    }

    /// Returns how many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.piece.len()
    }

    /// Tells whether this is the one source of all rows.
    #[inline]
    pub(crate) fn is_source(&self, source: &Rc<SourceInfo>) -> bool {
        self.source
            .borrow()
            .as_ref()
            .map_or(false, |own| Rc::ptr_eq(own, source))
    }

    /// Returns a row as a message.
    ///
    /// # Errors
    ///
    /// [`codes::ENCODING_UNSUPPORTED`]: The batch is an Arrow stream, see [`Batch::arrow`].
    #[inline]
    pub fn message(&self, row: usize) -> Result<Message> {
        if self.encoding == Encoding::Arrow {
            return Err(
                Error::new("the rows of an arrow batch cannot be read one by one")
                    .code(codes::ENCODING_UNSUPPORTED)
                    .hint("read `Batch::arrow` in a batch function, or ask for json"),
            );
        }
        Ok(Message {
            id: self.text(Name::Ids, row),
            r#type: self.text(Name::Types, row),
            payload: self.payload(row),
            metadata: Object::unread(self.bytes(Name::Metadata, row)),
            source: self.source(row)?,
            trace_id: self.text(Name::TraceIds, row),
            content_type: self.content_type(row),
        })
    }

    /// Returns the payload of a row as an object that is read field by field.
    ///
    /// # Errors
    ///
    /// `message.payload_invalid`: It is something else.
    #[inline]
    pub fn object(&self, row: usize) -> Result<Object> {
        Object::parse(self.payload(row))
    }

    #[inline]
    fn bytes(&self, name: Name, row: usize) -> Bytes {
        let span = self.span(name, row);
        if span.is_empty() {
            return Bytes::default();
        }
        Bytes::shared(&self.buffer, span)
    }

    #[inline]
    fn text(&self, name: Name, row: usize) -> Text {
        let span = self.span(name, row);
        if span.is_empty() {
            return Text::default();
        }
        Text::shared(&self.buffer, span)
    }

    #[inline]
    fn payload(&self, row: usize) -> Bytes {
        let span = self.span(Name::Payloads, row);
        if span.is_empty() {
            return Bytes::from_static(self.empty_payload());
        }
        Bytes::shared(&self.buffer, span)
    }

    #[inline]
    fn content_type(&self, row: usize) -> Text {
        let span = self.span(Name::ContentTypes, row);
        if span.is_empty() {
            return Text::from_static(CONTENT_TYPE_JSON);
        }
        Text::shared(&self.buffer, span)
    }

    /// Returns where a row came from.
    pub fn source(&self, row: usize) -> Result<Rc<SourceInfo>> {
        if !self.columns[Name::Sources.place()].is_constant() {
            return self.read_source(row).map(Rc::new);
        }
        let mut held = self.source.borrow_mut();
        if let Some(source) = &*held {
            return Ok(Rc::clone(source));
        }
        let source = Rc::new(self.read_source(row)?);
        *held = Some(Rc::clone(&source));
        Ok(source)
    }

    fn read_source(&self, row: usize) -> Result<SourceInfo> {
        let mut source = SourceInfo::default();
        let mut fields = Fields::new(&self.buffer, self.span(Name::Sources, row));
        while let Some(field) = fields.next()? {
            if let Field::Bytes(number, piece) = field {
                text::check(piece.of(&self.buffer))?;
                let text = Text::shared(&self.buffer, piece);
                match number {
                    1 => source.name = text,
                    2 => source.network = text,
                    3 => source.uri = text,
                    _ => {}
                }
            }
        }
        Ok(source)
    }
}

fn invalid(message: String) -> Error {
    Error::new(message)
        .code(codes::BATCH_INVALID)
        .hint("give each column no entry, one entry, or one entry a row")
}

fn encoding_of(name: &[u8]) -> Result<Encoding> {
    Encoding::named(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Error::new(format!(
            "expected payloads in json, sep51, xdr or arrow, got `{name}`"
        ))
        .code(codes::ENCODING_UNSUPPORTED)
    })
}
