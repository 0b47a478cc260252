//! Limits of evaluation: samples held, stopping from outside, expressions of any depth.

#[path = "promql/memory.rs"]
mod memory;

use memory::Memory;
use vedette::model::{Labels, Timestamp};
use vedette::promql::{self, Options, QueryError, Value};

fn memory(series: usize, samples: i64) -> Memory {
    let mut memory = Memory::default();
    for number in 0..series {
        let number = number.to_string();
        let labels =
            Labels::from_pairs([("__name__", "m"), ("n", number.as_str())]).expect("valid labels");
        for at in 0..samples {
            memory.add(&labels, at * 1000, at as f64);
        }
    }
    memory.sort();
    memory
}

fn range(memory: &Memory, text: &str, options: &Options) -> Result<promql::Answer, QueryError> {
    let expr = promql::parse(text).expect("valid");
    let at = Timestamp::from_millis;
    promql::range(memory, &expr, at(0), at(99_000), 1000, options)
}

#[test]
fn too_many_samples_are_refused_in_prometheus_words() {
    let memory = memory(20, 100);
    let options = Options { max_samples: 1000, ..Options::default() };
    let error = range(&memory, "m", &options).expect_err("2000 values");
    // Prometheus says no more than this.
    let text = error.to_string();
    let theirs = "query processing would load too many samples into memory in query execution";
    assert!(text.starts_with(theirs), "{text}");
    // A sum holds its group, not its input.
    let answer = range(&memory, "sum(m)", &options).expect("few are held");
    assert_eq!(answer.samples_read, 2000);
    assert!(answer.samples_peak <= 400, "{}", answer.samples_peak);
}

#[test]
fn the_selector_that_read_most_is_to_blame_for_too_many_samples() {
    let mut memory = memory(20, 100);
    let labels = Labels::from_pairs([("__name__", "few")]).expect("valid labels");
    memory.add(&labels, 0, 1.0);
    memory.sort();
    let options = Options { max_samples: 1000, ..Options::default() };
    let query = "few +\n  on () sum by (n) (sum_over_time(m{n!=\"x\"}[5s]))";
    let error = range(&memory, query, &options).expect_err("20 groups of 100 steps");
    let text = error.located(query).to_string();
    // The selector stands on the second line, after `  on () sum by (n) (sum_over_time(`.
    assert!(text.contains("most of them by m{n!=\"x\"} (2:35), which had read "), "{text}");
    assert!(text.contains("when the 1000 that may be held at once were exceeded"), "{text}");
    assert!(text.ends_with("or raise query.max_samples"), "{text}");
}

#[test]
fn more_steps_than_samples_allowed_are_refused_before_anything_is_allocated() {
    let memory = memory(1, 1);
    let expr = promql::parse("max_over_time(m[100y:1ms])").expect("valid");
    let at = Timestamp::from_millis(0);
    let error = promql::instant(&memory, &expr, at, &Options::default());
    let text = error.expect_err("too many steps").to_string();
    assert!(text.contains("its steps alone are more than"), "{text}");
}

#[test]
fn a_stopped_query_ends_with_its_reason() {
    let memory = memory(3, 3);
    let options = Options::default();
    options.stop.cancel();
    options.stop.time_out();
    assert_eq!(range(&memory, "m", &options), Err(QueryError::Cancelled));
    let options = Options::default();
    options.stop.time_out();
    let error = range(&memory, "sum(rate(m[5s]))", &options).expect_err("timed out");
    assert_eq!(error.to_string(), "query timed out in expression evaluation");
}

#[test]
fn parameters_of_a_range_are_checked() {
    let memory = memory(1, 1);
    let expr = promql::parse("m").expect("valid");
    let at = Timestamp::from_millis;
    let ask = |start, end, step| {
        promql::range(&memory, &expr, at(start), at(end), step, &Options::default())
    };
    assert!(matches!(ask(0, 1, 0), Err(QueryError::BadData(_))));
    assert!(matches!(ask(1, 0, 1), Err(QueryError::BadData(_))));
    assert!(matches!(ask(i64::MIN, i64::MAX, 1), Err(QueryError::TooManySamples(_))));
    assert!(ask(0, 0, 1).is_ok());
}

#[test]
fn the_highest_allowed_expressions_fit_into_a_small_stack() {
    let memory = memory(1, 1);
    let at = Timestamp::from_millis(0);
    for text in [
        "m".to_owned() + &" or m".repeat(195),
        "m".to_owned() + &" + m".repeat(195),
        "abs(".repeat(95) + "m" + &")".repeat(95),
        "sum(".repeat(95) + "m" + &")".repeat(95),
        "max_over_time(".repeat(45) + "m" + &"[1m:1m])".repeat(45),
    ] {
        let expr = promql::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(promql::parse(&expr.to_string()).as_ref().ok(), Some(&expr));
        let answer = promql::instant(&memory, &expr, at, &Options::default()).expect("an answer");
        assert!(matches!(answer.value, Value::Vector(_)));
    }
}
