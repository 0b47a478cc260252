//! The life of alerts, step by step.

use super::*;
use crate::model::{Labels, OnFailure, Origin, RuleMode, Sample, Timestamp};
use crate::promql::{Value, VectorSample};

const INTERVAL_MS: i64 = 10_000;

fn of_file(extra: &str) -> AlertRule {
    let text = format!("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 0\n{extra}");
    let file = RuleFile::parse("f", &text).expect("valid");
    AlertRule::of_file("f", "g", 0, &file.groups[0].rules[0]).expect("alerting")
}

fn of_ours(json: &str) -> AlertRule {
    let definition = serde_json::from_str(json).expect("a definition");
    compile(&definition, Origin::Api).expect("valid").rule
}

fn values(values: &[(&str, f64)]) -> Finding {
    let one = |(zone, value): &(&str, f64)| VectorSample {
        labels: Labels::from_pairs([("__name__", "x"), ("zone", *zone)]).expect("valid"),
        sample: Sample::new(0, *value),
        histogram: None,
    };
    Finding::Result(Value::Vector(values.iter().map(one).collect()))
}

fn holds(zones: &[&str]) -> Finding {
    values(&zones.iter().map(|zone| (*zone, 5.0)).collect::<Vec<_>>())
}

struct Life {
    rule: AlertRule,
    states: AlertStates,
    saved: Saved,
    settled: bool,
}

impl Life {
    fn new(rule: AlertRule) -> Self {
        Life { rule, states: AlertStates::default(), saved: Saved::default(), settled: true }
    }

    fn step(&mut self, second: i64, finding: Finding) -> Outcome {
        let empty = Labels::empty();
        let query = |_: &str| Ok(Vec::new());
        let context = AlertContext { external_labels: &empty, external_url: "", query: &query };
        let at = Timestamp::from_millis(second * 1000);
        let (interval_ms, settled) = (INTERVAL_MS, self.settled);
        let step = Step { at, query_offset_ms: 0, interval_ms, finding, settled };
        evaluate_step(&self.rule, &mut self.states, step, &context)
    }

    /// Evaluates at a second; gives the states in `ALERTS`.
    fn at(&mut self, second: i64, finding: Finding) -> Vec<String> {
        let outcome = self.step(second, finding);
        outcome
            .rows
            .iter()
            .filter(|row| row.labels.metric_name() == Some("ALERTS"))
            .map(|row| row.labels.get("alertstate").unwrap_or_default().to_owned())
            .collect()
    }

    /// What an evaluation tells: `+` for firing, `-` for ended.
    fn told(&mut self, second: i64, finding: Finding) -> String {
        let outcome = self.step(second, finding);
        let sign = |telling: &Telling| match telling {
            Telling::Firing(_) => '+',
            Telling::Ended { .. } => '-',
        };
        outcome.tellings.iter().map(sign).collect()
    }

    /// Writes what changed at a second; gives how many documents that are.
    fn save(&mut self, second: i64) -> (usize, Vec<StoredAlert>) {
        let at = Timestamp::from_millis(second * 1000);
        let changes = self.saved.changes(&self.states, &self.rule, at);
        self.saved = Saved::of(&self.states, &self.rule);
        let count = changes.put.len() + changes.removed.len() + usize::from(changes.rule.is_some());
        (count, changes.put.into_iter().map(|(_, stored)| stored).collect())
    }
}

#[test]
fn an_alert_is_pending_until_it_held_for_long_enough() {
    let mut life = Life::new(of_file("    for: 30s\n"));
    assert_eq!(life.at(0, holds(&["a"])), ["pending"]);
    assert_eq!(life.at(29, holds(&["a"])), ["pending"]);
    assert_eq!(life.at(30, holds(&["a"])), ["firing"]);
    assert!(life.at(31, holds(&[])).is_empty());
    assert_eq!(life.at(32, holds(&["a"])), ["pending"], "the clock starts anew");
}

#[test]
fn an_interruption_while_pending_starts_the_clock_anew() {
    let mut life = Life::new(of_file("    for: 30s\n"));
    life.at(0, holds(&["a"]));
    life.at(10, holds(&[]));
    life.at(20, holds(&["a"]));
    assert_eq!(life.at(40, holds(&["a"])), ["pending"]);
    assert_eq!(life.at(50, holds(&["a"])), ["firing"]);
}

#[test]
fn an_alert_keeps_firing_for_a_while() {
    let mut life = Life::new(of_file("    keep_firing_for: 30s\n"));
    assert_eq!(life.at(0, holds(&["a"])), ["firing"]);
    assert_eq!(life.at(10, holds(&[])), ["firing"]);
    assert_eq!(life.at(39, holds(&[])), ["firing"]);
    // It held again: the time starts anew.
    assert_eq!(life.at(39, holds(&["a"])), ["firing"]);
    assert_eq!(life.at(40, holds(&[])), ["firing"]);
    assert!(life.at(70, holds(&[])).is_empty());
}

#[test]
fn labels_and_annotations_are_templates_and_the_name_wins() {
    let extra = "    labels: {zone: 'z-{{ $labels.zone }}', alertname: other}\n    \
                 annotations: {text: '{{ $value }} of {{ $labels.__name__ }}'}\n";
    let mut life = Life::new(of_file(extra));
    life.at(0, holds(&["a"]));
    let alert = life.states.active().next().expect("one").clone();
    assert_eq!(alert.labels.to_string(), "{alertname=\"A\", zone=\"z-a\"}");
    assert_eq!(alert.annotations, [("text".to_owned(), "5 of x".to_owned())]);
}

#[test]
fn each_beginning_and_each_end_is_told_once() {
    let mut life = Life::new(of_file("    for: 10s\n"));
    assert_eq!(life.told(0, holds(&["a", "b"])), "");
    assert_eq!(life.told(10, holds(&["a", "b"])), "++");
    assert_eq!(life.told(20, holds(&["a", "b"])), "");
    assert_eq!(life.told(30, holds(&["b"])), "-");
    // Pending again: nobody hears of it until it fires.
    assert_eq!(life.told(40, holds(&["a", "b"])), "");
    assert_eq!(life.told(50, holds(&["b"])), "");
    assert_eq!(life.told(60, holds(&[])), "-");
    assert_eq!(life.told(70, holds(&[])), "");
}

#[test]
fn other_texts_are_told_again_and_other_values_are_not() {
    let mut life = Life::new(of_file("    annotations: {summary: 'now {{ $value }}'}\n"));
    assert_eq!(life.told(0, values(&[("a", 1.0)])), "+");
    assert_eq!(life.told(10, values(&[("a", 2.0)])), "");
    life.rule.annotations[0].1 = "other".to_owned();
    assert_eq!(life.told(20, values(&[("a", 2.0)])), "+");
    assert_eq!(life.told(30, values(&[("a", 2.0)])), "");
}

#[test]
fn an_exit_threshold_keeps_what_fires_and_starts_nothing() {
    let json = r#"{"name":"a","metric":"x","operator":">","threshold":100,"exit_threshold":80,
                   "for":10}"#;
    let mut life = Life::new(of_ours(json));
    assert!(life.at(0, values(&[("a", 90.0)])).is_empty());
    assert_eq!(life.at(10, values(&[("a", 101.0)])), ["pending"]);
    assert!(life.at(20, values(&[("a", 90.0)])).is_empty(), "pending is judged by the threshold");
    life.at(30, values(&[("a", 101.0)]));
    assert_eq!(life.at(40, values(&[("a", 101.0)])), ["firing"]);
    assert_eq!(life.at(50, values(&[("a", 81.0)])), ["firing"]);
    assert_eq!(life.at(60, values(&[("a", f64::NAN)])), Vec::<String>::new(), "NaN holds nothing");
}

#[test]
fn not_a_number_holds_no_condition() {
    for operator in [">", "<", ">=", "<=", "=", "!="] {
        let json = format!(r#"{{"name":"a","metric":"x","operator":"{operator}","threshold":1}}"#);
        let mut life = Life::new(of_ours(&json));
        assert!(life.at(0, values(&[("a", f64::NAN)])).is_empty(), "{operator}");
    }
}

#[test]
fn a_hold_lets_the_clocks_stand_still() {
    let json = r#"{"name":"a","expr":"x > 0","for":30}"#;
    let mut life = Life::new(of_ours(json));
    life.at(0, holds(&["a"]));
    assert_eq!(life.at(10, holds(&["a"])), ["pending"]);
    // 10 of 30 seconds are over when data stops for a while.
    for second in [20, 30, 40, 50, 60] {
        assert_eq!(life.at(second, Finding::NoData), ["pending"]);
    }
    assert_eq!(life.at(70, holds(&["a"])), ["pending"], "20 of 30");
    assert_eq!(life.at(80, holds(&["a"])), ["firing"], "30 of 30");
    assert_eq!(life.at(90, Finding::Failed("no".to_owned())), ["firing"]);
    assert!(life.at(100, holds(&[])).is_empty());
}

#[test]
fn no_data_and_errors_mean_what_the_rule_says() {
    for (field, finding) in
        [("on_no_data", Finding::NoData), ("on_error", Finding::Failed("broken".to_owned()))]
    {
        for (what, told, states) in
            [("hold", "", vec!["firing"]), ("ok", "-", vec![]), ("alert", "+", vec!["firing"; 2])]
        {
            let json = format!(r#"{{"name":"a","expr":"x > 0","{field}":"{what}"}}"#);
            let mut life = Life::new(of_ours(&json));
            life.at(0, holds(&["a"]));
            assert_eq!(life.told(10, finding.clone()), told, "{field} {what}");
            assert_eq!(life.at(20, finding.clone()), states, "{field} {what}");
            if what == "alert" {
                let stands_in = |alert: &&Alert| alert.labels.get("zone").is_none();
                let alert = life.states.active().find(stands_in).expect("there").clone();
                assert_eq!(alert.labels.to_string(), "{alertname=\"a\", severity=\"warning\"}");
                assert!(alert.annotations.iter().any(|(name, _)| name == "reason"));
                assert_eq!(life.told(30, holds(&["a"])), "-", "it ends when data is back");
            }
        }
    }
}

#[test]
fn no_data_is_no_news_of_a_rule_that_never_had_any() {
    let json = r#"{"name":"a","expr":"x > 0","on_no_data":"alert"}"#;
    let mut life = Life::new(of_ours(json));
    assert!(life.at(0, Finding::NoData).is_empty());
    life.states.note_data();
    assert_eq!(life.at(10, Finding::NoData), ["firing"]);
}

#[test]
fn too_many_alerts_are_an_error_and_end_nothing() {
    let mut life = Life::new(of_ours(r#"{"name":"a","expr":"x > 0","limit":1}"#));
    assert_eq!(life.told(0, holds(&["a"])), "+");
    let outcome = life.step(10, holds(&["a", "b"]));
    assert_eq!(outcome.error.expect("too many").to_string(), "exceeded limit of 1 with 2 alerts");
    assert!(outcome.tellings.is_empty());
    assert_eq!(life.states.state(), AlertState::Firing);
}

#[test]
fn before_inputs_are_fresh_nothing_that_is_missing_ends() {
    let json = r#"{"name":"a","expr":"x > 0","on_no_data":"alert"}"#;
    let mut life = Life::new(of_ours(json));
    assert_eq!(life.told(0, holds(&["a"])), "+");
    life.settled = false;
    assert_eq!(life.told(10, holds(&[])), "");
    assert_eq!(life.told(20, Finding::NoData), "", "no news of missing data either");
    assert_eq!(life.at(30, holds(&["b"])), ["firing", "firing"], "what holds begins");
    life.settled = true;
    assert_eq!(life.told(40, holds(&["b"])), "-");
}

#[test]
fn a_clock_that_jumps_neither_fires_nor_ends_anything() {
    for jump in [-100_000, 100_000] {
        let mut life = Life::new(of_file("    for: 30s\n    keep_firing_for: 30s\n"));
        life.at(0, holds(&["a"]));
        life.at(10, holds(&["a"]));
        assert_eq!(life.at(jump, holds(&["a"])), ["pending"], "20 of 30");
        assert_eq!(life.at(jump + 10, holds(&["a"])), ["firing"], "30 of 30");
        assert_eq!(life.at(jump + 20, holds(&[])), ["firing"]);
        assert_eq!(life.at(20, holds(&[])), ["firing"], "10 of 30");
        assert_eq!(life.at(30, holds(&[])), ["firing"], "20 of 30");
        assert!(life.at(40, holds(&[])).is_empty());
    }
}

#[test]
fn shadow_marks_its_alerts_and_tells_nobody() {
    let mut life = Life::new(of_ours(r#"{"name":"a","expr":"x > 0","mode":"shadow"}"#));
    let outcome = life.step(0, holds(&["a"]));
    assert!(outcome.tellings.is_empty());
    assert!(outcome.rows.iter().all(|row| row.labels.get("vedette_mode") == Some("shadow")));
    life.rule.mode = RuleMode::Active;
    assert_eq!(life.told(10, holds(&["a"])), "+", "what fires is told once it counts");
    life.rule.mode = RuleMode::Shadow;
    assert_eq!(life.told(20, holds(&["a"])), "-", "and as ended when it no longer does");
}

#[test]
fn idle_evaluations_write_nothing() {
    let mut life = Life::new(of_file("    for: 20s\n"));
    let mut written = Vec::new();
    for (second, zones) in
        [(0, vec!["a"]), (10, vec!["a"]), (20, vec!["a"]), (30, vec!["a"]), (40, vec![])]
    {
        life.at(second, holds(&zones));
        written.push(life.save(second).0);
    }
    // The rule's first data and a new alert; nothing; it fires; nothing; it ended.
    assert_eq!(written, [2, 0, 1, 0, 1]);
}

#[test]
fn the_stored_form_is_json_that_reads_back() {
    let mut life = Life::new(of_file("    for: 20s\n"));
    life.at(0, holds(&["a"]));
    let (_, stored) = life.save(0);
    let stored = StoredState::Alert(Box::new(stored[0].clone()));
    let text = serde_json::to_string(&stored).expect("written");
    assert!(text.contains(r#""state":"pending""#), "{text}");
    assert_eq!(serde_json::from_str::<StoredState>(&text).expect("read"), stored);
    // What a later version adds has a default.
    let old = r#"{"part":"alert","labels":{},"clocks":{"state":"firing","active_at":0},
        "condition":1,"source":{"kind":"rule","name":"a"},"written_at":0}"#;
    serde_json::from_str::<StoredState>(old).expect("read");
}

#[test]
fn a_changed_condition_starts_pending_clocks_anew_and_ends_nothing() {
    let mut life = Life::new(of_ours(r#"{"name":"a","expr":"x > 0","for":20}"#));
    life.at(0, holds(&["a"]));
    life.at(20, holds(&["a", "b"]));
    let restored = Restored { rule: None, alerts: life.save(20).1 };
    let changed = of_ours(r#"{"name":"a","expr":"x > 1","for":20}"#);
    let (states, _) = restored.clone().into_states(&changed, |_| None);
    let kept: Vec<_> = states.active().map(|alert| alert.clocks.state).collect();
    assert_eq!(kept, [AlertState::Firing]);
    // Texts are no part of the condition.
    let text = of_ours(r#"{"name":"a","expr":"x > 0","for":20,"description":"d"}"#);
    assert_eq!(restored.into_states(&text, |_| None).0.active().count(), 2);
    assert_eq!(life.rule.identity(0), changed.identity(0));
}

#[test]
fn our_own_downtime_does_not_count() {
    let rule = of_ours(r#"{"name":"a","expr":"x > 0","for":30,"on_no_data":"hold"}"#);
    let mut life = Life::new(rule);
    life.at(0, holds(&["a"]));
    let stored = life.save(0).1;
    life.at(10, holds(&["a"]));
    // The series written at 10 tell that it was still pending then; back after a day.
    let restored = Restored { rule: None, alerts: stored };
    let alive = Timestamp::from_millis(10_000);
    (life.states, life.saved) = restored.into_states(&life.rule, |_| Some(alive));
    assert_eq!(life.at(86_400, holds(&["a"])), ["pending"], "20 of 30");
    assert_eq!(life.at(86_410, holds(&["a"])), ["firing"], "30 of 30");
    assert_eq!(life.rule.on_no_data, OnFailure::Hold);
}
