//! A rule over the past: the same steps, the same watch, at the times of then; nothing is
//! written and nobody told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::watch::{Rehearsal, Rehearsed, Signal};
use crate::model::{Delivery, Labels, OnFailure, Sample, Timestamp};
use crate::promql::{self, MatrixSeries, Options, Source, Value, VectorSample};
use crate::rules::{
    AlertContext, AlertRule, AlertStates, Finding, Step, Telling, all_missing, evaluate_step,
    inputs,
};

use super::Ruler;
use super::asking::{NoResult, ask};
use super::judging::template_query;

/// The most evaluations of one backtest: 30 days at 15 s are 172,800.
pub const EVALUATIONS_MAX: i64 = 200_000;
/// Evaluations that are asked as one range query: bounds how much of the past is in memory.
const CHUNK: i64 = 1000;
/// Alerts and notifications that a report shows.
const SHOWN_MAX: usize = 1000;

/// What to play.
#[derive(Clone, Debug)]
pub struct Period {
    /// The first evaluation.
    pub from: Timestamp,
    /// No evaluation after this.
    pub until: Timestamp,
    /// Milliseconds between evaluations.
    pub interval_ms: i64,
}

/// An alert of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAlert {
    /// Its labels.
    pub labels: Labels,
    /// Since when it held.
    pub active_at: Timestamp,
    /// Since when it fired.
    pub fired_at: Timestamp,
    /// When it ended; `None`: it fired to the last.
    pub ended_at: Option<Timestamp>,
    /// Its value when it began to fire.
    pub value: Option<f64>,
}

/// What a rule would have done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backtest {
    /// Evaluations that were played.
    pub evaluations: i64,
    /// Those of them that failed.
    pub failed: i64,
    /// Why the first of them did.
    pub error: Option<String>,
    /// The most alerts that held at once, pending ones too.
    pub active_max: usize,
    /// The alerts that fired, in the order in which they began.
    pub alerts: Vec<PastAlert>,
    /// What would have been sent, in order.
    pub told: Vec<Delivery>,
    /// Of whom nobody would have been told, when, and why.
    pub held_back: Vec<(Timestamp, Labels, String)>,
    /// How many alerts, notifications and reasons there were beyond those shown.
    pub left_out: u64,
}

impl Ruler {
    /// Plays a rule over the past, through the routes, groups, silences and windows of today.
    /// Takes as long as a query may.
    ///
    /// # Errors
    ///
    /// Too many evaluations, or a query that cannot be answered; says why.
    pub async fn backtest(&self, rule: Arc<AlertRule>, period: Period) -> Result<Backtest, String> {
        let Period { from, until, interval_ms } = period;
        if interval_ms < 1000 {
            return Err("interval: must be at least 1s".to_owned());
        }
        let count = until.since(from).div_euclid(interval_ms) + 1;
        if count < 1 {
            return Err("end: is before the start".to_owned());
        }
        if count > EVALUATIONS_MAX {
            return Err(format!(
                "start: {count} evaluations are more than {EVALUATIONS_MAX}; begin later, or use \
                 a longer interval"
            ));
        }
        let view = self.shared.watch.view();
        let rehearsal = view.rehearsal();
        let rehearsal =
            rehearsal.ok_or("the watch is not ready; try again in a moment".to_owned())?;
        let external_url = view.external_url().to_owned();
        // Nobody stops it but the time that queries have.
        let (_running, mut stopped) = watch::channel(false);
        let play = ask(&self.shared, &mut stopped, move |reader, options| {
            let mut play = Play {
                rule: &rule,
                states: AlertStates::default(),
                rehearsal,
                interval_ms,
                external_url,
                report: Backtest::default(),
                open: BTreeMap::new(),
            };
            play.run(reader, options, (from, count))?;
            Ok(play.report)
        });
        play.await.map_err(|error| match error {
            NoResult::Failed(error) => error,
            NoResult::Stopped => "stopping; try again after the restart".to_owned(),
        })
    }
}

/// A play under way.
struct Play<'r> {
    rule: &'r AlertRule,
    states: AlertStates,
    rehearsal: Rehearsal,
    interval_ms: i64,
    external_url: String,
    report: Backtest,
    /// Places in the report of alerts that fire.
    open: BTreeMap<crate::model::AlertKey, Option<usize>>,
}

impl Play<'_> {
    fn run(
        &mut self,
        source: &dyn Source,
        options: &Options,
        (from, count): (Timestamp, i64),
    ) -> Result<(), String> {
        let mut first = 0;
        while first < count {
            let last = (first + CHUNK).min(count) - 1;
            let at = |place: i64| from.plus_millis(place * self.interval_ms);
            let (start, end) = (at(first), at(last));
            let answer =
                promql::range(source, &self.rule.expr, start, end, self.interval_ms, options);
            let findings = match answer {
                Ok(answer) => Findings::Columns(Columns::new(answer.value)),
                Err(promql::QueryError::Cancelled) => return Err("stopped".to_owned()),
                Err(error @ promql::QueryError::Timeout) => {
                    return Err(format!(
                        "{error}, {first} of {count} evaluations in; begin later, use a longer \
                         interval, or raise query.timeout"
                    ));
                }
                // A step of it fails: each is asked alone, so that the others count.
                Err(_) => Findings::OneByOne,
            };
            let mut findings = findings;
            for place in first..=last {
                let at = from.plus_millis(place * self.interval_ms);
                options.stop.check().map_err(|error| error.to_string())?;
                let result = match &mut findings {
                    Findings::Columns(columns) => Ok(columns.at(at)),
                    Findings::OneByOne => {
                        let answer = promql::instant(source, &self.rule.expr, at, options);
                        answer.map(|answer| answer.value).map_err(|error| error.to_string())
                    }
                };
                self.evaluate(source, options, at, result)?;
            }
            first = last + 1;
        }
        // What was decided and waits for its group's time is told a little later.
        let end = from.plus_millis(count * self.interval_ms);
        self.wait_until(end);
        Ok(())
    }

    fn evaluate(
        &mut self,
        source: &dyn Source,
        options: &Options,
        at: Timestamp,
        result: Result<Value, String>,
    ) -> Result<(), String> {
        self.wait_until(at);
        let finding = match result {
            Err(error) => Finding::Failed(error),
            Ok(value) => {
                let is_empty = matches!(&value, Value::Vector(samples) if samples.is_empty());
                let asks = is_empty && self.rule.on_no_data != OnFailure::Ok;
                let inputs = if asks {
                    inputs(&self.rule.expr, at, options.lookback_ms)
                } else {
                    Vec::new()
                };
                let missing = match asks {
                    true => all_missing(source, &inputs).map_err(|error| error.to_string())?,
                    false => None,
                };
                if missing.is_some() { Finding::NoData } else { Finding::Result(value) }
            }
        };
        let query = |text: &str| template_query(source, text, at, options);
        let context = AlertContext {
            external_labels: &Labels::empty(),
            external_url: &self.external_url,
            query: &query,
        };
        let step =
            Step { at, query_offset_ms: 0, interval_ms: self.interval_ms, finding, settled: true };
        let outcome = evaluate_step(self.rule, &mut self.states, step, &context);
        self.report.evaluations += 1;
        self.report.active_max = self.report.active_max.max(self.states.active().count());
        if let Some(error) = outcome.error {
            self.report.failed += 1;
            self.report.error.get_or_insert(error.to_string());
        }
        if !outcome.tellings.is_empty() {
            self.note(&outcome.tellings, at);
            let signals = outcome.tellings.into_iter().map(|telling| match telling {
                Telling::Firing(alert) => Signal::Firing(alert),
                Telling::Ended { key, at } => Signal::Ended { key, at },
            });
            let rehearsed = self.rehearsal.step(at, signals.collect());
            self.take(at, rehearsed);
        }
        Ok(())
    }

    /// Lets the watch do what it has to do before a time.
    fn wait_until(&mut self, at: Timestamp) {
        // A step may bring the next one nearer, but never to its own time again.
        while let Some(next) = self.rehearsal.next_at().filter(|next| *next < at) {
            let rehearsed = self.rehearsal.step(next, Vec::new());
            self.take(next, rehearsed);
            if self.rehearsal.next_at().is_some_and(|after| after <= next) {
                break;
            }
        }
    }

    fn take(&mut self, at: Timestamp, rehearsed: Rehearsed) {
        for delivery in rehearsed.told {
            keep(&mut self.report.told, delivery, &mut self.report.left_out);
        }
        for (labels, why) in rehearsed.held_back {
            let entry = (at, labels, why);
            keep(&mut self.report.held_back, entry, &mut self.report.left_out);
        }
    }

    fn note(&mut self, tellings: &[Telling], at: Timestamp) {
        for telling in tellings {
            match telling {
                Telling::Firing(alert) => {
                    let report = &mut self.report;
                    self.open.entry(alert.key()).or_insert_with(|| {
                        let past = PastAlert {
                            labels: alert.labels.clone(),
                            active_at: alert.starts_at,
                            fired_at: at,
                            ended_at: None,
                            value: alert.value,
                        };
                        keep(&mut report.alerts, past, &mut report.left_out)
                    });
                }
                Telling::Ended { key, at } => {
                    if let Some(Some(place)) = self.open.remove(key)
                        && let Some(past) = self.report.alerts.get_mut(place)
                    {
                        past.ended_at = Some(*at);
                    }
                }
            }
        }
    }
}

/// Adds to a list of a report, or counts what does not fit. Gives the place.
fn keep<T>(list: &mut Vec<T>, entry: T, left_out: &mut u64) -> Option<usize> {
    if list.len() >= SHOWN_MAX {
        *left_out += 1;
        return None;
    }
    list.push(entry);
    Some(list.len() - 1)
}

/// What the steps of a chunk find.
enum Findings {
    Columns(Columns),
    OneByOne,
}

/// A range answer, read step by step.
struct Columns {
    series: Vec<(MatrixSeries, usize)>,
}

impl Columns {
    fn new(value: Value) -> Self {
        let series = match value {
            Value::Matrix(series) => series,
            // A range query answers nothing else.
            Value::Scalar(_) | Value::String { .. } | Value::Vector(_) => Vec::new(),
        };
        Columns { series: series.into_iter().map(|series| (series, 0)).collect() }
    }

    /// The vector of a time; times must rise.
    fn at(&mut self, at: Timestamp) -> Value {
        let mut samples = Vec::new();
        for (series, place) in &mut self.series {
            let times = &series.samples.times;
            while times.get(*place).is_some_and(|time| *time < at.millis()) {
                *place += 1;
            }
            if times.get(*place) != Some(&at.millis()) {
                continue;
            }
            samples.push(VectorSample {
                labels: series.labels.clone(),
                sample: Sample { at, value: series.samples.values[*place] },
                histogram: series.samples.histograms.get(*place).cloned().flatten(),
            });
        }
        Value::Vector(samples)
    }
}
