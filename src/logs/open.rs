//! A block or a piece of memory that is being searched: its parts are unpacked as they are asked
//! for.

use std::borrow::Cow;

use crate::model::{LogId, StoredLine};
use crate::store::{Snapshot, StoreError, Table};

use super::codec::{PackedTexts, take_rows, take_subjects};
use super::columns::{self, Columns, Rows, Subjects, Texts};
use super::keys::{Part, block_key};
use super::piece::Unpacker;
use super::{Header, LogFilter, TextMatch, traces};

/// Why a block cannot be searched.
#[derive(Debug)]
pub enum Fault {
    /// It is not there any more: its lines expired meanwhile.
    Gone,
    /// It is damaged; the text says how.
    Damaged(String),
    /// The file cannot be read.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        match error {
            StoreError::Damaged { .. } => Fault::Damaged(error.to_string()),
            _ => Fault::Store(error),
        }
    }
}

/// Where lines are.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// In memory.
    Memory(&'a Columns),
    /// In a block of the file.
    Block(&'a Snapshot, u64),
}

/// Which lines are wanted: those that pass, and whose ids are strictly between two others.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What they must pass.
    pub filter: &'a LogFilter,
    /// Ids must be greater.
    pub over: Option<LogId>,
    /// Ids must be less.
    pub under: Option<LogId>,
}

impl Wanted<'_> {
    /// Whether a block with this header may have such lines.
    pub fn may_be_in(&self, header: &Header) -> bool {
        header.may_match(self.filter)
            && self.over.is_none_or(|over| header.last() > over)
            && self.under.is_none_or(|under| header.first() < under)
    }

    /// Whether a block with this header has nothing but such lines.
    pub fn takes_all(&self, header: &Header) -> bool {
        let filter = self.filter;
        let asks_more =
            filter.trace_id.is_some() || filter.user_id.is_some() || filter.text.is_some();
        !asks_more && self.are_all_in(header)
    }

    /// As above, traces, users and texts aside.
    fn are_all_in(&self, header: &Header) -> bool {
        header.all_pass(self.filter)
            && self.over.is_none_or(|over| header.first() > over)
            && self.under.is_none_or(|under| header.last() < under)
    }

    fn is_between(&self, id: LogId) -> bool {
        self.over.is_none_or(|over| id > over) && self.under.is_none_or(|under| id < under)
    }
}

/// Lines that are being searched.
pub struct Open<'a> {
    place: Place<'a>,
    header: &'a Header,
    rows: Option<Cow<'a, Rows>>,
    subjects: Option<Cow<'a, Subjects>>,
    messages: Option<Cow<'a, Texts>>,
    metadata: Option<Cow<'a, Texts>>,
}

/// What searching needs again and again.
pub struct Tools {
    unpacker: Unpacker,
    scratch: Vec<u8>,
    column: Vec<u8>,
}

impl Tools {
    /// New ones.
    ///
    /// # Errors
    ///
    /// When zstd gets no memory.
    pub fn new() -> Result<Tools, String> {
        Ok(Tools { unpacker: Unpacker::new()?, scratch: Vec::new(), column: Vec::new() })
    }
}

fn damaged(part: Part, block: u64) -> Fault {
    Fault::Damaged(format!("block {block} of log lines: its {part:?} cannot be unpacked"))
}

impl<'a> Open<'a> {
    /// Opens lines whose header is known.
    pub fn new(place: Place<'a>, header: &'a Header) -> Open<'a> {
        Open { place, header, rows: None, subjects: None, messages: None, metadata: None }
    }

    fn count(&self) -> usize {
        // No block has more lines than fit into memory.
        self.header.count as usize
    }

    /// Reads a part of a block and hands its payload to `read`.
    fn part<R>(
        snapshot: &Snapshot,
        block: u64,
        part: Part,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<R, Fault> {
        match snapshot.get(Table::Logs, &block_key(part, block))? {
            Some(value) => read(value.payload()).ok_or_else(|| damaged(part, block)),
            // A block goes as a whole: where its header is left, something else happened.
            None => match snapshot.get(Table::Logs, &block_key(Part::Header, block))? {
                Some(_) => Err(damaged(part, block)),
                None => Err(Fault::Gone),
            },
        }
    }

    /// Its rows.
    pub(super) fn rows(&mut self, tools: &mut Tools) -> Result<&Rows, Fault> {
        if self.rows.is_none() {
            let count = self.count();
            self.rows = Some(match self.place {
                Place::Memory(columns) => Cow::Borrowed(&columns.rows),
                Place::Block(snapshot, block) => {
                    let Tools { unpacker, scratch, .. } = tools;
                    let rows = Self::part(snapshot, block, Part::Rows, |mut payload| {
                        let rows = take_rows(unpacker, &mut payload, scratch)?;
                        (rows.times.len() == count).then_some(rows)
                    })?;
                    Cow::Owned(rows)
                }
            });
        }
        self.rows.as_deref().ok_or(Fault::Gone)
    }

    fn subjects(&mut self, tools: &mut Tools) -> Result<&Subjects, Fault> {
        if self.subjects.is_none() {
            let count = self.count();
            self.subjects = Some(match self.place {
                Place::Memory(columns) => Cow::Borrowed(&columns.subjects),
                Place::Block(..) if !self.header.has_subjects => Cow::Owned(Subjects::default()),
                Place::Block(snapshot, block) => {
                    let Tools { unpacker, scratch, .. } = tools;
                    let subjects = Self::part(snapshot, block, Part::Subjects, |mut payload| {
                        let subjects = take_subjects(unpacker, &mut payload, scratch)?;
                        (subjects.traces.rows.len() == count).then_some(subjects)
                    })?;
                    Cow::Owned(subjects)
                }
            });
        }
        self.subjects.as_deref().ok_or(Fault::Gone)
    }

    fn texts(
        place: Place<'a>,
        part: Part,
        count: usize,
        tools: &mut Tools,
    ) -> Result<Cow<'a, Texts>, Fault> {
        Ok(match (place, part) {
            (Place::Memory(columns), Part::Metadata) => Cow::Borrowed(&columns.metadata),
            (Place::Memory(columns), _) => Cow::Borrowed(&columns.messages),
            (Place::Block(snapshot, block), _) => {
                let Tools { unpacker, scratch, .. } = tools;
                let texts = Self::part(snapshot, block, part, |mut payload| {
                    PackedTexts::take(&mut payload)?.unpack(unpacker, count, scratch)
                })?;
                Cow::Owned(texts)
            }
        })
    }

    fn messages(&mut self, tools: &mut Tools) -> Result<&Texts, Fault> {
        if self.messages.is_none() {
            let texts = Self::texts(self.place, Part::Messages, self.count(), tools)?;
            self.messages = Some(texts);
        }
        self.messages.as_deref().ok_or(Fault::Gone)
    }

    fn metadata(&mut self, tools: &mut Tools) -> Result<&Texts, Fault> {
        if self.metadata.is_none() {
            self.metadata = Some(match self.header.has_metadata {
                true => Self::texts(self.place, Part::Metadata, self.count(), tools)?,
                false => Cow::Owned(Texts::default()),
            });
        }
        self.metadata.as_deref().ok_or(Fault::Gone)
    }

    /// Which line is at a place.
    pub fn id(&mut self, row: u32, tools: &mut Tools) -> Result<LogId, Fault> {
        Ok(self.rows(tools)?.id(row as usize))
    }

    /// The level of a line, as a number.
    pub fn level(&mut self, row: u32, tools: &mut Tools) -> Result<usize, Fault> {
        Ok(self.rows(tools)?.level(row as usize) as usize)
    }

    /// A line.
    pub fn line(&mut self, row: u32, tools: &mut Tools) -> Result<StoredLine, Fault> {
        self.rows(tools)?;
        self.subjects(tools)?;
        self.messages(tools)?;
        self.metadata(tools)?;
        match (&self.rows, &self.subjects, &self.messages, &self.metadata) {
            (Some(rows), Some(subjects), Some(messages), Some(metadata)) => {
                Ok(columns::line(rows, subjects, messages, metadata, row as usize))
            }
            _ => Err(Fault::Gone),
        }
    }

    /// The places of all lines that are wanted, in rising order.
    pub fn search(&mut self, wanted: &Wanted<'_>, tools: &mut Tools) -> Result<Vec<u32>, Fault> {
        let filter = wanted.filter;
        if !self.may_have_trace(filter)? {
            return Ok(Vec::new());
        }
        let mut found: Option<Vec<u32>> = None;
        if !wanted.are_all_in(self.header) {
            found = Some(by_rows(self.rows(tools)?, wanted));
        }
        for (wanted, pick) in [
            (&filter.trace_id, (|s| &s.traces) as fn(&Subjects) -> &columns::Dictionary),
            (&filter.user_id, |s| &s.users),
        ] {
            let Some(wanted) = wanted else { continue };
            if found.as_ref().is_some_and(Vec::is_empty) {
                return Ok(Vec::new());
            }
            let count = self.count() as u32;
            let names = pick(self.subjects(tools)?);
            // Without names all lines have the empty one.
            let keep = |row: &u32| names.get(*row as usize) == wanted.as_str();
            found = Some(match found {
                Some(mut rows) => {
                    rows.retain(keep);
                    rows
                }
                None => (0..count).filter(keep).collect(),
            });
        }
        match &filter.text {
            Some(_) if found.as_ref().is_some_and(Vec::is_empty) => Ok(Vec::new()),
            Some(text) => self.by_text(text, found, tools),
            None => Ok(found.unwrap_or_else(|| (0..self.count() as u32).collect())),
        }
    }

    fn may_have_trace(&self, filter: &LogFilter) -> Result<bool, Fault> {
        let (Some(trace), Place::Block(snapshot, block)) = (&filter.trace_id, self.place) else {
            return Ok(true);
        };
        if trace.is_empty() || !self.header.has_traces {
            return Ok(trace.is_empty());
        }
        Self::part(snapshot, block, Part::Traces, |bits| Some(traces::may_have(bits, trace)))
    }

    fn by_text(
        &mut self,
        text: &TextMatch,
        found: Option<Vec<u32>>,
        tools: &mut Tools,
    ) -> Result<Vec<u32>, Fault> {
        let few = found.as_ref().is_some_and(|rows| rows.len() < self.count() / 8);
        if text.works_across() && !few {
            let mut hits = self.across(text, Part::Messages, tools)?;
            if self.header.has_metadata {
                hits.extend(self.across(text, Part::Metadata, tools)?);
                hits.sort_unstable();
                hits.dedup();
            }
            if let Some(rows) = found {
                hits.retain(|hit| rows.binary_search(hit).is_ok());
            }
            return Ok(hits);
        }
        let mut rows = found.unwrap_or_else(|| (0..self.count() as u32).collect());
        self.messages(tools)?;
        self.metadata(tools)?;
        if let (Some(messages), Some(metadata)) = (&self.messages, &self.metadata) {
            rows.retain(|row| {
                let row = *row as usize;
                text.is_match(messages.get(row)) || text.is_match(metadata.get(row))
            });
        }
        Ok(rows)
    }

    /// The lines with a text in one of both columns, searched in one go. Where each line ends is
    /// asked only when something was found.
    fn across(
        &mut self,
        text: &TextMatch,
        part: Part,
        tools: &mut Tools,
    ) -> Result<Vec<u32>, Fault> {
        let count = self.count();
        let Place::Block(snapshot, block) = self.place else {
            let texts = Self::texts(self.place, part, count, tools)?;
            return Ok(hits(text, &texts.bytes, || Some(texts.ends.clone())).unwrap_or_default());
        };
        let Tools { unpacker, scratch, column } = tools;
        Self::part(snapshot, block, part, |mut payload| {
            let packed = PackedTexts::take(&mut payload)?;
            packed.bytes(unpacker, column)?;
            let column = column.as_slice();
            hits(text, column, || {
                let ends = packed.ends(unpacker, count, scratch)?;
                (ends.last().copied().unwrap_or(0) as usize == column.len()).then_some(ends)
            })
        })
    }
}

/// The lines of a column that have a text. `None` when it cannot be said where lines end.
fn hits(
    text: &TextMatch,
    column: &[u8],
    ends: impl FnOnce() -> Option<Vec<u32>>,
) -> Option<Vec<u32>> {
    let mut rows = Vec::new();
    let Some(mut next) = text.find_across(column, 0) else { return Some(rows) };
    let ends = ends()?;
    loop {
        let (start, end) = next;
        let row = ends.partition_point(|end| *end as usize <= start);
        let line_end = ends.get(row).copied()? as usize;
        let from = if end <= line_end {
            rows.push(row as u32);
            // One hit of a line is enough.
            line_end
        } else {
            // It begins in one line and ends in another.
            start + 1
        };
        match text.find_across(column, from) {
            Some(found) => next = found,
            None => return Some(rows),
        }
    }
}

fn by_rows(rows: &Rows, wanted: &Wanted<'_>) -> Vec<u32> {
    let filter = wanted.filter;
    let (from, until) = (
        filter.from.map_or(i64::MIN, |from| from.millis()),
        filter.until.map_or(i64::MAX, |until| until.millis()),
    );
    let has_until = filter.until.is_some();
    let has_bounds = wanted.over.is_some() || wanted.under.is_some();
    let allowed = |dictionary: &columns::Dictionary, wanted: &[String]| -> Option<Vec<bool>> {
        let is_wanted = |name: &std::sync::Arc<str>| wanted.iter().any(|one| **one == **name);
        (!wanted.is_empty()).then(|| dictionary.names.iter().map(is_wanted).collect())
    };
    let columns = [
        (&rows.sources.rows, allowed(&rows.sources, &filter.sources)),
        (&rows.features.rows, allowed(&rows.features, &filter.features)),
        (&rows.environments.rows, allowed(&rows.environments, &filter.environments)),
    ];
    let passes = |row: &u32| {
        let row = *row as usize;
        let time = rows.times[row];
        time >= from
            && (!has_until || time < until)
            && filter.levels.contains(rows.level(row))
            && columns.iter().all(|(places, allowed)| {
                allowed.as_ref().is_none_or(|allowed| allowed[places[row] as usize])
            })
            && (!has_bounds || wanted.is_between(rows.id(row)))
    };
    (0..rows.times.len() as u32).filter(passes).collect()
}
