//! The columns of a batch.

use crate::bytes::Span;

/// Where an entry of a column stands. A column of one entry in a batch of several rows is
/// constant; an empty column holds the default in every row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries(pub Vec<Span>);

impl Entries {
    #[inline]
    pub fn at(&self, row: usize) -> Span {
        match self.0.as_slice() {
            [] => Span::default(),
            [constant] => *constant,
            entries => entries[row],
        }
    }

    pub fn is_constant(&self) -> bool {
        self.0.len() < 2
    }
}

/// The columns of a batch, by their numbers in `plugin.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Ids = 2,
    Types = 3,
    Payloads = 4,
    Metadata = 5,
    Sources = 6,
    TraceIds = 7,
    ContentTypes = 8,
}

impl Name {
    pub const ALL: [Name; 7] = [
        Name::Ids,
        Name::Types,
        Name::Payloads,
        Name::Metadata,
        Name::Sources,
        Name::TraceIds,
        Name::ContentTypes,
    ];

    pub fn of(number: u32) -> Option<Self> {
        Name::ALL.into_iter().find(|name| *name as u32 == number)
    }

    pub fn label(self) -> &'static str {
        match self {
            Name::Ids => "ids",
            Name::Types => "types",
            Name::Payloads => "payloads",
            Name::Metadata => "metadata",
            Name::Sources => "sources",
            Name::TraceIds => "trace_ids",
            Name::ContentTypes => "content_types",
        }
    }

    /// Tells whether its entries are text.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Name::Ids | Name::Types | Name::TraceIds | Name::ContentTypes
        )
    }

    pub fn place(self) -> usize {
        self as usize - Name::Ids as usize
    }
}

/// One column of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub(crate) buffer: &'a [u8],
    pub(crate) entries: &'a Entries,
    pub(crate) default: &'static [u8],
}

impl<'a> Column<'a> {
    /// Returns the entry of a row.
    #[inline]
    pub fn at(&self, row: usize) -> &'a [u8] {
        let span = self.entries.at(row);
        if span.is_empty() {
            return self.default;
        }
        span.of(self.buffer)
    }

    /// Returns the entry of a row as text; columns of payloads may hold something else.
    pub fn text_at(&self, row: usize) -> Option<&'a str> {
        std::str::from_utf8(self.at(row)).ok()
    }

    /// Tells whether all rows are known to share one entry.
    pub fn is_constant(&self) -> bool {
        self.entries.is_constant()
    }
}
