//! An engine on a simulated disk, and what it should hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette::model::{Labels, MatchOp, Matcher, Timestamp};
use vedette::promql::{Hints, Samples, Selection, Source};
use vedette::store::{Medium, Store, StoreError, StoreOptions};
use vedette::tsdb::{Tsdb, TsdbError, TsdbOptions};

pub type Expected = BTreeMap<Labels, BTreeMap<i64, u64>>;

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).expect("valid labels")
}

pub fn series(number: u64) -> Labels {
    labels(&[("__name__", "m"), ("n", &number.to_string())])
}

pub fn open(medium: &(impl Medium + Clone + 'static)) -> Result<Arc<Tsdb>, TsdbError> {
    let options = StoreOptions { cache_bytes: 1 << 20 };
    let store = Store::open(Arc::new(medium.clone()), options, &|_| {})?;
    let (tsdb, report) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {})?;
    assert_eq!(report.damage, Vec::<String>::new());
    Ok(Arc::new(tsdb))
}

pub fn write(tsdb: &Tsdb, samples: &[(Labels, i64, u64)]) -> Result<(), TsdbError> {
    let mut builder = tsdb.batch();
    for (labels, at, bits) in samples {
        builder.push_labels(labels, Timestamp::from_millis(*at), f64::from_bits(*bits));
    }
    let batch = builder.finish();
    tsdb.write(&[batch])
}

pub fn everything() -> Selection {
    Selection {
        matchers: vec![Matcher::new("__name__", MatchOp::Regex, ".+").expect("valid")],
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        hints: Hints::default(),
    }
}

pub fn read(tsdb: &Arc<Tsdb>, selection: &Selection) -> Result<Expected, StoreError> {
    let reader = tsdb.reader()?;
    let mut cursor = reader.select(selection).map_err(|e| StoreError::Read(e.to_string()))?;
    let mut samples = Samples::default();
    let mut out = Expected::new();
    loop {
        let next = cursor.next(&mut samples).map_err(|e| StoreError::Read(e.to_string()))?;
        let Some(labels) = next else { break };
        assert!(samples.times.windows(2).all(|pair| pair[0] < pair[1]), "times rise");
        let bits = samples.values.iter().map(|value| value.to_bits());
        let found = samples.times.iter().copied().zip(bits).collect();
        assert!(out.insert(labels, found).is_none(), "each label set comes once");
    }
    Ok(out)
}

pub fn read_all(tsdb: &Arc<Tsdb>) -> Expected {
    read(tsdb, &everything()).expect("reads")
}
