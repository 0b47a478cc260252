//! Calendar fields of Unix seconds, in UTC.

/// A field of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::promql) enum DatePart {
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
    Month,
    Year,
}

impl DatePart {
    /// The field of `seconds` since 1970, the fraction cut off towards zero as Go's conversion
    /// does. Arithmetic on the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible
    /// Low-Level Date Algorithms"), so that years far outside any calendar library's range work.
    pub(in crate::promql) fn of(self, seconds: f64) -> f64 {
        // Go converts NaN and what does not fit into the smallest integer on amd64.
        let whole =
            if seconds.is_nan() || seconds.abs() >= 9.3e18 { i64::MIN } else { seconds as i64 };
        let days = whole.div_euclid(86_400);
        let second = whole.rem_euclid(86_400);
        let (year, month, day) = civil(days);
        let value = match self {
            DatePart::Hour => second / 3600,
            DatePart::Minute => second % 3600 / 60,
            // 1970-01-01 was a Thursday; Sunday counts as 0.
            DatePart::DayOfWeek => (days + 4).rem_euclid(7),
            DatePart::DayOfMonth => day,
            DatePart::Month => month,
            DatePart::Year => year,
            DatePart::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
            DatePart::DaysInMonth => {
                let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days_from_civil(next_year, next, 1) - days_from_civil(year, month, 1)
            }
        };
        value as f64
    }
}

/// Unix seconds as RFC 3339 in UTC, as Go's `time.RFC3339` writes them.
pub(in crate::promql) fn rfc3339(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a count of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// Days since 1970-01-01 of a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_known_dates() {
        // 2024-02-29T13:45:59Z, a Thursday, the 60th day of a leap year.
        let at = 1_709_214_359.0;
        for (part, value) in [
            (DatePart::Year, 2024.0),
            (DatePart::Month, 2.0),
            (DatePart::DayOfMonth, 29.0),
            (DatePart::DayOfWeek, 4.0),
            (DatePart::DayOfYear, 60.0),
            (DatePart::DaysInMonth, 29.0),
            (DatePart::Hour, 13.0),
            (DatePart::Minute, 45.0),
        ] {
            assert_eq!(part.of(at), value, "{part:?}");
        }
        assert_eq!(DatePart::Year.of(-1.0), 1969.0);
        assert_eq!(DatePart::DayOfYear.of(-1.0), 365.0);
        assert_eq!(DatePart::DaysInMonth.of(-1.0), 31.0);
    }

    #[test]
    fn values_outside_any_calendar_do_not_panic() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 9.2e18] {
            DatePart::Year.of(value);
            DatePart::DaysInMonth.of(value);
        }
    }
}
