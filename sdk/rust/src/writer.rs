//! Writes messages as columns, straight into the bytes of a `MessageBatch`.

use std::rc::Rc;

use crate::batch::Batch;
use crate::columns::Name;
use crate::message::{Message, SourceInfo, CONTENT_TYPE_JSON};
use crate::metadata::Encoding;
use crate::wire::{put_bytes, put_entry, put_number, put_varint};

/// A column that is one entry for as long as all its entries are equal.
struct ColumnWriter {
    name: Name,
    rows: usize,
    first: Vec<u8>,
    /// All entries, once they differ.
    wire: Option<Vec<u8>>,
}

impl ColumnWriter {
    fn new(name: Name) -> Self {
        ColumnWriter {
            name,
            rows: 0,
            first: Vec::new(),
            wire: None,
        }
    }

    #[inline]
    fn add(&mut self, entry: &[u8], room: usize) {
        match &mut self.wire {
            Some(wire) => put_entry(wire, self.name as u32, entry),
            None if self.rows == 0 => self.first.extend_from_slice(entry),
            None if self.first == entry => {}
            None => self.expand(entry, room),
        }
        self.rows += 1;
    }

    #[cold]
    fn expand(&mut self, entry: &[u8], room: usize) {
        let longest = self.first.len().max(entry.len());
        let mut wire = Vec::with_capacity((longest + 4) * room.max(self.rows + 1));
        for _ in 0..self.rows {
            put_entry(&mut wire, self.name as u32, &self.first);
        }
        put_entry(&mut wire, self.name as u32, entry);
        self.wire = Some(wire);
    }

    /// Adds the first entry again, where the column is still constant.
    fn repeat(&mut self) -> bool {
        let constant = self.wire.is_none() && self.rows > 0;
        self.rows += usize::from(constant);
        constant
    }

    fn finish(&self, batch: &mut Vec<u8>) {
        match &self.wire {
            Some(wire) => batch.extend_from_slice(wire),
            None => put_bytes(batch, self.name as u32, &self.first),
        }
    }
}

/// Writes a batch message by message.
pub(crate) struct BatchWriter {
    room: usize,
    rows: usize,
    /// What is given back: first the payloads, which are the most.
    batch: Vec<u8>,
    headroom: usize,
    ids: ColumnWriter,
    types: ColumnWriter,
    metadata: ColumnWriter,
    sources: ColumnWriter,
    trace_ids: ColumnWriter,
    content_types: ColumnWriter,
    first_source: Option<Rc<SourceInfo>>,
    scratch: Vec<u8>,
}

impl BatchWriter {
    /// Returns a writer of about `room` messages, which leaves `headroom` bytes free at the front.
    pub fn new(room: usize, headroom: usize) -> Self {
        BatchWriter {
            room,
            rows: 0,
            batch: vec![0; headroom],
            headroom,
            ids: ColumnWriter::new(Name::Ids),
            types: ColumnWriter::new(Name::Types),
            metadata: ColumnWriter::new(Name::Metadata),
            sources: ColumnWriter::new(Name::Sources),
            trace_ids: ColumnWriter::new(Name::TraceIds),
            content_types: ColumnWriter::new(Name::ContentTypes),
            first_source: None,
            scratch: Vec::new(),
        }
    }

    /// Makes room for so many bytes.
    pub fn reserve(&mut self, size: usize) {
        self.batch.reserve(size);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub fn add(&mut self, message: &Message) {
        put_entry(&mut self.batch, Name::Payloads as u32, &message.payload);
        self.ids.add(message.id.as_bytes(), self.room);
        self.types.add(message.r#type.as_bytes(), self.room);
        self.trace_ids.add(message.trace_id.as_bytes(), self.room);
        self.content_types
            .add(content_type(message.content_type.as_bytes()), self.room);
        self.add_metadata(message);
        self.add_source(&message.source);
        self.rows += 1;
    }

    fn add_metadata(&mut self, message: &Message) {
        if let Some(text) = message.metadata.unchanged() {
            return self.metadata.add(text, self.room);
        }
        self.scratch.clear();
        message.metadata.write_to(&mut self.scratch);
        self.metadata.add(&self.scratch, self.room);
    }

    fn add_source(&mut self, source: &Rc<SourceInfo>) {
        let first = self.first_source.get_or_insert_with(|| Rc::clone(source));
        if Rc::ptr_eq(first, source) && self.sources.repeat() {
            return;
        }
        self.scratch.clear();
        put_bytes(&mut self.scratch, 1, source.name.as_bytes());
        put_bytes(&mut self.scratch, 2, source.network.as_bytes());
        put_bytes(&mut self.scratch, 3, source.uri.as_bytes());
        self.sources.add(&self.scratch, self.room);
    }

    /// Adds a row of a batch, with a payload of its own or as it came.
    #[inline]
    pub fn add_row(&mut self, batch: &Batch, row: usize, payload: Option<&[u8]>) {
        let entry = |name| batch.span(name, row).of(batch.buffer());
        let payload = payload.unwrap_or_else(|| entry(Name::Payloads));
        put_entry(&mut self.batch, Name::Payloads as u32, payload);
        self.ids.add(entry(Name::Ids), self.room);
        self.types.add(entry(Name::Types), self.room);
        self.metadata.add(entry(Name::Metadata), self.room);
        self.sources.add(entry(Name::Sources), self.room);
        self.trace_ids.add(entry(Name::TraceIds), self.room);
        self.content_types
            .add(content_type(entry(Name::ContentTypes)), self.room);
        self.rows += 1;
    }

    /// Returns the batch, with the headroom in front of it.
    pub fn finish(mut self, encoding: Encoding) -> Vec<u8> {
        let columns = [
            &self.ids,
            &self.types,
            &self.metadata,
            &self.sources,
            &self.trace_ids,
            &self.content_types,
        ];
        for column in columns {
            column.finish(&mut self.batch);
        }
        put_number(&mut self.batch, 1, self.rows as u64);
        put_bytes(&mut self.batch, 9, encoding.name().as_bytes());
        self.batch
    }

    /// Returns the batch as the first field of an answer, and where the answer begins.
    pub fn finish_answer(self, encoding: Encoding) -> (Vec<u8>, usize) {
        let (rows, headroom) = (self.rows, self.headroom);
        let mut answer = self.finish(encoding);
        if rows == 0 {
            return (Vec::new(), 0);
        }
        let start = put_header(&mut answer, headroom);
        (answer, start)
    }
}

/// The most that [`put_header`] needs in front of a batch.
pub(crate) const HEADROOM: usize = 16;

/// Makes a batch, behind the headroom in front of it, the first field of an answer; returns where
/// the answer begins.
pub(crate) fn put_header(answer: &mut [u8], headroom: usize) -> usize {
    let mut header = vec![1 << 3 | 2];
    put_varint(&mut header, (answer.len() - headroom) as u64);
    let start = headroom - header.len();
    answer[start..headroom].copy_from_slice(&header);
    start
}

/// JSON is the default, and written as such.
fn content_type(name: &[u8]) -> &[u8] {
    match name == CONTENT_TYPE_JSON.as_bytes() {
        true => b"",
        false => name,
    }
}
