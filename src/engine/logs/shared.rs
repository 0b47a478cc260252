//! What the threads show to readers. Everything in it is committed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::logs::{Columns, Header, LogNames, Names};
use crate::model::Timestamp;
use crate::tsdb::Tsdb;

use super::LogFigures;

/// Bytes of a piece of memory; more begins another one. Adding to a piece that a reader holds
/// copies it.
const UNIT_BYTES_MAX: usize = 1 << 20;

/// A block of the file.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) header: Header,
}

impl Block {
    /// Bytes that it takes, seals aside.
    pub(super) fn bytes(&self) -> u64 {
        self.header.bytes
    }
}

/// Lines that wait to be packed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) units: Vec<Arc<Columns>>,
    /// Bytes in memory, about.
    pub(super) bytes: usize,
    /// Bytes in the journal.
    pub(super) journal_bytes: u64,
    /// When the first of them was committed.
    pub(super) since: Option<Timestamp>,
}

impl Tail {
    fn add(&mut self, columns: Columns, journal_bytes: u64, now: Timestamp) {
        let bytes = columns.bytes();
        self.bytes += bytes;
        self.journal_bytes += journal_bytes;
        self.since.get_or_insert(now);
        match self.units.last_mut() {
            Some(last) if last.bytes() + bytes <= UNIT_BYTES_MAX => {
                Arc::make_mut(last).append(&columns);
            }
            _ => self.units.push(Arc::new(columns)),
        }
    }

    pub(super) fn lines(&self) -> usize {
        self.units.iter().map(|unit| unit.len()).sum()
    }
}

#[derive(Default)]
pub(super) struct State {
    /// New lines come here.
    pub(super) active: Tail,
    /// These are being packed.
    pub(super) frozen: Tail,
    pub(super) blocks: Arc<Vec<Arc<Block>>>,
    /// Bytes of all blocks.
    pub(super) block_bytes: u64,
    /// Names in headers, each once.
    pub(super) names: BTreeSet<Arc<str>>,
    /// Lines with lower numbers are visible, if they are durable.
    pub(super) next_line: u64,
}

/// What readers see.
pub(super) struct Shared {
    pub(super) tsdb: Arc<Tsdb>,
    state: RwLock<State>,
    /// Blocks and records that were found damaged.
    damaged: AtomicU64,
}

/// What a reader sees at a moment. Take it before a snapshot of the file: what is packed in
/// between is then seen in memory.
pub(super) struct View {
    pub(super) units: Vec<Arc<Columns>>,
    pub(super) blocks: Arc<Vec<Arc<Block>>>,
}

impl Shared {
    pub(super) fn new(tsdb: Arc<Tsdb>, state: State) -> Shared {
        Shared { tsdb, state: RwLock::new(state), damaged: AtomicU64::new(0) }
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view(&self) -> View {
        let state = self.state();
        let tails = [&state.frozen, &state.active];
        let units = tails.iter().flat_map(|tail| &tail.units).map(Arc::clone).collect();
        View { units, blocks: Arc::clone(&state.blocks) }
    }

    /// Shows lines that are durable.
    pub(super) fn adopt(&self, columns: Columns, journal_bytes: u64, next: u64, now: Timestamp) {
        let mut state = self.change();
        state.active.add(columns, journal_bytes, now);
        state.next_line = next;
    }

    /// Sets what waits aside for packing, unless something is aside already. Gives it, and the
    /// number below which all lines are in it or before it; `None` when nothing waits.
    pub(super) fn freeze(&self, last_until: u64) -> Option<(Vec<Arc<Columns>>, u64)> {
        let mut state = self.change();
        if state.frozen.units.is_empty() {
            if state.active.units.is_empty() {
                return None;
            }
            state.frozen = std::mem::take(&mut state.active);
            return Some((state.frozen.units.clone(), state.next_line));
        }
        Some((state.frozen.units.clone(), last_until))
    }

    /// Shows blocks in place of what was set aside for them.
    pub(super) fn packed(&self, blocks: Vec<(u64, Header)>) {
        let mut state = self.change();
        state.frozen = Tail::default();
        let state = &mut *state;
        for (number, mut header) in blocks {
            share_names(&mut header, &mut state.names);
            state.block_bytes += header.bytes;
            Arc::make_mut(&mut state.blocks).push(Arc::new(Block { number, header }));
        }
    }

    /// Lets blocks go, whose numbers are in rising order.
    pub(super) fn remove(&self, gone: &[u64]) {
        let mut state = self.change();
        let is_gone = |block: &Arc<Block>| gone.binary_search(&block.number).is_ok();
        let bytes: u64 = state.blocks.iter().filter(|b| is_gone(b)).map(|b| b.bytes()).sum();
        state.block_bytes = state.block_bytes.saturating_sub(bytes);
        Arc::make_mut(&mut state.blocks).retain(|block| !is_gone(block));
        // Names that nothing else holds are forgotten.
        state.names.retain(|name| Arc::strong_count(name) > 1);
    }

    /// Notes that something is damaged.
    pub(super) fn note_damage(&self, what: &str) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            damage = what,
            "damaged log lines were skipped; `vedette verify` lists all"
        );
    }

    /// Names that lines have, some of each kind.
    pub(super) fn names(&self, max: usize) -> LogNames {
        let view = self.view();
        let in_memory: Vec<Header> =
            view.units.iter().map(|unit| Header::of(unit, Timestamp::default())).collect();
        let headers = || view.blocks.iter().map(|block| &block.header).chain(&in_memory);
        let names = |pick: fn(&Header) -> &Names| {
            let mut all = BTreeSet::new();
            for name in headers().flat_map(|header| &pick(header).list) {
                if !name.is_empty() && all.len() < max {
                    all.insert(&**name);
                }
            }
            all.into_iter().map(str::to_owned).collect()
        };
        LogNames {
            sources: names(|header| &header.sources),
            features: names(|header| &header.features),
            environments: names(|header| &header.environments),
        }
    }

    /// How much there is.
    pub(super) fn figures(&self) -> LogFigures {
        let state = self.state();
        let tails = [&state.frozen, &state.active];
        let units = || tails.iter().flat_map(|tail| &tail.units);
        let of_blocks: u64 = state.blocks.iter().map(|block| block.header.count).sum();
        let in_memory: usize = units().map(|unit| unit.len()).sum();
        let journal: u64 = tails.iter().map(|tail| tail.journal_bytes).sum();
        let oldest = state.blocks.iter().map(|block| block.header.times.0);
        let oldest = oldest.chain(units().filter_map(|unit| unit.oldest())).min();
        LogFigures {
            lines: of_blocks + in_memory as u64,
            bytes: state.block_bytes + journal,
            oldest: oldest.map(Timestamp::from_millis),
        }
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }
}

fn share_names(header: &mut Header, known: &mut BTreeSet<Arc<str>>) {
    for names in [&mut header.sources, &mut header.features, &mut header.environments] {
        for name in &mut names.list {
            match known.get(name) {
                Some(shared) => *name = Arc::clone(shared),
                None => {
                    known.insert(Arc::clone(name));
                }
            }
        }
    }
}
