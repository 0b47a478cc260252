//! What is remembered of a group between evaluations.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::{Labels, Row, STALE_NAN, Timestamp};

use super::file::Group;

/// How the last evaluation of a rule went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// There was none yet.
    #[default]
    Unknown,
    /// Well.
    Ok,
    /// It failed.
    Err,
}

impl Health {
    /// The word in `/api/v1/rules`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Ok => "ok",
            Health::Err => "err",
        }
    }
}

/// What is remembered of one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleState {
    /// How the last evaluation went.
    pub health: Health,
    /// Why it failed; empty if it did not.
    pub last_error: String,
    /// When it was.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took.
    pub evaluation_time: Duration,
    /// The series that it wrote.
    series: BTreeSet<Labels>,
}

/// What is remembered of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupState {
    /// One per rule, in their order.
    pub rules: Vec<RuleState>,
    /// When the last evaluation was.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took.
    pub evaluation_time: Duration,
    /// Evaluations that were left out because the one before took too long.
    pub missed: u64,
    /// Series of rules that are gone, still to be ended.
    ended: BTreeSet<Labels>,
}

impl GroupState {
    /// The state of a group that was never evaluated.
    pub fn new(group: &Group) -> Self {
        GroupState { rules: vec![RuleState::default(); group.rules.len()], ..Self::default() }
    }

    /// The state of `after`, which takes the place of `before` with the state `self`: rules that
    /// stay keep theirs, series of others will be ended (`rules/group.go`, `CopyState`).
    #[must_use]
    pub fn carried_over(mut self, before: &Group, after: &Group) -> Self {
        let mut states: BTreeMap<_, VecDeque<RuleState>> = BTreeMap::new();
        for (rule, state) in before.rules.iter().zip(self.rules.drain(..)) {
            let key = (rule.name.as_str(), rule.labels.as_slice(), rule.is_alerting());
            states.entry(key).or_default().push_back(state);
        }
        self.rules = after
            .rules
            .iter()
            .map(|rule| {
                let key = (rule.name.as_str(), rule.labels.as_slice(), rule.is_alerting());
                states.get_mut(&key).and_then(VecDeque::pop_front).unwrap_or_default()
            })
            .collect();
        for state in states.into_values().flatten() {
            self.ended.extend(state.series);
        }
        for state in &self.rules {
            self.ended.retain(|labels| !state.series.contains(labels));
        }
        self
    }

    /// Completes what a rule writes: markers for series that it wrote last time and does not
    /// write now.
    pub fn with_markers(&self, rule: usize, mut rows: Vec<Row>, at: Timestamp) -> Vec<Row> {
        let Some(state) = self.rules.get(rule) else { return rows };
        let now: BTreeSet<&Labels> = rows.iter().map(|row| &row.labels).collect();
        let gone: Vec<Row> = state
            .series
            .iter()
            .filter(|labels| !now.contains(labels))
            .map(|labels| marker(labels, at))
            .collect();
        rows.extend(gone);
        rows
    }

    /// Notes what a rule wrote, once that is durable. `rows` may hold markers.
    pub fn note_written(&mut self, rule: usize, rows: &[Row]) {
        let Some(state) = self.rules.get_mut(rule) else { return };
        let is_value = |row: &&Row| !row.value.as_float().is_some_and(crate::model::is_stale_nan);
        state.series = rows.iter().filter(is_value).map(|row| row.labels.clone()).collect();
    }

    /// Notes how an evaluation of a rule went.
    pub fn note_evaluation(
        &mut self,
        rule: usize,
        at: Timestamp,
        took: Duration,
        outcome: Result<(), String>,
    ) {
        let Some(state) = self.rules.get_mut(rule) else { return };
        state.last_evaluation = Some(at);
        state.evaluation_time = took;
        match outcome {
            Ok(()) => {
                state.health = Health::Ok;
                state.last_error.clear();
            }
            Err(error) => {
                state.health = Health::Err;
                state.last_error = error;
            }
        }
    }

    /// Markers that end the series of rules that are gone.
    pub fn ended(&self, at: Timestamp) -> Vec<Row> {
        self.ended.iter().map(|labels| marker(labels, at)).collect()
    }

    /// Notes that the series of rules that are gone were ended.
    pub fn note_ended(&mut self) {
        self.ended.clear();
    }

    /// Markers that end every series of the group.
    pub fn all_ended(&self, at: Timestamp) -> Vec<Row> {
        let series = self.rules.iter().flat_map(|state| &state.series);
        let all: BTreeSet<&Labels> = series.chain(&self.ended).collect();
        all.into_iter().map(|labels| marker(labels, at)).collect()
    }
}

fn marker(labels: &Labels, at: Timestamp) -> Row {
    Row { labels: labels.clone(), at, value: f64::from_bits(STALE_NAN).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleFile;

    fn group(rules: &[&str]) -> Group {
        let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
        for rule in rules {
            text.push_str(&format!("  - {{record: {rule}, expr: up}}\n"));
        }
        RuleFile::parse("f", &text).expect("valid").groups.remove(0)
    }

    fn row(name: &str, zone: &str) -> Row {
        let labels = Labels::from_pairs([("__name__", name), ("zone", zone)]).expect("valid");
        Row { labels, at: Timestamp::from_millis(1), value: 1.0.into() }
    }

    fn ended(rows: &[Row]) -> Vec<String> {
        let ends = |row: &&Row| row.value.as_float().is_some_and(crate::model::is_stale_nan);
        rows.iter().filter(ends).map(|row| row.labels.to_string()).collect()
    }

    #[test]
    fn a_series_that_a_rule_no_longer_gives_is_ended_once() {
        let at = Timestamp::from_millis(5);
        let mut state = GroupState::new(&group(&["a"]));
        let rows = state.with_markers(0, vec![row("a", "1"), row("a", "2")], at);
        assert!(ended(&rows).is_empty());
        state.note_written(0, &rows);
        let rows = state.with_markers(0, vec![row("a", "2")], at);
        assert_eq!(ended(&rows), ["a{zone=\"1\"}"]);
        state.note_written(0, &rows);
        assert!(ended(&state.with_markers(0, vec![row("a", "2")], at)).is_empty());
    }

    #[test]
    fn rules_that_stay_keep_their_state_and_the_series_of_others_are_ended() {
        let (before, after) = (group(&["a", "b", "c"]), group(&["c", "d", "a"]));
        let at = Timestamp::from_millis(5);
        let mut state = GroupState::new(&before);
        for (place, name) in ["a", "b", "c"].iter().enumerate() {
            state.note_written(place, &[row(name, "1")]);
            state.note_evaluation(place, at, Duration::from_millis(place as u64), Ok(()));
        }
        let mut state = state.carried_over(&before, &after);
        assert_eq!(state.rules[0].evaluation_time, Duration::from_millis(2));
        assert_eq!(state.rules[1].health, Health::Unknown);
        assert_eq!(state.rules[2].health, Health::Ok);
        assert_eq!(ended(&state.ended(at)), ["b{zone=\"1\"}"]);
        assert_eq!(state.all_ended(at).len(), 3);
        state.note_ended();
        assert!(state.ended(at).is_empty());
    }
}
