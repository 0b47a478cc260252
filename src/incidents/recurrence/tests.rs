use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::*;
use crate::model::Period;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn time(text: &str) -> Timestamp {
    let zoned: jiff::Zoned = text.parse().expect(text);
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

fn recurring(cron: &str, duration: &str, zone: &str) -> Recurrence {
    let duration = Period::parse(duration).expect("a duration");
    Recurrence { cron: cron.to_owned(), duration, zone: zone.to_owned() }
}

fn unbounded(cron: &str, duration: &str, zone: &str) -> Occurrences {
    let recurrence = recurring(cron, duration, zone);
    Occurrences::new(Timestamp::MIN, Timestamp::MAX, Some(&recurrence)).expect("valid")
}

#[test]
fn bounds_cut_what_recurs() {
    // Each hour for 30 minutes, between 00:10 and 02:20 UTC.
    let recurrence = recurring("0 * * * *", "30m", "");
    let times = Occurrences::new(at(600), at(8400), Some(&recurrence)).expect("valid");
    assert_eq!(
        times.within(at(0), at(86_400)),
        [(at(600), at(1800)), (at(3600), at(5400)), (at(7200), at(8400)),]
    );
    assert_eq!(times.next(at(0)), Some((at(600), at(1800))));
    assert_eq!(times.next(at(600)), Some((at(3600), at(5400))));
    assert_eq!(times.next(at(7200)), None);
    assert_eq!(times.state(at(0)), HoldState::Pending);
    assert_eq!(times.state(at(1800)), HoldState::Pending);
    assert_eq!(times.state(at(7200)), HoldState::Active);
    assert_eq!(times.state(at(8400)), HoldState::Expired);
}

#[test]
fn what_overlaps_is_one_stretch() {
    let times = unbounded("*/10 * * * *", "15m", "");
    assert_eq!(times.within(at(0), at(7200)), [(at(0), at(7200))]);
    assert_eq!(times.at(at(601)), Some((at(600), at(1500))));
}

#[test]
fn an_occurrence_lasts_its_time_also_when_the_clock_is_set() {
    let times = unbounded("30 1 * * *", "2h", "Europe/Amsterdam");
    // In spring 01:30 and two hours is 04:30 on the wall, in autumn 02:30 (the second).
    for (from, until) in [
        ("2026-03-29T01:30+01:00[Europe/Amsterdam]", "2026-03-29T04:30+02:00[Europe/Amsterdam]"),
        ("2026-10-25T01:30+02:00[Europe/Amsterdam]", "2026-10-25T02:30+01:00[Europe/Amsterdam]"),
        ("2026-07-01T01:30+02:00[Europe/Amsterdam]", "2026-07-01T03:30+02:00[Europe/Amsterdam]"),
    ] {
        let (from, until) = (time(from), time(until));
        assert_eq!(times.at(from), Some((from, until)));
        assert_eq!(times.at(until.plus_millis(-1)), Some((from, until)));
        assert_eq!(times.at(until), None);
    }
}

/// A schedule as the text and, written down independently, as what it means.
struct Case {
    cron: &'static str,
    minutes: i64,
    /// Whether it goes by the clock on the wall (a `*` in minutes or hours).
    by_the_clock: bool,
    takes: fn(DateTime) -> bool,
}

const CASES: [Case; 8] = [
    Case {
        cron: "30 2 * * *",
        minutes: 90,
        by_the_clock: false,
        takes: |c| (c.hour(), c.minute()) == (2, 30),
    },
    Case {
        cron: "0 3 * * 0",
        minutes: 60,
        by_the_clock: false,
        takes: |c| (c.hour(), c.minute(), c.weekday()) == (3, 0, Weekday::Sunday),
    },
    Case {
        cron: "15,45 1-3 * * *",
        minutes: 20,
        by_the_clock: false,
        takes: |c| (1..=3).contains(&c.hour()) && [15, 45].contains(&c.minute()),
    },
    Case { cron: "*/20 * * * *", minutes: 7, by_the_clock: true, takes: |c| c.minute() % 20 == 0 },
    Case {
        cron: "0 */6 * * *",
        minutes: 300,
        by_the_clock: true,
        takes: |c| c.minute() == 0 && c.hour() % 6 == 0,
    },
    Case {
        cron: "0 22 * * 1-5",
        minutes: 600,
        by_the_clock: false,
        takes: |c| {
            (c.hour(), c.minute()) == (22, 0)
                && ![Weekday::Saturday, Weekday::Sunday].contains(&c.weekday())
        },
    },
    Case {
        cron: "0 0 1 * *",
        minutes: 1440,
        by_the_clock: false,
        takes: |c| (c.day(), c.hour(), c.minute()) == (1, 0, 0),
    },
    // Either day of the month or day of the week, as cron has it.
    Case {
        cron: "5 4 13 * fri",
        minutes: 1,
        by_the_clock: false,
        takes: |c| {
            (c.hour(), c.minute()) == (4, 5) && (c.day() == 13 || c.weekday() == Weekday::Friday)
        },
    },
];

fn civil(zone: &TimeZone, minute: i64) -> DateTime {
    let instant = jiff::Timestamp::from_second(minute * 60).expect("in range");
    zone.to_datetime(instant)
}

/// The minutes in which a schedule holds, found by walking through all of them with a clock on
/// the wall, as `cron(8)` of Debian describes its own walk: fixed times that the clock jumps over
/// come at once, those that it shows again do not.
fn brute_force(case: &Case, clock: &[DateTime], first: i64) -> Vec<Span> {
    let mut covered = vec![false; clock.len()];
    let mut latest = clock[0];
    for (minute, shown) in clock.iter().enumerate() {
        let begins = if case.by_the_clock || minute == 0 {
            (case.takes)(*shown)
        } else {
            let mut begins = false;
            while latest < *shown {
                latest = latest.checked_add(jiff::Span::new().minutes(1)).expect("in range");
                begins |= (case.takes)(latest);
            }
            begins
        };
        if begins {
            let end = covered.len().min(minute + case.minutes as usize);
            covered[minute..end].fill(true);
        }
    }
    let mut spans: Vec<Span> = Vec::new();
    for (minute, _) in covered.iter().enumerate().filter(|(_, covered)| **covered) {
        let from = at((first + minute as i64) * 60);
        let until = from.plus_millis(60_000);
        match spans.last_mut() {
            Some(last) if last.1 == from => last.1 = until,
            _ => spans.push((from, until)),
        }
    }
    spans
}

#[test]
fn a_year_in_amsterdam_is_what_a_walk_through_its_minutes_finds() {
    let zone = TimeZoneDatabase::bundled().get("Europe/Amsterdam").expect("known");
    // From a Sunday's noon: no case has an occurrence that began before and goes on.
    let first = time("2025-12-28T12:00+01:00[Europe/Amsterdam]").millis() / 60_000;
    let minutes = 365 * 24 * 60;
    let clock: Vec<DateTime> = (first..first + minutes).map(|m| civil(&zone, m)).collect();
    for case in &CASES {
        let duration = format!("{}m", case.minutes);
        let recurrence = recurring(case.cron, &duration, "Europe/Amsterdam");
        let (from, until) = (at(first * 60), at((first + minutes) * 60));
        let times = Occurrences::new(from, until, Some(&recurrence)).expect("valid");
        let expected = brute_force(case, &clock, first);
        let found = times.within(from, until);
        let differing = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!(differing, None, "{}", case.cron);
        assert_eq!(found.len(), expected.len(), "{}", case.cron);
        // The same, asked minute by minute around each change of the clock and elsewhere.
        let changes = [
            "2026-03-29T00:00+01:00[Europe/Amsterdam]",
            "2026-10-25T00:00+02:00[Europe/Amsterdam]",
        ];
        let around = changes.iter().flat_map(|day| {
            let start = time(day).millis() / 60_000;
            start..start + 36 * 60
        });
        for minute in around.chain((first..first + minutes).step_by(1009)) {
            let now = at(minute * 60);
            let holds = expected.iter().any(|(from, until)| *from <= now && now < *until);
            assert_eq!(times.at(now).is_some(), holds, "{} at {now}", case.cron);
            if let Some((begins, _)) = times.next(now) {
                assert!(begins > now && times.at(begins).is_some(), "{} after {now}", case.cron);
            }
        }
    }
}
