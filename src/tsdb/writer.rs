//! Turns groups of writes into journal parts and, once those are durable, into visible samples.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::batch::Batch;
use super::head::{Head, Span};
use super::journal::{self, PartBuilder};
use super::open_chunk::{self, Tail};
use super::open_histogram;
use super::series_keys::SeriesKey;
use super::{Tsdb, TsdbError};
use crate::model::{Exemplar, HISTOGRAM_NAN, Histogram, Labels};
use crate::store::{Table, Txn};

/// Marks an id in a batch as a place in its list of new series.
pub(super) const NEW_SERIES: u32 = 1 << 31;

/// A sample whose series is known or new.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSample {
    pub(super) series: u32,
    pub(super) at: i64,
    pub(super) bits: u64,
}

/// A series that was not known when the batch was put together.
#[derive(Clone, Debug)]
pub(super) struct NewSeries {
    pub(super) labels: Labels,
    pub(super) key: Option<SeriesKey>,
}

/// What the writer keeps between groups; nobody else touches it.
#[derive(Debug)]
pub(super) struct Writer {
    generation: u32,
    /// The sequence number of the next journal part.
    sequence: u64,
    next_series: u32,
    /// What the next sample of each series is encoded against, by series id.
    tails: Vec<Tail>,
    /// The last histogram of each series that has any: the next is encoded against it.
    histograms: HashMap<u32, Arc<Histogram>>,
    /// Bytes in the journal for this generation.
    pub(super) journal_bytes: u64,
    part: PartBuilder,
    group: Group,
}

/// A group between encoding and commit.
#[derive(Debug, Default)]
struct Group {
    /// Finished parts of the group, each with where its samples begin and what they are.
    parts: Vec<(Vec<u8>, usize, Vec<Span>)>,
    spans: Vec<Span>,
    new: Vec<(u32, Labels)>,
    new_by_labels: HashMap<Labels, u32>,
    exemplars: Vec<(u32, Exemplar)>,
    keys: Vec<(SeriesKey, u32)>,
    /// Tails as they were before the group.
    undo: Vec<(u32, Tail)>,
    /// Histograms as they were before the group.
    undo_histograms: Vec<(u32, Option<Arc<Histogram>>)>,
    /// Room to encode one in.
    packed: Vec<u8>,
    first_new: u32,
}

impl Writer {
    pub(super) fn new(generation: u32, next_series: u32) -> Self {
        Writer {
            generation,
            sequence: 0,
            next_series,
            tails: Vec::new(),
            histograms: HashMap::new(),
            journal_bytes: 0,
            part: PartBuilder::default(),
            group: Group { first_new: next_series, ..Group::default() },
        }
    }

    /// Continues a generation whose journal has been replayed into tails and last histograms.
    pub(super) fn resume(
        generation: u32,
        sequence: u64,
        next_series: u32,
        (tails, histograms): (Vec<Tail>, HashMap<u32, Arc<Histogram>>),
        journal_bytes: u64,
    ) -> Self {
        let fresh = Writer::new(generation, next_series);
        Writer { sequence, tails, histograms, journal_bytes, ..fresh }
    }

    /// Encodes a batch into the group. Nothing is visible yet.
    pub(super) fn stage(&mut self, tsdb: &Tsdb, batch: &Batch) -> std::io::Result<()> {
        let new_ids = self.resolve(tsdb, &batch.new)?;
        self.group.keys.extend_from_slice(&batch.learned);
        self.group.exemplars.extend(batch.exemplars.iter().map(|(series, exemplar)| {
            let series = match series & NEW_SERIES {
                0 => *series,
                _ => new_ids[(series ^ NEW_SERIES) as usize],
            };
            (series, exemplar.clone())
        }));
        let mut histograms = batch.histograms.iter();
        for sample in &batch.samples {
            let series = match sample.series & NEW_SERIES {
                0 => sample.series,
                _ => new_ids[(sample.series ^ NEW_SERIES) as usize],
            };
            if sample.bits == HISTOGRAM_NAN {
                // There is one for each mark.
                let Some(histogram) = histograms.next() else { continue };
                self.pack_histogram(series, histogram)?;
                let packed = std::mem::take(&mut self.group.packed);
                self.push(series, sample.at, sample.bits, &packed);
                self.group.packed = packed;
                continue;
            }
            if self.part.is_full() {
                self.close_part()?;
            }
            self.push(series, sample.at, sample.bits, &[]);
        }
        Ok(())
    }

    /// Adds a sample, and what stands behind it, to the open part. Inlined where nothing does:
    /// that is the path of nearly all samples.
    #[inline(always)]
    fn push(&mut self, series: u32, at: i64, bits: u64, behind: &[u8]) {
        let place = series as usize;
        if place >= self.tails.len() {
            self.tails.resize(place + 1, Tail::default());
        }
        let tail = &mut self.tails[place];
        self.group.undo.push((series, *tail));
        self.part.begin_sample(series);
        let start = self.part.samples.len();
        open_chunk::push(tail, at, bits, &mut self.part.samples);
        self.part.samples.extend_from_slice(behind);
        let end = self.part.samples.len();
        let len = (end - start) as u32;
        self.group.spans.push(Span { series, at, end: end as u32, len });
    }

    /// Encodes a histogram into the group's room for it, and closes the open part if it would
    /// not fit.
    fn pack_histogram(&mut self, series: u32, histogram: &Arc<Histogram>) -> std::io::Result<()> {
        let before = self.histograms.insert(series, Arc::clone(histogram));
        self.group.packed.clear();
        open_histogram::push(before.as_deref(), histogram, &mut self.group.packed);
        self.group.undo_histograms.push((series, before));
        if self.part.is_full_with(self.group.packed.len()) {
            self.close_part()?;
        }
        Ok(())
    }

    /// Gives every new series an id: that of the same labels in this group or from a group
    /// before, or a fresh one.
    fn resolve(&mut self, tsdb: &Tsdb, new: &[NewSeries]) -> std::io::Result<Vec<u32>> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let index = tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids = Vec::with_capacity(new.len());
        for series in new {
            let known = index
                .find(&series.labels)
                .or_else(|| self.group.new_by_labels.get(&series.labels).copied());
            let id = match known {
                Some(id) => id,
                None => {
                    if self.part.is_full() {
                        self.close_part()?;
                    }
                    let id = self.next_series;
                    self.next_series += 1;
                    self.part.add_series(id, &series.labels);
                    self.group.new_by_labels.insert(series.labels.clone(), id);
                    self.group.new.push((id, series.labels.clone()));
                    id
                }
            };
            self.group.keys.extend(series.key.map(|key| (key, id)));
            ids.push(id);
        }
        Ok(ids)
    }

    /// The exemplars of the group.
    pub(super) fn exemplars(&self) -> &[(u32, Exemplar)] {
        &self.group.exemplars
    }

    fn close_part(&mut self) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let samples = self.part.samples.len();
        self.part.finish(&mut bytes)?;
        let start = bytes.len() - samples;
        self.group.parts.push((bytes, start, std::mem::take(&mut self.group.spans)));
        Ok(())
    }

    /// Makes the group durable and then visible. When this fails, nothing of the group is
    /// visible, and the caller must repair the store before the next group.
    pub(super) fn commit(
        &mut self,
        tsdb: &Tsdb,
        head: &Head,
        extra: impl FnOnce(&mut Txn<'_>) -> Result<(), crate::store::StoreError>,
    ) -> Result<(), TsdbError> {
        if !self.part.is_empty() {
            self.close_part().map_err(|e| TsdbError::Codec(e.to_string()))?;
        }
        let (generation, sequence) = (self.generation, self.sequence);
        let parts = &self.group.parts;
        tsdb.store.write(false, |txn| {
            for (place, (part, _, _)) in parts.iter().enumerate() {
                let key = journal::key(generation, sequence + place as u64);
                txn.insert(Table::Journal, key.as_bytes(), part)?;
            }
            extra(txn)
        })?;
        self.publish(tsdb, head);
        Ok(())
    }

    /// The group is durable: shows it to readers.
    fn publish(&mut self, tsdb: &Tsdb, head: &Head) {
        self.sequence += self.group.parts.len() as u64;
        self.journal_bytes +=
            self.group.parts.iter().map(|(part, _, _)| part.len() as u64).sum::<u64>();
        if !self.group.new.is_empty() {
            let mut index = tsdb.index.write().unwrap_or_else(PoisonError::into_inner);
            for (id, labels) in &self.group.new {
                index.insert(*id, labels);
            }
        }
        for (part, samples_start, spans) in &self.group.parts {
            head.append(&part[*samples_start..], spans);
        }
        if !self.group.keys.is_empty() {
            let mut keys = tsdb.keys.write().unwrap_or_else(PoisonError::into_inner);
            if keys.len() >= tsdb.options.series_keys_max {
                // Churned-away forms would stay for ever; those in use come back by themselves.
                keys.clear();
            }
            for (key, id) in &self.group.keys {
                keys.insert(*key, *id);
            }
        }
        self.forget();
    }

    /// The group failed. After a failed commit it may be durable all the same: then it counts,
    /// whatever was answered, or the journal would have a gap.
    pub(super) fn settle_failed(&mut self, tsdb: &Tsdb, head: &Head) -> Result<(), TsdbError> {
        let key = journal::key(self.generation, self.sequence);
        let durable = !self.group.parts.is_empty()
            && tsdb.store.read()?.get(Table::Journal, key.as_bytes())?.is_some();
        if durable {
            self.publish(tsdb, head);
        } else {
            self.roll_back();
        }
        Ok(())
    }

    /// Forgets the group and everything it changed here.
    pub(super) fn roll_back(&mut self) {
        for (series, tail) in self.group.undo.iter().rev() {
            self.tails[*series as usize] = *tail;
        }
        for (series, before) in self.group.undo_histograms.drain(..).rev() {
            match before {
                Some(before) => drop(self.histograms.insert(series, before)),
                None => drop(self.histograms.remove(&series)),
            }
        }
        self.next_series = self.group.first_new;
        self.part.clear();
        self.forget();
    }

    fn forget(&mut self) {
        self.group.parts.clear();
        self.group.spans.clear();
        self.group.new.clear();
        self.group.new_by_labels.clear();
        self.group.keys.clear();
        self.group.exemplars.clear();
        self.group.undo.clear();
        self.group.undo_histograms.clear();
        self.group.first_new = self.next_series;
        // One huge group must not hold its memory for ever.
        self.group.undo.shrink_to(KEPT_CAPACITY);
        self.group.spans.shrink_to(KEPT_CAPACITY);
        self.group.exemplars.shrink_to(KEPT_CAPACITY);
    }

    /// Starts the next generation: the journal's differences start anew, so that it can be
    /// replayed without the one before.
    pub(super) fn next_generation(&mut self) -> Arc<Head> {
        *self = Writer::new(self.generation + 1, self.next_series);
        Arc::new(Head::new(self.generation))
    }
}

/// Samples of a group for which room is kept.
const KEPT_CAPACITY: usize = 64 * 1024;
