//! Gathers what comes of a batch, row by row.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::columns::Name;
use crate::error::{codes, Error, Instruction, Result};
use crate::message::{Message, CONTENT_TYPE_JSON};
use crate::metadata::Encoding;
use crate::outputs::{Given, Outputs};
use crate::writer::{BatchWriter, HEADROOM};

/// Gathers outputs, drops and errors of a batch into the columns of its answer.
///
/// Rows come in order. Whatever is not changed is copied once, from the bytes of the batch to
/// those of the answer, and not at all where every row passes as it came.
pub struct OutputCollector<'a> {
    batch: &'a Batch,
    writer: BatchWriter,
    rows: Vec<u32>,
    /// How many rows have passed as they came, as long as nothing else was given.
    passed: Option<usize>,
    unchanged: usize,
    errors: Vec<(u32, Error)>,
    dropped: BTreeMap<String, u64>,
}

impl<'a> OutputCollector<'a> {
    /// Returns a collector of the answer to a batch.
    pub fn new(batch: &'a Batch) -> Self {
        OutputCollector {
            batch,
            writer: BatchWriter::new(batch.len(), HEADROOM),
            rows: Vec::new(),
            passed: Some(0),
            unchanged: 0,
            errors: Vec::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// Passes on a row as it came.
    #[inline]
    pub fn pass(&mut self, row: usize) -> Result<()> {
        self.check(row)?;
        match &mut self.passed {
            Some(passed) if *passed == row => *passed += 1,
            _ => self.write(row, None),
        }
        Ok(())
    }

    /// Passes on a row with another payload, which is JSON.
    #[inline]
    pub fn replace(&mut self, row: usize, payload: &[u8]) -> Result<()> {
        self.check(row)?;
        self.write(row, Some(payload));
        Ok(())
    }

    /// Takes a message as an output of a row.
    #[inline]
    pub fn add(&mut self, row: usize, message: &Message) -> Result<()> {
        if row < self.batch.len() && self.is_row(row, message) {
            return self.pass(row);
        }
        self.check(row)?;
        self.unpass();
        let unchanged = message.payload.is_of(self.batch.buffer());
        self.unchanged += usize::from(unchanged);
        self.rows.push(row as u32);
        self.writer.add(message);
        Ok(())
    }

    /// Notes that a row failed. An error that says `drop` leaves it out.
    pub fn fail(&mut self, row: usize, error: Error) {
        if error.instruction() == Instruction::Drop {
            return self.drop(error.message());
        }
        self.errors.push((row as u32, error));
    }

    /// Notes that a row was left out, and why. Without a reason nothing needs to be noted.
    pub fn drop(&mut self, reason: &str) {
        match self.dropped.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.dropped.insert(reason.to_string(), 1);
            }
        }
    }

    /// Returns all that was gathered.
    ///
    /// # Errors
    ///
    /// - [`codes::ENCODING_UNSUPPORTED`]: Payloads that are not JSON were left as they came beside
    ///   others that were replaced; an answer has one form of payload.
    /// - [`codes::OUTPUT_INVALID`]: The row of an error is none of the batch.
    pub fn outputs(mut self) -> Result<Outputs> {
        if let Some((row, _)) = self
            .errors
            .iter()
            .find(|(row, _)| *row as usize >= self.batch.len())
        {
            return Err(out_of_range(*row as usize, self.batch.len()));
        }
        let given = if self.passed == Some(self.batch.len()) {
            Given::Batch
        } else {
            self.unpass();
            self.written()?
        };
        Ok(Outputs {
            given,
            errors: self.errors,
            dropped: self.dropped,
        })
    }

    fn written(&mut self) -> Result<Given> {
        let encoding = self.encoding()?;
        let writer = std::mem::replace(&mut self.writer, BatchWriter::new(0, 0));
        let (answer, start) = writer.finish_answer(encoding);
        let rows = std::mem::take(&mut self.rows);
        let one_each =
            rows.len() == self.batch.len() && (0..).zip(&rows).all(|(at, row)| at == *row);
        Ok(Given::Written {
            answer,
            start,
            rows: (!one_each).then_some(rows),
        })
    }

    fn encoding(&self) -> Result<Encoding> {
        let held = self.batch.encoding();
        if self.unchanged == self.writer.rows() {
            return Ok(held);
        }
        if self.unchanged > 0 && !held.is_text() {
            let name = held.name();
            return Err(Error::new(format!(
                "unchanged {name} payloads cannot stand beside JSON payloads in one answer"
            ))
            .code(codes::ENCODING_UNSUPPORTED)
            .hint("give every output a JSON payload, or leave all payloads as they came"));
        }
        Ok(Encoding::Json)
    }

    fn write(&mut self, row: usize, payload: Option<&[u8]>) {
        self.unpass();
        self.unchanged += usize::from(payload.is_none());
        self.rows.push(row as u32);
        self.writer.add_row(self.batch, row, payload);
    }

    /// Writes the rows that have passed so far: not all do.
    #[inline]
    fn unpass(&mut self) {
        if let Some(passed) = self.passed.take() {
            self.make_room();
            for row in 0..passed {
                self.write(row, None);
            }
        }
    }

    /// Each row may become somewhat longer.
    fn make_room(&mut self) {
        const MORE: usize = 32;
        self.rows.reserve(self.batch.len());
        self.writer
            .reserve(self.batch.size() + MORE * self.batch.len());
    }

    #[inline]
    fn check(&self, row: usize) -> Result<()> {
        let last = match self.passed {
            Some(passed) => passed.saturating_sub(1),
            None => self.rows.last().map_or(0, |row| *row as usize),
        };
        if row >= last && row < self.batch.len() {
            return Ok(());
        }
        Err(out_of_range(row, self.batch.len()))
    }

    /// Tells whether a message is a row of the batch, as it came.
    #[inline]
    fn is_row(&self, row: usize, message: &Message) -> bool {
        let buffer = self.batch.buffer();
        let span = |name| self.batch.span(name, row);
        let content_type = span(Name::ContentTypes);
        let payload = span(Name::Payloads);
        message.payload.is(buffer, payload)
            && !payload.is_empty()
            && message.id.is(buffer, span(Name::Ids))
            && message.r#type.is(buffer, span(Name::Types))
            && message.trace_id.is(buffer, span(Name::TraceIds))
            && match content_type.is_empty() {
                true => message.content_type == CONTENT_TYPE_JSON,
                false => message.content_type.is(buffer, content_type),
            }
            && message
                .metadata
                .unchanged()
                .map_or(false, |text| text.is(buffer, span(Name::Metadata)))
            && self.batch.is_source(&message.source)
    }
}

fn out_of_range(row: usize, rows: usize) -> Error {
    Error::new(format!(
        "expected outputs and errors of rows below {rows}, outputs in their order, got row {row}"
    ))
    .code(codes::OUTPUT_INVALID)
    .hint("name for each output the row of the batch that it derives from, in order")
}
