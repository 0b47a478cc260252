//! What the watch counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Change;
use super::book::Applied;
use crate::model::DeliveryState;

/// Counts since the start. Only ever grow.
#[derive(Debug, Default)]
pub struct Counts {
    commits: AtomicU64,
    failures: AtomicU64,
    decided: AtomicU64,
    delivered: AtomicU64,
    dead: AtomicU64,
}

impl Counts {
    pub(super) fn note(&self, applied: &Applied) {
        let add = |counter: &AtomicU64, n: usize| {
            counter.fetch_add(n as u64, Ordering::Relaxed);
        };
        add(&self.commits, usize::from(applied.committed));
        add(&self.failures, usize::from(applied.failed));
        for change in &applied.changes {
            if let Change::Delivery(delivery) = change {
                match delivery.state {
                    DeliveryState::Pending => add(&self.decided, 1),
                    DeliveryState::Delivered => add(&self.delivered, 1),
                    DeliveryState::Dead => add(&self.dead, 1),
                    DeliveryState::Superseded => {}
                }
            }
        }
    }

    /// Transactions that were committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Transactions that failed; what they held was decided anew.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Deliveries that were put into the outbox, and attempts that are to be made again.
    pub fn decided(&self) -> u64 {
        self.decided.load(Ordering::Relaxed)
    }

    /// Deliveries that were taken.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Deliveries that were given up.
    pub fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }
}
