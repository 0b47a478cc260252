//! Two weeks of measurements, and how they go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::company::{TRADES, Trade, Weather, busy, weather};
use super::dice::Dice;
use crate::features::{LATENCY_SCHEMA, LatencyTally};
use crate::model::{Buckets, Histogram, Labels, Reading, Row, Timestamp, bucket_index};

/// What each step of the past is measured by: until so long ago, in milliseconds, and how far
/// steps are apart.
const STEPS: [(i64, i64); 3] = [(26 * 3_600_000, 5 * 60_000), (2 * 3_600_000, 60_000), (0, 15_000)];
/// Latencies that are drawn for one step of one trade; each stands for as many as there were.
const DRAWS: u64 = 12;
/// How unequal latencies are: the standard deviation of their logarithm.
const SIGMA: f64 = 0.45;

/// The times of the past, from `history_ms` ago until now.
pub(super) fn times(now: Timestamp, history_ms: i64) -> Vec<Timestamp> {
    let mut times = Vec::new();
    let mut at = now.plus_millis(-history_ms);
    for (until_ago, step) in STEPS {
        while now.since(at) > until_ago {
            times.push(at);
            at = at.plus_millis(step);
        }
    }
    times
}

/// One trade's outcomes so far, good and bad ones apart.
#[derive(Debug)]
struct Counted {
    trade: &'static Trade,
    ok: bool,
    labels: Vec<(&'static str, &'static str)>,
    count: u64,
    cost: f64,
    tokens: (u64, u64),
    latency: BTreeMap<i32, u64>,
    latency_sum_s: f64,
}

/// All that is measured besides outcomes. Counters go on where the past ended.
#[derive(Debug)]
pub(super) struct Machines {
    dice: Dice,
    requests: BTreeMap<(&'static str, &'static str), f64>,
    cpu: BTreeMap<(&'static str, &'static str), f64>,
    orders: f64,
    queue: f64,
    disk_used: f64,
    at: Option<Timestamp>,
}

const ROUTES: [(&str, f64); 4] =
    [("/", 90.0), ("/book", 170.0), ("/basket", 35.0), ("/order", 12.0)];
const HOSTS: [(&str, f64); 3] = [("web-1", 0.55), ("web-2", 0.5), ("db-1", 0.35)];
const GIB: f64 = (1u64 << 30) as f64;

fn labels(name: &str, pairs: &[(&str, &str)]) -> Option<Labels> {
    let all = pairs.iter().copied().chain([("__name__", name)]);
    Labels::from_pairs(all).ok()
}

impl Machines {
    pub(super) fn new(seed: u64) -> Self {
        Machines {
            dice: Dice::new(seed, "machines"),
            requests: BTreeMap::new(),
            cpu: BTreeMap::new(),
            orders: 18_240.0,
            queue: 40.0,
            disk_used: 212.0,
            at: None,
        }
    }

    /// What is measured at a time.
    pub(super) fn measure(&mut self, at: Timestamp) -> Vec<Row> {
        let seconds = self.at.map_or(0.0, |before| at.since(before).max(0) as f64 / 1000.0);
        self.at = Some(at);
        let busy = busy(at);
        let mut rows = Vec::new();
        let mut put = |name: &str, pairs: &[(&str, &str)], value: f64| {
            if let Some(labels) = labels(name, pairs) {
                rows.push(Row { labels, at, value: Reading::Float(value) });
            }
        };
        for (route, per_minute) in ROUTES {
            for (status, share) in [("200", 0.994), ("404", 0.005), ("500", 0.001)] {
                let grown = per_minute / 60.0 * busy * share * seconds;
                let total = self.requests.entry((route, status)).or_default();
                *total += (grown * (1.0 + 0.05 * self.dice.normal())).max(0.0);
                let pairs = [("job", "shop"), ("route", route), ("status", status)];
                put("http_requests_total", &pairs, total.round());
            }
        }
        self.orders += (9.0 / 60.0 * busy * seconds * (1.0 + 0.1 * self.dice.normal())).max(0.0);
        put("shop_orders_total", &[("job", "shop")], self.orders.round());
        let target = 30.0 + 190.0 * busy * busy;
        self.queue += (target - self.queue) * 0.2 + 6.0 * self.dice.normal();
        self.queue = self.queue.max(0.0);
        put("queue_depth", &[("job", "shop"), ("queue", "orders")], self.queue.round());
        let mails = (self.queue * 0.2).round();
        put("queue_depth", &[("job", "shop"), ("queue", "mail")], mails);
        self.disk_used += 0.000_012 * seconds;
        for (host, load) in HOSTS {
            let used = (load * (0.25 + 0.75 * busy) + 0.03 * self.dice.normal()).clamp(0.02, 0.98);
            let on = [("job", "node"), ("instance", host)];
            for (mode, share) in
                [("user", 0.75 * used), ("system", 0.25 * used), ("idle", 1.0 - used)]
            {
                let total = self.cpu.entry((host, mode)).or_default();
                *total += share * seconds;
                let pairs = [on[0], on[1], ("mode", mode), ("cpu", "0")];
                put("node_cpu_seconds_total", &pairs, (*total * 100.0).round() / 100.0);
            }
            put("node_load1", &on, (used * 4.0 * 100.0).round() / 100.0);
            put("node_memory_MemTotal_bytes", &on, 16.0 * GIB);
            let free = 16.0 * GIB * (0.62 - 0.3 * busy * load);
            put("node_memory_MemAvailable_bytes", &on, (free / 4096.0).round() * 4096.0);
            let pairs = [on[0], on[1], ("mountpoint", "/"), ("fstype", "ext4")];
            put("node_filesystem_size_bytes", &pairs, 400.0 * GIB);
            let free = (400.0 - self.disk_used * (0.5 + load)) * GIB;
            put("node_filesystem_avail_bytes", &pairs, (free / 4096.0).round() * 4096.0);
        }
        rows
    }
}

/// What outcomes of the past came to, as vedette writes it of outcomes that it is sent
/// (docs/features.md).
#[derive(Debug)]
pub(super) struct Outcomes {
    dice: Dice,
    all: Vec<Counted>,
    at: Option<Timestamp>,
}

impl Outcomes {
    pub(super) fn new(seed: u64) -> Self {
        let both = |trade: &'static Trade| {
            [true, false].map(|ok| Counted {
                trade,
                ok,
                labels: pairs_of(trade, ok),
                count: 0,
                cost: 0.0,
                tokens: (0, 0),
                latency: BTreeMap::new(),
                latency_sum_s: 0.0,
            })
        };
        let all = TRADES.iter().flat_map(both).collect();
        Outcomes { dice: Dice::new(seed, "outcomes"), all, at: None }
    }

    /// What was counted until a time, seen from `now`.
    pub(super) fn measure(&mut self, at: Timestamp, now: Timestamp) -> Vec<Row> {
        let minutes = self.at.map_or(0.0, |before| at.since(before).max(0) as f64 / 60_000.0);
        self.at = Some(at);
        let busy = busy(at);
        let mut rows = Vec::new();
        for one in &mut self.all {
            one.grow(&mut self.dice, minutes, busy, weather(one.trade, at, now));
            one.rows(at, &mut rows);
        }
        rows
    }
}

fn pairs_of(trade: &Trade, ok: bool) -> Vec<(&'static str, &'static str)> {
    let mut pairs = vec![("feature", trade.feature), ("ok", if ok { "true" } else { "false" })];
    pairs.extend(trade.provider.map(|provider| ("provider", provider)));
    pairs.extend(trade.model.map(|model| ("model", model)));
    pairs
}

impl Counted {
    fn grow(&mut self, dice: &mut Dice, minutes: f64, busy: f64, weather: Weather) {
        let trade = self.trade;
        let failing = (trade.failing + weather.failing).min(1.0);
        let share = if self.ok { 1.0 - failing } else { failing };
        let grown = dice.about(trade.per_minute * busy * minutes * share);
        if grown == 0 {
            return;
        }
        self.count += grown;
        self.cost += trade.cost * grown as f64;
        self.tokens.0 += (trade.tokens.0 * grown as f64) as u64;
        self.tokens.1 += (trade.tokens.1 * grown as f64) as u64;
        let draws = grown.min(DRAWS);
        for draw in 0..draws {
            // Each stands for its part of them.
            let stands_for = grown / draws + u64::from(draw < grown % draws);
            let seconds = latency_ms(dice, trade, weather) / 1000.0;
            *self.latency.entry(bucket_index(seconds, LATENCY_SCHEMA)).or_default() += stands_for;
            self.latency_sum_s += seconds * stands_for as f64;
        }
    }

    fn rows(&self, at: Timestamp, rows: &mut Vec<Row>) {
        let mut put = |name: &str, more: Option<(&'static str, &'static str)>, value: Reading| {
            let pairs: Vec<_> = self.labels.iter().copied().chain(more).collect();
            if let Some(labels) = labels(name, &pairs) {
                rows.push(Row { labels, at, value });
            }
        };
        put("vedette_outcomes_total", None, Reading::Float(self.count as f64));
        let histogram = Reading::Histogram(Arc::new(self.histogram()));
        put("vedette_outcome_duration_seconds", None, histogram);
        if self.trade.cost > 0.0 {
            put("vedette_outcome_cost_total", None, Reading::Float(self.cost));
        }
        if self.trade.tokens.0 > 0.0 {
            for (direction, count) in [("input", self.tokens.0), ("output", self.tokens.1)] {
                let more = Some(("direction", direction));
                put("vedette_outcome_tokens_total", more, Reading::Float(count as f64));
            }
        }
    }

    fn histogram(&self) -> Histogram {
        let pairs = self.latency.iter().map(|(index, count)| (*index, *count as f64));
        Histogram {
            count: self.count as f64,
            sum: self.latency_sum_s,
            positive: Buckets::from_pairs(pairs),
            ..LatencyTally::nothing()
        }
    }
}

/// How long one request took.
pub(super) fn latency_ms(dice: &mut Dice, trade: &Trade, weather: Weather) -> f64 {
    // A millisecond at least: nothing is faster, and below that is another bucket.
    dice.skewed(trade.latency_ms * weather.slower, SIGMA).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    #[test]
    fn the_past_is_measured_more_often_the_nearer_it_is() {
        let times = times(NOW, 14 * 86_400_000);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(times.len() < 7_000, "{}", times.len());
        assert_eq!(times.last().map(|at| NOW.since(*at)), Some(15_000));
        let near = times.iter().filter(|at| NOW.since(**at) < 3_600_000).count();
        assert_eq!(near, 239);
    }

    #[test]
    fn counters_only_grow_and_histograms_count_what_counters_do() {
        let mut outcomes = Outcomes::new(1);
        let mut machines = Machines::new(1);
        let mut last = BTreeMap::<Labels, f64>::new();
        for at in times(NOW, 6 * 3_600_000) {
            let rows = outcomes.measure(at, NOW).into_iter().chain(machines.measure(at));
            for row in rows {
                let name = row.labels.metric_name().expect("a name").to_owned();
                let value = match &row.value {
                    Reading::Float(value) => *value,
                    Reading::Histogram(histogram) => {
                        let buckets: f64 = histogram.all_buckets().map(|b| b.count).sum();
                        assert_eq!(buckets, histogram.count);
                        histogram.count
                    }
                };
                if name.ends_with("_total") || name.ends_with("_seconds") {
                    let before = last.insert(row.labels, value).unwrap_or(0.0);
                    assert!(value >= before, "{name}");
                }
            }
        }
        assert!(last.values().any(|value| *value > 100.0));
    }
}
