//! Data and queries from a seed.

use super::peer::Series;

/// SplitMix64 (Steele and others, OOPSLA 2014): a seed means the same for ever.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// Samples stand 1.234 s after every 15 s: no window that begins or ends on a whole second has
/// one on its edge, where Prometheus 3 (left-open windows) and 2.42 (closed) differ.
const PHASE_MS: i64 = 1234;
pub(crate) const STEP_MS: i64 = 15_000;

/// Counters with resets, gauges with gaps, odd values and staleness markers, and a classic
/// histogram, from `start_ms` (a multiple of 15 s) on.
pub(crate) fn data(random: &mut Random, start_ms: i64, steps: i64) -> Vec<Series> {
    let mut out = Vec::new();
    let times = |keep: &mut dyn FnMut(i64) -> bool| -> Vec<i64> {
        (0..steps).filter(|i| keep(*i)).map(|i| start_ms + PHASE_MS + i * STEP_MS).collect()
    };
    let set = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let mut labels: Vec<_> =
            pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        labels.sort();
        labels
    };
    for (job, instance) in [("api", "a"), ("api", "b"), ("web", "a"), ("web", "c")] {
        for code in ["200", "404", "500"] {
            let mut value = random.below(1000) as f64;
            let samples = times(&mut |_| true).into_iter().map(|at| {
                value = if random.below(60) == 0 { 0.0 } else { value + random.below(50) as f64 };
                (at, value)
            });
            let labels = set(&[
                ("__name__", "requests_total"),
                ("job", job),
                ("instance", instance),
                ("code", code),
            ]);
            out.push((labels, samples.collect()));
        }
        let mut gap = 0;
        let present = times(&mut |_| {
            gap = if gap > 0 {
                gap - 1
            } else if random.below(40) == 0 {
                30
            } else {
                0
            };
            gap == 0
        });
        let samples = present.into_iter().map(|at| {
            let value = match random.below(100) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::from_bits(0x7ff0_0000_0000_0002),
                n => (n as f64 - 50.0) / 8.0,
            };
            (at, value)
        });
        let labels = set(&[("__name__", "temperature"), ("job", job), ("instance", instance)]);
        out.push((labels, samples.collect()));
        let labels = set(&[("__name__", "up"), ("job", job), ("instance", instance)]);
        let samples =
            times(&mut |_| true).into_iter().map(|at| (at, random.below(5).min(1) as f64));
        out.push((labels, samples.collect()));
        let bounds = ["0.1", "0.5", "1", "2.5", "+Inf"];
        let mut counts = [0.0; 5];
        let mut columns: Vec<Vec<(i64, f64)>> = vec![Vec::new(); 5];
        for at in times(&mut |_| true) {
            let mut more = 0.0;
            for (place, count) in counts.iter_mut().enumerate() {
                more += random.below(4) as f64;
                *count += more;
                columns[place].push((at, *count));
            }
        }
        for (le, samples) in bounds.iter().zip(columns) {
            let labels = set(&[
                ("__name__", "latency_bucket"),
                ("job", job),
                ("instance", instance),
                ("le", le),
            ]);
            out.push((labels, samples));
        }
    }
    out
}

const METRICS: &[&str] = &["requests_total", "temperature", "up", "latency_bucket"];
const MATCHERS: &[&str] = &[
    "",
    "",
    r#"{job="api"}"#,
    r#"{job!="api"}"#,
    r#"{instance=~"a|b"}"#,
    r#"{instance!~"a.*"}"#,
    r#"{code="500"}"#,
    r#"{job=~".+",instance="a"}"#,
    r#"{nothing=""}"#,
];
const RANGES: &[&str] = &["[1m]", "[5m]", "[10m]", "[90s]", "[20m]"];
const GROUPINGS: &[&str] = &[
    "",
    " by (job)",
    " by (job, instance)",
    " without (instance)",
    " by ()",
    " without (code, le)",
];

/// A random query. `depth` bounds how far it nests.
pub(crate) fn query(random: &mut Random, depth: u32) -> String {
    if depth == 0 {
        return selector(random);
    }
    match random.below(12) {
        0 => selector(random),
        1..=3 => over_range(random, depth),
        4..=6 => aggregation(random, depth),
        7 => function(random, depth),
        8 => with_scalar(random, depth),
        9 => with_vector(random, depth),
        10 => format!("-({})", query(random, depth - 1)),
        _ => histogram(random),
    }
}

fn selector(random: &mut Random) -> String {
    let (metric, matcher) = (random.pick(METRICS), random.pick(MATCHERS));
    format!("{metric}{matcher}{}", offset(random))
}

fn offset(random: &mut Random) -> &'static str {
    random.pick(&["", "", "", "", " offset 5m", " offset 70s", " offset -1m"])
}

fn over_range(random: &mut Random, depth: u32) -> String {
    let function = random.pick(&[
        "rate",
        "increase",
        "irate",
        "delta",
        "idelta",
        "deriv",
        "changes",
        "resets",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "sum_over_time",
        "count_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "last_over_time",
        "present_over_time",
        "absent_over_time",
    ]);
    if matches!(function, "rate" | "increase") {
        // In 3 a counter is not extrapolated below zero across a gap as in 2.42.
        let metric = random.pick(&["requests_total", "latency_bucket"]);
        let (matcher, range) = (random.pick(MATCHERS), random.pick(RANGES));
        return format!("{function}({metric}{matcher}{range}{})", offset(random));
    }
    let range = if depth > 1 && random.below(4) == 0 {
        let resolution = random.pick(&["30s", "1m", ""]);
        format!("({})[10m:{resolution}]", query(random, depth - 2))
    } else {
        let (metric, matcher) = (random.pick(METRICS), random.pick(MATCHERS));
        format!("{metric}{matcher}{}{}", random.pick(RANGES), offset(random))
    };
    match random.below(12) {
        0 => format!("quantile_over_time(0.{}, {range})", 1 + random.below(9)),
        1 => format!("predict_linear({range}, 600)"),
        _ => format!("{function}({range})"),
    }
}

fn aggregation(random: &mut Random, depth: u32) -> String {
    let inner = query(random, depth - 1);
    let grouping = random.pick(GROUPINGS);
    match random.below(6) {
        0 => format!("quantile{grouping} (0.{}, {inner})", 1 + random.below(9)),
        1 => format!(r#"count_values{grouping} ("value", round({inner}))"#),
        _ => {
            let operator =
                random.pick(&["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"]);
            format!("{operator}{grouping} ({inner})")
        }
    }
}

fn function(random: &mut Random, depth: u32) -> String {
    let inner = query(random, depth - 1);
    match random.below(7) {
        0 => format!("clamp({inner}, -2, 20)"),
        1 => format!("round({inner}, 0.5)"),
        2 => format!(r#"label_replace({inner}, "copy", "$1-x", "instance", "(.*)")"#),
        3 => format!(r#"label_join({inner}, "joined", "/", "job", "instance")"#),
        4 => format!("absent({inner})"),
        5 => {
            // Dates of times only: what Go makes of NaN as a time depends on the processor.
            let date = random.pick(&["", "minute", "hour", "day_of_week", "days_in_month"]);
            format!("{date}(timestamp({}))", selector(random))
        }
        _ => {
            let name = random.pick(&[
                "abs",
                "ceil",
                "floor",
                "sqrt",
                "exp",
                "ln",
                "log2",
                "log10",
                "sgn",
                "sin",
                "cos",
                "tanh",
                "deg",
                "rad",
                "minute",
                "hour",
                "day_of_week",
                "days_in_month",
            ]);
            format!("{name}({inner})")
        }
    }
}

fn with_scalar(random: &mut Random, depth: u32) -> String {
    let operator = random.pick(&["+", "-", "*", "/", "%", "^", ">", "<= bool", "==", "!= bool"]);
    let number =
        random.pick(&["2", "0", "-1.5", "1e3", "scalar(up{job=\"api\",instance=\"a\"})", "time()"]);
    let inner = query(random, depth - 1);
    if random.below(2) == 0 {
        format!("({inner}) {operator} {number}")
    } else {
        format!("{number} {operator} ({inner})")
    }
}

fn with_vector(random: &mut Random, depth: u32) -> String {
    let (left, right) = (query(random, depth - 1), query(random, depth - 1));
    let grouped = random.below(3);
    match grouped {
        0 => {
            let operator = random.pick(&["and", "or", "unless"]);
            let matching = random.pick(&["", " on (job)", " ignoring (code, le)"]);
            format!("({left}) {operator}{matching} ({right})")
        }
        1 => format!("({left}) * on (job, instance) group_left () up"),
        _ => {
            let operator = random.pick(&["+", "-", "/", ">", "== bool"]);
            format!("sum by (job) ({left}) {operator} sum by (job) ({right})")
        }
    }
}

fn histogram(random: &mut Random) -> String {
    let quantile = random.pick(&["0.5", "0.9", "0.99", "0", "1", "-1", "2"]);
    let by = random.pick(&["le", "le, job", "le, job, instance"]);
    format!("histogram_quantile({quantile}, sum by ({by}) (rate(latency_bucket[5m])))")
}
