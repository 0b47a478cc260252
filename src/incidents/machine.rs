//! The steps of an incident: what its alert, people and time make of it. Pure: each step takes
//! the incident as it is and changes it, or says why not and leaves it alone.

use crate::model::{
    Alert, Incident, IncidentStatus, Severity, TimelineEntry, TimelineKind, Timestamp,
};

use super::correlate;

/// What a person does.
#[derive(Clone, Debug, PartialEq)]
pub enum ActKind {
    /// Takes it.
    Acknowledge,
    /// Gives it to somebody, or to nobody.
    Assign(Option<String>),
    /// Nobody is to be told until then; `None` ends a snooze.
    Snooze(Option<Timestamp>),
    /// Writes something down.
    Note(String),
    /// Ends it.
    Resolve,
    /// Ends its end.
    Reopen,
    /// Changes what is given.
    Edit {
        /// How bad it is.
        severity: Option<Severity>,
        /// Its title.
        title: Option<String>,
    },
}

/// An act of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Who.
    pub by: String,
    /// The version that they saw; `None`: whatever it is.
    pub version: Option<u64>,
    /// What they write down with it.
    pub note: Option<String>,
    /// What.
    pub kind: ActKind,
}

/// Why an act was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not fit how the incident is: says how it is, since when and by whom.
    Conflict(String),
    /// It makes no sense at any time.
    Invalid(String),
}

/// What a step means for those who are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// It began (again): it joins its groups.
    Began,
    /// It ended: its groups tell so with their next flush.
    Ended,
    /// It is worse than people were told: they are told at once.
    Worse,
    /// A snooze ended: those who were told are told again.
    Woke,
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What the timeline says of it.
    pub entries: Vec<TimelineEntry>,
    /// What follows.
    pub effect: Effect,
}

/// What a firing alert means for the incident of its key.
#[derive(Clone, Debug, PartialEq)]
pub enum Fires {
    /// Nothing that is not known.
    Same,
    /// A step of the incident.
    Step(Step),
    /// The incident is over for too long: this is another one.
    Another,
}

/// The longest snooze: a year.
pub const SNOOZE_MAX_MS: i64 = 366 * 24 * 3_600_000;
/// The longest text that a person writes, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a person, in bytes.
pub(super) const PERSON_BYTES_MAX: usize = 256;
/// The longest title, in bytes.
pub(super) const TITLE_BYTES_MAX: usize = 512;
/// The most notes of an incident.
pub const NOTES_MAX: u64 = 1000;

fn entry(at: Timestamp, kind: TimelineKind, by: &str, text: impl Into<String>) -> TimelineEntry {
    TimelineEntry { at, kind, by: by.to_owned(), text: text.into() }
}

fn touch(incident: &mut Incident, now: Timestamp, by: &str) {
    incident.version += 1;
    incident.updated_at = now;
    incident.updated_by = by.to_owned();
}

/// Its alert fires.
pub fn fires(incident: &mut Incident, alert: &Alert, now: Timestamp, reopen_ms: i64) -> Fires {
    let update = correlate::update(incident, alert);
    match (incident.status, incident.firing) {
        (IncidentStatus::Open | IncidentStatus::Acknowledged, true) => {
            let step = correlate::take_up(incident, alert, update, now);
            if let Some(step) = &step
                && (!step.entries.is_empty() || update.worth_a_version)
            {
                touch(incident, now, "");
            }
            step.map_or(Fires::Same, Fires::Step)
        }
        // A person reopened it, and now its alert fires too.
        (IncidentStatus::Open | IncidentStatus::Acknowledged, false) => {
            let step = correlate::take_up(incident, alert, update, now);
            incident.firing = true;
            incident.ended_at = None;
            touch(incident, now, "");
            let mut step = step.unwrap_or(Step { entries: Vec::new(), effect: Effect::Nothing });
            step.entries.push(entry(now, TimelineKind::AlertChanged, "", "its alert fires"));
            Fires::Step(step)
        }
        // A person resolved it while it fired: it stays so until the alert has ended.
        (IncidentStatus::Resolved, true) => {
            if !update.changed {
                return Fires::Same;
            }
            incident.alert = correlate::stripped(alert);
            Fires::Step(Step { entries: Vec::new(), effect: Effect::Nothing })
        }
        (IncidentStatus::Resolved, false) => {
            let ended = incident.ended_at.or(incident.resolved_at).unwrap_or(now);
            let window_ms = reopen_ms.max(incident.alert.cooldown_ms);
            if now.since(ended) > window_ms {
                return Fires::Another;
            }
            Fires::Step(begin_again(incident, alert, ended, now))
        }
    }
}

fn begin_again(incident: &mut Incident, alert: &Alert, ended: Timestamp, now: Timestamp) -> Step {
    let cooldown = incident.alert.cooldown_ms.max(alert.cooldown_ms);
    let quiet_until = ended.plus_millis(cooldown);
    incident.alert = correlate::stripped(alert);
    incident.firing = true;
    incident.severity = alert.severity;
    incident.quiet_until = (cooldown > 0 && quiet_until > now).then_some(quiet_until);
    reopen(incident, now);
    incident.ended_at = None;
    touch(incident, now, "");
    let mut entries =
        vec![entry(now, TimelineKind::Reopened, "", "its alert fires again soon after its end")];
    if let Some(until) = incident.quiet_until {
        let text = format!(
            "nobody is told until {until}: its cooldown of {} after the last end",
            crate::model::format_duration_ms(cooldown)
        );
        entries.push(entry(now, TimelineKind::Suppressed, "", text));
    }
    Step { entries, effect: Effect::Began }
}

fn reopen(incident: &mut Incident, now: Timestamp) {
    incident.status = IncidentStatus::Open;
    incident.triggered_at = now;
    incident.acknowledged_at = None;
    incident.acknowledged_by = None;
    incident.resolved_at = None;
    incident.resolved_by = None;
    incident.snoozed_until = None;
    incident.escalated = 0;
}

/// Its alert ended. `None`: it had ended before.
pub fn ends(incident: &mut Incident, at: Timestamp, now: Timestamp, why: &str) -> Option<Step> {
    if !incident.firing {
        return None;
    }
    incident.firing = false;
    // Neither before its beginning nor in time to come, whatever the source's clock says.
    let at = at.min(now).max(incident.alert.starts_at.min(now));
    incident.ended_at = Some(at);
    touch(incident, now, "");
    Some(match incident.status {
        IncidentStatus::Open | IncidentStatus::Acknowledged => {
            incident.status = IncidentStatus::Resolved;
            incident.resolved_at = Some(now);
            incident.resolved_by = None;
            incident.snoozed_until = None;
            incident.quiet_until = None;
            incident.suppressed = None;
            Step {
                entries: vec![entry(now, TimelineKind::AutoResolved, "", why)],
                effect: Effect::Ended,
            }
        }
        IncidentStatus::Resolved => Step {
            entries: vec![entry(now, TimelineKind::AlertChanged, "", why)],
            effect: Effect::Nothing,
        },
    })
}

/// Its snooze is over, if it is.
pub fn wakes(incident: &mut Incident, now: Timestamp) -> Option<Step> {
    let until = incident.snoozed_until?;
    if until > now {
        return None;
    }
    incident.snoozed_until = None;
    touch(incident, now, "");
    let entries = vec![entry(now, TimelineKind::Woken, "", "the snooze is over")];
    Some(Step { entries, effect: Effect::Woke })
}

/// The next step of its escalation, if that is due: nobody has taken it for so long. Gives the
/// step's place in the chain.
pub fn escalates(incident: &Incident, now: Timestamp) -> Option<usize> {
    match incident.status {
        IncidentStatus::Acknowledged | IncidentStatus::Resolved => return None,
        IncidentStatus::Open => {}
    }
    let held = incident.snoozed_until.is_some() || incident.suppressed.is_some();
    let next = incident.escalations.get(incident.escalated)?;
    let due = incident.triggered_at.plus_millis(next.after.millis());
    (!held && now >= due).then_some(incident.escalated)
}

/// A person does something.
///
/// # Errors
///
/// [`Refused`]; nothing has changed.
pub fn act(incident: &mut Incident, act: &Act, now: Timestamp) -> Result<Step, Refused> {
    check_text("by", &act.by, PERSON_BYTES_MAX)?;
    if let Some(seen) = act.version
        && seen != incident.version
    {
        return Err(Refused::Conflict(format!(
            "incident {} has changed since version {seen}: {} changed it at {} (version {}, now \
             {}); look at it again",
            incident.number,
            who(&incident.updated_by),
            incident.updated_at,
            incident.version,
            incident.status.as_str(),
        )));
    }
    let by = act.by.as_str();
    let status = incident.status;
    use IncidentStatus::{Acknowledged, Open, Resolved};
    let (entries, effect) = match (&act.kind, status) {
        (ActKind::Acknowledge, Open) => {
            incident.status = Acknowledged;
            incident.acknowledged_at = Some(now);
            incident.acknowledged_by = Some(by.to_owned());
            (vec![entry(now, TimelineKind::Acknowledged, by, "")], Effect::Nothing)
        }
        (ActKind::Acknowledge, Acknowledged | Resolved) => {
            return Err(refuse(incident, "acknowledged"));
        }
        (ActKind::Assign(person), Open | Acknowledged) => {
            let text = match person {
                Some(person) => {
                    check_text("assignee", person, PERSON_BYTES_MAX)?;
                    format!("to {person}")
                }
                None => "to nobody".to_owned(),
            };
            incident.assignee.clone_from(person);
            (vec![entry(now, TimelineKind::Assigned, by, text)], Effect::Nothing)
        }
        (ActKind::Assign(_), Resolved) => return Err(refuse(incident, "assigned")),
        (ActKind::Snooze(Some(until)), Open | Acknowledged) => {
            if *until <= now || until.since(now) > SNOOZE_MAX_MS {
                return Err(Refused::Invalid(format!(
                    "until: {until} is not within a year from now ({now})"
                )));
            }
            incident.snoozed_until = Some(*until);
            let text = format!("until {until}");
            (vec![entry(now, TimelineKind::Snoozed, by, text)], Effect::Nothing)
        }
        (ActKind::Snooze(None), Open | Acknowledged) => {
            if incident.snoozed_until.take().is_none() {
                return Err(Refused::Conflict(format!(
                    "incident {} is not snoozed",
                    incident.number
                )));
            }
            (vec![entry(now, TimelineKind::Woken, by, "the snooze was ended")], Effect::Woke)
        }
        (ActKind::Snooze(_), Resolved) => return Err(refuse(incident, "snoozed")),
        (ActKind::Note(text), Open | Acknowledged | Resolved) => {
            check_text("text", text, TEXT_BYTES_MAX)?;
            if text.trim().is_empty() {
                return Err(Refused::Invalid("text: a note needs one".to_owned()));
            }
            if incident.notes >= NOTES_MAX {
                return Err(Refused::Conflict(format!(
                    "incident {} has {NOTES_MAX} notes, and no more are taken",
                    incident.number
                )));
            }
            incident.notes += 1;
            (vec![entry(now, TimelineKind::Noted, by, first_line(text))], Effect::Nothing)
        }
        (ActKind::Resolve, Open | Acknowledged) => {
            incident.status = Resolved;
            incident.resolved_at = Some(now);
            incident.resolved_by = Some(by.to_owned());
            incident.snoozed_until = None;
            incident.quiet_until = None;
            incident.suppressed = None;
            let text = match incident.firing {
                true => "while its alert fires: it stays resolved until that ended and fires again",
                false => "",
            };
            (vec![entry(now, TimelineKind::Resolved, by, text)], Effect::Ended)
        }
        (ActKind::Resolve, Resolved) => return Err(refuse(incident, "resolved")),
        (ActKind::Reopen, Resolved) => {
            reopen(incident, now);
            incident.quiet_until = None;
            (vec![entry(now, TimelineKind::Reopened, by, "")], Effect::Began)
        }
        (ActKind::Reopen, Open | Acknowledged) => return Err(refuse(incident, "reopened")),
        (ActKind::Edit { severity, title }, _) => {
            edit(incident, by, *severity, title.as_deref(), now)?
        }
    };
    touch(incident, now, by);
    Ok(Step { entries, effect })
}

fn edit(
    incident: &mut Incident,
    by: &str,
    severity: Option<Severity>,
    title: Option<&str>,
    now: Timestamp,
) -> Result<(Vec<TimelineEntry>, Effect), Refused> {
    if let Some(title) = title {
        check_text("title", title, TITLE_BYTES_MAX)?;
        if title.trim().is_empty() {
            return Err(Refused::Invalid("title: it must not be empty".to_owned()));
        }
    }
    let resolved = incident.status == IncidentStatus::Resolved;
    if severity.is_some_and(|severity| severity != incident.severity) && resolved {
        return Err(refuse(incident, "made worse or better"));
    }
    let mut entries = Vec::new();
    let mut effect = Effect::Nothing;
    if let Some(severity) = severity.filter(|severity| *severity != incident.severity) {
        let text = format!("from {} to {}", incident.severity.as_str(), severity.as_str());
        entries.push(entry(now, TimelineKind::SeverityChanged, by, text));
        if severity > incident.severity {
            effect = Effect::Worse;
        }
        incident.severity = severity;
    }
    if let Some(title) = title.filter(|title| *title != incident.title) {
        entries.push(entry(now, TimelineKind::Edited, by, format!("title: {title}")));
        title.clone_into(&mut incident.title);
    }
    Ok((entries, effect))
}

fn check_text(field: &str, text: &str, max: usize) -> Result<(), Refused> {
    if text.len() > max {
        let message =
            format!("{field}: {} bytes are more than the {max} that are kept", text.len());
        return Err(Refused::Invalid(message));
    }
    Ok(())
}

fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or("");
    correlate::cut(line, 200)
}

fn who(by: &str) -> &str {
    if by.is_empty() { "vedette" } else { by }
}

/// An act that does not fit the state.
fn refuse(incident: &Incident, what: &str) -> Refused {
    let (state, since, by) = match incident.status {
        IncidentStatus::Open => ("open", Some(incident.triggered_at), None),
        IncidentStatus::Acknowledged => {
            ("acknowledged", incident.acknowledged_at, incident.acknowledged_by.as_deref())
        }
        IncidentStatus::Resolved => {
            let by = incident.resolved_by.as_deref().unwrap_or("vedette, as its alert ended");
            ("resolved", incident.resolved_at, Some(by))
        }
    };
    let mut text = format!("incident {} cannot be {what}: it is {state}", incident.number);
    if let Some(since) = since {
        text += &format!(" since {since}");
    }
    if let Some(by) = by {
        text += &format!(", by {by}");
    }
    Refused::Conflict(text)
}
