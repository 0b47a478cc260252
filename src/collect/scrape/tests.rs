//! The rules are those of Prometheus's documentation (`docs/configuration/configuration.md`) and
//! `scrape/scrape.go`; the outcomes were worked out by hand from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Limits, Period, RelabelAction, RelabelConfig, ScrapeConfig};
use crate::model::{MetricType, Timestamp, is_stale_nan};

fn pool(change: impl FnOnce(&mut ScrapeConfig)) -> Arc<Pool> {
    let mut config = ScrapeConfig { job_name: "j".to_owned(), ..ScrapeConfig::default() };
    change(&mut config);
    let plan = Plan::new(&[config], &Limits::default()).expect("a good group");
    Arc::clone(&plan.pools[0])
}

fn target(pool: &Pool) -> Target {
    Target::new(pool, "h:1", &BTreeMap::new()).expect("good").expect("kept")
}

fn state(change: impl FnOnce(&mut ScrapeConfig)) -> ScrapeState {
    let pool = pool(change);
    let target = target(&pool);
    ScrapeState::new(pool, &target)
}

fn text(state: &mut ScrapeState, seconds: i64, body: &str) -> Outcome {
    let now = Timestamp::from_millis(seconds * 1000);
    state.apply(Ok((body.as_bytes(), None)), now, Duration::from_millis(250))
}

/// Rows as texts, the series about the scrape left out unless asked for.
fn shown(outcome: &Outcome, reports: bool) -> Vec<String> {
    let about = |name: &str| name == "up" || name.starts_with("scrape_");
    outcome
        .rows
        .iter()
        .filter(|row| reports == row.labels.metric_name().is_some_and(about))
        .map(|row| {
            let labels = row.labels.without(|name| matches!(name, "job" | "instance"));
            let value = row.value.as_float().expect("a number");
            let value = if is_stale_nan(value) { "stale".to_owned() } else { value.to_string() };
            format!("{labels} {value} @{}", row.at.millis())
        })
        .collect()
}

#[test]
fn samples_get_the_labels_of_their_target_and_the_time_of_the_scrape() {
    let mut state = state(|_| {});
    let outcome = text(&mut state, 1, "# TYPE a counter\n# HELP a Help.\na{x=\"1\"} 5\nb 6 2500\n");
    assert_eq!(shown(&outcome, false), ["a{x=\"1\"} 5 @1000", "b 6 @2500"]);
    assert_eq!(outcome.rows[0].labels.to_string(), "a{instance=\"h:1\", job=\"j\", x=\"1\"}");
    assert_eq!(
        shown(&outcome, true),
        [
            "up 1 @1000",
            "scrape_duration_seconds 0.25 @1000",
            "scrape_samples_scraped 2 @1000",
            "scrape_samples_post_metric_relabeling 2 @1000",
            "scrape_series_added 2 @1000",
        ]
    );
    let (family, facts) = &outcome.metadata[0];
    assert_eq!((family.as_str(), facts.kind), ("a", MetricType::Counter));
    assert_eq!(facts.help, "Help.");
    let again = text(&mut state, 2, "# TYPE a counter\n# HELP a Help.\na{x=\"1\"} 6\n");
    assert_eq!(again.metadata, []);
    assert_eq!(again.added, 0);
}

#[test]
fn a_series_that_vanishes_is_ended_once_unless_it_had_times_of_its_own() {
    let mut state = state(|_| {});
    text(&mut state, 1, "a 1\nb 2\nc 3 900\n");
    assert_eq!(shown(&text(&mut state, 2, "a 1\n"), false), ["a 1 @2000", "b stale @2000"]);
    assert_eq!(shown(&text(&mut state, 3, "a 1\n"), false), ["a 1 @3000"]);
    let back = text(&mut state, 4, "a 1\nb 2\n");
    assert_eq!(back.added, 1);
}

#[test]
fn a_failed_scrape_ends_everything_and_says_so() {
    let mut state = state(|_| {});
    text(&mut state, 1, "a 1\n");
    let now = Timestamp::from_millis(2000);
    let failed = state.apply(Err("connection refused".to_owned()), now, Duration::ZERO);
    assert_eq!(failed.error.as_deref(), Some("connection refused"));
    assert_eq!(shown(&failed, false), ["a stale @2000"]);
    assert_eq!(shown(&failed, true)[0], "up 0 @2000");
    assert_eq!(shown(&text(&mut state, 3, "a 1\n"), false), ["a 1 @3000"]);

    // A broken body: nothing of it is kept, and `new`, which it shows first, never began.
    let broken = text(&mut state, 4, "a 1\nnew 1\nb{ 2\n");
    assert!(broken.error.as_deref().is_some_and(|e| e.starts_with("line 3")), "{broken:?}");
    assert_eq!(shown(&broken, false), ["a stale @4000"]);
    let failed = state.apply(Err("again".to_owned()), now, Duration::ZERO);
    assert_eq!(shown(&failed, false), [""; 0]);
}

#[test]
fn a_target_that_goes_ends_all_its_series_and_those_about_the_scrape() {
    let mut state = state(|_| {});
    assert_eq!(state.end(Timestamp::from_millis(0)), []);
    text(&mut state, 1, "a 1\n");
    let rows = state.end(Timestamp::from_millis(9));
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter().all(
            |row| is_stale_nan(row.value.as_float().expect("a number")) && row.at.millis() == 9
        )
    );
}

#[test]
fn changed_settings_end_only_the_series_that_they_change() {
    let mut before = state(|_| {});
    text(&mut before, 1, "a{x=\"1\"} 1\nb 1\n");
    let mut after = before.with_pool(pool(|config| {
        config.metric_relabel_configs = vec![RelabelConfig {
            regex: "x".to_owned(),
            action: RelabelAction::LabelDrop,
            ..RelabelConfig::default()
        }];
    }));
    let outcome = text(&mut after, 2, "a{x=\"1\"} 1\nb 1\n");
    assert_eq!(shown(&outcome, false), ["a 1 @2000", "b 1 @2000", "a{x=\"1\"} stale @2000"]);
    assert_eq!(shown(&text(&mut after, 3, "b 1\n"), false), ["b 1 @3000", "a stale @3000"]);
}

#[test]
fn conflicting_labels_are_exported_or_honoured() {
    let body = "a{job=\"x\",instance=\"y\",exported_job=\"z\"} 1\n";
    let mut usual = state(|_| {});
    let labels = text(&mut usual, 1, body).rows[0].labels.to_string();
    assert_eq!(
        labels,
        "a{exported_exported_job=\"x\", exported_instance=\"y\", exported_job=\"z\", \
         instance=\"h:1\", job=\"j\"}"
    );
    let mut honouring = state(|config| config.honor_labels = true);
    let labels = text(&mut honouring, 1, body).rows[0].labels.to_string();
    assert_eq!(labels, "a{exported_job=\"z\", instance=\"y\", job=\"x\"}");
}

#[test]
fn times_of_the_target_may_be_ignored() {
    let mut state = state(|config| config.honor_timestamps = false);
    assert_eq!(shown(&text(&mut state, 1, "a 1 500\n"), false), ["a 1 @1000"]);
    assert_eq!(shown(&text(&mut state, 2, ""), false), ["a stale @2000"]);
}

#[test]
fn relabelling_changes_and_drops_samples() {
    let mut state = state(|config| {
        config.metric_relabel_configs = vec![
            RelabelConfig {
                source_labels: vec!["__name__".to_owned()],
                regex: "b.*".to_owned(),
                action: RelabelAction::Drop,
                ..RelabelConfig::default()
            },
            RelabelConfig {
                regex: "x".to_owned(),
                action: RelabelAction::LabelDrop,
                ..RelabelConfig::default()
            },
        ];
    });
    for round in 1..3 {
        let outcome = text(&mut state, round, "a{x=\"1\"} 1\nb1 1\nb2 1\n");
        assert_eq!(shown(&outcome, false), [format!("a 1 @{}", round * 1000)]);
        assert_eq!((outcome.scraped, outcome.kept), (3, 1));
    }
}

#[test]
fn too_much_fails_the_whole_scrape() {
    let mut few = state(|config| config.sample_limit = 2);
    assert_eq!(text(&mut few, 1, "a 1\nb 1\n").error, None);
    let outcome = text(&mut few, 2, "a 1\nb 1\nc 1\n");
    assert!(outcome.error.as_deref().is_some_and(|e| e.contains("sample_limit = 2")));
    assert_eq!(shown(&outcome, false), ["a stale @2000", "b stale @2000"]);

    let mut short = state(|config| config.label_value_length_limit = 3);
    let outcome = text(&mut short, 1, "a{x=\"1234\"} 1\n");
    assert!(outcome.error.as_deref().is_some_and(|e| e.contains("\"x\"")), "{outcome:?}");
}

#[test]
fn a_series_twice_counts_once() {
    let mut state = state(|_| {});
    assert_eq!(shown(&text(&mut state, 1, "a 1\na 2\n"), false), ["a 1 @1000"]);
}

#[test]
fn openmetrics_is_told_by_its_content_type() {
    let mut state = state(|_| {});
    let open = Some("application/openmetrics-text; version=1.0.0");
    let now = Timestamp::from_millis(1000);
    let good = state.apply(Ok((b"a 1 0.5\n# EOF\n", open)), now, Duration::ZERO);
    assert_eq!(shown(&good, false), ["a 1 @500"]);
    let cut = state.apply(Ok((b"a 1 0.5\n", open)), now, Duration::ZERO);
    assert!(cut.error.is_some_and(|error| error.contains("# EOF")));
}

#[test]
fn a_target_is_what_relabelling_makes_of_it() {
    let pool = pool(|config| {
        config.metrics_path = "probe".to_owned();
        config.params = BTreeMap::from([("module".to_owned(), vec!["a b".into(), "c".into()])]);
        config.relabel_configs = vec![
            RelabelConfig {
                source_labels: vec!["__address__".to_owned()],
                target_label: "__param_target".to_owned(),
                ..RelabelConfig::default()
            },
            RelabelConfig {
                target_label: "__address__".to_owned(),
                replacement: "prober:9115".to_owned(),
                ..RelabelConfig::default()
            },
        ];
    });
    let labels = BTreeMap::from([
        ("zone".to_owned(), "1".to_owned()),
        ("__scrape_interval__".to_owned(), "30s".to_owned()),
    ]);
    let target = Target::new(&pool, "shop.example", &labels).expect("good").expect("kept");
    assert_eq!(target.url, "http://prober:9115/probe?module=a+b&module=c&target=shop.example");
    assert_eq!(target.labels.to_string(), "{instance=\"prober:9115\", job=\"j\", zone=\"1\"}");
    assert_eq!(target.interval, Period::from_secs(30));
    assert_eq!(target.timeout, Period::from_secs(10));
    assert_eq!(target.discovered.get("__address__"), Some("shop.example"));
    assert!((0..30_000).contains(&target.offset_ms()));
    assert_eq!(target.offset_ms(), target.clone().offset_ms());
}

#[test]
fn a_target_may_be_dropped_or_be_wrong() {
    let keep = |config: &mut ScrapeConfig| {
        config.relabel_configs = vec![RelabelConfig {
            source_labels: vec!["zone".to_owned()],
            regex: "1".to_owned(),
            action: RelabelAction::Keep,
            ..RelabelConfig::default()
        }];
    };
    assert_eq!(Target::new(&pool(keep), "h:1", &BTreeMap::new()), Ok(None));
    let error = |address: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Target::new(&pool(|_| {}), address, &labels).expect_err("wrong")
    };
    assert!(error("http://h:1/x", &[]).contains("no URL"));
    assert!(error("", &[]).contains("no address"));
    assert!(error("h:1", &[("__scheme__", "ftp")]).contains("ftp"));
    assert!(error("h:1", &[("__scrape_timeout__", "1m")]).contains("timeout"));
    assert!(error("h:1", &[("__scrape_interval__", "soon")]).contains("duration"));
}

#[test]
fn a_group_that_cannot_work_is_refused_by_its_key() {
    let named = |change: &dyn Fn(&mut ScrapeConfig)| {
        let mut config = ScrapeConfig { job_name: "j".to_owned(), ..ScrapeConfig::default() };
        change(&mut config);
        Plan::new(&[config], &Limits::default()).expect_err("wrong").to_string()
    };
    assert!(named(&|c| c.job_name.clear()).starts_with("scrape[0].job_name is missing"));
    assert!(named(&|c| c.scrape_timeout = Some(Period::from_secs(16))).contains("scrape_timeout"));
    assert!(named(&|c| c.scheme = "gopher".to_owned()).contains("gopher"));
    let broken = RelabelConfig { regex: "(".to_owned(), ..RelabelConfig::default() };
    let broken = RelabelConfig { target_label: "a".to_owned(), ..broken };
    let error = named(&|c| c.metric_relabel_configs = vec![broken.clone()]);
    assert!(error.starts_with("scrape[0].metric_relabel[0] cannot be used"), "{error}");
    let twice = [(); 2].map(|()| ScrapeConfig { job_name: "j".to_owned(), ..Default::default() });
    let error = Plan::new(&twice, &Limits::default()).expect_err("taken").to_string();
    assert!(error.starts_with("scrape[1].job_name"), "{error}");
}
