//! The ledger on a disk that fails, against one on a disk that does not: the latter hears exactly
//! what was acknowledged, and whole groups that were not where they turned out to be durable. Sums
//! and tallies must be the same, bit by bit. One seed decides everything, so a failure is repeated
//! by `VEDETTE_SIM_SEED=n cargo test --test experiments ledger`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vedette::engine::experiments::ledger::{Core, LedgerError, Reply, Request};
use vedette::experiments::{Exposure, InForce};
use vedette::model::{
    Epoch, ExperimentDefinition, ExperimentState, ExperimentStatus, Name, Timestamp,
};

use super::support::disk::{Fault, Random, SimDisk};
use super::support::engine;

const START: i64 = 1_795_132_800_000;
const SEEDS: u64 = 60;
const STEPS: u64 = 60;
const UNITS: u64 = 40;

type Board = BTreeMap<Name, Arc<InForce>>;

fn open(disk: &SimDisk) -> Result<Core, String> {
    let tsdb = engine::open(disk).map_err(|error| error.to_string())?;
    let random = |bytes: &mut [u8]| {
        bytes.fill(42);
        Ok(())
    };
    Core::open(tsdb, random).map_err(|error| error.to_string())
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn in_force(experiment: u64, number: u32) -> InForce {
    let definition: ExperimentDefinition = serde_json::from_value(json!({
        "name": format!("e{experiment}"),
        "feature": "search",
        "variants": [
            {"name": "a", "traffic_weight": 1, "is_control": true},
            {"name": "b", "traffic_weight": 1},
            {"name": "c", "traffic_weight": 1},
        ],
        "metrics": [
            {"name": "mean", "better": "higher", "cap_high": 1e6},
            {"name": "success", "estimator": "proportion", "better": "higher"},
            {"name": "latency_ms", "estimator": "quantile", "quantile": 0.9, "better": "lower"},
            {"name": "ratio", "estimator": "ratio", "better": "higher"},
        ],
    }))
    .expect("a definition");
    let epoch = |from| Epoch {
        from: Timestamp::from_millis(START + from),
        weights: vec![1.0; 3],
        traffic_allocation: 100.0,
    };
    let state = ExperimentState {
        number,
        status: ExperimentStatus::Running,
        started_at: Some(Timestamp::from_millis(START)),
        epochs: vec![epoch(0), epoch(20_000)],
        ..ExperimentState::default()
    };
    InForce::new(&definition, state).expect("in force")
}

struct World {
    seed: u64,
    random: Random,
    disk: SimDisk,
    core: Option<Core>,
    reference: Core,
    board: Board,
    next_number: u32,
    now: i64,
    ids: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let disk = SimDisk::new();
        let core = open(&disk).expect("opens");
        let reference = open(&SimDisk::new()).expect("opens");
        let mut world = World {
            seed,
            random: Random(seed),
            disk,
            core: Some(core),
            reference,
            board: Board::new(),
            next_number: 1,
            now: START,
            ids: 0,
        };
        world.enlist(0);
        world.enlist(1);
        world
    }

    fn enlist(&mut self, experiment: u64) {
        let in_force = in_force(experiment, self.next_number);
        self.next_number += 1;
        self.board.insert(name(&format!("e{experiment}")), Arc::new(in_force));
    }

    fn number(&self, experiment: u64) -> u32 {
        self.board[&name(&format!("e{experiment}"))].state.number
    }

    fn unit(&mut self) -> String {
        format!("u{}", self.random.below(UNITS))
    }

    fn id(&mut self) -> Value {
        match self.random.below(4) {
            0 => Value::Null,
            // One that was there before, maybe.
            1 => json!(format!("id{}", self.random.below(self.ids + 1))),
            _ => {
                self.ids += 1;
                json!(format!("id{}", self.ids))
            }
        }
    }

    fn result(&mut self) -> Value {
        let metric = ["mean", "success", "latency_ms", "ratio"][self.random.below(4) as usize];
        let value = self.random.below(1 << 40) as f64 * 1.0e-3;
        let mut entry = match metric {
            "success" => json!({"value": self.random.below(3)}),
            "ratio" => json!({"numerator": value, "denominator": self.random.below(7)}),
            _ => json!({"value": value}),
        };
        entry["metric"] = metric.into();
        entry["id"] = self.id();
        if self.random.one_in(3) {
            entry["covariate"] = json!(self.random.below(1000) as f64 * 0.01);
        }
        if !self.random.one_in(5) {
            entry["unit"] = self.unit().into();
        }
        // Mostly the unit's own, now and then another.
        let own = entry["unit"].as_str().map_or(0, |unit| unit.len() % 3);
        let other = self.random.below(3) as usize;
        let variant = if self.random.one_in(25) { other } else { own };
        if !self.random.one_in(4) {
            entry["variant"] = ["a", "b", "c"][variant].into();
        }
        entry
    }

    fn outcome(&mut self) -> Value {
        let mut outcome = json!({
            "feature": "search", "model": format!("m{}", self.random.below(3)),
            "ok": self.random.one_in(2), "cost": self.random.below(1000) as f64 * 1.7e-5,
            "latency_ms": self.random.below(100_000) as f64 * 0.01,
        });
        outcome["id"] = self.id();
        if !self.random.one_in(4) {
            outcome["unit"] = self.unit().into();
        }
        outcome
    }

    fn request(&mut self) -> Request {
        let experiment = self.random.below(2);
        let key = self.random.one_in(6).then(|| format!("k{}", self.random.below(50)));
        match self.random.below(10) {
            0..5 => {
                let count = 1 + self.random.below(12);
                let entries: Vec<Value> = (0..count).map(|_| self.result()).collect();
                let entries = serde_json::from_value(json!(entries)).expect("results");
                Request::Results { experiment: name(&format!("e{experiment}")), entries, key }
            }
            5..7 => {
                let count = 1 + self.random.below(8);
                let outcomes: Vec<Value> = (0..count).map(|_| self.outcome()).collect();
                let outcomes = serde_json::from_value(json!(outcomes)).expect("outcomes");
                Request::Outcomes { outcomes, key }
            }
            7..9 => {
                let unit = self.unit();
                let variant = (unit.len() % 3) as u16;
                let at = Timestamp::from_millis(self.now);
                let exposure = Exposure { variant, epoch: 0, at, excluded: false };
                self.reference.exposed(self.number(experiment), &unit, exposure)
            }
            _ => Request::Forget { number: self.number(experiment), unit: self.unit() },
        }
    }

    /// Hands a group to the ledger; where it fails, finds out whether it took effect as a whole.
    fn group(&mut self, requests: &[Request]) {
        let now = Timestamp::from_millis(self.now);
        let core = self.core.as_mut().expect("open");
        let replies = core.apply(now, &self.board, requests);
        let failed =
            |reply: &Result<Reply, LedgerError>| matches!(reply, Err(LedgerError::Store(_)));
        if !replies.iter().any(failed) {
            let expected = self.reference.apply(now, &self.board, requests);
            assert_eq!(replies, expected, "seed {}", self.seed);
            return;
        }
        assert!(replies.iter().all(failed), "all of a group or nothing");
        if self.random.one_in(2) {
            self.disk.heal();
            // Where the power is gone nothing helps but a restart.
            let core = self.core.as_mut().expect("open");
            if core.apply(now, &self.board, &[]).is_empty() && core.flush_step().is_err() {
                self.restart();
            }
        } else {
            self.restart();
        }
        if !self.agree() {
            self.reference.apply(now, &self.board, requests);
            assert!(self.agree(), "seed {}: a group that failed is there in part", self.seed);
        }
    }

    fn restart(&mut self) {
        self.core = None;
        self.disk.crash(&mut self.random);
        self.core = Some(open(&self.disk).expect("opens after a crash"));
    }

    /// Whether sums, tallies and exposures are those of the reference.
    fn agree(&self) -> bool {
        let core = self.core.as_ref().expect("open");
        let is_same = (0..self.next_number).all(|number| {
            let (ours, theirs) = (core.sums(number), self.reference.sums(number));
            let json = |sums| serde_json::to_string(&sums).expect("encodes");
            ours == theirs && json(ours) == json(theirs)
        });
        let tallies = |core: &Core| serde_json::to_string(&*core.tallies()).expect("encodes");
        let is_known = |core: &Core, number: u32, unit: u64| {
            core.exposure(number, &format!("u{unit}")).expect("readable")
        };
        is_same
            && tallies(core) == tallies(&self.reference)
            && self.board.values().map(|in_force| in_force.state.number).all(|number| {
                (0..UNITS).all(|unit| {
                    is_known(core, number, unit) == is_known(&self.reference, number, unit)
                })
            })
    }

    fn drop_one(&mut self) {
        let experiment = self.random.below(2);
        let number = self.number(experiment);
        self.board.remove(&name(&format!("e{experiment}")));
        self.group(&[Request::Drop(number)]);
        // Whoever is told that it failed says it again; dropping twice is dropping once.
        self.group(&[Request::Drop(number)]);
        self.enlist(experiment);
    }

    fn step(&mut self) {
        self.now += 1 + self.random.below(1_000) as i64;
        if self.random.one_in(5) {
            let faults = [Fault::Eio, Fault::Enospc, Fault::PowerCut];
            let fault = faults[self.random.below(3) as usize];
            let after = self.random.below(40);
            self.disk.fail_after(after, fault);
        }
        match self.random.below(20) {
            0..13 => {
                let count = 1 + self.random.below(6);
                let requests: Vec<Request> = (0..count).map(|_| self.request()).collect();
                self.group(&requests);
            }
            13..16 => {
                // A step of a flush may fail, and is taken again later.
                let _ = self.core.as_mut().expect("open").flush_step();
            }
            16 => {
                let _ = self.core.as_mut().expect("open").flush();
            }
            17 if self.random.one_in(3) => self.drop_one(),
            17 | 18 => self.restart(),
            _ => self.disk.heal(),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.disk.heal();
        self.restart();
        assert!(self.agree(), "seed {}: after a restart", self.seed);
        self.core.as_mut().expect("open").flush().expect("flushes");
        assert!(self.agree(), "seed {}: after a flush", self.seed);
        self.restart();
        assert!(self.agree(), "seed {}: after a flush and a restart", self.seed);
    }
}

#[test]
fn what_was_acknowledged_counts_exactly_once_whatever_the_disk_does() {
    if let Ok(seed) = std::env::var("VEDETTE_SIM_SEED") {
        World::new(seed.parse().expect("a number")).run();
        return;
    }
    for seed in 0..SEEDS {
        World::new(seed).run();
    }
}
