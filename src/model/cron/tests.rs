//! Expectations are from the calendar: in 2026 Europe/Amsterdam goes forward on 29 March (02:00
//! to 03:00 at 01:00 UTC) and back on 25 October (03:00 to 02:00 at 01:00 UTC), America/New_York
//! forward on 8 March (02:00 to 03:00 at 07:00 UTC) and back on 1 November (02:00 to 01:00 at
//! 06:00 UTC).

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    serde_json::from_str(&format!("\"{text}\"")).expect("a time")
}

fn schedule(text: &str, zone: &str) -> CronSchedule {
    CronSchedule::parse(text, zone).expect("a schedule")
}

/// The times after `from`, as texts, cut to the minute.
fn times(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(text, zone);
    std::iter::successors(schedule.next_after(at(from)), |at| schedule.next_after(*at))
        .take(count)
        .map(|at| at.to_string()[..16].to_owned())
        .collect()
}

#[test]
fn the_next_time_is_strictly_after() {
    for (text, from, next) in [
        ("*/15 * * * *", "2026-11-21T10:00:00Z", "2026-11-21T10:15"),
        ("*/15 * * * *", "2026-11-21T09:59:59.999Z", "2026-11-21T10:00"),
        ("5/15 * * * *", "2026-11-21T10:50:00Z", "2026-11-21T11:05"),
        ("30 4 1,15 * *", "2026-11-21T10:00:00Z", "2026-12-01T04:30"),
        ("0 9 * * 1-5", "2026-11-21T10:00:00Z", "2026-11-23T09:00"),
        ("0 9 * * mon-fri", "2026-11-20T10:00:00Z", "2026-11-23T09:00"),
        ("0 0 29 2 *", "2026-11-21T10:00:00Z", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00"),
        ("0 12 1-7/3 jan *", "2026-11-21T10:00:00Z", "2027-01-01T12:00"),
        ("@daily", "2026-11-21T10:00:00Z", "2026-11-22T00:00"),
        ("@midnight", "2026-11-21T10:00:00Z", "2026-11-22T00:00"),
        ("@hourly", "2026-11-21T10:00:00Z", "2026-11-21T11:00"),
        ("@weekly", "2026-11-21T10:00:00Z", "2026-11-22T00:00"),
        ("@monthly", "2026-11-21T10:00:00Z", "2026-12-01T00:00"),
        ("@yearly", "2026-11-21T10:00:00Z", "2027-01-01T00:00"),
        ("@annually", "2026-11-21T10:00:00Z", "2027-01-01T00:00"),
    ] {
        assert_eq!(times(text, "", from, 1), [next], "{text} after {from}");
    }
}

/// 21 November 2026 is a Saturday.
#[test]
fn zero_and_seven_are_sunday_and_ranges_may_end_there() {
    for (text, next) in [
        ("0 0 * * 0", "2026-11-22"),
        ("0 0 * * 7", "2026-11-22"),
        ("0 0 * * sun", "2026-11-22"),
        ("0 0 * * 1", "2026-11-23"),
        ("0 0 * * 6", "2026-11-28"),
        ("0 0 * * 5-7", "2026-11-22"),
        ("0 0 * * fri-sun", "2026-11-22"),
        ("0 0 * * 2-6/2", "2026-11-24"),
    ] {
        assert_eq!(times(text, "", "2026-11-21T10:00:00Z", 1), [format!("{next}T00:00")], "{text}");
    }
}

/// `crontab(5)`: "30 4 1,15 * 5" runs on the 1st and 15th of each month, plus every Friday.
#[test]
fn either_day_matches_unless_one_begins_with_a_star() {
    let found = times("30 4 1,15 * 5", "", "2026-11-21T10:00:00Z", 4);
    assert_eq!(
        found,
        ["2026-11-27T04:30", "2026-12-01T04:30", "2026-12-04T04:30", "2026-12-11T04:30"]
    );
    // Odd days that are Fridays.
    let found = times("30 4 */2 * 5", "", "2026-11-21T10:00:00Z", 2);
    assert_eq!(found, ["2026-11-27T04:30", "2026-12-11T04:30"]);
}

#[test]
fn a_fixed_time_in_the_gap_runs_at_the_first_instant_after_it() {
    let found = times("30 2 * * *", "Europe/Amsterdam", "2026-03-28T00:00:00Z", 3);
    assert_eq!(found, ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]);
    let found = times("30 2 * * *", "America/New_York", "2026-03-07T06:00:00Z", 3);
    assert_eq!(found, ["2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"]);
    // Both fall on 01:00 UTC, and run once.
    let found = times("15,45 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 2);
    assert_eq!(found, ["2026-03-29T01:00", "2026-03-30T00:15"]);
}

#[test]
fn a_fixed_time_in_the_overlap_runs_once_at_the_first() {
    let found = times("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", 2);
    assert_eq!(found, ["2026-10-25T00:30", "2026-10-26T01:30"]);
    let found = times("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);
    assert_eq!(found, ["2026-11-01T05:30", "2026-11-02T06:30"]);
    // Asked in the middle of the second pass.
    let found = times("10,50 2 * * *", "Europe/Amsterdam", "2026-10-25T01:20:00Z", 1);
    assert_eq!(found, ["2026-10-26T01:10"]);
}

#[test]
fn a_schedule_with_a_star_goes_by_the_clock_on_the_wall() {
    let found = times("0 * * * *", "Europe/Amsterdam", "2026-10-24T23:30:00Z", 4);
    assert_eq!(
        found,
        ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]
    );
    let found = times("*/30 * * * *", "Europe/Amsterdam", "2026-03-29T00:15:00Z", 3);
    assert_eq!(found, ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]);
    // Every minute of an hour that is not there: nothing to be made up for.
    let found = times("*/20 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 1);
    assert_eq!(found, ["2026-03-30T00:00"]);
}

#[test]
fn what_is_no_schedule_says_where_and_why() {
    for (text, part) in [
        ("* * * *", "has 4 fields"),
        ("* * * * * *", "has 6 fields"),
        ("", "has 0 fields"),
        ("@every 5m", "has 2 fields"),
        ("60 * * * *", "field 1 (minute)"),
        ("* 24 * * *", "field 2 (hour)"),
        ("* * 0 * *", "field 3 (day of month)"),
        ("* * 32 * *", "field 3 (day of month)"),
        ("* * * 13 *", "field 4 (month)"),
        ("* * * foo *", "field 4 (month)"),
        ("* * * * 8", "field 5 (day of week)"),
        ("* * * * fri-mon", "field 5 (day of week)"),
        ("*/0 * * * *", "field 1 (minute)"),
        ("5-1 * * * *", "field 1 (minute)"),
        ("a * * * *", "field 1 (minute)"),
        ("1;2 * * * *", "field 1 (minute)"),
        ("* * L * *", "field 3 (day of month)"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
    ] {
        let error = CronSchedule::parse(text, "").expect_err(text).to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    let error = CronSchedule::parse("* * * * *", "Europe/Nowhere").expect_err("no zone");
    assert!(error.to_string().contains("Europe/Nowhere"), "{error}");
}

#[test]
fn the_ends_of_time_are_no_times() {
    let daily = schedule("@daily", "Europe/Amsterdam");
    assert_eq!(daily.next_after(Timestamp::MAX), None);
    assert_eq!(daily.at_or_before(Timestamp::MIN), None);
    assert_eq!(schedule("* * * * *", "").next_after(at("9999-12-30T22:00:00Z")), None);
}

#[test]
fn times_of_a_range_are_those_from_its_start_until_before_its_end() {
    let hourly = schedule("@hourly", "");
    let from = at("2026-11-21T10:00:00Z");
    let found: Vec<_> = hourly.between(from, at("2026-11-21T12:00:00Z")).collect();
    assert_eq!(found, [from, at("2026-11-21T11:00:00Z")]);
}

#[test]
fn a_range_of_sundays_is_sunday_alone() {
    for weekday in ["0-0", "sun-sun", "0", "7-7"] {
        let weekly = schedule(&format!("0 0 * * {weekday}"), "");
        let next = weekly.next_after(at("2026-11-21T10:00:00Z"));
        assert_eq!(next, Some(at("2026-11-22T00:00:00Z")), "{weekday}");
        assert_eq!(weekly.next_after(at("2026-11-22T00:00:00Z")), Some(at("2026-11-29T00:00:00Z")));
    }
}

fn field(first: u8, last: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => (first..=last).prop_map(|n| n.to_string()),
        1 => (2..=last / 2).prop_map(|n| format!("*/{n}")),
        1 => (first..=last, first..=last)
            .prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ]
}

/// A member of a field, read anew: the oracle does not share the product's parser.
fn member(field: &str, first: i8, last: i8, value: i8) -> bool {
    let (range, step) = field.split_once('/').unwrap_or((field, "1"));
    let step: i8 = step.parse().expect("a step");
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (from.parse().expect("from"), to.parse().expect("to")),
        None if range == "*" => (first, last),
        None => (range.parse().expect("a number"), range.parse().expect("a number")),
    };
    (from..=to).contains(&value) && (value - from) % step == 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against every minute of ten days around a change of the clocks, for schedules that go by
    /// the clock on the wall, and for all in UTC.
    #[test]
    fn no_time_is_left_out_or_made_up(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 28), weekday in field(0, 6),
        zone in prop_oneof![Just(""), Just("Europe/Amsterdam"), Just("America/New_York")],
        start in prop_oneof![Just("2026-03-05T00:00:00Z"), Just("2026-10-23T00:00:00Z")],
        offset in 0i64..86_400_000,
    ) {
        let text = format!("{minute} {hour} {day} * {weekday}");
        prop_assume!(zone.is_empty() || minute.starts_with('*') || hour.starts_with('*'));
        let schedule = CronSchedule::parse(&text, zone).expect("valid");
        let tz = TimeZoneDatabase::bundled().get(if zone.is_empty() { "UTC" } else { zone })
            .expect("a zone");
        let from = at(start).plus_millis(offset);
        let until = from.plus_millis(10 * 86_400_000);
        let mut expected = Vec::new();
        let mut minute_at = Timestamp::from_millis((from.millis() + 59_999) / 60_000 * 60_000);
        while minute_at < until {
            let instant = jiff::Timestamp::from_millisecond(minute_at.millis()).expect("in range");
            let civil = tz.to_datetime(instant);
            let by_day = member(&day, 1, 31, civil.day());
            let by_weekday = member(&weekday, 0, 6, civil.weekday().to_sunday_zero_offset());
            let days = match day.starts_with('*') || weekday.starts_with('*') {
                true => by_day && by_weekday,
                false => by_day || by_weekday,
            };
            if days && member(&minute, 0, 59, civil.minute()) && member(&hour, 0, 23, civil.hour()) {
                expected.push(minute_at);
            }
            minute_at = minute_at.plus_millis(60_000);
        }
        let found: Vec<Timestamp> = schedule.between(from, until).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_last_time_before_is_the_one_that_comes_next_before(
        minute in field(0, 59), hour in field(0, 23), weekday in field(0, 6),
        zone in prop_oneof![Just("UTC"), Just("Europe/Amsterdam"), Just("America/New_York")],
        start in prop_oneof![
            Just("2026-03-08T00:00:00Z"), Just("2026-03-29T00:00:00Z"),
            Just("2026-10-25T00:00:00Z"), Just("2026-11-01T04:00:00Z"),
        ],
        offset in 0i64..(6 * 3_600_000),
    ) {
        let schedule = CronSchedule::parse(&format!("{minute} {hour} * * {weekday}"), zone)
            .expect("valid");
        let now = at(start).plus_millis(offset);
        let last = schedule.at_or_before(now).expect("there is one");
        prop_assert!(last <= now);
        let next = schedule.next_after(last).expect("there is one");
        prop_assert!(next > now, "{} is left out between {} and {}", next, last, now);
        prop_assert_eq!(schedule.next_after(last.plus_millis(-1)), Some(last));
    }
}
