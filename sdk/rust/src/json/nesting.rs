//! Which brackets are open, however many.

/// Which kinds of brackets are open, a bit each: 1 is an object.
#[derive(Default)]
pub(crate) struct Nesting {
    pub depth: usize,
    bits: u64,
    outer: Vec<u64>,
}

impl Nesting {
    pub fn open(&mut self, object: bool) {
        if self.depth > 0 && self.depth % 64 == 0 {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
    }

    pub fn close(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth % 64 == 0 {
            self.bits = self.outer.pop().unwrap_or(0);
        }
    }

    pub fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }
}
