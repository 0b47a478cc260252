//! What explains a failure: the way out, and checks that this one depends on.

use crate::model::{CheckDefinition, CheckKind, CheckStatus, Name, Timestamp};

use super::{Judging, Known, Ledger};

impl Judging<'_> {
    /// Whether all checks that stand for the way out failed when they were last asked. One that
    /// was never asked, is paused or does not exist does not count.
    pub(super) fn is_uplink_down(&self) -> bool {
        let mut any = false;
        for known in self.ledger.uplink.iter().filter_map(|name| self.look(name.as_str())) {
            let last = known.last.as_ref().map(|last| last.result.status);
            match (known.is_paused(), last) {
                (true, _) | (false, None) => {}
                (false, Some(CheckStatus::Unhealthy)) => any = true,
                (false, Some(_)) => return false,
            }
        }
        any
    }

    pub(super) fn uplink_reason(&self) -> String {
        let names: Vec<&str> = self.ledger.uplink.iter().map(Name::as_str).collect();
        format!("our own way out is down (checks.uplink: {})", names.join(", "))
    }

    /// The first of the checks that this one depends on which is down.
    pub(super) fn explained_by(&self, definition: &CheckDefinition) -> Option<Name> {
        let down = |name: &&Name| self.look(name.as_str()).is_some_and(Known::is_down);
        definition.depends_on.iter().find(down).cloned()
    }

    /// A check is not down any more: those whose alerts it kept back are asked again, and what
    /// cannot be asked is settled by what is known.
    pub(super) fn release_children(&mut self, parent: &Name, at: Timestamp) {
        let of_parent =
            |known: &Known| known.state.held_back_by.as_deref() == Some(parent.as_str());
        let mut children: Vec<Name> = self
            .ledger
            .known
            .iter()
            .filter(|(_, known)| of_parent(known))
            .map(|(name, _)| name.clone())
            .collect();
        children.extend(self.decision.becomes.iter().filter_map(|(name, known)| {
            known.as_ref().filter(|known| of_parent(known)).map(|_| name.clone())
        }));
        for child in children {
            let Some(known) = self.look(child.as_str()).filter(|known| of_parent(known)) else {
                continue;
            };
            let mut known = known.clone();
            if known.definition.kind == CheckKind::Heartbeat {
                self.settle(&mut known, at);
                self.put(&child, known);
            } else {
                self.decision.ask.insert(child);
            }
        }
    }
}

/// A failure is taken at face value when its witnesses were asked no longer than this (ms) before
/// it began.
const FRESH_MS: i64 = 1_000;

impl Ledger {
    /// The checks whose answers a result waits for, because they may explain it: those of the way
    /// out and those it depends on, as far as they can be asked and have not answered since the
    /// run began. Empty for what succeeded and for what is known to be down already.
    pub(in crate::engine::checker) fn witnesses(
        &self,
        name: &Name,
        status: CheckStatus,
        began: Timestamp,
    ) -> Vec<Name> {
        let Some(known) = self.known.get(name) else { return Vec::new() };
        let told = known.state.alert.is_some() && known.state.status() == CheckStatus::Unhealthy;
        if status != CheckStatus::Unhealthy || known.is_paused() || told {
            return Vec::new();
        }
        let judging = Judging { ledger: self, decision: super::Decision::default() };
        let mut witnesses: Vec<&Name> = known.definition.depends_on.iter().collect();
        if judging.is_behind_uplink(&known.definition) {
            witnesses.extend(&self.uplink);
        }
        let is_awaited = |witness: &&Name| {
            *witness != name
                && self.known.get(*witness).is_some_and(|known| {
                    known.definition.kind != CheckKind::Heartbeat
                        && !known.is_paused()
                        && !known.is_down()
                        && known
                            .last
                            .as_ref()
                            .is_none_or(|last| began.since(last.result.at) > FRESH_MS)
                })
        };
        witnesses.into_iter().filter(is_awaited).cloned().collect()
    }
}
