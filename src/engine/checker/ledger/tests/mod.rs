//! The ledger on manual time: what happens goes in, what is to be committed comes out.

mod explained;

use serde_json::json;

use super::super::testing::{at, define, name, result};
use super::*;
use crate::checks::Beat;
use crate::model::CheckStatus::{Degraded, Healthy, Paused, Unhealthy, Unknown};

/// A ledger whose decisions are committed at once.
#[derive(Default)]
pub(super) struct Bench {
    pub(super) ledger: Ledger,
    pub(super) last: Batch,
    pub(super) asked: Vec<String>,
}

impl Bench {
    pub(super) fn define(&mut self, name: &str, fields: serde_json::Value, seconds: i64) {
        let definition = Arc::new(define(name, fields));
        self.take(Event::Defined { definition, token: "secret".to_owned(), at: at(seconds) });
    }

    /// Takes an event and gives the alerts that it opened (`+`) and ended (`-`).
    pub(super) fn take(&mut self, event: Event) -> Vec<String> {
        let decision = self.ledger.judge([&event]).expect("judged");
        self.ledger.apply(decision.becomes);
        self.last = decision.batch;
        self.asked = decision.ask.iter().map(ToString::to_string).collect();
        self.last.signals.iter().map(shown).collect()
    }

    pub(super) fn ran(&mut self, check: &str, seconds: i64, status: CheckStatus) -> Vec<String> {
        self.take(ran(check, seconds, status))
    }

    pub(super) fn status(&self, check: &str) -> (CheckStatus, Timestamp) {
        let state = &self.ledger.get(check).expect("known").state;
        (state.status(), state.since())
    }

    fn lost(&mut self, check: &str, from: i64, until: i64) -> Vec<String> {
        self.take(Event::Lost {
            name: name(check),
            at: at(from),
            now: at(until),
            why: UnknownReason::Downtime,
            reason: "vedette did not run".to_owned(),
        })
    }

    fn ping(&mut self, beat: Beat, seconds: i64) -> Vec<String> {
        let (ping, at) = (heartbeat::Ping::Beat(beat), at(seconds));
        self.take(Event::Pinged { name: name("beat"), ping, at, excerpt: "log".to_owned() })
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        heartbeat::wakes_at(self.ledger.get("beat").expect("known"))
    }
}

pub(super) fn ran(check: &str, seconds: i64, status: CheckStatus) -> Event {
    let measured = Arc::new(Measured::new(result(check, seconds, status), None));
    Event::Ran { measured, excerpt: "oops".to_owned() }
}

fn shown(signal: &Signal) -> String {
    match signal {
        Signal::Firing(alert) => format!(
            "+{} {} {}",
            alert.labels.get("alertname").unwrap_or(""),
            alert.labels.get("check").unwrap_or(""),
            alert.starts_at.millis() / 1000
        ),
        Signal::Ended { at, .. } => format!("- {}", at.millis() / 1000),
    }
}

#[test]
fn an_alert_opens_at_the_threshold_dated_back_and_ends_with_its_key_at_recovery() {
    let mut bench = Bench::default();
    bench.define("shop", json!({ "failure_threshold": 3, "success_threshold": 2 }), 0);
    assert_eq!(bench.ran("shop", 10, Healthy), [""; 0]);
    assert_eq!(bench.ran("shop", 20, Unhealthy), [""; 0]);
    assert_eq!(bench.ran("shop", 30, Unhealthy), [""; 0]);
    assert_eq!(bench.status("shop"), (Healthy, at(10)));
    assert_eq!(bench.ran("shop", 40, Unhealthy), ["+CheckUnhealthy shop 20"]);
    assert_eq!(bench.status("shop"), (Unhealthy, at(20)));
    let Some(Signal::Firing(alert)) = bench.last.signals.first().cloned() else { panic!() };
    assert_eq!(alert.evidence.response_excerpt, "oops");
    assert_eq!(bench.ran("shop", 50, Unhealthy), [""; 0], "said once");
    assert_eq!(bench.ran("shop", 60, Healthy), [""; 0]);
    assert_eq!(bench.ran("shop", 70, Healthy), ["- 60"]);
    assert_eq!(
        bench.last.signals,
        [Signal::Ended { key: alert.key(), at: at(60) }],
        "whoever was told firing is told of the end by the same key"
    );
}

#[test]
fn degraded_and_unhealthy_are_two_alerts_and_one_follows_the_other() {
    let mut bench = Bench::default();
    bench.define("shop", json!({}), 0);
    assert_eq!(bench.ran("shop", 10, Degraded), ["+CheckDegraded shop 10"]);
    assert_eq!(bench.ran("shop", 20, Unhealthy), ["+CheckUnhealthy shop 20", "- 20"]);
    assert_eq!(bench.ran("shop", 30, Degraded), ["+CheckDegraded shop 30", "- 30"]);
    assert_eq!(bench.ran("shop", 40, Healthy), ["- 40"]);
}

#[test]
fn nothing_changes_before_it_is_committed_and_the_same_events_are_judged_the_same_again() {
    let mut bench = Bench::default();
    bench.define("shop", json!({ "failure_threshold": 2 }), 0);
    bench.ran("shop", 10, Healthy);
    let events = [ran("shop", 20, Unhealthy), ran("shop", 30, Unhealthy)];
    let first = bench.ledger.judge(&events).expect("judged");
    assert_eq!(bench.status("shop"), (Healthy, at(10)));
    let again = bench.ledger.judge(&events).expect("judged");
    assert_eq!(first.batch, again.batch);
    assert_eq!(first.batch.signals.len(), 1);
    bench.ledger.apply(again.becomes);
    assert_eq!(bench.status("shop"), (Unhealthy, at(20)));
}

#[test]
fn the_document_is_written_when_something_changes_and_not_for_every_result() {
    let mut bench = Bench::default();
    bench.define("shop", json!({}), 0);
    let document = |bench: &Bench| {
        let key = crate::store::document_key(DocumentKind::CheckState, "shop");
        bench.last.writes.iter().any(|write| match write {
            Write::Put { table, key: k, .. } => *table == Table::Watch && k == key.as_bytes(),
            Write::Remove { .. } => false,
        })
    };
    assert!(document(&bench));
    bench.ran("shop", 10, Healthy);
    assert!(document(&bench));
    bench.ran("shop", 20, Healthy);
    assert!(!document(&bench));
    bench.ran("shop", 30, Unhealthy);
    assert!(document(&bench));
}

#[test]
fn while_we_were_down_nobody_knows_and_what_fired_goes_on_firing() {
    let mut bench = Bench::default();
    bench.define("shop", json!({}), 0);
    bench.ran("shop", 10, Healthy);
    bench.ran("shop", 20, Unhealthy);
    // The state goes through the file, as at a restart.
    let state = &bench.ledger.get("shop").expect("known").state;
    let json = serde_json::to_string(state).expect("written");
    let restored: CheckState = serde_json::from_str(&json).expect("read");
    assert_eq!(&restored, state);
    assert_eq!(bench.lost("shop", 25, 100), [""; 0], "no end because nobody knows");
    assert_eq!(bench.status("shop"), (Unknown, at(25)));
    assert_eq!(bench.ran("shop", 105, Unhealthy), [""; 0], "no second beginning");
    assert_eq!(bench.status("shop"), (Unhealthy, at(105)));
    bench.lost("shop", 110, 200);
    assert_eq!(bench.ran("shop", 205, Healthy), ["- 205"]);
}

#[test]
fn a_paused_check_has_no_alert_and_is_asked_at_once_when_it_is_resumed() {
    let mut bench = Bench::default();
    bench.define("shop", json!({}), 0);
    bench.ran("shop", 20, Unhealthy);
    let pause = |paused, seconds| Event::Paused { name: name("shop"), paused, at: at(seconds) };
    assert_eq!(bench.take(pause(true, 30)), ["- 30"]);
    assert_eq!(bench.status("shop"), (Paused, at(30)));
    assert_eq!(bench.ran("shop", 31, Unhealthy), [""; 0], "of a run that was under way");
    assert!(bench.last.writes.is_empty());
    bench.take(pause(false, 40));
    assert_eq!((bench.status("shop"), bench.asked.len()), ((Unknown, at(40)), 1));
    assert_eq!(bench.ran("shop", 41, Unhealthy), ["+CheckUnhealthy shop 41"]);
}

#[test]
fn a_check_that_is_removed_ends_its_alert_and_another_definition_keeps_its_state() {
    let mut bench = Bench::default();
    bench.define("shop", json!({}), 0);
    bench.ran("shop", 20, Unhealthy);
    bench.define("shop", json!({ "every": "10s" }), 30);
    assert_eq!(bench.status("shop"), (Unhealthy, at(20)));
    assert!(bench.last.signals.is_empty());
    // Other labels: another alert.
    let definition = Arc::new(define("shop", json!({ "labels": {"team": "web"} })));
    let event = Event::Defined { definition, token: String::new(), at: at(40) };
    assert_eq!(bench.take(event), ["+CheckUnhealthy shop 20", "- 40"]);
    assert_eq!(bench.take(Event::Removed { name: name("shop"), at: at(50) }), ["- 50"]);
    assert!(bench.ledger.get("shop").is_none());
    assert!(matches!(bench.last.writes[..], [Write::Remove { .. }]));
    assert_eq!(bench.ran("shop", 51, Unhealthy), [""; 0], "of a run that was under way");
}

#[test]
fn a_heartbeat_is_missed_at_its_deadline_and_back_with_its_next_ping() {
    let mut bench = Bench::default();
    let fields = json!({"kind": "heartbeat", "target": "", "every": "60s", "grace": "10s"});
    bench.define("beat", fields.clone(), 0);
    assert_eq!(bench.ledger.get("beat").expect("known").state.token.as_deref(), Some("secret"));
    assert_eq!(bench.wakes_at(), None, "a new one has no deadline");
    bench.ping(Beat::Success, 5);
    assert_eq!((bench.status("beat"), bench.wakes_at()), ((Healthy, at(5)), Some(at(75))));
    // A ping moved the deadline, and the old one comes.
    bench.ping(Beat::Success, 65);
    let missed = |seconds| Event::Missed { name: name("beat"), at: at(seconds) };
    assert_eq!(bench.take(missed(75)), [""; 0]);
    assert_eq!(bench.take(missed(135)), ["+CheckUnhealthy beat 135"]);
    let last = bench.ledger.get("beat").and_then(|known| known.last.clone()).expect("one");
    assert_eq!(
        last.result.error.as_deref(),
        Some("no ping since 1970-01-01T00:01:05.000Z; one was to come by 1970-01-01T00:02:15.000Z")
    );
    bench.define("beat", fields, 140);
    assert_eq!(bench.status("beat"), (Unhealthy, at(135)), "the same definition again");
    bench.ping(Beat::Start, 150);
    assert_eq!(bench.ping(Beat::Success, 153), ["- 153"]);
    let last = bench.ledger.get("beat").and_then(|known| known.last.clone()).expect("one");
    assert_eq!(last.result.phases.total_us, 3_000_000, "from start to success");
    assert_eq!(bench.ping(Beat::Exit(3), 160), ["+CheckUnhealthy beat 160"]);
}

#[test]
fn a_ping_that_may_have_come_while_we_were_down_is_not_held_against_the_job() {
    let mut bench = Bench::default();
    let fields = json!({"kind": "heartbeat", "target": "", "every": "60s", "grace": "10s"});
    bench.define("beat", fields, 0);
    bench.ping(Beat::Success, 5);
    bench.lost("beat", 20, 200);
    let missed = |seconds| Event::Missed { name: name("beat"), at: at(seconds) };
    assert_eq!(bench.take(missed(200)), [""; 0]);
    assert_eq!(bench.status("beat").0, Unknown);
    // A period and a grace after we were back, its silence counts.
    assert_eq!(bench.wakes_at(), Some(at(270)));
    assert_eq!(bench.take(missed(270)), ["+CheckUnhealthy beat 270"]);
}
