//! The table of functions; names and types as in `promql/parser/functions.go`.

use super::super::ast::ValueType::{self, Matrix, Scalar, String as Text, Vector};
use super::super::native::variance;
use super::{DatePart, Function, Kind, RangeKind};
use crate::model::Histogram;

const fn row(
    name: &'static str,
    args: &'static [ValueType],
    variadic: i8,
    returns: ValueType,
    kind: Kind,
) -> Function {
    Function { name, args, variadic, returns, experimental: false, kind }
}

const fn map(name: &'static str, function: fn(f64) -> f64) -> Function {
    row(name, &[Vector], 0, Vector, Kind::Map(function))
}

const fn range(name: &'static str, kind: RangeKind) -> Function {
    row(name, &[Matrix], 0, Vector, Kind::Range(kind))
}

const fn date(name: &'static str, part: DatePart) -> Function {
    row(name, &[Vector], 1, Vector, Kind::Date(part))
}

const fn native(name: &'static str, function: fn(&Histogram) -> f64) -> Function {
    row(name, &[Vector], 0, Vector, Kind::NativeHistogram(function))
}

/// A number of the query as a whole.
const fn query(name: &'static str, kind: Kind) -> Function {
    experimental(row(name, &[], 0, Scalar, kind))
}

const fn experimental(function: Function) -> Function {
    Function { experimental: true, ..function }
}

/// Sorted by name, for the binary search.
static FUNCTIONS: &[Function] = &[
    map("abs", f64::abs),
    row("absent", &[Vector], 0, Vector, Kind::Absent),
    row("absent_over_time", &[Matrix], 0, Vector, Kind::AbsentOverTime),
    map("acos", f64::acos),
    map("acosh", f64::acosh),
    map("asin", f64::asin),
    map("asinh", f64::asinh),
    map("atan", f64::atan),
    map("atanh", f64::atanh),
    range("avg_over_time", RangeKind::Avg),
    map("ceil", f64::ceil),
    range("changes", RangeKind::Changes),
    row("clamp", &[Vector, Scalar, Scalar], 0, Vector, Kind::Clamp),
    row("clamp_max", &[Vector, Scalar], 0, Vector, Kind::ClampMax),
    row("clamp_min", &[Vector, Scalar], 0, Vector, Kind::ClampMin),
    map("cos", f64::cos),
    map("cosh", f64::cosh),
    range("count_over_time", RangeKind::Count),
    date("day_of_month", DatePart::DayOfMonth),
    date("day_of_week", DatePart::DayOfWeek),
    date("day_of_year", DatePart::DayOfYear),
    date("days_in_month", DatePart::DaysInMonth),
    map("deg", |v| v * 180.0 / std::f64::consts::PI),
    range("delta", RangeKind::Delta),
    range("deriv", RangeKind::Deriv),
    experimental(row(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        0,
        Vector,
        Kind::Range(RangeKind::Smoothing),
    )),
    query("end", Kind::End),
    map("exp", f64::exp),
    experimental(range("first_over_time", RangeKind::First)),
    map("floor", f64::floor),
    native("histogram_avg", |h| h.sum / h.count),
    native("histogram_count", |h| h.count),
    row("histogram_fraction", &[Scalar, Scalar, Vector], 0, Vector, Kind::HistogramFraction),
    row("histogram_quantile", &[Scalar, Vector], 0, Vector, Kind::HistogramQuantile),
    experimental(row(
        "histogram_quantiles",
        &[Vector, Text, Scalar, Scalar],
        9,
        Vector,
        Kind::HistogramQuantiles,
    )),
    native("histogram_stddev", |h| variance(h).sqrt()),
    native("histogram_stdvar", variance),
    native("histogram_sum", |h| h.sum),
    date("hour", DatePart::Hour),
    range("idelta", RangeKind::Idelta),
    range("increase", RangeKind::Increase),
    experimental(row("info", &[Vector, Vector], 1, Vector, Kind::Info)),
    range("irate", RangeKind::Irate),
    row("label_join", &[Vector, Text, Text, Text], -1, Vector, Kind::LabelJoin),
    row("label_replace", &[Vector, Text, Text, Text, Text], 0, Vector, Kind::LabelReplace),
    range("last_over_time", RangeKind::Last),
    map("ln", f64::ln),
    map("log10", f64::log10),
    map("log2", f64::log2),
    experimental(range("mad_over_time", RangeKind::Mad)),
    experimental(row("max_of", &[Scalar, Scalar], 0, Scalar, Kind::MaxOf)),
    range("max_over_time", RangeKind::Max),
    experimental(row("min_of", &[Scalar, Scalar], 0, Scalar, Kind::MinOf)),
    range("min_over_time", RangeKind::Min),
    date("minute", DatePart::Minute),
    date("month", DatePart::Month),
    row("pi", &[], 0, Scalar, Kind::Pi),
    row("predict_linear", &[Matrix, Scalar], 0, Vector, Kind::Range(RangeKind::PredictLinear)),
    range("present_over_time", RangeKind::Present),
    row("quantile_over_time", &[Scalar, Matrix], 0, Vector, Kind::Range(RangeKind::Quantile)),
    map("rad", |v| v * std::f64::consts::PI / 180.0),
    query("range", Kind::QueryRange),
    range("rate", RangeKind::Rate),
    range("resets", RangeKind::Resets),
    row("round", &[Vector, Scalar], 1, Vector, Kind::Round),
    row("scalar", &[Vector], 0, Scalar, Kind::Scalar),
    map("sgn", |v| match v {
        v if v < 0.0 => -1.0,
        v if v > 0.0 => 1.0,
        v => v,
    }),
    map("sin", f64::sin),
    map("sinh", f64::sinh),
    row("sort", &[Vector], 0, Vector, Kind::Sort),
    experimental(row("sort_by_label", &[Vector, Text], -1, Vector, Kind::SortByLabel)),
    experimental(row("sort_by_label_desc", &[Vector, Text], -1, Vector, Kind::SortByLabelDesc)),
    row("sort_desc", &[Vector], 0, Vector, Kind::SortDesc),
    map("sqrt", f64::sqrt),
    query("start", Kind::Start),
    range("stddev_over_time", RangeKind::Stddev),
    range("stdvar_over_time", RangeKind::Stdvar),
    query("step", Kind::Step),
    range("sum_over_time", RangeKind::Sum),
    map("tan", f64::tan),
    map("tanh", f64::tanh),
    row("time", &[], 0, Scalar, Kind::Time),
    row("timestamp", &[Vector], 0, Vector, Kind::Timestamp),
    experimental(range("ts_of_first_over_time", RangeKind::TimeOfFirst)),
    experimental(range("ts_of_last_over_time", RangeKind::TimeOfLast)),
    experimental(range("ts_of_max_over_time", RangeKind::TimeOfMax)),
    experimental(range("ts_of_min_over_time", RangeKind::TimeOfMin)),
    row("vector", &[Scalar], 0, Vector, Kind::Vector),
    date("year", DatePart::Year),
];

/// The function of this name.
pub(in crate::promql) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|at| FUNCTIONS.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_function_is_found() {
        for function in FUNCTIONS {
            assert_eq!(find(function.name), Some(function));
        }
        assert_eq!(find("holt_winters"), None, "renamed in Prometheus 3");
    }
}
