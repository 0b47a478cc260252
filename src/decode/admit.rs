//! Decides what may come in: labels within the limits, times within the bounds.

use std::fmt;

use crate::config::Limits;
use crate::model::{Histogram, LabelError, Labels, METRIC_NAME, Timestamp};

/// One thing that was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What: the series or the sample, short enough for an answer.
    pub what: String,
    /// Why, and how to mend it.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// Why something was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No `__name__`, or an empty one.
    #[error("it has no metric name; give it a {METRIC_NAME} label")]
    NoMetricName,
    /// A label with an empty name.
    #[error("a label has an empty name")]
    EmptyLabelName,
    /// The same label twice.
    #[error("label {0:?} appears more than once")]
    DuplicateLabel(String),
    /// More labels than allowed.
    #[error("it has {found} labels, more than limits.labels_max = {max}")]
    TooManyLabels {
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
    /// A label name longer than allowed.
    #[error(
        "label name {name:?} takes {found} bytes, more than limits.label_name_bytes_max = {max}"
    )]
    LongLabelName {
        /// The beginning of the name.
        name: String,
        /// Its length in bytes.
        found: usize,
        /// The allowed length in bytes.
        max: usize,
    },
    /// A label value longer than allowed.
    #[error(
        "the value of label {name:?} takes {found} bytes, more than \
         limits.label_value_bytes_max = {max}"
    )]
    LongLabelValue {
        /// The label.
        name: String,
        /// The value's length in bytes.
        found: usize,
        /// The allowed length in bytes.
        max: usize,
    },
    /// A time further ahead of the clock than allowed.
    #[error(
        "its time {at} is ahead of the clock by more than limits.future_seconds_max = {max_s}; \
         check the sender's clock"
    )]
    TooFarAhead {
        /// The sample's time.
        at: Timestamp,
        /// How far ahead it may be, in seconds.
        max_s: i64,
    },
    /// A time before everything that is kept.
    #[error("its time {at} is before {oldest}, the oldest time that retention.raw keeps")]
    TooOld {
        /// The sample's time.
        at: Timestamp,
        /// The oldest time kept.
        oldest: Timestamp,
    },
    /// A new series beyond the number that is allowed.
    #[error(
        "it is a new series, and there are limits.series_max = {max} already; \
         send fewer different label sets or raise the limit"
    )]
    TooManySeries {
        /// How many there may be.
        max: usize,
    },
    /// A native histogram of more buckets than allowed.
    #[error(
        "the histogram has {found} buckets, more than limits.histogram_buckets_max = {max}; give it \
         fewer buckets or raise the limit"
    )]
    TooManyBuckets {
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
    /// A native histogram that is none.
    #[error("{0}")]
    InvalidHistogram(String),
    /// The native histograms of one request take too much memory.
    #[error(
        "the histograms of one request take more than limits.inflated_bytes_max = {max} bytes in \
         memory; send fewer in one request"
    )]
    TooMuchAtOnce {
        /// How many bytes they may take.
        max: usize,
    },
    /// Anything else that makes a sample unfit, in the words of the decoder that found it.
    #[error("{0}")]
    Malformed(String),
}

impl Reason {
    /// A short stable word for counters (`vedette_samples_refused_total{reason=…}`).
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::NoMetricName => "no_metric_name",
            Reason::EmptyLabelName | Reason::DuplicateLabel(_) => "invalid_labels",
            Reason::TooManyLabels { .. } => "too_many_labels",
            Reason::LongLabelName { .. } => "long_label_name",
            Reason::LongLabelValue { .. } => "long_label_value",
            Reason::TooFarAhead { .. } => "too_far_ahead",
            Reason::TooOld { .. } => "too_old",
            Reason::TooManySeries { .. } => "too_many_series",
            Reason::TooManyBuckets { .. } => "too_many_buckets",
            Reason::InvalidHistogram(_) => "invalid_histogram",
            Reason::TooMuchAtOnce { .. } => "too_much_at_once",
            Reason::Malformed(_) => "malformed",
        }
    }
}

/// Makes a label set out of pairs in any order if it keeps to the limits. A pair with an empty
/// value is an absent label, as in Prometheus, and is not counted.
pub fn admit_labels<N: AsRef<str>, V: AsRef<str>>(
    pairs: &[(N, V)],
    limits: &Limits,
) -> Result<Labels, Reason> {
    let mut count = 0;
    let mut named = false;
    for (name, value) in pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.is_empty() {
            return Err(Reason::EmptyLabelName);
        }
        if value.is_empty() {
            continue;
        }
        count += 1;
        named |= name == METRIC_NAME;
        if name.len() > limits.label_name_bytes_max {
            return Err(Reason::LongLabelName {
                name: shorten(name),
                found: name.len(),
                max: limits.label_name_bytes_max,
            });
        }
        if value.len() > limits.label_value_bytes_max {
            return Err(Reason::LongLabelValue {
                name: name.to_owned(),
                found: value.len(),
                max: limits.label_value_bytes_max,
            });
        }
    }
    if !named {
        return Err(Reason::NoMetricName);
    }
    if count > limits.labels_max {
        return Err(Reason::TooManyLabels { found: count, max: limits.labels_max });
    }
    let pairs = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    Labels::from_pairs(pairs).map_err(|error| match error {
        LabelError::EmptyName => Reason::EmptyLabelName,
        LabelError::Duplicate(name) => Reason::DuplicateLabel(name),
        LabelError::TooLong { .. } => Reason::Malformed(error.to_string()),
    })
}

/// The finest resolution that is stored; finer ones, up to the second, are reduced to it
/// (`ExponentialSchemaMax` and `ExponentialSchemaMaxReserved` in `model/histogram/generic.go`).
const SCHEMA_MAX: i32 = 8;
const SCHEMA_MAX_KNOWN: i32 = 52;

/// Lets a native histogram in if it is valid and has at most `buckets_max` buckets, spans and
/// bounds. Resolutions beyond the finest are reduced to it, as Prometheus does.
pub fn admit_histogram(mut histogram: Histogram, buckets_max: usize) -> Result<Histogram, Reason> {
    check_size(&histogram, buckets_max)?;
    let is_finer = (SCHEMA_MAX + 1..=SCHEMA_MAX_KNOWN).contains(&histogram.schema);
    if is_finer {
        // Only what is valid otherwise can be reduced.
        let schema = std::mem::replace(&mut histogram.schema, SCHEMA_MAX);
        check_histogram(&histogram)?;
        histogram.schema = schema;
        histogram.reduce_resolution(SCHEMA_MAX);
    } else {
        check_histogram(&histogram)?;
    }
    Ok(histogram)
}

/// Whether a native histogram may come in as it is.
pub fn check_histogram(histogram: &Histogram) -> Result<(), Reason> {
    histogram.validate().map_err(|error| Reason::InvalidHistogram(error.to_string()))?;
    for buckets in [&histogram.positive, &histogram.negative] {
        let mut end = 0i64;
        for span in &buckets.spans {
            end += i64::from(span.offset) + i64::from(span.length);
            if i32::try_from(end).is_err() {
                let text = format!("a bucket's index {end} does not fit 32 bits");
                return Err(Reason::InvalidHistogram(text));
            }
        }
    }
    Ok(())
}

/// Whether a native histogram is small enough: buckets of both signs together, runs of them, and
/// bounds.
pub fn check_size(histogram: &Histogram, buckets_max: usize) -> Result<(), Reason> {
    let buckets = histogram.positive.counts.len() + histogram.negative.counts.len();
    let spans = histogram.positive.spans.len() + histogram.negative.spans.len();
    let found = buckets.max(spans).max(histogram.custom_bounds.len());
    if found > buckets_max {
        return Err(Reason::TooManyBuckets { found, max: buckets_max });
    }
    Ok(())
}

/// The times that samples may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBounds {
    oldest: Timestamp,
    latest: Timestamp,
    future_seconds_max: i64,
}

impl TimeBounds {
    /// From `oldest` (the edge of the retention) to `now` plus what the limits allow.
    pub fn new(now: Timestamp, oldest: Timestamp, limits: &Limits) -> Self {
        let ahead_ms = limits.future_seconds_max.saturating_mul(1000);
        TimeBounds {
            oldest,
            latest: now.plus_millis(ahead_ms),
            future_seconds_max: limits.future_seconds_max,
        }
    }

    /// Whether a sample of this time may come in.
    #[inline]
    pub fn admit(&self, at: Timestamp) -> Result<(), Reason> {
        if at >= self.oldest && at <= self.latest { Ok(()) } else { Err(self.refuse(at)) }
    }

    #[cold]
    fn refuse(&self, at: Timestamp) -> Reason {
        if at < self.oldest {
            Reason::TooOld { at, oldest: self.oldest }
        } else {
            Reason::TooFarAhead { at, max_s: self.future_seconds_max }
        }
    }
}

/// How many refusals are told in full.
const REFUSALS_KEPT: usize = 3;
/// How much of a name or series is quoted, in bytes.
const QUOTED_BYTES_MAX: usize = 200;

/// Counts what was refused and keeps the first few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    total: u64,
    kept: Vec<Refusal>,
    by_code: Vec<(&'static str, u64)>,
}

impl Refusals {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `samples` of `what` were refused. `what` is only called if the text is kept.
    pub fn add(&mut self, samples: u64, what: impl FnOnce() -> String, reason: Reason) {
        self.total += samples;
        let code = reason.code();
        match self.by_code.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += samples,
            None => self.by_code.push((code, samples)),
        }
        if self.kept.len() < REFUSALS_KEPT {
            self.kept.push(Refusal { what: shorten(&what()), reason });
        }
    }

    /// How many samples were refused.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.kept.is_empty()
    }

    /// The first few, in the order in which they came.
    pub fn kept(&self) -> &[Refusal] {
        &self.kept
    }

    /// How many samples by [`Reason::code`], in the order of first appearance.
    pub fn by_code(&self) -> &[(&'static str, u64)] {
        &self.by_code
    }
}

impl fmt::Display for Refusals {
    /// One sentence for an answer: how many, and the first few with their reasons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.total == 1 { "" } else { "s" };
        write!(f, "{} sample{plural} refused", self.total)?;
        for (place, refusal) in self.kept.iter().enumerate() {
            write!(f, "{} {refusal}", if place == 0 { ":" } else { ";" })?;
        }
        if self.total > self.kept.len() as u64 && self.kept.len() == REFUSALS_KEPT {
            f.write_str("; and more")?;
        }
        Ok(())
    }
}

/// The beginning of a text, cut at a character.
fn shorten(text: &str) -> String {
    if text.len() <= QUOTED_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=QUOTED_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            labels_max: 3,
            label_name_bytes_max: 8,
            label_value_bytes_max: 5,
            future_seconds_max: 60,
            ..Limits::default()
        }
    }

    fn reason(pairs: &[(&str, &str)]) -> Reason {
        admit_labels(pairs, &limits()).expect_err("must be refused")
    }

    #[test]
    fn good_labels_become_a_set_whatever_their_order() {
        let labels = admit_labels(&[("b", "1"), ("__name__", "up"), ("a.b", "é")], &limits())
            .expect("within the limits");
        assert_eq!(
            labels,
            Labels::from_pairs([("__name__", "up"), ("a.b", "é"), ("b", "1")]).expect("valid")
        );
    }

    #[test]
    fn a_value_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(admit_labels(&[("__name__", "12345")], &limits()).is_ok());
        assert_eq!(
            reason(&[("__name__", "123456")]),
            Reason::LongLabelValue { name: "__name__".to_owned(), found: 6, max: 5 }
        );
        let error = reason(&[("__name__", "up"), ("ninebytes", "1")]).to_string();
        assert!(error.contains("limits.label_name_bytes_max = 8"), "{error}");
    }

    #[test]
    fn absent_labels_do_not_count_but_too_many_do() {
        let three = [("__name__", "up"), ("a", "1"), ("b", "1"), ("c", "")];
        assert!(admit_labels(&three, &limits()).is_ok());
        let four = [("__name__", "up"), ("a", "1"), ("b", "1"), ("c", "1")];
        assert_eq!(reason(&four), Reason::TooManyLabels { found: 4, max: 3 });
    }

    #[test]
    fn names_must_be_there_and_unique() {
        assert_eq!(reason(&[("a", "1")]), Reason::NoMetricName);
        assert_eq!(reason(&[("__name__", "")]), Reason::NoMetricName);
        assert_eq!(reason(&[("__name__", "up"), ("", "1")]), Reason::EmptyLabelName);
        assert_eq!(
            reason(&[("__name__", "up"), ("a", "1"), ("a", "1")]),
            Reason::DuplicateLabel("a".to_owned())
        );
    }

    #[test]
    fn times_are_admitted_from_the_oldest_kept_to_a_little_ahead() {
        let time = Timestamp::from_millis;
        let bounds = TimeBounds::new(time(100_000), time(5_000), &limits());
        assert_eq!(bounds.admit(time(5_000)), Ok(()));
        assert_eq!(bounds.admit(time(160_000)), Ok(()));
        assert!(matches!(bounds.admit(time(4_999)), Err(Reason::TooOld { .. })));
        assert!(matches!(bounds.admit(time(160_001)), Err(Reason::TooFarAhead { .. })));
    }

    #[test]
    fn refusals_count_all_and_tell_the_first_few() {
        let mut refusals = Refusals::new();
        for n in 0..12 {
            refusals.add(2, || format!("series {n}"), Reason::NoMetricName);
        }
        assert_eq!(refusals.total(), 24);
        assert_eq!(refusals.kept().len(), REFUSALS_KEPT);
        assert_eq!(refusals.by_code(), [("no_metric_name", 24)]);
        let text = refusals.to_string();
        assert!(text.starts_with("24 samples refused: series 0: it has no metric name"), "{text}");
        assert!(text.ends_with("; and more"), "{text}");
    }
}
