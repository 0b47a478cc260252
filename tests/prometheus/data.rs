//! Generated series.

use super::peer::Series;
use super::random::Random;

/// Samples stand 1.234 s after every 15 s: no window that begins or ends on a tenth of a second
/// has one on its edge, where Prometheus 3 (left-open windows) and 2.42 (closed) differ.
const PHASE_MS: i64 = 1234;
pub(crate) const STEP_MS: i64 = 15_000;

/// A staleness marker (`model/value/value.go`).
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Where generated series go, and from when on.
struct Maker<'a> {
    random: &'a mut Random,
    start_ms: i64,
    steps: i64,
    out: Vec<Series>,
}

impl Maker<'_> {
    fn add(
        &mut self,
        labels: &[(&str, &str)],
        mut value: impl FnMut(&mut Random, i64) -> Option<f64>,
    ) {
        let mut labels: Vec<_> =
            labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        labels.sort();
        let samples = (0..self.steps)
            .filter_map(|i| {
                let at = self.start_ms + PHASE_MS + i * STEP_MS;
                value(self.random, i).map(|v| (at, v))
            })
            .collect();
        self.out.push((labels, samples));
    }

    fn counters(&mut self, job: &str, instance: &str) {
        for code in ["200", "404", "500"] {
            let mut value = self.random.below(1000) as f64;
            let name = ("__name__", "requests_total");
            let labels = [name, ("job", job), ("instance", instance), ("code", code)];
            self.add(&labels, |random, _| {
                value = if random.one_in(60) { 0.0 } else { value + random.below(50) as f64 };
                Some(value)
            });
        }
        // Falls to half of what it was and stays far above its increases: where a counter is
        // missing for a while, 2.42 extrapolates it towards zero otherwise than 3, but zero is
        // never within the reach of that here.
        let mut value = 2e12 + self.random.below(1000) as f64;
        let labels = [("__name__", "gappy_total"), ("job", job), ("instance", instance)];
        let mut gap = 0;
        self.add(&labels, |random, _| {
            gap = if gap > 0 { gap - 1 } else { random.below(120).saturating_sub(100) };
            value = if random.one_in(80) {
                (value / 2.0).floor()
            } else {
                value + random.below(9) as f64 / 4.0
            };
            (gap == 0).then_some(value)
        });
    }

    fn gauges(&mut self, job: &str, instance: &str) {
        let mut gap = 0;
        let labels = [("__name__", "temperature"), ("job", job), ("instance", instance)];
        self.add(&labels, |random, _| {
            gap = if gap > 0 { gap - 1 } else { random.below(60).saturating_sub(30) };
            let value = match random.below(100) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::from_bits(STALE),
                n => (n as f64 - 50.0) / 8.0,
            };
            (gap == 0).then_some(value)
        });
        let labels = [("__name__", "up"), ("job", job), ("instance", instance)];
        self.add(&labels, |random, _| Some(random.below(5).min(1) as f64));
        // Never twice the same value at one time: what is among the best is never a draw.
        let odd = instance.len() + job.len() * 3 + instance.as_bytes()[0] as usize;
        let labels = [("__name__", "load"), ("job", job), ("instance", instance)];
        self.add(&labels, |random, _| {
            Some((random.below(4096) * 64 + odd as u64 % 64) as f64 / 1024.0)
        });
        let labels = [("__name__", "sparse"), ("job", job), ("instance", instance)];
        self.add(&labels, |random, i| (i % 17 == 3).then(|| random.below(40) as f64 - 20.0));
    }

    fn histogram(&mut self, job: &str, instance: &str) {
        let bounds = ["0.1", "0.5", "1", "2.5", "+Inf"];
        let mut counts = [0.0; 5];
        let mut columns = Vec::new();
        for _ in 0..self.steps {
            let mut more = 0.0;
            for count in &mut counts {
                more += self.random.below(4) as f64;
                *count += more;
            }
            columns.push(counts);
        }
        for (place, le) in bounds.iter().enumerate() {
            let name = ("__name__", "latency_bucket");
            let labels = [name, ("job", job), ("instance", instance), ("le", *le)];
            self.add(&labels, |_, i| Some(columns[i as usize][place]));
        }
    }

    /// Histograms that exporters should not write: without a last bucket, with counts that fall,
    /// with bounds that are none, with one bucket only, with bounds below zero.
    fn broken_histograms(&mut self) {
        let shapes: [(&str, &[&str]); 6] = [
            ("endless", &["0.1", "1", "5"]),
            ("falling", &["1", "2", "4", "+Inf"]),
            ("named", &["1", "two", "+Inf"]),
            ("single", &["+Inf"]),
            ("negative", &["-2", "-1", "0", "3", "+Inf"]),
            ("twice", &["1", "1.0", "2", "+Inf"]),
        ];
        for (shape, bounds) in shapes {
            for (place, le) in bounds.iter().enumerate() {
                let mut count = place as f64 * 8.0;
                let labels = [("__name__", "broken_bucket"), ("shape", shape), ("le", *le)];
                self.add(&labels, |random, _| {
                    let more = if shape == "falling" { 6 } else { 2 * (place as u64 + 1) };
                    count += random.below(more) as f64;
                    Some(count)
                });
            }
        }
        let labels = [("__name__", "broken_bucket"), ("shape", "without")];
        self.add(&labels, |_, i| Some(i as f64));
    }

    /// Label sets of many shapes under one name, one of them gone half way and one new there.
    fn shapes(&mut self) {
        let half = self.steps / 2;
        self.add(&[("__name__", "shape")], |_, i| Some(i as f64));
        self.add(&[("__name__", "shape"), ("a", "1")], |_, i| (i < half).then_some(2.0));
        self.add(&[("__name__", "shape"), ("b", "1")], |_, i| (i >= half).then_some(i as f64));
        self.add(&[("__name__", "shape"), ("a", "1"), ("b", "2")], |random, _| {
            Some(random.below(3) as f64)
        });
        self.add(&[("__name__", "shape"), ("a", "x y"), ("job", "api")], |_, _| Some(-1.5));
        self.add(&[("__name__", "shape"), ("a", "ü\"\\"), ("job", "web")], |_, _| Some(0.0));
        for (kind, value) in [("nan", f64::NAN), ("inf", f64::INFINITY), ("-inf", -f64::INFINITY)] {
            self.add(&[("__name__", "odd"), ("kind", kind)], |_, _| Some(value));
        }
        for (kind, value) in [("big", 1e300), ("tiny", -5e-324), ("zero", -0.0)] {
            self.add(&[("__name__", "odd"), ("kind", kind)], |_, _| Some(value));
        }
        for (instance, version) in [("a", "1.0"), ("b", "1.1"), ("c", "2.0")] {
            let name = ("__name__", "build_info");
            self.add(&[name, ("instance", instance), ("version", version)], |_, _| Some(1.0));
        }
    }
}

/// Series from `start_ms` (a multiple of 15 s) on.
pub(crate) fn data(random: &mut Random, start_ms: i64, steps: i64) -> Vec<Series> {
    let mut maker = Maker { random, start_ms, steps, out: Vec::new() };
    for (job, instance) in [("api", "a"), ("api", "b"), ("web", "a"), ("web", "c")] {
        maker.counters(job, instance);
        maker.gauges(job, instance);
        maker.histogram(job, instance);
    }
    maker.broken_histograms();
    maker.shapes();
    maker.out
}
