//! One evaluation of an alerting rule over a view of the samples, up to what is to be committed.

use std::sync::Arc;
use std::time::Instant;

use crate::model::{Labels, OnFailure, Timestamp};
use crate::promql::{self, Options, QueryError, Samples, Selection, Source};
use crate::rules::template::{self, AskQuery, TemplateSample};
use crate::rules::{
    AlertContext, AlertRule, AlertStates, Evaluation, Finding, Found, Input, Outcome, Step,
    Telling, all_missing, are_fresh, evaluate_step, inputs, shown_values, vector_of,
};

/// Beginnings of one evaluation that get samples as evidence; a storm is told without.
const EVIDENCE_MAX: usize = 20;
/// Series of one piece of evidence.
const EVIDENCE_SERIES_MAX: usize = 8;
/// The newest samples of each of them.
const EVIDENCE_SAMPLES_MAX: usize = 60;
/// Series that are looked at for one piece of evidence.
const EVIDENCE_LOOKED_MAX: usize = 1000;
/// How far back evidence goes at least.
const EVIDENCE_MS: i64 = 600_000;

/// What an evaluation needs.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) rule: Arc<AlertRule>,
    /// The state that the evaluation begins with; a copy is changed.
    pub(super) states: Arc<AlertStates>,
    pub(super) at: Timestamp,
    pub(super) query_offset_ms: i64,
    pub(super) interval_ms: i64,
    /// Nothing that is missing is believed until inputs have samples after this.
    pub(super) settle_since: Option<Timestamp>,
    pub(super) external_url: String,
}

/// What an evaluation came to.
pub(super) struct Answer {
    pub(super) states: AlertStates,
    pub(super) outcome: Outcome,
    pub(super) evaluation: Evaluation,
    pub(super) settled: bool,
    pub(super) waiting_for: Option<String>,
}

impl Question {
    fn asked_at(&self) -> Timestamp {
        self.at.plus_millis(-self.query_offset_ms)
    }

    /// Evaluates.
    pub(super) fn answer(self, source: &dyn Source, options: &Options) -> Result<Answer, String> {
        let began = Instant::now();
        let inputs = inputs(&self.rule.expr, self.asked_at(), options.lookback_ms);
        if self.rule.waits_for_data && !self.states.had_data() {
            let missing = all_missing(source, &inputs).map_err(|error| error.to_string())?;
            if let Some(input) = missing {
                return Ok(self.waits(input));
            }
        }
        let finding = self.find(source, &inputs, options)?;
        let fresh = |since| are_fresh(source, &inputs, since).map_err(|error| error.to_string());
        let settled = self.settle_since.map_or(Ok(true), fresh)?;
        let at = self.at;
        let query = |text: &str| template_query(source, text, at, options);
        let evidence = |labels: &Labels, from: Timestamp| evidence(source, &inputs, labels, from);
        Ok(self.judge(finding, settled, began, &query, &evidence))
    }

    /// A built-in rule whose metrics do not exist yet.
    fn waits(self, input: &Input) -> Answer {
        let states = AlertStates::clone(&self.states);
        let outcome = Outcome::default();
        let found = Found::Waiting;
        let evaluation = Evaluation::of(&self.rule, &states, self.at, found, &outcome);
        let metric = input.metric.clone().unwrap_or_else(|| "of its selectors".to_owned());
        Answer { states, outcome, evaluation, settled: true, waiting_for: Some(metric) }
    }

    fn find(
        &self,
        source: &dyn Source,
        inputs: &[Input],
        options: &Options,
    ) -> Result<Finding, String> {
        let result = match promql::instant(source, &self.rule.expr, self.asked_at(), options) {
            Ok(answer) => answer.value,
            // Somebody stops the group: nobody hears of this evaluation.
            Err(QueryError::Cancelled) => return Err("stopped".to_owned()),
            Err(error) => return Ok(Finding::Failed(error.to_string())),
        };
        let is_empty = matches!(&result, promql::Value::Vector(samples) if samples.is_empty());
        // Whether it has data makes a difference only for rules that treat no data otherwise
        // than as good news.
        let asks = self.rule.on_no_data != OnFailure::Ok || self.settle_since.is_some();
        if is_empty && asks {
            let missing = all_missing(source, inputs).map_err(|error| error.to_string())?;
            if missing.is_some() {
                return Ok(Finding::NoData);
            }
        }
        Ok(Finding::Result(result))
    }

    /// The evaluation that could not even be asked for; why.
    pub(super) fn failed(self, error: String) -> Answer {
        let query = |_: &str| Err("there is no answer to queries now".to_owned());
        let settled = self.settle_since.is_none();
        self.judge(Finding::Failed(error), settled, Instant::now(), &query, &|_, _| Vec::new())
    }

    fn judge(
        self,
        finding: Finding,
        settled: bool,
        began: Instant,
        query: AskQuery<'_>,
        evidence: &dyn Fn(&Labels, Timestamp) -> EvidenceSamples,
    ) -> Answer {
        let found = match &finding {
            Finding::Result(_) => Found::Result,
            Finding::NoData => Found::NoData,
            Finding::Failed(_) => Found::Failed,
        };
        let values = shown_values(&finding);
        let mut states = AlertStates::clone(&self.states);
        if found == Found::Result && self.rule.on_no_data == OnFailure::Alert {
            // The answer may be empty, but its selectors are not.
            states.note_data();
        }
        let context = AlertContext {
            external_labels: &Labels::empty(),
            external_url: &self.external_url,
            query,
        };
        let step = Step {
            at: self.at,
            query_offset_ms: self.query_offset_ms,
            interval_ms: self.interval_ms,
            finding,
            settled,
        };
        let mut outcome = evaluate_step(&self.rule, &mut states, step, &context);
        let firing = outcome.tellings.iter_mut().filter_map(|telling| match telling {
            Telling::Firing(alert) => Some(alert),
            Telling::Ended { .. } => None,
        });
        for alert in firing.take(EVIDENCE_MAX) {
            let back_ms = EVIDENCE_MS.max(self.rule.for_ms.saturating_mul(2));
            alert.evidence.samples = evidence(&alert.labels, self.at.plus_millis(-back_ms));
        }
        let mut evaluation = Evaluation::of(&self.rule, &states, self.at, found, &outcome);
        evaluation.took = began.elapsed();
        evaluation.values = values;
        evaluation.settled = settled;
        Answer { states, outcome, evaluation, settled, waiting_for: None }
    }
}

/// Series and their samples, as a piece of evidence has them.
type EvidenceSamples = Vec<(String, Vec<(i64, f64)>)>;

/// Answers the function `query` of templates.
pub(super) fn template_query(
    source: &dyn Source,
    text: &str,
    at: Timestamp,
    options: &Options,
) -> Result<Vec<TemplateSample>, String> {
    let expr = promql::parse(text).map_err(|error| error.to_string())?;
    let answer = promql::instant(source, &expr, at, options).map_err(|error| error.to_string())?;
    let samples = vector_of(answer.value).map_err(|error| error.to_string())?;
    let one = |sample: promql::VectorSample| TemplateSample {
        value: match sample.histogram {
            Some(histogram) => template::Value::Histogram(histogram),
            None => template::Value::Float(sample.sample.value),
        },
        labels: sample.labels,
    };
    Ok(samples.into_iter().map(one).collect())
}

/// Samples of the inputs that belong to an alert: those of series that agree with it in every
/// label that both have. What cannot be read is left out: an alert without evidence is better
/// than none.
fn evidence(
    source: &dyn Source,
    inputs: &[Input],
    alert: &Labels,
    from: Timestamp,
) -> EvidenceSamples {
    let mut found = Vec::new();
    for input in inputs {
        let mut selection: Selection = input.selection.clone();
        selection.start = selection.start.min(from);
        selection.hints.newest = false;
        let Ok(mut cursor) = source.select(&selection) else { continue };
        let mut samples = Samples::default();
        for _ in 0..EVIDENCE_LOOKED_MAX {
            let Ok(Some(labels)) = cursor.next(&mut samples) else { break };
            if found.len() >= EVIDENCE_SERIES_MAX {
                return found;
            }
            if !labels.iter().all(|(name, value)| alert.get(name).is_none_or(|own| own == value)) {
                continue;
            }
            let skipped = samples.len().saturating_sub(EVIDENCE_SAMPLES_MAX);
            let pairs = samples.times.iter().copied().zip(samples.values.iter().copied());
            let points = pairs.skip(skipped).filter(|(_, value)| value.is_finite()).collect();
            found.push((labels.to_string(), points));
        }
    }
    found
}
