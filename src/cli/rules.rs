//! `vedette rules`: checks rule files and runs their tests, without a daemon; backtests with one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use regex::Regex;

use crate::engine::ruler::{matching, read_rule_file, read_text};
use crate::rules::unit_test::{Outcome as Results, TestFile, junit};
use crate::rules::{RuleFile, duplicates};

use super::Outcome;
use super::backtest::{self, BacktestArgs};

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Check rule files and say what is wrong with them
    Check(CheckArgs),
    /// Run unit tests of rules (promtool's format)
    Test(TestArgs),
    /// Say what a rule would have told whom in the past, by a running daemon's data
    Backtest(BacktestArgs),
}

/// Arguments of `rules check`.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The files to check
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `rules test`.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// The test files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Run only tests whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    run: Vec<String>,
    /// Write the results to this file as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn run(command: RulesCommand) -> Outcome {
    match command {
        RulesCommand::Check(args) => check(&args),
        RulesCommand::Test(args) => test(&args),
        RulesCommand::Backtest(args) => backtest::run(&args),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let mut faulty = 0;
    for path in &args.files {
        match read_rule_file(path) {
            Ok(file) => {
                let rules: usize = file.groups.iter().map(|group| group.rules.len()).sum();
                println!("{}: {} found", path.display(), counted(rules, "rule"));
                lint(path, &file);
            }
            Err(faults) => {
                faulty += 1;
                for fault in faults {
                    eprintln!("{fault}");
                }
            }
        }
    }
    match faulty {
        0 => Ok(()),
        _ => bail!("{} of {} cannot be used", faulty, counted(args.files.len(), "file")),
    }
}

/// Says what is allowed and probably not meant.
fn lint(path: &Path, file: &RuleFile) {
    for found in duplicates(&file.groups) {
        let labels: Vec<String> =
            found.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        eprintln!(
            "{}: note: {} rules {}{{{}}} have the same name and labels, so their series may \
             clash:",
            path.display(),
            found.places.len(),
            found.name,
            labels.join(", ")
        );
        for (group, place) in &found.places {
            eprintln!("  {}:{place}: in group {group:?}", path.display());
        }
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn test(args: &TestArgs) -> Outcome {
    let patterns = args
        .run
        .iter()
        .map(|text| Regex::new(text).with_context(|| format!("--run: {text:?}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let wanted =
        |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(name));
    let mut all = Vec::new();
    for path in &args.files {
        let results = run_file(path, &wanted);
        report(path, &results);
        all.push((path.display().to_string(), results));
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&all))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let failed = all.iter().filter(|(_, results)| !is_success(results)).count();
    match failed {
        0 => Ok(()),
        _ => bail!("{} of {} failed", failed, counted(all.len(), "test file")),
    }
}

fn is_success(results: &Result<Results, String>) -> bool {
    results.as_ref().is_ok_and(|results| results.iter().all(|r| r.failures.is_empty()))
}

fn run_file(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Results, String> {
    let name = path.display().to_string();
    let text = read_text(path)?;
    let file = TestFile::parse(&name, &text).map_err(|fault| format!("{name}:{fault}"))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut rule_files = Vec::new();
    for pattern in &file.rule_files {
        let paths = matching(&directory.join(pattern));
        if paths.is_empty() {
            eprintln!("{name}: warning: no file matches {pattern}");
        }
        for path in paths {
            rule_files.push(read_rule_file(&path).map_err(|faults| faults.join("\n"))?);
        }
    }
    Ok(file.run(&rule_files, wanted))
}

fn report(path: &Path, results: &Result<Results, String>) {
    match results {
        Err(error) => eprintln!("{}: FAILED\n{}", path.display(), indented(error)),
        Ok(results) => {
            let failed: Vec<_> = results.iter().filter(|r| !r.failures.is_empty()).collect();
            if failed.is_empty() {
                println!("{}: {}: SUCCESS", path.display(), counted(results.len(), "test"));
                return;
            }
            eprintln!(
                "{}: {} of {}: FAILED",
                path.display(),
                failed.len(),
                counted(results.len(), "test")
            );
            for result in failed {
                eprintln!("  {}:", result.name);
                for failure in &result.failures {
                    eprintln!("{}", indented(&indented(failure)));
                }
            }
        }
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
