use super::*;
use crate::clock::ManualClock;
use crate::engine::feed::Feed;
use crate::model::{AlertSource, Labels, Severity};
use crate::store::{DiskMedium, StoreOptions};
use crate::tsdb::{Tsdb, TsdbOptions};

const MINUTE: i64 = 60_000;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn alert(name: &str, summary: &str, starts: i64, ends: i64, updated: i64) -> ExternalAlert {
    ExternalAlert {
        alert: Alert {
            source: AlertSource::External,
            labels: Labels::from_pairs([("alertname", name)]).expect("valid"),
            annotations: vec![("summary".to_owned(), summary.to_owned())],
            severity: Severity::Warning,
            starts_at: at(starts),
            value: None,
            generator_url: String::new(),
            channels: Vec::new(),
            cooldown_ms: 0,
            evidence: crate::model::Evidence::default(),
            ends_at: None,
        },
        ends_at: at(ends),
        timeout: false,
        updated_at: at(updated),
    }
}

fn key(name: &str) -> AlertKey {
    alert(name, "", 0, 0, 0).alert.key()
}

/// What is decided of one that was sent, and what goes along.
fn step(known: Option<Held>, sent: ExternalAlert, now: i64) -> (Option<Held>, Batch) {
    let mut batch = Batch::default();
    let sent = known.as_ref().map_or(sent.clone(), |known| known.now.followed_by(sent, at(now)));
    let after = decide(known, sent, at(now), &mut batch).expect("encodes");
    (after, batch)
}

#[test]
fn the_first_is_told_and_written_and_a_repetition_costs_nothing() {
    let (held, batch) = step(None, alert("a", "x", 0, 4 * MINUTE, 0), 0);
    assert_eq!((batch.writes.len(), batch.signals.len()), (1, 1));
    let (held, batch) = step(held, alert("a", "x", 0, 5 * MINUTE, MINUTE), MINUTE);
    assert_eq!(batch, Batch::default());
    let held = held.expect("held");
    assert_eq!((held.now.ends_at, held.stored_ends_at), (at(5 * MINUTE), at(4 * MINUTE)));
    // The end in the file follows in larger steps.
    let (held, batch) = step(Some(held), alert("a", "x", 0, 14 * MINUTE, 9 * MINUTE), 9 * MINUTE);
    assert_eq!((batch.writes.len(), batch.signals.len()), (1, 0));
    assert_eq!(held.expect("held").stored_ends_at, at(14 * MINUTE));
}

#[test]
fn changed_texts_are_told_and_written() {
    let (held, _) = step(None, alert("a", "x", 0, 4 * MINUTE, 0), 0);
    let (_, batch) = step(held, alert("a", "y", 0, 5 * MINUTE, MINUTE), MINUTE);
    assert_eq!(batch.writes.len(), 1);
    assert!(matches!(&batch.signals[..], [Signal::Firing(alert)] if alert.annotations[0].1 == "y"));
}

#[test]
fn an_end_is_told_only_of_what_was_told_before() {
    let ended = alert("a", "x", 0, MINUTE, MINUTE);
    let (held, batch) = step(None, ended.clone(), MINUTE);
    assert!(held.is_none());
    assert_eq!(batch, Batch::default());
    let (held, _) = step(None, alert("a", "x", 0, 4 * MINUTE, 0), 0);
    let (held, batch) = step(held, ended, 2 * MINUTE);
    assert!(held.is_none());
    assert_eq!(batch.signals, [Signal::Ended { key: key("a"), at: at(MINUTE) }]);
}

#[test]
fn overlapping_alerts_keep_the_earliest_start_and_an_end_that_was_set() {
    let (held, _) = step(None, alert("a", "x", 0, 60 * MINUTE, 0), 0);
    // Without an end of its own: the one that was set before rules.
    let again = ExternalAlert { timeout: true, ..alert("a", "x", MINUTE, 6 * MINUTE, MINUTE) };
    let (held, batch) = step(held, again, MINUTE);
    let held = held.expect("held");
    assert_eq!((held.now.alert.starts_at, held.now.ends_at), (at(0), at(60 * MINUTE)));
    assert_eq!(batch, Batch::default());
    // An end that was only ours gives way.
    let first = ExternalAlert { timeout: true, ..alert("b", "x", 0, 60 * MINUTE, 0) };
    let (held, _) = step(None, first, 0);
    let (held, _) = step(held, alert("b", "x", MINUTE, 6 * MINUTE, MINUTE), MINUTE);
    assert_eq!(held.expect("held").now.ends_at, at(6 * MINUTE));
}

fn open(directory: &std::path::Path) -> (Arc<Tsdb>, Watch) {
    let medium = DiskMedium::open(&directory.join("x.redb")).expect("opens");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let tsdb = Arc::new(tsdb);
    let clock = Arc::new(ManualClock::at(at(0)));
    let feed = Feed::new(clock.clone());
    let watch = Watch::start(Arc::clone(&tsdb), clock, feed).expect("starts");
    (tsdb, watch)
}

#[tokio::test]
async fn alerts_run_out_and_after_a_restart_have_time_to_be_sent_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tsdb, watch) = open(directory.path());
    let external = ExternalAlerts::open(tsdb.store(), at(0)).expect("reads");
    let both = vec![alert("a", "x", 0, 4 * MINUTE, 0), alert("b", "x", 0, 90 * MINUTE, 0)];
    external.receive(&watch, both, at(0)).await.expect("taken");

    // As after a restart half an hour later: a waits to be sent again, b has its own end.
    let later = at(30 * MINUTE);
    let restarted = ExternalAlerts::open(tsdb.store(), later).expect("reads");
    let ends = |name| restarted.get(key(name)).map(|alert| alert.ends_at);
    assert_eq!(ends("a"), Some(later.plus_millis(RESOLVE_TIMEOUT_MS)));
    assert_eq!(ends("b"), Some(at(90 * MINUTE)));
    assert_eq!(restarted.sweep(&watch, at(34 * MINUTE)).await, Ok(0));
    assert_eq!(restarted.sweep(&watch, at(35 * MINUTE)).await, Ok(1));
    assert_eq!(ends("a"), None);
    let third = ExternalAlerts::open(tsdb.store(), at(36 * MINUTE)).expect("reads");
    assert_eq!(third.list().len(), 1, "the end was written");
}
