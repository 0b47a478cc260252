//! How far can a verdict be trusted that was looked for all the time?
//!
//! Simulates experiments in which nothing differs, looks at each hundreds of times, and counts in
//! how many a difference was found; then experiments in which something does, and counts in how
//! many it was, and when. `cargo bench --bench peeking` prints the tables of
//! `docs/experiments.md`; `-- --quick` does a tenth of it. The same numbers on every machine.

mod families;
mod run;

use families::{FAMILIES, Family};
use run::{Outcome, run};

const RUNS: u64 = 2000;
const THREADS: u64 = 2;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let only =
        std::env::args().find_map(|argument| argument.strip_prefix("--only=").map(String::from));
    let runs = if quick { RUNS / 10 } else { RUNS };
    let chosen = |family: &&Family| only.as_ref().is_none_or(|only| family.name.contains(only));
    let noise = 1.96 * (0.05 * 0.95 / runs as f64).sqrt();
    println!("{runs} runs per family; at 5 % the noise is ±{:.1} points\n", 100.0 * noise);
    println!(
        "| A/A: nothing differs | looks | open | plain test, every look | plain test, once | **sequence** | ↑ | guardrail ↑ | guardrail ↓ | exact counts | sample ratio |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut worst: f64 = 0.0;
    for family in FAMILIES.iter().filter(chosen) {
        let outcomes = simulate(family, 0.0, runs, 1);
        let share = |of: fn(&Outcome) -> bool| {
            outcomes.iter().filter(|o| of(o)).count() as f64 / runs as f64
        };
        let found = share(|o| o.decided_at.is_some());
        worst = worst.max(found).max(share(|o| o.guardrail.0)).max(share(|o| o.guardrail.1));
        let counts = match family.metric {
            families::Metric::Conversion => percent(share(|o| o.counts)),
            _ => String::from("—"),
        };
        worst = worst.max(share(|o| o.counts));
        let (open, looks) = outcomes.iter().fold((0u64, 0u64), |sum, o| {
            (sum.0 + u64::from(o.ready.0), sum.1 + u64::from(o.ready.1))
        });
        println!(
            "| {} | {} | {:.0} % | {} | {} | **{}** | {} | {} | {} | {} | {} |",
            family.name,
            looks / runs,
            100.0 * open as f64 / looks as f64,
            percent(share(|o| o.naive)),
            percent(share(|o| o.fixed)),
            percent(found),
            percent(share(|o| o.upwards)),
            percent(share(|o| o.guardrail.0)),
            percent(share(|o| o.guardrail.1)),
            counts,
            percent(share(|o| o.sample_ratio)),
        );
    }
    println!(
        "\n| A/B: the variant is better | units | fixed test at the end | sequence | half decided after |"
    );
    println!("|---|--:|--:|--:|--:|");
    for family in FAMILIES.iter().filter(chosen) {
        let Some(deviation) = family.deviation else { continue };
        let units: u32 = family.phases.iter().map(|phase| phase.units).sum();
        for sum_of_quantiles in [2.8016, 3.2415, 4.2, 5.6] {
            // Δ = (z_{α/2} + z_β)·2s/√N: a power of 80 % and 90 % at the fixed horizon, and 1½
            // and 2 times the effect of 80 %.
            let effect = sum_of_quantiles * 2.0 * deviation / f64::from(units).sqrt();
            let mut outcomes = simulate(family, effect, runs, 2);
            let fixed = outcomes.iter().filter(|o| o.fixed).count() as f64 / runs as f64;
            let found =
                outcomes.iter().filter(|o| o.decided_at.is_some()).count() as f64 / runs as f64;
            // Over all runs: those that never decide count as later than any.
            outcomes.sort_by_key(|o| o.decided_at.unwrap_or(u32::MAX));
            let median = outcomes[outcomes.len() / 2].decided_at;
            let median = median.map_or("—".into(), |m| {
                format!("{:.0} %", 100.0 * f64::from(m) / f64::from(units))
            });
            println!(
                "| {}, effect {:.3} s | {units} | {} | {} | {median} |",
                family.name,
                effect / deviation,
                percent(fixed),
                percent(found)
            );
        }
    }
    println!("\nlargest share of false alarms: {}", percent(worst));
    if worst > 0.05 + 2.0 * noise {
        eprintln!("more false alarms than 5 % and noise allow");
        std::process::exit(1);
    }
}

fn simulate(family: &Family, effect: f64, runs: u64, stream: u64) -> Vec<Outcome> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    (thread..runs)
                        .step_by(THREADS as usize)
                        .map(|i| run(family, effect, (stream << 32) + i))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a run does not panic"))
            .collect()
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
