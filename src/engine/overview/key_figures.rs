//! Key figures: which there are, and how they moved.
//!
//! A figure is computed minute by minute and kept for two hours, so that each refresh asks for the
//! present alone. Samples that come later than their minute are not in it; the charts have them.

use std::collections::VecDeque;

use serde::Serialize;

use crate::model::Timestamp;
use crate::promql::{self, Expr, Options, QueryError, Source, Value};

/// Figures that are shown.
const SHOWN_MAX: usize = 6;
/// Between two points, in milliseconds.
const STEP_MS: i64 = 60_000;
/// Points of a figure that is shown.
const POINTS: usize = 60;
/// What the present is compared with: an hour ago.
const BEFORE_MS: i64 = 3_600_000;
/// Minutes that are kept: the points, and as much again to compare with.
const KEPT: usize = 2 * POINTS + 1;
/// Changes of less than this share are none.
const FLAT: f64 = 0.02;

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is.
    Lower,
    /// More is.
    Higher,
}

/// Which way it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// More than an hour ago.
    Up,
    /// Less.
    Down,
    /// As an hour ago, or nobody knows.
    Flat,
}

/// A key figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyFigure {
    /// Its name, for programs.
    pub name: &'static str,
    /// Its name, for people.
    pub title: &'static str,
    /// `ratio` (0 to 1), `s`, `/s`, `bytes/s`, or nothing.
    pub unit: &'static str,
    /// What it is now.
    pub value: Option<f64>,
    /// What it was an hour ago.
    pub previous: Option<f64>,
    /// By how much it changed since, as a share of what it was.
    pub change: Option<f64>,
    /// Which way.
    pub trend: Trend,
    /// Which way is good; null where neither is.
    pub better: Option<Better>,
    /// The last hour, a point a minute: Unix milliseconds and the value. Minutes of which nothing
    /// is known are left out.
    pub points: Vec<(i64, f64)>,
}

struct Definition {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Option<Better>,
    query: &'static str,
}

/// All figures, the most telling first. Of several with one name the first that there is counts.
/// Outcomes are vedette's own records of requests, `http_requests_total` what the usual client
/// libraries write, `node_…` what the host's collector writes.
const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "requests",
        title: "Requests",
        unit: "/s",
        better: None,
        query: "sum(rate(vedette_outcomes_total[1m]))",
    },
    Definition {
        name: "requests",
        title: "Requests",
        unit: "/s",
        better: None,
        query: "sum(rate(http_requests_total[1m]))",
    },
    Definition {
        name: "latency_p95",
        title: "Latency p95",
        unit: "s",
        better: Some(Better::Lower),
        query: "histogram_quantile(0.95, sum(rate(vedette_outcome_duration_seconds[5m])))",
    },
    Definition {
        name: "latency_p95",
        title: "Latency p95",
        unit: "s",
        better: Some(Better::Lower),
        query: "histogram_quantile(0.95, \
                sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    },
    Definition {
        name: "error_rate",
        title: "Error rate",
        unit: "ratio",
        better: Some(Better::Lower),
        query: "(sum(rate(vedette_outcomes_total{ok=\"false\"}[5m])) or vector(0)) \
                / sum(rate(vedette_outcomes_total[5m]))",
    },
    Definition {
        name: "error_rate",
        title: "Error rate",
        unit: "ratio",
        better: Some(Better::Lower),
        query: "(sum(rate(http_requests_total{code=~\"5..\"}[5m]) \
                or rate(http_requests_total{status=~\"5..\"}[5m])) or vector(0)) \
                / sum(rate(http_requests_total[5m]))",
    },
    Definition {
        name: "cpu",
        title: "CPU",
        unit: "ratio",
        better: Some(Better::Lower),
        query: "1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[1m]))",
    },
    Definition {
        name: "memory",
        title: "Memory",
        unit: "ratio",
        better: Some(Better::Lower),
        query: "1 - sum(node_memory_MemAvailable_bytes) / sum(node_memory_MemTotal_bytes)",
    },
    Definition {
        name: "disk",
        title: "Disk",
        unit: "ratio",
        better: Some(Better::Lower),
        query: "max(1 - node_filesystem_avail_bytes{fstype!~\"tmpfs|overlay|squashfs|ramfs\"} \
                / node_filesystem_size_bytes) \
                or max(1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)",
    },
    Definition {
        name: "load",
        title: "Load",
        unit: "",
        better: Some(Better::Lower),
        query: "avg(node_load1)",
    },
    Definition {
        name: "network_in",
        title: "Network in",
        unit: "bytes/s",
        better: None,
        query: "sum(rate(node_network_receive_bytes_total{device!=\"lo\"}[1m]))",
    },
    Definition {
        name: "samples",
        title: "Samples taken in",
        unit: "/s",
        better: None,
        query: "sum(rate(vedette_samples_ingested_total[1m]))",
    },
];

/// What is kept of one definition.
struct Kept {
    definition: &'static Definition,
    expr: Expr,
    /// Minutes by their time, oldest first; what is not known has no place.
    minutes: VecDeque<(i64, f64)>,
    /// The last minute that was asked about.
    asked_until_ms: Option<i64>,
    now: Option<(i64, f64)>,
}

/// All figures, and what is kept of them.
pub(super) struct KeyFigures {
    kept: Vec<Kept>,
    asked_at: Timestamp,
}

impl KeyFigures {
    /// Nothing computed yet.
    pub(super) fn new() -> Self {
        let kept = DEFINITIONS.iter().filter_map(|definition| {
            // A test reads them all.
            let expr = promql::parse(definition.query).ok()?;
            let minutes = VecDeque::with_capacity(KEPT);
            Some(Kept { definition, expr, minutes, asked_until_ms: None, now: None })
        });
        KeyFigures { kept: kept.collect(), asked_at: Timestamp::MIN }
    }

    /// Asks for what came since the last time. A figure that cannot be computed stays as it is; the
    /// first error is given after all were tried.
    pub(super) fn refresh(
        &mut self,
        source: &dyn Source,
        options: &Options,
        now: Timestamp,
    ) -> Result<(), QueryError> {
        if now < self.asked_at {
            // The clock was set back: the minutes to come would stand twice.
            for kept in &mut self.kept {
                kept.minutes.clear();
                kept.asked_until_ms = None;
            }
        }
        self.asked_at = now;
        let mut failed = None;
        let mut found: Vec<&'static str> = Vec::new();
        for kept in &mut self.kept {
            // What would not be shown is not asked for.
            if found.len() == SHOWN_MAX || found.contains(&kept.definition.name) {
                kept.now = None;
                continue;
            }
            match kept.refresh(source, options, now) {
                Ok(()) if kept.now.is_some() => found.push(kept.definition.name),
                Ok(()) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The figures that are known, as they are shown.
    pub(super) fn shown(&self) -> Vec<KeyFigure> {
        let mut shown: Vec<KeyFigure> = Vec::with_capacity(SHOWN_MAX);
        for figure in self.kept.iter().filter_map(Kept::shown) {
            // One that failed keeps what it was, while another of its name stood in for it.
            if shown.len() < SHOWN_MAX && !shown.iter().any(|known| known.name == figure.name) {
                shown.push(figure);
            }
        }
        shown
    }
}

impl Kept {
    fn refresh(
        &mut self,
        source: &dyn Source,
        options: &Options,
        now: Timestamp,
    ) -> Result<(), QueryError> {
        let answer = promql::instant(source, &self.expr, now, options)?;
        self.now = single(&answer.value).map(|value| (now.millis(), value));
        if self.now.is_none() {
            // Nothing now: the minutes are asked about once there is something.
            return Ok(());
        }
        let last = now.millis().div_euclid(STEP_MS) * STEP_MS;
        let oldest = last - (KEPT as i64 - 1) * STEP_MS;
        let first = self.asked_until_ms.map_or(oldest, |asked| (asked + STEP_MS).max(oldest));
        if first <= last {
            let (from, until) = (Timestamp::from_millis(first), Timestamp::from_millis(last));
            let answer = promql::range(source, &self.expr, from, until, STEP_MS, options)?;
            if let Value::Matrix(series) = &answer.value
                && let [one] = series.as_slice()
            {
                let pairs = one.samples.times.iter().zip(&one.samples.values);
                let known = pairs.filter(|(_, value)| value.is_finite());
                self.minutes.extend(known.map(|(at, value)| (*at, *value)));
            }
            self.asked_until_ms = Some(last);
        }
        while self.minutes.front().is_some_and(|(at, _)| *at < oldest) {
            self.minutes.pop_front();
        }
        Ok(())
    }

    fn shown(&self) -> Option<KeyFigure> {
        let (now_ms, value) = self.now?;
        let before_ms = now_ms - BEFORE_MS;
        // The minute that the moment an hour ago was in.
        let before = self.minutes.iter().rev().find(|(at, _)| *at <= before_ms);
        let previous = before.filter(|(at, _)| *at > before_ms - STEP_MS).map(|(_, value)| *value);
        let (change, trend) = moved(value, previous);
        let from = now_ms - POINTS as i64 * STEP_MS;
        let minutes = self.minutes.iter().copied();
        let mut points: Vec<(i64, f64)> =
            minutes.filter(|(at, _)| *at > from && *at < now_ms).collect();
        points.push((now_ms, value));
        let surplus = points.len().saturating_sub(POINTS);
        points.drain(..surplus);
        let Definition { name, title, unit, better, .. } = *self.definition;
        let value = Some(value);
        Some(KeyFigure { name, title, unit, value, previous, change, trend, better, points })
    }
}

/// The one value of an answer, if it is a number.
fn single(value: &Value) -> Option<f64> {
    let value = match value {
        Value::Scalar(sample) => sample.value,
        Value::Vector(samples) => match samples.as_slice() {
            [one] if one.histogram.is_none() => one.sample.value,
            _ => return None,
        },
        Value::String { .. } | Value::Matrix(_) => return None,
    };
    value.is_finite().then_some(value)
}

/// The change as a share of what was, and its direction. Of nothing there is no share.
fn moved(value: f64, previous: Option<f64>) -> (Option<f64>, Trend) {
    let Some(previous) = previous else { return (None, Trend::Flat) };
    let change = (previous != 0.0).then(|| (value - previous) / previous.abs());
    let by = change.unwrap_or(value);
    let trend = match by {
        by if by >= FLAT => Trend::Up,
        by if by <= -FLAT => Trend::Down,
        _ if change.is_none() && by > 0.0 => Trend::Up,
        _ => Trend::Flat,
    };
    (change, trend)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Labels;
    use crate::store::{DiskMedium, Store, StoreOptions};
    use crate::tsdb::{Tsdb, TsdbOptions};

    /// 2026-01-01T00:00:00Z, a whole minute.
    const START_MS: i64 = 1_767_225_600_000;

    #[test]
    fn every_query_is_one() {
        assert_eq!(KeyFigures::new().kept.len(), DEFINITIONS.len());
    }

    #[test]
    fn a_change_is_a_share_of_what_was() {
        assert_eq!(moved(3.0, Some(2.0)), (Some(0.5), Trend::Up));
        assert_eq!(moved(1.0, Some(2.0)), (Some(-0.5), Trend::Down));
        assert_eq!(moved(-1.0, Some(-2.0)), (Some(0.5), Trend::Up));
        assert_eq!(moved(100.0, Some(99.0)).1, Trend::Flat);
        assert_eq!(moved(0.001, Some(0.0)), (None, Trend::Up));
        assert_eq!(moved(0.0, Some(0.0)), (None, Trend::Flat));
        assert_eq!(moved(1.0, None), (None, Trend::Flat));
    }

    /// `node_load1` is the number of minutes since the start.
    fn with_load(minutes: std::ops::RangeInclusive<i64>) -> (Arc<Tsdb>, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let medium = DiskMedium::open(&directory.path().join("x.redb")).expect("opens");
        let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
        let (tsdb, _) =
            Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
        let mut builder = tsdb.batch();
        let labels = Labels::from_pairs([("__name__", "node_load1")]).expect("valid");
        for minute in minutes {
            let at = Timestamp::from_millis(START_MS + minute * STEP_MS);
            builder.push_labels(&labels, at, minute as f64);
        }
        let batch = builder.finish();
        tsdb.write(&[batch]).expect("written");
        (Arc::new(tsdb), directory)
    }

    fn after(minutes: i64, seconds: i64) -> Timestamp {
        Timestamp::from_millis(START_MS + minutes * STEP_MS + seconds * 1000)
    }

    #[test]
    fn a_figure_has_its_value_an_hour_ago_and_a_point_a_minute() {
        let (tsdb, _directory) = with_load(0..=130);
        let reader = tsdb.reader().expect("readable");
        let mut figures = KeyFigures::new();
        figures.refresh(&reader, &Options::default(), after(130, 20)).expect("computed");
        let shown = figures.shown();
        let [load] = shown.as_slice() else { panic!("one figure: {shown:?}") };
        assert_eq!((load.name, load.value, load.previous), ("load", Some(130.0), Some(70.0)));
        assert_eq!((load.change, load.trend), (Some(60.0 / 70.0), Trend::Up));
        assert_eq!(load.points.len(), POINTS);
        // The present takes the last place, so that minutes from 72 on fit.
        assert_eq!(load.points[0], (START_MS + 72 * STEP_MS, 72.0));
        assert_eq!(load.points[POINTS - 1], (after(130, 20).millis(), 130.0));
    }

    #[test]
    fn refreshing_step_by_step_gives_what_asking_once_gives() {
        let (tsdb, _directory) = with_load(0..=200);
        let reader = tsdb.reader().expect("readable");
        let mut stepwise = KeyFigures::new();
        for seconds in (60 * 60..=200 * 60).step_by(35) {
            stepwise.refresh(&reader, &Options::default(), after(0, seconds)).expect("computed");
        }
        let end = after(200, 0);
        let mut at_once = KeyFigures::new();
        for figures in [&mut stepwise, &mut at_once] {
            figures.refresh(&reader, &Options::default(), end).expect("computed");
            assert!(figures.kept.iter().all(|kept| kept.minutes.len() <= KEPT));
        }
        assert_eq!(stepwise.shown(), at_once.shown());
        // Back in time: nothing of the future stays.
        stepwise.refresh(&reader, &Options::default(), after(100, 0)).expect("computed");
        assert_eq!(stepwise.shown()[0].value, Some(100.0));
        assert_eq!(stepwise.shown()[0].points.last(), Some(&(after(100, 0).millis(), 100.0)));
    }

    /// Requests are 2 a second by `http_requests_total` and 4 by outcomes, of which half fail.
    #[test]
    fn of_several_with_one_name_the_first_that_there_is_counts() {
        let (tsdb, _directory) = with_load(0..=10);
        let pairs = |name, ok| Labels::from_pairs([("__name__", name), ("ok", ok)]).expect("valid");
        let write = |name, ok, a_minute: i64| {
            let mut builder = tsdb.batch();
            for minute in 0..=40 {
                let at = Timestamp::from_millis(START_MS + minute * STEP_MS / 4);
                builder.push_labels(&pairs(name, ok), at, (minute * a_minute / 4) as f64);
            }
            let batch = builder.finish();
            tsdb.write(&[batch]).expect("written");
        };
        let names = || {
            let mut figures = KeyFigures::new();
            let reader = tsdb.reader().expect("readable");
            figures.refresh(&reader, &Options::default(), after(10, 0)).expect("computed");
            // A rate is extrapolated in floating point: its last digit is not the question.
            let value = |one: &KeyFigure| (one.value.expect("known") * 1e9).round() / 1e9;
            figures.shown().iter().map(|one| (one.name, value(one))).collect::<Vec<_>>()
        };
        write("http_requests_total", "x", 120);
        // No answer has a code 5xx: nothing failed.
        assert_eq!(names(), [("requests", 2.0), ("error_rate", 0.0), ("load", 10.0)]);
        write("vedette_outcomes_total", "true", 120);
        write("vedette_outcomes_total", "false", 120);
        assert_eq!(names(), [("requests", 4.0), ("error_rate", 0.5), ("load", 10.0)]);
    }

    #[test]
    fn a_figure_whose_samples_ended_is_not_shown() {
        let (tsdb, _directory) = with_load(0..=10);
        let reader = tsdb.reader().expect("readable");
        let mut figures = KeyFigures::new();
        figures.refresh(&reader, &Options::default(), after(10, 0)).expect("computed");
        assert_eq!(figures.shown().len(), 1);
        figures.refresh(&reader, &Options::default(), after(60, 0)).expect("computed");
        assert_eq!(figures.shown(), []);
    }
}
