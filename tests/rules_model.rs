//! The clocks of alerts against a naive model that counts evaluations, with restarts, downtimes
//! and jumps of the clock at any point.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vedette::model::{Labels, OnFailure, Origin, RuleDefinition, Sample, Timestamp};
use vedette::promql::{Value, VectorSample};
use vedette::rules::{
    AlertContext, AlertRule, AlertState, AlertStates, Finding, Restored, Saved, Step, StoredAlert,
    Telling, compile, evaluate_step,
};

const INTERVAL_MS: i64 = 10_000;
const ENTER: f64 = 10.0;
const EXIT: f64 = 5.0;

/// What happens at one evaluation.
#[derive(Clone, Debug)]
enum Event {
    /// A value per zone; `None` where there is no series.
    Values([Option<f64>; 2]),
    NoData,
    Failed,
    /// The process ends and begins again, so many intervals of downtime later.
    Restart(i64),
    /// The clock jumps by so many intervals.
    Jump(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let value = prop::option::weighted(
        0.9,
        prop_oneof![3 => Just(20.0), 1 => Just(7.0), 2 => Just(1.0), 1 => Just(f64::NAN)],
    );
    let event = prop_oneof![
        12 => [value.clone(), value].prop_map(Event::Values),
        1 => Just(Event::NoData),
        1 => Just(Event::Failed),
        2 => (0..1000_i64).prop_map(Event::Restart),
        1 => prop_oneof![-1000..-1_i64, 6..1000_i64].prop_map(Event::Jump),
    ];
    prop::collection::vec(event, 1..60)
}

/// What is remembered of one zone when only evaluations are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counted {
    /// Evaluations since it began to hold, while it is pending.
    pending: Option<i64>,
    firing: bool,
    /// Evaluations since it no longer held.
    kept: Option<i64>,
}

struct Model {
    hold: i64,
    keep: i64,
    on_no_data: OnFailure,
    zones: [Counted; 2],
}

impl Model {
    /// One evaluation; gives what is told: zone and whether it fires.
    fn step(&mut self, event: &Event) -> Vec<(usize, bool)> {
        let mut told = Vec::new();
        let values = match event {
            Event::Values(values) => *values,
            Event::NoData if self.on_no_data == OnFailure::Ok => [None; 2],
            _ => return told,
        };
        for (zone, value) in values.into_iter().enumerate() {
            let known = &mut self.zones[zone];
            let before = known.firing;
            let limit = if known.firing { EXIT } else { ENTER };
            if value.is_some_and(|value| value > limit) {
                known.kept = None;
                if !known.firing {
                    let counted = known.pending.map_or(0, |count| count + 1);
                    known.pending = Some(counted);
                    if counted >= self.hold {
                        *known = Counted { firing: true, ..Counted::default() };
                    }
                }
            } else {
                known.pending = None;
                if known.firing {
                    let kept = known.kept.map_or(0, |count| count + 1);
                    known.kept = Some(kept);
                    if kept >= self.keep {
                        *known = Counted::default();
                    }
                }
            }
            if known.firing != before {
                told.push((zone, known.firing));
            }
        }
        told
    }
}

/// The real thing, with what a process has in memory and what is in the file.
struct Real {
    rule: AlertRule,
    states: AlertStates,
    saved: Saved,
    file: BTreeMap<String, StoredAlert>,
    /// The newest `ALERTS_FOR_STATE` of each alert.
    alive: BTreeMap<Labels, Timestamp>,
    now: Timestamp,
}

impl Real {
    fn finding(event: &Event) -> Finding {
        match event {
            Event::Values(values) => {
                let zones = values.iter().enumerate();
                let samples = zones.filter_map(|(zone, value)| {
                    let name = zone.to_string();
                    Some(VectorSample {
                        labels: Labels::from_pairs([("zone", &name)]).expect("valid"),
                        sample: Sample::new(0, (*value)?),
                        histogram: None,
                    })
                });
                Finding::Result(Value::Vector(samples.collect()))
            }
            Event::NoData => Finding::NoData,
            _ => Finding::Failed("broken".to_owned()),
        }
    }

    fn step(&mut self, event: &Event) -> Vec<(usize, bool)> {
        let empty = Labels::empty();
        let query = |_: &str| Ok(Vec::new());
        let context = AlertContext { external_labels: &empty, external_url: "", query: &query };
        let step = Step {
            at: self.now,
            query_offset_ms: 0,
            interval_ms: INTERVAL_MS,
            finding: Real::finding(event),
            settled: true,
        };
        let firing: BTreeMap<_, _> = self
            .states
            .all()
            .map(|alert| {
                (
                    vedette::model::AlertKey::of(&self.rule.source, &alert.labels),
                    zone(&alert.labels),
                )
            })
            .collect();
        let outcome = evaluate_step(&self.rule, &mut self.states, step, &context);
        let changes = self.saved.changes(&self.states, &self.rule, self.now);
        self.saved = Saved::of(&self.states, &self.rule);
        self.file.extend(changes.put);
        for id in changes.removed {
            self.file.remove(&id);
        }
        for row in outcome.rows {
            if row.labels.metric_name() == Some("ALERTS_FOR_STATE") {
                self.alive.insert(row.labels.without_name(), row.at);
            }
        }
        let told = outcome.tellings.into_iter().map(|telling| match telling {
            Telling::Firing(alert) => (zone(&alert.labels), true),
            Telling::Ended { key, .. } => (firing[&key], false),
        });
        told.collect()
    }

    fn restart(&mut self) {
        let restored = Restored { rule: None, alerts: self.file.values().cloned().collect() };
        let alive = |labels: &Labels| self.alive.get(labels).copied();
        (self.states, self.saved) = restored.into_states(&self.rule, alive);
    }
}

fn zone(labels: &Labels) -> usize {
    labels.get("zone").and_then(|zone| zone.parse().ok()).expect("a zone")
}

proptest! {
    #[test]
    fn clocks_count_evaluations_whatever_happens_between_them(
        events in events(),
        hold in 0..4_i64,
        keep in 0..4_i64,
        no_data_ends in any::<bool>(),
    ) {
        let on_no_data = if no_data_ends { "ok" } else { "hold" };
        let json = format!(
            r#"{{"name":"a","expr":"x","operator":">","threshold":{ENTER},
                "exit_threshold":{EXIT},"for":{},"keep_firing_for":{},
                "on_no_data":"{on_no_data}"}}"#,
            hold * INTERVAL_MS / 1000,
            keep * INTERVAL_MS / 1000,
        );
        let definition: RuleDefinition = serde_json::from_str(&json).expect("a definition");
        let rule = compile(&definition, Origin::Api).expect("valid").rule;
        let mut model =
            Model { hold, keep, on_no_data: rule.on_no_data, zones: [Counted::default(); 2] };
        let mut real = Real {
            rule,
            states: AlertStates::default(),
            saved: Saved::default(),
            file: BTreeMap::new(),
            alive: BTreeMap::new(),
            now: Timestamp::from_millis(1_767_225_600_000),
        };
        // Two jumps before anybody looks may cancel out, which nobody could notice.
        let mut moved = false;
        for (place, event) in events.iter().enumerate() {
            match event {
                Event::Restart(_) | Event::Jump(_) if moved => {}
                Event::Restart(intervals) => {
                    moved = true;
                    real.restart();
                    real.now = real.now.plus_millis(intervals * INTERVAL_MS);
                }
                Event::Jump(intervals) => {
                    moved = true;
                    real.now = real.now.plus_millis(intervals * INTERVAL_MS);
                }
                event => {
                    moved = false;
                    real.now = real.now.plus_millis(INTERVAL_MS);
                    prop_assert_eq!(model.step(event), real.step(event), "at {}", place);
                    for (zone_number, known) in model.zones.iter().enumerate() {
                        let state = real
                            .states
                            .active()
                            .find(|alert| zone(&alert.labels) == zone_number)
                            .map_or(AlertState::Inactive, |alert| alert.clocks.state);
                        let expected = match known {
                            Counted { firing: true, .. } => AlertState::Firing,
                            Counted { pending: Some(_), .. } => AlertState::Pending,
                            Counted { .. } => AlertState::Inactive,
                        };
                        prop_assert_eq!(state, expected, "zone {} at {}", zone_number, place);
                    }
                }
            }
        }
    }
}
