//! `vedette rules backtest`.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use comfy_table::Table;
use jiff::Timestamp as Instant;
use serde_json::{Value, json};

use super::client::{Client, encode};
use super::rules::counted;
use super::{Outcome, Remote, block_on};
use crate::config::Period;

/// Arguments of `rules backtest`.
#[derive(Args, Debug)]
pub(super) struct BacktestArgs {
    /// A rule that the daemon knows
    #[arg(value_name = "NAME", required_unless_present = "definition")]
    name: Option<String>,
    /// A definition that it does not know: a file with its JSON, as POST /api/v1/rules takes it
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    definition: Option<PathBuf>,
    /// So much of the past, up to now, for example 7d
    #[arg(long, value_name = "DURATION", default_value = "1d", conflicts_with = "start")]
    range: String,
    /// The first time: RFC 3339
    #[arg(long, value_name = "TIME", requires = "end")]
    start: Option<String>,
    /// The last time
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<String>,
    /// The time between evaluations; the rule's own without it
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub(super) fn run(args: &BacktestArgs) -> Outcome {
    let (path, body) = request(args)?;
    let report =
        block_on(async { Client::new(&args.remote)?.send_json(false, &path, &body).await })?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn request(args: &BacktestArgs) -> anyhow::Result<(String, Value)> {
    let (start, end) = match (&args.start, &args.end) {
        (Some(start), Some(end)) => (start.clone(), end.clone()),
        _ => {
            let range = Period::parse(&args.range).map_err(|e| anyhow!("--range: {e}"))?;
            let now = Instant::now().as_millisecond();
            let time = |millis: i64| crate::model::Timestamp::from_millis(millis).to_string();
            (time(now - range.millis()), time(now))
        }
    };
    let mut body = json!({"start": start, "end": end});
    if let Some(interval) = &args.interval {
        body["interval"] = json!(interval);
    }
    let path = match (&args.name, &args.definition) {
        (Some(name), _) => format!("/api/v1/rules/{}/backtest", encode(name)),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            body["rule"] = serde_json::from_str(&text)
                .with_context(|| format!("{} is not JSON", file.display()))?;
            "/api/v1/rules/backtest".to_owned()
        }
        (None, None) => bail!("name a rule, or give a file with --definition"),
    };
    Ok((path, body))
}

fn print(report: &Value) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let list = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    let (alerts, told, held_back) = (list("alerts"), list("notifications"), list("held_back"));
    println!(
        "{}: {} evaluations from {} to {}, every {} s",
        text(&report["name"]),
        report["evaluations"],
        text(&report["start"]),
        text(&report["end"]),
        report["interval"],
    );
    if let Some(error) = report["first_error"].as_str() {
        println!("{} of them failed: {error}", report["failed_evaluations"]);
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["FIRED", "ENDED", "HELD SINCE", "VALUE", "ALERT"]);
    for alert in &alerts {
        table.add_row([
            text(&alert["fired_at"]),
            text(&alert["ended_at"]),
            text(&alert["active_at"]),
            text(&alert["value"]),
            text(&alert["labels"]),
        ]);
    }
    println!("\n{} would have fired", counted(alerts.len(), "alert"));
    if !alerts.is_empty() {
        println!("{table}");
    }
    println!("\n{} would have been sent", counted(told.len(), "notification"));
    for one in &told {
        let names = |key: &str| {
            let titles = one[key].as_array().cloned().unwrap_or_default();
            titles.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        for (key, word) in [("firing", "firing"), ("resolved", "resolved")] {
            let names = names(key);
            if !names.is_empty() {
                parts.push(format!("{word}: {names}"));
            }
        }
        println!("  {}  {}  {}", text(&one["at"]), text(&one["channel"]), parts.join("; "));
    }
    for one in &held_back {
        println!("  {}  nobody  {}: {}", text(&one["at"]), one["labels"], text(&one["reason"]));
    }
    if report["left_out"].as_u64().is_some_and(|count| count > 0) {
        println!("and {} more", report["left_out"]);
    }
}
