//! Tallies as samples: which series get one now, and with which value.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{LatencyTally, Tallies, Tally, TallyKey};
use crate::model::{
    Labels, LabelsBuilder, METRIC_NAME, Metadata, MetricType, Reading, Row, Timestamp,
};

/// How often series that grow get a sample, in milliseconds.
pub const ROUND_MS: i64 = 5_000;
/// How often series that stand still get one: a query looks back five minutes.
const REPEAT_MS: i64 = 60_000;
/// After so long without an outcome ...
const IDLE_AFTER_MS: i64 = 86_400_000;
/// ... a series gets one so often only: it is not seen in graphs any more, and stays known.
const IDLE_REPEAT_MS: i64 = 3_600_000;

/// The families, and what they are.
pub const OUTCOME_FAMILIES: [(&str, MetricType, &str, &str); 4] = [
    ("vedette_outcomes_total", MetricType::Counter, "", "Outcomes that were sent."),
    (
        "vedette_outcome_duration_seconds",
        MetricType::Histogram,
        "seconds",
        "How long what outcomes tell of took.",
    ),
    (
        "vedette_outcome_cost_total",
        MetricType::Counter,
        "",
        "What outcomes cost, in the currency that they are sent in.",
    ),
    (
        "vedette_outcome_tokens_total",
        MetricType::Counter,
        "",
        "Tokens of outcomes, by direction: input, output, or unknown.",
    ),
];

/// The families as metadata.
pub fn outcome_metadata() -> Vec<(String, Metadata)> {
    OUTCOME_FAMILIES
        .iter()
        .map(|(name, kind, unit, help)| {
            let (unit, help) = ((*unit).to_owned(), (*help).to_owned());
            ((*name).to_owned(), Metadata { kind: *kind, unit, help })
        })
        .collect()
}

/// What was shown of one key.
#[derive(Clone, Debug)]
struct Shown {
    tally: Tally,
    /// When its last samples are of.
    at: Timestamp,
    /// When it last grew.
    grew_at: Timestamp,
}

/// What was shown so far. Lives as long as the process: after a restart counters go on from the
/// tallies, which are durable.
#[derive(Debug, Default)]
pub struct Emission {
    shown: BTreeMap<TallyKey, Shown>,
}

/// Samples that are due. They count as shown once [`Emission::adopt`] hears that they are durable.
#[derive(Debug, Default)]
pub struct EmissionRound {
    /// The samples.
    pub rows: Vec<Row>,
    shown: Vec<(TallyKey, Shown)>,
}

impl Emission {
    /// What is due at `now`.
    ///
    /// `is_known` says whether a series of these labels exists. One that does not gets a zero just
    /// before its first value, and one that stood still gets its last value again just before it
    /// grows: what came in since is then within every range that holds its arrival, and
    /// `increase(x[w] anchored)` counts all of it.
    pub fn round(
        &self,
        tallies: &Tallies,
        now: Timestamp,
        is_known: impl Fn(&Labels) -> bool,
    ) -> EmissionRound {
        let mut round = EmissionRound::default();
        let just_before = now.plus_millis(-1);
        for (key, tally) in tallies.iter() {
            let shown = self.shown.get(key);
            let grew = shown.is_none_or(|shown| shown.tally.count != tally.count);
            let since = shown.map_or(i64::MAX, |shown| now.since(shown.at));
            let idle = shown.is_some_and(|shown| now.since(shown.grew_at) >= IDLE_AFTER_MS);
            let repeat_ms = if idle { IDLE_REPEAT_MS } else { REPEAT_MS };
            // A clock that was set back is no reason to fall silent.
            if !grew && (0..repeat_ms).contains(&since) {
                continue;
            }
            let before = shown.map(|shown| readings(key, &shown.tally));
            for (labels, value) in readings(key, tally) {
                let last = before.as_ref().and_then(|all| all.get(&labels));
                let prior = match (shown, last) {
                    (Some(_), Some(last)) => {
                        let stood_still = since > ROUND_MS + ROUND_MS / 2;
                        (grew && stood_still).then(|| last.clone())
                    }
                    // Of a known key this is the first cost or latency.
                    (Some(_), None) => Some(nothing_like(&value)),
                    (None, _) => (!is_known(&labels)).then(|| nothing_like(&value)),
                };
                if let Some(value) = prior {
                    round.rows.push(Row { labels: labels.clone(), at: just_before, value });
                }
                round.rows.push(Row { labels, at: now, value });
            }
            let grew_at = match shown {
                Some(shown) if !grew => shown.grew_at,
                _ => now,
            };
            let tally = tally.clone();
            round.shown.push((key.clone(), Shown { tally, at: now, grew_at }));
        }
        round
    }

    /// The samples of a round are durable.
    pub fn adopt(&mut self, round: EmissionRound) {
        self.shown.extend(round.shown);
    }
}

fn nothing_like(value: &Reading) -> Reading {
    match value {
        Reading::Float(_) => Reading::Float(0.0),
        Reading::Histogram(_) => Reading::Histogram(Arc::new(LatencyTally::nothing())),
    }
}

/// The series of a key and their values. Without latencies, costs or tokens their series are not
/// there either.
fn readings(key: &TallyKey, tally: &Tally) -> BTreeMap<Labels, Reading> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, direction: Option<&str>, value: Reading| {
        let mut labels = LabelsBuilder::default();
        labels.set(METRIC_NAME, name);
        for (name, value) in key.labels() {
            labels.set(name, value);
        }
        if let Some(direction) = direction {
            labels.set("direction", direction);
        }
        // The names are ours, and texts of JSON are UTF-8: this cannot fail.
        if let Ok(labels) = labels.build() {
            all.insert(labels, value);
        }
    };
    let [(count, ..), (duration, ..), (cost, ..), (tokens, ..)] = OUTCOME_FAMILIES;
    add(count, None, Reading::Float(tally.count as f64));
    if tally.latency.count() > 0 {
        add(duration, None, Reading::Histogram(Arc::new(tally.latency.histogram())));
    }
    if tally.priced > 0 {
        add(cost, None, Reading::Float(tally.cost.value()));
    }
    for (direction, count) in
        [("input", tally.input_tokens), ("output", tally.output_tokens), ("unknown", tally.tokens)]
    {
        if count > 0 {
            add(tokens, Some(direction), Reading::Float(count as f64));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Outcome;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn tell(tallies: &mut Tallies, value: serde_json::Value) {
        let outcome: Outcome = serde_json::from_value(value).expect("an outcome");
        tallies.add(TallyKey::of(&outcome, None), &outcome);
    }

    /// Metric, milliseconds, value (of a histogram its count) of the rows of a round.
    fn lines(rows: &[Row]) -> Vec<(String, i64, f64)> {
        rows.iter()
            .map(|row| {
                let value = match &row.value {
                    Reading::Float(value) => *value,
                    Reading::Histogram(histogram) => histogram.count,
                };
                let name = row.labels.metric_name().expect("a name");
                let name = name.trim_start_matches("vedette_").to_owned();
                (name, row.at.millis(), value)
            })
            .collect()
    }

    fn line(name: &str, at_ms: i64, value: f64) -> (String, i64, f64) {
        (name.to_owned(), at_ms, value)
    }

    #[test]
    fn a_new_series_begins_with_a_zero_and_one_that_stood_still_with_what_it_was() {
        let (mut emission, mut tallies) = (Emission::default(), Tallies::default());
        tell(&mut tallies, json!({"feature": "search"}));
        tell(&mut tallies, json!({"feature": "search"}));
        let round = emission.round(&tallies, at(10), |_| false);
        let total = "outcomes_total";
        assert_eq!(lines(&round.rows), [line(total, 9_999, 0.0), line(total, 10_000, 2.0)]);
        // It was not written: the same again.
        let round = emission.round(&tallies, at(11), |_| false);
        assert_eq!(lines(&round.rows), [line(total, 10_999, 0.0), line(total, 11_000, 2.0)]);
        emission.adopt(round);
        // It grows at once: no need to say again what it was.
        tell(&mut tallies, json!({"feature": "search"}));
        let round = emission.round(&tallies, at(15), |_| true);
        assert_eq!(lines(&round.rows), [line(total, 15_000, 3.0)]);
        emission.adopt(round);
        assert!(emission.round(&tallies, at(20), |_| true).rows.is_empty());
        // The first latency comes with a zero of its own series.
        tell(&mut tallies, json!({"feature": "search", "latency_ms": 3}));
        let round = emission.round(&tallies, at(30), |_| true);
        let duration = "outcome_duration_seconds";
        let expected = [
            line(duration, 29_999, 0.0),
            line(duration, 30_000, 1.0),
            line(total, 29_999, 3.0),
            line(total, 30_000, 4.0),
        ];
        assert_eq!(lines(&round.rows), expected);
    }

    #[test]
    fn what_stands_still_is_repeated_every_minute_and_after_a_day_every_hour() {
        let (mut emission, mut tallies) = (Emission::default(), Tallies::default());
        tell(&mut tallies, json!({"feature": "search"}));
        let mut samples = BTreeMap::<i64, usize>::new();
        for round in 0..2 * 86_400 / 5 {
            let now = at(round * 5);
            let round = emission.round(&tallies, now, |_| true);
            *samples.entry(now.millis() / 86_400_000).or_default() += round.rows.len();
            emission.adopt(round);
        }
        assert_eq!(samples.get(&0), Some(&1440));
        assert_eq!(samples.get(&1), Some(&24));
    }

    #[test]
    fn after_a_restart_known_series_go_on_without_a_zero() {
        let mut tallies = Tallies::default();
        tell(&mut tallies, json!({"feature": "search", "cost": 0.5, "tokens": 7}));
        let round = Emission::default().round(&tallies, at(10), |_| true);
        let expected = [
            line("outcome_cost_total", 10_000, 0.5),
            line("outcome_tokens_total", 10_000, 7.0),
            line("outcomes_total", 10_000, 1.0),
        ];
        assert_eq!(lines(&round.rows), expected);
        let labels = round.rows[1].labels.to_string();
        assert!(labels.contains("direction=\"unknown\""), "{labels}");
    }
}
