//! Decimal numbers, compared exactly however many digits they have.

use std::cmp::Ordering;

/// A decimal number as it is written: `-12.50e3`. Leading zeros may stand.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a number, or nothing where the text is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (text, exponent) = match text.split_once(['e', 'E']) {
            Some((text, exponent)) => (text, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (text, ""),
        };
        is_digits(whole).then_some(Decimal {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    /// Returns the digits from the first that is not zero on, and how many places it stands before
    /// the point; zero has no digits.
    fn significant(&self) -> (impl Iterator<Item = u8> + 'a, i64) {
        let digits = self.whole.bytes().chain(self.fraction.bytes());
        let zeros = digits.clone().take_while(|digit| *digit == b'0').count();
        let places = (self.whole.len() as i64 - zeros as i64).saturating_add(self.exponent);
        (digits.skip(zeros), places)
    }

    fn is_zero(&self) -> bool {
        self.whole
            .bytes()
            .chain(self.fraction.bytes())
            .all(|digit| digit == b'0')
    }

    fn magnitude(&self, other: &Decimal<'_>) -> Ordering {
        let (mine, my_places) = self.significant();
        let (theirs, their_places) = other.significant();
        my_places.cmp(&their_places).then_with(|| {
            let most = (self.whole.len() + self.fraction.len())
                .max(other.whole.len() + other.fraction.len());
            let padded = std::iter::repeat(b'0');
            mine.chain(padded.clone())
                .take(most)
                .cmp(theirs.chain(padded).take(most))
        })
    }

    /// Compares two numbers.
    pub fn compare(&self, other: &Decimal<'_>) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if other.negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, true) => {
                if self.negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, false) => match (self.negative, other.negative) {
                (false, false) => self.magnitude(other),
                (true, true) => other.magnitude(self),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
            },
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads an exponent; one that is out of all proportion is cut.
fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    const MOST: i64 = i64::MAX / 4;
    let size = digits.parse::<i64>().unwrap_or(MOST).min(MOST);
    Some(if text.starts_with('-') { -size } else { size })
}
