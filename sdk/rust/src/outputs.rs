//! What a processor answers to a batch: outputs and errors, each with the input row it is of.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::batch::Batch;
use crate::bytes::Span;
use crate::error::Error;
use crate::faults::encode_error;
use crate::wire::{put_bytes, put_entry, put_number, put_varint};
use crate::writer::{put_header, HEADROOM};

/// The answer to one batch; an [`OutputCollector`](crate::OutputCollector) makes it.
///
/// An input row with neither output nor error was dropped on purpose (a filter).
#[derive(Debug)]
pub struct Outputs {
    pub(crate) given: Given,
    pub(crate) errors: Vec<(u32, Error)>,
    pub(crate) dropped: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub(crate) enum Given {
    /// The batch as it came.
    Batch,
    /// The front of an answer, and where it begins in its bytes.
    Written {
        answer: Vec<u8>,
        start: usize,
        rows: Option<Vec<u32>>,
    },
}

impl Outputs {
    /// Passes on every row as it came.
    pub fn each() -> Self {
        Outputs {
            given: Given::Batch,
            errors: Vec::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// Leaves out every row of a batch, for one reason.
    pub(crate) fn none(rows: usize, reason: &str) -> Self {
        let given = Given::Written {
            answer: Vec::new(),
            start: 0,
            rows: None,
        };
        let dropped = BTreeMap::from([(reason.to_string(), rows as u64)]);
        Outputs {
            given,
            errors: Vec::new(),
            dropped,
        }
    }

    /// Returns the answer to a batch as a `ProcessBatchResponse`, and where it begins in its bytes.
    pub(crate) fn encode(self, batch: Batch) -> (Vec<u8>, usize) {
        let (mut answer, start, rows) = match self.given {
            Given::Batch => as_it_came(batch),
            Given::Written {
                answer,
                start,
                rows,
            } => (answer, start, rows),
        };
        if let Some(rows) = rows {
            put_rows(&mut answer, &rows);
        }
        for (row, error) in &self.errors {
            put_bytes(&mut answer, 3, &row_error(*row, error));
        }
        for (reason, count) in &self.dropped {
            put_entry(&mut answer, 4, &dropped(reason, *count));
        }
        (answer, start)
    }
}

/// Puts a header in front of a batch, where it is, unless somebody keeps a piece of it.
fn as_it_came(batch: Batch) -> (Vec<u8>, usize, Option<Vec<u32>>) {
    if batch.is_empty() {
        return (Vec::new(), 0, None);
    }
    let (buffer, piece) = batch.into_buffer();
    let (mut answer, headroom) = match Rc::try_unwrap(buffer) {
        Ok(own) if piece.start() >= HEADROOM && piece.end() == own.len() => (own, piece.start()),
        Ok(own) => (copied(&own, piece), HEADROOM),
        Err(kept) => (copied(&kept, piece), HEADROOM),
    };
    let start = put_header(&mut answer, headroom);
    (answer, start, None)
}

fn copied(buffer: &[u8], piece: Span) -> Vec<u8> {
    let mut answer = Vec::with_capacity(HEADROOM + piece.of(buffer).len());
    answer.resize(HEADROOM, 0);
    answer.extend_from_slice(piece.of(buffer));
    answer
}

fn put_rows(answer: &mut Vec<u8>, rows: &[u32]) {
    let mut packed = Vec::with_capacity(rows.len() * 3);
    for row in rows {
        put_varint(&mut packed, u64::from(*row));
    }
    put_bytes(answer, 2, &packed);
}

fn row_error(row: u32, error: &Error) -> Vec<u8> {
    let mut wire = Vec::new();
    put_number(&mut wire, 1, u64::from(row));
    put_entry(&mut wire, 2, &encode_error(error));
    wire
}

fn dropped(reason: &str, count: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    put_bytes(&mut wire, 1, reason.as_bytes());
    put_number(&mut wire, 2, count);
    wire
}
