//! Functions of instant vectors, and operators.

use super::super::expression::Expression;
use super::{DATES, EXACT_MAPS, Generator, LABELS, MAPS, QUANTILES};

impl Generator<'_> {
    pub(super) fn function(&mut self, depth: u32, exact: bool) -> Expression {
        let whole = Expression::vector();
        match self.random.below(12) {
            0 => {
                let bounds = self.random.pick(&["-2, 20", "5, 1", "NaN, 3", "-Inf, +Inf", "0, 0"]);
                whole
                    .text("clamp(")
                    .inner(self.vector(depth - 1, exact))
                    .text(format!(", {bounds})"))
            }
            1 => {
                let function = self.random.pick(&["clamp_min", "clamp_max"]);
                let bound = self.scalar(depth - 1, true);
                let inner = self.vector(depth - 1, exact);
                whole.text(format!("{function}(")).inner(inner).text(", ").inner(bound).text(")")
            }
            2 => {
                let to = self.random.pick(&["0.5", "10", "-2", "0.1", "0"]);
                whole.text("round(").inner(self.vector(depth - 1, true)).text(format!(", {to})"))
            }
            3 => {
                let inner = self.vector(depth - 1, exact);
                let rest = self.random.pick(&[
                    r#""copy", "$1-x", "instance", "(.*)""#,
                    r#""job", "${1}$2", "job", "(.)(.*)""#,
                    r#""instance", "same", "", """#,
                    r#""job", "", "job", "api""#,
                    r#""new", "$name", "instance", "(?P<name>[ab])""#,
                    r#""new", "x", "nothing", ".+""#,
                    r#""bad-name", "x", "job", "(""#,
                ]);
                whole.text("label_replace(").inner(inner).text(format!(", {rest})"))
            }
            4 => {
                let inner = self.vector(depth - 1, exact);
                let rest = self.random.pick(&[
                    r#""joined", "/", "job", "instance""#,
                    r#""job", "", "job", "nothing", "code""#,
                    r#""joined", ",""#,
                    r#""instance", "-", "job""#,
                ]);
                whole.text("label_join(").inner(inner).text(format!(", {rest})"))
            }
            5 => whole.text("absent(").inner(self.vector(depth - 1, exact)).text(")"),
            6 => {
                // Dates of times only: what Go makes of NaN as a time depends on the processor.
                let date = self.random.pick(DATES);
                let at = Expression::vector().text("timestamp(").inner(self.selector()).text(")");
                if self.random.one_in(2) {
                    return at;
                }
                whole.text(format!("{date}(")).inner(at).text(")")
            }
            7 => {
                let order = self.random.pick(&["sort", "sort_desc"]);
                whole.text(format!("{order}(")).inner(self.vector(depth - 1, exact)).text(")")
            }
            8 => whole.text("vector(").inner(self.scalar(depth - 1, true)).text(")"),
            9 if !exact => {
                let name = self.random.pick(MAPS);
                let inner = self.matrix_or_selector(depth);
                whole.text(format!("{name}(")).inner(inner).text(")").inexact()
            }
            _ => {
                let name = self.random.pick(EXACT_MAPS);
                whole.text(format!("{name}(")).inner(self.vector(depth - 1, true)).text(")")
            }
        }
    }

    /// Values of moderate size: no function of numbers makes more of a last bit than it is.
    fn matrix_or_selector(&mut self, depth: u32) -> Expression {
        let metric = self.random.pick(&["temperature", "up", "sparse", "odd", "shape"]);
        if depth > 1 && self.random.one_in(2) {
            return Expression::vector().text(format!("max_over_time({metric}[5m])"));
        }
        let whole = Expression::vector().text(metric);
        self.modified(whole)
    }

    pub(super) fn with_scalar(&mut self, depth: u32, exact: bool) -> Expression {
        let operators = ["+", "-", "*", "/", "%", ">", "<", "<= bool", ">= bool", "==", "!= bool"];
        let operator =
            if exact || self.random.one_in(2) { self.random.pick(&operators) } else { "*" };
        let number = match operator {
            "*" if !exact => Expression::scalar(self.random.pick(&["2", "-0.5", "8", "Inf"])),
            _ => self.scalar(depth - 1, true),
        };
        let inner = self.vector(depth - 1, exact || operator != "*");
        let inner = Expression::vector().text("(").inner(inner).text(")");
        let operator = format!(" {operator} ");
        let whole = Expression::vector();
        if self.random.one_in(2) {
            whole.inner(inner).text(operator).inner(number)
        } else {
            whole.inner(number).text(operator).inner(inner)
        }
    }

    pub(super) fn with_vector(&mut self, depth: u32, exact: bool) -> Expression {
        let whole = Expression::vector();
        let on = self.random.pick(LABELS);
        match self.random.below(8) {
            0..=2 => {
                let operator = self.random.pick(&["and", "or", "unless"]);
                let matching = match self.random.below(4) {
                    0 => format!(" on ({on})"),
                    1 => format!(" ignoring ({on})"),
                    2 => " on ()".to_owned(),
                    _ => String::new(),
                };
                let (left, right) = (self.vector(depth - 1, exact), self.vector(depth - 1, exact));
                whole
                    .text("(")
                    .inner(left)
                    .text(format!(") {operator}"))
                    .extra(matching)
                    .text(" (")
                    .inner(right)
                    .text(")")
            }
            3 => {
                let left = self.vector(depth - 1, true);
                let group = self.random.pick(&[
                    " group_left ()",
                    " group_left (version)",
                    " group_left (instance, job)",
                ]);
                let right = self.random.pick(&["build_info", "build_info{version!=\"2.0\"}"]);
                let operator = self.random.pick(&["*", "==", "+", "!= bool"]);
                let (left_side, right_side) = (left, Expression::vector().text(right));
                if self.random.one_in(3) {
                    let group = group.replace("left", "right");
                    return whole
                        .inner(right_side)
                        .text(format!(" {operator} on (instance){group} ("))
                        .inner(left_side)
                        .text(")");
                }
                whole
                    .text("(")
                    .inner(left_side)
                    .text(format!(") {operator} on (instance){group} "))
                    .inner(right_side)
            }
            4 | 5 => {
                // Fails where series are not unique: the same error is wanted.
                let operator = self.random.pick(&["+", "-", "*", "/", "%", ">", "<= bool", "=="]);
                let matching = match self.random.below(6) {
                    0 => format!(" on ({on})"),
                    1 => format!(" ignoring ({on})"),
                    2 => format!(" on ({on}) group_left ()"),
                    3 => format!(" ignoring ({on}) group_right ()"),
                    _ => String::new(),
                };
                let (left, right) = (self.vector(depth - 1, true), self.vector(depth - 1, true));
                whole
                    .text("(")
                    .inner(left)
                    .text(format!(") {operator}"))
                    .extra(matching)
                    .text(" (")
                    .inner(right)
                    .text(")")
            }
            _ => {
                let operator = self.random.pick(&["+", "-", "/", ">", "== bool"]);
                let grouping = self.grouping();
                let fold = self.random.pick(&["max", "min", "count"]);
                let (left, right) = (self.vector(depth - 1, true), self.vector(depth - 1, true));
                let left = self.grouped(fold, grouping.clone(), left);
                let right = self.grouped(fold, grouping, right);
                whole.inner(left).text(format!(" {operator} ")).inner(right)
            }
        }
    }

    pub(super) fn histogram(&mut self, depth: u32, exact: bool) -> Expression {
        let q = self.random.pick(QUANTILES);
        let whole = Expression::vector().text(format!("histogram_quantile({q}, "));
        let metric = self.random.pick(&["latency_bucket", "broken_bucket", "latency_bucket", "up"]);
        let range = self.random.pick(&["5m", "2m", "30m"]);
        let inner = match self.random.below(if exact { 3 } else { 5 }) {
            0 => Expression::vector().text(metric),
            1 => Expression::vector().text(format!("rate({metric}[{range}])")),
            2 => self.vector(depth - 1, true),
            _ => {
                let by = self.random.pick(&["le", "le, job", "le, job, instance", "le, shape"]);
                // Counts are whole numbers: their sums are exact, however they are added.
                return whole.text(format!("sum by ({by}) (sum_over_time({metric}[{range}])))"));
            }
        };
        whole.inner(inner).text(")")
    }
}
