//! The first lines in an order, out of many that come in any: what a page is made from.

use std::collections::BTreeMap;

use crate::model::{LogId, StoredLine};

use super::columns::line_bytes;
use super::{LogPage, Order};

/// The first lines in an order.
#[derive(Debug)]
pub struct Best {
    order: Order,
    limit: usize,
    bytes_max: usize,
    lines: BTreeMap<LogId, StoredLine>,
    bytes: usize,
    /// Something was left out: whatever is worse than the worst is left out too.
    has_more: bool,
}

impl Best {
    /// The first `limit` lines, or fewer where they take more than `bytes_max` of memory; at
    /// least one.
    pub fn new(order: Order, limit: usize, bytes_max: usize) -> Best {
        Best { order, limit, bytes_max, lines: BTreeMap::new(), bytes: 0, has_more: false }
    }

    /// Whether a line with this id, or one that comes after it, may still change anything.
    pub fn wants(&self, id: LogId) -> bool {
        let is_full = self.lines.len() > self.limit || self.has_more;
        !is_full
            || match self.order {
                Order::Newest => self.lines.first_key_value().is_some_and(|(worst, _)| id > *worst),
                Order::Oldest => self.lines.last_key_value().is_some_and(|(worst, _)| id < *worst),
            }
    }

    /// Takes a line that is wanted.
    pub fn take(&mut self, line: StoredLine) {
        self.bytes += line_bytes(&line.line);
        self.lines.insert(line.id, line);
        // One more than is asked for stays, so that it is known that there is more.
        while self.lines.len() > self.limit.saturating_add(1)
            || (self.bytes > self.bytes_max && self.lines.len() > 1)
        {
            let worst = match self.order {
                Order::Newest => self.lines.pop_first(),
                Order::Oldest => self.lines.pop_last(),
            };
            if let Some((_, worst)) = worst {
                self.bytes -= line_bytes(&worst.line);
            }
            self.has_more = true;
        }
    }

    /// What was found.
    pub fn into_page(self, scanned: u64) -> LogPage {
        let mut has_more = self.has_more;
        let mut lines: Vec<StoredLine> = match self.order {
            Order::Newest => self.lines.into_values().rev().collect(),
            Order::Oldest => self.lines.into_values().collect(),
        };
        has_more |= lines.len() > self.limit;
        lines.truncate(self.limit);
        let next = lines.last().map(|line| line.id).filter(|_| has_more);
        LogPage { lines, next, scanned }
    }
}
