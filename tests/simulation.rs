//! The engine on a disk that fails, against a model that does not: whatever was acknowledged is
//! there after every crash, whatever was not is there as a whole or not at all. One seed decides
//! everything, so a failure is repeated by `VEDETTE_SIM_SEED=n cargo test --test simulation`.

mod support;

use std::sync::Arc;

use support::disk::{Fault, Random, SimDisk};
use support::engine::{Expected, everything, marked, open, read, read_all, series, write};
use vedette::model::{Labels, Timestamp};
use vedette::tsdb::Tsdb;

const START: i64 = 1_772_323_200_000;
const MINUTE: i64 = 60_000;
const SEEDS: u64 = 200;
const STEPS: u64 = 60;

type Batch = Vec<(Labels, i64, u64)>;

struct World {
    seed: u64,
    random: Random,
    disk: SimDisk,
    tsdb: Option<Arc<Tsdb>>,
    acknowledged: Expected,
    /// Writes that failed: each may be there as a whole.
    uncertain: Vec<Batch>,
    now: i64,
    /// Makes every time and value unique, so that each sample tells where it came from.
    counter: i64,
}

impl World {
    fn new(seed: u64) -> Self {
        World {
            seed,
            random: Random(seed),
            disk: SimDisk::new(),
            tsdb: None,
            acknowledged: Expected::new(),
            uncertain: Vec::new(),
            now: START,
            counter: 0,
        }
    }

    fn batch(&mut self) -> Batch {
        // Now and then one that takes several parts of the journal.
        let count = if self.random.one_in(60) { 14_000 } else { 1 + self.random.below(40) };
        let late = self.random.one_in(4);
        (0..count)
            .map(|_| {
                self.counter += 1;
                let back = if late { self.random.below(200_000) as i64 * 1000 } else { 0 };
                // Unique in its last three digits' thousand, whatever it is moved back by.
                let at = self.now - back - self.now % 1000 + self.counter % 1000;
                let at = at - (self.counter / 1000) * 7_000_000_000;
                let number = self.random.below(12);
                // Series of numbers, of histograms, and of both.
                let is_histogram = number == 0 || (number < 3 && self.counter % 8 == 0);
                let value = match is_histogram {
                    true => marked(self.counter as u64),
                    false => (self.counter as f64 / 4.0).to_bits(),
                };
                (series(number), at, value)
            })
            .collect()
    }

    fn tsdb(&self) -> Arc<Tsdb> {
        Arc::clone(self.tsdb.as_ref().expect("open"))
    }

    /// Opens, through as many further power cuts as the dice say.
    fn open(&mut self) {
        // A first creation is not interrupted here: `DiskMedium` moves a finished file into
        // place.
        let first = self.disk.bytes().is_empty();
        for _ in 0..20 {
            let cut = !first && self.random.one_in(4);
            if cut {
                self.disk.fail_after(self.random.below(30), Fault::PowerCut);
            }
            match open(&self.disk) {
                Ok(tsdb) => {
                    self.disk.heal();
                    self.tsdb = Some(tsdb);
                    return;
                }
                Err(error) => {
                    assert!(cut, "seed {}: the power was on, and yet: {error}", self.seed);
                    self.disk.crash(&mut self.random);
                }
            }
        }
        panic!("seed {}: twenty power cuts in a row", self.seed);
    }

    fn write(&mut self) {
        let batch = self.batch();
        match write(&self.tsdb(), &batch) {
            Ok(()) => self.acknowledge(batch),
            Err(_) => self.uncertain.push(batch),
        }
    }

    fn acknowledge(&mut self, batch: Batch) {
        for (labels, at, bits) in batch {
            self.acknowledged.entry(labels).or_default().insert(at, bits);
        }
    }

    fn crash(&mut self) {
        self.tsdb = None;
        self.disk.crash(&mut self.random);
        self.open();
        self.check();
    }

    /// Compares everything that can be read with the model.
    fn check(&mut self) {
        let found = read_all(&self.tsdb());
        for batch in std::mem::take(&mut self.uncertain) {
            let is_there = |(labels, at, bits): &(Labels, i64, u64)| {
                found.get(labels).and_then(|samples| samples.get(at)) == Some(bits)
            };
            let there = batch.iter().filter(|sample| is_there(sample)).count();
            // Within a batch a later sample may replace an earlier one of its time.
            let whole = {
                let mut last = Expected::new();
                for (labels, at, bits) in &batch {
                    last.entry(labels.clone()).or_default().insert(*at, *bits);
                }
                last.values().map(|samples| samples.len()).sum::<usize>()
            };
            assert!(
                there == 0 || there == whole,
                "seed {}: {there} of {whole} samples of an unacknowledged batch",
                self.seed
            );
            if there > 0 {
                self.acknowledge(batch);
            }
        }
        assert!(
            found == self.acknowledged,
            "seed {}: {}",
            self.seed,
            difference(&found, &self.acknowledged)
        );
    }

    fn upkeep(&mut self) -> bool {
        let tsdb = self.tsdb();
        let now = Timestamp::from_millis(self.now);
        match self.random.below(3) {
            0 => tsdb.flush(&|_| {}).is_ok(),
            1 => tsdb.merge(now, &|_| {}).is_ok(),
            _ => tsdb.flush(&|_| {}).and_then(|_| tsdb.merge(now, &|_| {})).is_ok(),
        }
    }

    fn step(&mut self) {
        self.now += MINUTE * self.random.below(40) as i64;
        match self.random.below(10) {
            0 => self.crash(),
            1 | 2 => {
                self.upkeep();
                self.check();
            }
            3 => self.fault_during(Fault::PowerCut),
            4 => self.fault_during(Fault::Eio),
            5 => self.fault_during(Fault::Enospc),
            _ => self.write(),
        }
    }

    /// Something goes wrong in the middle of writes or upkeep.
    fn fault_during(&mut self, fault: Fault) {
        self.disk.fail_after(self.random.below(25), fault);
        for _ in 0..3 {
            if self.random.one_in(3) {
                self.upkeep();
            } else {
                self.write();
            }
        }
        match fault {
            Fault::PowerCut => self.crash(),
            Fault::Eio | Fault::Enospc => {
                // The same process goes on once the disk is well again.
                self.disk.heal();
                let probe = self.batch();
                let result = write(&self.tsdb(), &probe);
                assert!(result.is_ok(), "seed {}: after {fault:?}: {result:?}", self.seed);
                self.acknowledge(probe);
                self.check();
            }
        }
    }
}

fn difference(found: &Expected, expected: &Expected) -> String {
    let mut out = String::new();
    for labels in found.keys().chain(expected.keys()) {
        let (a, b) = (found.get(labels), expected.get(labels));
        if a != b {
            let missing: Vec<_> = b
                .into_iter()
                .flatten()
                .filter(|(t, v)| a.and_then(|a| a.get(t)) != Some(v))
                .collect();
            let extra: Vec<_> = a
                .into_iter()
                .flatten()
                .filter(|(t, v)| b.and_then(|b| b.get(t)) != Some(v))
                .collect();
            out += &format!("{labels}: missing {missing:?}, unexpected {extra:?}; ");
        }
    }
    out
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    world.open();
    for _ in 0..STEPS {
        world.step();
    }
    world.crash();
    // A view of nothing finds nothing.
    let mut nothing = everything();
    nothing.end = Timestamp::MIN;
    assert!(read(&world.tsdb(), &nothing).expect("reads").is_empty());
}

#[test]
fn acknowledged_samples_survive_every_fault() {
    if let Ok(seed) = std::env::var("VEDETTE_SIM_SEED") {
        return run(seed.parse().expect("VEDETTE_SIM_SEED is a number"));
    }
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..SEEDS).step_by(threads as usize).for_each(run));
        }
    });
}
