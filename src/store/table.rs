//! Every table of the file. All have byte keys that sort by their parts, and sealed values.

use redb::TableDefinition;

use super::{Store, StoreError};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Name → small facts about the file itself.
    Meta,
    /// (generation u32, sequence u64) → the samples and new series of a group of writes.
    Journal,
    /// First series id u32 → the label sets of up to 1000 series.
    Series,
    /// Segment id u32 → what the segment covers.
    Segments,
    /// (segment u32, first series u32, part u32) → packed samples.
    Blocks,
    /// Day (days since 1970, i64) → the ids of the series that have samples in that day.
    Activity,
    /// Metric family name → type, unit and help.
    Metadata,
    /// (kind u8, name) → anything that a person defined; see `records`.
    Records,
    /// Number u64, rising → the exemplars of a group of writes.
    Exemplars,
    /// Kind and name: what people defined for the watch, and its present state (rules' clocks,
    /// checks, silences, groups of notifications).
    Watch,
    /// Kind and key: incidents, their timelines, evidence and deliveries.
    Incidents,
    /// Results, transitions and rollups of checks.
    Checks,
    /// Units of experiments, their sums, and the tallies of outcomes.
    Units,
    /// Number u64, rising → what the ledger of experiments took since it last packed.
    Ledger,
    /// Kind and key: how experiments stand, their audits and timelines.
    Experiments,
    /// Number u64, rising → the log lines of a group of writes.
    LogJournal,
    /// (begin of a window, number of the block) → packed log lines.
    Logs,
}

pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

impl Table {
    /// All of them.
    pub const ALL: [Table; 17] = [
        Table::Meta,
        Table::Journal,
        Table::Series,
        Table::Segments,
        Table::Blocks,
        Table::Activity,
        Table::Metadata,
        Table::Records,
        Table::Exemplars,
        Table::Watch,
        Table::Incidents,
        Table::Checks,
        Table::Units,
        Table::Ledger,
        Table::Experiments,
        Table::LogJournal,
        Table::Logs,
    ];

    /// The name inside the file.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Journal => "journal",
            Table::Series => "series",
            Table::Segments => "segments",
            Table::Blocks => "blocks",
            Table::Activity => "activity",
            Table::Metadata => "metadata",
            Table::Records => "records",
            Table::Exemplars => "exemplars",
            Table::Watch => "watch",
            Table::Incidents => "incidents",
            Table::Checks => "checks",
            Table::Units => "units",
            Table::Ledger => "ledger",
            Table::Experiments => "experiments",
            Table::LogJournal => "log_journal",
            Table::Logs => "logs",
        }
    }

    /// The number in seals. Never changed and never reused.
    pub const fn code(self) -> u8 {
        match self {
            Table::Meta => 1,
            Table::Journal => 2,
            Table::Series => 3,
            Table::Segments => 4,
            Table::Blocks => 5,
            Table::Activity => 6,
            Table::Metadata => 7,
            Table::Records => 8,
            Table::Exemplars => 9,
            Table::Watch => 10,
            Table::Incidents => 11,
            Table::Checks => 12,
            Table::Units => 13,
            Table::Ledger => 14,
            Table::Experiments => 15,
            Table::LogJournal => 16,
            Table::Logs => 17,
        }
    }

    /// The table with this number.
    pub fn from_code(code: u8) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.code() == code)
    }

    pub(super) const fn definition(self) -> Definition {
        TableDefinition::new(self.name())
    }
}

/// Creates the tables that are missing, so that readers need not expect their absence.
pub(super) fn create_all(store: &Store) -> Result<(), StoreError> {
    let existing = store.read()?.table_names()?;
    if Table::ALL.iter().all(|table| existing.iter().any(|name| name == table.name())) {
        return Ok(());
    }
    store.write(false, |txn| Table::ALL.into_iter().try_for_each(|table| txn.create(table)))
}
