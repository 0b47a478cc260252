//! Test files as data.

use crate::model::{Histogram, Labels, Timestamp};
use crate::promql::{self, NotedSeries};
use crate::rules::yaml::{Fault, Keys, Node, Place, read};

/// One test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Its name, as the user gave it.
    pub name: String,
    /// Patterns of rule files, relative to the test file.
    pub rule_files: Vec<String>,
    /// Milliseconds between evaluations.
    pub evaluation_interval_ms: i64,
    /// Groups that come first, in this order.
    pub group_eval_order: Vec<String>,
    /// Whether the last bit of numbers is ignored.
    pub fuzzy_compare: bool,
    /// The tests.
    pub tests: Vec<TestGroup>,
}

/// Series and what is expected of the rules over them.
#[derive(Clone, Debug)]
pub struct TestGroup {
    /// Its name; may be empty.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Milliseconds between the samples of a series.
    pub interval_ms: i64,
    pub(super) series: Vec<NotedSeries>,
    pub(super) external_labels: Labels,
    pub(super) external_url: String,
    /// The time of the first sample.
    pub(super) start: Timestamp,
    pub(super) alerts: Vec<AlertTest>,
    pub(super) exprs: Vec<ExprTest>,
}

#[derive(Clone, Debug)]
pub(super) struct AlertTest {
    pub(super) at_ms: i64,
    pub(super) name: String,
    pub(super) expected: Vec<ExpectedAlert>,
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) struct ExpectedAlert {
    pub(super) labels: Labels,
    pub(super) annotations: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct ExprTest {
    pub(super) at_ms: i64,
    pub(super) query: String,
    pub(super) expr: promql::Expr,
    pub(super) expected: Vec<ExpectedSample>,
}

#[derive(Clone, Debug)]
pub(super) struct ExpectedSample {
    pub(super) labels: Labels,
    pub(super) value: f64,
    pub(super) histogram: Option<Histogram>,
}

/// promtool's default.
const EVALUATION_INTERVAL_MS: i64 = 60_000;

const FILE_KEYS: &[&str] =
    &["rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests"];
const GROUP_KEYS: &[&str] = &[
    "name",
    "interval",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "start_timestamp",
];

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    ///
    /// The first fault, with its place.
    pub fn parse(name: &str, text: &str) -> Result<TestFile, Fault> {
        let mut file = TestFile {
            name: name.to_owned(),
            rule_files: Vec::new(),
            evaluation_interval_ms: EVALUATION_INTERVAL_MS,
            group_eval_order: Vec::new(),
            fuzzy_compare: false,
            tests: Vec::new(),
        };
        let Some(root) = read(text)? else { return Ok(file) };
        let keys = Keys::of(&root, "a test file", FILE_KEYS)?;
        file.rule_files = texts(&keys, "rule_files")?;
        file.group_eval_order = texts(&keys, "group_eval_order")?;
        for (place, group) in file.group_eval_order.iter().enumerate() {
            if file.group_eval_order[..place].contains(group) {
                let message = format!("group name repeated in evaluation order: {group}");
                return Err(root.fault(message));
            }
        }
        if let Some(ms) = keys.duration_ms("evaluation_interval")?.filter(|ms| *ms > 0) {
            file.evaluation_interval_ms = ms;
        }
        file.fuzzy_compare = match keys.text("fuzzy_compare")?.as_str() {
            "" | "false" => false,
            "true" => true,
            other => return Err(root.fault(format!("fuzzy_compare: {other:?}; use true or false"))),
        };
        for node in items(&keys, "tests")? {
            file.tests.push(read_test(node, file.evaluation_interval_ms)?);
        }
        Ok(file)
    }
}

fn items<'n>(keys: &Keys<'n>, name: &str) -> Result<&'n [Node], Fault> {
    keys.get(name).map_or(Ok(&[]), |node| node.list(name))
}

fn texts(keys: &Keys<'_>, name: &str) -> Result<Vec<String>, Fault> {
    items(keys, name)?.iter().map(|node| node.text(name)).collect()
}

fn read_test(node: &Node, default_interval_ms: i64) -> Result<TestGroup, Fault> {
    let keys = Keys::of(node, "a test", GROUP_KEYS)?;
    let interval_ms = keys.duration_ms("interval")?.filter(|ms| *ms > 0);
    let mut series = Vec::new();
    for one in items(&keys, "input_series")? {
        series.push(read_series(one)?);
    }
    let start = match keys.get("start_timestamp") {
        None => Timestamp::from_millis(0),
        Some(node) => read_time(&node.text("start_timestamp")?)
            .ok_or_else(|| node.fault("start_timestamp: write Unix seconds or RFC 3339"))?,
    };
    let mut alerts = Vec::new();
    for one in items(&keys, "alert_rule_test")? {
        alerts.push(read_alert_test(one)?);
    }
    let mut exprs = Vec::new();
    for one in items(&keys, "promql_expr_test")? {
        exprs.push(read_expr_test(one)?);
    }
    Ok(TestGroup {
        name: keys.text("name")?,
        place: node.place,
        interval_ms: interval_ms.unwrap_or(default_interval_ms),
        series,
        external_labels: labels(keys.get("external_labels"))?,
        external_url: keys.text("external_url")?,
        start,
        alerts,
        exprs,
    })
}

fn read_series(node: &Node) -> Result<NotedSeries, Fault> {
    let keys = Keys::of(node, "a series", &["series", "values"])?;
    let (metric, values) = (keys.text("series")?, keys.text("values")?);
    // An empty list of values gives a series without samples.
    let values = if values.trim().is_empty() { "_".to_owned() } else { values };
    promql::parse_series(&format!("{metric} {values}")).map_err(|error| {
        let place = keys.get("values").map_or(node.place, |values| values.place);
        Fault::new(place, format!("series {metric:?}: {}", error.message))
    })
}

/// Unix seconds with a fraction, or RFC 3339.
fn read_time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).round();
        return millis.is_finite().then(|| Timestamp::from_millis(millis as i64));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

fn labels(node: Option<&Node>) -> Result<Labels, Fault> {
    let Some(node) = node else { return Ok(Labels::empty()) };
    let pairs = node.texts("labels")?;
    Labels::from_pairs(pairs.iter().map(|(name, value, _)| (name, value)))
        .map_err(|error| node.fault(error.to_string()))
}

fn eval_time(keys: &Keys<'_>) -> Result<i64, Fault> {
    Ok(keys.duration_ms("eval_time")?.unwrap_or(0))
}

fn read_alert_test(node: &Node) -> Result<AlertTest, Fault> {
    let keys = Keys::of(node, "an alert test", &["eval_time", "alertname", "exp_alerts"])?;
    let at_ms = eval_time(&keys)?;
    let name = keys.text("alertname")?;
    if name.is_empty() {
        let at = crate::model::format_duration_ms(at_ms);
        return Err(node.fault(format!(
            "an item under alert_rule_test misses required attribute alertname at eval_time {at}"
        )));
    }
    let mut expected = Vec::new();
    for one in items(&keys, "exp_alerts")? {
        let keys = Keys::of(one, "an expected alert", &["exp_labels", "exp_annotations"])?;
        let given = labels(keys.get("exp_labels"))?;
        let mut builder = crate::model::LabelsBuilder::new(&given);
        builder.set("alertname", &name);
        let labels = builder.build().map_err(|error| one.fault(error.to_string()))?;
        let mut annotations = match keys.get("exp_annotations") {
            Some(node) => node.texts("exp_annotations")?,
            None => Vec::new(),
        };
        annotations.sort();
        let annotations = annotations.into_iter().map(|(name, text, _)| (name, text)).collect();
        expected.push(ExpectedAlert { labels, annotations });
    }
    Ok(AlertTest { at_ms, name, expected })
}

fn read_expr_test(node: &Node) -> Result<ExprTest, Fault> {
    let keys = Keys::of(node, "an expression test", &["expr", "eval_time", "exp_samples"])?;
    let query = keys.text("expr")?;
    let place = keys.get("expr").map_or(node.place, |expr| expr.place);
    let expr = promql::parse(&query)
        .map_err(|error| Fault::new(place, format!("expr {query:?}: {error}")))?;
    let mut expected = Vec::new();
    for one in items(&keys, "exp_samples")? {
        let keys = Keys::of(one, "an expected sample", &["labels", "value", "histogram"])?;
        let written = keys.text("labels")?;
        // The notation of series with a value that is none: labels alone have no reader.
        let written = if written.is_empty() { "{}".to_owned() } else { written };
        let noted = promql::parse_series(&format!("{written} _"))
            .map_err(|error| one.fault(format!("labels {written:?}: {}", error.message)))?;
        let value = match keys.text("value")?.as_str() {
            "" => 0.0,
            text => read_number(text)
                .ok_or_else(|| one.fault(format!("value: {text:?} is not a number")))?,
        };
        let histogram = match keys.text("histogram")?.as_str() {
            "" => None,
            text => Some(
                promql::parse_histogram(text)
                    .map_err(|error| one.fault(format!("histogram: {}", error.message)))?,
            ),
        };
        expected.push(ExpectedSample { labels: noted.labels, value, histogram });
    }
    Ok(ExprTest { at_ms: eval_time(&keys)?, query, expr, expected })
}

/// Numbers as YAML has them.
fn read_number(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        hex if hex.starts_with("0x") => i64::from_str_radix(&hex[2..], 16).ok().map(|n| n as f64),
        other => other.replace('_', "").parse().ok(),
    }
}
