//! The incidents before the demo began: they opened, people took them, they ended.

use serde_json::json;

use super::company::{EPISODES, Episode};
use super::dice::Dice;
use super::past::Story;
use crate::clock::{Clock as _, ManualClock};
use crate::engine::watch::{Batch, Signal, View, Watch};
use crate::incidents::{Act, ActKind};
use crate::model::{
    Alert, AlertSource, Evidence, IncidentId, IncidentStatus, Labels, Name, Severity, Timestamp,
};

const MINUTE_MS: i64 = 60_000;
/// Since when the alert that another Prometheus sent fires, in minutes, and is taken.
const STALE_SINCE_MIN: i64 = 74;
const STALE_TAKEN_MIN: i64 = 69;

/// Writes them, the oldest first. The clock ends at the end of the past.
pub(super) async fn write(watch: &Watch, clock: &ManualClock, story: &Story) -> anyhow::Result<()> {
    let mut dice = Dice::new(story.seed, "incidents");
    for episode in EPISODES.iter().rev() {
        let (began, ended) = episode.times(story.now);
        if story.now.since(began) > story.history_ms {
            continue;
        }
        let alert = alert(episode, story, began, &mut dice)?;
        let key = alert.key();
        // Two results in a row say so.
        clock.set(began.plus_millis(MINUTE_MS));
        fires(watch, alert).await?;
        let Some(id) = newest(&watch.view())? else { continue };
        clock.advance_ms(dice.below(4 * MINUTE_MS as u64) as i64 + MINUTE_MS);
        act(watch, id, episode.by, ActKind::Acknowledge).await?;
        clock.set(ended.plus_millis(-2 * MINUTE_MS));
        act(watch, id, episode.by, ActKind::Note(episode.note.to_owned())).await?;
        clock.set(ended);
        commit(watch, Signal::Ended { key, at: ended }).await?;
    }
    let stale = stale(story.now)?;
    clock.set(stale.starts_at);
    fires(watch, stale).await?;
    if let Some(id) = newest(&watch.view())? {
        clock.set(story.now.plus_millis(-STALE_TAKEN_MIN * MINUTE_MS));
        act(watch, id, "jonas", ActKind::Acknowledge).await?;
        let note = "The warehouse exports by hand until their new scanner is in.";
        act(watch, id, "jonas", ActKind::Note(note.to_owned())).await?;
    }
    clock.set(story.now);
    debug_assert_eq!(clock.now(), story.now);
    Ok(())
}

async fn commit(watch: &Watch, signal: Signal) -> anyhow::Result<()> {
    Ok(watch.commit(Batch { signals: vec![signal], ..Batch::default() }).await?)
}

async fn fires(watch: &Watch, alert: Alert) -> anyhow::Result<()> {
    commit(watch, Signal::Firing(Box::new(alert))).await
}

async fn act(watch: &Watch, id: IncidentId, by: &str, kind: ActKind) -> anyhow::Result<()> {
    let act = Act { by: by.to_owned(), version: None, note: None, kind };
    watch.act(id, act).await?;
    Ok(())
}

/// The incident that opened last and that nobody has taken.
fn newest(view: &View) -> anyhow::Result<Option<IncidentId>> {
    let filter = crate::engine::watch::IncidentFilter {
        status: vec![IncidentStatus::Open],
        limit: 1,
        ..Default::default()
    };
    Ok(view.incidents(&filter)?.items.first().map(|incident| incident.id))
}

fn alert(
    episode: &Episode,
    story: &Story,
    began: Timestamp,
    dice: &mut Dice,
) -> anyhow::Result<Alert> {
    let (name, severity) = match episode.down {
        true => ("CheckUnhealthy", Severity::Critical),
        false => ("CheckDegraded", Severity::Warning),
    };
    let target = story.url(&format!("/{}", episode.check));
    let labels = Labels::from_pairs([
        ("alertname", name),
        ("check", episode.check),
        ("kind", "http"),
        ("instance", &target),
        ("feature", episode.feature),
        ("severity", severity.as_str()),
    ])?;
    let failed = match episode.down {
        true => "[STATUS] (503) == 200",
        false => "[RESPONSE_TIME] (611) < 250",
    };
    let minutes = episode.lasted_min + 30;
    let samples = (0..minutes)
        .map(|minute| {
            let at = began.plus_millis((minute - 30) * MINUTE_MS);
            let failing = if minute < 30 { 0.004 } else { episode.failing };
            (at.millis(), (failing * dice.between(0.7, 1.3) * 1e4).round() / 1e4)
        })
        .take(45)
        .collect();
    let lines = (0..6).map(|line| {
        let at = began.plus_millis(line * 7_000 - 20_000);
        format!("{at} ERROR {} upstream answered 503 after {} ms", episode.source, 900 + line * 37)
    });
    Ok(Alert {
        source: AlertSource::Check { name: Name::new(episode.check)? },
        labels,
        annotations: vec![
            ("summary".to_owned(), episode.title.to_owned()),
            ("description".to_owned(), format!("{target}: {failed}")),
        ],
        severity,
        starts_at: began,
        value: None,
        generator_url: String::new(),
        channels: Vec::new(),
        cooldown_ms: 0,
        evidence: Evidence {
            expression: failed.to_owned(),
            samples: vec![(format!("error_rate{{feature=\"{}\"}}", episode.feature), samples)],
            check_result: Some(json!({"check": episode.check, "failed_condition": failed})),
            response_excerpt: "{\"error\": \"upstream unavailable\"}".to_owned(),
            log_lines: lines.collect(),
        },
        ends_at: None,
    })
}

/// What another Prometheus sent and somebody has taken: it goes on.
fn stale(now: Timestamp) -> anyhow::Result<Alert> {
    let labels = Labels::from_pairs([
        ("alertname", "StockFeedStale"),
        ("job", "stock-feed"),
        ("feature", "search"),
        ("severity", "warning"),
    ])?;
    let summary = "Stock figures of the warehouse are more than an hour old";
    Ok(Alert {
        source: AlertSource::External,
        labels,
        annotations: vec![("summary".to_owned(), summary.to_owned())],
        severity: Severity::Warning,
        starts_at: now.plus_millis(-STALE_SINCE_MIN * MINUTE_MS),
        value: Some(3_840.0),
        generator_url: String::new(),
        channels: Vec::new(),
        cooldown_ms: 0,
        evidence: Evidence::default(),
        ends_at: None,
    })
}
