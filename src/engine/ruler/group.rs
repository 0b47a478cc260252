//! The task of one group: waits, evaluates its rules in order, writes after each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::model::Timestamp;
use crate::promql;
use crate::rules::{Rule, Schedule, record};

use super::alerting::evaluate_alerting;
use super::asking::{NoResult, ask};
use super::{LiveGroup, Shared};

/// Evaluates the group at each of its due times until it is stopped.
pub(super) async fn run(shared: Shared, live: Arc<LiveGroup>, mut stopped: watch::Receiver<bool>) {
    let schedule = Schedule::new(&live.file, &live.group.name, live.interval_ms);
    let mut last = schedule.latest(shared.clock.now());
    loop {
        let now = shared.clock.now();
        if let Some((at, missed)) = schedule.due(last, now) {
            let telemetry = shared.pipeline.telemetry();
            let name = name_of(&live);
            telemetry.rule_iterations.add([&name], 1 + missed);
            if missed > 0 {
                telemetry.rule_iterations_missed.add([&name], missed);
                live.change(|state| state.missed += missed);
                tracing::warn!(
                    group = name,
                    missed,
                    "a rule group is late; evaluations are left out"
                );
            }
            last = at;
            if !evaluate(&shared, &live, at, &mut stopped).await {
                return;
            }
            continue;
        }
        // A clock that went back far must not silence the group.
        if now.since(last) < -schedule.interval_ms() {
            last = schedule.latest(now);
            continue;
        }
        let wait_ms = last.plus_millis(schedule.interval_ms()).since(now);
        // Timers and the clock may differ; both may be read again before it is due.
        let wait = Duration::from_millis(wait_ms.clamp(1, 60_000).unsigned_abs());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// `file;group`, as Prometheus labels its own metrics.
fn name_of(live: &LiveGroup) -> String {
    format!("{};{}", live.file, live.group.name)
}

/// Evaluates all rules once; gives whether to go on.
pub(super) async fn evaluate(
    shared: &Shared,
    live: &LiveGroup,
    at: Timestamp,
    stopped: &mut watch::Receiver<bool>,
) -> bool {
    let began = Instant::now();
    let asked_at = at.plus_millis(-live.query_offset_ms);
    let telemetry = Arc::clone(shared.pipeline.telemetry());
    let name = name_of(live);
    for (place, rule) in live.group.rules.iter().enumerate() {
        let rule_began = Instant::now();
        telemetry.rule_evaluations.add([&name], 1);
        let evaluated = match live.alerting.get(place).and_then(Option::as_ref) {
            Some(alerting) => evaluate_alerting(shared, live, place, alerting, at, stopped).await,
            None => evaluate_recording(shared, live, place, rule, asked_at, stopped).await,
        };
        let outcome = match evaluated {
            Ok(()) => Ok(()),
            Err(NoResult::Stopped) => return false,
            Err(NoResult::Failed(error)) => {
                telemetry.rule_evaluation_failures.add([&name], 1);
                let rule = &rule.name;
                let known = live.change(|state| state.rules[place].last_error == error);
                if !known {
                    tracing::warn!(group = name, rule, error, "a rule failed");
                }
                Err(error)
            }
        };
        live.change(|state| state.note_evaluation(place, at, rule_began.elapsed(), outcome));
    }
    let ended = live.state().ended(asked_at);
    match shared.write(&ended).await {
        Ok(()) => live.change(|state| state.note_ended()),
        Err(error) => {
            tracing::warn!(group = name, error, "series of removed rules were not ended");
        }
    }
    let took = began.elapsed();
    telemetry.rule_group_duration.observe(took);
    live.change(|state| {
        state.last_evaluation = Some(at);
        state.evaluation_time = took;
    });
    !*stopped.borrow()
}

async fn evaluate_recording(
    shared: &Shared,
    live: &LiveGroup,
    place: usize,
    rule: &Rule,
    asked_at: Timestamp,
    stopped: &mut watch::Receiver<bool>,
) -> Result<(), NoResult> {
    let failed = |error: String| NoResult::Failed(error);
    let expr = rule.expr.clone();
    let result = ask(shared, stopped, move |reader, options| {
        promql::instant(reader, &expr, asked_at, options)
            .map(|answer| answer.value)
            .map_err(|error| error.to_string())
    });
    let rows = record(rule, result.await?, asked_at, live.group.limit)
        .map_err(|error| failed(error.to_string()))?;
    let rows = live.change(|state| state.with_markers(place, rows, asked_at));
    let outcome = shared.write(&rows).await;
    if outcome.is_ok() {
        live.change(|state| state.note_written(place, &rows));
    }
    outcome.map_err(failed)
}
