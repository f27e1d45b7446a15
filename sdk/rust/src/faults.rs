//! Errors on the wire: the protobuf message `Error`.

use std::time::Duration;

use crate::bytes::Span;
use crate::error::{Error, Instruction, Result};
use crate::wire::{put_bytes, put_entry, put_number, Field, Fields};

/// Returns an error as a protobuf `Error`.
pub(crate) fn encode_error(error: &Error) -> Vec<u8> {
    let mut wire = Vec::new();
    let instruction = match error.instruction() {
        Instruction::None | Instruction::Invalid => 0,
        Instruction::Retry => 1,
        Instruction::Drop => 2,
        Instruction::Fatal => 3,
    };
    put_number(&mut wire, 1, instruction);
    put_bytes(&mut wire, 2, error.code_text().as_bytes());
    put_bytes(&mut wire, 3, error.message().as_bytes());
    put_bytes(&mut wire, 4, error.hint_text().as_bytes());
    if let Some(wait) = error.retry_after() {
        let mut duration = Vec::new();
        put_number(&mut duration, 1, wait.as_secs());
        put_number(&mut duration, 2, u64::from(wait.subsec_nanos()));
        put_entry(&mut wire, 5, &duration);
    }
    wire
}

/// Reads a protobuf `Error`.
pub(crate) fn decode_error(wire: &[u8]) -> Result<Error> {
    let mut error = Error::new("");
    let (mut instruction, mut code, mut message, mut hint) =
        (0, String::new(), String::new(), String::new());
    let mut fields = Fields::new(wire, Span::new(0, wire.len()));
    while let Some(field) = fields.next()? {
        match field {
            Field::Number(1, number) => instruction = number,
            Field::Bytes(2, piece) => code = text_of(piece.of(wire)),
            Field::Bytes(3, piece) => message = text_of(piece.of(wire)),
            Field::Bytes(4, piece) => hint = text_of(piece.of(wire)),
            Field::Bytes(5, piece) => error = error.after(duration(piece.of(wire))?),
            _ => {}
        }
    }
    let wait = error.retry_after();
    let mut error = match instruction {
        1 => Error::retry(message),
        2 => Error::drop(message),
        3 => Error::fatal(message),
        _ => Error::new(message),
    };
    if let Some(wait) = wait {
        error = error.after(wait);
    }
    if !code.is_empty() {
        error = error.code(code);
    }
    Ok(error.hint(hint))
}

fn duration(wire: &[u8]) -> Result<Duration> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    let mut fields = Fields::new(wire, Span::new(0, wire.len()));
    while let Some(field) = fields.next()? {
        match field {
            Field::Number(1, number) => seconds = number,
            Field::Number(2, number) => nanoseconds = number as u32,
            _ => {}
        }
    }
    Ok(Duration::new(seconds, nanoseconds))
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
