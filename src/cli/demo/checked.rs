//! What the checks of the made-up company found before the demo began.

use super::company::EPISODES;
use super::dice::Dice;
use super::past::Story;
use crate::checks::{Transition, UnknownReason};
use crate::engine::history::History;
use crate::model::{CheckResult, CheckStatus, Name, Phases, Timestamp};
use crate::store::{Store, StoreError, Write};

/// Checks with a past: their names, and the median of their latency in milliseconds.
const CHECKS: [(&str, f64); 6] = [
    ("website", 38.0),
    ("search-api", 52.0),
    ("payments", 95.0),
    ("assistant-model", 140.0),
    ("mail-relay", 24.0),
    ("warehouse", 71.0),
];
/// Changes are known for so many days, results for as much as there is of other history.
const DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
/// How far results are apart.
const EVERY_MS: i64 = 600_000;
/// Results of one row of the history.
const RESULTS_AT_ONCE: usize = 500;

/// A time in which a check was not well, besides the episodes that everybody heard of.
struct Spell {
    from: Timestamp,
    until: Timestamp,
    status: CheckStatus,
}

/// Writes it all.
pub(super) fn write(store: &Store, story: &Story) -> anyhow::Result<()> {
    let history = History::open(store)?;
    let mut writes = Vec::new();
    for (name, median) in CHECKS {
        let name = Name::new(name)?;
        let mut dice = Dice::new(story.seed, name.as_str());
        let spells = spells(&mut dice, name.as_str(), story.now);
        transitions(&history, &name, &spells, story.now, &mut writes);
        let results = results(&mut dice, &name, median, &spells, story);
        writes.extend(results.chunks(RESULTS_AT_ONCE).map(|some| history.record(some)));
    }
    commit(store, &writes)?;
    // As the daemon does now and then: what is packed is found fast.
    while history.pack(store)? {}
    Ok(())
}

fn commit(store: &Store, writes: &[Write]) -> Result<(), StoreError> {
    store.write(false, |txn| {
        writes.iter().try_for_each(|write| match write {
            Write::Put { table, key, payload } => txn.insert(*table, key, payload),
            Write::Remove { table, key } => txn.remove(*table, key).map(|_| ()),
        })
    })
}

/// When the check was not well, the oldest first, none overlapping.
fn spells(dice: &mut Dice, check: &str, now: Timestamp) -> Vec<Spell> {
    let mut spells: Vec<Spell> = EPISODES
        .iter()
        .filter(|one| one.check == check)
        .map(|one| {
            let (from, until) = one.times(now);
            let status = if one.down { CheckStatus::Unhealthy } else { CheckStatus::Degraded };
            Spell { from, until, status }
        })
        .collect();
    for day in 15..DAYS - 1 {
        if !dice.chance(0.06) {
            continue;
        }
        let from = now.plus_millis(-day * DAY_MS + dice.below(DAY_MS as u64 / 2) as i64);
        let lasted = dice.between(3.0, 50.0) * 60_000.0;
        let status = if dice.chance(0.5) { CheckStatus::Unhealthy } else { CheckStatus::Degraded };
        spells.push(Spell { from, until: from.plus_millis(lasted as i64), status });
    }
    spells.sort_by_key(|spell| spell.from);
    spells
}

fn transitions(
    history: &History,
    name: &Name,
    spells: &[Spell],
    now: Timestamp,
    writes: &mut Vec<Write>,
) {
    let mut change = |from, to, at: Timestamp| {
        let reason = (from == CheckStatus::Unknown).then_some(UnknownReason::New);
        let change = Transition { from, to, at, decided_at: at, flapping: false, reason };
        writes.push(history.record_transition(name, &change));
    };
    let began = now.plus_millis(-DAYS * DAY_MS);
    change(CheckStatus::Unknown, CheckStatus::Healthy, began);
    for spell in spells {
        change(CheckStatus::Healthy, spell.status, spell.from);
        change(spell.status, CheckStatus::Healthy, spell.until);
    }
}

fn results(
    dice: &mut Dice,
    name: &Name,
    median: f64,
    spells: &[Spell],
    story: &Story,
) -> Vec<CheckResult> {
    let count = (story.history_ms - EVERY_MS) / EVERY_MS;
    let began = story.now.plus_millis(-count.max(0) * EVERY_MS);
    (0..count)
        .map(|place| {
            let at = began.plus_millis(place * EVERY_MS);
            let spell = spells.iter().find(|spell| at >= spell.from && at < spell.until);
            result(dice, name, median, at, spell.map_or(CheckStatus::Healthy, |s| s.status))
        })
        .collect()
}

fn result(
    dice: &mut Dice,
    name: &Name,
    median: f64,
    at: Timestamp,
    status: CheckStatus,
) -> CheckResult {
    let slower = if status == CheckStatus::Degraded { 4.5 } else { 1.0 };
    let total_us = (dice.skewed(median * slower, 0.25) * 1000.0).max(900.0) as u64;
    let phases = Phases {
        dns_us: None,
        connect_us: Some(total_us / 40),
        tls_us: None,
        first_byte_us: Some(total_us * 9 / 10),
        total_us,
    };
    let (failed_condition, code) = match status {
        CheckStatus::Unhealthy => (Some("[STATUS] (503) == 200".to_owned()), 503),
        CheckStatus::Degraded => {
            (Some(format!("[RESPONSE_TIME] ({}) < 250", total_us / 1000)), 200)
        }
        CheckStatus::Healthy | CheckStatus::Unknown | CheckStatus::Paused => (None, 200),
    };
    let metadata = [("status".to_owned(), code.into())].into_iter().collect();
    let name = name.clone();
    CheckResult { check: name, at, status, phases, failed_condition, error: None, metadata }
}
