//! What the ledger's thread shows to readers. Everything in it is committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Serialize};

use crate::experiments::{Exposure, Sums};
use crate::features::Tallies;
use crate::model::MetricDefinition;
use crate::store::{Store, StoreError, Table};

use super::unit::step;
use super::units::{self, Overlay, UnitKey};

/// What is kept of an experiment beside its units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    /// What it measures, by place, as the sums go by it.
    pub(super) metrics: Vec<MetricDefinition>,
    /// What its results come to.
    pub(super) sums: Arc<Sums>,
    /// Results of units without a name, by places of epoch, variant and metric, which rise.
    #[serde(default)]
    nameless: Vec<((u16, u16, u16), u64)>,
    /// Whether it changed since the last flush.
    #[serde(skip)]
    pub(super) is_dirty: bool,
}

impl Book {
    /// Counts units without a name. Each result stands for a unit, but the same unit may have
    /// sent one for each metric: as many as the metric with the most has, per epoch and variant.
    pub(super) fn count_nameless(&mut self, place: (u16, u16, u16), count: u64) {
        let (epoch, variant, _) = place;
        let most = |all: &[((u16, u16, u16), u64)]| {
            let of_arm = all.iter().filter(|((e, v, _), _)| (*e, *v) == (epoch, variant));
            of_arm.map(|(_, count)| *count).max().unwrap_or(0)
        };
        let before = most(&self.nameless);
        match self.nameless.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(found) => {
                let known = &mut self.nameless[found].1;
                *known = known.saturating_add(count);
            }
            Err(free) => self.nameless.insert(free, (place, count)),
        }
        let more = most(&self.nameless) - before;
        if more > 0 {
            step(&mut Arc::make_mut(&mut self.sums).units, (epoch, variant), more, true);
        }
    }
}

/// What readers see.
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    overlay: RwLock<Overlay>,
    books: Mutex<BTreeMap<u32, Book>>,
    tallies: Mutex<Arc<Tallies>>,
    /// Exposures that found no room in the queue.
    pub(super) exposures_dropped: AtomicU64,
    /// Commits, for people who wonder.
    pub(super) commits: AtomicU64,
}

impl Shared {
    pub(super) fn new(store: Arc<Store>) -> Shared {
        Shared {
            store,
            overlay: RwLock::default(),
            books: Mutex::default(),
            tallies: Mutex::default(),
            exposures_dropped: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        }
    }

    pub(super) fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change_overlay(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn books(&self) -> MutexGuard<'_, BTreeMap<u32, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_tallies(&self) -> MutexGuard<'_, Arc<Tallies>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tallies(&self) -> Arc<Tallies> {
        Arc::clone(&self.lock_tallies())
    }

    pub(super) fn set_tallies(&self, tallies: Tallies) {
        *self.lock_tallies() = Arc::new(tallies);
    }

    pub(super) fn add_tallies(&self, delta: &Tallies) {
        // A reader may hold what it was: only then it is copied.
        Arc::make_mut(&mut self.lock_tallies()).merge(delta);
    }

    pub(super) fn sums(&self, experiment: u32) -> Option<Arc<Sums>> {
        self.books().get(&experiment).map(|book| Arc::clone(&book.sums))
    }

    pub(super) fn knows_metrics(&self, experiment: u32, metrics: &[MetricDefinition]) -> bool {
        self.books().get(&experiment).is_some_and(|book| book.metrics == metrics)
    }

    /// The first exposure of a unit.
    pub(super) fn exposure(&self, key: UnitKey) -> Result<Option<Exposure>, StoreError> {
        if let Some(known) = self.overlay().get(key) {
            return Ok(known.map(|unit| unit.exposure()));
        }
        // Afterwards: a unit that was flushed meanwhile is in the file by now.
        units::exposure(&self.store.read()?.table(Table::Units)?, key)
    }

    /// Hands all units of an experiment to `see`, by their hash, each once.
    pub(super) fn scan(
        &self,
        experiment: u32,
        mut see: impl FnMut(u64, Exposure),
    ) -> Result<(), StoreError> {
        let changed: BTreeMap<u64, Option<Exposure>> = {
            let overlay = self.overlay();
            let range = (experiment, 0)..=(experiment, u64::MAX);
            let frozen = overlay.frozen.range(range.clone());
            let all = frozen.chain(overlay.active.range(range));
            all.map(|((_, hash), unit)| (*hash, unit.as_ref().map(|unit| unit.exposure())))
                .collect()
        };
        let broken = units::scan(&self.store.read()?, experiment, |hash, exposure| {
            if !changed.contains_key(&hash) {
                see(hash, exposure);
            }
        })?;
        if broken > 0 {
            tracing::warn!(experiment, blocks = broken, "damaged blocks of units were left out");
        }
        for (hash, exposure) in changed {
            if let Some(exposure) = exposure {
                see(hash, exposure);
            }
        }
        Ok(())
    }

    pub(super) fn note_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}
