//! What the made-up programs write into their logs.

use serde_json::{Value, json};

use super::company::{EPISODES, busy};
use super::dice::Dice;
use crate::model::Timestamp;

/// A program and what it says: level, text, and how often against the others. In texts `{n}` is a
/// number, `{ms}` a time, `{user}` somebody and `{book}` a title.
struct Voice {
    source: &'static str,
    feature: &'static str,
    says: &'static [(&'static str, &'static str, f64)],
}

const VOICES: [Voice; 6] = [
    Voice {
        source: "shop",
        feature: "checkout",
        says: &[
            ("info", "order {n} placed by {user} in {ms} ms", 6.0),
            ("info", "GET /book/{n} 200 in {ms} ms", 9.0),
            ("debug", "session of {user} renewed", 5.0),
            ("warn", "basket of {user} was changed in two windows", 0.5),
        ],
    },
    Voice {
        source: "payments",
        feature: "checkout",
        says: &[
            ("info", "card of {user} authorised in {ms} ms", 4.0),
            ("info", "transfer for order {n} announced", 1.5),
            ("warn", "north-pay answered after {ms} ms, tried again", 0.5),
        ],
    },
    Voice {
        source: "search",
        feature: "search",
        says: &[
            ("info", "query {book} gave {n} books in {ms} ms", 9.0),
            ("debug", "cache hit for {book}", 6.0),
            ("warn", "query {book} took {ms} ms", 0.4),
        ],
    },
    Voice {
        source: "recommender",
        feature: "recommendations",
        says: &[
            ("info", "12 books for {user} from small-2 in {ms} ms", 3.0),
            ("debug", "{n} candidates after filtering", 2.0),
            ("error", "small-2 answered something that is not JSON; showing bestsellers", 0.05),
        ],
    },
    Voice {
        source: "assistant",
        feature: "assistant",
        says: &[
            ("info", "answered {user} about {book} with small-2 in {ms} ms", 2.0),
            ("warn", "low confidence about {book}; offered a human", 0.3),
            ("error", "small-2 timed out after {ms} ms", 0.04),
        ],
    },
    Voice {
        source: "mailer",
        feature: "order-mail",
        says: &[
            ("info", "confirmation of order {n} sent to {user}", 2.0),
            ("warn", "postbox deferred a mail to {user}: try again later", 0.2),
        ],
    },
];

const TITLES: [&str; 8] = [
    "The Larch Year",
    "Harbour Lights",
    "A Short Walk North",
    "Salt and Slate",
    "The Glass Orchard",
    "Nine Quiet Rivers",
    "The Cartographer's Son",
    "Winter Wheat",
];

/// Says one line.
fn line(dice: &mut Dice, at: Timestamp) -> Value {
    let voice = dice.pick(&VOICES);
    let total: f64 = voice.says.iter().map(|(.., weight)| weight).sum();
    let mut left = dice.unit() * total;
    let mut said = &voice.says[0];
    for one in voice.says {
        left -= one.2;
        if left <= 0.0 {
            said = one;
            break;
        }
    }
    entry(dice, at, said.0, voice.source, voice.feature, said.1)
}

fn entry(
    dice: &mut Dice,
    at: Timestamp,
    level: &str,
    source: &str,
    feature: &str,
    text: &str,
) -> Value {
    let user = format!("reader-{}", 1000 + dice.below(9000));
    let ms = dice.skewed(120.0, 0.6).round() as u64;
    let message = text
        .replace("{n}", &(40_000 + dice.below(9_000)).to_string())
        .replace("{ms}", &ms.to_string())
        .replace("{user}", &user)
        .replace("{book}", &format!("\"{}\"", dice.pick(&TITLES)));
    let trace = format!("{:016x}{:016x}", dice.below(u64::MAX >> 1), dice.below(u64::MAX >> 1));
    let host = *dice.pick(&["web-1", "web-2"]);
    json!({
        "time": at.millis(), "level": level, "message": message, "source": source,
        "feature": feature, "environment": "production", "trace_id": trace, "user_id": user,
        "metadata": {"host": host, "duration_ms": ms},
    })
}

/// What goes wrong with the cards.
fn declined(dice: &mut Dice, at: Timestamp) -> Value {
    let (level, text) = *dice.pick(&[
        ("error", "north-pay declined the card of {user}: issuer unavailable"),
        ("error", "north-pay declined the card of {user}: issuer unavailable (attempt 2)"),
        ("warn", "north-pay answered after {ms}4 ms, tried again"),
    ]);
    entry(dice, at, level, "payments", "checkout", text)
}

/// Lines of the past: the nearer, the more; bursts while something was wrong.
pub(super) fn past(seed: u64, now: Timestamp, history_ms: i64) -> Vec<Value> {
    let mut dice = Dice::new(seed, "old lines");
    let mut lines = Vec::new();
    let mut at = now.plus_millis(-history_ms.min(3 * 86_400_000));
    while at < now {
        let ago = now.since(at);
        let every_ms = if ago > 6 * 3_600_000 { 90_000.0 } else { 6_000.0 };
        lines.push(line(&mut dice, at));
        if ago < 24 * 60_000 {
            lines.extend((0..2).map(|_| declined(&mut dice, at)));
        }
        let gap = every_ms / busy(at).max(0.2) * dice.between(0.3, 1.7);
        at = at.plus_millis(gap as i64);
    }
    for episode in EPISODES {
        let (began, ended) = episode.times(now);
        if now.since(began) > history_ms.min(10 * 86_400_000) {
            continue;
        }
        let mut at = began;
        while at < ended {
            let text = "upstream answered 503 after {ms}0 ms";
            let level = if episode.down { "error" } else { "warn" };
            lines.push(entry(&mut dice, at, level, episode.source, episode.feature, text));
            at = at.plus_millis(dice.between(4_000.0, 20_000.0) as i64);
        }
    }
    lines
}

/// What is said within one second.
pub(super) fn now(dice: &mut Dice, at: Timestamp, speed: f64) -> Vec<Value> {
    let calm = dice.about(5.0 * speed);
    let mut lines: Vec<Value> = (0..calm).map(|_| line(dice, at)).collect();
    let declines = dice.about(0.6 * speed);
    lines.extend((0..declines).map(|_| declined(dice, at)));
    lines
}
