//! The made-up company: what it runs, how busy that is, and what went wrong lately.

use std::f64::consts::TAU;

use crate::model::Timestamp;

/// One way in which a feature does its work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    pub(super) feature: &'static str,
    pub(super) provider: Option<&'static str>,
    pub(super) model: Option<&'static str>,
    /// Requests in a minute at the busiest time of a weekday.
    pub(super) per_minute: f64,
    /// The share that fails on a good day.
    pub(super) failing: f64,
    /// The median, in milliseconds.
    pub(super) latency_ms: f64,
    /// Of one request, in euros; 0: it costs nothing that is counted.
    pub(super) cost: f64,
    /// Tokens in and out; 0: no language model.
    pub(super) tokens: (f64, f64),
}

const fn trade(
    feature: &'static str,
    provider: Option<&'static str>,
    model: Option<&'static str>,
    numbers: [f64; 4],
    tokens: (f64, f64),
) -> Trade {
    let [per_minute, failing, latency_ms, cost] = numbers;
    Trade { feature, provider, model, per_minute, failing, latency_ms, cost, tokens }
}

const PAY: Option<&str> = Some("north-pay");
const MODELS: Option<&str> = Some("acme-models");

/// All that Larkspur Books does.
pub(super) const TRADES: [Trade; 7] = [
    trade("checkout", PAY, Some("cards"), [42.0, 0.004, 180.0, 0.012], (0.0, 0.0)),
    trade("checkout", PAY, Some("transfer"), [9.0, 0.006, 320.0, 0.004], (0.0, 0.0)),
    trade("search", None, None, [150.0, 0.001, 45.0, 0.0], (0.0, 0.0)),
    trade("recommendations", MODELS, Some("small-2"), [60.0, 0.006, 260.0, 6e-4], (420.0, 60.0)),
    trade("assistant", MODELS, Some("large-1"), [8.0, 0.012, 900.0, 0.021], (1800.0, 340.0)),
    trade("assistant", MODELS, Some("small-2"), [12.0, 0.016, 420.0, 0.002], (1500.0, 260.0)),
    trade("order-mail", Some("postbox"), None, [14.0, 0.003, 520.0, 8e-4], (0.0, 0.0)),
];

/// Something that went wrong and was mended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Episode {
    /// The check that noticed.
    pub(super) check: &'static str,
    pub(super) feature: &'static str,
    /// The program that wrote of it.
    pub(super) source: &'static str,
    /// How long ago it began, in minutes.
    pub(super) ago_min: i64,
    /// How long it went on, in minutes.
    pub(super) lasted_min: i64,
    /// The share of requests that failed.
    pub(super) failing: f64,
    /// How many times as long answers took.
    pub(super) slower: f64,
    /// Whether it was down, or only slow.
    pub(super) down: bool,
    pub(super) title: &'static str,
    /// Who took it, and what they wrote.
    pub(super) by: &'static str,
    pub(super) note: &'static str,
}

/// What went wrong, the latest first.
pub(super) const EPISODES: [Episode; 5] = [
    Episode {
        check: "assistant-model",
        feature: "assistant",
        source: "assistant",
        ago_min: 29 * 60,
        lasted_min: 55,
        failing: 0.14,
        slower: 2.6,
        down: false,
        title: "The assistant answers slowly",
        by: "mara",
        note: "The provider had one region down; requests went to the other one.",
    },
    Episode {
        check: "payments",
        feature: "checkout",
        source: "payments",
        ago_min: 3 * 1440 + 260,
        lasted_min: 38,
        failing: 0.31,
        slower: 3.2,
        down: true,
        title: "Payments answer with errors",
        by: "ines",
        note: "A certificate of the provider had expired. They renewed it at once.",
    },
    Episode {
        check: "search-api",
        feature: "search",
        source: "search",
        ago_min: 6 * 1440 + 700,
        lasted_min: 130,
        failing: 0.012,
        slower: 4.0,
        down: false,
        title: "Search is slow",
        by: "jonas",
        note: "Reindexing ran in the daytime. It is at night again.",
    },
    Episode {
        check: "mail-relay",
        feature: "order-mail",
        source: "mailer",
        ago_min: 9 * 1440 + 90,
        lasted_min: 22,
        failing: 0.5,
        slower: 1.4,
        down: true,
        title: "The mail relay takes no mail",
        by: "mara",
        note: "The queue's disk was full; old mail was removed.",
    },
    Episode {
        check: "payments",
        feature: "checkout",
        source: "payments",
        ago_min: 12 * 1440 + 1000,
        lasted_min: 14,
        failing: 0.2,
        slower: 2.0,
        down: true,
        title: "Payments answer with errors",
        by: "ines",
        note: "Their deploy; rolled back.",
    },
];

/// Since when cards are declined too often, which is what the demo is about: minutes ago.
pub(super) const CARDS_FAIL_SINCE_MIN: i64 = 24;
/// How many of them.
pub(super) const CARDS_FAIL: f64 = 0.11;

/// How a feature fares at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weather {
    /// The share that fails, beside what fails on a good day.
    pub(super) failing: f64,
    /// How many times as long answers take.
    pub(super) slower: f64,
}

/// How a trade fares at `at`, as it looks at `now`.
pub(super) fn weather(trade: &Trade, at: Timestamp, now: Timestamp) -> Weather {
    let ago_ms = now.since(at);
    if trade.model == Some("cards") && ago_ms < CARDS_FAIL_SINCE_MIN * 60_000 {
        return Weather { failing: CARDS_FAIL, slower: 1.3 };
    }
    let episode = EPISODES.iter().find(|one| one.feature == trade.feature && one.is_on(ago_ms));
    match episode {
        Some(one) => Weather { failing: one.failing, slower: one.slower },
        None => Weather { failing: 0.0, slower: 1.0 },
    }
}

impl Episode {
    /// Whether it was on so long ago.
    pub(super) fn is_on(&self, ago_ms: i64) -> bool {
        let began = self.ago_min * 60_000;
        ago_ms <= began && ago_ms > began - self.lasted_min * 60_000
    }

    /// When it began and ended.
    pub(super) fn times(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let began = now.plus_millis(-self.ago_min * 60_000);
        (began, began.plus_millis(self.lasted_min * 60_000))
    }
}

const DAY_MS: f64 = 86_400_000.0;

/// How busy it is, 1 at the best hour of a weekday: low at night, high in the evening, less on
/// Saturdays and Sundays. Hours are of UTC.
pub(super) fn busy(at: Timestamp) -> f64 {
    let days = at.millis() as f64 / DAY_MS;
    let hour = days.fract();
    let wave = |peak: f64, sharp: f64| ((TAU * (hour - peak)).cos() * sharp - sharp).exp();
    let shape = 0.18 + 0.55 * wave(10.5 / 24.0, 2.0) + 0.62 * wave(19.5 / 24.0, 2.5);
    // 1970-01-01 was a Thursday.
    let weekday = (days.floor() as i64 + 3).rem_euclid(7);
    shape.min(1.0) * if weekday >= 5 { 0.72 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_are_quiet_and_evenings_busy() {
        let at = |hour: i64| Timestamp::from_millis((4 * 24 + hour) * 3_600_000);
        assert!(busy(at(3)) < 0.35, "{}", busy(at(3)));
        assert!(busy(at(19)) > 0.8, "{}", busy(at(19)));
    }

    #[test]
    fn an_episode_begins_and_ends() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        for one in &EPISODES {
            let (began, ended) = one.times(now);
            assert!(one.is_on(now.since(began)), "{}", one.title);
            assert!(!one.is_on(now.since(ended)), "{}", one.title);
        }
        let cards = &TRADES[0];
        assert_eq!(weather(cards, now, now).failing, CARDS_FAIL);
        let before = now.plus_millis(-(CARDS_FAIL_SINCE_MIN + 1) * 60_000);
        assert_eq!(weather(cards, before, now), Weather { failing: 0.0, slower: 1.0 });
    }
}
