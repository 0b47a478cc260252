//! The same data in both, the same queries to both, the same answers from both.
//!
//! Where Prometheus 3 and Debian's 2.42 differ, the data or the queries keep away:
//! - windows and lookback are left-open in 3 (no sample stands on an edge, see `generate`);
//! - `sum` and `avg` add with compensation in 3 and plainly in 2.42, hence the tolerance of 1e-9;
//! - a counter is extrapolated otherwise across gaps (`rate` and `increase` see none);
//! - the deviation of a single infinity or NaN is NaN in 3 and 0 in 2.42 (`known`);
//! - the name is dropped at the end in 3 and at once in 2.42 (no query groups by `__name__`).

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::generate::{self, Random, STEP_MS};
use super::peer::{Prometheus, Series, ask, write};
use super::process::Daemon;

const QUERIES: u64 = 600;
const STEPS: i64 = 400;

/// Series by their labels; values by their time.
type Result = BTreeMap<String, Vec<(String, f64)>>;

fn result(answer: &Value) -> Result {
    let parse = |value: &Value| -> (String, f64) {
        (value[0].to_string(), value[1].as_str().and_then(|v| v.parse().ok()).expect("a value"))
    };
    let kind = answer["data"]["resultType"].as_str().expect("a type");
    let data = &answer["data"]["result"];
    if kind == "scalar" {
        return Result::from([("scalar".to_owned(), vec![parse(data)])]);
    }
    let series = data.as_array().expect("a list").iter().map(|one| {
        let labels: BTreeMap<String, String> =
            serde_json::from_value(one["metric"].clone()).expect("labels");
        let values = match one.get("values") {
            Some(values) => values.as_array().expect("a list").iter().map(parse).collect(),
            None => vec![parse(&one["value"])],
        };
        (format!("{labels:?}"), values)
    });
    series.collect()
}

/// Equal, or apart by no more than additions in another order explain; where they cancel each
/// other out, that is what is left of values of about 1.
fn close(a: f64, b: f64) -> bool {
    let greater = a.abs().max(b.abs());
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * greater || greater < 1e-12
}

/// A difference that 3 made on purpose.
fn known(query: &str, ours: f64, theirs: f64) -> bool {
    (query.contains("stddev") || query.contains("stdvar")) && ours.is_nan() && theirs == 0.0
}

/// The first difference, for people.
fn difference(query: &str, ours: &Value, theirs: &Value) -> Option<String> {
    if theirs["status"] != "success" || ours["status"] != "success" {
        let same = ours["status"] == theirs["status"] && ours["errorType"] == theirs["errorType"];
        return (!same).then(|| format!("ours {ours:.300}, theirs {theirs:.300}"));
    }
    let (ours, theirs) = (result(ours), result(theirs));
    for labels in ours.keys().chain(theirs.keys()) {
        let (Some(a), Some(b)) = (ours.get(labels), theirs.get(labels)) else {
            let side = if ours.contains_key(labels) { "only ours" } else { "only theirs" };
            return Some(format!("{labels}: {side}"));
        };
        if a.len() != b.len() {
            return Some(format!("{labels}: {} values, theirs {}", a.len(), b.len()));
        }
        for (a, b) in a.iter().zip(b) {
            if a.0 != b.0 || !(close(a.1, b.1) || known(query, a.1, b.1)) {
                return Some(format!("{labels}: ours {a:?}, theirs {b:?}"));
            }
        }
    }
    None
}

#[test]
fn generated_queries_are_answered_as_prometheus_answers_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let prometheus = Prometheus::start(directory.path(), "global: {scrape_interval: 1h}\n");
    let seed = std::env::var("VEDETTE_DIFFERENTIAL_SEED").ok();
    let seed: u64 = seed.map_or(1, |text| text.parse().expect("a number"));
    let mut random = Random(seed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let start = (now / STEP_MS - STEPS) * STEP_MS;
    let data = generate::data(&mut random, start, STEPS);
    // Time by time: Prometheus takes nothing that is an hour behind the newest.
    for slice in 0..STEPS / 100 {
        let (from, until) = (start + slice * 100 * STEP_MS, start + (slice + 1) * 100 * STEP_MS);
        let within = |at: i64| (from..until).contains(&at);
        let part: Vec<Series> = data
            .iter()
            .map(|(labels, samples)| {
                (labels.clone(), samples.iter().copied().filter(|(at, _)| within(*at)).collect())
            })
            .collect();
        write(daemon.address, &part);
        write(prometheus.address, &part);
    }
    // No window reaches before the data: 3 extrapolates counters otherwise there as well.
    // At half seconds, so that no step of a subquery stands on the edge of its window.
    let seconds = |ms: i64| format!("{}.5", ms / 1000);
    let (from, until) = (seconds(start + 3_600_000), seconds(start + STEPS * STEP_MS - 300_000));
    let mut answered = 0;
    let mut failures = Vec::new();
    for _ in 0..QUERIES {
        let query = generate::query(&mut random, 3);
        let range = random.below(2) == 0;
        let (path, form) = if range {
            let form =
                vec![("query", query.as_str()), ("start", &from), ("end", &until), ("step", "73")];
            ("/api/v1/query_range", form)
        } else {
            ("/api/v1/query", vec![("query", query.as_str()), ("time", &until)])
        };
        let ours = ask(daemon.address, path, &form);
        let theirs = ask(prometheus.address, path, &form);
        answered += u32::from(theirs["status"] == "success");
        if let Some(what) = difference(&query, &ours, &theirs) {
            failures.push(format!("{query}\n    {what}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ, seed {seed}:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(u64::from(answered) > QUERIES / 2, "only {answered} queries were valid");
}
