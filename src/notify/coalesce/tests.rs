use uuid::Uuid;

use super::*;
use crate::model::{DeliveryState, NotificationReason as Reason, Severity, Timestamp};
use crate::notify::render::sample::{NOW, alert, ended, outgoing};

fn delivery(sequence: u64, reason: Reason, alerts: Vec<NotifiedAlert>) -> Delivery {
    let outgoing = outgoing(reason, alerts);
    let at = NOW.plus_millis(sequence as i64 * 1000);
    Delivery {
        id: Uuid::from_u128(u128::from(sequence)),
        channel: outgoing.channel,
        notification: outgoing.notification,
        sequence,
        idempotency_key: format!("key-{sequence}"),
        state: DeliveryState::Pending,
        created_at: at,
        attempts: 0,
        next_attempt_at: Timestamp::MIN,
        last_error: None,
        finished_at: None,
        ..blank()
    }
}

/// Fields that do not matter here, so that new ones do not either.
fn blank() -> Delivery {
    serde_json::from_value(serde_json::json!({
        "id": Uuid::nil(), "channel": "ops", "sequence": 0, "idempotency_key": "",
        "state": "pending", "created_at": 0, "attempts": 0, "next_attempt_at": 0,
        "notification": outgoing(Reason::Test, Vec::new()).notification,
    }))
    .expect("a delivery")
}

fn down(instance: &str) -> NotifiedAlert {
    alert("Down", instance, Severity::Critical)
}

fn coalesced(deliveries: &[Delivery]) -> Vec<Joined> {
    coalesce(&deliveries.iter().collect::<Vec<_>>())
}

#[test]
fn a_single_delivery_goes_as_it_is() {
    let only = delivery(1, Reason::Firing, vec![down("a")]);
    let joined = coalesced(std::slice::from_ref(&only));
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].outgoing, Outgoing::of(&only));
    assert!(joined[0].supersedes.is_empty());
}

#[test]
fn what_began_and_ended_meanwhile_is_told_once_as_over() {
    let pending = [
        delivery(1, Reason::Firing, vec![down("a")]),
        delivery(2, Reason::Resolved, vec![ended(down("a"))]),
    ];
    let joined = coalesced(&pending);
    let [one] = joined.as_slice() else { panic!("{joined:?}") };
    assert_eq!(one.delivery, pending[1].id);
    assert_eq!(one.supersedes, [pending[0].id]);
    assert_eq!(one.outgoing.idempotency_key, "key-2");
    assert_eq!(one.outgoing.notification.reason, Reason::Resolved);
    assert!(!one.outgoing.firing());
    assert!(one.outgoing.unannounced.contains(&down("a").key));
}

#[test]
fn the_newest_state_of_each_alert_wins_and_none_is_lost() {
    // a begins; b joins while a ends; then only b is spoken of again.
    let pending = [
        delivery(3, Reason::Repeat, vec![down("b")]),
        delivery(1, Reason::Firing, vec![down("a")]),
        delivery(2, Reason::Firing, vec![down("b"), ended(down("a"))]),
    ];
    let joined = coalesced(&pending);
    let [one] = joined.as_slice() else { panic!("{joined:?}") };
    let told: Vec<(String, bool)> = one
        .outgoing
        .notification
        .alerts
        .iter()
        .map(|a| (a.labels.get("instance").unwrap_or("").to_owned(), a.firing))
        .collect();
    assert_eq!(told, [("b".to_owned(), true), ("a".to_owned(), false)]);
    assert_eq!(one.outgoing.notification.reason, Reason::Firing, "b was never told to begin");
    assert_eq!(one.outgoing.unannounced.len(), 1);
}

#[test]
fn the_end_of_what_was_told_before_is_not_called_unannounced() {
    let pending = [
        delivery(4, Reason::Repeat, vec![down("a")]),
        delivery(5, Reason::Resolved, vec![ended(down("a"))]),
    ];
    let joined = coalesced(&pending);
    assert!(joined[0].outgoing.unannounced.is_empty());
}

#[test]
fn what_ended_and_began_again_fires() {
    let pending = [
        delivery(1, Reason::Firing, vec![down("a")]),
        delivery(2, Reason::Resolved, vec![ended(down("a"))]),
        delivery(3, Reason::Firing, vec![down("a")]),
    ];
    let joined = coalesced(&pending);
    assert!(joined[0].outgoing.firing() && joined[0].outgoing.unannounced.is_empty());
    assert_eq!(joined[0].supersedes.len(), 2);
}

#[test]
fn groups_and_tests_stay_apart_and_keep_the_order_of_their_oldest() {
    let mut other = delivery(9, Reason::Firing, vec![down("z")]);
    other.notification.group_key = "{}:{alertname=\"Other\"}".to_owned();
    other.created_at = NOW.plus_millis(1500);
    let pending = [
        other.clone(),
        delivery(1, Reason::Firing, vec![down("a")]),
        delivery(2, Reason::Firing, vec![down("a"), down("b")]),
        delivery(10, Reason::Test, vec![down("t")]),
        delivery(11, Reason::Test, vec![down("t")]),
    ];
    let order: Vec<u128> = coalesced(&pending).iter().map(|j| j.delivery.as_u128()).collect();
    assert_eq!(order, [2, 9, 10, 11]);
}

#[test]
fn a_joined_notification_is_bounded_and_counts_what_it_leaves_out() {
    let many = (0..700).map(|n| down(&format!("a{n}"))).collect();
    let more = (0..700).map(|n| down(&format!("b{n}"))).collect();
    let pending = [delivery(1, Reason::Firing, many), delivery(2, Reason::Firing, more)];
    let joined = coalesced(&pending);
    assert_eq!(joined[0].outgoing.notification.alerts.len(), JOINED_ALERTS_MAX);
    assert_eq!(joined[0].outgoing.notification.truncated, 400);
}
