//! Failures that something else explains.

use super::*;

fn with_uplink() -> Bench {
    let mut bench = Bench::default();
    bench.ledger.set_uplink([name("up-a"), name("up-b")]);
    for check in ["up-a", "up-b", "shop"] {
        bench.define(check, json!({}), 0);
        bench.ran(check, 1, Healthy);
    }
    bench.define("local", json!({ "target": "http://127.0.0.1/" }), 0);
    bench.ran("local", 1, Healthy);
    bench
}

#[test]
fn while_all_of_the_uplink_fails_others_are_unknown_and_not_unhealthy() {
    let mut bench = with_uplink();
    assert_eq!(bench.ran("up-a", 10, Unhealthy), ["+CheckUnhealthy up-a 10"]);
    assert_eq!(bench.ran("shop", 11, Unhealthy), ["+CheckUnhealthy shop 11"], "one still works");
    assert_eq!(bench.ran("shop", 12, Healthy), ["- 12"]);
    bench.ran("up-b", 20, Unhealthy);
    assert_eq!(bench.ran("shop", 21, Unhealthy), [""; 0]);
    assert_eq!(bench.status("shop"), (Unknown, at(21)));
    let last = bench.ledger.get("shop").and_then(|known| known.last.clone()).expect("one");
    assert_eq!(last.result.status, Unknown);
    assert_eq!(
        last.result.error.as_deref(),
        Some(
            "our own way out is down (checks.uplink: up-a, up-b); what was seen: \
             [STATUS] (503) == 200"
        )
    );
    assert_eq!(bench.ran("local", 22, Unhealthy), ["+CheckUnhealthy local 22"]);
    // What succeeds all the same counts.
    bench.ran("shop", 23, Healthy);
    assert_eq!(bench.status("shop"), (Healthy, at(23)));
    bench.ran("shop", 24, Unhealthy);
    bench.ran("up-b", 30, Healthy);
    assert_eq!(bench.ran("shop", 31, Unhealthy), ["+CheckUnhealthy shop 31"]);
}

#[test]
fn an_alert_that_fires_goes_on_while_the_uplink_is_down() {
    let mut bench = with_uplink();
    assert_eq!(bench.ran("shop", 10, Unhealthy), ["+CheckUnhealthy shop 10"]);
    bench.ran("up-a", 11, Unhealthy);
    bench.ran("up-b", 11, Unhealthy);
    assert_eq!(bench.ran("shop", 12, Unhealthy), [""; 0]);
    assert_eq!(bench.status("shop").0, Unknown);
    bench.ran("up-a", 20, Healthy);
    assert_eq!(bench.ran("shop", 21, Unhealthy), [""; 0]);
    assert_eq!(bench.ran("shop", 30, Healthy), ["- 30"]);
}

#[test]
fn a_failure_waits_for_those_that_may_explain_it_unless_they_just_answered() {
    let mut bench = with_uplink();
    bench.define("api", json!({ "depends_on": ["shop"] }), 0);
    let witnesses = |bench: &Bench, check: &str, status, seconds| {
        let all = bench.ledger.witnesses(&name(check), status, at(seconds));
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(witnesses(&bench, "api", Unhealthy, 10), ["shop", "up-a", "up-b"]);
    assert_eq!(witnesses(&bench, "api", Healthy, 10), [""; 0]);
    assert_eq!(witnesses(&bench, "local", Unhealthy, 10), [""; 0]);
    assert_eq!(witnesses(&bench, "up-a", Unhealthy, 10), [""; 0]);
    bench.ran("up-a", 10, Healthy);
    bench.ran("up-b", 10, Unhealthy);
    assert_eq!(witnesses(&bench, "api", Unhealthy, 10), ["shop"]);
    bench.ran("shop", 11, Healthy);
    assert_eq!(witnesses(&bench, "api", Unhealthy, 10), [""; 0]);
}

#[test]
fn a_parent_that_is_down_keeps_alerts_from_opening_and_never_from_ending() {
    let mut bench = Bench::default();
    for (check, fields) in [("router", json!({})), ("shop", json!({ "depends_on": ["router"] }))] {
        bench.define(check, fields, 0);
        bench.ran(check, 1, Healthy);
    }
    assert_eq!(bench.ran("router", 10, Unhealthy), ["+CheckUnhealthy router 10"]);
    assert_eq!(bench.ran("shop", 11, Unhealthy), [""; 0]);
    assert_eq!(bench.status("shop"), (Unhealthy, at(11)), "measuring goes on");
    let held = |bench: &Bench| bench.ledger.get("shop").expect("known").state.held_back_by.clone();
    assert_eq!(held(&bench).as_deref(), Some("router"));
    // The parent is back and the child is asked again: still down, and now it is told.
    assert_eq!(bench.ran("router", 20, Healthy), ["- 20"]);
    assert_eq!(bench.asked, ["shop"]);
    assert_eq!(bench.ran("shop", 21, Unhealthy), ["+CheckUnhealthy shop 11"]);
    assert_eq!(held(&bench), None);
    bench.ran("router", 30, Unhealthy);
    assert_eq!(bench.ran("shop", 31, Healthy), ["- 31"]);
    // A child that recovers while its parent is down is nobody's concern.
    assert_eq!(bench.ran("shop", 32, Unhealthy), [""; 0]);
    assert_eq!(bench.ran("shop", 33, Healthy), [""; 0]);
    assert_eq!(held(&bench), None);
}

#[test]
fn a_parent_explains_from_its_first_failure_and_not_only_from_its_threshold() {
    let mut bench = Bench::default();
    bench.define("router", json!({ "failure_threshold": 3 }), 0);
    bench.define("shop", json!({ "depends_on": ["router"] }), 0);
    bench.ran("router", 1, Healthy);
    bench.ran("router", 10, Unhealthy);
    assert_eq!(bench.ran("shop", 11, Unhealthy), [""; 0]);
    bench.ran("router", 20, Healthy);
    assert_eq!(bench.asked, ["shop"]);
    assert_eq!(bench.ran("shop", 21, Unhealthy), ["+CheckUnhealthy shop 11"]);
}

#[test]
fn a_heartbeat_that_its_parent_kept_back_is_told_when_the_parent_is_gone() {
    let mut bench = Bench::default();
    bench.define("router", json!({}), 0);
    bench.ran("router", 1, Unhealthy);
    let fields = json!({"kind": "heartbeat", "target": "", "depends_on": ["router"]});
    bench.define("beat", fields, 0);
    assert_eq!(bench.ping(Beat::Fail, 5), [""; 0]);
    let removed = bench.take(Event::Removed { name: name("router"), at: at(10) });
    assert_eq!(removed, ["- 10", "+CheckUnhealthy beat 5"]);
}
