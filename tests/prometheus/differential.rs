//! The same data in both, the same queries to both, the same answers from both; what differs is
//! made as small as it can be. What is forgiven, and what is kept away from, is in `known.rs`.
//!
//! `VEDETTE_DIFFERENTIAL_SEED=7 VEDETTE_DIFFERENTIAL_COUNT=20000 cargo test --test prometheus`
//! asks others, and more.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::compare::{Difference, difference};
use super::data::{self, STEP_MS};
use super::expression::Expression;
use super::generate::Generator;
use super::known;
use super::peer::{Prometheus, Series, ask, write};
use super::process::Daemon;
use super::random::Random;

const STEPS: i64 = 400;

/// Minutes of data before the first and after the last step of any query.
const BEFORE_MS: i64 = 65 * 60_000;
const AFTER_MS: i64 = 5 * 60_000;

/// How many minimal differences are enough to tell.
const FAILURES_MAX: usize = 12;

/// When an expression is evaluated, in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

impl When {
    fn simpler(self) -> Vec<When> {
        let When::Range { start, end, step } = self else { return Vec::new() };
        let middle = start + (end - start) / step / 2 * step;
        let mut out = vec![When::Instant(start), When::Instant(middle), When::Instant(end)];
        if middle + step <= end && middle > start {
            out.push(When::Range { start, end: middle, step });
            out.push(When::Range { start: middle + step, end, step });
        } else if end > start {
            out.push(When::Range { start, end: start, step });
        }
        out
    }
}

/// One question to both sides.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    expression: Expression,
    when: When,
}

impl Case {
    /// A query at a time where there is nothing.
    pub(crate) fn of(query: &str) -> Case {
        Case { expression: Expression::vector().text(query), when: When::Instant(1_000_500) }
    }

    pub(crate) fn ours(&self) -> String {
        self.expression.to_string()
    }

    pub(crate) fn mistakes(&self) -> usize {
        self.expression.mistakes()
    }

    pub(crate) fn is_range(&self) -> bool {
        matches!(self.when, When::Range { .. })
    }

    pub(crate) fn theirs(&self) -> String {
        known::RENAMED.iter().fold(self.ours(), |text, (new, old)| text.replace(new, old))
    }

    fn simpler(&self) -> impl Iterator<Item = Case> + '_ {
        let at = self.when.simpler().into_iter();
        let sooner = at.map(|when| Case { expression: self.expression.clone(), when });
        let smaller = self.expression.simpler().into_iter();
        sooner.chain(smaller.map(|expression| Case { expression, when: self.when }))
    }
}

/// Both sides with the same data.
pub(crate) struct Sides {
    pub(crate) daemon: Daemon,
    pub(crate) prometheus: Prometheus,
    /// The first and the last step of queries, Unix milliseconds.
    window: (i64, i64),
}

impl Sides {
    /// Both without any data.
    pub(crate) fn start_empty(directory: &std::path::Path) -> Sides {
        let daemon = Daemon::start_quiet(directory);
        let prometheus = Prometheus::start(directory, "global: {scrape_interval: 1h}\n");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let start = (now as i64 / STEP_MS - STEPS) * STEP_MS;
        // At half seconds, so that no step of a subquery stands on the edge of its window.
        let window = (start + BEFORE_MS + 500, start + STEPS * STEP_MS - AFTER_MS + 500);
        Sides { daemon, prometheus, window }
    }

    fn start(directory: &std::path::Path, random: &mut Random) -> Sides {
        let sides = Self::start_empty(directory);
        let start = sides.window.0 - BEFORE_MS - 500;
        let data = data::data(random, start, STEPS);
        // Time by time: Prometheus takes nothing that is an hour behind the newest.
        for slice in 0..STEPS / 100 {
            let from = start + slice * 100 * STEP_MS;
            let within = |at: i64| (from..from + 100 * STEP_MS).contains(&at);
            let part: Vec<Series> = data
                .iter()
                .map(|(labels, samples)| {
                    let samples = samples.iter().copied().filter(|(at, _)| within(*at));
                    (labels.clone(), samples.collect())
                })
                .collect();
            write(sides.daemon.address, &part);
            write(sides.prometheus.address, &part);
        }
        sides
    }

    pub(crate) fn case(&self, random: &mut Random) -> Case {
        let (from, until) = self.window;
        let mut generator = Generator::new(random, (from / 1000, until / 1000));
        let expression = generator.expression(3);
        let when = if random.one_in(2) {
            // Steps of a fifth of a second keep away from whole seconds too.
            let step = [15_000, 73_000, 37_200, 300_000, 60_000][random.below(5) as usize];
            When::Range { start: from, end: until, step }
        } else {
            When::Instant(from + random.below(((until - from) / 1000) as u64) as i64 * 1000)
        };
        Case { expression, when }
    }

    /// Prints both answers to a query of somebody's own.
    fn show(&self, text: &str) {
        let (start, _) = self.window;
        let expression = Expression::vector().text(text);
        let case =
            Case { expression, when: When::Range { start, end: start + 120_000, step: 60_000 } };
        let (ours, theirs) = self.ask(&case);
        println!("{case}\nours   {ours}\ntheirs {theirs}\n{:?}", difference(true, &ours, &theirs));
    }

    /// How the answers to a case differ, if they do and should not; and whether there were any.
    fn differ(&self, case: &Case) -> (Option<Difference>, bool) {
        let (found, theirs) = self.compare(case);
        let answered = theirs["status"] == "success" && theirs["data"]["result"][0].is_object();
        (found, answered)
    }

    /// How the answers to a case differ, if they do and should not; and theirs.
    pub(crate) fn compare(&self, case: &Case) -> (Option<Difference>, Value) {
        let (ours, theirs) = self.ask(case);
        let found = difference(case.expression.is_exact(), &ours, &theirs);
        (found.filter(|found| known::reason(case, found).is_none()), theirs)
    }

    /// Our answer and theirs.
    fn ask(&self, case: &Case) -> (Value, Value) {
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let (path, times) = match case.when {
            When::Instant(at) => ("/api/v1/query", vec![("time", seconds(at))]),
            When::Range { start, end, step } => {
                let times = [("start", seconds(start)), ("end", seconds(end))];
                ("/api/v1/query_range", [&times[..], &[("step", seconds(step))]].concat())
            }
        };
        let request = |query: &str, address| {
            let mut form = vec![("query", query)];
            form.extend(times.iter().map(|(name, value)| (*name, value.as_str())));
            ask(address, path, &form)
        };
        let ours = request(&case.ours(), self.daemon.address);
        (ours, request(&case.theirs(), self.prometheus.address))
    }

    /// The smallest case that still differs.
    fn shrink(&self, mut case: Case, mut found: Difference) -> (Case, Difference) {
        loop {
            let smaller = case.simpler().find_map(|one| Some((self.differ(&one).0?, one)));
            let Some((difference, one)) = smaller else { return (case, found) };
            (case, found) = (one, difference);
        }
    }
}

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn generated_queries_are_answered_as_prometheus_answers_them() {
    let seed = setting("VEDETTE_DIFFERENTIAL_SEED", 1);
    let count = setting("VEDETTE_DIFFERENTIAL_COUNT", 2500);
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = Random(seed);
    let sides = Sides::start(directory.path(), &mut random);
    if let Ok(text) = std::env::var("VEDETTE_DIFFERENTIAL_QUERY") {
        return sides.show(&text);
    }
    let mut answered = 0;
    let mut failures = Vec::new();
    for _ in 0..count {
        let case = sides.case(&mut random);
        let (found, has_answer) = sides.differ(&case);
        answered += u64::from(has_answer);
        let Some(found) = found else { continue };
        let original = case.ours();
        let (case, found) = sides.shrink(case, found);
        failures.push(format!("{case}\n    {found:?}\n    from {original}"));
        if failures.len() >= FAILURES_MAX {
            break;
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ, seed {seed}:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(answered > count / 3, "only {answered} of {count} queries found anything");
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.expression, self.when)
    }
}
