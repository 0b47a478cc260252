//! A group against promises that hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Flush, Group, Standing, Told};
use crate::model::{Labels, Name, NotificationReason, Timestamp};
use crate::notify::Timing;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn group() -> Group {
    let channel = Name::new("ops").expect("valid");
    let named = ("{}:{}".to_owned(), Labels::empty());
    Group::new("g".to_owned(), Uuid::nil(), named, channel, Timing::default(), at(0))
}

const ON: Standing = Standing { active: true, acknowledged: false, suppressed: false };
const OVER: Standing = Standing { active: false, ..ON };
const QUIET: Standing = Standing { suppressed: true, ..ON };
const TAKEN: Standing = Standing { acknowledged: true, ..ON };

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

fn flush(group: &mut Group, seconds: i64, standing: Standing) -> Flush {
    group.flush(at(seconds), true, |_| Some(standing))
}

#[test]
fn a_beginning_is_told_once_repeated_after_the_interval_and_its_end_is_told_once() {
    let mut group = group();
    group.join(ONE);
    assert_eq!(group.next_flush_at, at(2));
    assert_eq!(flush(&mut group, 2, ON).reason, Some(NotificationReason::Firing));
    assert_eq!(group.next_flush_at, at(17));
    assert_eq!(flush(&mut group, 17, ON).reason, None);
    assert_eq!(flush(&mut group, 2 + 4 * 3600, ON).reason, Some(NotificationReason::Repeat));
    let end = flush(&mut group, 20_000, OVER);
    assert_eq!((end.reason, end.resolved), (Some(NotificationReason::Resolved), vec![ONE]));
    assert_eq!(flush(&mut group, 20_015, OVER), Flush::default());
    assert!(group.members.is_empty());
}

#[test]
fn nobody_hears_of_what_ended_before_the_wait_was_over() {
    let mut group = group();
    group.join(ONE);
    let end = flush(&mut group, 2, OVER);
    assert_eq!((end.reason, end.unheard), (None, vec![ONE]));
}

#[test]
fn an_end_is_told_in_a_silence_and_a_beginning_is_not() {
    let mut group = group();
    group.join(ONE);
    assert_eq!(flush(&mut group, 2, QUIET).reason, None);
    assert_eq!(flush(&mut group, 17, ON).reason, Some(NotificationReason::Firing));
    assert_eq!(flush(&mut group, 32, QUIET).reason, None);
    assert_eq!(flush(&mut group, 47, OVER).resolved, [ONE]);
}

#[test]
fn what_somebody_has_taken_is_not_repeated() {
    let mut group = group();
    group.join(ONE);
    assert!(flush(&mut group, 2, TAKEN).reason.is_some(), "others are told of it all the same");
    assert_eq!(flush(&mut group, 5 * 3600, TAKEN).reason, None);
}

#[test]
fn what_is_worse_is_told_at_once_with_all_that_fires() {
    let mut group = group();
    group.join(ONE);
    group.join(TWO);
    flush(&mut group, 2, ON);
    group.hurry(TWO, NotificationReason::Firing, at(5));
    assert_eq!(group.next_flush_at, at(5));
    let told = flush(&mut group, 5, ON);
    assert_eq!((told.reason, told.firing), (Some(NotificationReason::Firing), vec![ONE, TWO]));
    assert!(told.new.is_empty());
}

#[test]
fn a_delivery_that_was_given_up_told_nothing_and_is_tried_after_the_repeat_interval() {
    let mut group = group();
    group.join(ONE);
    flush(&mut group, 2, ON);
    assert_eq!(group.died(1, at(10)), [ONE]);
    assert_eq!(flush(&mut group, 17, ON).reason, None);
    assert_eq!(flush(&mut group, 11 + 4 * 3600, ON).reason, Some(NotificationReason::Firing));
    group.died(2, at(20_000));
    let end = flush(&mut group, 20_015, OVER);
    assert_eq!((end.reason, end.unheard), (None, vec![ONE]));
}

#[test]
fn a_group_survives_the_file_as_it_was() {
    let mut group = group();
    group.join(ONE);
    flush(&mut group, 2, ON);
    group.hurry(ONE, NotificationReason::Escalation, at(3));
    let text = serde_json::to_string(&group).expect("written");
    assert_eq!(serde_json::from_str::<Group>(&text).expect("read"), group);
}

#[derive(Clone, Debug)]
enum Event {
    Join(u128),
    Leave(u128),
    Hurry(u128),
    Stands(u128, u8),
    Dies,
    Flush,
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0..4u128;
    prop_oneof![
        who.clone().prop_map(Event::Join),
        who.clone().prop_map(Event::Leave),
        who.clone().prop_map(Event::Hurry),
        (who, 0..4u8).prop_map(|(who, how)| Event::Stands(who, how)),
        Just(Event::Dies),
        Just(Event::Flush),
        Just(Event::Flush),
    ]
}

proptest! {
    #[test]
    fn ends_follow_beginnings_and_the_told_set_drains(
        events in proptest::collection::vec(event(), 0..80),
        wants_resolved: bool,
    ) {
        let mut group = group();
        let mut stands: BTreeMap<u128, Standing> = BTreeMap::new();
        // What the channel has heard, message by message; a dead one was never heard.
        let mut heard: BTreeSet<Uuid> = BTreeSet::new();
        let mut newest: Vec<Uuid> = Vec::new();
        let mut now = 0;
        let look = |group: &mut Group, stands: &BTreeMap<u128, Standing>, now| {
            let known = |id: Uuid| stands.get(&id.as_u128()).copied();
            group.flush(at(now), wants_resolved, known)
        };
        for event in events {
            match event {
                Event::Join(who) => group.join(Uuid::from_u128(who)),
                Event::Leave(who) => {
                    group.leave(Uuid::from_u128(who));
                }
                Event::Hurry(who) => {
                    group.hurry(Uuid::from_u128(who), NotificationReason::Firing, at(now));
                }
                Event::Stands(who, how) => {
                    stands.insert(who, [ON, OVER, QUIET, TAKEN][usize::from(how)]);
                }
                Event::Dies => {
                    for id in group.died(group.sequence, at(now)) {
                        prop_assert!(newest.contains(&id), "only its last delivery told of it");
                        heard.remove(&id);
                    }
                }
                Event::Flush => {
                    now += 15;
                    let flush = look(&mut group, &stands, now);
                    for id in flush.resolved.iter().chain(&flush.unwanted) {
                        prop_assert!(heard.remove(id), "{id} ends and never began");
                    }
                    for id in &flush.unheard {
                        prop_assert!(!heard.contains(id), "{id} was told, and not of the end");
                    }
                    prop_assert_eq!(flush.reason.is_none(), flush.firing.is_empty() && flush.resolved.is_empty());
                    for id in &flush.new {
                        prop_assert!(heard.insert(*id), "{id} is no news");
                    }
                    if flush.reason.is_some() {
                        newest.clone_from(&flush.new);
                    }
                    let told = group.members.iter().filter(|(_, m)| matches!(m.told, Told::Firing { .. }));
                    let told: BTreeSet<Uuid> = told.map(|(id, _)| *id).collect();
                    prop_assert_eq!(&told, &heard);
                }
            }
        }
        for standing in stands.values_mut() {
            *standing = OVER;
        }
        let last = look(&mut group, &stands, now + 15);
        let ended: BTreeSet<Uuid> = last.resolved.iter().chain(&last.unwanted).copied().collect();
        prop_assert_eq!(ended, heard);
        prop_assert!(group.members.is_empty());
    }
}
