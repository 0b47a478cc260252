//! Lines in memory, column by column: the form that is packed, unpacked and searched.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::model::{LogId, LogLevel, LogLine, LogMetadata, StoredLine, Timestamp};

/// Texts of which there are few different ones: each once, and which of them each line has.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary {
    /// The texts, in the order in which they came.
    pub(super) names: Vec<Arc<str>>,
    /// The place of each line's text among them.
    pub(super) rows: Vec<u32>,
    places: HashMap<Arc<str>, u32>,
    bytes: usize,
}

impl Dictionary {
    /// From its parts; not made to be added to.
    pub(super) fn from_parts(names: Vec<Arc<str>>, rows: Vec<u32>) -> Dictionary {
        Dictionary { names, rows, places: HashMap::new(), bytes: 0 }
    }

    fn place(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let name: Arc<str> = text.into();
        // Groups and blocks have far fewer lines than 2³².
        let place = self.names.len() as u32;
        self.bytes += name.len();
        self.names.push(Arc::clone(&name));
        self.places.insert(name, place);
        place
    }

    fn push(&mut self, text: &str) {
        let place = self.place(text);
        self.rows.push(place);
    }

    fn append(&mut self, other: &Dictionary) {
        let places: Vec<u32> = other.names.iter().map(|name| self.place(name)).collect();
        self.rows.extend(other.rows.iter().map(|row| places[*row as usize]));
    }

    fn name(&self, place: u32) -> &str {
        self.names.get(place as usize).map_or("", |name| name)
    }

    /// The text of a line; an empty one where there are none at all.
    pub(super) fn get(&self, row: usize) -> &str {
        self.rows.get(row).map_or("", |place| self.name(*place))
    }
}

/// Texts, one after the other in one piece, so that all can be searched at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    /// All of them.
    pub(super) bytes: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<u32>,
}

impl Texts {
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        // Their writers see to it that they stay far below 4 GiB.
        self.ends.push(self.bytes.len() as u32);
    }

    fn append(&mut self, other: &Texts) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// The text of a line; nothing where there is none.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        let start = match row {
            0 => 0,
            _ => self.ends.get(row - 1).copied().unwrap_or(0) as usize,
        };
        let end = self.ends.get(row).copied().unwrap_or(0) as usize;
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// When lines were said, how bad they are and where they come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) times: Vec<i64>,
    pub(super) numbers: Vec<u64>,
    pub(super) levels: Vec<u8>,
    pub(super) sources: Dictionary,
    pub(super) features: Dictionary,
    pub(super) environments: Dictionary,
}

impl Rows {
    /// Which line is at a place.
    pub(super) fn id(&self, row: usize) -> LogId {
        LogId { time: Timestamp::from_millis(self.times[row]), number: self.numbers[row] }
    }

    pub(super) fn level(&self, row: usize) -> LogLevel {
        let level = self.levels.get(row).and_then(|level| LogLevel::ALL.get(usize::from(*level)));
        level.copied().unwrap_or_default()
    }
}

/// Which trace and which user lines are about.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects {
    pub(super) traces: Dictionary,
    pub(super) users: Dictionary,
}

/// Lines, column by column.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub(super) rows: Rows,
    pub(super) subjects: Subjects,
    pub(super) messages: Texts,
    pub(super) metadata: Texts,
}

/// What a line takes in memory beside its texts, about, in bytes.
const ROW_BYTES: usize = 64;

/// What a different name takes beside its text, about, in bytes.
const NAME_BYTES: usize = 64;

/// Bytes that a line takes while it waits and in memory, about.
pub fn line_bytes(line: &LogLine) -> usize {
    text_bytes(line) + ROW_BYTES
}

/// Bytes of all texts of a line.
pub fn text_bytes(line: &LogLine) -> usize {
    line.message.len()
        + line.metadata.as_json().len()
        + line.source.len()
        + line.feature.len()
        + line.environment.len()
        + line.trace_id.len()
        + line.user_id.len()
}

impl Columns {
    /// Adds a line.
    pub fn push(&mut self, number: u64, line: &LogLine) {
        let rows = &mut self.rows;
        rows.times.push(line.time.millis());
        rows.numbers.push(number);
        rows.levels.push(line.level as u8);
        rows.sources.push(&line.source);
        rows.features.push(&line.feature);
        rows.environments.push(&line.environment);
        self.subjects.traces.push(&line.trace_id);
        self.subjects.users.push(&line.user_id);
        self.messages.push(line.message.as_bytes());
        self.metadata.push(line.metadata.as_json().as_bytes());
    }

    /// Adds all lines of another, which was made by pushing.
    pub fn append(&mut self, other: &Columns) {
        let (rows, from) = (&mut self.rows, &other.rows);
        rows.times.extend_from_slice(&from.times);
        rows.numbers.extend_from_slice(&from.numbers);
        rows.levels.extend_from_slice(&from.levels);
        rows.sources.append(&from.sources);
        rows.features.append(&from.features);
        rows.environments.append(&from.environments);
        self.subjects.traces.append(&other.subjects.traces);
        self.subjects.users.append(&other.subjects.users);
        self.messages.append(&other.messages);
        self.metadata.append(&other.metadata);
    }

    /// Adds one line of another.
    pub fn push_row(&mut self, other: &Columns, row: usize) {
        let (rows, from) = (&mut self.rows, &other.rows);
        rows.times.push(from.times[row]);
        rows.numbers.push(from.numbers[row]);
        rows.levels.push(from.levels[row]);
        rows.sources.push(from.sources.get(row));
        rows.features.push(from.features.get(row));
        rows.environments.push(from.environments.get(row));
        self.subjects.traces.push(other.subjects.traces.get(row));
        self.subjects.users.push(other.subjects.users.get(row));
        self.messages.push(other.messages.get(row));
        self.metadata.push(other.metadata.get(row));
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.rows.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        let names: usize = self.dictionaries().iter().map(|all| all.names.len()).sum();
        self.text_bytes() + self.len() * ROW_BYTES + names * NAME_BYTES
    }

    /// Bytes of all texts; of what comes again and again once.
    pub fn text_bytes(&self) -> usize {
        let names: usize = self.dictionaries().iter().map(|all| all.bytes).sum();
        self.messages.bytes.len() + self.metadata.bytes.len() + names
    }

    fn dictionaries(&self) -> [&Dictionary; 5] {
        let (rows, subjects) = (&self.rows, &self.subjects);
        let names = [&rows.sources, &rows.features, &rows.environments];
        [names[0], names[1], names[2], &subjects.traces, &subjects.users]
    }

    /// Which line is at a place, below [`Columns::len`].
    pub fn id(&self, row: usize) -> LogId {
        self.rows.id(row)
    }

    /// The earliest time, in milliseconds since 1970.
    pub fn oldest(&self) -> Option<i64> {
        self.rows.times.iter().copied().min()
    }

    /// The line at a place, below [`Columns::len`].
    pub fn line(&self, row: usize) -> StoredLine {
        line(&self.rows, &self.subjects, &self.messages, &self.metadata, row)
    }

    /// How many lines there are of each level, source and feature.
    pub fn tallies(&self) -> Vec<(LogLevel, &str, &str, u64)> {
        let rows = &self.rows;
        let mut counts: HashMap<(u8, u32, u32), u64> = HashMap::new();
        for row in 0..self.len() {
            let key = (rows.levels[row], rows.sources.rows[row], rows.features.rows[row]);
            *counts.entry(key).or_default() += 1;
        }
        let level = |level: u8| LogLevel::ALL.get(usize::from(level)).copied().unwrap_or_default();
        counts
            .into_iter()
            .map(|((l, source, feature), count)| {
                (level(l), rows.sources.name(source), rows.features.name(feature), count)
            })
            .collect()
    }
}

/// Puts a line together.
pub(super) fn line(
    rows: &Rows,
    subjects: &Subjects,
    messages: &Texts,
    metadata: &Texts,
    row: usize,
) -> StoredLine {
    // What was written is UTF-8; what was not is shown as far as it can be.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let id = rows.id(row);
    let line = LogLine {
        time: id.time,
        level: rows.level(row),
        message: text(messages.get(row)),
        source: rows.sources.get(row).to_owned(),
        feature: rows.features.get(row).to_owned(),
        environment: rows.environments.get(row).to_owned(),
        trace_id: subjects.traces.get(row).to_owned(),
        user_id: subjects.users.get(row).to_owned(),
        metadata: LogMetadata::from_stored(text(metadata.get(row))),
    };
    StoredLine { id, line }
}
