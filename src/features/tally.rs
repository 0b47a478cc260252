//! What outcomes add up to: counters that only grow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LatencyTally;
use crate::model::{Outcome, kahan_add};

/// Combinations of feature, provider, model, result, experiment and variant that are counted:
/// bounds memory (some kilobytes each) and series (five each). An outcome of one more is refused.
pub const TALLY_KEYS_MAX: usize = 10_000;

/// A sum of floats that only loses what its last bit cannot hold (Neumaier's summation).
///
/// The same numbers added and merged in the same order give the same bits: that is what makes a
/// replay equal to what was before. In another order the last bit may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Total {
    sum: f64,
    lost: f64,
}

impl Total {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        (self.sum, self.lost) = kahan_add(value, self.sum, self.lost);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Total) {
        self.add(other.sum);
        self.add(other.lost);
    }

    /// The sum.
    pub fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

/// What outcomes are told apart by: the labels of their series. What is absent is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TallyKey {
    /// The feature.
    pub feature: String,
    /// The outside service.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it went well.
    pub ok: bool,
    /// The experiment that the unit is in.
    pub experiment: String,
    /// Its variant.
    pub variant: String,
}

impl TallyKey {
    /// The key of an outcome, with the experiment and variant that its unit was found to be in;
    /// one of them alone is left out.
    pub fn of(outcome: &Outcome, arm: Option<(&str, &str)>) -> Self {
        let said = match (&outcome.experiment, &outcome.variant) {
            (Some(experiment), Some(variant)) => Some((experiment.as_str(), variant.as_str())),
            _ => None,
        };
        let (experiment, variant) = arm.or(said).unwrap_or(("", ""));
        TallyKey {
            feature: outcome.feature.as_ref().map_or("", |name| name.as_str()).to_owned(),
            provider: outcome.provider.as_ref().map_or("", |name| name.as_str()).to_owned(),
            model: outcome.model.clone().unwrap_or_default(),
            ok: outcome.ok,
            experiment: experiment.to_owned(),
            variant: variant.to_owned(),
        }
    }

    /// Its labels, those that are not empty, by name.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ok = if self.ok { "true" } else { "false" };
        [
            ("experiment", self.experiment.as_str()),
            ("feature", &self.feature),
            ("model", &self.model),
            ("ok", ok),
            ("provider", &self.provider),
            ("variant", &self.variant),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }
}

/// What the outcomes of one key add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How long they took, those that say so.
    #[serde(default)]
    pub latency: LatencyTally,
    /// What they cost, and how many say so.
    #[serde(default)]
    pub cost: Total,
    /// How many say what they cost.
    #[serde(default)]
    pub priced: u64,
    /// Tokens that were sent.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens that came back.
    #[serde(default)]
    pub output_tokens: u64,
    /// Tokens of which that is not known.
    #[serde(default)]
    pub tokens: u64,
}

impl Tally {
    /// What one outcome adds. It passed `check_outcome`.
    pub fn of(outcome: &Outcome) -> Tally {
        let mut tally = Tally::default();
        tally.add(outcome);
        tally
    }

    /// Adds an outcome that passed `check_outcome`.
    pub fn add(&mut self, outcome: &Outcome) {
        self.count += 1;
        if let Some(latency_ms) = outcome.latency_ms {
            self.latency.observe(latency_ms);
        }
        if let Some(cost) = outcome.cost {
            self.cost.add(cost);
            self.priced += 1;
        }
        let sent = outcome.input_tokens.unwrap_or(0);
        let back = outcome.output_tokens.unwrap_or(0);
        // Whoever says all of them and the parts says the parts twice.
        let told_apart = sent.saturating_add(back);
        let rest = outcome.tokens.unwrap_or(0).saturating_sub(told_apart);
        self.input_tokens = self.input_tokens.saturating_add(sent);
        self.output_tokens = self.output_tokens.saturating_add(back);
        self.tokens = self.tokens.saturating_add(rest);
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Tally) {
        self.count += other.count;
        self.latency.merge(&other.latency);
        self.cost.merge(&other.cost);
        self.priced += other.priced;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.tokens = self.tokens.saturating_add(other.tokens);
    }
}

/// All tallies. In JSON a list of pairs.
///
/// Whoever keeps them merges the outcomes of a group into one delta, makes that delta durable,
/// and merges the same delta into the tallies: a replay of the deltas then gives the same bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(TallyKey, Tally)>", into = "Vec<(TallyKey, Tally)>")]
pub struct Tallies(BTreeMap<TallyKey, Tally>);

impl From<Vec<(TallyKey, Tally)>> for Tallies {
    fn from(list: Vec<(TallyKey, Tally)>) -> Self {
        Tallies(list.into_iter().collect())
    }
}

impl From<Tallies> for Vec<(TallyKey, Tally)> {
    fn from(tallies: Tallies) -> Self {
        tallies.0.into_iter().collect()
    }
}

impl Tallies {
    /// Whether an outcome of `key` has room here, beside what `delta` will bring.
    ///
    /// # Errors
    ///
    /// A message for whoever sent it: there are too many combinations.
    pub fn check_room(&self, delta: &Tallies, key: &TallyKey) -> Result<(), String> {
        if self.0.contains_key(key) || delta.0.contains_key(key) {
            return Ok(());
        }
        // Deltas are small; those of their keys that are new count beside ours.
        let fresh = delta.0.keys().filter(|key| !self.0.contains_key(key)).count();
        if self.0.len() + fresh < TALLY_KEYS_MAX {
            return Ok(());
        }
        Err(format!(
            "there are {TALLY_KEYS_MAX} combinations of feature, provider, model, ok, experiment \
             and variant, and no more are counted; keep what has many values out of `model`"
        ))
    }

    /// Counts an outcome.
    pub fn add(&mut self, key: TallyKey, outcome: &Outcome) {
        self.0.entry(key).or_default().add(outcome);
    }

    /// Adds what others counted.
    pub fn merge(&mut self, delta: &Tallies) {
        for (key, tally) in &delta.0 {
            match self.0.get_mut(key) {
                Some(known) => known.merge(tally),
                None => {
                    // Into a tally of nothing and not in its place: what is merged later must
                    // meet the same bits after a replay.
                    let mut fresh = Tally::default();
                    fresh.merge(tally);
                    self.0.insert(key.clone(), fresh);
                }
            }
        }
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&TallyKey, &Tally)> {
        self.0.iter()
    }

    /// One of them.
    pub fn get(&self, key: &TallyKey) -> Option<&Tally> {
        self.0.get(key)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(value: serde_json::Value) -> Outcome {
        serde_json::from_value(value).expect("an outcome")
    }

    #[test]
    fn a_key_has_the_labels_that_are_not_empty() {
        let one = outcome(json!({"feature": "search", "ok": false, "experiment": "rank"}));
        let key = TallyKey::of(&one, None);
        let labels: Vec<_> = key.labels().collect();
        assert_eq!(labels, [("feature", "search"), ("ok", "false")]);
        let key = TallyKey::of(&one, Some(("rank", "new")));
        assert_eq!((key.experiment.as_str(), key.variant.as_str()), ("rank", "new"));
    }

    #[test]
    fn tokens_that_are_told_apart_are_not_counted_again_in_the_total() {
        let tally =
            Tally::of(&outcome(json!({"input_tokens": 10, "output_tokens": 5, "tokens": 17})));
        assert_eq!((tally.input_tokens, tally.output_tokens, tally.tokens), (10, 5, 2));
        let tally = Tally::of(&outcome(json!({"tokens": 17})));
        assert_eq!((tally.input_tokens, tally.output_tokens, tally.tokens), (0, 0, 17));
    }

    #[test]
    fn merging_the_same_deltas_again_gives_the_same_bits() {
        let mut deltas = Vec::new();
        for group in 0..200_u32 {
            let mut delta = Tallies::default();
            for each in 0..(group % 7 + 1) {
                let cost = f64::from(group * 31 + each) * 0.000_37 + 0.1;
                let one = outcome(json!({
                    "feature": "search", "model": format!("m{}", group % 3),
                    "latency_ms": cost * 13.7, "cost": cost,
                }));
                delta.add(TallyKey::of(&one, None), &one);
            }
            deltas.push(delta);
        }
        let live = deltas.iter().fold(Tallies::default(), |mut live, delta| {
            live.merge(delta);
            live
        });
        // As after a crash: half of it was flushed as JSON, the rest is replayed from JSON.
        let mut half = Tallies::default();
        deltas[..100].iter().for_each(|delta| half.merge(delta));
        let text = serde_json::to_string(&half).expect("encodes");
        let mut again: Tallies = serde_json::from_str(&text).expect("decodes");
        for delta in &deltas[100..] {
            let text = serde_json::to_string(delta).expect("encodes");
            again.merge(&serde_json::from_str(&text).expect("decodes"));
        }
        assert_eq!(again, live);
        let bits = |tallies: &Tallies| -> Vec<u64> {
            tallies.iter().map(|(_, tally)| tally.cost.value().to_bits()).collect()
        };
        assert_eq!(bits(&again), bits(&live));
        let count: u64 = live.iter().map(|(_, tally)| tally.count).sum();
        assert_eq!(count, (0..200).map(|group| group % 7 + 1).sum::<u64>());
    }

    #[test]
    fn many_small_costs_add_up() {
        let mut total = Total::default();
        (0..1_000_000).for_each(|_| total.add(0.0001));
        assert_eq!(total.value(), 100.0);
    }

    #[test]
    fn one_combination_too_many_is_refused_and_known_ones_go_on() {
        let mut live = Tallies::default();
        let of = |model: usize| outcome(json!({"model": format!("m{model}")}));
        for model in 0..TALLY_KEYS_MAX - 1 {
            live.add(TallyKey::of(&of(model), None), &of(model));
        }
        let mut delta = Tallies::default();
        let last = of(TALLY_KEYS_MAX);
        live.check_room(&delta, &TallyKey::of(&last, None)).expect("the last place");
        delta.add(TallyKey::of(&last, None), &last);
        live.check_room(&delta, &TallyKey::of(&last, None)).expect("it is in the delta");
        live.check_room(&delta, &TallyKey::of(&of(0), None)).expect("it is known");
        let refused = live.check_room(&delta, &TallyKey::of(&of(TALLY_KEYS_MAX + 1), None));
        assert!(refused.expect_err("full").contains("10000 combinations"));
    }
}
