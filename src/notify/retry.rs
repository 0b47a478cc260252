//! What a failure means, and how long to wait before the next attempt.

use crate::model::{ChannelKind, Timestamp};

/// The first wait is drawn from up to here.
pub const BACKOFF_FIRST_MS: i64 = 1_000;
/// No wait is drawn from beyond here.
pub const BACKOFF_MAX_MS: i64 = 5 * 60 * 1_000;
/// No wait is shorter, whatever is drawn: an attempt costs the other side something.
pub const BACKOFF_MIN_MS: i64 = 200;
/// The longest wait that another side may ask for.
pub const RETRY_AFTER_MAX_MS: i64 = 60 * 60 * 1_000;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether another attempt may succeed without anybody changing anything.
    pub transient: bool,
    /// How long the other side asks to be left alone, in milliseconds.
    pub retry_after_ms: Option<i64>,
    /// What failed, where, and what that may mean; without secrets.
    pub reason: String,
}

impl Failure {
    /// One that may pass.
    pub fn transient(reason: impl Into<String>) -> Self {
        Failure { transient: true, retry_after_ms: None, reason: reason.into() }
    }

    /// One that stays until somebody changes something.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Failure { transient: false, retry_after_ms: None, reason: reason.into() }
    }
}

/// What an HTTP status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It was taken.
    Taken,
    /// Not now.
    Transient,
    /// Not like this.
    Permanent,
}

/// What a status means for a kind of channel. In general (Alertmanager's `notify/util.go`
/// retries 429 and 5xx; RFC 9110 adds 408, RFC 8470 adds 425): 2xx taken; 408, 425, 429 and 5xx
/// pass; all others stay. Pushover answers 429 when the month's messages are used up
/// (pushover.net/api#limits) and asks that no 4xx be repeated. Slack answers 404 and 410 for
/// hooks that are gone, which the general rule covers.
pub fn meaning_of(kind: ChannelKind, status: u16) -> Meaning {
    match (kind, status) {
        (_, 200..=299) => Meaning::Taken,
        (ChannelKind::Pushover, 400..=499) => Meaning::Permanent,
        (_, 408 | 425 | 429 | 500..=599) => Meaning::Transient,
        _ => Meaning::Permanent,
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or an HTTP date. Gives milliseconds, at most
/// [`RETRY_AFTER_MAX_MS`]; a date in the past asks for no wait. Slack, Discord and Telegram also
/// give fractions of seconds.
pub fn retry_after_ms(value: &str, now: Timestamp) -> Option<i64> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            // Rounded up: a wait that ends early is answered with the same again.
            (seconds * 1000.0).ceil().min(RETRY_AFTER_MAX_MS as f64) as i64
        }
        Ok(_) => return None,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(value).ok()?;
            date.timestamp().as_millisecond().saturating_sub(now.millis())
        }
    };
    Some(wait.clamp(0, RETRY_AFTER_MAX_MS))
}

/// How long to wait after so many failed attempts (1 or more): exponential with full jitter
/// ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), drawn by `seed`. Never
/// shorter than the other side asks for.
pub fn backoff_ms(failed_attempts: u32, seed: u64, retry_after_ms: Option<i64>) -> i64 {
    let doublings = failed_attempts.saturating_sub(1).min(20);
    let ceiling = (BACKOFF_FIRST_MS << doublings).min(BACKOFF_MAX_MS);
    let spread = (ceiling - BACKOFF_MIN_MS).unsigned_abs() + 1;
    let drawn = BACKOFF_MIN_MS + (mix(seed ^ u64::from(failed_attempts)) % spread) as i64;
    drawn.max(retry_after_ms.unwrap_or(0))
}

/// Spreads the bits of a seed (splitmix64, Steele, Lea and Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The other side has it.
    Delivered,
    /// Again, then.
    Again {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Given up.
    Dead {
        /// Why.
        reason: String,
    },
}

/// Decides what becomes of a delivery: `created_at` and `ttl_ms` say how long it is worth
/// trying, `attempts` counts this one.
pub fn after_attempt(
    outcome: Result<(), &Failure>,
    attempts: u32,
    created_at: Timestamp,
    now: Timestamp,
    ttl_ms: i64,
    seed: u64,
) -> Next {
    let failure = match outcome {
        Ok(()) => return Next::Delivered,
        Err(failure) => failure,
    };
    if !failure.transient {
        return Next::Dead { reason: failure.reason.clone() };
    }
    let at = now.plus_millis(backoff_ms(attempts, seed, failure.retry_after_ms));
    if at.since(created_at) > ttl_ms {
        return Next::Dead { reason: given_up(&failure.reason, attempts, ttl_ms) };
    }
    Next::Again { at, reason: failure.reason.clone() }
}

/// Why something that might still have worked is given up.
pub fn given_up(reason: &str, attempts: u32, ttl_ms: i64) -> String {
    let ttl = crate::model::format_duration_ms(ttl_ms);
    format!("{reason}; given up after {ttl} (notify.ttl) and {attempts} attempts")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_717_000_000);

    #[test]
    fn a_status_means_what_the_service_documents() {
        use ChannelKind::{Opsgenie, PagerDuty, Pushover, Slack, Telegram, Webhook};
        for (kind, status, meaning) in [
            (Webhook, 204, Meaning::Taken),
            (Webhook, 302, Meaning::Permanent),
            (Webhook, 400, Meaning::Permanent),
            (Webhook, 404, Meaning::Permanent),
            (Webhook, 408, Meaning::Transient),
            (Webhook, 425, Meaning::Transient),
            (Webhook, 429, Meaning::Transient),
            (Webhook, 500, Meaning::Transient),
            (Webhook, 503, Meaning::Transient),
            // developer.pagerduty.com/docs/events-api-v2: 400 invalid, 429 too many, 5xx retry.
            (PagerDuty, 202, Meaning::Taken),
            (PagerDuty, 400, Meaning::Permanent),
            (PagerDuty, 429, Meaning::Transient),
            // docs.opsgenie.com/docs/response: 422 is semantic, 429 throttling.
            (Opsgenie, 422, Meaning::Permanent),
            (Opsgenie, 429, Meaning::Transient),
            (Slack, 410, Meaning::Permanent),
            (Telegram, 403, Meaning::Permanent),
            (Pushover, 429, Meaning::Permanent),
            (Pushover, 500, Meaning::Transient),
        ] {
            assert_eq!(meaning_of(kind, status), meaning, "{kind:?} {status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_a_cap() {
        // 1763717000 is Fri, 21 Nov 2025 09:23:20 GMT (date -u -d @1763717000).
        for (value, wait) in [
            ("120", Some(120_000)),
            ("0", Some(0)),
            ("0.65", Some(650)),
            ("Fri, 21 Nov 2025 09:24:20 GMT", Some(60_000)),
            ("Fri, 21 Nov 2025 09:00:00 GMT", Some(0)),
            ("99999999", Some(RETRY_AFTER_MAX_MS)),
            ("soon", None),
            ("-3", None),
            ("NaN", None),
        ] {
            assert_eq!(retry_after_ms(value, NOW), wait, "{value:?}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_are_spread_over_all_of_it() {
        for (attempts, ceiling) in
            [(1, 1_000), (2, 2_000), (5, 16_000), (9, 256_000), (10, 300_000), (u32::MAX, 300_000)]
        {
            let waits: Vec<i64> = (0..2000).map(|seed| backoff_ms(attempts, seed, None)).collect();
            let (least, most) = (waits.iter().min().copied(), waits.iter().max().copied());
            assert!(least.is_some_and(|w| w >= 200 && w < ceiling / 4 + 50), "{least:?}");
            assert!(most.is_some_and(|w| w <= ceiling && w > ceiling * 95 / 100), "{most:?}");
        }
        assert_eq!(backoff_ms(3, 7, None), backoff_ms(3, 7, None));
        assert!(backoff_ms(1, 7, Some(90_000)) >= 90_000);
    }

    #[test]
    fn a_delivery_is_given_up_for_good_reasons_only() {
        let at = |millis| NOW.plus_millis(millis);
        let passing = Failure::transient("the server answered 503");
        let lasting = Failure::permanent("the server answered 404");
        let day = 24 * 3600 * 1000;
        let decide = |outcome, now| after_attempt(outcome, 3, NOW, now, day, 1);
        assert_eq!(decide(Ok(()), at(day * 2)), Next::Delivered);
        assert!(
            matches!(decide(Err(&lasting), at(1)), Next::Dead { reason } if reason.contains("404"))
        );
        assert!(matches!(decide(Err(&passing), at(1)), Next::Again { at, .. } if at > NOW));
        let Next::Dead { reason } = decide(Err(&passing), at(day)) else { panic!("goes on") };
        assert_eq!(
            reason,
            "the server answered 503; given up after 1d (notify.ttl) and 3 attempts"
        );
    }
}
