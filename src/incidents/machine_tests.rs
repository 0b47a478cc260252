//! The steps of an incident against promises that hold whatever happens.

use proptest::prelude::*;
use uuid::Uuid;

use super::{Act, ActKind, Effect, Fires, Refused, act, admit, ends, fires, open};
use crate::model::{
    Alert, AlertSource, Evidence, Incident, IncidentStatus, Labels, Severity, Timestamp,
};

const REOPEN_MS: i64 = 900_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn alert(severity: Severity, cooldown_ms: i64) -> Alert {
    Alert {
        source: AlertSource::External,
        labels: Labels::from_pairs([("alertname", "Down")]).expect("valid"),
        annotations: vec![("summary".to_owned(), "it is down".to_owned())],
        severity,
        starts_at: at(0),
        value: None,
        generator_url: String::new(),
        channels: Vec::new(),
        cooldown_ms,
        evidence: Evidence::default(),
        ends_at: None,
    }
}

fn incident() -> Incident {
    open((Uuid::nil(), 1), &alert(Severity::Warning, 0), Vec::new(), at(0))
}

fn by(who: &str, kind: ActKind) -> Act {
    Act { by: who.to_owned(), version: None, note: None, kind }
}

#[test]
fn an_alert_that_fires_again_soon_reopens_and_later_is_another() {
    let mut incident = incident();
    let down = alert(Severity::Warning, 0);
    assert_eq!(fires(&mut incident, &down, at(1), REOPEN_MS), Fires::Same);
    assert!(ends(&mut incident, at(10), at(10), "over").is_some());
    assert!(ends(&mut incident, at(11), at(11), "over").is_none(), "it has ended");
    let again = fires(&mut incident, &down, at(20), REOPEN_MS);
    assert!(matches!(again, Fires::Step(step) if step.effect == Effect::Began));
    assert_eq!(incident.status, IncidentStatus::Open);
    ends(&mut incident, at(30), at(30), "over");
    assert_eq!(fires(&mut incident, &down, at(31 + 900), REOPEN_MS), Fires::Another);
}

#[test]
fn a_cooldown_keeps_the_new_beginning_quiet_until_it_is_over() {
    let down = alert(Severity::Warning, 60_000);
    let mut incident = open((Uuid::nil(), 1), &down, Vec::new(), at(0));
    ends(&mut incident, at(10), at(10), "over");
    fires(&mut incident, &down, at(20), REOPEN_MS);
    assert_eq!(incident.quiet_until, Some(at(70)));
}

#[test]
fn what_a_person_resolved_stays_so_until_the_alert_ended_and_fired_again() {
    let mut incident = incident();
    act(&mut incident, &by("ann", ActKind::Resolve), at(5)).expect("open");
    let worse = alert(Severity::Critical, 0);
    let step = fires(&mut incident, &worse, at(6), REOPEN_MS);
    assert!(matches!(step, Fires::Step(step) if step.effect == Effect::Nothing));
    assert_eq!(incident.status, IncidentStatus::Resolved);
    ends(&mut incident, at(7), at(7), "over");
    fires(&mut incident, &worse, at(8), REOPEN_MS);
    assert_eq!((incident.status, incident.severity), (IncidentStatus::Open, Severity::Critical));
}

#[test]
fn a_refusal_says_how_it_is_since_when_and_by_whom() {
    let mut incident = incident();
    act(&mut incident, &by("ann", ActKind::Acknowledge), at(5)).expect("open");
    let before = incident.clone();
    let refused = act(&mut incident, &by("bob", ActKind::Acknowledge), at(6));
    let Err(Refused::Conflict(text)) = refused else { panic!("{refused:?}") };
    assert_eq!(
        text,
        "incident 1 cannot be acknowledged: it is acknowledged since 1970-01-01T00:00:05.000Z, by \
         ann"
    );
    assert_eq!(incident, before);
}

#[test]
fn of_two_who_saw_the_same_version_one_wins_and_the_other_hears_who() {
    let mut incident = incident();
    let seen = Some(incident.version);
    let first = Act { version: seen, ..by("ann", ActKind::Acknowledge) };
    act(&mut incident, &first, at(5)).expect("first");
    let second = Act { version: seen, ..by("bob", ActKind::Resolve) };
    let refused = act(&mut incident, &second, at(6));
    let Err(Refused::Conflict(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("ann changed it at 1970-01-01T00:00:05.000Z"), "{text}");
}

#[test]
fn a_higher_severity_of_the_alert_is_told_and_a_lower_one_is_not() {
    let mut incident = incident();
    let worse = fires(&mut incident, &alert(Severity::Critical, 0), at(1), REOPEN_MS);
    assert!(matches!(worse, Fires::Step(step) if step.effect == Effect::Worse));
    let better = fires(&mut incident, &alert(Severity::Info, 0), at(2), REOPEN_MS);
    assert!(matches!(better, Fires::Step(step) if step.effect == Effect::Nothing));
    assert_eq!(incident.severity, Severity::Critical, "the worst that it was");
}

#[test]
fn what_comes_from_outside_is_cut_to_its_bounds() {
    let mut huge = alert(Severity::Info, -5);
    huge.annotations = vec![("x".to_owned(), "ä".repeat(10_000)); 100];
    huge.evidence.samples = vec![("s".to_owned(), vec![(0, 0.0); 5_000]); 50];
    let (alert, evidence) = admit(huge);
    assert_eq!((alert.annotations.len(), alert.cooldown_ms), (32, 0));
    assert!(alert.annotations[0].1.len() <= 4096);
    assert_eq!((evidence.samples.len(), evidence.samples[0].1.len()), (20, 500));
}

#[derive(Clone, Debug)]
enum Event {
    Fires(Severity),
    Ends,
    Act(ActKind),
}

fn event() -> impl Strategy<Value = Event> {
    let severity =
        prop_oneof![Just(Severity::Info), Just(Severity::Warning), Just(Severity::Critical)];
    let kind = prop_oneof![
        Just(ActKind::Acknowledge),
        Just(ActKind::Resolve),
        Just(ActKind::Reopen),
        Just(ActKind::Assign(Some("ann".to_owned()))),
        Just(ActKind::Snooze(Some(at(1_000_000)))),
        Just(ActKind::Snooze(None)),
        Just(ActKind::Note("seen".to_owned())),
        Just(ActKind::Edit { severity: Some(Severity::Critical), title: None }),
    ];
    prop_oneof![severity.prop_map(Event::Fires), Just(Event::Ends), kind.prop_map(Event::Act)]
}

proptest! {
    #[test]
    fn beginnings_and_ends_take_turns_and_refusals_change_nothing(
        events in proptest::collection::vec((event(), 0..600i64), 0..60),
    ) {
        let mut incident = incident();
        let mut going_on = true;
        let mut now = 0;
        for (event, pause) in events {
            now += pause;
            let before = incident.clone();
            let effect = match event {
                Event::Fires(severity) => {
                    match fires(&mut incident, &alert(severity, 0), at(now), REOPEN_MS) {
                        Fires::Same | Fires::Another => {
                            prop_assert_eq!(&incident, &before);
                            Effect::Nothing
                        }
                        Fires::Step(step) => {
                            // Saying it twice changes nothing.
                            let once = incident.clone();
                            let twice = fires(&mut incident, &alert(severity, 0), at(now), REOPEN_MS);
                            prop_assert_eq!(twice, Fires::Same);
                            prop_assert_eq!(&incident, &once);
                            step.effect
                        }
                    }
                }
                Event::Ends => {
                    let step = ends(&mut incident, at(now), at(now), "over");
                    prop_assert!(ends(&mut incident, at(now), at(now), "over").is_none());
                    step.map_or(Effect::Nothing, |step| step.effect)
                }
                Event::Act(kind) => match act(&mut incident, &by("ann", kind), at(now)) {
                    Ok(step) => {
                        prop_assert!(incident.version > before.version);
                        step.effect
                    }
                    Err(_) => {
                        prop_assert_eq!(&incident, &before);
                        Effect::Nothing
                    }
                },
            };
            match effect {
                Effect::Began => {
                    prop_assert!(!going_on);
                    going_on = true;
                }
                Effect::Ended => {
                    prop_assert!(going_on);
                    going_on = false;
                }
                Effect::Nothing | Effect::Worse | Effect::Woke => {}
            }
            prop_assert_eq!(going_on, incident.status != IncidentStatus::Resolved);
            let resolved = incident.status == IncidentStatus::Resolved;
            prop_assert_eq!(resolved, incident.resolved_at.is_some());
            let taken = incident.status == IncidentStatus::Acknowledged;
            prop_assert!(!taken || incident.acknowledged_by.is_some());
        }
    }
}
