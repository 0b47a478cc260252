//! The committing core: numbers lines, makes them durable as one group, shows them. It knows no
//! thread and no clock, so that a simulation can drive it.

use std::sync::Arc;

use crate::logs::{
    Columns, Header, Mark, Packer, Part, Unpacker, block_key, block_of, decode_record,
    encode_record, journal_key, journal_of, mark_key,
};
use crate::model::{LogId, LogLine, StoredLine, Timestamp};
use crate::store::{StoreError, Table, Write};
use crate::tsdb::Tsdb;

use super::shared::{Block, Shared, State};
use super::{LogBucket, LogFigures, LogFilter, LogPage, LogQuery, LogsError};

/// Bytes of text of a record of the journal; its last line may go beyond.
const RECORD_TEXT_BYTES: usize = 2 << 20;
/// Lines of a record.
const RECORD_LINES_MAX: usize = 64 * 1024;
/// So many numbers are skipped where the last record is damaged, and with it how many it had.
const NUMBERS_SKIPPED: u64 = 1 << 20;

/// Lines that were made ready to be written.
struct Record {
    first: u64,
    columns: Columns,
    payload: Vec<u8>,
}

/// What commits.
pub struct Core {
    shared: Arc<Shared>,
    packer: Packer,
    next_line: u64,
    /// A group whose commit failed: whether it is durable is not known yet.
    uncertain: Option<(Vec<Record>, Written)>,
    /// Of such groups, those that are durable and that nobody has been told of yet.
    late: Written,
    /// Where packing goes on.
    pub(super) mark: Mark,
}

impl Core {
    /// Reads what is in the file. What waits in the journal is taken into memory; what is
    /// damaged is skipped, counted and said.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn open(tsdb: Arc<Tsdb>, now: Timestamp) -> Result<Core, StoreError> {
        let packer = Packer::new().map_err(StoreError::Read)?;
        let shared = Arc::new(Shared::new(Arc::clone(&tsdb), State::default()));
        let snapshot = tsdb.store().read()?;
        let mut mark = match snapshot.get(Table::Logs, &mark_key()) {
            Ok(value) => value.and_then(|value| Mark::decode(value.payload())).unwrap_or_default(),
            Err(StoreError::Damaged { reason, .. }) => {
                shared.note_damage(&reason);
                Mark::default()
            }
            Err(error) => return Err(error),
        };
        let mut blocks = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        let table = snapshot.table(Table::Logs)?;
        let (from, until) = (block_key(Part::Header, 0), block_key(Part::Rows, 0));
        for entry in table.range(&from, &until)? {
            let entry = entry?;
            let Some((_, number)) = block_of(entry.key()) else { continue };
            mark.next_block = mark.next_block.max(number + 1);
            let header = match entry.open() {
                Ok(value) => Header::decode(value.payload(), &mut names)
                    .ok_or_else(|| format!("the header of block {number} of log lines")),
                Err(error) => Err(error.to_string()),
            };
            match header {
                Ok(header) => blocks.push((number, header)),
                Err(damage) => shared.note_damage(&damage),
            }
        }
        // A pack takes all lines below its last: where a salvage lost the mark, they say it.
        let packed = blocks.iter().map(|(_, header)| header.numbers.1.saturating_add(1)).max();
        mark.next_line = mark.next_line.max(packed.unwrap_or(0));
        shared.packed(blocks);
        let next_line = replay(&shared, mark, now)?;
        Ok(Core { shared, packer, next_line, uncertain: None, late: Written::default(), mark })
    }

    /// What [`super::Logs::query`] answers.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn query(&self, query: &LogQuery, stop: &dyn Fn() -> bool) -> Result<LogPage, LogsError> {
        self.shared.query(query, stop)
    }

    /// What [`super::Logs::histogram`] answers.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn histogram(
        &self,
        filter: &LogFilter,
        from: Timestamp,
        until: Timestamp,
        step_ms: i64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<LogBucket>, LogsError> {
        self.shared.histogram(filter, (from, until), step_ms, stop)
    }

    /// How much there is.
    pub fn figures(&self) -> LogFigures {
        self.shared.figures()
    }

    /// What was found damaged; see [`super::Logs::damaged`].
    pub fn damaged(&self) -> u64 {
        self.shared.damaged()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Makes lines durable in one transaction, with `notes` of where they come from, and shows
    /// them. Gives them with their numbers, in their order.
    ///
    /// # Errors
    ///
    /// When the commit fails: none of them can be read. Should they turn out to be durable all the
    /// same, they can be read from then on, as the sender who tries again must expect, and are
    /// given as [`Written::late`] with the next group.
    pub fn write(
        &mut self,
        now: Timestamp,
        lines: Vec<LogLine>,
        notes: &[Write],
    ) -> Result<Written, StoreError> {
        self.settle(now)?;
        let mut records = Vec::new();
        let mut columns = Columns::default();
        let mut first = self.next_line;
        for (number, line) in (self.next_line..).zip(&lines) {
            if columns.text_bytes() >= RECORD_TEXT_BYTES || columns.len() >= RECORD_LINES_MAX {
                records.push(self.record(first, std::mem::take(&mut columns)));
                first = number;
            }
            columns.push(number, line);
        }
        if !columns.is_empty() {
            records.push(self.record(first, columns));
        }
        let mut written = Written::default();
        for record in &records {
            written.tally(&record.columns);
        }
        let numbers = self.next_line..;
        written.lines = numbers
            .zip(lines)
            .map(|(number, line)| StoredLine { id: LogId { time: line.time, number }, line })
            .collect();
        if !records.is_empty() || !notes.is_empty() {
            let stored = self.shared.tsdb.store().write(false, |txn| {
                records.iter().try_for_each(|record| {
                    txn.insert(Table::LogJournal, &journal_key(record.first), &record.payload)
                })?;
                notes.iter().try_for_each(|note| note.apply(txn))
            });
            if let Err(error) = stored {
                self.uncertain = Some((records, written));
                // Where this fails too, the next group tries again.
                let _ = self.settle(now);
                return Err(error);
            }
        }
        self.adopt(records, now);
        let late = std::mem::take(&mut self.late);
        written.late = late.lines;
        written.tallies.extend(late.tallies);
        Ok(written)
    }

    fn record(&mut self, first: u64, columns: Columns) -> Record {
        let payload = encode_record(&mut self.packer, &columns);
        Record { first, columns, payload }
    }

    fn adopt(&mut self, records: Vec<Record>, now: Timestamp) {
        for record in records {
            self.next_line = record.first + record.columns.len() as u64;
            self.shared.adopt(record.columns, record.payload.len() as u64, self.next_line, now);
        }
    }

    /// Mends the store after a failed write, and finds out whether the last group is durable.
    fn settle(&mut self, now: Timestamp) -> Result<(), StoreError> {
        mend(&self.shared.tsdb)?;
        let Some(first) = self.uncertain.as_ref().and_then(|(records, _)| records.first()) else {
            return Ok(());
        };
        let snapshot = self.shared.tsdb.store().read()?;
        let is_durable = snapshot.get(Table::LogJournal, &journal_key(first.first))?.is_some();
        let Some((records, written)) = self.uncertain.take() else { return Ok(()) };
        if is_durable {
            self.adopt(records, now);
            self.late.lines.extend(written.lines);
            self.late.tallies.extend(written.tallies);
        }
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The lines, with their ids.
    pub lines: Vec<StoredLine>,
    /// Lines of groups before, whose commit had failed and that are durable all the same.
    pub late: Vec<StoredLine>,
    /// How many of each level, source and feature.
    pub(super) tallies: Vec<(crate::model::LogLevel, String, String, u64)>,
}

impl Written {
    fn tally(&mut self, columns: &Columns) {
        let tallies = columns.tallies().into_iter();
        self.tallies.extend(tallies.map(|(level, source, feature, count)| {
            (level, source.to_owned(), feature.to_owned(), count)
        }));
    }
}

/// Replaces the store's handle where a write failed.
pub(super) fn mend(tsdb: &Tsdb) -> Result<(), StoreError> {
    if tsdb.store().has_failed() {
        tsdb.mend_store().map_err(|error| StoreError::Read(error.to_string()))?;
    }
    Ok(())
}

/// Takes what is in the journal into memory. Gives the number of the next line.
fn replay(shared: &Shared, mark: Mark, now: Timestamp) -> Result<u64, StoreError> {
    let snapshot = shared.tsdb.store().read()?;
    let mut unpacker = Unpacker::new().map_err(StoreError::Read)?;
    let mut next = mark.next_line;
    let journal = snapshot.table(Table::LogJournal)?;
    for entry in journal.range(&journal_key(mark.next_line), &[0xff; 9])? {
        let entry = entry?;
        let Some(first) = journal_of(entry.key()) else { continue };
        let record = match entry.open() {
            Ok(value) => decode_record(&mut unpacker, value.payload())
                .map(|columns| (columns, value.payload().len() as u64))
                .ok_or_else(|| format!("lines from number {first} on of the journal")),
            Err(error @ StoreError::Damaged { .. }) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        match record {
            Ok((columns, bytes)) => {
                next = next.max(first + columns.len() as u64);
                shared.adopt(columns, bytes, next, now);
            }
            Err(damage) => {
                next = next.max(first.saturating_add(NUMBERS_SKIPPED));
                shared.note_damage(&damage);
            }
        }
    }
    Ok(next)
}

/// Blocks in the order of their age, the oldest first.
pub(super) fn by_age(blocks: &[Arc<Block>]) -> Vec<Arc<Block>> {
    let mut sorted = blocks.to_vec();
    sorted.sort_by_key(|block| (block.header.age_from(), block.number));
    sorted
}
