//! A group of alerts of which one channel is told together, and its clocks. The semantics are
//! those of Alertmanager's dispatcher and of `DedupStage.needsUpdate` in its `notify/notify.go`,
//! with one promise more: whoever was told that an alert fires is told that it ended, whatever
//! silences it by then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::route::Timing;
use crate::model::{IncidentId, Labels, Name, NotificationReason, Timestamp};

/// What the channel knows of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// That it fires: it must be told of the end.
    Firing {
        /// The sequence number of the delivery that told it first.
        by: u64,
    },
    /// Nothing, as the delivery was given up; after the repeat interval it is tried anew.
    GivenUp {
        /// When.
        at: Timestamp,
    },
}

/// One incident of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What the channel knows.
    #[serde(default)]
    pub told: Told,
    /// It is to be told again, for this reason, though nothing began or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<NotificationReason>,
    /// The routes do not lead here any more: only its end is still told.
    #[serde(default)]
    pub leaving: bool,
}

/// How a member's incident is at a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it goes on: it is not resolved.
    pub active: bool,
    /// Whether somebody has taken it: it is not repeated.
    pub acknowledged: bool,
    /// Whether something keeps people from being told that it goes on.
    pub suppressed: bool,
}

/// What a flush decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flush {
    /// Why the channel is told; `None`: it is not.
    pub reason: Option<NotificationReason>,
    /// Incidents that it is told of as going on.
    pub firing: Vec<IncidentId>,
    /// Those of them that it had not been told of.
    pub new: Vec<IncidentId>,
    /// Incidents of whose end it is told.
    pub resolved: Vec<IncidentId>,
    /// Incidents that ended without it having been told of them: they are left out.
    pub unheard: Vec<IncidentId>,
    /// Incidents of whose end it should be told, but does not want to be.
    pub unwanted: Vec<IncidentId>,
}

/// A group. Kept in the file and restored as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its place among groups: follows from route, labels and channel.
    pub id: String,
    /// Tells this group from an earlier one in its place; the beginning of idempotency keys.
    pub incarnation: Uuid,
    /// What Alertmanager calls it.
    pub key: String,
    /// The labels that its alerts share.
    pub labels: Labels,
    /// Who is told.
    pub channel: Name,
    /// Its clocks.
    pub timing: Timing,
    /// Its incidents.
    pub members: BTreeMap<IncidentId, Member>,
    /// When it is looked at next.
    pub next_flush_at: Timestamp,
    /// When the channel was told last.
    pub last_told_at: Option<Timestamp>,
    /// The number of its last delivery.
    pub sequence: u64,
}

impl Group {
    /// A group without members, to be flushed after the group's wait.
    pub fn new(
        id: String,
        incarnation: Uuid,
        (key, labels): (String, Labels),
        channel: Name,
        timing: Timing,
        now: Timestamp,
    ) -> Self {
        Group {
            id,
            incarnation,
            key,
            labels,
            channel,
            timing,
            members: BTreeMap::new(),
            next_flush_at: now.plus_millis(timing.group_wait.millis()),
            last_told_at: None,
            sequence: 0,
        }
    }

    /// Takes an incident in. It is told of with the next flush.
    pub fn join(&mut self, incident: IncidentId) {
        self.members.entry(incident).or_default().leaving = false;
    }

    /// The routes do not lead an incident here any more. Whether it is gone; otherwise the
    /// channel was told of it and will be told of its end.
    pub fn leave(&mut self, incident: IncidentId) -> bool {
        match self.members.get_mut(&incident) {
            None => true,
            Some(member) => match member.told {
                Told::Firing { .. } => {
                    member.leaving = true;
                    member.again = None;
                    false
                }
                Told::Nothing | Told::GivenUp { .. } => {
                    self.members.remove(&incident);
                    true
                }
            },
        }
    }

    /// Something about a member is to be told at once: a raised severity, an escalation, the end
    /// of a snooze. A group whose first flush is yet to come waits for that.
    pub fn hurry(&mut self, incident: IncidentId, reason: NotificationReason, now: Timestamp) {
        let Some(member) = self.members.get_mut(&incident) else { return };
        if member.leaving {
            return;
        }
        if let Told::GivenUp { .. } = member.told {
            member.told = Told::Nothing;
        }
        member.again = Some(reason);
        if self.last_told_at.is_some() || reason == NotificationReason::Escalation {
            self.next_flush_at = self.next_flush_at.min(now);
        }
    }

    /// Whether the channel was told that an incident fires, and not yet that it ended.
    pub fn has_told(&self, incident: IncidentId) -> bool {
        let told = self.members.get(&incident).map(|member| member.told);
        matches!(told, Some(Told::Firing { .. }))
    }

    /// Puts clocks right that are further ahead than they can be: the machine's clock was put
    /// back.
    pub fn mend_clocks(&mut self, now: Timestamp) {
        let wait = self.timing.group_wait.millis().max(self.timing.group_interval.millis());
        self.next_flush_at = self.next_flush_at.min(now.plus_millis(wait));
        self.last_told_at = self.last_told_at.map(|at| at.min(now));
    }

    /// Looks at the group and decides whether the channel is told, and of what. An incident of
    /// which `standing` knows nothing has ended. The next look is a group interval later.
    pub fn flush(
        &mut self,
        now: Timestamp,
        wants_resolved: bool,
        standing: impl Fn(IncidentId) -> Option<Standing>,
    ) -> Flush {
        let ended = Standing { active: false, acknowledged: false, suppressed: false };
        let mut out = Flush::default();
        let mut again = None;
        let mut repeatable = false;
        for (id, member) in &self.members {
            let standing = standing(*id).unwrap_or(ended);
            match (standing.active, member.told) {
                (true, _) if standing.suppressed || member.leaving => {}
                (true, Told::Firing { .. }) => {
                    out.firing.push(*id);
                    again = worse(again, member.again);
                    repeatable |= !standing.acknowledged;
                }
                (true, Told::GivenUp { at })
                    if now.since(at) < self.timing.repeat_interval.millis() => {}
                (true, Told::Nothing | Told::GivenUp { .. }) => {
                    out.firing.push(*id);
                    out.new.push(*id);
                    let escalates = member.again == Some(NotificationReason::Escalation);
                    let reason = match escalates {
                        true => NotificationReason::Escalation,
                        false => NotificationReason::Firing,
                    };
                    again = worse(again, Some(reason));
                }
                (false, Told::Firing { .. }) if wants_resolved => out.resolved.push(*id),
                (false, Told::Firing { .. }) => out.unwanted.push(*id),
                (false, Told::Nothing | Told::GivenUp { .. }) => out.unheard.push(*id),
            }
        }
        let repeat_ms = self.timing.repeat_interval.millis();
        let repeat_due =
            repeatable && self.last_told_at.is_some_and(|at| now.since(at) >= repeat_ms);
        out.reason = match (again, out.resolved.is_empty()) {
            (Some(reason), _) => Some(reason),
            (None, false) => Some(NotificationReason::Resolved),
            (None, true) if repeat_due => Some(NotificationReason::Repeat),
            (None, true) => None,
        };
        if out.reason.is_none() {
            out.firing.clear();
        }
        self.settle(&out, now);
        out
    }

    /// Notes what the flush decided as told.
    fn settle(&mut self, flush: &Flush, now: Timestamp) {
        self.next_flush_at = now.plus_millis(self.timing.group_interval.millis().max(1));
        for id in flush.resolved.iter().chain(&flush.unheard).chain(&flush.unwanted) {
            self.members.remove(id);
        }
        if flush.reason.is_none() {
            return;
        }
        self.sequence += 1;
        self.last_told_at = Some(now);
        for id in &flush.firing {
            let Some(member) = self.members.get_mut(id) else { continue };
            member.again = None;
            match member.told {
                Told::Firing { .. } => {}
                Told::Nothing | Told::GivenUp { .. } => {
                    member.told = Told::Firing { by: self.sequence };
                }
            }
        }
    }

    /// A delivery was given up: those that only it told of are untold. Gives them.
    pub fn died(&mut self, sequence: u64, now: Timestamp) -> Vec<IncidentId> {
        let mut untold = Vec::new();
        for (id, member) in &mut self.members {
            if member.told == (Told::Firing { by: sequence }) {
                member.told = Told::GivenUp { at: now };
                untold.push(*id);
            }
        }
        self.members
            .retain(|_, member| !(member.leaving && matches!(member.told, Told::GivenUp { .. })));
        untold
    }

    /// A delivery was left out in favour of a later one: what it told is told by that.
    pub fn superseded(&mut self, sequence: u64) {
        for member in self.members.values_mut() {
            if member.told == (Told::Firing { by: sequence }) {
                member.told = Told::Firing { by: self.sequence };
            }
        }
    }

    /// A delivery that was given up was taken after all (sent again by hand): what it told is
    /// told.
    pub fn revived(&mut self, sequence: u64, incidents: impl Iterator<Item = IncidentId>) {
        for id in incidents {
            if let Some(member) = self.members.get_mut(&id)
                && let Told::GivenUp { .. } = member.told
            {
                member.told = Told::Firing { by: sequence };
            }
        }
    }
}

/// Of two reasons the one that people should read first.
fn worse(
    a: Option<NotificationReason>,
    b: Option<NotificationReason>,
) -> Option<NotificationReason> {
    let rank = |reason: NotificationReason| match reason {
        NotificationReason::Escalation => 0,
        NotificationReason::Firing => 1,
        NotificationReason::Fallback => 2,
        NotificationReason::Repeat => 3,
        NotificationReason::Resolved => 4,
        NotificationReason::Test => 5,
    };
    match (a, b) {
        (Some(a), Some(b)) => Some(if rank(a) <= rank(b) { a } else { b }),
        (a, b) => a.or(b),
    }
}
