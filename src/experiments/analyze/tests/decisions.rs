use serde_json::json;

use super::*;

/// Two arms of 2,000 units around 10 with variance 1, the variant's shifted.
fn shifted(by: f64, metric: Value, more: Value) -> Case {
    let mut case = Case::plain(metric, more);
    for (variant, shift) in [(0, 0.0), (1, by)] {
        case.expose(0, variant, 2000);
        for place in 0..case.definition.metrics.len() as u16 {
            case.add((0, variant, place), 9.0 + shift, 1000);
            case.add((0, variant, place), 11.0 + shift, 1000);
        }
    }
    case
}

fn winner(analysis: &Analysis) -> Option<&str> {
    analysis.winner.as_ref().map(|name| name.as_str())
}

fn says(analysis: &Analysis, text: &str) -> bool {
    analysis.reasons.iter().any(|reason| reason.contains(text))
}

fn guarded(margin: f64, better: &str) -> Value {
    json!({"metrics": [
        {"name": "m", "better": "higher"},
        {"name": "g", "better": better, "role": "guardrail", "margin": margin},
    ]})
}

#[test]
fn a_certain_improvement_is_shipped_and_a_certain_worsening_is_not() {
    let up = shifted(0.5, json!({}), json!({})).analysis();
    assert_eq!((winner(&up), up.decision), (Some("variant"), Decision::Ship));
    assert!(says(&up, "variant is better in \"m\": +0.5"), "{:?}", up.reasons);
    let down = shifted(-0.5, json!({}), json!({})).analysis();
    assert_eq!((winner(&down), down.decision), (Some("control"), Decision::Rollback));
    let less = shifted(-0.5, json!({"better": "lower"}), json!({})).analysis();
    assert_eq!((winner(&less), less.decision), (Some("variant"), Decision::Ship));
}

#[test]
fn nothing_certain_goes_on_until_the_end() {
    let metric = json!({"minimum_detectable_effect": 0.05});
    let mut case = shifted(0.01, metric, json!({}));
    let open = case.analysis();
    assert_eq!((winner(&open), open.decision), (None, Decision::Continue));
    assert!(says(&open, "it takes about"), "{:?}", open.reasons);
    case.state.status = crate::model::ExperimentStatus::Completed;
    let closed = case.analysis();
    assert_eq!((winner(&closed), closed.decision), (None, Decision::Inconclusive));
}

#[test]
fn an_effect_that_is_certainly_too_small_ends_the_waiting() {
    let case = shifted(0.0, json!({"minimum_detectable_effect": 0.5}), json!({}));
    let analysis = case.analysis();
    assert_eq!(analysis.decision, Decision::Inconclusive);
    assert!(says(&analysis, "smaller than the smallest effect"), "{:?}", analysis.reasons);
}

#[test]
fn a_draft_decides_nothing() {
    let mut case = shifted(0.5, json!({}), json!({}));
    case.state.status = crate::model::ExperimentStatus::Draft;
    assert_eq!(case.analysis().decision, Decision::Continue);
    assert_eq!(case.analysis().winner, None);
}

#[test]
fn a_breached_guardrail_is_never_shipped() {
    // Better in the primary metric, and by the same values worse in the guardrail.
    let case = shifted(0.5, json!({}), guarded(0.1, "lower"));
    let analysis = case.analysis();
    assert_eq!((winner(&analysis), analysis.decision), (None, Decision::Rollback));
    assert!(says(&analysis, "guardrail metric g is breached"), "{:?}", analysis.reasons);
}

#[test]
fn a_doubtful_guardrail_holds_the_winner_back() {
    // Worse by 0.5 where 0.45 is allowed: it looks so, and is not certain.
    let case = shifted(0.5, json!({}), guarded(0.45, "lower"));
    let analysis = case.analysis();
    assert_eq!((winner(&analysis), analysis.decision), (Some("variant"), Decision::Continue));
    assert!(says(&analysis, "in doubt"), "{:?}", analysis.reasons);
    let within = shifted(0.5, json!({}), guarded(1.0, "lower")).analysis();
    assert_eq!(within.decision, Decision::Ship);
}

#[test]
fn a_guardrail_without_data_holds_the_winner_back() {
    let mut case = shifted(0.5, json!({}), guarded(1.0, "lower"));
    case.sums.cells.retain(|(.., metric), _| *metric == 0);
    let analysis = case.analysis();
    assert_eq!(analysis.decision, Decision::Continue);
    assert!(says(&analysis, "no result of \"g\""), "{:?}", analysis.reasons);
}

#[test]
fn a_rule_that_was_breached_is_known_from_the_state() {
    let mut case = shifted(0.5, json!({}), json!({}));
    case.state.breaches.push(crate::model::GuardrailState {
        guardrail: "rule errors".to_owned(),
        variant: Some("variant".to_owned()),
        at: NOW,
        reason: "errors above 5 %".to_owned(),
        alert: None,
        accepted: false,
    });
    let analysis = case.analysis();
    assert_eq!((winner(&analysis), analysis.decision), (None, Decision::Rollback));
}

#[test]
fn no_winner_is_named_while_the_sample_ratio_alarm_is_on() {
    let mut case = shifted(0.5, json!({}), json!({}));
    case.expose(0, 1, 600);
    let analysis = case.analysis();
    let srm = analysis.srm.as_ref().expect("two shares");
    assert!(srm.alarm);
    let comparison = &analysis.metrics[0].comparisons[0];
    assert_eq!(comparison.readiness, Readiness::Srm);
    assert!(comparison.ci_low.is_some() && !comparison.significant);
    assert_eq!((winner(&analysis), analysis.decision), (None, Decision::Inconclusive));
    assert!(says(&analysis, "do not get their shares"));
    // It stays on although the shares even out, as what was summed meanwhile stays too.
    assert!(advance(&mut case.progress, &analysis));
    case.expose(0, 0, 600);
    assert!(case.analysis().srm.expect("two shares").alarm);
}

#[test]
fn before_and_after_names_no_winner() {
    let mut case = shifted(0.5, json!({}), json!({"kind": "blue_green"}));
    case.state = serde_json::from_value(running(&json!([[1, 0], [0, 1]]))).expect("a state");
    // All of the variant's units are of the second epoch.
    let moved: Vec<_> = case.sums.cells.keys().filter(|(_, v, _)| *v == 1).copied().collect();
    for place in moved {
        let cell = case.sums.cells.remove(&place).expect("there");
        case.sums.cells.insert((1, place.1, place.2), cell);
    }
    let analysis = case.analysis();
    assert_eq!((winner(&analysis), analysis.decision), (None, Decision::Continue));
    assert!(says(&analysis, "before with after"));
    let diff = analysis.metrics[0].comparisons[0].diff.expect("both have units");
    assert!((diff - 0.5).abs() < 1e-12);
    assert_eq!(analysis.srm, None);
}

#[test]
fn a_fixed_horizon_names_no_winner_before_its_end() {
    let mut case = shifted(0.5, json!({}), json!({"analysis": {"method": "fixed"}}));
    assert_eq!((case.analysis().winner, case.analysis().decision), (None, Decision::Continue));
    case.definition.end_at = Some(NOW);
    assert_eq!(case.analysis().decision, Decision::Ship);
}

#[test]
fn significance_once_reached_stays() {
    let mut case = shifted(0.5, json!({}), json!({}));
    let first = case.analysis();
    assert_eq!(first.metrics[0].comparisons[0].ever_significant_at, Some(NOW));
    assert!(advance(&mut case.progress, &first));
    assert!(!advance(&mut case.progress, &first), "nothing is new the second time");
    // Later units pull it back to where it is no longer certain at this look alone.
    case.add((0, 1, 0), 4.0, 50);
    case.add((0, 1, 0), 16.0, 5);
    case.add((0, 1, 0), 0.0, 50);
    let later = case.analysis();
    let comparison = &later.metrics[0].comparisons[0];
    assert!(comparison.p_value.expect("ready") > 0.05, "{comparison:?}");
    assert!(comparison.significant);
    assert_eq!(comparison.ever_significant_at, Some(NOW));
    // What is remembered survives being stored.
    let text = serde_json::to_string(&case.progress).expect("writes");
    assert_eq!(serde_json::from_str::<Progress>(&text).expect("reads"), case.progress);
}

#[test]
fn points_of_the_chart_are_those_of_the_comparisons() {
    let analysis = shifted(0.5, json!({}), json!({})).analysis();
    let points = points(&analysis);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].diff, analysis.metrics[0].comparisons[0].diff);
    assert_eq!((points[0].at, points[0].n), (NOW, [2000, 2000]));
}
