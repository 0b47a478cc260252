//! Nobody hears of what is not committed.

use std::sync::Arc;

use vedette::clock::ManualClock;
use vedette::engine::feed::{Fact, Feed, Since, Subject, Topic};
use vedette::engine::watch::{Batch, Watch};
use vedette::model::Timestamp;
use vedette::store::{DocumentKind, Table, Write};

use super::support::disk::{Fault, SimDisk};
use super::support::engine::open;

fn batch(name: &str) -> Batch {
    let write = Write::document(Table::Watch, DocumentKind::Figure, name, &name);
    let fact = Fact::new(Topic::Checks, "check.changed", Subject::named(name), &name);
    Batch { writes: vec![write.expect("encodes")], facts: vec![fact], ..Batch::default() }
}

fn told(feed: &Feed, since: u64) -> Vec<String> {
    match feed.since(since) {
        Since::Events(events) => events.iter().map(|event| event.fact.subject.0.clone()).collect(),
        Since::Reset(_) => panic!("all are kept"),
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_not_told_and_the_next_one_is() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1000)));
    let feed = Feed::new(clock.clone());
    let since = feed.last_id();
    let watch = Watch::start(tsdb, clock, feed.clone()).expect("starts");
    watch.commit(batch("before")).await.expect("committed");
    disk.fail_after(0, Fault::Eio);
    watch.commit(batch("lost")).await.expect_err("the disk is broken");
    disk.heal();
    // Whoever asks hears after the answer: by the next answer all that came before is told.
    watch.commit(batch("after")).await.expect("committed");
    watch.close().await;
    assert_eq!(told(&feed, since), ["before", "after"]);
}
