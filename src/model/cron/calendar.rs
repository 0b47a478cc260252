//! From fields to instants.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, ToSpan};

use super::Fields;
use crate::model::Timestamp;

/// How far a search goes. The rarest day is a 29 February that must also be a certain weekday:
/// 40 years around a century that is no leap year.
const DAYS_MAX: usize = 50 * 366;

/// Stretches of one offset that a search walks through: zones change theirs up to four times a
/// year.
const STRETCHES_MAX: usize = 50 * 5;

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| number < 64 && bits >> number & 1 == 1)
}

impl Fields {
    fn takes_day(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month())
            && if self.either_day { day || weekday } else { day && weekday }
    }

    /// The minutes of a day that are taken, in order.
    fn minutes_of_day(&self) -> impl DoubleEndedIterator<Item = (i8, i8)> + use<> {
        let (hours, minutes) = (self.hours, self.minutes);
        (0..24i8).filter(move |hour| has(hours, *hour)).flat_map(move |hour| {
            (0..60i8).filter(move |minute| has(minutes, *minute)).map(move |minute| (hour, minute))
        })
    }

    /// The civil times after `from`, in order.
    fn after(&self, from: DateTime) -> impl Iterator<Item = DateTime> + use<'_> {
        std::iter::successors(Some(from.date()), |date| date.tomorrow().ok())
            .take(DAYS_MAX)
            .filter(|date| self.takes_day(*date))
            .flat_map(|date| self.minutes_of_day().map(move |(h, m)| date.at(h, m, 0, 0)))
            .skip_while(move |civil| *civil <= from)
    }

    /// The civil times at or before `until`, from the last one back.
    fn before(&self, until: DateTime) -> impl Iterator<Item = DateTime> + use<'_> {
        std::iter::successors(Some(until.date()), |date| date.yesterday().ok())
            .take(DAYS_MAX)
            .filter(|date| self.takes_day(*date))
            .flat_map(|date| self.minutes_of_day().rev().map(move |(h, m)| date.at(h, m, 0, 0)))
            .skip_while(move |civil| *civil > until)
    }
}

fn millis(instant: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millisecond())
}

/// The instant of a fixed time of the day: the first instant after a gap, the first of two.
fn instant(zone: &TimeZone, civil: DateTime) -> Option<jiff::Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // Read with the later offset, a time in the gap lies just before it.
            let early = after.to_timestamp(civil).ok()?;
            let change = zone.following(early.checked_sub(1.nanosecond()).ok()?).next()?;
            Some(change.timestamp())
        }
    }
}

pub(super) fn next_after(fields: &Fields, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
    if !fields.wild {
        // Whatever comes after an instant also comes after what the clock shows at it.
        let found = fields.after(zone.to_datetime(at)).find_map(|civil| {
            let instant = instant(zone, civil)?;
            (instant > at).then_some(instant)
        });
        return found.map(millis);
    }
    // By the clock on the wall: each stretch of one offset for itself.
    let mut from = at;
    let mut changes = zone.following(at);
    let mut offset = zone.to_offset(at);
    for _ in 0..STRETCHES_MAX {
        let change = changes.next();
        let civil = fields.after(civil_before(from, offset, from != at)?).next()?;
        let found = offset.to_timestamp(civil).ok()?;
        match change {
            Some(change) if found >= change.timestamp() => {
                from = change.timestamp();
                offset = change.offset();
            }
            _ => return Some(millis(found)),
        }
    }
    None
}

/// What the clock shows at `from`; just before it where `from` itself counts.
fn civil_before(from: jiff::Timestamp, offset: Offset, inclusive: bool) -> Option<DateTime> {
    let civil = offset.to_datetime(from);
    if inclusive { civil.checked_sub(1.nanosecond()).ok() } else { Some(civil) }
}

pub(super) fn at_or_before(fields: &Fields, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
    if !fields.wild {
        // The clock may have shown more before it was set back.
        let after_at = at.checked_add(1.nanosecond()).ok()?;
        let shown_before = zone.preceding(after_at).next().and_then(|change| {
            let last = change.timestamp().checked_sub(SignedDuration::from_nanos(1)).ok()?;
            Some(zone.to_datetime(last))
        });
        let latest = shown_before.map_or(zone.to_datetime(at), |c| c.max(zone.to_datetime(at)));
        let found = fields.before(latest).find_map(|civil| {
            let instant = instant(zone, civil)?;
            (instant <= at).then_some(instant)
        });
        return found.map(millis);
    }
    let mut until = at;
    for _ in 0..STRETCHES_MAX {
        let offset = zone.to_offset(until);
        let change = zone.preceding(until.checked_add(1.nanosecond()).ok()?).next();
        let civil = fields.before(offset.to_datetime(until)).next()?;
        let found = offset.to_timestamp(civil).ok()?;
        match change {
            Some(change) if found < change.timestamp() => {
                until = change.timestamp().checked_sub(1.nanosecond()).ok()?;
            }
            _ => return Some(millis(found)),
        }
    }
    None
}
