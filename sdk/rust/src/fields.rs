//! The fields of a JSON object, as places in its text.

use crate::bytes::Span;
use crate::json::{checked_text, unescaped, Fault, Reader, Written};

/// A field. Its key and its value stand in the object's text, or in what was added to it.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub key: Written,
    pub value: Span,
    pub key_added: bool,
    pub value_added: bool,
}

impl Field {
    /// Tells whether this is its name.
    #[inline]
    pub fn is_named(&self, text: &[u8], added: &[u8], name: &str) -> bool {
        const QUOTES: usize = 2;
        if !self.key.escaped && self.key.span.len() != name.len() + QUOTES {
            return false;
        }
        let quoted = self.key.span.of(if self.key_added { added } else { text });
        let written = &quoted[1..quoted.len() - 1];
        if !self.key.escaped {
            return written == name.as_bytes();
        }
        unescaped(checked_text(written)).map_or(false, |key| key == name)
    }
}

/// How many fields have room from the start.
const FEW: usize = 12;

/// Reads a text, the whole of which must be an object.
pub(crate) fn fields_of(text: &[u8]) -> Result<Vec<Field>, Fault> {
    let mut reader = Reader::new(&text[..text.len().min(Span::MOST)]);
    let mut fields = Vec::with_capacity(FEW);
    reader.space();
    reader.expect(b'{')?;
    reader.space();
    if !reader.take(b'}') {
        loop {
            let key = reader.key()?;
            let start = reader.at();
            reader.value()?;
            let value = Span::new(start, reader.at());
            fields.push(Field {
                key,
                value,
                key_added: false,
                value_added: false,
            });
            if !reader.more(b'}')? {
                break;
            }
        }
    }
    reader.end().map(|()| fields)
}

/// Appends fields as an object; those that follow each other in the text, in one piece.
pub(crate) fn write_fields(fields: &[Field], text: &[u8], added: &[u8], json: &mut Vec<u8>) {
    json.reserve(text.len() + added.len() + 2);
    json.push(b'{');
    let mut rest = fields;
    while let Some(field) = rest.first() {
        if rest.len() < fields.len() {
            json.push(b',');
        }
        let count = if field.value_added {
            1
        } else {
            run(rest, text)
        };
        if field.value_added {
            json.extend_from_slice(
                field
                    .key
                    .span
                    .of(if field.key_added { added } else { text }),
            );
            json.push(b':');
            json.extend_from_slice(field.value.of(added));
        } else {
            let end = rest[count - 1].value.end();
            json.extend_from_slice(Span::new(field.key.span.start(), end).of(text));
        }
        rest = &rest[count..];
    }
    json.push(b'}');
}

/// Returns how many fields, from the first on, follow each other in the text.
fn run(fields: &[Field], text: &[u8]) -> usize {
    let follow = |pair: &[Field]| {
        !pair[1].value_added && is_between(text, pair[0].value.end(), pair[1].key.span.start())
    };
    1 + fields.windows(2).take_while(|pair| follow(pair)).count()
}

/// Tells whether nothing but a comma and space stand there: no field was removed.
fn is_between(text: &[u8], start: usize, end: usize) -> bool {
    end == start + 1 || !Span::new(start, end).of(text).contains(&b'"')
}
