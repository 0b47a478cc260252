//! Silences: when one holds, what it matches, and how it may be changed
//! (`silence/silence.go` of Alertmanager).

use uuid::Uuid;

use super::recurrence::{HoldState, Occurrences, Span};
use crate::model::{Labels, Silence, Timestamp};

/// Bytes of a silence's comment.
const COMMENT_BYTES_MAX: usize = 8 << 10;
/// Bytes of the name of who made it.
const AUTHOR_BYTES_MAX: usize = 256;

/// What may not be silenced, and why.
///
/// # Errors
///
/// Says which field, and what to write instead.
pub fn check(silence: &Silence, now: Timestamp) -> Result<(), String> {
    silence.matchers.check_choosy().map_err(|error| format!("matchers: {error}"))?;
    if silence.ends_at <= silence.starts_at {
        return Err("start time must be before end time".to_owned());
    }
    if silence.ends_at <= now {
        return Err("end time can't be in the past".to_owned());
    }
    if silence.comment.len() > COMMENT_BYTES_MAX {
        return Err(format!("comment: longer than {COMMENT_BYTES_MAX} bytes; shorten it"));
    }
    if silence.created_by.len() > AUTHOR_BYTES_MAX {
        return Err(format!("created_by: longer than {AUTHOR_BYTES_MAX} bytes; shorten it"));
    }
    let times = TimedSilence::new(silence.clone())?;
    if times.state(now) == HoldState::Expired {
        return Err("recurrence: none begins before ends_at; set a later end".to_owned());
    }
    Ok(())
}

/// A silence whose times can be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedSilence {
    silence: Silence,
    times: Occurrences,
}

impl TimedSilence {
    /// Reads its recurrence.
    ///
    /// # Errors
    ///
    /// What is wrong with the recurrence.
    pub fn new(silence: Silence) -> Result<Self, String> {
        let recurrence = silence.recurrence.as_ref();
        let times = Occurrences::new(silence.starts_at, silence.ends_at, recurrence)?;
        Ok(TimedSilence { silence, times })
    }

    /// The silence.
    pub fn silence(&self) -> &Silence {
        &self.silence
    }

    /// How it stands. At its end it is over, which Alertmanager, counting nanoseconds, has one of
    /// them later.
    pub fn state(&self, now: Timestamp) -> HoldState {
        self.times.state(now)
    }

    /// The occurrence in which it holds now.
    pub fn current(&self, now: Timestamp) -> Option<Span> {
        self.times.at(now)
    }

    /// The occurrence after now.
    pub fn next(&self, now: Timestamp) -> Option<Span> {
        self.times.next(now)
    }

    /// Whether nobody is told of an alert with these labels now.
    pub fn silences(&self, labels: &Labels, now: Timestamp) -> bool {
        self.silence.matchers.matches(labels) && self.times.at(now).is_some()
    }
}

/// What comes of a wish to change a silence.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// The silence itself changes.
    Update(Silence),
    /// That would change what was silenced in the past: the old one ends, and another begins.
    Replace {
        /// The old one as it ends; `None` where it had ended.
        expired: Option<Silence>,
        /// The other, under its own id.
        new: Silence,
    },
}

/// A silence as it is first kept: it cannot begin before it was made. `wanted` must be valid.
pub fn create(wanted: Silence, id: Uuid, now: Timestamp) -> Silence {
    Silence { id, starts_at: wanted.starts_at.max(now), updated_at: now, ..wanted }
}

/// Changes a silence into what is wanted. `wanted` must be valid; `new_id` names the other one if
/// there must be one (`Silences.Set`).
pub fn edit(previous: &TimedSilence, wanted: Silence, new_id: Uuid, now: Timestamp) -> Edit {
    let id = previous.silence.id;
    if may_update(previous, &wanted, now) {
        return Edit::Update(Silence { id, updated_at: now, ..wanted });
    }
    Edit::Replace { expired: expire(previous, now), new: create(wanted, new_id, now) }
}

/// Whether the change leaves alone what was silenced so far (`canUpdate`).
fn may_update(previous: &TimedSilence, wanted: &Silence, now: Timestamp) -> bool {
    let old = &previous.silence;
    if old.matchers != wanted.matchers {
        return false;
    }
    // One that recurs has been active if the first bound has passed, also between occurrences.
    let began = old.starts_at <= now;
    match previous.state(now) {
        HoldState::Expired => false,
        HoldState::Active | HoldState::Pending if began => {
            let seconds = |at: Timestamp| at.millis().div_euclid(1000);
            seconds(wanted.starts_at) == seconds(old.starts_at)
                && wanted.ends_at >= now
                && wanted.recurrence == old.recurrence
        }
        HoldState::Active | HoldState::Pending => wanted.starts_at >= now,
    }
}

/// The silence as it is when it ends now; `None` where it has ended already.
pub fn expire(previous: &TimedSilence, now: Timestamp) -> Option<Silence> {
    let old = &previous.silence;
    if previous.state(now) == HoldState::Expired {
        return None;
    }
    // One that never began has no time left at all.
    let starts_at = old.starts_at.min(now);
    Some(Silence { starts_at, ends_at: now, updated_at: now, ..old.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Matchers, Period, Recurrence};

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn silence(matchers: &str, from: i64, until: i64) -> Silence {
        Silence {
            id: Uuid::from_u128(1),
            matchers: Matchers::parse(matchers).expect("matchers"),
            starts_at: at(from),
            ends_at: at(until),
            recurrence: None,
            created_by: "me".to_owned(),
            comment: String::new(),
            updated_at: at(0),
        }
    }

    fn timed(matchers: &str, from: i64, until: i64) -> TimedSilence {
        TimedSilence::new(silence(matchers, from, until)).expect("valid")
    }

    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_silence_holds_from_its_start_until_before_its_end() {
        let one = timed("a=b", 100, 200);
        let labels = Labels::from_pairs([("a", "b")]).expect("valid");
        for (now, state) in [
            (99, HoldState::Pending),
            (100, HoldState::Active),
            (199, HoldState::Active),
            (200, HoldState::Expired),
        ] {
            assert_eq!(one.state(at(now)), state, "{now}");
            assert_eq!(one.silences(&labels, at(now)), state == HoldState::Active, "{now}");
        }
        assert!(!one.silences(&Labels::empty(), at(150)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let now = at(100);
        assert_eq!(check(&silence("a=b", 50, 200), now), Ok(()));
        for (bad, word) in [
            (silence("{}", 100, 200), "at least one matcher required"),
            (silence("a=~\".*\"", 100, 200), "must not match the empty string"),
            (silence("a=b", 200, 200), "start time must be before end time"),
            (silence("a=b", 50, 100), "end time can't be in the past"),
            (Silence { comment: "x".repeat(9000), ..silence("a=b", 1, 200) }, "comment"),
            (Silence { created_by: "x".repeat(300), ..silence("a=b", 1, 200) }, "created_by"),
        ] {
            let error = check(&bad, now).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
        let recurrence = |cron: &str, duration: i64| Silence {
            recurrence: Some(Recurrence {
                cron: cron.to_owned(),
                duration: Period::from_secs(duration),
                zone: String::new(),
            }),
            ..silence("a=b", 50, 200)
        };
        assert_eq!(check(&recurrence("* * * * *", 10), now), Ok(()));
        assert!(
            check(&recurrence("99 * * * *", 10), now).expect_err("cron").contains("recurrence")
        );
        assert!(check(&recurrence("* * * * *", 0), now).expect_err("nothing").contains("duration"));
        assert!(check(&recurrence("0 5 * * *", 60), now).expect_err("late").contains("ends_at"));
    }

    #[test]
    fn an_active_silence_may_end_later_or_earlier_and_change_its_comment() {
        let now = at(150);
        let old = timed("a=b", 100, 200);
        let wanted = Silence { comment: "longer".to_owned(), ..silence("a=b", 100, 400) };
        let Edit::Update(new) = edit(&old, wanted, OTHER, now) else { panic!("replaced") };
        assert_eq!((new.id, new.starts_at, new.ends_at), (Uuid::from_u128(1), at(100), at(400)));
        assert_eq!((new.comment.as_str(), new.updated_at), ("longer", now));
    }

    #[test]
    fn changed_matchers_or_starts_of_an_active_silence_make_another() {
        let now = at(150);
        let old = timed("a=b", 100, 200);
        for wanted in [silence("a=c", 100, 200), silence("a=b", 90, 200), silence("a=b", 160, 200)]
        {
            let Edit::Replace { expired, new } = edit(&old, wanted.clone(), OTHER, now) else {
                panic!("updated to {wanted:?}")
            };
            let expired = expired.expect("it was active");
            assert_eq!(
                (expired.id, expired.starts_at, expired.ends_at),
                (old.silence.id, at(100), now)
            );
            assert_eq!((new.id, new.starts_at), (OTHER, wanted.starts_at.max(now)));
        }
    }

    #[test]
    fn a_pending_silence_moves_freely_but_not_into_the_past() {
        let now = at(50);
        let old = timed("a=b", 100, 200);
        assert!(matches!(edit(&old, silence("a=b", 60, 70), OTHER, now), Edit::Update(_)));
        assert!(matches!(edit(&old, silence("a=b", 40, 70), OTHER, now), Edit::Replace { .. }));
        let Edit::Replace { expired: Some(expired), .. } =
            edit(&old, silence("a=c", 100, 200), OTHER, now)
        else {
            panic!("updated")
        };
        assert_eq!((expired.starts_at, expired.ends_at), (now, now));
        assert_eq!(TimedSilence::new(expired).expect("valid").state(now), HoldState::Expired);
    }

    #[test]
    fn an_expired_silence_is_history() {
        let now = at(300);
        let old = timed("a=b", 100, 200);
        assert_eq!(expire(&old, now), None);
        let edited = edit(&old, silence("a=b", 300, 400), OTHER, now);
        let Edit::Replace { expired: None, new } = edited else { panic!("{edited:?}") };
        assert_eq!(new.id, OTHER);
    }
}
