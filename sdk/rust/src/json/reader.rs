//! Walks over JSON text (RFC 8259) and checks it, without building anything.

use super::nesting::Nesting;
use crate::bytes::Span;

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text ends before its value does.
    Early,
    /// This byte cannot stand here.
    Unexpected(usize),
    /// The string that ends here is not UTF-8.
    NotText(usize),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Early => write!(formatter, "the text ends too early"),
            Fault::Unexpected(at) => write!(formatter, "unexpected character at byte {at}"),
            Fault::NotText(at) => write!(formatter, "a string that is not UTF-8 ends at byte {at}"),
        }
    }
}

/// A string as it is written, quotes included.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub span: Span,
    pub escaped: bool,
}

pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Reader { text, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    fn fault(&self) -> Fault {
        if self.at < self.text.len() {
            Fault::Unexpected(self.at)
        } else {
            Fault::Early
        }
    }

    /// Returns the byte at hand, or 0 at the end; 0 itself has no place outside of a string.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    /// Steps over a byte, where it is at hand.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == byte;
        self.at += usize::from(is);
        is
    }

    #[inline]
    pub fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Fails unless nothing but space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Steps over the key at hand and its colon.
    #[inline]
    pub fn key(&mut self) -> Result<Written, Fault> {
        let start = self.at;
        let escaped = self.string()?;
        let span = Span::new(start, self.at);
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(Written { span, escaped })
    }

    /// Steps over a comma, or over the bracket that ends an array or object.
    #[inline]
    pub fn more(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.space();
        if self.take(b',') {
            self.space();
            return Ok(true);
        }
        self.expect(bracket).map(|()| false)
    }

    /// Steps over any value; however deep it is, the stack does not grow.
    #[inline]
    pub fn value(&mut self) -> Result<(), Fault> {
        match self.peek() {
            b'{' | b'[' => self.nested(),
            _ => self.plain(),
        }
    }

    fn nested(&mut self) -> Result<(), Fault> {
        let mut open = Nesting::default();
        loop {
            if !self.opened(&mut open)? {
                self.plain_or_closed(&mut open)?;
            }
            if open.depth == 0 {
                return Ok(());
            }
        }
    }

    /// Steps into an object or array, where one is at hand and not empty.
    fn opened(&mut self, open: &mut Nesting) -> Result<bool, Fault> {
        let object = match self.peek() {
            b'{' => true,
            b'[' => false,
            _ => return Ok(false),
        };
        self.at += 1;
        self.space();
        if self.take(if object { b'}' } else { b']' }) {
            self.closed(open)?;
            return Ok(true);
        }
        open.open(object);
        if object {
            self.key()?;
        }
        Ok(true)
    }

    fn plain_or_closed(&mut self, open: &mut Nesting) -> Result<(), Fault> {
        self.plain()?;
        self.closed(open)
    }

    /// After a value: steps out of all that ends here, and on to the next value.
    fn closed(&mut self, open: &mut Nesting) -> Result<(), Fault> {
        while open.depth > 0 {
            let object = open.in_object();
            if self.more(if object { b'}' } else { b']' })? {
                if object {
                    self.key()?;
                }
                return Ok(());
            }
            open.close();
        }
        Ok(())
    }

    /// Steps over a value that holds no other.
    #[inline]
    fn plain(&mut self) -> Result<(), Fault> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.fault())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Steps over a string and tells whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Fault> {
        self.expect(b'"')?;
        let (start, mut escaped, mut ascii) = (self.at, false, true);
        loop {
            self.plain_eights();
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    self.escape()?;
                    escaped = true;
                }
                byte if byte < b' ' => return Err(self.fault()),
                byte => {
                    ascii &= byte.is_ascii();
                    self.at += 1;
                }
            }
        }
        if !ascii && std::str::from_utf8(&self.text[start..self.at]).is_err() {
            return Err(Fault::NotText(self.at));
        }
        self.at += 1;
        Ok(escaped)
    }

    /// Steps over eight bytes at a time, as long as nothing in them needs a look.
    #[inline]
    fn plain_eights(&mut self) {
        while let Some(eight) = self.text.get(self.at..self.at + 8) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(eight);
            let special = special(u64::from_le_bytes(bytes));
            self.at += (special.trailing_zeros() / 8) as usize;
            if special != 0 {
                return;
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_ascii_hexdigit() {
                        return Err(self.fault());
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.fault()),
        }
        Ok(())
    }
}

/// Returns the top bits of those of eight bytes that are a quote, a backslash, a control
/// character or beyond ASCII; the lowest one that is set is exact.
#[inline]
fn special(eight: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x8080_8080_8080_8080;
    let quote = eight ^ (EACH * b'"' as u64);
    let backslash = eight ^ (EACH * b'\\' as u64);
    let found = (quote.wrapping_sub(EACH) & !quote)
        | (backslash.wrapping_sub(EACH) & !backslash)
        | (eight.wrapping_sub(EACH * b' ' as u64) & !eight)
        | eight;
    found & TOP
}
