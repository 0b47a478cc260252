//! Workers on paused time, with a ledger in memory and senders that do as they are told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Ledger, Report, Tools, supervisor};
use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::watch::{Channels, Outcome, Sent, WatchError};
use crate::model::{
    ChannelDefinition, Delivery, DeliveryState, Name, NotificationReason as Reason, NotifiedAlert,
    Severity, Timestamp,
};
use crate::notify::Outgoing;
use crate::notify::render::sample::{NOW, alert, ended, outgoing};
use crate::notify::retry::Failure;
use crate::senders::{Clients, Pace, Prepared, Sender, Taken};
use crate::telemetry::Telemetry;

/// Goes with tokio's time.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        NOW.plus_millis(i64::try_from(self.0.elapsed().as_millis()).expect("short"))
    }
}

struct Memory {
    all: Mutex<BTreeMap<Uuid, Delivery>>,
    firing: Mutex<Vec<NotifiedAlert>>,
    refusals: Mutex<u32>,
    changed: watch::Sender<u64>,
}

impl Memory {
    fn put(&self, delivery: Delivery) {
        self.all.lock().expect("held").insert(delivery.id, delivery);
        self.changed.send_modify(|count| *count += 1);
    }

    fn get(&self, number: u128) -> Delivery {
        self.all.lock().expect("held")[&Uuid::from_u128(number)].clone()
    }
}

impl Ledger for Memory {
    fn pending(&self) -> Vec<Arc<Delivery>> {
        let all = self.all.lock().expect("held");
        let waiting = all.values().filter(|d| d.state == DeliveryState::Pending);
        waiting.map(|d| Arc::new(d.clone())).collect()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn settle(&self, outcomes: Vec<Outcome>) -> BoxFuture<'_, Result<(), WatchError>> {
        Box::pin(async move {
            let mut refusals = self.refusals.lock().expect("held");
            if *refusals > 0 {
                *refusals -= 1;
                return Err(WatchError::Store("no space left on device".to_owned()));
            }
            let mut all = self.all.lock().expect("held");
            for Outcome { id, result } in outcomes {
                let delivery = all.get_mut(&id).expect("known");
                assert_eq!(delivery.state, DeliveryState::Pending, "settled twice");
                match result {
                    Sent::Delivered => delivery.state = DeliveryState::Delivered,
                    Sent::Superseded => delivery.state = DeliveryState::Superseded,
                    Sent::Dead { error } => {
                        delivery.state = DeliveryState::Dead;
                        delivery.last_error = Some(error);
                    }
                    Sent::Retry { at, error } => {
                        delivery.attempts += 1;
                        delivery.next_attempt_at = at;
                        delivery.last_error = Some(error);
                    }
                }
            }
            self.changed.send_modify(|count| *count += 1);
            Ok(())
        })
    }

    fn told_firing(&self, _: &Name) -> Vec<NotifiedAlert> {
        self.firing.lock().expect("held").clone()
    }
}

/// What a sender answers next; it takes everything when there is nothing left to say.
type Script = Arc<Mutex<VecDeque<Answer>>>;

#[derive(Clone)]
enum Answer {
    Takes,
    Fails(Failure),
    Hangs,
}

struct Scripted {
    name: Name,
    script: Script,
    sent: Arc<Mutex<Vec<(Duration, Outgoing)>>>,
    began: Instant,
}

impl Sender for Scripted {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            assert_eq!(outgoing.channel, self.name);
            self.sent.lock().expect("held").push((self.began.elapsed(), outgoing.clone()));
            let answer = self.script.lock().expect("held").pop_front().unwrap_or(Answer::Takes);
            match answer {
                Answer::Takes => Ok(Taken("taken".to_owned())),
                Answer::Fails(failure) => Err(failure),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

struct List(Mutex<Vec<ChannelDefinition>>);

impl Channels for List {
    fn now(&self) -> Vec<ChannelDefinition> {
        self.0.lock().expect("held").clone()
    }

    fn find(&self, name: &Name) -> Option<ChannelDefinition> {
        self.now().into_iter().find(|channel| channel.name == *name)
    }
}

struct Stage {
    ledger: Arc<Memory>,
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    sent: Arc<Mutex<Vec<(Duration, Outgoing)>>>,
    channels: Arc<List>,
    changes: watch::Sender<u64>,
    reports: broadcast::Receiver<Report>,
    _stop: watch::Sender<bool>,
    _settings: watch::Sender<Arc<Settings>>,
}

fn channel(name: &str, kind: &str) -> ChannelDefinition {
    let json = serde_json::json!({"name": name, "kind": kind});
    serde_json::from_value(json).expect("a channel")
}

impl Stage {
    fn begin(channels: &[(&str, &str)]) -> Stage {
        Self::with_pace(channels, Pace { per_minute: 6000, burst: 1000 })
    }

    fn with_pace(channels: &[(&str, &str)], pace: Pace) -> Stage {
        let began = Instant::now();
        let ledger = Arc::new(Memory {
            all: Mutex::default(),
            firing: Mutex::default(),
            refusals: Mutex::default(),
            changed: watch::Sender::new(0),
        });
        let scripts: Arc<Mutex<BTreeMap<String, Script>>> = Arc::default();
        let sent: Arc<Mutex<Vec<(Duration, Outgoing)>>> = Arc::default();
        let (reporting, reports) = broadcast::channel(1000);
        let (settings, changed) = watch::channel(Arc::new(Settings::default()));
        let prepare = {
            let (scripts, sent) = (Arc::clone(&scripts), Arc::clone(&sent));
            move |channel: &ChannelDefinition, _: &Clients| {
                if channel.settings.contains_key("broken") {
                    return Err("settings.broken: is broken".to_owned());
                }
                let mut scripts = scripts.lock().expect("held");
                let script = scripts.entry(channel.name.to_string()).or_default();
                let sender = Scripted {
                    name: channel.name.clone(),
                    script: Arc::clone(script),
                    sent: Arc::clone(&sent),
                    began,
                };
                let timeout = Duration::from_secs(15);
                Ok(Prepared { sender: Arc::new(sender), timeout, pace })
            }
        };
        let channels: Vec<_> = channels.iter().map(|(name, kind)| channel(name, kind)).collect();
        let channels = Arc::new(List(Mutex::new(channels)));
        let tools = Arc::new(Tools {
            ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
            channels: Arc::clone(&channels) as Arc<dyn Channels>,
            clock: Arc::new(PausedClock(began)),
            telemetry: Arc::new(Telemetry::new()),
            clients: Clients::default(),
            prepare: Box::new(prepare),
            places: Semaphore::new(4),
            reports: reporting,
            settings: changed,
        });
        let changes = watch::Sender::new(0);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(supervisor::run(tools, changes.subscribe(), stopped));
        let _settings = settings;
        Stage { ledger, scripts, sent, channels, changes, reports, _stop: stop, _settings }
    }

    fn script(&self, channel: &str, answers: &[Answer]) {
        let mut scripts = self.scripts.lock().expect("held");
        let script = scripts.entry(channel.to_owned()).or_default();
        script.lock().expect("held").extend(answers.iter().cloned());
    }

    fn sent(&self) -> Vec<(Duration, Outgoing)> {
        self.sent.lock().expect("held").clone()
    }

    fn sent_keys(&self) -> Vec<String> {
        self.sent().into_iter().map(|(_, outgoing)| outgoing.idempotency_key).collect()
    }

    fn state(&self, number: u128) -> DeliveryState {
        self.ledger.get(number).state
    }
}

fn delivery(
    number: u64,
    channel: &str,
    group: &str,
    reason: Reason,
    alerts: Vec<NotifiedAlert>,
    after: Duration,
) -> Delivery {
    let mut notification = outgoing(reason, alerts).notification;
    notification.group_key = group.to_owned();
    let created_at = NOW.plus_millis(i64::try_from(after.as_millis()).expect("short"));
    let json = serde_json::json!({
        "id": Uuid::from_u128(number.into()), "channel": channel, "sequence": number,
        "idempotency_key": format!("key-{number}"), "state": "pending", "attempts": 0,
        "created_at": created_at, "next_attempt_at": created_at, "notification": notification,
    });
    serde_json::from_value(json).expect("a delivery")
}

fn down() -> NotifiedAlert {
    alert("Down", "a:80", Severity::Critical)
}

fn firing(number: u64, channel: &str, group: &str) -> Delivery {
    delivery(number, channel, group, Reason::Firing, vec![down()], Duration::ZERO)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn unavailable() -> Answer {
    Answer::Fails(Failure::transient("answered 503"))
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_sent_at_once_and_in_order() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    stage.ledger.put(firing(1, "ops", "a"));
    stage.ledger.put(firing(2, "ops", "b"));
    pass(1).await;
    assert_eq!(stage.sent_keys(), ["key-1", "key-2"]);
    assert_eq!(
        (stage.state(1), stage.state(2)),
        (DeliveryState::Delivered, DeliveryState::Delivered)
    );
    stage.ledger.put(firing(3, "ops", "a"));
    pass(1).await;
    assert_eq!(stage.sent_keys().len(), 3, "nothing is sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_holds_up_nobody_else() {
    let stage = Stage::begin(&[("slow", "webhook"), ("ops", "webhook")]);
    stage.script("slow", &[Answer::Hangs]);
    stage.ledger.put(firing(1, "slow", "a"));
    pass(1).await;
    stage.ledger.put(firing(2, "ops", "a"));
    pass(1).await;
    assert_eq!(stage.state(2), DeliveryState::Delivered);
    assert_eq!(stage.state(1), DeliveryState::Pending);
    pass(20).await;
    assert_eq!(stage.state(1), DeliveryState::Delivered, "taken at the second attempt");
    assert_eq!(
        stage.ledger.get(1).last_error.expect("said"),
        "no answer within 15 s (settings.timeout)"
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_now_is_tried_again_under_the_same_key() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    stage.script("ops", &[unavailable(), unavailable(), unavailable()]);
    stage.ledger.put(firing(1, "ops", "a"));
    pass(60).await;
    assert_eq!(stage.sent_keys(), ["key-1"; 4]);
    assert_eq!(stage.state(1), DeliveryState::Delivered);
    let times: Vec<Duration> = stage.sent().into_iter().map(|(at, _)| at).collect();
    assert!(times[1] - times[0] <= Duration::from_secs(1), "{times:?}");
    assert!(times[3] - times[2] <= Duration::from_secs(4), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn the_other_side_is_left_alone_as_long_as_it_asks() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    let asked = Failure { retry_after_ms: Some(90_000), ..Failure::transient("answered 429") };
    stage.script("ops", &[Answer::Fails(asked)]);
    stage.ledger.put(firing(1, "ops", "a"));
    stage.ledger.put(firing(2, "ops", "b"));
    pass(89).await;
    assert_eq!(stage.sent_keys(), ["key-1"], "others wait behind it too");
    pass(2).await;
    assert_eq!(stage.state(1), DeliveryState::Delivered);
    assert_eq!(stage.state(2), DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_given_up_and_does_not_stop_the_next() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    stage.script("ops", &[Answer::Fails(Failure::permanent("answered 404"))]);
    stage.ledger.put(firing(1, "ops", "a"));
    stage.ledger.put(firing(2, "ops", "b"));
    pass(1).await;
    assert_eq!(stage.state(1), DeliveryState::Dead);
    assert_eq!(stage.ledger.get(1).last_error.as_deref(), Some("answered 404"));
    assert_eq!(stage.state(2), DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_taken_is_dead_after_a_day_and_meanwhile_stops_nobody() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    stage.script("ops", &vec![unavailable(); 3]);
    // The first of group a fails; then one of group b comes.
    stage.ledger.put(firing(1, "ops", "a"));
    pass(2).await;
    stage.ledger.put(firing(2, "ops", "b"));
    pass(60).await;
    assert_eq!(stage.state(2), DeliveryState::Delivered);

    stage.script("ops", &vec![unavailable(); 2000]);
    let late = delivery(3, "ops", "c", Reason::Firing, vec![down()], Duration::from_secs(62));
    stage.ledger.put(late);
    pass(86_000).await;
    assert_eq!(stage.state(3), DeliveryState::Pending);
    pass(800).await;
    assert_eq!(stage.state(3), DeliveryState::Dead);
    let error = stage.ledger.get(3).last_error.expect("said");
    assert!(error.contains("given up after 1d"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_newest_state_is_told_once() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    stage.script("ops", &vec![unavailable(); 9]);
    stage.ledger.put(firing(1, "ops", "a"));
    pass(5).await;
    let over = vec![ended(down())];
    stage.ledger.put(delivery(2, "ops", "a", Reason::Resolved, over, Duration::from_secs(5)));
    pass(3000).await;
    assert_eq!(stage.state(1), DeliveryState::Superseded);
    assert_eq!(stage.state(2), DeliveryState::Delivered);
    let (_, last) = stage.sent().pop().expect("sent");
    assert_eq!(last.idempotency_key, "key-2");
    assert!(!last.firing() && last.unannounced.contains(&down().key));
    let after_end = stage.sent_keys().into_iter().skip_while(|key| key != "key-2");
    assert!(after_end.into_iter().all(|key| key == "key-2"), "no beginning after the end");
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_joined_and_slowed_and_nothing_is_dropped() {
    let pace = Pace { per_minute: 60, burst: 20 };
    let stage = Stage::with_pace(&[("ops", "webhook")], pace);
    for number in 1..=500 {
        // Ten groups, each told fifty times.
        stage.ledger.put(firing(number, "ops", &format!("group-{}", number % 10)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pass(60).await;
    let settled = (1..=500).filter(|n| stage.state(*n) != DeliveryState::Pending).count();
    assert_eq!(settled, 500);
    let sent = stage.sent();
    assert!(sent.len() <= 20 + 70 + 1, "{} messages", sent.len());
    for group in 0..10 {
        let last = sent.iter().rfind(|(_, o)| o.notification.group_key == format!("group-{group}"));
        let expected = if group == 0 { 500 } else { 490 + group };
        assert_eq!(last.expect("told").1.idempotency_key, format!("key-{expected}"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_not_sent_again_because_it_cannot_be_written_down() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    *stage.ledger.refusals.lock().expect("held") = 5;
    stage.ledger.put(firing(1, "ops", "a"));
    pass(5).await;
    assert_eq!(stage.state(1), DeliveryState::Pending);
    pass(120).await;
    assert_eq!(stage.state(1), DeliveryState::Delivered);
    assert_eq!(stage.sent_keys(), ["key-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_mended_definition_is_used_at_once_and_a_removed_one_gives_up_what_waits() {
    let stage = Stage::begin(&[]);
    let broken = serde_json::json!({"name": "ops", "kind": "webhook", "settings": {"broken": 1}});
    let broken: ChannelDefinition = serde_json::from_value(broken).expect("a channel");
    *stage.channels.0.lock().expect("held") = vec![broken];
    stage.changes.send_modify(|count| *count += 1);
    stage.ledger.put(firing(1, "ops", "a"));
    pass(600).await;
    let waiting = stage.ledger.get(1);
    assert_eq!(waiting.state, DeliveryState::Pending);
    assert_eq!(waiting.last_error.as_deref(), Some("settings.broken: is broken"));

    *stage.channels.0.lock().expect("held") = vec![channel("ops", "webhook")];
    stage.changes.send_modify(|count| *count += 1);
    stage.ledger.put(firing(2, "ops", "b"));
    pass(1).await;
    assert_eq!(stage.state(2), DeliveryState::Delivered, "the circuit is closed again");
    pass(301).await;
    assert_eq!(stage.state(1), DeliveryState::Delivered);

    stage.channels.0.lock().expect("held").clear();
    stage.changes.send_modify(|count| *count += 1);
    stage.ledger.put(firing(3, "ops", "c"));
    pass(20).await;
    assert_eq!(stage.state(3), DeliveryState::Dead);
    assert_eq!(
        stage.ledger.get(3).last_error.as_deref(),
        Some("the channel does not exist any more")
    );
}

/// Whoever changes a channel and has it send at once is answered before anybody was told of the
/// change: neither message may go the way that was before.
#[tokio::test(start_paused = true)]
async fn what_is_decided_after_a_change_goes_the_new_way() {
    let stage = Stage::begin(&[("ops", "webhook")]);
    pass(1).await;
    let broken = serde_json::json!({"name": "ops", "kind": "webhook", "settings": {"broken": 1}});
    let broken: ChannelDefinition = serde_json::from_value(broken).expect("a channel");
    *stage.channels.0.lock().expect("held") = vec![broken];
    stage.ledger.put(firing(1, "ops", "a"));
    tokio::task::yield_now().await;
    assert!(stage.sent_keys().is_empty(), "sent by the definition before");
    pass(1).await;
    assert_eq!(stage.state(1), DeliveryState::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_test_does_not_wait_for_the_circuit_and_is_tried_once() {
    let mut stage = Stage::begin(&[("ops", "webhook")]);
    let asked = Failure { retry_after_ms: Some(600_000), ..Failure::transient("answered 429") };
    stage.script("ops", &[Answer::Fails(asked), unavailable()]);
    stage.ledger.put(firing(1, "ops", "a"));
    pass(1).await;
    let test = delivery(2, "ops", "t", Reason::Test, vec![down()], Duration::from_secs(1));
    stage.ledger.put(test);
    pass(1).await;
    assert_eq!(stage.state(2), DeliveryState::Dead);
    assert_eq!(stage.state(1), DeliveryState::Pending);
    let first = stage.reports.recv().await.expect("reported");
    assert_eq!(first.delivery, Uuid::from_u128(1));
    let second = stage.reports.recv().await.expect("reported");
    assert_eq!(second.delivery, Uuid::from_u128(2));
    assert_eq!(second.outcome.expect_err("refused").reason, "answered 503");
}

#[tokio::test(start_paused = true)]
async fn what_fires_is_renewed_at_another_alertmanager_until_it_ends() {
    let stage = Stage::begin(&[("peer", "alertmanager")]);
    *stage.ledger.firing.lock().expect("held") = vec![down()];
    pass(310).await;
    let renewals = stage.sent().len();
    assert!((5..=6).contains(&renewals), "{renewals} in five minutes");
    stage.ledger.firing.lock().expect("held").clear();
    pass(600).await;
    assert!(stage.sent().len() <= renewals + 1);
}
