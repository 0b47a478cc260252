//! From a request to rows, exemplars and metadata (`metrics_to_prw.go`, `helper.go` and
//! `number_data_points.go` of Prometheus's `prometheusremotewrite`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::buckets::{self, BUCKETS_MAX};
use super::labels::{Pairs, Shared, named, target_info};
use super::message::{
    self, ExponentialPoint, HistogramPoint, KeyValue, Metric, NO_RECORDED_VALUE, NumberPoint,
    ResourceMetrics, SummaryPoint, Temporality,
};
use super::names::{Kind, metric_name, unit_name};
use super::{Export, OtlpError};
use crate::config::{Limits, Otlp};
use crate::decode::admit::{Reason, Refusals, TimeBounds};
use crate::model::{
    BUCKET_LABEL, EXEMPLAR_CHARS_MAX, Exemplar, Labels, Metadata, MetricType, Reading, Row,
    STALE_NAN, Timestamp, is_stale_nan,
};

/// What holds for a request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// How names and labels are made.
    pub settings: &'c Otlp,
    /// Bounds on labels.
    pub limits: &'c Limits,
    /// The times that points may have.
    pub bounds: &'c TimeBounds,
    /// `query.lookback_delta` in milliseconds: `target_info` gets a sample at least twice in it.
    pub lookback_ms: i64,
}

/// What a request says.
#[derive(Debug, Default)]
pub struct Translated {
    /// Samples.
    pub rows: Vec<Row>,
    /// Exemplars, with the series that they belong to.
    pub exemplars: Vec<(Labels, Exemplar)>,
    /// Exemplars that were left out.
    pub exemplars_skipped: u64,
    /// Types, units and help texts by family.
    pub families: BTreeMap<String, Metadata>,
    /// Points that were refused.
    pub refusals: Refusals,
}

/// The memory that the samples of one request may take, in bytes: a point of a histogram becomes
/// as many series as it has buckets, each with all labels.
const BYTES_MAX: usize = 256 << 20;
/// `target_info` samples between the first and the last point of a resource, of one request.
const FILLED_MAX: i64 = 10_000;

/// Translates a request. Points that may not come in are refused one by one; an error refuses the
/// request as a whole.
pub fn translate(export: &Export, context: &Context<'_>) -> Result<Translated, OtlpError> {
    let mut translator = Translator {
        context: *context,
        out: Translated::default(),
        bytes: 0,
        span: None,
        fills_left: FILLED_MAX,
    };
    for resource in &export.0.resource_metrics {
        translator.resource(resource)?;
    }
    Ok(translator.out)
}

struct Translator<'c> {
    context: Context<'c>,
    out: Translated,
    bytes: usize,
    /// The first and the last time of the resource at hand.
    span: Option<(Timestamp, Timestamp)>,
    fills_left: i64,
}

/// Why a point is not taken, or why the whole request is not.
enum Stop {
    Refused(Reason),
    Failed(OtlpError),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Stop::Refused(reason)
    }
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Stop::Refused(Reason::Malformed(reason))
    }
}

/// What the points of one metric have in common.
struct Family<'m> {
    name: String,
    shared: &'m Shared,
}

fn time_of(nanos: u64) -> Timestamp {
    Timestamp::from_millis((nanos / 1_000_000) as i64)
}

/// A number as it may be stored: of all NaNs only the staleness marker keeps its bits, as others
/// may mean something in a column of samples.
fn stored(value: f64) -> f64 {
    if value.is_nan() && !is_stale_nan(value) { f64::NAN } else { value }
}

/// A bound as Prometheus writes it for OTLP: `1`, not `1.0` as in a scrape.
fn bound_text(bound: f64) -> String {
    match bound {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => bound.to_string(),
    }
}

impl Translator<'_> {
    fn resource(&mut self, resource: &ResourceMetrics) -> Result<(), OtlpError> {
        self.span = None;
        for scope in &resource.scope_metrics {
            let shared = Shared::new(&resource.resource, scope, self.context.settings);
            for metric in &scope.metrics {
                self.metric(metric, &shared)?;
            }
        }
        self.target_info(&resource.resource)
    }

    fn metric(&mut self, metric: &Metric, shared: &Shared) -> Result<(), OtlpError> {
        use MetricType as T;
        let (kind, naming, points, temporality) = match metric {
            Metric { gauge: Some(gauge), .. } => {
                (T::Gauge, Kind::Gauge, gauge.data_points.len(), None)
            }
            Metric { sum: Some(sum), .. } => {
                let (kind, naming) = if sum.is_monotonic {
                    (T::Counter, Kind::MonotonicSum)
                } else {
                    (T::Gauge, Kind::Other)
                };
                (kind, naming, sum.data_points.len(), Some(sum.aggregation_temporality))
            }
            Metric { histogram: Some(one), .. } => (
                T::Histogram,
                Kind::Other,
                one.data_points.len(),
                Some(one.aggregation_temporality),
            ),
            Metric { exponential_histogram: Some(one), .. } => (
                T::Histogram,
                Kind::Other,
                one.data_points.len(),
                Some(one.aggregation_temporality),
            ),
            Metric { summary: Some(summary), .. } => {
                (T::Summary, Kind::Other, summary.data_points.len(), None)
            }
            // A kind of data that is newer than this reader, or none at all.
            _ => return Ok(()),
        };
        let refuse = |out: &mut Translated, reason| {
            out.refusals.add(points as u64, || format!("metric {:?}", metric.name), reason);
            Ok(())
        };
        if temporality.is_some_and(|t| t != Temporality::Cumulative) {
            let reason = format!(
                "invalid temporality and type combination for metric {:?}: only cumulative sums \
                 and histograms are taken; set the exporter's temporality preference to \
                 cumulative",
                metric.name
            );
            return refuse(&mut self.out, Reason::Malformed(reason));
        }
        let strategy = self.context.settings.translation_strategy;
        let name = match metric_name(strategy, &metric.name, &metric.unit, naming) {
            Ok(name) => name,
            Err(reason) => return refuse(&mut self.out, Reason::Malformed(reason)),
        };
        if points > 0 {
            let unit = unit_name(&metric.unit);
            let metadata = Metadata { kind, unit, help: metric.description.clone() };
            self.out.families.insert(name.clone(), metadata);
        }
        let family = Family { name, shared };
        if let Some(gauge) = &metric.gauge {
            self.points(&family, &gauge.data_points, |t, f, p| t.number(f, p, false))?;
        } else if let Some(sum) = &metric.sum {
            self.points(&family, &sum.data_points, |t, f, p| t.number(f, p, true))?;
        } else if let Some(histogram) = &metric.histogram {
            if self.context.settings.convert_histograms_to_nhcb {
                self.points(&family, &histogram.data_points, |t, f, p| t.custom(f, p))?;
            } else {
                self.points(&family, &histogram.data_points, |t, f, p| t.classic(f, p))?;
            }
        } else if let Some(histogram) = &metric.exponential_histogram {
            self.points(&family, &histogram.data_points, |t, f, p| t.exponential(f, p))?;
        } else if let Some(summary) = &metric.summary {
            self.points(&family, &summary.data_points, |t, f, p| t.summary(f, p))?;
        }
        Ok(())
    }

    /// Takes points one by one; a refused one leaves nothing behind.
    fn points<P>(
        &mut self,
        family: &Family<'_>,
        points: &[P],
        take: impl Fn(&mut Self, &Family<'_>, &P) -> Result<(), Stop>,
    ) -> Result<(), OtlpError> {
        for point in points {
            let (rows, exemplars) = (self.out.rows.len(), self.out.exemplars.len());
            match take(self, family, point) {
                Ok(()) => {}
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Refused(reason)) => {
                    self.out.rows.truncate(rows);
                    self.out.exemplars.truncate(exemplars);
                    self.out.refusals.add(1, || family.name.clone(), reason);
                }
            }
        }
        Ok(())
    }

    /// The time of a point, if it may come in, and its labels.
    fn begin(
        &mut self,
        family: &Family<'_>,
        nanos: u64,
        attributes: &[KeyValue],
    ) -> Result<(Timestamp, Pairs), Stop> {
        let at = time_of(nanos);
        self.context.bounds.admit(at)?;
        let pairs = family.shared.of_point(attributes, self.context.settings)?;
        let (from, until) = self.span.unwrap_or((at, at));
        self.span = Some((from.min(at), until.max(at)));
        Ok((at, pairs))
    }

    fn row(
        &mut self,
        pairs: &Pairs,
        name: &str,
        extra: Option<(&str, &str)>,
        at: Timestamp,
        value: Reading,
    ) -> Result<Labels, Stop> {
        let labels = named(pairs, name, extra, self.context.limits)?;
        self.push(Row { labels: labels.clone(), at, value })?;
        Ok(labels)
    }

    fn push(&mut self, row: Row) -> Result<(), Stop> {
        self.bytes += row.labels.as_bytes().len() + size_of::<Row>();
        if self.bytes > BYTES_MAX {
            return Err(Stop::Failed(OtlpError::TooLarge { max: BYTES_MAX }));
        }
        self.out.rows.push(row);
        Ok(())
    }

    fn number(
        &mut self,
        family: &Family<'_>,
        point: &NumberPoint,
        with_exemplars: bool,
    ) -> Result<(), Stop> {
        let (at, pairs) = self.begin(family, point.time_unix_nano, &point.attributes)?;
        let value = match (point.as_double, point.as_int) {
            _ if point.flags & NO_RECORDED_VALUE != 0 => f64::from_bits(STALE_NAN),
            (Some(value), _) => stored(value),
            (None, Some(value)) => value as f64,
            (None, None) => return Err("a point has no value".to_owned().into()),
        };
        let labels = self.row(&pairs, &family.name, None, at, value.into())?;
        if with_exemplars {
            self.exemplars(&point.exemplars, |_| Some(&labels));
        }
        Ok(())
    }

    fn classic(&mut self, family: &Family<'_>, point: &HistogramPoint) -> Result<(), Stop> {
        if point.explicit_bounds.len().min(point.bucket_counts.len()) > BUCKETS_MAX {
            return Err(format!("it has more than {BUCKETS_MAX} buckets").into());
        }
        let (at, pairs) = self.begin(family, point.time_unix_nano, &point.attributes)?;
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let reading = |value: f64| {
            Reading::Float(if is_stale { f64::from_bits(STALE_NAN) } else { stored(value) })
        };
        if let Some(sum) = point.sum {
            self.row(&pairs, &format!("{}_sum", family.name), None, at, reading(sum))?;
        }
        let count = reading(point.count as f64);
        self.row(&pairs, &format!("{}_count", family.name), None, at, count.clone())?;
        let bucket = format!("{}_bucket", family.name);
        let mut cumulative = 0_u64;
        let mut buckets: Vec<(f64, Labels)> = Vec::new();
        for (bound, observed) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
            cumulative = cumulative.saturating_add(*observed);
            let text = bound_text(*bound);
            let value = reading(cumulative as f64);
            let labels = self.row(&pairs, &bucket, Some((BUCKET_LABEL, &text)), at, value)?;
            buckets.push((*bound, labels));
        }
        let labels = self.row(&pairs, &bucket, Some((BUCKET_LABEL, "+Inf")), at, count)?;
        buckets.push((f64::INFINITY, labels));
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.exemplars(&point.exemplars, |value| {
            buckets.iter().find(|(bound, _)| value <= *bound).map(|(_, labels)| labels)
        });
        Ok(())
    }

    fn custom(&mut self, family: &Family<'_>, point: &HistogramPoint) -> Result<(), Stop> {
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let (at, pairs) = self.begin(family, point.time_unix_nano, &point.attributes)?;
        let reading = if is_stale {
            Reading::Float(f64::from_bits(STALE_NAN))
        } else {
            Reading::Histogram(Arc::new(buckets::custom(point)?))
        };
        let labels = self.row(&pairs, &family.name, None, at, reading)?;
        self.exemplars(&point.exemplars, |_| Some(&labels));
        Ok(())
    }

    fn exponential(&mut self, family: &Family<'_>, point: &ExponentialPoint) -> Result<(), Stop> {
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let (at, pairs) = self.begin(family, point.time_unix_nano, &point.attributes)?;
        let reading = if is_stale {
            Reading::Float(f64::from_bits(STALE_NAN))
        } else {
            Reading::Histogram(Arc::new(buckets::exponential(point)?))
        };
        let labels = self.row(&pairs, &family.name, None, at, reading)?;
        self.exemplars(&point.exemplars, |_| Some(&labels));
        Ok(())
    }

    fn summary(&mut self, family: &Family<'_>, point: &SummaryPoint) -> Result<(), Stop> {
        let (at, pairs) = self.begin(family, point.time_unix_nano, &point.attributes)?;
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let reading = |value: f64| {
            Reading::Float(if is_stale { f64::from_bits(STALE_NAN) } else { stored(value) })
        };
        self.row(&pairs, &format!("{}_sum", family.name), None, at, reading(point.sum))?;
        let count = reading(point.count as f64);
        self.row(&pairs, &format!("{}_count", family.name), None, at, count)?;
        for one in &point.quantile_values {
            let text = bound_text(one.quantile);
            self.row(&pairs, &family.name, Some(("quantile", &text)), at, reading(one.value))?;
        }
        Ok(())
    }

    /// Keeps exemplars; `series` says where one of a value belongs.
    fn exemplars<'l>(
        &mut self,
        exemplars: &[message::Exemplar],
        series: impl Fn(f64) -> Option<&'l Labels>,
    ) {
        let before = self.out.exemplars.len();
        for exemplar in exemplars {
            let kept = translate_exemplar(exemplar)
                .filter(|exemplar| self.context.bounds.admit(exemplar.at).is_ok())
                .and_then(|exemplar| Some((series(exemplar.value)?.clone(), exemplar)));
            match kept {
                Some(kept) => self.out.exemplars.push(kept),
                None => self.out.exemplars_skipped += 1,
            }
        }
        // A point gives them in any order, and only what comes later is news.
        self.out.exemplars[before..].sort_by(|(_, a), (_, b)| {
            let by_value = a.value.total_cmp(&b.value);
            a.at.cmp(&b.at).then(by_value).then_with(|| a.labels.cmp(&b.labels))
        });
    }

    /// Samples of `target_info` from the first to the last time of the resource, so close that
    /// an instant query finds one at any time between.
    fn target_info(&mut self, resource: &message::Resource) -> Result<(), OtlpError> {
        const HELP: &str = "Target metadata";
        let Some((from, until)) = self.span else { return Ok(()) };
        let Context { settings, limits, lookback_ms, .. } = self.context;
        // Labels beyond the limits are refused with the points themselves where it matters.
        let Some(Ok(labels)) = target_info(resource, settings, limits) else { return Ok(()) };
        let metadata =
            Metadata { kind: MetricType::Gauge, unit: String::new(), help: HELP.to_owned() };
        self.out.families.insert("target_info".to_owned(), metadata);
        let interval = (lookback_ms / 2).max(1);
        let mut at = from;
        while at < until && self.fills_left > 0 {
            self.fills_left -= 1;
            self.info_row(&labels, at)?;
            at = at.plus_millis(interval);
        }
        self.info_row(&labels, until)
    }

    fn info_row(&mut self, labels: &Labels, at: Timestamp) -> Result<(), OtlpError> {
        match self.push(Row { labels: labels.clone(), at, value: Reading::Float(1.0) }) {
            Err(Stop::Failed(error)) => Err(error),
            Ok(()) | Err(Stop::Refused(_)) => Ok(()),
        }
    }
}

/// An exemplar with its identifiers and, if there is room, its attributes as labels.
fn translate_exemplar(exemplar: &message::Exemplar) -> Option<Exemplar> {
    let value = exemplar.as_double.or(exemplar.as_int.map(|value| value as f64))?;
    let is_set = |id: &str| id.bytes().any(|byte| byte != b'0');
    let mut pairs: Vec<(&str, String)> =
        [("trace_id", &exemplar.trace_id), ("span_id", &exemplar.span_id)]
            .into_iter()
            .filter(|(_, id)| is_set(id))
            .map(|(name, id)| (name, id.clone()))
            .collect();
    let attributes: Vec<(&str, String)> =
        exemplar.filtered_attributes.iter().map(|a| (a.key.as_str(), a.value.to_text())).collect();
    let chars: usize = pairs
        .iter()
        .chain(&attributes)
        .map(|(name, text)| name.chars().count() + text.chars().count())
        .sum();
    if chars <= EXEMPLAR_CHARS_MAX {
        pairs.extend(attributes);
    }
    let labels = Labels::from_pairs(pairs).ok()?;
    let at = time_of(exemplar.time_unix_nano);
    Some(Exemplar { labels, value: stored(value), at, timed: true })
}
