//! The demo goes on: every second something happens.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::company::{TRADES, busy, weather};
use super::definitions::definitions;
use super::dice::Dice;
use super::past::Story;
use super::series::{Machines, latency_ms};
use super::{talk, tried};
use crate::cli::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::model::{Reading, Timestamp};

/// How often machines are measured, in seconds.
const MACHINES_EVERY: u64 = 5;
/// How often somebody takes part in the experiment that runs, in seconds.
const READER_EVERY: u64 = 2;
/// Lines of one request.
const LINES_AT_ONCE: usize = 1000;
/// The first unit of the experiment that the past did not have.
const FIRST_READER: u64 = 1_000_000;

/// Sends the company's log lines until now, and what it defined: in this order, so that incidents
/// find the lines that belong to them.
pub(super) async fn begin(client: &Client, story: &Story) -> anyhow::Result<()> {
    let lines = talk::past(story.seed, story.now, story.history_ms);
    for some in lines.chunks(LINES_AT_ONCE) {
        client.send_json(false, "/api/v1/logs", &json!({"logs": some})).await?;
    }
    for (path, body) in definitions(story) {
        client
            .send_json(false, path, &body)
            .await
            .with_context(|| format!("POST {path} {body}"))?;
    }
    client.get("/ping/demo-nightly-backup").await.ok();
    Ok(())
}

/// Goes on for as long as the daemon answers; `speed` is how many times as busy it is.
pub(super) async fn go_on(client: &Client, story: &Story, speed: f64) {
    let mut outcomes = Dice::new(story.seed, "live outcomes");
    let mut lines = Dice::new(story.seed, "live lines");
    let mut readers = Dice::new(story.seed, "live readers");
    let mut machines = past_of_machines(story);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut second = 0;
    loop {
        ticks.tick().await;
        second += 1;
        let now = SystemClock.now();
        // What is refused while the daemon ends is nobody's loss.
        let body = json!({"outcomes": outcomes_of(&mut outcomes, now, speed)});
        let _ = client.send_json(false, "/api/v1/outcomes", &body).await;
        let body = json!({"logs": talk::now(&mut lines, now, speed)});
        let _ = client.send_json(false, "/api/v1/logs", &body).await;
        if second % MACHINES_EVERY == 0 {
            let body = json!({"samples": samples(&mut machines, now)});
            let _ = client.send_json(false, "/api/v1/samples", &body).await;
        }
        if second % READER_EVERY == 0 {
            let unit = FIRST_READER + second;
            let body = json!({"results": tried::results_of(&mut readers, tried::RUNNING, unit)});
            let path = format!("/api/v1/experiments/{}/results", tried::RUNNING);
            let _ = client.send_json(false, &path, &body).await;
        }
    }
}

/// Machines as the past left them: counters go on from there.
fn past_of_machines(story: &Story) -> Machines {
    let mut machines = Machines::new(story.seed);
    for at in super::series::times(story.now, story.history_ms) {
        machines.measure(at);
    }
    machines
}

fn samples(machines: &mut Machines, now: Timestamp) -> Vec<Value> {
    let row = |row: crate::model::Row| {
        let Reading::Float(value) = row.value else { return None };
        let name = row.labels.metric_name()?.to_owned();
        let labels: serde_json::Map<String, Value> = row
            .labels
            .iter()
            .filter(|(name, _)| *name != "__name__")
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Some(json!({"name": name, "value": value, "labels": labels, "at": now.millis()}))
    };
    machines.measure(now).into_iter().filter_map(row).collect()
}

fn outcomes_of(dice: &mut Dice, now: Timestamp, speed: f64) -> Vec<Value> {
    let busy = busy(now);
    let mut outcomes = Vec::new();
    for trade in &TRADES {
        let weather = weather(trade, now, now);
        for _ in 0..dice.about(trade.per_minute / 60.0 * busy * speed) {
            let ok = !dice.chance(trade.failing + weather.failing);
            let latency = (latency_ms(dice, trade, weather) * 10.0).round() / 10.0;
            let mut outcome = json!({"feature": trade.feature, "ok": ok, "latency_ms": latency});
            if let Some(provider) = trade.provider {
                outcome["provider"] = provider.into();
            }
            if let Some(model) = trade.model {
                outcome["model"] = model.into();
            }
            if trade.cost > 0.0 {
                outcome["cost"] = trade.cost.into();
            }
            if trade.tokens.0 > 0.0 {
                outcome["input_tokens"] = (dice.skewed(trade.tokens.0, 0.3) as u64).into();
                outcome["output_tokens"] = (dice.skewed(trade.tokens.1, 0.3) as u64).into();
            }
            outcomes.push(outcome);
        }
    }
    outcomes
}
