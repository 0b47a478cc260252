//! Opening: everything that was acknowledged comes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use super::activity;
use super::exemplars::ExemplarLog;
use super::head::{Head, Heads, Span};
use super::index::Index;
use super::journal::{self, Part};
use super::open_chunk::{self, Tail};
use super::open_histogram;
use super::segment::Catalog;
use super::series_keys::{SeriesHasher, SeriesKeys};
use super::writer::Writer;
use super::{METADATA_VERSION, Tsdb, TsdbError, TsdbOptions, Upkeep, WriterState, series_table};
use crate::model::{HISTOGRAM_NAN, Histogram, Metadata};
use crate::store::{KeyReader, RecordKind, Snapshot, Store, StoreError, Table, decode_record};

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Series that are known again.
    pub series: u64,
    /// Samples that were replayed from the journal.
    pub replayed_samples: u64,
    /// What is damaged and was left out, one text each.
    pub damage: Vec<String>,
}

/// The name of the last generation that is completely in blocks.
pub(super) const FLUSHED_KEY: &[u8] = b"flushed-generation";

/// One generation, as far as it could be replayed.
struct Generation {
    head: Head,
    tails: Vec<Tail>,
    /// The last histogram of each series that has any.
    histograms: HashMap<u32, Arc<Histogram>>,
    next_sequence: u64,
    bytes: u64,
    damaged: bool,
}

impl Tsdb {
    /// Opens the engine on `store`. `progress` hears how far the replay has come (0 to 1).
    pub fn open(
        store: Arc<Store>,
        options: TsdbOptions,
        progress: &dyn Fn(f64),
    ) -> Result<(Tsdb, RecoveryReport), TsdbError> {
        let mut report = RecoveryReport::default();
        let snapshot = store.read()?;
        let catalog = Catalog::load(&snapshot)?;
        let mut index = Index::default();
        series_table::load(&snapshot, &mut index, &mut |error: StoreError| {
            report.damage.push(error.to_string());
        })?;
        // An id that a damaged block held must not be given out again.
        let series_saved_until = index.next_id().max(activity::next_id(&snapshot)?);
        let generations = replay(&snapshot, &mut index, &mut report, progress)?;
        let metadata = load_metadata(&snapshot, &mut report)?;
        let exemplars = ExemplarLog::load(&snapshot, &mut report.damage)?;
        let flushed = flushed_generation(&snapshot)?;
        drop(snapshot);

        let next_series = index.next_id().max(series_saved_until);
        let (writer, heads) = continue_from(generations, flushed, next_series);
        report.series = index.len();
        report.replayed_samples = heads.all().map(|head| head.samples()).sum();
        let hasher = SeriesHasher::new().map_err(|e| TsdbError::Codec(e.to_string()))?;
        let tsdb = Tsdb {
            store,
            options,
            index: RwLock::new(index),
            keys: RwLock::new(SeriesKeys::default()),
            hasher,
            heads: RwLock::new(heads),
            catalog: RwLock::new(Arc::new(catalog)),
            metadata: RwLock::new(metadata),
            exemplars: Mutex::new(exemplars),
            writer: Mutex::new(WriterState { writer, unsettled: false }),
            upkeep: Mutex::new(Upkeep { series_saved_until }),
            removals: AtomicU64::new(0),
            damaged_blocks: AtomicU64::new(0),
        };
        tsdb.remove_orphans()?;
        progress(1.0);
        Ok((tsdb, report))
    }
}

/// The last generation whose samples are all in blocks.
pub(super) fn flushed_generation(snapshot: &Snapshot) -> Result<u32, StoreError> {
    let value = snapshot.get(Table::Meta, FLUSHED_KEY)?;
    Ok(value.and_then(|value| KeyReader::new(value.payload()).u32()).unwrap_or(0))
}

fn replay(
    snapshot: &Snapshot,
    index: &mut Index,
    report: &mut RecoveryReport,
    progress: &dyn Fn(f64),
) -> Result<BTreeMap<u32, Generation>, TsdbError> {
    let flushed = flushed_generation(snapshot)?;
    let table = snapshot.table(Table::Journal)?;
    let total = table.len()?.max(1) as f64;
    let mut generations: BTreeMap<u32, Generation> = BTreeMap::new();
    for (place, entry) in table.all()?.enumerate() {
        if place % 64 == 0 {
            progress(place as f64 / total);
        }
        let entry = entry?;
        let Some((number, sequence)) = journal::parse_key(entry.key()) else { continue };
        if number <= flushed {
            // A flush was cut off while it cleared the journal.
            continue;
        }
        let generation = generations.entry(number).or_insert_with(|| Generation {
            head: Head::new(number),
            tails: Vec::new(),
            histograms: HashMap::new(),
            next_sequence: 0,
            bytes: 0,
            damaged: false,
        });
        if generation.damaged {
            continue;
        }
        let replayed = entry.open().map_err(|e| e.to_string()).and_then(|value| {
            if sequence != generation.next_sequence {
                return Err(format!("part {} is missing", generation.next_sequence));
            }
            generation.bytes += value.payload().len() as u64;
            generation
                .replay(value.payload(), index)
                .ok_or_else(|| "a part that cannot be decoded".to_owned())
        });
        match replayed {
            Ok(()) => generation.next_sequence += 1,
            Err(reason) => {
                generation.damaged = true;
                report.damage.push(format!(
                    "journal generation {number}, part {sequence}: {reason}; samples that follow in this generation are lost"
                ));
            }
        }
    }
    Ok(generations)
}

impl Generation {
    fn replay(&mut self, payload: &[u8], index: &mut Index) -> Option<()> {
        let part = Part::parse(payload)?;
        for (place, labels) in part.new.iter().enumerate() {
            let id = part.first_new.checked_add(u32::try_from(place).ok()?)?;
            // A flush saves series that are still in the journal too.
            if !index.all().contains(id) {
                index.insert(id, labels);
            }
        }
        let mut spans = Vec::new();
        let total = part.samples.len();
        let (tails, histograms) = (&mut self.tails, &mut self.histograms);
        part.for_each_sample(|series, rest| {
            if series >= super::writer::NEW_SERIES {
                return None;
            }
            let start = total - rest.len();
            if tails.len() <= series as usize {
                tails.resize(series as usize + 1, Tail::default());
            }
            let (at, bits) = open_chunk::take(&mut tails[series as usize], rest)?;
            if bits == HISTOGRAM_NAN {
                let before = histograms.get(&series).map(Arc::as_ref);
                let histogram = open_histogram::take(before, rest)?;
                histograms.insert(series, Arc::new(histogram));
            }
            let end = total - rest.len();
            spans.push(Span { series, at, end: end as u32, len: (end - start) as u32 });
            Some(())
        })?;
        self.head.append(part.samples, &spans);
        Some(())
    }
}

/// The newest intact generation goes on; everything before it waits for its flush.
fn continue_from(
    generations: BTreeMap<u32, Generation>,
    flushed: u32,
    next_series: u32,
) -> (Writer, Heads) {
    let next = generations.keys().next_back().copied().unwrap_or(flushed) + 1;
    let mut frozen: Vec<Arc<Head>> = Vec::new();
    let mut last = None;
    for (number, generation) in generations {
        if number + 1 == next && !generation.damaged {
            last = Some(generation);
        } else {
            frozen.push(Arc::new(generation.head));
        }
    }
    match last {
        Some(last) => {
            let writer = Writer::resume(
                last.head.generation,
                last.next_sequence,
                next_series,
                (last.tails, last.histograms),
                last.bytes,
            );
            (writer, Heads { frozen, active: Arc::new(last.head) })
        }
        None => {
            (Writer::new(next, next_series), Heads { frozen, active: Arc::new(Head::new(next)) })
        }
    }
}

fn load_metadata(
    snapshot: &Snapshot,
    report: &mut RecoveryReport,
) -> Result<BTreeMap<String, Metadata>, TsdbError> {
    let mut out = BTreeMap::new();
    for entry in snapshot.table(Table::Metadata)?.all()? {
        let entry = entry?;
        let family = String::from_utf8_lossy(entry.key()).into_owned();
        let record = entry
            .open()
            .and_then(|v| decode_record(RecordKind::Metadata, METADATA_VERSION, v.payload()));
        match record {
            Ok(record) => drop(out.insert(family, record)),
            Err(error) => report.damage.push(error.to_string()),
        }
    }
    Ok(out)
}
