//! `vedette query`.

use anyhow::{anyhow, bail};
use clap::Args;
use jiff::Timestamp as Instant;

use crate::promql::{ParseError, parse};

use super::client::Client;
use super::query_table::{print_instant, print_range};
use super::{Outcome, Remote, block_on};
use crate::config::Period;

/// Arguments of `query`.
#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    /// The query, for example 'rate(node_cpu_seconds_total[5m])'
    #[arg(value_name = "EXPR")]
    expr: String,
    /// A range query over this much time up to now, for example 1h
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["start", "end"])]
    range: Option<String>,
    /// The first time of a range query: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", requires = "end")]
    start: Option<String>,
    /// The last time of a range query
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<String>,
    /// The distance between points of a range query; about 60 points without it
    #[arg(long, value_name = "DURATION")]
    step: Option<String>,
    /// The time of an instant query; now without it
    #[arg(long, value_name = "TIME", conflicts_with_all = ["start", "end", "range"])]
    time: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// How many points a range query has when no step is given.
const POINTS: i64 = 60;

pub(super) fn run(args: &QueryArgs) -> Outcome {
    if let Err(error) = parse(&args.expr) {
        bail!("{}", point_at(&args.expr, &error));
    }
    let (path, form) = request(args)?;
    let (data, warnings) =
        block_on(async { Client::new(&args.remote)?.post_form(path, &form).await })?;
    for warning in warnings {
        eprintln!("note: {warning}");
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&data)?);
    } else if data["resultType"] == "matrix" {
        print_range(&data["result"]);
    } else {
        print_instant(&data);
    }
    Ok(())
}

fn request(args: &QueryArgs) -> anyhow::Result<(&'static str, Vec<(&'static str, String)>)> {
    let mut form = vec![("query", args.expr.clone())];
    let bounds = match (&args.range, &args.start, &args.end) {
        (Some(range), _, _) => {
            let range_ms = Period::parse(range).map_err(|e| anyhow!("--range: {e}"))?.millis();
            let now_ms = Instant::now().as_millisecond();
            Some((now_ms - range_ms, now_ms))
        }
        (None, Some(start), Some(end)) => {
            Some((parse_time("--start", start)?, parse_time("--end", end)?))
        }
        _ => None,
    };
    let Some((start_ms, end_ms)) = bounds else {
        if let Some(time) = &args.time {
            form.push(("time", time.clone()));
        }
        return Ok(("/api/v1/query", form));
    };
    let step_ms = match &args.step {
        Some(step) => Period::parse(step).map_err(|e| anyhow!("--step: {e}"))?.millis(),
        // Whole seconds, so that points fall on readable times.
        None => ((end_ms - start_ms) / POINTS / 1000).max(1) * 1000,
    };
    form.push(("start", seconds(start_ms)));
    form.push(("end", seconds(end_ms)));
    form.push(("step", seconds(step_ms)));
    Ok(("/api/v1/query_range", form))
}

fn seconds(millis: i64) -> String {
    format!("{:.3}", millis as f64 / 1000.0)
}

fn parse_time(flag: &str, text: &str) -> anyhow::Result<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1000.0).round() as i64);
    }
    let time: Instant = text.parse().map_err(|_| {
        anyhow!("{flag}: {text:?} is no time; write Unix seconds or 2026-01-31T12:00:00Z")
    })?;
    Ok(time.as_millisecond())
}

/// The query's line with carets under the place of the error.
fn point_at(expr: &str, error: &ParseError) -> String {
    let line = expr.lines().nth(error.line.saturating_sub(1)).unwrap_or(expr);
    let before = line.get(..error.column.saturating_sub(1)).map_or(0, |text| text.chars().count());
    let covered = expr.get(error.span.start..error.span.end.max(error.span.start)).unwrap_or("");
    let carets = covered.lines().next().map_or(1, |text| text.chars().count()).max(1);
    format!("{error}\n\n  {line}\n  {}{}", " ".repeat(before), "^".repeat(carets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_place_of_the_error() {
        let expr = "sum(rate(x[5m])";
        let error = parse(expr).expect_err("unclosed");
        let shown = point_at(expr, &error);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2], "  sum(rate(x[5m])");
        assert!(lines[3].trim_start().starts_with('^'), "{shown}");

        let expr = "up +\n foo(1)";
        let error = parse(expr).expect_err("unknown function");
        let shown = point_at(expr, &error);
        assert!(shown.contains("\n   foo(1)\n   ^^^"), "{shown}");
    }
}
