use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::experiments::{normalised, shares};
use crate::model::GuardrailAction;

const HOUR: i64 = 3_600_000;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + hours * HOUR)
}

fn definition(more: Value) -> ExperimentDefinition {
    let mut whole = json!({
        "name": "trial",
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "other", "traffic_weight": 50},
        ],
        "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
    });
    for (name, value) in more.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    normalised(&serde_json::from_value(whole).expect("a definition")).expect("fits")
}

fn canary() -> ExperimentDefinition {
    definition(json!({"kind": "canary", "steps": [
        {"traffic": 5, "hold": "1h"}, {"traffic": 50, "hold": "2h"}, {"traffic": 100}]}))
}

fn draft(definition: &ExperimentDefinition) -> ExperimentState {
    create(definition, 7, "me", at(0)).state
}

fn done(definition: &ExperimentDefinition, state: &ExperimentState, what: &Act, hour: i64) -> Step {
    act(definition, state, what, "me", "", at(hour)).expect("possible")
}

fn kinds(step: &Step) -> Vec<AuditKind> {
    step.entries.iter().map(|entry| entry.kind).collect()
}

fn breach_of(guardrail: &str, alert: Option<&str>, action: GuardrailAction) -> Breach {
    Breach {
        guardrail: guardrail.to_owned(),
        variant: Some("other".to_owned()),
        reason: "too slow".to_owned(),
        alert: alert.map(str::to_owned),
        action,
    }
}

#[test]
fn an_experiment_lives_from_draft_to_completion_and_the_audit_says_so() {
    let plain = definition(json!({}));
    let step = create(&plain, 7, "me", at(0));
    assert_eq!(
        (step.state.number, step.state.version, kinds(&step)),
        (7, 1, vec![AuditKind::Created])
    );
    let step = done(&plain, &step.state, &Act::Start, 1);
    assert_eq!(kinds(&step), [AuditKind::Started, AuditKind::Epoch]);
    assert_eq!((step.state.started_at, step.state.epochs.len()), (Some(at(1)), 1));
    let step = done(&plain, &step.state, &Act::Pause, 2);
    assert_eq!(step.state.status, ExperimentStatus::Paused);
    let step = done(&plain, &step.state, &Act::Resume, 3);
    assert_eq!(step.state.epochs.len(), 1, "the shares are the same");
    let step = done(&plain, &step.state, &Act::Complete { ship: Some("other".to_owned()) }, 4);
    assert_eq!(step.state.status, ExperimentStatus::Completed);
    assert_eq!((step.state.ended_at, step.state.shipped), (Some(at(4)), Some(1)));
    assert_eq!(step.state.version, 6);
    assert_eq!(step.entries[0].by, "me");
}

#[test]
fn an_illegal_move_is_refused_with_the_state_and_what_is_possible() {
    let plain = definition(json!({}));
    let state = draft(&plain);
    let refused = act(&plain, &state, &Act::Pause, "me", "", at(1)).expect_err("a draft");
    let Refused::Conflict(text) = refused else { panic!("{refused}") };
    assert!(text.starts_with("cannot pause trial: it is draft since 2023"), "{text}");
    assert!(text.ends_with("possible now: start, cancel"), "{text}");
    let over = done(&plain, &state, &Act::Cancel, 1).state;
    let refused = act(&plain, &over, &Act::Start, "me", "", at(2)).expect_err("over");
    assert!(refused.to_string().ends_with("it is over; make another experiment"));
    let running = done(&plain, &state, &Act::Start, 1).state;
    for (what, expected) in [
        (Act::Step { to: None }, "trial is no canary"),
        (Act::Switch { to: None }, "trial is not blue_green"),
    ] {
        let refused = act(&plain, &running, &what, "me", "", at(2)).expect_err("no such kind");
        assert!(refused.to_string().starts_with(expected), "{refused}");
    }
    let unknown = Act::Complete { ship: Some("third".to_owned()) };
    let refused = act(&plain, &running, &unknown, "me", "", at(2)).expect_err("unknown");
    assert_eq!(
        refused,
        Refused::Invalid("\"third\" is no variant; there are control, other".to_owned())
    );
}

#[test]
fn dates_start_and_end_it_by_themselves() {
    let plain = definition(json!({
        "start_at": at(1).millis(), "end_at": at(5).millis(),
    }));
    let state = draft(&plain);
    assert_eq!(next_due(&plain, &state), Some(at(1)));
    assert_eq!(tick(&plain, &state, None, Timestamp::from_millis(at(1).millis() - 1)), None);
    let started = tick(&plain, &state, None, at(1)).expect("due");
    assert_eq!(started.state.status, ExperimentStatus::Running);
    assert_eq!(started.entries[0].by, OURSELVES);
    assert_eq!(next_due(&plain, &started.state), Some(at(5)));
    assert_eq!(tick(&plain, &started.state, None, at(4)), None);
    let ended = tick(&plain, &started.state, None, at(5)).expect("due");
    assert_eq!((ended.state.status, ended.state.shipped), (ExperimentStatus::Completed, None));
    // We were away the whole time: what is over does not begin.
    assert_eq!(tick(&plain, &state, None, at(6)), None);
    let refused = act(&plain, &state, &Act::Start, "me", "", at(6)).expect_err("over");
    assert!(refused.to_string().contains("end_at"), "{refused}");
}

#[test]
fn a_canary_steps_by_its_schedule_while_no_guardrail_is_in_doubt() {
    let canary = canary();
    let state = done(&canary, &draft(&canary), &Act::Start, 0).state;
    assert_eq!(state.epochs[0].weights, [95.0, 5.0]);
    assert_eq!(tick(&canary, &state, None, Timestamp::from_millis(at(1).millis() - 1)), None);
    let held = tick(&canary, &state, Some("latency_ms is in doubt"), at(1)).expect("due");
    assert_eq!((kinds(&held), held.state.step), (vec![AuditKind::Held], 0));
    assert!(held.entries[0].note.contains("latency_ms is in doubt"));
    // Said once, however often it is looked at.
    assert_eq!(tick(&canary, &held.state, Some("still"), at(2)), None);
    let stepped = tick(&canary, &held.state, None, at(3)).expect("due");
    assert_eq!(kinds(&stepped), [AuditKind::Stepped, AuditKind::Epoch]);
    assert_eq!(stepped.state.epochs[1].weights, [50.0, 50.0]);
    assert_eq!((stepped.state.step_at, stepped.state.held_at), (Some(at(3)), None));
    assert_eq!(next_due(&canary, &stepped.state), Some(at(5)));
    let last = tick(&canary, &stepped.state, None, at(5)).expect("due");
    assert_eq!(last.state.epochs[2].weights, [0.0, 100.0]);
    assert_eq!(tick(&canary, &last.state, None, at(1000)), None, "it stays at its last step");
    let refused = act(&canary, &last.state, &Act::Step { to: None }, "me", "", at(6));
    assert!(refused.expect_err("the last").to_string().contains("last step"));
    let back = done(&canary, &last.state, &Act::Step { to: Some(0) }, 6);
    assert_eq!(back.state.epochs[3].weights, [95.0, 5.0]);
}

#[test]
fn a_paused_canary_does_not_step_and_its_step_begins_anew_when_it_goes_on() {
    let canary = canary();
    let state = done(&canary, &draft(&canary), &Act::Start, 0).state;
    let paused = done(&canary, &state, &Act::Pause, 0).state;
    assert_eq!(tick(&canary, &paused, None, at(9)), None);
    let on = done(&canary, &paused, &Act::Resume, 9).state;
    assert_eq!(tick(&canary, &on, None, at(9)), None);
    assert_eq!(tick(&canary, &on, None, at(10)).expect("due").state.step, 1);
}

#[test]
fn blue_and_green_are_switched_and_back_at_once_and_each_time_is_an_epoch() {
    let both = definition(json!({"kind": "blue_green"}));
    let state = done(&both, &draft(&both), &Act::Start, 0).state;
    assert_eq!((state.live, state.epochs[0].weights.as_slice()), (Some(0), &[1.0, 0.0][..]));
    let green = done(&both, &state, &Act::Switch { to: None }, 1);
    assert_eq!(kinds(&green), [AuditKind::Switched, AuditKind::Epoch]);
    assert_eq!(green.entries[0].details, json!({"from": "control", "to": "other"}));
    assert_eq!(green.state.epochs[1].weights, [0.0, 1.0]);
    let again = Act::Switch { to: Some("other".to_owned()) };
    let refused = act(&both, &green.state, &again, "me", "", at(1)).expect_err("it is");
    assert_eq!(refused.to_string(), "other has all traffic already");
    let blue = done(&both, &green.state, &Act::Switch { to: None }, 1);
    assert_eq!((blue.state.live, blue.state.epochs.len()), (Some(0), 3));
}

#[test]
fn a_breach_pauses_once_and_what_a_person_accepts_stops_nothing_until_it_passes() {
    let plain = definition(json!({}));
    let state = done(&plain, &draft(&plain), &Act::Start, 0).state;
    let slow = [breach_of("metric latency_ms", None, GuardrailAction::Pause)];
    let paused = breach(&plain, &state, &slow, at(1)).expect("breached");
    assert_eq!(kinds(&paused), [AuditKind::Breached, AuditKind::Paused]);
    assert_eq!(paused.entries[1].note, "guardrail metric latency_ms: too slow");
    assert_eq!(firing(&paused.state).count(), 1);
    assert_eq!(breach(&plain, &paused.state, &slow, at(2)), None, "it is known");
    let on = done(&plain, &paused.state, &Act::Resume, 3).state;
    assert_eq!(firing(&on).count(), 0);
    assert_eq!(breach(&plain, &on, &slow, at(4)), None, "it is accepted");
    let passed = breach(&plain, &on, &[], at(5)).expect("passed").state;
    assert_eq!((passed.breaches.len(), passed.status), (0, ExperimentStatus::Running));
    let again = breach(&plain, &passed, &slow, at(6)).expect("anew").state;
    assert_eq!(again.status, ExperimentStatus::Paused);
}

#[test]
fn another_firing_of_an_accepted_rule_is_another_breach() {
    let plain = definition(json!({}));
    let state = done(&plain, &draft(&plain), &Act::Start, 0).state;
    let first = [breach_of("rule errors", Some("one"), GuardrailAction::Pause)];
    let second = [breach_of("rule errors", Some("two"), GuardrailAction::Pause)];
    let paused = breach(&plain, &state, &first, at(1)).expect("breached").state;
    let on = done(&plain, &paused, &Act::Resume, 2).state;
    assert_eq!(breach(&plain, &on, &first, at(3)), None);
    let again = breach(&plain, &on, &second, at(4)).expect("another").state;
    assert_eq!((again.status, again.breaches.len()), (ExperimentStatus::Paused, 1));
}

#[test]
fn the_worst_of_several_breaches_decides_and_a_rollback_is_the_end() {
    let plain = definition(json!({}));
    let state = done(&plain, &draft(&plain), &Act::Start, 0).state;
    let both = [
        breach_of("metric latency_ms", None, GuardrailAction::Pause),
        breach_of("rule errors", Some("one"), GuardrailAction::Rollback),
    ];
    let back = breach(&plain, &state, &both, at(1)).expect("breached");
    assert_eq!(kinds(&back), [AuditKind::Breached, AuditKind::Breached, AuditKind::RolledBack]);
    assert!(back.state.rolled_back);
    assert_eq!((back.state.status, back.state.shipped), (ExperimentStatus::Completed, Some(0)));
    assert_eq!(breach(&plain, &back.state, &both, at(2)), None, "it is over");
    assert_eq!(firing(&back.state).count(), 2, "people have yet to hear");
    assert_eq!(tick(&plain, &back.state, None, at(24)), None);
    let seen = tick(&plain, &back.state, None, at(25)).expect("a day later");
    assert_eq!((firing(&seen.state).count(), seen.entries.len()), (0, 0));
}

#[test]
fn a_breach_of_a_blue_green_experiment_takes_the_traffic_back() {
    let both = definition(json!({"kind": "blue_green"}));
    let state = done(&both, &draft(&both), &Act::Start, 0).state;
    let green = done(&both, &state, &Act::Switch { to: None }, 1).state;
    let slow = [breach_of("metric latency_ms", None, GuardrailAction::Pause)];
    let back = breach(&both, &green, &slow, at(2)).expect("breached");
    assert_eq!((back.state.live, back.state.status), (Some(0), ExperimentStatus::Paused));
    assert_eq!(back.state.epochs.last().expect("one").weights, [1.0, 0.0]);
}

#[test]
fn weights_may_change_while_it_runs_and_open_an_epoch() {
    let before = definition(json!({}));
    let after = definition(json!({"traffic_allocation": 50, "variants": [
        {"name": "control", "traffic_weight": 20, "is_control": true},
        {"name": "other", "traffic_weight": 80},
    ]}));
    let state = draft(&before);
    let changed = change(&before, &after, &state, "me", at(1)).expect("a draft").expect("changed");
    assert_eq!(kinds(&changed), [AuditKind::Changed]);
    let running = done(&before, &state, &Act::Start, 1).state;
    let changed = change(&before, &after, &running, "me", at(2)).expect("may").expect("changed");
    assert_eq!(kinds(&changed), [AuditKind::Changed, AuditKind::Epoch]);
    let epoch = &changed.state.epochs[1];
    assert_eq!((epoch.weights.as_slice(), epoch.traffic_allocation), (&[20.0, 80.0][..], 50.0));
    assert_eq!(
        changed.entries[0].details["traffic_allocation"],
        json!({"before": 100.0, "after": 50.0})
    );
    assert_eq!(change(&after, &after, &changed.state, "me", at(3)), Ok(None));
    // The same shares written in another way.
    let scaled = definition(json!({"traffic_allocation": 50, "variants": [
        {"name": "control", "traffic_weight": 1, "is_control": true},
        {"name": "other", "traffic_weight": 4},
    ]}));
    let same = change(&after, &scaled, &changed.state, "me", at(4)).expect("may").expect("changed");
    assert_eq!(same.state.epochs.len(), 2);
}

#[test]
fn what_is_measured_and_who_gets_what_may_not_change_once_it_runs() {
    let before = definition(json!({}));
    let running = done(&before, &draft(&before), &Act::Start, 1).state;
    for (field, value) in [
        ("seed", json!("another")),
        ("sticky", json!(false)),
        ("targeting", json!({"country": "NL"})),
        ("analysis", json!({"alpha": 0.1})),
        ("metrics", json!([{"name": "revenue", "better": "higher"}])),
        ("configuration", json!({"a": 1})),
    ] {
        let after = definition(json!({ field: value, "description": "may change" }));
        let refused = change(&before, &after, &running, "me", at(2)).expect_err(field);
        let Refused::Conflict(text) = refused else { panic!("{refused}") };
        let expected = format!("trial is running: {field} may not change any more; ");
        assert!(text.starts_with(&expected), "{text}");
    }
    for (field, value) in [
        ("hypothesis", json!("it helps")),
        ("end_at", json!(at(99).millis())),
        ("forced", json!({"me": "other"})),
        ("guardrails", json!([{"rule": "errors"}])),
    ] {
        let after = definition(json!({ field: value }));
        assert!(change(&before, &after, &running, "me", at(2)).is_ok(), "{field}");
        let over = done(&before, &running, &Act::Cancel, 3).state;
        let late = change(&before, &after, &over, "me", at(4));
        assert_eq!(late.is_ok(), field == "hypothesis", "{field}");
    }
}

#[test]
fn epochs_are_bounded() {
    let both = definition(json!({"kind": "blue_green"}));
    let mut state = done(&both, &draft(&both), &Act::Start, 0).state;
    for hour in 1..EPOCHS_MAX as i64 {
        state = done(&both, &state, &Act::Switch { to: None }, hour).state;
    }
    let refused = act(&both, &state, &Act::Switch { to: None }, "me", "", at(2000));
    assert!(refused.expect_err("full").to_string().contains("1000 epochs"));
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Start),
        2 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => prop::option::of(Just("other".to_owned())).prop_map(|ship| Act::Complete { ship }),
        1 => Just(Act::Cancel),
        1 => Just(Act::Rollback),
        3 => prop::option::of(0usize..4).prop_map(|to| Act::Step { to }),
        3 => Just(Act::Switch { to: None }),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    Act(Act),
    Tick(bool),
    Breach(bool),
}

fn an_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => an_act().prop_map(Event::Act),
        2 => any::<bool>().prop_map(Event::Tick),
        1 => any::<bool>().prop_map(Event::Breach),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_state_stays_whole(
        kind in 0usize..3,
        events in prop::collection::vec((an_event(), 0i64..3), 0..40),
    ) {
        let definition = match kind {
            0 => definition(json!({"end_at": at(60).millis()})),
            1 => canary(),
            _ => definition(json!({"kind": "blue_green"})),
        };
        let mut state = draft(&definition);
        let mut hour = 0;
        for (event, pause) in events {
            hour += pause;
            let now = at(hour);
            let before = state.clone();
            let step = match &event {
                Event::Act(what) => {
                    let may = possible(&definition, &state).contains(&what.as_str());
                    let result = act(&definition, &state, what, "me", "", now);
                    prop_assert!(may || result.is_err(), "{what:?} in {:?}", state.status);
                    result.ok()
                }
                Event::Tick(doubt) => tick(&definition, &state, doubt.then_some("doubt"), now),
                Event::Breach(roll_back) => {
                    let action = match roll_back {
                        true => GuardrailAction::Rollback,
                        false => GuardrailAction::Pause,
                    };
                    breach(&definition, &state, &[breach_of("metric m", None, action)], now)
                }
            };
            let Some(step) = step else { continue };
            state = step.state;
            prop_assert_eq!(state.version, before.version + step.entries.len() as u64);
            prop_assert!(!before.status.is_over() || state.status == before.status);
            prop_assert_eq!(state.status.is_over(), state.ended_at.is_some());
            prop_assert!(state.epochs.len() >= before.epochs.len());
            prop_assert_eq!(&state.epochs[..before.epochs.len()], &before.epochs[..]);
            prop_assert!(state.epochs.windows(2).all(|pair| pair[0].from <= pair[1].from));
            prop_assert_eq!(state.started_at.is_some(), !state.epochs.is_empty());
            if state.status.is_active() {
                let last = state.epochs.last().expect("it runs");
                prop_assert!(shares(&definition, &state).fit(last));
            }
            if !matches!(event, Event::Act(_)) {
                // A guardrail or the time may stop; they never name a winner.
                prop_assert!(state.shipped.is_none_or(|shipped| shipped == 0) || before.shipped == state.shipped);
                let canary = state.epochs.last().map(|epoch| epoch.weights[1]);
                let before = before.epochs.last().map(|epoch| epoch.weights[1]);
                if matches!(event, Event::Breach(_)) {
                    prop_assert!(canary <= before, "a breach sent more traffic to the other");
                }
            }
        }
    }
}

#[test]
fn a_deletion_is_noted_at_any_time_and_changes_nothing_else() {
    let plain = definition(json!({}));
    let over = done(&plain, &draft(&plain), &Act::Cancel, 1).state;
    let step = done(&plain, &over, &Act::Forget { unit: "00ff".to_owned() }, 2);
    assert_eq!(kinds(&step), [AuditKind::Deleted]);
    assert_eq!(step.entries[0].details, json!({"unit_hash": "00ff"}));
    assert_eq!(step.state, ExperimentState { version: over.version + 1, ..over });
}
