//! From requests to batches: each sample is admitted or refused, each series looked up.

use crate::config::Limits;
use crate::decode::WireError;
use crate::decode::admit::{Reason, Refusals, TimeBounds, admit_labels};
use crate::decode::remote_write::{LabelKey, MetadataEntry, SampleIter, v1, v2};
use crate::model::{Exemplar, Labels, Metadata, Reading, Row};
use crate::tsdb::{Batch, BatchBuilder, BatchSeries, SeriesKey};

/// The wire form of remote write's label keys; version 2 gives the same as version 1.
const REMOTE_WRITE_FORM: u8 = 1;

/// What was read from one request, ready to be written.
#[derive(Debug, Default)]
pub struct Intake {
    /// The good samples.
    pub batch: Batch,
    /// What was refused.
    pub refusals: Refusals,
    /// Native histograms that were offered; they are not stored.
    pub histograms: u64,
    /// Exemplars that were offered and cannot be stored: their series is unknown, their time or
    /// labels are beyond the limits.
    pub exemplars_skipped: u64,
}

/// Reads requests with the limits and the times that hold now.
pub(super) struct IntakeReader<'t> {
    pub(super) builder: BatchBuilder<'t>,
    pub(super) limits: &'t Limits,
    pub(super) bounds: TimeBounds,
    pub(super) intake: Intake,
    scratch: Vec<u8>,
}

impl<'t> IntakeReader<'t> {
    pub(super) fn new(builder: BatchBuilder<'t>, limits: &'t Limits, bounds: TimeBounds) -> Self {
        IntakeReader { builder, limits, bounds, intake: Intake::default(), scratch: Vec::new() }
    }

    pub(super) fn finish(self) -> Intake {
        Intake { batch: self.builder.finish(), ..self.intake }
    }

    pub(super) fn remote_write_1(&mut self, body: &[u8]) -> Result<(), WireError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        for entry in v1::Reader::new(body) {
            match entry? {
                v1::Entry::Series(series) => {
                    self.intake.histograms += u64::from(series.histograms());
                    self.intake.exemplars_skipped += u64::from(series.exemplars());
                    self.series(series.label_key(&mut scratch), series.samples())?;
                }
                v1::Entry::Metadata(entry) => self.metadata(&entry),
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    pub(super) fn remote_write_2(&mut self, body: &[u8]) -> Result<(), WireError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let request = v2::Request::read(body)?;
        for series in request.series() {
            let series = series?;
            self.intake.histograms += u64::from(series.histograms());
            self.intake.exemplars_skipped += u64::from(series.exemplars());
            if let Some(entry) = series.metadata()? {
                self.metadata(&entry);
            }
            self.series(series.label_key(&mut scratch)?, series.samples())?;
        }
        self.scratch = scratch;
        Ok(())
    }

    #[inline]
    fn series(
        &mut self,
        label_key: LabelKey<'_>,
        samples: SampleIter<'_>,
    ) -> Result<(), WireError> {
        let key = self.builder.key(REMOTE_WRITE_FORM, label_key.as_bytes());
        let series = match self.builder.known(key) {
            Some(series) => Ok(series),
            None => self.new_series(label_key, key)?,
        };
        match series {
            Ok(series) => self.samples(series, &label_key, samples),
            Err(reason) => {
                let count = samples.map(|s| s.map(|_| 1)).sum::<Result<u64, WireError>>()?;
                self.intake.refusals.add(count, || describe(&label_key), reason);
                Ok(())
            }
        }
    }

    #[inline]
    fn samples(
        &mut self,
        series: BatchSeries,
        label_key: &LabelKey<'_>,
        samples: SampleIter<'_>,
    ) -> Result<(), WireError> {
        for sample in samples {
            let sample = sample?;
            match self.bounds.admit(sample.at) {
                Ok(()) => self.builder.push(series, sample.at, sample.value),
                Err(reason) => self.intake.refusals.add(1, || describe(label_key), reason),
            }
        }
        Ok(())
    }

    fn new_series(
        &mut self,
        label_key: LabelKey<'_>,
        key: SeriesKey,
    ) -> Result<Result<BatchSeries, Reason>, WireError> {
        let pairs = label_key.labels().collect::<Result<Vec<_>, WireError>>()?;
        Ok(admit_labels(&pairs, self.limits)
            .and_then(|labels| self.admit_series(&labels, Some(key))))
    }

    fn admit_series(
        &mut self,
        labels: &Labels,
        key: Option<SeriesKey>,
    ) -> Result<BatchSeries, Reason> {
        let max = self.limits.series_max;
        self.builder.series_within(labels, key, max).ok_or(Reason::TooManySeries { max })
    }

    fn metadata(&mut self, entry: &MetadataEntry<'_>) {
        if entry.family.is_empty() || entry.family.len() > METADATA_NAME_BYTES_MAX {
            return;
        }
        let metadata = Metadata {
            kind: entry.kind,
            unit: entry.unit.to_owned(),
            help: truncated(entry.help, METADATA_HELP_BYTES_MAX).to_owned(),
        };
        self.builder.metadata(entry.family, metadata);
    }

    /// Rows from a collector or a decoder: their labels are valid sets already.
    pub(super) fn rows(&mut self, rows: &[Row]) {
        for row in rows {
            let series = self.admit_series(&row.labels, None);
            let admitted = self.bounds.admit(row.at).and(series);
            match admitted {
                Ok(series) => {
                    if let Reading::Float(value) = row.value {
                        self.builder.push(series, row.at, value);
                    }
                }
                Err(reason) => self.intake.refusals.add(1, || row.labels.to_string(), reason),
            }
        }
    }

    /// Exemplars of series that are known, or have samples among what was read before.
    pub(super) fn exemplars(&mut self, exemplars: &[(Labels, Exemplar)]) {
        for (series, exemplar) in exemplars {
            let series = self.builder.existing(series);
            self.exemplar(series, exemplar.clone());
        }
    }

    fn exemplar(&mut self, series: Option<BatchSeries>, exemplar: Exemplar) {
        match series {
            Some(series)
                if exemplar.is_short_enough() && self.bounds.admit(exemplar.at).is_ok() =>
            {
                self.builder.exemplar(series, exemplar);
            }
            _ => self.intake.exemplars_skipped += 1,
        }
    }

    /// The type, unit and help of metric families.
    pub(super) fn families<'m>(
        &mut self,
        families: impl IntoIterator<Item = (&'m str, &'m Metadata)>,
    ) {
        for (family, metadata) in families {
            if !family.is_empty() && family.len() <= METADATA_NAME_BYTES_MAX {
                let help = truncated(&metadata.help, METADATA_HELP_BYTES_MAX).to_owned();
                self.builder.metadata(family, Metadata { help, ..metadata.clone() });
            }
        }
    }
}

/// Family names are keys of a table, whose keys have at most 255 bytes.
const METADATA_NAME_BYTES_MAX: usize = 255;
/// Help beyond this is cut off.
const METADATA_HELP_BYTES_MAX: usize = 1024;

fn truncated(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

fn describe(label_key: &LabelKey<'_>) -> String {
    let pairs: Vec<_> = label_key.labels().filter_map(Result::ok).collect();
    match Labels::from_pairs(pairs.iter().copied()) {
        Ok(labels) => labels.to_string(),
        Err(_) => format!("{pairs:?}"),
    }
}
