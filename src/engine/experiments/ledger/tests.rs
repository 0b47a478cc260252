//! On a file in a folder of its own; times are counted from 20 November 2026. Expected sums are
//! those of a ledger that never heard of what is taken out, or worked out by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::experiments::InForce;
use crate::model::{Epoch, ExperimentDefinition, ExperimentState, ExperimentStatus};
use crate::store::{DiskMedium, Store, StoreOptions, Table};
use crate::tsdb::TsdbOptions;

const START: i64 = 1_795_132_800_000;
const DAY_MS: i64 = 86_400_000;

pub(super) fn ms(offset: i64) -> Timestamp {
    Timestamp::from_millis(START + offset)
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(super) struct Bench {
    pub(super) core: Core,
    folder: tempfile::TempDir,
    board: BTreeMap<Name, Arc<InForce>>,
    pub(super) now: Timestamp,
}

pub(super) fn open(folder: &tempfile::TempDir) -> Core {
    let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let random = |bytes: &mut [u8]| {
        bytes.fill(7);
        Ok(())
    };
    Core::open(Arc::new(tsdb), random).expect("opens")
}

pub(super) fn definition() -> Value {
    json!({
        "name": "rank",
        "feature": "search",
        "variants": [
            {"name": "old", "traffic_weight": 1, "is_control": true},
            {"name": "new", "traffic_weight": 1},
        ],
        "metrics": [
            {"name": "bought", "estimator": "proportion", "better": "higher"},
            {"name": "spent", "better": "higher", "cap_high": 100},
            {"name": "latency_ms", "estimator": "quantile", "quantile": 0.9, "better": "lower"},
            {"name": "clicks", "estimator": "ratio", "better": "higher"},
        ],
        "forced": {"tester": "new"},
    })
}

pub(super) fn state(number: u32, status: ExperimentStatus) -> ExperimentState {
    let epoch = |from| Epoch { from: ms(from), weights: vec![1.0, 1.0], traffic_allocation: 100.0 };
    ExperimentState {
        number,
        status,
        started_at: Some(ms(0)),
        epochs: vec![epoch(0), epoch(DAY_MS)],
        ..ExperimentState::default()
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let core = open(&folder);
        let mut bench = Bench { core, folder, board: BTreeMap::new(), now: ms(1_000) };
        bench.stand(state(1, ExperimentStatus::Running));
        bench
    }

    fn stand(&mut self, state: ExperimentState) {
        let definition: ExperimentDefinition =
            serde_json::from_value(definition()).expect("a definition");
        let in_force = InForce::new(&definition, state).expect("in force");
        self.board.insert(name("rank"), Arc::new(in_force));
    }

    /// As after a crash: nothing but the file is left.
    pub(super) fn reopen(self) -> Bench {
        let Bench { core, folder, board, now } = self;
        drop(core);
        let core = open(&folder);
        Bench { core, folder, board, now }
    }

    pub(super) fn ask(&mut self, request: Request) -> Reply {
        self.core.apply(self.now, &self.board, &[request]).remove(0).expect("commits")
    }

    pub(super) fn send(&mut self, entries: Value) -> Taken {
        self.send_as(entries, None)
    }

    fn send_as(&mut self, entries: Value, key: Option<&str>) -> Taken {
        let entries = serde_json::from_value(entries).expect("results");
        let key = key.map(str::to_owned);
        match self.ask(Request::Results { experiment: name("rank"), entries, key }) {
            Reply::Taken(taken) => taken,
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self, outcomes: Value) -> Taken {
        let outcomes = serde_json::from_value(outcomes).expect("outcomes");
        match self.ask(Request::Outcomes { outcomes, key: None }) {
            Reply::Taken(taken) => taken,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn sums(&self) -> Sums {
        self.core.sums(1).map(|sums| (*sums).clone()).unwrap_or_default()
    }

    pub(super) fn units(&self) -> Vec<((u16, u16), u64)> {
        self.sums().units.into_iter().collect()
    }

    fn n(&self, place: (u16, u16, u16)) -> u64 {
        self.sums().cells.get(&place).map_or(0, |cell| cell.n())
    }
}

fn taken(accepted: u64, repeated: u64, left_out: u64) -> Taken {
    Taken { accepted, repeated, left_out, refused: vec![] }
}

fn refusals(taken: &Taken) -> Vec<&str> {
    taken.refused.iter().map(|(_, said)| said.as_str()).collect()
}

#[test]
fn several_results_of_a_unit_count_as_one_unit() {
    let mut bench = Bench::new();
    let sent = bench.send(json!([
        {"unit": "a", "variant": "new", "metric": "spent", "value": 10},
        {"unit": "a", "variant": "new", "metric": "spent", "value": 5},
        {"unit": "a", "metric": "bought", "value": 1},
        {"unit": "b", "variant": "old", "metric": "spent", "value": 15},
    ]));
    assert_eq!(sent, taken(4, 0, 0));
    let mut other = Bench::new();
    other.send(json!([
        {"unit": "x", "variant": "new", "metric": "spent", "value": 15},
        {"unit": "x", "variant": "new", "metric": "bought", "value": 1},
        {"unit": "y", "variant": "old", "metric": "spent", "value": 15},
    ]));
    let (mut ours, theirs) = (bench.sums(), other.sums());
    assert_eq!((ours.results, theirs.results), (4, 3));
    ours.results = 3;
    assert_eq!(ours, theirs);
    assert_eq!(bench.units(), [((0, 0), 1), ((0, 1), 1)]);
}

#[test]
fn a_unit_that_is_seen_in_two_variants_is_taken_out_and_counted() {
    let mut bench = Bench::new();
    bench.send(json!([{"unit": "a", "variant": "new", "metric": "spent", "value": 0.1}]));
    let before = bench.sums();
    bench.send(json!([{"unit": "b", "variant": "old", "metric": "spent", "value": 0.3}]));
    bench.send(json!([{"unit": "b", "metric": "latency_ms", "value": 1234.5}]));
    let sent = bench.send(json!([
        {"unit": "b", "variant": "new", "metric": "spent", "value": 7},
        {"unit": "b", "variant": "old", "metric": "spent", "value": 7},
    ]));
    assert_eq!(sent, taken(0, 0, 2));
    let mut after = bench.sums();
    assert_eq!(after.excluded, BTreeMap::from([(0, 1)]));
    after.excluded.clear();
    after.results = before.results;
    assert_eq!(after, before, "nothing of it is left in any sum");
    let found = bench.core.exposure(1, "b").expect("readable").expect("known");
    assert!(found.excluded && found.variant == 0);
}

#[test]
fn an_exposure_decides_and_another_variant_excludes() {
    let mut bench = Bench::new();
    let exposed = |variant, epoch| Exposure { variant, epoch, at: ms(5), excluded: false };
    for (unit, variant) in [("a", 0), ("b", 1), ("b", 1), ("a", 1)] {
        let request = bench.core.exposed(1, unit, exposed(variant, 0));
        bench.ask(request);
    }
    assert_eq!(bench.units(), [((0, 1), 1)]);
    assert_eq!(bench.sums().excluded, BTreeMap::from([(0, 1)]));
    // A result without a variant goes where the unit was exposed.
    assert_eq!(bench.send(json!([{"unit": "b", "metric": "spent", "value": 1}])), taken(1, 0, 0));
    assert_eq!(bench.n((0, 1, 1)), 1);
    // An experiment that nobody knows any more leaves no trace.
    let request = bench.core.exposed(9, "z", exposed(0, 0));
    bench.ask(request);
    assert_eq!(bench.core.sums(9), None);
}

#[test]
fn units_belong_to_the_epoch_in_which_they_were_first_seen() {
    let mut bench = Bench::new();
    bench.now = ms(DAY_MS + 10);
    bench.send(json!([
        {"unit": "late", "variant": "old", "metric": "spent", "value": 1},
        {"unit": "early", "variant": "old", "metric": "spent", "value": 1, "time": START + 3},
    ]));
    bench.send(json!([{"unit": "early", "metric": "bought", "value": 1}]));
    assert_eq!(bench.units(), [((0, 0), 1), ((1, 0), 1)]);
    assert_eq!((bench.n((0, 0, 0)), bench.n((1, 0, 0))), (1, 0));
}

#[test]
fn what_a_unit_did_is_forgotten_exactly() {
    let mut bench = Bench::new();
    bench.send(json!([{"unit": "a", "variant": "new", "metric": "spent", "value": 0.1}]));
    let before = bench.sums();
    bench.send(json!([
        {"unit": "b", "variant": "old", "metric": "spent", "value": 1e-300},
        {"unit": "b", "metric": "latency_ms", "value": 17.25},
        {"unit": "b", "metric": "clicks", "numerator": 3, "denominator": 7},
    ]));
    let forget = |unit: &str| Request::Forget { number: 1, unit: unit.to_owned() };
    assert_eq!(bench.ask(forget("b")), Reply::Forgotten(true));
    assert_eq!(bench.ask(forget("b")), Reply::Forgotten(false));
    let mut after = bench.sums();
    after.results = before.results;
    assert_eq!(after, before);
    // It is no more in the file either, and may come again as somebody new.
    bench.core.flush().expect("flushes");
    assert_eq!(bench.core.exposure(1, "b").expect("readable"), None);
    let sent = bench.send(json!([{"unit": "b", "variant": "new", "metric": "spent", "value": 2}]));
    assert_eq!(sent, taken(1, 0, 0));
    assert_eq!(bench.ask(forget("b")), Reply::Forgotten(true));
    let mut bench = bench.reopen();
    assert_eq!(bench.core.exposure(1, "b").expect("readable"), None);
    assert_eq!(bench.ask(forget("a")), Reply::Forgotten(true));
    bench.core.flush().expect("flushes");
    let mut nothing = bench.reopen().sums();
    nothing.results = 0;
    assert_eq!(nothing, Sums::default());
}

#[test]
fn results_are_refused_one_by_one_and_the_others_stay() {
    let mut bench = Bench::new();
    let sent = bench.send(json!([
        {"unit": "a", "variant": "new", "metric": "spent", "value": 1},
        {"unit": "a", "variant": "blue", "metric": "spent", "value": 1},
        {"unit": "a", "metric": "nothing", "value": 1},
        {"unit": "b", "metric": "spent", "value": 1},
        {"unit": "a", "metric": "bought", "value": 2},
        {"unit": "", "variant": "new", "metric": "spent", "value": 1},
        {"unit": "a", "metric": "spent", "value": 1, "count": 2},
        {"variant": "new", "metric": "spent", "value": 1, "count": 0},
        {"unit": "tester", "variant": "old", "metric": "spent", "value": 1},
        {"variant": "old", "metric": "spent", "value": 2, "count": 3},
    ]));
    assert_eq!((sent.accepted, sent.left_out), (2, 1));
    let places: Vec<usize> = sent.refused.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
    assert!(refusals(&sent)[0].contains("no variant \"blue\""), "{sent:?}");
    assert_eq!((bench.n((0, 1, 1)), bench.n((0, 0, 1))), (1, 3));
    let unknown = Request::Results { experiment: name("none"), entries: vec![], key: None };
    let reply = bench.core.apply(bench.now, &bench.board, &[unknown]).remove(0);
    assert_eq!(reply, Err(LedgerError::UnknownExperiment(name("none"))));
}

#[test]
fn results_without_a_unit_count_units_by_the_metric_that_has_most() {
    let mut bench = Bench::new();
    bench.send(json!([
        {"variant": "new", "metric": "spent", "value": 2, "count": 3},
        {"variant": "new", "metric": "bought", "value": 1, "count": 5},
        {"variant": "new", "metric": "bought", "value": 0, "count": 2},
        {"unit": "a", "variant": "new", "metric": "bought", "value": 0},
    ]));
    assert_eq!(bench.units(), [((0, 1), 8)]);
    bench.core.flush().expect("flushes");
    let mut bench = bench.reopen();
    bench.send(json!([{"variant": "new", "metric": "spent", "value": 2, "count": 5}]));
    assert_eq!(bench.units(), [((0, 1), 9)]);
}

#[test]
fn late_results_are_taken_of_units_that_were_enrolled() {
    let mut bench = Bench::new();
    let known = json!([{"unit": "a", "variant": "new", "metric": "spent", "value": 1}]);
    let fresh = json!([{"unit": "z", "variant": "new", "metric": "spent", "value": 1}]);
    let nameless = json!([{"variant": "new", "metric": "spent", "value": 1}]);
    bench.stand(state(1, ExperimentStatus::Draft));
    assert!(refusals(&bench.send(known.clone()))[0].contains("has not started"));
    bench.stand(state(1, ExperimentStatus::Running));
    assert_eq!(bench.send(known.clone()), taken(1, 0, 0));
    bench.stand(state(1, ExperimentStatus::Paused));
    assert_eq!(bench.send(known.clone()), taken(1, 0, 0));
    assert!(refusals(&bench.send(fresh.clone()))[0].contains("enrols nobody"));
    assert!(refusals(&bench.send(nameless))[0].contains("enrols nobody"));
    let ended =
        ExperimentState { ended_at: Some(ms(2_000)), ..state(1, ExperimentStatus::Completed) };
    bench.stand(ended.clone());
    // Seven days unless it says otherwise.
    bench.now = ms(2_000 + 7 * DAY_MS);
    assert_eq!(bench.send(known.clone()), taken(1, 0, 0));
    assert_eq!(bench.send(fresh).refused.len(), 1);
    bench.now = ms(2_001 + 7 * DAY_MS);
    assert!(refusals(&bench.send(known.clone()))[0].contains("took late results until"));
    bench.stand(ExperimentState { status: ExperimentStatus::Cancelled, ..ended });
    assert!(refusals(&bench.send(known))[0].contains("was cancelled"));
    assert_eq!(bench.sums().results, 3);
}

#[test]
fn what_was_seen_counts_once_over_restarts_too() {
    let mut bench = Bench::new();
    let one = json!([{"variant": "new", "metric": "spent", "value": 1, "id": "r1"}]);
    let two =
        json!([one[0], one[0], {"variant": "new", "metric": "spent", "value": 1, "id": "r2"}]);
    assert_eq!(bench.send(one.clone()), taken(1, 0, 0));
    assert_eq!(bench.send(two.clone()), taken(1, 2, 0));
    let keyed = json!([{"variant": "new", "metric": "spent", "value": 1}]);
    assert_eq!(bench.send_as(keyed.clone(), Some("k")), taken(1, 0, 0));
    assert_eq!(bench.tell(json!([{"feature": "search", "id": "r1"}])), taken(1, 0, 0));
    for flushes in [false, true] {
        if flushes {
            bench.core.flush().expect("flushes");
        }
        bench = bench.reopen();
        assert_eq!(bench.send(two.clone()), taken(0, 3, 0));
        assert_eq!(bench.send_as(keyed.clone(), Some("k")), taken(0, 1, 0));
        assert_eq!(bench.tell(json!([{"feature": "search", "id": "r1"}])), taken(0, 1, 0));
    }
    assert_eq!(bench.n((0, 1, 1)), 3);
    // After a day nobody remembers.
    bench.now = bench.now.plus_millis(IDS_KEPT_MS + 1);
    assert_eq!(bench.send(one), taken(1, 0, 0));
}

#[test]
fn an_outcome_feeds_its_tally_and_the_experiments_of_its_unit_in_one() {
    let mut bench = Bench::new();
    bench.send(json!([{"unit": "a", "variant": "new", "metric": "bought", "value": 0}]));
    let told = bench.tell(json!([
        // By its feature, as the unit was exposed.
        {"feature": "search", "unit": "a", "latency_ms": 20, "metrics": {"spent": 5}},
        // Nobody that we know: for the tally alone.
        {"feature": "search", "unit": "z", "latency_ms": 20},
        // By name, which exposes the unit.
        {"experiment": "rank", "variant": "old", "unit": "b", "latency_ms": 30},
        // Every call a unit of its own.
        {"experiment": "rank", "variant": "old", "latency_ms": 40},
        {"experiment": "nobody-knows", "variant": "old", "unit": "b"},
        {"experiment": "rank", "variant": "old", "unit": "c", "metrics": {"bought": 0.5}},
    ]));
    assert_eq!(told.accepted, 4);
    assert_eq!(told.refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((bench.n((0, 1, 2)), bench.n((0, 0, 2)), bench.n((0, 1, 1))), (1, 2, 1));
    assert_eq!(bench.core.exposure(1, "c").expect("readable"), None, "refused as a whole");
    let arms: Vec<_> = bench
        .core
        .tallies()
        .iter()
        .map(|(key, tally)| (key.experiment.clone(), key.variant.clone(), tally.count))
        .collect();
    let arm = |experiment: &str, variant: &str, count| (experiment.into(), variant.into(), count);
    assert_eq!(arms, [arm("rank", "old", 2), arm("", "", 1), arm("rank", "new", 1)]);
    // When it is over they are tallied all the same.
    bench.stand(state(1, ExperimentStatus::Cancelled));
    let before = bench.sums();
    let told = bench.tell(json!([{"experiment": "rank", "variant": "old", "unit": "b"}]));
    assert_eq!(told, taken(1, 0, 0));
    assert_eq!(bench.sums(), before);
}

#[test]
fn a_dropped_experiment_leaves_nothing_in_the_file() {
    let mut bench = Bench::new();
    for round in 0..300 {
        let unit = format!("u{round}");
        bench.send(json!([{"unit": unit, "variant": "new", "metric": "spent", "value": round}]));
    }
    bench.core.flush().expect("flushes");
    bench.send(json!([{"unit": "u1", "metric": "spent", "value": 1}]));
    bench.board.clear();
    assert_eq!(bench.ask(Request::Drop(1)), Reply::Done);
    assert_eq!(bench.core.sums(1), None);
    let mut bench = bench.reopen();
    assert_eq!(bench.core.sums(1), None);
    bench.core.flush().expect("flushes");
    let bench = bench.reopen();
    assert_eq!(bench.core.sums(1), None);
    let snapshot = bench.core.shared().store.read().expect("readable");
    let keys: Vec<u8> = snapshot
        .table(Table::Units)
        .expect("opens")
        .all()
        .expect("readable")
        .map(|entry| entry.expect("readable").key()[0])
        .collect();
    // The secret and the mark.
    assert_eq!(keys, [0, 5]);
    assert!(snapshot.table(Table::Ledger).expect("opens").is_empty().expect("readable"));
}
