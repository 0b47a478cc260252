use super::*;
use crate::clock::ManualClock;
use crate::engine::feed::Feed;
use crate::model::Matchers;
use crate::store::{DiskMedium, StoreOptions};
use crate::tsdb::{Tsdb, TsdbOptions};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn silence(matchers: &str, from: i64, until: i64) -> Silence {
    Silence {
        id: Uuid::nil(),
        matchers: Matchers::parse(matchers).expect("matchers"),
        starts_at: at(from),
        ends_at: at(until),
        recurrence: None,
        created_by: "me".to_owned(),
        comment: "why".to_owned(),
        updated_at: at(0),
    }
}

#[tokio::test]
async fn silences_survive_a_restart_and_go_after_their_retention() {
    let directory = tempfile::tempdir().expect("a directory");
    let medium = DiskMedium::open(&directory.path().join("x.redb")).expect("opens");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let tsdb = Arc::new(tsdb);
    let clock = Arc::new(ManualClock::at(at(0)));
    let feed = Feed::new(clock.clone());
    let watch = Watch::start(Arc::clone(&tsdb), clock, feed).expect("starts");
    let silences = Silences::open(tsdb.store()).expect("reads");

    let made = silences.create(&watch, silence("a=b", 0, 1000), at(10)).await.expect("made");
    let id = made.silence().id;
    assert_eq!(made.silence().starts_at, at(10), "it does not begin before it was made");
    let labels = Labels::from_pairs([("a", "b")]).expect("valid");
    assert_eq!(silences.silencing(&labels, at(11)).len(), 1);

    let other = silences.change(&watch, id, silence("a=c", 10, 1000), at(20)).await.expect("made");
    assert_ne!(other.silence().id, id, "other matchers make another silence");
    assert_eq!(silences.silencing(&labels, at(21)).len(), 0);

    let again = Silences::open(tsdb.store()).expect("reads");
    assert_eq!(again.list(), silences.list());
    let gone = again.expire(&watch, Uuid::from_u128(7), at(30)).await;
    assert_eq!(gone.err(), Some(SilenceError::Absent));
    again.expire(&watch, other.silence().id, at(30)).await.expect("ended");

    // The first ended at 20, the other at 30.
    let retention = RETENTION_MS / 1000;
    assert_eq!(again.sweep(&watch, at(19 + retention)).await, Ok(0));
    assert_eq!(again.sweep(&watch, at(20 + retention)).await, Ok(1));
    assert_eq!(again.sweep(&watch, at(30 + retention)).await, Ok(1));
    assert!(Silences::open(tsdb.store()).expect("reads").list().is_empty());
}

#[tokio::test]
async fn what_is_not_valid_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let medium = DiskMedium::open(&directory.path().join("x.redb")).expect("opens");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let tsdb = Arc::new(tsdb);
    let clock = Arc::new(ManualClock::at(at(0)));
    let feed = Feed::new(clock.clone());
    let watch = Watch::start(Arc::clone(&tsdb), clock, feed).expect("starts");
    let silences = Silences::open(tsdb.store()).expect("reads");
    let refused = silences.create(&watch, silence("{}", 0, 1000), at(10)).await;
    assert!(matches!(refused, Err(SilenceError::Invalid(_))));
    assert!(silences.list().is_empty());
}
