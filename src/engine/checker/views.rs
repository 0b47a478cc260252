//! What others are shown of checks: as of the last commit.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{CheckResult, CheckStatus, Name, Timestamp};

use super::ledger::Known;

/// How a check is.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckView {
    /// By its thresholds; unknown while nobody can say, paused while it is left alone.
    pub status: CheckStatus,
    /// Since when.
    pub since: Timestamp,
    /// Why nobody can say.
    pub unknown_because: Option<String>,
    /// Whether it was paused over the API, besides what its definition says.
    pub paused: bool,
    /// What it last came to.
    pub last: Option<CheckResult>,
    /// When it is asked next; of a heartbeat: its deadline.
    pub next_at: Option<Timestamp>,
    /// Whether an alert of it fires.
    pub alerting: bool,
    /// The check whose failure keeps its alert from opening.
    pub held_back_by: Option<String>,
    /// The secret part of a heartbeat's address.
    pub token: Option<String>,
    /// When a heartbeat's job began that has not ended.
    pub running_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Shown {
    checks: BTreeMap<Name, Arc<CheckView>>,
    tokens: BTreeMap<String, Name>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Views {
    shown: RwLock<Shown>,
}

impl Views {
    pub(super) fn get(&self, name: &str) -> Option<Arc<CheckView>> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).checks.get(name).cloned()
    }

    /// The heartbeat with this token. Tokens are random or chosen by people who may see them; the
    /// search tells by its time at most what a guess begins like.
    pub(super) fn of_token(&self, token: &str) -> Option<Name> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).tokens.get(token).cloned()
    }

    pub(super) fn put(&self, name: &Name, known: Option<&Known>, next: Option<Timestamp>) {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let before = shown.checks.remove(name);
        let token = known.and_then(|known| known.state.token.clone());
        let token_before = before.and_then(|before| before.token.clone());
        if token_before != token
            && let Some(old) = token_before
        {
            shown.tokens.remove(&old);
        }
        let Some(known) = known else { return };
        if let Some(token) = &token {
            shown.tokens.insert(token.clone(), name.clone());
        }
        let state = &known.state;
        let heartbeat = state.heartbeat.as_ref();
        let view = CheckView {
            status: state.status(),
            since: state.since(),
            unknown_because: state
                .unknown
                .clone()
                .filter(|_| state.status() == CheckStatus::Unknown),
            paused: state.paused,
            last: known.last.as_ref().map(|last| last.result.clone()),
            next_at: if heartbeat.is_some() {
                super::ledger::heartbeat::wakes_at(known)
            } else {
                next
            },
            alerting: state.alert.is_some(),
            held_back_by: state.held_back_by.clone(),
            token,
            running_since: heartbeat.and_then(|heartbeat| heartbeat.running_since),
        };
        shown.checks.insert(name.clone(), Arc::new(view));
    }
}
