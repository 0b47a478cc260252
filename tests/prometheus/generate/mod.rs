//! Expressions from a seed: everything that Prometheus 2.42 knows about floats.
//!
//! `exact` asks for an expression that both sides compute bit for bit alike. Whatever makes a
//! great difference of a small one (rounding, comparing, dividing) is only given such.

mod calls;

use super::expression::{Expression, Kind};
use super::random::Random;

const METRICS: &[&str] = &[
    "requests_total",
    "gappy_total",
    "temperature",
    "up",
    "load",
    "sparse",
    "latency_bucket",
    "broken_bucket",
    "shape",
    "odd",
    "build_info",
    "nothing",
];
const MATCHERS: &[&str] = &[
    "",
    "",
    "",
    r#"{job="api"}"#,
    r#"{job!="api"}"#,
    r#"{instance=~"a|b"}"#,
    r#"{instance!~"a.*"}"#,
    r#"{code="500"}"#,
    r#"{job=~".+",instance="a"}"#,
    r#"{nothing=""}"#,
    r#"{a=~"x.*|"}"#,
    r#"{code=~"4..",job!~"w[^e]b"}"#,
    r#"{kind!="nan"}"#,
];
const RANGES: &[&str] = &["1m", "5m", "10m", "90s", "20m", "45s", "1m30s", "1h"];
const LABELS: &[&str] = &[
    "job",
    "instance",
    "job, instance",
    "__name__",
    "__name__, job",
    "code",
    "le",
    "a",
    "b, a",
    "kind",
    "nothing",
    "shape",
];
const QUANTILES: &[&str] = &["0.5", "0.9", "0.25", "0", "1", "-1", "2", "NaN", "0.999"];

/// Of numbers both sides compute the same to the last bit.
const EXACT_MAPS: &[&str] = &["abs", "ceil", "floor", "round", "sgn", "sqrt", "deg", "rad"];
/// Go and Rust compute these themselves, and differ in the last bits.
const MAPS: &[&str] = &[
    "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh",
];
const DATES: &[&str] = &[
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];

pub(crate) struct Generator<'a> {
    random: &'a mut Random,
    /// Unix seconds of the data's begin and end.
    times: (i64, i64),
    /// How many subqueries are around.
    subqueries: u32,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(random: &'a mut Random, times: (i64, i64)) -> Self {
        Generator { random, times, subqueries: 0 }
    }

    /// An expression that gives a vector or a number. `depth` bounds how far it nests.
    pub(crate) fn expression(&mut self, depth: u32) -> Expression {
        if self.random.one_in(20) { self.scalar(depth, false) } else { self.vector(depth, false) }
    }

    fn scalar(&mut self, depth: u32, exact: bool) -> Expression {
        if depth == 0 || self.random.one_in(2) {
            let numbers = ["2", "0", "-1.5", "1e3", "0x1F", "Inf", "NaN", ".5", "time()", "pi()"];
            return Expression::scalar(self.random.pick(&numbers));
        }
        let expression = Expression::new(Kind::Scalar);
        match self.random.below(4) {
            0 => {
                let operator = self.random.pick(&["+", "-", "*", "/", "%", "^", "atan2"]);
                let exact = if matches!(operator, "^" | "atan2") {
                    expression.inexact()
                } else {
                    expression
                };
                let (left, right) = (self.scalar(depth - 1, true), self.scalar(depth - 1, true));
                let whole = exact
                    .text("(")
                    .inner(left)
                    .text(format!(" {operator} "))
                    .inner(right)
                    .text(")");
                if operator == "^" || operator == "atan2" {
                    // Small differences may go on growing: keep to the outside of everything.
                    return Expression::scalar("3");
                }
                whole
            }
            1 => {
                let operator = self.random.pick(&["==", "!=", ">", "<", ">=", "<="]);
                let (left, right) = (self.scalar(depth - 1, true), self.scalar(depth - 1, true));
                expression
                    .text("(")
                    .inner(left)
                    .text(format!(" {operator} bool "))
                    .inner(right)
                    .text(")")
            }
            2 => {
                let inner = self.selector();
                expression.text("scalar(").inner(inner).text(")")
            }
            _ => expression.text("scalar(").inner(self.vector(depth - 1, exact)).text(")"),
        }
    }

    pub(crate) fn vector(&mut self, depth: u32, exact: bool) -> Expression {
        if depth == 0 {
            return self.selector();
        }
        match self.random.below(16) {
            0 => self.selector(),
            1..=4 => self.over_range(depth, exact),
            5..=7 => self.aggregation(depth, exact),
            8 | 9 => self.function(depth, exact),
            10 => self.with_scalar(depth, exact),
            11..=13 => self.with_vector(depth, exact),
            14 => {
                let inner = self.vector(depth - 1, exact);
                Expression::vector().text("-(").inner(inner).text(")")
            }
            _ => self.histogram(depth, exact),
        }
    }

    fn selector(&mut self) -> Expression {
        let metric = self.random.pick(METRICS);
        let text = match self.random.below(30) {
            0 => r#"{__name__=~"up|load|sparse"}"#,
            1 => r#"{__name__="up"}"#,
            2 => r#"{job="api",__name__!~".*_total|.*bucket|temperature"}"#,
            _ => metric,
        };
        let whole = Expression::vector().text(text);
        let whole = if text == metric { self.matchers(whole) } else { whole };
        self.modified(whole)
    }

    fn matchers(&mut self, whole: Expression) -> Expression {
        let matchers = self.random.pick(MATCHERS);
        whole.extra(matchers)
    }

    /// An offset and `@`, sometimes.
    fn modified(&mut self, whole: Expression) -> Expression {
        let at = self.at();
        let offsets =
            ["", "", "", "", "", " offset 5m", " offset 70s", " offset -1m", " offset -90s"];
        let offset = self.random.pick(&offsets);
        if self.random.one_in(2) {
            whole.extra(offset).extra(at)
        } else {
            whole.extra(at).extra(offset)
        }
    }

    fn at(&mut self) -> String {
        if !self.random.one_in(10) {
            return String::new();
        }
        let (from, until) = self.times;
        let at = from + self.random.below((until - from) as u64) as i64;
        match self.random.below(4) {
            0 => " @ start()".to_owned(),
            1 => " @ end()".to_owned(),
            _ => format!(" @ {at}.5"),
        }
    }

    fn matrix(&mut self, depth: u32, exact: bool, metrics: &[&str]) -> Expression {
        let range = self.random.pick(RANGES);
        if depth < 2 || !self.random.one_in(4) {
            let whole = Expression::matrix().text(self.random.pick(metrics));
            let whole = self.matchers(whole).text(format!("[{range}]"));
            return self.modified(whole);
        }
        let resolution = self.random.pick(&["30s", "1m", "", "15s", "2m"]);
        let range = self.random.pick(&["5m", "10m", "3m", "20m"]);
        self.subqueries += 1;
        let inner = self.vector(depth - 2, exact);
        self.subqueries -= 1;
        let whole =
            Expression::matrix().text("(").inner(inner).text(format!(")[{range}:{resolution}]"));
        if self.subqueries > 0 {
            // Its steps and those of the one around both stand on whole seconds; windows are
            // open at the left in 3 only, so that no step may stand on an edge.
            return whole.text(self.random.pick(&[
                " offset 500ms",
                " offset -500ms",
                " offset 4m0s500ms",
            ]));
        }
        self.modified(whole)
    }

    fn over_range(&mut self, depth: u32, exact: bool) -> Expression {
        let whole = Expression::vector();
        match self.random.below(20) {
            0 | 1 => {
                let q = self.random.pick(QUANTILES);
                let matrix = self.matrix(depth, true, METRICS);
                whole.text(format!("quantile_over_time({q}, ")).inner(matrix).text(")")
            }
            2 => {
                let ahead = self.scalar(0, true);
                let matrix = self.matrix(depth, true, METRICS);
                whole.text("predict_linear(").inner(matrix).text(", ").inner(ahead).text(")")
            }
            3 => {
                let factors = ["0.5, 0.1", "0.01, 0.99", "0.9, 0.9", "0, 0.5", "0.5, 1"];
                let factors = self.random.pick(&factors);
                let matrix = self.matrix(depth, true, METRICS);
                whole
                    .text("double_exponential_smoothing(")
                    .inner(matrix)
                    .text(format!(", {factors})"))
            }
            4..=9 => {
                let function = self.random.pick(&["rate", "increase", "irate", "resets"]);
                let counters = ["requests_total", "latency_bucket", "gappy_total", "broken_bucket"];
                // Whole ranges of counters only: 2.42 extrapolates towards zero otherwise than 3
                // where a counter near zero is missing at the window's left.
                let plain = matches!(function, "rate" | "increase");
                let matrix = self.matrix(if plain { 0 } else { depth }, true, &counters);
                whole.text(format!("{function}(")).inner(matrix).text(")")
            }
            10 => {
                let function =
                    self.random.pick(&["avg_over_time", "stdvar_over_time", "stddev_over_time"]);
                if exact {
                    return self.selector();
                }
                let matrix = self.matrix(depth, true, METRICS);
                whole.text(format!("{function}(")).inner(matrix).text(")").inexact()
            }
            11 | 12 => {
                let function = self.random.pick(&[
                    "max_over_time",
                    "min_over_time",
                    "last_over_time",
                    "count_over_time",
                    "present_over_time",
                    "absent_over_time",
                ]);
                let matrix = self.matrix(depth, exact, METRICS);
                whole.text(format!("{function}(")).inner(matrix).text(")")
            }
            _ => {
                let function = self.random.pick(&[
                    "delta",
                    "idelta",
                    "deriv",
                    "changes",
                    "min_over_time",
                    "max_over_time",
                    "sum_over_time",
                    "count_over_time",
                    "last_over_time",
                    "present_over_time",
                    "absent_over_time",
                ]);
                let matrix = self.matrix(depth, true, METRICS);
                whole.text(format!("{function}(")).inner(matrix).text(")")
            }
        }
    }

    fn grouping(&mut self) -> String {
        let labels = self.random.pick(LABELS);
        match self.random.below(7) {
            0 | 1 => String::new(),
            2 => " by ()".to_owned(),
            3 => " without ()".to_owned(),
            4 => format!(" without ({labels})"),
            _ => format!(" by ({labels})"),
        }
    }

    fn aggregation(&mut self, depth: u32, exact: bool) -> Expression {
        let grouping = self.grouping();
        let whole = Expression::vector();
        match self.random.below(10) {
            0 => {
                let q = self.random.pick(QUANTILES);
                let inner = self.vector(depth - 1, true);
                whole
                    .text("quantile")
                    .extra(grouping)
                    .text(format!("({q}, "))
                    .inner(inner)
                    .text(")")
            }
            1 => {
                let inner = self.vector(depth - 1, true);
                let label = self.random.pick(&["value", "job", "new_label"]);
                whole
                    .text("count_values")
                    .extra(grouping)
                    .text(format!("(\"{label}\", "))
                    .inner(inner)
                    .text(")")
            }
            2 => {
                // No draws: which of equals is let through depends on how heaps are built.
                let operator = self.random.pick(&["topk", "bottomk"]);
                let count = self.random.pick(&["1", "2", "3", "0", "-1", "100", "1.9"]);
                let inner = self.matchers(Expression::vector().text("load"));
                whole
                    .text(operator)
                    .extra(grouping)
                    .text(format!("({count}, "))
                    .inner(self.modified(inner))
                    .text(")")
            }
            3..=5 => {
                let operator = self.random.pick(&["min", "max", "count", "group"]);
                let inner = self.vector(depth - 1, exact);
                self.grouped(operator, grouping, inner)
            }
            _ if exact => {
                let inner = self.vector(depth - 1, true);
                self.grouped("count", grouping, inner)
            }
            6 => {
                let operator = self.random.pick(&["stddev", "stdvar"]);
                let inner = self.vector(depth - 1, true);
                self.grouped(operator, grouping, inner).inexact()
            }
            _ => {
                let operator = self.random.pick(&["sum", "avg"]);
                let inner = self.vector(depth - 1, false);
                self.grouped(operator, grouping, inner).inexact()
            }
        }
    }

    /// With the grouping before or after the operand.
    fn grouped(&mut self, operator: &str, grouping: String, inner: Expression) -> Expression {
        let whole = Expression::vector().text(operator);
        if self.random.one_in(3) {
            return whole.text("(").inner(inner).text(")").extra(grouping);
        }
        whole.extra(grouping).text("(").inner(inner).text(")")
    }
}
