//! Writes expressions back as text, in the form of `promql/parser/printer.go`.

use std::fmt::{self, Display, Formatter};

use crate::model::{
    Labels, METRIC_NAME, MatchOp, Matcher, format_duration_ms, is_classic_label_name,
};

use super::ast::{
    Aggregate, At, Binary, Cardinality, DurationExpr, Expr, MatrixSelector, NumberLiteral,
    Subquery, VectorSelector,
};
use super::quote::quote;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(number) => number.fmt(f),
            Expr::String(string) => f.write_str(&quote(&string.value)),
            Expr::Vector(selector) => {
                write_matchers(selector, f)?;
                write_at(selector.at, f)?;
                write_ends(selector, f)?;
                write_offset(&selector.offset_expr, selector.offset_ms, f)
            }
            Expr::Matrix(matrix) => {
                write_matchers(&matrix.selector, f)?;
                matrix.fmt(f)
            }
            Expr::Subquery(subquery) => {
                subquery.expr.fmt(f)?;
                subquery.fmt(f)
            }
            Expr::Aggregate(aggregate) => aggregate.fmt(f),
            Expr::Binary(binary) => binary.fmt(f),
            Expr::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                for (place, arg) in call.args.iter().enumerate() {
                    let comma = if place > 0 { ", " } else { "" };
                    write!(f, "{comma}{arg}")?;
                }
                f.write_str(")")
            }
            Expr::Paren(paren) => write!(f, "({})", paren.expr),
            Expr::Unary(unary) => {
                write!(f, "{}{}", if unary.negative { "-" } else { "+" }, unary.expr)
            }
        }
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            return f.write_str(&format_duration_ms((self.value * 1000.0).round() as i64));
        }
        f.write_str(&format_value(self.value))
    }
}

/// Labels as Go prints them, the name inside the braces.
pub(super) fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// A value as Go's `strconv.FormatFloat(v, 'f', -1, 64)` writes it: the shortest form that reads
/// back exactly, without an exponent.
pub(super) fn format_value(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

/// A value as Go's `%v` and `%g` write it: the shortest form, with an exponent below 1e-4 and from
/// 1e6 on (`strconv/ftoa.go`).
pub(super) fn format_short(value: f64) -> String {
    let exponent = format!("{value:e}");
    let Some((digits, exponent)) = exponent.split_once('e') else { return format_value(value) };
    match exponent.parse::<i32>() {
        Ok(e) if !(-4..6).contains(&e) => {
            let sign = if e < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", e.abs())
        }
        _ => format_value(value),
    }
}

/// A value as Go's `%.Ng` writes it: so many significant digits, zeros at the end left out.
pub(super) fn format_rounded(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let Some((mantissa, exponent)) = rounded.split_once('e') else { return format_value(value) };
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    match exponent.parse::<i32>() {
        Ok(e) if e < -4 || e >= digits.max(1) as i32 => {
            let sign = if e < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", e.abs())
        }
        // Reading the rounded digits gives a number whose shortest form is those digits.
        _ => format_value(rounded.parse().unwrap_or(value)),
    }
}

/// A duration as it is written: the expression, or the milliseconds.
fn duration(expr: &Option<Box<DurationExpr>>, millis: i64) -> String {
    expr.as_ref().map_or_else(|| format_duration_ms(millis), |expr| expr.to_string())
}

/// `[5m] anchored @ 1.000 offset 1m`: what stands behind the selector.
impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", duration(&self.range_expr, self.range_ms))?;
        write_ends(&self.selector, f)?;
        write_at(self.selector.at, f)?;
        write_offset(&self.selector.offset_expr, self.selector.offset_ms, f)
    }
}

/// `[1h:5m] @ 1.000 offset 1m`: what stands behind the expression.
impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let step = match (&self.step_expr, self.step_ms) {
            (Some(expr), _) => expr.to_string(),
            (None, millis) => millis.map(format_duration_ms).unwrap_or_default(),
        };
        write!(f, "[{}:{step}]", duration(&self.range_expr, self.range_ms))?;
        write_at(self.at, f)?;
        write_offset(&self.offset_expr, self.offset_ms, f)
    }
}

fn write_ends(selector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(match (selector.anchored, selector.smoothed) {
        (true, _) => " anchored",
        (false, true) => " smoothed",
        (false, false) => "",
    })
}

fn write_at(at: Option<At>, f: &mut Formatter<'_>) -> fmt::Result {
    match at {
        // Whole milliseconds written by hand: a float would lose digits of large times.
        Some(At::Time(ms)) => {
            let sign = if ms < 0 { "-" } else { "" };
            let ms = ms.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", ms / 1000, ms % 1000)
        }
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(
    expr: &Option<Box<DurationExpr>>,
    offset_ms: i64,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    if expr.is_none() && offset_ms == 0 {
        return Ok(());
    }
    write!(f, " offset {}", duration(expr, offset_ms))
}

fn write_matchers(selector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    let name = selector.name.as_deref();
    f.write_str(name.unwrap_or(""))?;
    let is_the_name = |m: &Matcher| {
        m.name() == METRIC_NAME && m.op() == MatchOp::Equal && Some(m.value()) == name
    };
    let mut parts: Vec<String> =
        selector.matchers.iter().filter(|m| !is_the_name(m)).map(matcher_text).collect();
    if parts.is_empty() && name.is_some() {
        return Ok(());
    }
    parts.sort_unstable();
    write!(f, "{{{}}}", parts.join(","))
}

fn matcher_text(matcher: &Matcher) -> String {
    format!("{}{}{}", label_text(matcher.name()), matcher.op().as_str(), quote(matcher.value()))
}

fn label_text(name: &str) -> String {
    // `inf` and `nan` read as numbers in a list of labels.
    let is_number = name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("nan");
    if is_classic_label_name(name) && !is_number { name.to_owned() } else { quote(name) }
}

fn label_list(names: &[String]) -> String {
    names.iter().map(|name| label_text(name)).collect::<Vec<_>>().join(", ")
}

impl Aggregate {
    /// `sum by (a) `: all but the arguments.
    pub(super) fn head(&self) -> String {
        let op = self.op.as_str();
        if self.without {
            format!("{op} without ({}) ", label_list(&self.grouping))
        } else if self.grouping.is_empty() {
            op.to_owned()
        } else {
            format!("{op} by ({}) ", label_list(&self.grouping))
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

impl Binary {
    /// `+ on (a) group_left (b) fill (0)`: all but the operands.
    pub(super) fn head(&self) -> String {
        let mut out = self.op.as_str().to_owned();
        if self.return_bool {
            out.push_str(" bool");
        }
        let Some(matching) = &self.matching else { return out };
        let side = match matching.cardinality {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            _ => None,
        };
        if !matching.labels.is_empty() || matching.on || side.is_some() {
            let word = if matching.on { "on" } else { "ignoring" };
            out.push_str(&format!(" {word} ({})", label_list(&matching.labels)));
        }
        if let Some(side) = side {
            out.push_str(&format!(" group_{side} ({})", label_list(&matching.include)));
        }
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        match (matching.fill_left, matching.fill_right) {
            (Some(left), Some(right)) if same(left, right) => {
                out.push_str(&format!(" fill ({})", format_short(left)));
            }
            (left, right) => {
                for (word, value) in [("fill_left", left), ("fill_right", right)] {
                    if let Some(value) = value {
                        out.push_str(&format!(" {word} ({})", format_short(value)));
                    }
                }
            }
        }
        out
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.lhs, self.head(), self.rhs)
    }
}
