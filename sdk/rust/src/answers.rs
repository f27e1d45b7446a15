//! Reads what a plugin has answered to a batch: a `ProcessBatchResponse`.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::batch::Batch;
use crate::bytes::{Buffer, Span};
use crate::error::{codes, Error, Instruction, Result};
use crate::faults::{decode_error, text_of};
use crate::message::Message;
use crate::wire::{Field, Fields};

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    /// The outputs, in their order.
    pub outputs: Vec<Message>,
    /// For each output the input row that it derives from.
    pub rows: Vec<usize>,
    /// What went wrong, by input row.
    pub errors: BTreeMap<usize, Error>,
    /// Rows that were left out for a reason, counted by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Answered {
    /// Reads a `ProcessBatchResponse`, the answer to a batch of so many rows.
    ///
    /// # Errors
    ///
    /// [`codes::OUTPUT_INVALID`]: It does not fit the batch.
    pub fn read(wire: &[u8], rows: usize) -> Result<Self> {
        Answered::decode(wire.to_vec(), 0, rows)
    }

    /// Reads the answer to a batch of so many rows, where it begins in its bytes.
    ///
    /// # Errors
    ///
    /// [`codes::OUTPUT_INVALID`]: It does not fit the batch.
    pub(crate) fn decode(bytes: Vec<u8>, start: usize, rows: usize) -> Result<Self> {
        let piece = Span::new(start, bytes.len());
        let buffer: Buffer = Rc::new(bytes);
        let mut answered = Answered::default();
        let mut given = Vec::new();
        let mut fields = Fields::new(&buffer, piece);
        while let Some(field) = fields.next()? {
            match field {
                Field::Bytes(1, piece) => {
                    answered.outputs = messages(&Batch::decode_piece(Rc::clone(&buffer), piece)?)?
                }
                Field::Bytes(2, piece) => given.extend(packed(&buffer, piece)?),
                Field::Number(2, row) => given.push(row as usize),
                Field::Bytes(3, piece) => answered.take_error(&buffer, piece, rows)?,
                Field::Bytes(4, piece) => answered.take_dropped(&buffer, piece)?,
                _ => {}
            }
        }
        answered.rows = output_rows(given, answered.outputs.len(), rows)?;
        Ok(answered)
    }

    fn take_error(&mut self, buffer: &[u8], piece: Span, rows: usize) -> Result<()> {
        let (mut row, mut error) = (0, Error::new(""));
        let mut fields = Fields::new(buffer, piece);
        while let Some(field) = fields.next()? {
            match field {
                Field::Number(1, number) => row = number as usize,
                Field::Bytes(2, piece) => error = decode_error(piece.of(buffer))?,
                _ => {}
            }
        }
        if row >= rows {
            return Err(refused(format!(
                "expected an error of a row below {rows}, got row {row}"
            )));
        }
        match error.instruction() {
            Instruction::Drop => *self.dropped.entry(error.message().to_string()).or_default() += 1,
            _ => drop(self.errors.insert(row, error)),
        }
        Ok(())
    }

    fn take_dropped(&mut self, buffer: &[u8], piece: Span) -> Result<()> {
        let (mut reason, mut count) = (String::new(), 0);
        let mut fields = Fields::new(buffer, piece);
        while let Some(field) = fields.next()? {
            match field {
                Field::Bytes(1, piece) => reason = text_of(piece.of(buffer)),
                Field::Number(2, number) => count = number,
                _ => {}
            }
        }
        *self.dropped.entry(reason).or_default() += count;
        Ok(())
    }

    /// Returns the outputs of an input row.
    pub fn outputs_of(&self, row: usize) -> Vec<&Message> {
        let pairs = self.rows.iter().zip(&self.outputs);
        pairs
            .filter(|(own, _)| **own == row)
            .map(|(_, message)| message)
            .collect()
    }
}

fn messages(batch: &Batch) -> Result<Vec<Message>> {
    (0..batch.len()).map(|row| batch.message(row)).collect()
}

fn packed(buffer: &[u8], piece: Span) -> Result<Vec<usize>> {
    let (mut rows, mut fields) = (Vec::new(), Fields::new(buffer, piece));
    while !fields.is_done() {
        rows.push(fields.varint()? as usize);
    }
    Ok(rows)
}

fn output_rows(given: Vec<usize>, outputs: usize, rows: usize) -> Result<Vec<usize>> {
    if given.is_empty() && (outputs == 0 || outputs == rows) {
        return Ok((0..outputs).collect());
    }
    if given.len() != outputs {
        let expected = if given.is_empty() { rows } else { outputs };
        return Err(refused(format!(
            "expected {expected} outputs with a row each, got {outputs}"
        )));
    }
    if given.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(refused(
            "expected output rows that never decrease".to_string(),
        ));
    }
    match given.last() {
        Some(last) if *last >= rows => Err(refused(format!(
            "expected output rows below {rows}, got {last}"
        ))),
        _ => Ok(given),
    }
}

fn refused(message: String) -> Error {
    Error::new(message).code(codes::OUTPUT_INVALID)
}
