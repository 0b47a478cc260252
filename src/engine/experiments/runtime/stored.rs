//! What is in the file: how experiments stand, their audits, what was estimated when.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::timeline::Point;
use crate::experiments::Progress;
use crate::model::{AuditEntry, ExperimentDefinition, ExperimentState, Origin, Timestamp};
use crate::store::{
    DocumentKind, Snapshot, Store, StoreError, Table, Write, decode_document, document_key,
    documents,
};

/// An experiment as it is in force. Kept with its definition: a settings file may have another
/// one that must not take its place while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The definition that is in force, as it was written.
    pub(super) definition: ExperimentDefinition,
    /// Where it comes from.
    pub(super) origin: Origin,
    /// When it was made; tells another experiment of the same name apart.
    pub(super) created_at: Timestamp,
    /// How it stands.
    pub(super) state: ExperimentState,
}

/// What is remembered between looks at the results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The largest evidence so far.
    pub(super) progress: Progress,
    /// How far apart the timeline's points are at least, in milliseconds.
    #[serde(default)]
    pub(super) spacing_ms: i64,
}

/// An entry of the audit and its number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumberedEntry {
    /// Its number, counted up from 1.
    pub number: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// The figure with the last experiment's number.
const LAST_NUMBER: &str = "last_experiment_number";

fn state_id(number: u32) -> String {
    format!("{number:010}")
}

fn id_within(number: u32, place: u64) -> String {
    format!("{number:010}/{place:020}")
}

pub(super) fn put_state(stored: &Stored) -> Result<Write, StoreError> {
    let id = state_id(stored.state.number);
    Write::document(Table::Experiments, DocumentKind::ExperimentState, &id, stored)
}

pub(super) fn put_last_number(number: u32) -> Result<Write, StoreError> {
    Write::document(Table::Experiments, DocumentKind::Figure, LAST_NUMBER, &number)
}

pub(super) fn put_remembered(number: u32, remembered: &Remembered) -> Result<Write, StoreError> {
    // Beside the points of the timeline, and behind them.
    let id = format!("{number:010}/progress");
    Write::document(Table::Experiments, DocumentKind::Estimate, &id, remembered)
}

/// The audit's entries; the last one has the number `version`.
pub(super) fn put_audit(
    number: u32,
    version: u64,
    entries: &[AuditEntry],
) -> Result<Vec<Write>, StoreError> {
    let first = version.saturating_sub(entries.len() as u64) + 1;
    let kind = DocumentKind::ExperimentAudit;
    let put = |(place, entry): (u64, &AuditEntry)| {
        Write::document(Table::Experiments, kind, &id_within(number, place), entry)
    };
    (first..).zip(entries).map(put).collect()
}

pub(super) fn put_point(number: u32, point: &Point) -> Result<Write, StoreError> {
    let id = id_within(number, point.at.millis().max(0) as u64);
    Write::document(Table::Experiments, DocumentKind::Estimate, &id, point)
}

pub(super) fn no_point(number: u32, at: Timestamp) -> Write {
    let id = id_within(number, at.millis().max(0) as u64);
    Write::no_document(Table::Experiments, DocumentKind::Estimate, &id)
}

/// Removes all that is kept of an experiment besides its units and sums.
pub(super) fn remove_all(store: &Store, number: u32) -> Result<Vec<Write>, StoreError> {
    let snapshot = store.read()?;
    let mut writes = Vec::new();
    let state = DocumentKind::ExperimentState;
    writes.push(Write::no_document(Table::Experiments, state, &state_id(number)));
    for kind in [DocumentKind::ExperimentAudit, DocumentKind::Estimate] {
        let (from, until) = within(kind, number);
        for entry in snapshot.table(Table::Experiments)?.range(&from, &until)? {
            let key = entry?.key().to_vec();
            writes.push(Write::Remove { table: Table::Experiments, key });
        }
    }
    Ok(writes)
}

/// The keys of what is kept of an experiment under its number: `0` follows `/`.
fn within(kind: DocumentKind, number: u32) -> (Vec<u8>, Vec<u8>) {
    let key = |end: char| document_key(kind, &format!("{number:010}{end}")).as_bytes().to_vec();
    (key('/'), key('0'))
}

/// What the file says of experiments.
#[derive(Default)]
pub(super) struct Read {
    /// By number.
    pub(super) states: BTreeMap<u32, Stored>,
    pub(super) remembered: BTreeMap<u32, Remembered>,
    /// When the timelines have points, oldest first.
    pub(super) points: BTreeMap<u32, Vec<Timestamp>>,
    pub(super) last_number: u32,
}

/// Reads how all experiments stand. What cannot be decoded is reported and left out.
pub(super) fn read_all(store: &Store) -> Result<Read, StoreError> {
    let snapshot = store.read()?;
    let mut read = Read::default();
    let (table, kind) = (Table::Experiments, DocumentKind::ExperimentState);
    for (_, stored) in documents::<Stored>(&snapshot, table, kind, "how an experiment stands")? {
        read.states.insert(stored.state.number, stored);
    }
    for number in read.states.keys() {
        let id = format!("{number:010}/progress");
        if let Some(remembered) = document(&snapshot, DocumentKind::Estimate, &id)? {
            read.remembered.insert(*number, remembered);
        }
        let (from, until) = within(DocumentKind::Estimate, *number);
        let mut points = Vec::new();
        for entry in snapshot.table(Table::Experiments)?.range(&from, &until)? {
            points.extend(point_time(entry?.key()));
        }
        read.points.insert(*number, points);
    }
    let last: Option<u32> = document(&snapshot, DocumentKind::Figure, LAST_NUMBER)?;
    let seen = read.states.keys().next_back().copied();
    read.last_number = last.unwrap_or(0).max(seen.unwrap_or(0));
    Ok(read)
}

/// The time of a point, from its key: kind, number of ten digits, `/`, milliseconds.
fn point_time(key: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(key.get(1..)?).ok()?;
    let (_, millis) = text.split_once('/')?;
    millis.parse().ok().map(Timestamp::from_millis)
}

fn document<T: DeserializeOwned>(
    snapshot: &Snapshot,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<T>, StoreError> {
    match snapshot.get(Table::Experiments, document_key(kind, id).as_bytes())? {
        Some(value) => decode_document(value.payload()).map(Some),
        None => Ok(None),
    }
}

/// The audit of an experiment, newest first, before a number: at most `limit` entries.
pub(super) fn audit(
    store: &Store,
    number: u32,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<NumberedEntry>, StoreError> {
    let snapshot = store.read()?;
    let kind = DocumentKind::ExperimentAudit;
    let (from, end) = within(kind, number);
    let until = match before {
        Some(before) => document_key(kind, &id_within(number, before)).as_bytes().to_vec(),
        None => end,
    };
    let mut entries = Vec::new();
    for entry in snapshot.table(Table::Experiments)?.range_back(&from, &until)?.take(limit) {
        let entry = entry?;
        let place = point_time(entry.key()).map_or(0, |place| place.millis().max(0) as u64);
        let value = entry.open()?;
        entries.push(NumberedEntry { number: place, entry: decode_document(value.payload())? });
    }
    Ok(entries)
}

/// The points of an experiment's timeline, oldest first.
pub(super) fn points(store: &Store, number: u32) -> Result<Vec<Point>, StoreError> {
    let snapshot = store.read()?;
    let (from, until) = within(DocumentKind::Estimate, number);
    let mut points = Vec::new();
    for entry in snapshot.table(Table::Experiments)?.range(&from, &until)? {
        let entry = entry?;
        if point_time(entry.key()).is_some() {
            let value = entry.open()?;
            points.push(decode_document(value.payload())?);
        }
    }
    Ok(points)
}
