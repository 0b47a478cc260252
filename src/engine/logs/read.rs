//! Reading: pages, lines around one, counts over time. Everything that is looked at is looked at
//! in the order in which it may matter, and what cannot matter is not looked at.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::logs::{Best, Columns, Fault, Header, Open, Place, Tools, Wanted};
use crate::model::{LogId, StoredLine, Timestamp};
use crate::store::Snapshot;

use super::shared::{Shared, View};
use super::{Context, LogBucket, LogFilter, LogPage, LogQuery, LogsError, Order, PAGE_LINES_MAX};

/// Bytes of the lines of a page in memory.
const PAGE_BYTES_MAX: usize = 32 << 20;
/// Steps of a histogram.
pub const HISTOGRAM_STEPS_MAX: usize = 10_000;

/// Whether to give up.
pub(super) type Stop<'a> = &'a dyn Fn() -> bool;

fn store_error(error: impl std::fmt::Display) -> LogsError {
    LogsError::Store(format!("log lines cannot be read: {error}"))
}

/// A block, or a piece of memory.
struct Unit<'v> {
    place: Place<'v>,
    header: Cow<'v, Header>,
}

/// All that may have lines that are wanted.
fn units<'v>(view: &'v View, snapshot: &'v Snapshot, wanted: &Wanted<'_>) -> Vec<Unit<'v>> {
    let in_memory = |columns: &'v Columns| {
        let header = Cow::Owned(Header::of(columns, Timestamp::default()));
        Unit { place: Place::Memory(columns), header }
    };
    let blocks = view.blocks.iter().filter(|block| wanted.may_be_in(&block.header));
    let memory = view.units.iter().map(|columns| in_memory(columns));
    blocks
        .map(|block| Unit {
            place: Place::Block(snapshot, block.number),
            header: Cow::Borrowed(&block.header),
        })
        .chain(memory.filter(|unit| wanted.may_be_in(&unit.header)))
        .collect()
}

impl Shared {
    /// What became of a unit that could not be searched: one that is gone or damaged is left out.
    fn left_out(&self, fault: Fault) -> Result<(), LogsError> {
        match fault {
            Fault::Gone => Ok(()),
            Fault::Damaged(damage) => {
                self.note_damage(&damage);
                Ok(())
            }
            Fault::Store(error) => Err(store_error(error)),
        }
    }

    pub(super) fn query(&self, query: &LogQuery, stop: Stop<'_>) -> Result<LogPage, LogsError> {
        let limit = query.limit.min(PAGE_LINES_MAX);
        let (over, under) = match query.order {
            Order::Newest => (None, query.after),
            Order::Oldest => (query.after, None),
        };
        let wanted = Wanted { filter: &query.filter, over, under };
        let view = self.view();
        let snapshot = self.tsdb.store().read().map_err(store_error)?;
        let mut tools = Tools::new().map_err(store_error)?;
        let mut units = units(&view, &snapshot, &wanted);
        match query.order {
            Order::Newest => units.sort_by_key(|unit| std::cmp::Reverse(unit.header.last())),
            Order::Oldest => units.sort_by_key(|unit| unit.header.first()),
        }
        let mut best = Best::new(query.order, limit, PAGE_BYTES_MAX);
        let mut scanned = 0;
        for unit in &units {
            let nearest = match query.order {
                Order::Newest => unit.header.last(),
                Order::Oldest => unit.header.first(),
            };
            if !best.wants(nearest) {
                break;
            }
            if stop() {
                return Err(LogsError::TimedOut);
            }
            scanned += unit.header.count;
            if let Err(fault) = take_best(unit, &wanted, query.order, &mut best, &mut tools) {
                self.left_out(fault)?;
            }
        }
        Ok(best.into_page(scanned))
    }

    pub(super) fn context(
        &self,
        id: LogId,
        before: usize,
        after: usize,
        filter: &LogFilter,
        stop: Stop<'_>,
    ) -> Result<Context, LogsError> {
        let side = |order, limit| {
            if limit == 0 {
                return Ok(Vec::new());
            }
            let query = LogQuery { filter: filter.clone(), order, after: Some(id), limit };
            self.query(&query, stop).map(|page| page.lines)
        };
        let mut before = side(Order::Newest, before)?;
        before.reverse();
        Ok(Context { before, line: self.line(id, stop)?, after: side(Order::Oldest, after)? })
    }

    /// One line.
    fn line(&self, id: LogId, stop: Stop<'_>) -> Result<Option<StoredLine>, LogsError> {
        let filter = LogFilter {
            from: Some(id.time),
            until: Some(id.time.plus_millis(1)),
            ..LogFilter::default()
        };
        let wanted = Wanted { filter: &filter, over: None, under: None };
        let view = self.view();
        let snapshot = self.tsdb.store().read().map_err(store_error)?;
        let mut tools = Tools::new().map_err(store_error)?;
        for unit in units(&view, &snapshot, &wanted) {
            let (low, high) = unit.header.numbers;
            if id.number < low || id.number > high {
                continue;
            }
            if stop() {
                return Err(LogsError::TimedOut);
            }
            match find(&unit, &wanted, id, &mut tools) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(fault) => self.left_out(fault)?,
            }
        }
        Ok(None)
    }

    pub(super) fn histogram(
        &self,
        filter: &LogFilter,
        (from, until): (Timestamp, Timestamp),
        step_ms: i64,
        stop: Stop<'_>,
    ) -> Result<Vec<LogBucket>, LogsError> {
        let mut buckets = empty_buckets(from, until, step_ms)?;
        let first = from.millis().div_euclid(step_ms);
        let place =
            |time: i64| usize::try_from(time.div_euclid(step_ms) - first).unwrap_or(usize::MAX);
        let filter = LogFilter {
            from: Some(filter.from.map_or(from, |other| other.max(from))),
            until: Some(filter.until.map_or(until, |other| other.min(until))),
            ..filter.clone()
        };
        let wanted = Wanted { filter: &filter, over: None, under: None };
        let view = self.view();
        let snapshot = self.tsdb.store().read().map_err(store_error)?;
        let mut tools = Tools::new().map_err(store_error)?;
        for unit in units(&view, &snapshot, &wanted) {
            if stop() {
                return Err(LogsError::TimedOut);
            }
            let (low, high) = (place(unit.header.times.0), place(unit.header.times.1));
            if low == high && wanted.takes_all(&unit.header) {
                if let Some(bucket) = buckets.get_mut(low) {
                    for (sum, count) in bucket.counts.iter_mut().zip(unit.header.levels) {
                        *sum += count;
                    }
                }
                continue;
            }
            let counted = count(&unit, &wanted, &mut tools, &mut |time, level| {
                if let Some(bucket) = buckets.get_mut(place(time)) {
                    bucket.counts[level] += 1;
                }
            });
            if let Err(fault) = counted {
                self.left_out(fault)?;
            }
        }
        Ok(buckets)
    }

    pub(super) fn scan(
        &self,
        filter: &LogFilter,
        order: Order,
        sink: &mut dyn FnMut(StoredLine) -> ControlFlow<()>,
        stop: Stop<'_>,
    ) -> Result<(), LogsError> {
        let limit = PAGE_LINES_MAX;
        let mut query = LogQuery { filter: filter.clone(), order, after: None, limit };
        loop {
            let page = self.query(&query, stop)?;
            for line in page.lines {
                if sink(line).is_break() {
                    return Ok(());
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Offers the lines of a unit that are wanted, the nearest first.
fn take_best(
    unit: &Unit<'_>,
    wanted: &Wanted<'_>,
    order: Order,
    best: &mut Best,
    tools: &mut Tools,
) -> Result<(), Fault> {
    let mut open = Open::new(unit.place, &unit.header);
    let mut ids = Vec::new();
    for row in open.search(wanted, tools)? {
        ids.push((open.id(row, tools)?, row));
    }
    ids.sort_unstable();
    if order == Order::Newest {
        ids.reverse();
    }
    for (id, row) in ids {
        if !best.wants(id) {
            break;
        }
        best.take(open.line(row, tools)?);
    }
    Ok(())
}

fn find(
    unit: &Unit<'_>,
    wanted: &Wanted<'_>,
    id: LogId,
    tools: &mut Tools,
) -> Result<Option<StoredLine>, Fault> {
    let mut open = Open::new(unit.place, &unit.header);
    for row in open.search(wanted, tools)? {
        if open.id(row, tools)? == id {
            return open.line(row, tools).map(Some);
        }
    }
    Ok(None)
}

/// Hands the time and the level of each line that is wanted over.
fn count(
    unit: &Unit<'_>,
    wanted: &Wanted<'_>,
    tools: &mut Tools,
    see: &mut dyn FnMut(i64, usize),
) -> Result<(), Fault> {
    let mut open = Open::new(unit.place, &unit.header);
    for row in open.search(wanted, tools)? {
        let time = open.id(row, tools)?.time.millis();
        see(time, open.level(row, tools)?);
    }
    Ok(())
}

fn empty_buckets(
    from: Timestamp,
    until: Timestamp,
    step_ms: i64,
) -> Result<Vec<LogBucket>, LogsError> {
    let invalid = |why: String| Err(LogsError::Invalid(why));
    if step_ms <= 0 {
        return invalid(format!("a step of {step_ms} ms; it must be longer than nothing"));
    }
    if until <= from {
        return invalid(format!("from {from} until {until} is no time; until must be later"));
    }
    let first = from.millis().div_euclid(step_ms);
    let last = (until.millis() - 1).div_euclid(step_ms);
    let steps = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(usize::MAX);
    if steps > HISTOGRAM_STEPS_MAX {
        return invalid(format!(
            "{steps} steps, at most {HISTOGRAM_STEPS_MAX}; ask for longer steps or less time"
        ));
    }
    let begin = |step: i64| Timestamp::from_millis(step.saturating_mul(step_ms));
    Ok((first..=last).map(|step| LogBucket { from: begin(step), counts: [0; 5] }).collect())
}
