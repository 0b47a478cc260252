//! Exemplars: which are news, how they are kept, and how they go again.
//!
//! The exemplars of a group of writes are committed with its samples, as bundles in a table of
//! their own whose keys rise by one: the table is a queue. At most
//! [`TsdbOptions::exemplars_max`](super::TsdbOptions) are kept, and none beyond the retention of
//! raw samples; the oldest bundles go first (Prometheus keeps a ring of the same kind, in memory:
//! `tsdb/exemplar.go`).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::select::Reader;
use super::{Tsdb, TsdbError, varint};
use crate::model::{Exemplar, Labels, Matcher, Timestamp};
use crate::store::{Key, KeyReader, Snapshot, StoreError, Table, Txn};

/// A bundle is closed beyond this many bytes; values of the store have to stay small.
const BUNDLE_BYTES: usize = 256 << 10;
/// The first byte of a bundle.
const VERSION: u8 = 1;

/// What is known of the bundles in the table.
#[derive(Debug, Default)]
pub(super) struct ExemplarLog {
    next: u64,
    bundles: VecDeque<Bundle>,
    kept: usize,
    /// The latest exemplar by series.
    latest: HashMap<u32, Exemplar>,
}

#[derive(Clone, Copy, Debug)]
struct Bundle {
    sequence: u64,
    count: usize,
    until: Timestamp,
}

/// What a commit changes.
#[derive(Debug, Default)]
pub(super) struct StagedExemplars {
    news: Vec<(u32, Exemplar)>,
    bundles: Vec<(Bundle, Vec<u8>)>,
    /// Bundles before this one are removed.
    first_kept: u64,
    evicted: usize,
}

fn key(sequence: u64) -> Key {
    Key::new().u64(sequence)
}

impl ExemplarLog {
    /// Reads what the table holds. Damaged bundles are named in `damage` and left alone.
    pub(super) fn load(
        snapshot: &Snapshot,
        damage: &mut Vec<String>,
    ) -> Result<ExemplarLog, StoreError> {
        let mut log = ExemplarLog::default();
        for entry in snapshot.table(Table::Exemplars)?.all()? {
            let entry = entry?;
            let Some(sequence) = KeyReader::new(entry.key()).u64() else { continue };
            log.next = sequence.saturating_add(1);
            let mut bundle = Bundle { sequence, count: 0, until: Timestamp::MIN };
            let read = entry.open().map_err(|e| e.to_string()).and_then(|value| {
                let read = decode(value.payload(), |series, exemplar| {
                    bundle.count += 1;
                    bundle.until = bundle.until.max(exemplar.at);
                    log.note(series, exemplar);
                });
                read.ok_or_else(|| format!("exemplars {sequence}: a bundle that cannot be decoded"))
            });
            damage.extend(read.err());
            log.kept += bundle.count;
            log.bundles.push_back(bundle);
        }
        Ok(log)
    }

    fn note(&mut self, series: u32, exemplar: Exemplar) {
        match self.latest.get_mut(&series) {
            Some(latest) if exemplar.is_known_or_older(latest) => {}
            Some(latest) => *latest = exemplar,
            None => drop(self.latest.insert(series, exemplar)),
        }
    }

    /// Works out what a group's exemplars change. What is known already, or older than the latest
    /// of its series, is silently left out.
    pub(super) fn stage(&self, offered: &[(u32, Exemplar)], max: usize) -> StagedExemplars {
        let mut staged = StagedExemplars::default();
        let mut latest: HashMap<u32, usize> = HashMap::new();
        for (series, exemplar) in offered {
            let known = match latest.get(series) {
                Some(place) => staged.news.get(*place).map(|(_, exemplar)| exemplar),
                None => self.latest.get(series),
            };
            if known.is_none_or(|known| !exemplar.is_known_or_older(known)) {
                latest.insert(*series, staged.news.len());
                staged.news.push((*series, exemplar.clone()));
            }
        }
        let surplus = staged.news.len().saturating_sub(max);
        staged.news.drain(..surplus);
        let mut next = self.next;
        let mut rest = staged.news.as_slice();
        while !rest.is_empty() {
            let (payload, count, until) = encode(rest);
            staged.bundles.push((Bundle { sequence: next, count, until }, payload));
            next += 1;
            rest = &rest[count..];
        }
        let mut kept = self.kept + staged.news.len();
        for bundle in &self.bundles {
            if staged.news.is_empty() || kept <= max {
                break;
            }
            kept -= bundle.count;
            staged.evicted += 1;
            staged.first_kept = bundle.sequence + 1;
        }
        staged
    }

    /// The commit is durable.
    pub(super) fn publish(&mut self, staged: StagedExemplars, max: usize) {
        for _ in 0..staged.evicted {
            self.drop_first();
        }
        for (bundle, _) in staged.bundles {
            self.next = bundle.sequence + 1;
            self.kept += bundle.count;
            self.bundles.push_back(bundle);
        }
        if self.latest.len() > max.saturating_mul(2) {
            // Of series that fell silent. At worst an exemplar is kept twice.
            self.latest.clear();
        }
        for (series, exemplar) in staged.news {
            self.note(series, exemplar);
        }
    }

    fn drop_first(&mut self) {
        if let Some(bundle) = self.bundles.pop_front() {
            self.kept -= bundle.count;
        }
    }

    /// The bundles in front that hold nothing from `horizon` on.
    fn expired(&self, horizon: Timestamp) -> Option<(usize, u64)> {
        let count = self.bundles.iter().take_while(|bundle| bundle.until < horizon).count();
        let last = self.bundles.get(count.checked_sub(1)?)?;
        Some((count, last.sequence + 1))
    }
}

impl StagedExemplars {
    /// Puts the change into the transaction of the group.
    pub(super) fn save(&self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        for (bundle, payload) in &self.bundles {
            txn.insert(Table::Exemplars, key(bundle.sequence).as_bytes(), payload)?;
        }
        remove_before(txn, self.first_kept)
    }
}

fn remove_before(txn: &mut Txn<'_>, sequence: u64) -> Result<(), StoreError> {
    if sequence > 0 {
        let (from, until) = (key(0), key(sequence));
        txn.remove_range(Table::Exemplars, from.as_bytes(), until.as_bytes(), usize::MAX)?;
    }
    Ok(())
}

/// Packs exemplars from the front until the bundle is full. Gives the bundle, how many are in it
/// and their latest time.
fn encode(exemplars: &[(u32, Exemplar)]) -> (Vec<u8>, usize, Timestamp) {
    let mut out = vec![VERSION];
    let (mut count, mut until) = (0, Timestamp::MIN);
    for (series, exemplar) in exemplars {
        if out.len() >= BUNDLE_BYTES {
            break;
        }
        count += 1;
        until = until.max(exemplar.at);
        varint::put(&mut out, u64::from(*series));
        varint::put_signed(&mut out, exemplar.at.millis());
        out.push(u8::from(exemplar.timed));
        out.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
        varint::put(&mut out, exemplar.labels.len() as u64);
        for text in exemplar.labels.iter().flat_map(|(name, value)| [name, value]) {
            varint::put(&mut out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
    }
    (out, count, until)
}

/// Unpacks a bundle; `None` where it is not one.
pub(super) fn decode(bytes: &[u8], mut each: impl FnMut(u32, Exemplar)) -> Option<()> {
    let (&VERSION, mut rest) = bytes.split_first()? else { return None };
    while !rest.is_empty() {
        let series = u32::try_from(varint::take(&mut rest)?).ok()?;
        let at = Timestamp::from_millis(varint::take_signed(&mut rest)?);
        let (&timed, tail) = rest.split_first()?;
        let (bits, tail) = tail.split_first_chunk::<8>()?;
        rest = tail;
        let value = f64::from_bits(u64::from_le_bytes(*bits));
        let count = varint::take(&mut rest)?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((take_text(&mut rest)?, take_text(&mut rest)?));
        }
        let labels = Labels::from_pairs(pairs).ok()?;
        each(series, Exemplar { labels, value, at, timed: timed != 0 });
    }
    Some(())
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(varint::take(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    std::str::from_utf8(text).ok()
}

impl Tsdb {
    /// How many exemplars are kept.
    pub fn exemplar_count(&self) -> usize {
        self.lock_exemplars().kept
    }

    pub(super) fn lock_exemplars(&self) -> std::sync::MutexGuard<'_, ExemplarLog> {
        self.exemplars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out what the table holds after a commit of which nobody knows whether it is durable.
    pub(super) fn reload_exemplars(&self) -> Result<(), TsdbError> {
        let mut damage = Vec::new();
        let log = ExemplarLog::load(&self.store.read()?, &mut damage)?;
        *self.lock_exemplars() = log;
        Ok(())
    }

    /// Removes the exemplars that are older than the raw samples kept.
    pub(super) fn expire_exemplars(&self, horizon: Timestamp) -> Result<(), TsdbError> {
        // No group is between staging and publishing while this is held.
        let _no_writes = self.lock_writer();
        let Some((count, first_kept)) = self.lock_exemplars().expired(horizon) else {
            return Ok(());
        };
        self.store.write(false, |txn| remove_before(txn, first_kept))?;
        let mut log = self.lock_exemplars();
        (0..count).for_each(|_| log.drop_first());
        log.latest.retain(|_, latest| latest.at >= horizon);
        Ok(())
    }
}

impl Reader {
    /// The exemplars of the series that satisfy any of the lists, from `start_ms` to `end_ms`
    /// (Unix milliseconds, both included), by series and time. Series without any are left out.
    pub fn exemplars(
        &self,
        lists: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, StoreError> {
        let tsdb = &self.tsdb;
        let mut wanted = roaring::RoaringBitmap::new();
        for matchers in lists {
            let index = tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
            wanted |= index.select(matchers);
        }
        let mut found: BTreeMap<u32, Vec<Exemplar>> = BTreeMap::new();
        for entry in self.snapshot.table(Table::Exemplars)?.all()? {
            let read = entry?.open().ok().and_then(|value| {
                decode(value.payload(), |series, exemplar| {
                    let at = exemplar.at.millis();
                    if wanted.contains(series) && at >= start_ms && at <= end_ms {
                        found.entry(series).or_default().push(exemplar);
                    }
                })
            });
            if read.is_none() {
                tsdb.damaged_blocks.fetch_add(1, Ordering::Relaxed);
            }
        }
        let index = tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut out: Vec<(Labels, Vec<Exemplar>)> = found
            .into_iter()
            // A series that was removed in between has no labels any more.
            .filter(|(series, _)| index.all().contains(*series))
            .map(|(series, mut exemplars)| {
                exemplars.sort_by(|a, b| a.at.cmp(&b.at).then(a.value.total_cmp(&b.value)));
                (index.labels(series), exemplars)
            })
            .collect();
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(trace: &str, value: f64, at_ms: i64) -> Exemplar {
        let labels = Labels::from_pairs([("trace_id", trace)]).expect("valid");
        Exemplar { labels, value, at: Timestamp::from_millis(at_ms), timed: true }
    }

    fn write(log: &mut ExemplarLog, offered: &[(u32, Exemplar)], max: usize) {
        let staged = log.stage(offered, max);
        log.publish(staged, max);
    }

    #[test]
    fn a_bundle_gives_back_what_was_put_in() {
        let all = [(7, exemplar("a", 1.5, -3)), (u32::MAX, exemplar("é", f64::NAN, i64::MAX))];
        let (bytes, count, until) = encode(&all);
        assert_eq!((count, until), (2, Timestamp::MAX));
        let mut back = Vec::new();
        decode(&bytes, |series, exemplar| back.push((series, exemplar))).expect("whole");
        assert_eq!(back[0], all[0]);
        assert_eq!((back[1].0, back[1].1.value.to_bits()), (all[1].0, f64::NAN.to_bits()));
        // Cut between the two it is a smaller bundle; anywhere else it is none.
        let first = encode(&all[..1]).0.len();
        for cut in 2..bytes.len() {
            assert_eq!(decode(&bytes[..cut], |_, _| {}).is_some(), cut == first, "{cut}");
        }
    }

    #[test]
    fn what_is_known_is_not_kept_again() {
        let mut log = ExemplarLog::default();
        let offered = [(1, exemplar("a", 1.0, 10)), (1, exemplar("a", 1.0, 10))];
        write(&mut log, &offered, 10);
        assert_eq!(log.kept, 1);
        assert!(log.stage(&offered, 10).bundles.is_empty());
        // Another series, and a later one of the same.
        write(&mut log, &[(2, exemplar("a", 1.0, 10)), (1, exemplar("b", 1.0, 11))], 10);
        assert_eq!(log.kept, 3);
        write(&mut log, &[(1, exemplar("c", 1.0, 9))], 10);
        assert_eq!(log.kept, 3);
    }

    #[test]
    fn the_oldest_bundles_make_room() {
        let mut log = ExemplarLog::default();
        for at in 0..5 {
            write(&mut log, &[(1, exemplar("a", 1.0, at)), (2, exemplar("a", 1.0, at))], 4);
        }
        assert_eq!(log.kept, 4);
        assert_eq!(log.bundles.iter().map(|b| b.sequence).collect::<Vec<_>>(), [3, 4]);
        let many: Vec<_> = (10..20).map(|at| (1, exemplar("a", 1.0, at))).collect();
        write(&mut log, &many, 4);
        assert_eq!((log.kept, log.bundles.len()), (4, 1));
        write(&mut log, &[(9, exemplar("a", 1.0, 99))], 0);
        assert_eq!(log.kept, 4, "nothing is taken where none may be kept");
    }

    #[test]
    fn bundles_expire_from_the_front() {
        let mut log = ExemplarLog::default();
        for at in [10, 20, 30] {
            write(&mut log, &[(1, exemplar("a", 1.0, at))], 100);
        }
        assert_eq!(log.expired(Timestamp::from_millis(10)), None);
        assert_eq!(log.expired(Timestamp::from_millis(21)), Some((2, 2)));
    }

    #[test]
    fn large_groups_make_several_bundles() {
        let long = "x".repeat(100);
        let offered: Vec<_> = (0..5000).map(|n| (n, exemplar(&long, 1.0, 1))).collect();
        let staged = ExemplarLog::default().stage(&offered, 100_000);
        assert!(staged.bundles.len() > 1);
        assert_eq!(staged.bundles.iter().map(|(b, _)| b.count).sum::<usize>(), 5000);
        assert!(staged.bundles.iter().all(|(_, bytes)| bytes.len() < BUNDLE_BYTES + 1024));
    }
}
