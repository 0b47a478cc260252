//! Runs the rules of a test over its series (`cmd/promtool/unittest.go`).

use crate::model::{Row, Timestamp, format_duration_ms};
use crate::promql::{self, Options, Value};
use crate::rules::alert::{Alert, AlertContext, AlertState};
use crate::rules::alert_rule::AlertRule;
use crate::rules::file::{Group, Rule, RuleFile};
use crate::rules::recording::{RuleError, reading, record, vector_of};
use crate::rules::state::GroupState;
use crate::rules::step::{AlertStates, Finding, Step, evaluate_step};
use crate::rules::template::{self, TemplateSample};

use super::compare;
use super::file::{TestFile, TestGroup};
use super::memory::Memory;

/// Evaluations of one test; a year of minutes.
const EVALUATIONS_MAX: i64 = 600_000;

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The test's name, or its place in the file.
    pub name: String,
    /// What is not as expected; empty if all is.
    pub failures: Vec<String>,
}

/// What came of all tests of a file.
pub type Outcome = Vec<TestResult>;

impl TestFile {
    /// Runs the tests whose name `wanted` accepts over the groups of the rule files.
    pub fn run(&self, files: &[RuleFile], wanted: &dyn Fn(&str) -> bool) -> Outcome {
        let mut groups: Vec<&Group> = files.iter().flat_map(|file| &file.groups).collect();
        // Groups that the order does not name count as the first of it, as in promtool.
        groups.sort_by_key(|group| {
            self.group_eval_order.iter().position(|name| *name == group.name).unwrap_or(0)
        });
        self.tests
            .iter()
            .filter(|test| wanted(&test.name))
            .map(|test| TestResult {
                name: match test.name.is_empty() {
                    true => format!("test at line {}", test.place.line),
                    false => test.name.clone(),
                },
                failures: Running::new(self, test, &groups).run(),
            })
            .collect()
    }
}

struct Running<'a> {
    file: &'a TestFile,
    test: &'a TestGroup,
    groups: Vec<(&'a Group, GroupState, Vec<AlertStates>)>,
    memory: Memory,
    failures: Vec<String>,
}

impl<'a> Running<'a> {
    fn new(file: &'a TestFile, test: &'a TestGroup, groups: &[&'a Group]) -> Self {
        let mut memory = Memory::default();
        for series in &test.series {
            for (step, value) in (0..).zip(&series.values) {
                if let Some(value) = value {
                    let after = test.interval_ms.saturating_mul(step);
                    let at = test.start.plus_millis(after);
                    memory.add(&series.labels, at.millis(), value.clone());
                }
            }
        }
        let groups = groups
            .iter()
            .map(|group| {
                let alerts = vec![AlertStates::default(); group.rules.len()];
                (*group, GroupState::new(group), alerts)
            })
            .collect();
        Running { file, test, groups, memory, failures: Vec::new() }
    }

    fn run(mut self) -> Vec<String> {
        let interval_ms = self.file.evaluation_interval_ms;
        let times = self.test.alerts.iter().map(|test| test.at_ms);
        let last_ms = times.chain(self.test.exprs.iter().map(|test| test.at_ms)).max().unwrap_or(0);
        if last_ms / interval_ms > EVALUATIONS_MAX {
            let message = format!(
                "needs more than {EVALUATIONS_MAX} evaluations; use a longer \
                                   evaluation_interval or earlier times"
            );
            return vec![message];
        }
        let mut after_ms = 0;
        while after_ms <= last_ms {
            let errors = self.evaluate(after_ms);
            if !errors.is_empty() {
                self.failures.extend(errors);
                return self.failures;
            }
            self.check_alerts(after_ms, after_ms + interval_ms);
            after_ms += interval_ms;
        }
        self.check_exprs();
        self.failures
    }

    /// Evaluates every group once; gives what failed.
    fn evaluate(&mut self, after_ms: i64) -> Vec<String> {
        let at = self.test.start.plus_millis(after_ms);
        let interval_ms = self.file.evaluation_interval_ms;
        let mut errors = Vec::new();
        for (group, state, alerts) in &mut self.groups {
            let offset_ms = group.query_offset_ms.unwrap_or(0);
            for (place, rule) in group.rules.iter().enumerate() {
                let asked_at = at.plus_millis(-offset_ms);
                let rows = evaluate_rule(
                    Evaluated { rule, group, test: self.test, at, offset_ms, interval_ms },
                    &self.memory,
                    &mut alerts[place],
                );
                match rows {
                    Ok(rows) => {
                        let rows = state.with_markers(place, rows, asked_at);
                        self.memory.add_rows(&rows);
                        state.note_written(place, &rows);
                    }
                    Err(error) => errors.push(format!(
                        "rule: {}, time: {}, err: {error}",
                        rule.name,
                        format_duration_ms(after_ms)
                    )),
                }
            }
        }
        errors
    }

    /// Compares alerts for times from `from_ms` up to `until_ms`, which the evaluation at
    /// `from_ms` decides.
    fn check_alerts(&mut self, from_ms: i64, until_ms: i64) {
        let due = self.test.alerts.iter().filter(|t| (from_ms..until_ms).contains(&t.at_ms));
        for test in due {
            let mut firing: Vec<&Alert> = Vec::new();
            for (group, _, alerts) in &self.groups {
                for (rule, states) in group.rules.iter().zip(alerts) {
                    if rule.is_alerting() && rule.name == test.name {
                        firing.extend(
                            states.active().filter(|a| a.clocks.state == AlertState::Firing),
                        );
                    }
                }
            }
            self.failures.extend(compare::alerts(test, &firing));
        }
    }

    fn check_exprs(&mut self) {
        for test in &self.test.exprs {
            let at = self.test.start.plus_millis(test.at_ms);
            let options = options(self.file.evaluation_interval_ms);
            let answer = promql::instant(&self.memory, &test.expr, at, &options)
                .map_err(|error| error.to_string())
                .and_then(|a| vector_of(a.value).map_err(|error| error.to_string()));
            match answer {
                Ok(got) => {
                    self.failures.extend(compare::samples(test, &got, self.file.fuzzy_compare));
                }
                Err(error) => self.failures.push(format!(
                    "expr: {:?}, time: {}, err: {error}",
                    test.query,
                    format_duration_ms(test.at_ms)
                )),
            }
        }
    }
}

fn options(interval_ms: i64) -> Options {
    Options { default_subquery_step_ms: interval_ms, ..Options::default() }
}

struct Evaluated<'a> {
    rule: &'a Rule,
    group: &'a Group,
    test: &'a TestGroup,
    at: Timestamp,
    offset_ms: i64,
    interval_ms: i64,
}

fn evaluate_rule(
    what: Evaluated<'_>,
    memory: &Memory,
    alerts: &mut AlertStates,
) -> Result<Vec<Row>, RuleError> {
    let Evaluated { rule, group, test, at, offset_ms, interval_ms } = what;
    let asked_at = at.plus_millis(-offset_ms);
    let options = options(interval_ms);
    let ask = |expr: &promql::Expr, at: Timestamp| -> Result<Value, RuleError> {
        promql::instant(memory, expr, at, &options)
            .map(|answer| answer.value)
            .map_err(|error| RuleError::Failed(error.to_string()))
    };
    let result = ask(&rule.expr, asked_at)?;
    if !rule.is_alerting() {
        return record(rule, result, asked_at, group.limit);
    }
    let query = |text: &str| -> Result<Vec<TemplateSample>, String> {
        let expr = promql::parse(text).map_err(|error| error.to_string())?;
        let found = ask(&expr, at).and_then(vector_of).map_err(|error| error.to_string())?;
        Ok(found
            .into_iter()
            .map(|sample| TemplateSample {
                value: match reading(&sample) {
                    crate::model::Reading::Float(value) => template::Value::Float(value),
                    crate::model::Reading::Histogram(histogram) => {
                        template::Value::Histogram(histogram)
                    }
                },
                labels: sample.labels,
            })
            .collect())
    };
    let context = AlertContext {
        external_labels: &test.external_labels,
        external_url: &test.external_url,
        query: &query,
    };
    let Some(rule) = AlertRule::of_file("", &group.name, group.limit, rule) else {
        return Err(RuleError::Failed("not an alerting rule".to_owned()));
    };
    let step = Step {
        at,
        query_offset_ms: offset_ms,
        interval_ms,
        finding: Finding::Result(result),
        settled: true,
    };
    let outcome = evaluate_step(&rule, alerts, step, &context);
    outcome.error.map_or(Ok(outcome.rows), Err)
}
