//! `vedette rules check` and `rules test` beside Debian's promtool 2.42 on the same files.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{run, text};

fn promtool(directory: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("promtool")
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("Debian's package `prometheus` is installed");
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// A group around rules, which are indented by two.
fn group(rules: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n{rules}")
}

#[test]
fn check_accepts_and_refuses_what_promtool_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let alert = |extra: &str| group(&format!("  - alert: A\n    expr: up\n{extra}"));
    let record = |extra: &str| group(&format!("  - record: a:b\n    expr: up\n{extra}"));
    let cases = [
        (String::new(), ""),
        ("groups:\n".to_owned(), ""),
        (record(""), ""),
        (record("    labels: {a: 1, b: true}\n"), ""),
        (alert("    for: 5m\n    labels: {severity: '{{ $labels.a }}'}\n"), ""),
        (alert("    annotations: {text: '{{ if $value }}x{{ else }}y{{ end }}'}\n"), ""),
        ("group: []\n".to_owned(), "field group not found"),
        (group("  - record: a\n    expr: up\n    labesl: {}\n"), "field labesl not found"),
        ("groups:\n- name: ''\n  rules: []\n".to_owned(), "Groupname must not be empty"),
        ("groups:\n- {name: a}\n- {name: a}\n".to_owned(), "repeated in the same file"),
        (group("  - expr: up\n"), "one of 'record' or 'alert' must be set"),
        (
            group("  - {record: a, alert: b, expr: up}\n"),
            "only one of 'record' and 'alert' must be set",
        ),
        (group("  - record: a\n"), "field 'expr' must be set in rule"),
        (group("  - {record: a, expr: 'sum('}\n"), "could not parse expression"),
        (record("    for: 5m\n"), "invalid field 'for' in recording rule"),
        (record("    annotations: {a: b}\n"), "invalid field 'annotations' in recording rule"),
        (alert("    for: soon\n"), "not a valid duration string"),
        (alert("    labels: {__name__: x}\n"), "invalid label name: __name__"),
        (alert("    annotations: {text: '{{ $nope }}'}\n"), "undefined variable \"$nope\""),
        (alert("    annotations: {text: '{{ nope }}'}\n"), "function \"nope\" not defined"),
        (alert("    annotations: {text: '{{ if true }}'}\n"), "unexpected EOF"),
        (group("  - record: 'a{b=\"c\"}'\n    expr: up\n"), "invalid recording rule name"),
        ("groups: [\n".to_owned(), "yaml"),
        ("groups:\n- name: g\n  limit: x\n".to_owned(), ""),
    ];
    for (place, (rules, said)) in cases.iter().enumerate() {
        let name = format!("{place}.yml");
        let file = directory.path().join(&name);
        std::fs::write(&file, rules).expect("written");
        let (accepted, theirs) = promtool(directory.path(), &["check", "rules", &name]);
        let ours = run(&["rules", "check", file.to_str().expect("UTF-8")]);
        let output = text(&ours.stdout) + &text(&ours.stderr);
        assert_eq!(ours.status.success(), accepted, "{rules}\nours: {output}\ntheirs: {theirs}");
        // Prometheus 3 has other words for names, which are any text there.
        let words = if said.contains("rule name") { "braces present" } else { said };
        assert!(output.contains(words), "{rules}\n{output}");
        assert!(theirs.contains(said), "{rules}\n{theirs}");
        let has_place = output.contains(&format!("{name}:"));
        assert!(accepted || has_place, "no place in {output}");
    }
}

const TESTED: &str = "
groups:
- name: second
  rules:
  - {record: 'total:double', expr: 'total * 2'}
- name: first
  rules:
  - {record: total, expr: 'sum(requests)'}
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {text: '{{ $labels.job }} of {{ $externalLabels.site }}: {{ $value | humanize }}'}
";

fn test_file(tests: &str) -> String {
    format!(
        "rule_files: ['r*.yml']\nevaluation_interval: 1m\ngroup_eval_order: [first, second]\n\
         tests:\n- interval: 1m\n  name: here\n  external_labels: {{site: north}}\n  input_series:\n  \
         - {{series: 'requests{{a=\"1\"}}', values: '0+10x10'}}\n  \
         - {{series: 'requests{{a=\"2\"}}', values: '1 2 _ 4 stale'}}\n  \
         - {{series: 'up{{job=\"j\"}}', values: '1 0x4 1x4'}}\n{tests}"
    )
}

#[test]
fn test_finds_right_and_wrong_what_promtool_does() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rules.yml"), TESTED).expect("written");
    let expr = |expr: &str, at: &str, samples: &str| {
        format!(
            "  promql_expr_test:\n  - {{expr: '{expr}', eval_time: {at}, exp_samples: [{samples}]}}\n"
        )
    };
    let alerts = |at: &str, alerts: &str| {
        format!(
            "  alert_rule_test:\n  - {{alertname: Down, eval_time: {at}, exp_alerts: [{alerts}]}}\n"
        )
    };
    let down = "{exp_labels: {job: j, severity: page}, exp_annotations: {text: 'j of north: 0'}}";
    let cases = [
        (expr("total", "3m", "{labels: total, value: 34}"), true),
        (expr("total", "3m", "{labels: total, value: 35}"), false),
        (expr("total:double", "3m", "{labels: 'total:double', value: 68}"), true),
        // Within the lookback the sample before the gap holds; a stale series does not.
        (expr("total", "2m", "{labels: total, value: 22}"), true),
        (expr("total", "4m", "{labels: total, value: 40}"), true),
        (expr("requests{a=\"2\"}", "4m", ""), true),
        (expr("requests{a=\"1\"} > 5", "1m", "{labels: 'requests{a=\"1\"}', value: 10}"), true),
        (expr("rate(requests{a=\"1\"}[2m])", "4m", ""), false),
        (expr("nothing", "1m", ""), true),
        (expr("count_over_time(total[5m])", "4m", "{labels: '{}', value: 5}"), true),
        (
            expr(
                "ALERTS",
                "1m",
                "{labels: 'ALERTS{alertname=\"Down\", alertstate=\"pending\", job=\"j\", severity=\"page\"}', value: 1}",
            ),
            true,
        ),
        (
            expr(
                "ALERTS",
                "3m",
                "{labels: 'ALERTS{alertname=\"Down\", alertstate=\"firing\", job=\"j\", severity=\"page\"}', value: 1}",
            ),
            true,
        ),
        (
            expr(
                "ALERTS_FOR_STATE",
                "4m",
                "{labels: 'ALERTS_FOR_STATE{alertname=\"Down\", job=\"j\", severity=\"page\"}', value: 60}",
            ),
            true,
        ),
        (expr("ALERTS", "6m", ""), true),
        (alerts("1m", ""), true),
        (alerts("2m", ""), true),
        (alerts("3m", down), true),
        (alerts("3m", ""), false),
        (alerts("3m", "{exp_labels: {job: j, severity: page}}"), false),
        (alerts("3m30s", down), true),
        (alerts("8m", ""), true),
        (alerts("8m", down), false),
    ];
    for (place, (tests, expected)) in cases.iter().enumerate() {
        let name = format!("t{place}.yml");
        let file = directory.path().join(&name);
        std::fs::write(&file, test_file(tests)).expect("written");
        let (theirs, said) = promtool(directory.path(), &["test", "rules", &name]);
        assert_eq!(theirs, *expected, "{tests}\n{said}");
        let ours = run(&["rules", "test", file.to_str().expect("UTF-8")]);
        let output = text(&ours.stdout) + &text(&ours.stderr);
        assert_eq!(ours.status.success(), theirs, "{tests}\nours: {output}\ntheirs: {said}");
        assert_eq!(output.contains("SUCCESS"), theirs, "{output}");
    }
}

#[test]
fn histograms_selection_by_name_and_junit_work_though_promtool_2_42_has_none_of_them() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rules.yml"), TESTED).expect("written");
    let tests = "
rule_files: [rules.yml]
tests:
- name: histograms
  input_series:
  - {series: h, values: '{{schema:0 sum:3 count:4 buckets:[1 2 1]}}x3'}
  promql_expr_test:
  - expr: histogram_count(h)
    eval_time: 1m
    exp_samples: [{labels: '{}', value: 4}]
  - expr: h
    eval_time: 2m
    exp_samples: [{labels: h, histogram: '{{schema:0 sum:3 count:4 buckets:[1 2 1]}}'}]
- name: wrong
  start_timestamp: 2026-01-01T00:00:00Z
  input_series: [{series: up, values: '1x5'}]
  promql_expr_test:
  - {expr: 'timestamp(up) - 1767225600', eval_time: 2m, exp_samples: [{labels: '{}', value: 121}]}
";
    let file = directory.path().join("t.yml");
    std::fs::write(&file, tests).expect("written");
    let file = file.to_str().expect("UTF-8");
    let only = run(&["rules", "test", file, "--run", "^histo"]);
    assert!(only.status.success(), "{}", text(&only.stderr));
    let junit = directory.path().join("out.xml");
    let all = run(&["rules", "test", file, "--junit", junit.to_str().expect("UTF-8")]);
    assert_eq!(all.status.code(), Some(1));
    let said = text(&all.stderr);
    assert!(said.contains("- {} 121") && said.contains("+ {} 120"), "{said}");
    let xml = std::fs::read_to_string(junit).expect("written");
    for part in ["tests=\"2\" failures=\"1\" errors=\"0\"", "<testcase name=\"histograms\"/>"] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
}
