//! From requests to batches: each sample is admitted or refused, each series looked up.

use crate::config::Limits;
use std::sync::Arc;

use crate::decode::WireError;
use crate::decode::admit::{
    Reason, Refusals, TimeBounds, admit_labels, check_histogram, check_size,
};
use crate::decode::remote_write::{
    ExemplarIter, HistogramIter, LabelKey, MetadataEntry, SampleIter, v1, v2,
};
use crate::model::{
    Exemplar, Histogram, Labels, Metadata, Reading, ResetHint, Row, Timestamp, is_stale_nan,
};
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
    /// Staleness markers among the samples that came as histograms.
    pub histogram_markers: u64,
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
                    let exemplars = (series.exemplar_count() > 0).then(|| series.exemplars());
                    let histograms = (series.histogram_count() > 0)
                        .then(|| series.histograms(self.limits.histogram_buckets_max));
                    let label_key = series.label_key(&mut scratch);
                    self.series(label_key, series.samples(), histograms, exemplars)?;
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
            if let Some(entry) = series.metadata()? {
                self.metadata(&entry);
            }
            let histograms = (series.histogram_count() > 0)
                .then(|| series.histograms(self.limits.histogram_buckets_max));
            let exemplars = (series.exemplar_count() > 0).then(|| series.exemplars());
            let label_key = series.label_key(&mut scratch)?;
            self.series(label_key, series.samples(), histograms, exemplars)?;
        }
        self.scratch = scratch;
        Ok(())
    }

    #[inline]
    fn series(
        &mut self,
        label_key: LabelKey<'_>,
        samples: SampleIter<'_>,
        histograms: Option<HistogramIter<'_>>,
        exemplars: Option<ExemplarIter<'_, '_>>,
    ) -> Result<(), WireError> {
        let key = self.builder.key(REMOTE_WRITE_FORM, label_key.as_bytes());
        let series = match self.builder.known(key) {
            Some(series) => Ok(series),
            // Prometheus sends exemplars apart from samples; alone they do not make a series.
            None if samples.is_empty() && histograms.is_none() && exemplars.is_some() => {
                let series = self.known_by_labels(&label_key)?;
                return self.exemplars_of(series, exemplars);
            }
            None => self.new_series(label_key, key)?,
        };
        match series {
            Ok(series) => {
                self.samples(series, &label_key, samples)?;
                if let Some(histograms) = histograms {
                    self.histograms(series, &label_key, histograms)?;
                }
                self.exemplars_of(Some(series), exemplars)
            }
            Err(reason) => {
                let mut count = samples.map(|s| s.map(|_| 1)).sum::<Result<u64, WireError>>()?;
                for histogram in histograms.into_iter().flatten() {
                    let _ = histogram?;
                    count += 1;
                }
                self.intake.refusals.add(count, || describe(&label_key), reason);
                self.exemplars_of(None, exemplars)
            }
        }
    }

    /// The series of labels that were not seen in this form before, if it is known at all.
    fn known_by_labels(&self, label_key: &LabelKey<'_>) -> Result<Option<BatchSeries>, WireError> {
        let pairs = label_key.labels().collect::<Result<Vec<_>, WireError>>()?;
        let labels = Labels::from_pairs(pairs).ok();
        Ok(labels.and_then(|labels| self.builder.existing(&labels)))
    }

    fn exemplars_of(
        &mut self,
        series: Option<BatchSeries>,
        exemplars: Option<ExemplarIter<'_, '_>>,
    ) -> Result<(), WireError> {
        for exemplar in exemplars.into_iter().flatten() {
            match exemplar? {
                Some(exemplar) => self.exemplar(series, exemplar),
                None => self.intake.exemplars_skipped += 1,
            }
        }
        Ok(())
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

    fn histograms(
        &mut self,
        series: BatchSeries,
        label_key: &LabelKey<'_>,
        histograms: HistogramIter<'_>,
    ) -> Result<(), WireError> {
        for histogram in histograms {
            let (at, value) = histogram?;
            let is_marker = matches!(value, Ok(Reading::Float(_)));
            let admitted = self.bounds.admit(at).and(value);
            match admitted.and_then(|value| self.push(series, at, value)) {
                Ok(()) => self.intake.histogram_markers += u64::from(is_marker),
                Err(reason) => self.intake.refusals.add(1, || describe(label_key), reason),
            }
        }
        Ok(())
    }

    /// Adds a sample that is fit to be stored.
    fn push(&mut self, series: BatchSeries, at: Timestamp, value: Reading) -> Result<(), Reason> {
        match value {
            Reading::Float(value) => self.builder.push(series, at, value),
            Reading::Histogram(histogram) => {
                let max = self.limits.inflated_bytes_max;
                if self.builder.histogram_bytes() > max {
                    return Err(Reason::TooMuchAtOnce { max });
                }
                self.builder.push_histogram(series, at, histogram);
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
            match admitted.and_then(|series| self.row(series, row)) {
                Ok(()) => {}
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

    #[inline]
    fn row(&mut self, series: BatchSeries, row: &Row) -> Result<(), Reason> {
        match &row.value {
            Reading::Float(value) => {
                self.builder.push(series, row.at, *value);
                Ok(())
            }
            Reading::Histogram(histogram) if is_stale_nan(histogram.sum) => {
                self.builder.push(series, row.at, histogram.sum);
                Ok(())
            }
            Reading::Histogram(histogram) => {
                check_size(histogram, self.limits.histogram_buckets_max)?;
                check_histogram(histogram)?;
                self.push(series, row.at, Reading::Histogram(without_doubtful_hint(histogram)))
            }
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

/// "Not reset" is said with regard to the histogram before, which nobody promises to be the one
/// that is stored before this one; comparing the two tells it too.
fn without_doubtful_hint(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    let mut histogram = Arc::clone(histogram);
    if histogram.reset_hint == ResetHint::NotReset {
        Arc::make_mut(&mut histogram).reset_hint = ResetHint::Unknown;
    }
    histogram
}

fn describe(label_key: &LabelKey<'_>) -> String {
    let pairs: Vec<_> = label_key.labels().filter_map(Result::ok).collect();
    match Labels::from_pairs(pairs.iter().copied()) {
        Ok(labels) => labels.to_string(),
        Err(_) => format!("{pairs:?}"),
    }
}
