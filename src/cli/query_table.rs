//! Shows query results as tables.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

/// Rows of a table that are shown; `--json` gives everything.
const ROWS_MAX: usize = 1000;

/// Shows a vector, scalar or string.
pub(super) fn print_instant(data: &Value) {
    let result = &data["result"];
    if data["resultType"] != "vector" {
        println!("{}", result[1].as_str().unwrap_or_default());
        return;
    }
    let series = result.as_array().map_or(&[][..], Vec::as_slice);
    if series.is_empty() {
        println!("no series matches");
        return;
    }
    let mut table = new_table(&["series", "value"]);
    for one in series.iter().take(ROWS_MAX) {
        let value = match one.get("histogram") {
            Some(point) => histogram_text(&point[1]),
            None => text_of(&one["value"][1]),
        };
        table.add_row([name_of(&one["metric"]), value]);
    }
    align_right(&mut table, 1);
    println!("{table}");
    say_rest(series.len());
}

/// Shows a matrix: one row a series, with its extremes and shape.
pub(super) fn print_range(result: &Value) {
    let series = result.as_array().map_or(&[][..], Vec::as_slice);
    if series.is_empty() {
        println!("no series matches");
        return;
    }
    let mut table = new_table(&["series", "points", "min", "max", "last", "shape"]);
    for one in series.iter().take(ROWS_MAX) {
        let points = one["values"].as_array().map_or(&[][..], Vec::as_slice);
        let histograms = one["histograms"].as_array().map_or(&[][..], Vec::as_slice);
        // Of histograms the mean is what has extremes and a shape.
        let numbers = points.iter().filter_map(|point| number_of(&point[1]));
        let values: Vec<f64> = match histograms {
            [] => numbers.collect(),
            _ => histograms.iter().filter_map(|point| mean_of(&point[1])).collect(),
        };
        let last = match (points.last(), histograms.last()) {
            (_, Some(point)) => histogram_text(&point[1]),
            (Some(point), None) => text_of(&point[1]),
            (None, None) => String::new(),
        };
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        table.add_row([
            name_of(&one["metric"]),
            (points.len() + histograms.len()).to_string(),
            finite().reduce(f64::min).map_or_else(String::new, short),
            finite().reduce(f64::max).map_or_else(String::new, short),
            last,
            sparkline(&values),
        ]);
    }
    for column in 1..5 {
        align_right(&mut table, column);
    }
    println!("{table}");
    say_rest(series.len());
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().copied());
    table
}

fn align_right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn say_rest(series: usize) {
    if series > ROWS_MAX {
        println!("and {} more; --json shows all", series - ROWS_MAX);
    }
}

/// Prometheus's notation of a label set that came as JSON.
fn name_of(metric: &Value) -> String {
    let mut labels: Vec<String> = Vec::new();
    for (name, value) in metric.as_object().into_iter().flatten() {
        if name != "__name__" {
            labels.push(format!("{name}={value}"));
        }
    }
    let name = metric["__name__"].as_str().unwrap_or_default();
    if labels.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", labels.join(", "))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number_of(value: &Value) -> Option<f64> {
    match value.as_str()? {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

/// The mean of a histogram's observations.
fn mean_of(histogram: &Value) -> Option<f64> {
    Some(number_of(&histogram["sum"])? / number_of(&histogram["count"])?)
}

/// A histogram in a line: its count, its sum, and the buckets in which the median and the 99th
/// percentile lie.
fn histogram_text(histogram: &Value) -> String {
    let mut out =
        format!("count {}, sum {}", text_of(&histogram["count"]), text_of(&histogram["sum"]));
    let buckets = histogram["buckets"].as_array().map_or(&[][..], Vec::as_slice);
    let total: f64 = buckets.iter().filter_map(|bucket| number_of(&bucket[3])).sum();
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let mut seen = 0.0;
        let found = buckets.iter().find(|bucket| {
            seen += number_of(&bucket[3]).unwrap_or(0.0);
            seen >= share * total
        });
        if let Some(bucket) = found {
            let bound = |at: usize| match number_of(&bucket[at]) {
                // Latencies in seconds are often small.
                Some(value) if value != 0.0 && value.abs() < 0.01 => format!("{value:.1e}"),
                Some(value) => short(value),
                None => String::new(),
            };
            out.push_str(&format!(", {name} in {} … {}", bound(1), bound(2)));
        }
    }
    out
}

fn short(value: f64) -> String {
    let rounded = format!("{value:.3}");
    if rounded.contains('.') {
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        rounded
    }
}

/// The course of values in at most 30 characters of eight heights.
fn sparkline(values: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const WIDTH: usize = 30;
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let (Some(low), Some(high)) =
        (finite.iter().copied().reduce(f64::min), finite.iter().copied().reduce(f64::max))
    else {
        return String::new();
    };
    let width = finite.len().min(WIDTH);
    (0..width)
        .map(|column| {
            let value = finite[column * finite.len() / width];
            let share = if high > low { (value - low) / (high - low) } else { 0.0 };
            HEIGHTS[((share * 7.0).round() as usize).min(7)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_set_is_shown_in_prometheus_notation() {
        let metric = serde_json::json!({"__name__": "up", "job": "a\"b"});
        assert_eq!(name_of(&metric), r#"up{job="a\"b"}"#);
        assert_eq!(name_of(&serde_json::json!({})), "{}");
        assert_eq!(name_of(&serde_json::json!({"__name__": "up"})), "up");
    }

    #[test]
    fn a_histogram_is_shown_by_its_count_sum_and_where_its_middle_lies() {
        let histogram = serde_json::json!({
            "count": "100", "sum": "250.5",
            "buckets": [[0, "0.00025", "1", "60"], [0, "1", "2", "35"], [0, "2", "4", "5"]],
        });
        assert_eq!(
            histogram_text(&histogram),
            "count 100, sum 250.5, p50 in 2.5e-4 … 1, p99 in 2 … 4"
        );
        let empty = serde_json::json!({"count": "0", "sum": "0"});
        assert_eq!(histogram_text(&empty), "count 0, sum 0");
    }

    #[test]
    fn a_shape_runs_from_its_lowest_to_its_highest() {
        assert_eq!(sparkline(&[0.0, 7.0, 3.5]), "▁█▅");
        assert_eq!(sparkline(&[5.0, 5.0]), "▁▁");
        assert_eq!(sparkline(&[f64::NAN]), "");
    }
}
