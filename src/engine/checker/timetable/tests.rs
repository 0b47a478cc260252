//! The timetable on manual time.

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn table(total: usize, per_host: usize) -> Timetable {
    Timetable::new(Caps { total, per_host })
}

fn every(check: &str, millis: i64) -> Plan {
    let period = crate::model::Period::from_millis(millis);
    Plan::Asked(crate::checks::Schedule::every(&name(check), Some(period)).expect("valid"))
}

fn put(table: &mut Timetable, check: &str, every_ms: i64, host: &str, now: i64) {
    table.put(&name(check), every(check, every_ms), host.to_owned(), false, at(now));
}

/// Moves to each next slot until `until` and gives when `check` began; every run ends at once.
fn begins(table: &mut Timetable, check: &str, until: i64) -> Vec<i64> {
    let mut found = Vec::new();
    while let Some(now) = table.next_at().filter(|next| next.millis() <= until) {
        for due in table.due(now) {
            let Due::Run { name: who, run } = due else { continue };
            if who.as_str() == check {
                found.push(now.millis());
            }
            assert!(table.finished(&who, run, now));
        }
    }
    found
}

#[test]
fn slots_keep_their_distance_and_the_offset_of_a_name_is_the_same_after_a_restart() {
    let run = |start| {
        let mut table = table(4, 4);
        put(&mut table, "shop", 10_000, "", start);
        begins(&mut table, "shop", start + 100_000)
    };
    let first = run(0);
    let regular = &first[1..];
    assert!(regular.len() >= 9, "{first:?}");
    assert!(regular.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{first:?}");
    let again = run(3_333);
    assert_eq!(regular[0] % 10_000, again[1] % 10_000, "{first:?} {again:?}");
    assert!(first[0] < 1000, "a new check is asked within a second");
}

#[test]
fn many_checks_of_one_interval_are_spread_over_it() {
    let mut table = table(10_000, 10_000);
    for n in 0..1000 {
        put(&mut table, &format!("check-{n}"), 10_000, "", 0);
    }
    let mut per_second = [0; 10];
    for n in 0..1000 {
        let all = begins_of_plan(&format!("check-{n}"));
        per_second[(all / 1000) as usize] += 1;
    }
    // 100 each on average; a binomial's ten standard deviations are 95.
    assert!(per_second.iter().all(|count| (5..195).contains(count)), "{per_second:?}");
    assert_eq!(table.due(at(1000)).len(), 1000);
}

fn begins_of_plan(check: &str) -> i64 {
    let next = every(check, 10_000).next_after(at(0)).expect("one");
    next.millis() % 10_000
}

#[test]
fn no_more_run_at_once_than_the_caps_allow_and_what_waits_begins_when_there_is_room() {
    let mut table = table(3, 2);
    for n in 0..4 {
        put(&mut table, &format!("a{n}"), 60_000, "a", 0);
    }
    put(&mut table, "b0", 60_000, "b", 0);
    put(&mut table, "b1", 60_000, "b", 0);
    let begun = table.due(at(1000));
    assert_eq!(begun.len(), 3, "{begun:?}");
    let of_a = |begun: &[Due]| {
        begun
            .iter()
            .filter(|due| matches!(due, Due::Run { name, .. } if name.as_str().starts_with('a')))
            .count()
    };
    assert!(of_a(&begun) <= 2);
    assert!(table.due(at(1000)).is_empty());
    let mut open: Vec<Due> = begun;
    let mut ran = 3;
    while let Some(Due::Run { name, run }) = open.pop() {
        assert!(table.finished(&name, run, at(1500)));
        let more = table.due(at(1500));
        ran += more.len();
        open.extend(more);
        assert!(table.running() <= 3 && of_a(&open) <= 2);
    }
    assert_eq!(ran, 6);
    assert_eq!(table.running(), 0);
}

#[test]
fn a_slot_that_comes_while_the_check_still_runs_is_skipped_and_counted() {
    let mut table = table(4, 4);
    put(&mut table, "slow", 1000, "", 0);
    let begun = table.due(at(1000));
    let [Due::Run { name, run }] = &begun[..] else { panic!("{begun:?}") };
    table.take_counts();
    assert!(table.due(at(2000)).is_empty() && table.due(at(3000)).is_empty());
    assert_eq!(table.take_counts(), Counts { runs: 0, late: 0, skipped: 2 });
    assert!(table.finished(name, *run, at(3000)));
    assert!(table.due(at(3000)).is_empty(), "missed slots are not made up for");
    assert_eq!(table.due(at(4000)).len(), 1);
    assert!(!table.finished(name, *run, at(4100)), "that run has ended already");
}

#[test]
fn slots_that_went_by_while_nobody_looked_are_counted_as_skipped_and_the_run_as_late() {
    let mut table = table(4, 4);
    put(&mut table, "shop", 1000, "", 0);
    let due = table.due(at(999));
    let [Due::Run { name, run }] = &due[..] else { panic!("{due:?}") };
    assert!(table.finished(name, *run, at(999)));
    table.take_counts();
    let next = table.next_at().expect("a slot");
    let begun = table.due(next.plus_millis(5_000));
    assert_eq!(begun.len(), 1);
    assert_eq!(table.take_counts(), Counts { runs: 1, late: 1, skipped: 5 });
}

#[test]
fn after_a_jump_nothing_is_late_and_slots_are_planned_by_the_new_time() {
    let mut table = table(4, 4);
    put(&mut table, "shop", 10_000, "", 0);
    let _ = table.due(at(1000));
    table.jumped(8 * 3_600_000, at(8 * 3_600_000));
    let next = table.next_at().expect("a slot");
    assert!((1..=10_000).contains(&next.since(at(8 * 3_600_000))));
    // Back again: a slot eight hours ahead would never come.
    table.jumped(-8 * 3_600_000, at(2000));
    let next = table.next_at().expect("a slot");
    assert!((1..=10_000).contains(&next.since(at(2000))));
    assert_eq!(table.take_counts().late, 0);
}

#[test]
fn a_heartbeat_is_never_run_and_its_deadline_moves_with_the_clock() {
    let mut table = table(4, 4);
    let beat = name("beat");
    table.put(&beat, Plan::Told, String::new(), false, at(0));
    assert_eq!(table.next_at(), None);
    assert!(!table.run_now(&beat, true, at(0)));
    table.set_deadline(&beat, Some(at(5_000)));
    table.jumped(60_000, at(61_000));
    assert!(table.due(at(61_000)).is_empty());
    assert_eq!(table.due(at(65_000)), [Due::Deadline { name: beat, at: at(65_000) }]);
    assert_eq!(table.next_at(), None, "said once");
}

#[test]
fn a_run_that_is_asked_for_goes_ahead_and_joins_what_runs() {
    let mut table = table(1, 1);
    put(&mut table, "a", 60_000, "", 0);
    put(&mut table, "b", 60_000, "", 0);
    let begun = table.due(at(1000));
    let [Due::Run { name: first, run }] = &begun[..] else { panic!("{begun:?}") };
    let other = if first.as_str() == "a" { name("b") } else { name("a") };
    assert!(table.run_now(first, false, at(1100)), "joined");
    assert!(table.finished(first, *run, at(1200)));
    let begun = table.due(at(1200));
    let [Due::Run { name: second, run }] = &begun[..] else { panic!("{begun:?}") };
    assert_eq!(*second, other);
    assert!(table.run_now(second, true, at(1300)), "asked for again after this one");
    assert!(table.finished(second, *run, at(1400)));
    let again = table.due(at(1400));
    assert!(matches!(&again[..], [Due::Run { name, .. }] if *name == other), "{again:?}");
    assert!(!table.run_now(&name("nobody"), true, at(1400)));
}

#[test]
fn a_check_that_is_removed_while_it_runs_leaves_its_place() {
    let mut table = table(1, 1);
    put(&mut table, "a", 60_000, "h", 0);
    let begun = table.due(at(1000));
    let [Due::Run { name: a, run }] = &begun[..] else { panic!("{begun:?}") };
    table.remove(a);
    assert!(!table.finished(a, *run, at(2000)));
    assert_eq!(table.running(), 0);
    put(&mut table, "b", 60_000, "h", 2000);
    assert_eq!(table.due(at(3000)).len(), 1);
}

#[test]
fn another_interval_takes_effect_and_the_same_one_disturbs_nothing() {
    let mut table = table(4, 4);
    put(&mut table, "a", 60_000, "", 0);
    let _ = table.due(at(1000));
    let next = table.next_of(&name("a"));
    put(&mut table, "a", 60_000, "other", 5_000);
    assert_eq!(table.next_of(&name("a")), next);
    put(&mut table, "a", 1_000, "", 5_000);
    assert!(table.next_of(&name("a")).is_some_and(|next| next <= at(6_000)));
    assert_eq!(table.running(), 1, "it still runs");
}
