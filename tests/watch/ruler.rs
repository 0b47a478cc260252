//! Alerting rules over the real store, on a disk that fails when told to and a clock moved by
//! hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use vedette::clock::ManualClock;
use vedette::config::{Limits, Settings};
use vedette::engine::feed::Feed;
use vedette::engine::ruler::{LiveAlerting, LiveGroup, Ruler};
use vedette::engine::watch::{Catalog, Watch};
use vedette::engine::{Pipeline, Policy};
use vedette::model::{Labels, RuleDefinition, Timestamp};
use vedette::rules::{Alert, AlertState, RuleFile};
use vedette::telemetry::Telemetry;
use vedette::tsdb::{Retention, Tsdb};

use super::support::disk::{Fault, SimDisk};
use super::support::engine::{labels, open, read_all, write};

/// 2026-01-01, a whole minute.
const BEGIN_S: i64 = 1_767_225_600;
const INTERVAL_S: i64 = 10;

struct Rig {
    tsdb: Arc<Tsdb>,
    clock: Arc<ManualClock>,
    watch: Watch,
    catalog: Arc<Catalog>,
    ruler: Ruler,
    settings: watch::Sender<Arc<Settings>>,
}

impl Rig {
    /// Starts on a disk at a second after the beginning.
    async fn start(disk: &SimDisk, second: i64, files: Vec<RuleFile>) -> Rig {
        disk.released();
        let tsdb = open(disk).expect("opens");
        let clock = Arc::new(ManualClock::at(at(second)));
        let mut settings = Settings::default();
        settings.defaults.enabled = false;
        settings.rules.evaluation_interval = vedette::model::Period::from_secs(INTERVAL_S);
        let (settings, changed) = watch::channel(Arc::new(settings));
        let policy = Policy {
            limits: Limits::default(),
            retention: Retention::default(),
            free_bytes_min: Some(0),
        };
        let telemetry = Arc::new(Telemetry::new());
        let pipeline =
            Pipeline::new(Arc::clone(&tsdb), clock.clone(), telemetry, policy).expect("starts");
        let catalog = Arc::new(Catalog::open(tsdb.store()).expect("opens"));
        let watch = Watch::start(Arc::clone(&tsdb), clock.clone(), Feed::new(clock.clone()))
            .expect("starts");
        let places = Arc::new(ArcSwap::from_pointee(Semaphore::new(4)));
        let ruler = Ruler::new(
            pipeline,
            clock.clone(),
            changed,
            places,
            watch.clone(),
            Arc::clone(&catalog),
        );
        let rig = Rig { tsdb, clock, watch, catalog, ruler: ruler.driven(), settings };
        rig.ruler.reload(files).await;
        rig
    }

    async fn define(&self, json: &str) {
        let definition: RuleDefinition = serde_json::from_str(json).expect("a definition");
        self.catalog.rules.put(&self.watch, definition, at(0)).await.expect("taken");
    }

    /// Puts `x{zone}` at a second.
    fn x(&self, second: i64, zones: &[(&str, f64)]) {
        let samples: Vec<(Labels, i64, u64)> = zones
            .iter()
            .map(|(zone, value)| {
                let series = labels(&[("__name__", "x"), ("zone", zone)]);
                (series, at(second).millis(), value.to_bits())
            })
            .collect();
        write(&self.tsdb, &samples).expect("written");
    }

    /// Evaluates everything at a second; with a sample of each zone at that time.
    async fn step(&self, second: i64, zones: &[(&str, f64)]) {
        self.x(second, zones);
        self.evaluate(second).await;
    }

    async fn evaluate(&self, second: i64) {
        self.clock.set(at(second));
        self.ruler.evaluate(at(second)).await;
    }

    fn group(&self) -> Arc<LiveGroup> {
        Arc::clone(&self.ruler.list()[0])
    }

    fn alerts(&self) -> Vec<Alert> {
        let group = self.group();
        let alerting: Vec<&LiveAlerting> = group.alerting.iter().flatten().collect();
        alerting.iter().flat_map(|one| one.states().active().cloned().collect::<Vec<_>>()).collect()
    }

    /// Zones and states of active alerts.
    fn states(&self) -> BTreeMap<String, AlertState> {
        let one =
            |alert: &Alert| (alert.labels.get("zone").unwrap_or("").to_owned(), alert.clocks.state);
        self.alerts().iter().map(one).collect()
    }

    fn state_of(&self, zone: &str) -> AlertState {
        self.states().get(zone).copied().unwrap_or(AlertState::Inactive)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis((BEGIN_S + second) * 1000)
}

fn file(rules: &str) -> Vec<RuleFile> {
    let text = format!("groups:\n- name: g\n  interval: 10s\n  rules:\n{rules}");
    vec![RuleFile::parse("rules.yml", &text).expect("valid")]
}

/// Every sample of `ALERTS`, as `state second`, staleness markers as `end second`.
fn written(rig: &Rig) -> Vec<String> {
    let mut found = Vec::new();
    for (series, samples) in read_all(&rig.tsdb) {
        if series.metric_name() == Some("ALERTS") {
            for (at_ms, bits) in samples {
                let value = f64::from_bits(bits);
                let state =
                    if value.is_nan() { "end" } else { series.get("alertstate").expect("") };
                found.push((at_ms / 1000 - BEGIN_S, state.to_owned()));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(second, state)| format!("{state} {second}")).collect()
}

const DEEP: &str = "  - {alert: Deep, expr: 'x > 5', for: 30s, labels: {severity: page}}\n";

#[tokio::test]
async fn an_alert_lives_and_its_series_are_written_and_ended() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, file(DEEP)).await;
    for second in [10, 20, 30, 40] {
        rig.step(second, &[("a", 9.0)]).await;
    }
    assert_eq!(rig.state_of("a"), AlertState::Firing);
    rig.step(50, &[("a", 1.0)]).await;
    assert_eq!(
        written(&rig),
        ["pending 10", "pending 20", "pending 30", "end 40", "firing 40", "end 50"]
    );
}

#[tokio::test]
async fn what_was_not_committed_is_not_adopted_and_decided_again() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, file(DEEP)).await;
    rig.step(10, &[("a", 1.0)]).await;
    rig.x(20, &[("a", 9.0)]);
    disk.fail_after(0, Fault::Eio);
    rig.evaluate(20).await;
    assert!(rig.alerts().is_empty(), "not adopted");
    assert!(written(&rig).is_empty(), "nothing of it is visible");
    let error = rig.group().state().rules[0].last_error.clone();
    assert!(error.contains("not committed"), "{error}");
    disk.heal();
    rig.step(30, &[("a", 9.0)]).await;
    assert_eq!(rig.alerts()[0].clocks.active_at, at(30), "decided again");
    assert_eq!(rig.group().state().rules[0].last_error, "");
}

#[tokio::test]
async fn a_restart_continues_every_clock_and_our_downtime_does_not_count() {
    for downtime in [0, 300, 86_400] {
        let disk = SimDisk::new();
        let rules = "  - {alert: Deep, expr: 'x > 5', for: 30s, keep_firing_for: 30s}\n";
        let rig = Rig::start(&disk, 0, file(rules)).await;
        rig.step(10, &[("a", 9.0), ("b", 1.0)]).await;
        rig.step(20, &[("a", 9.0), ("b", 9.0)]).await;
        rig.step(30, &[("a", 9.0), ("b", 9.0)]).await;
        rig.step(40, &[("a", 9.0), ("b", 9.0)]).await;
        assert_eq!(
            (rig.state_of("a"), rig.state_of("b")),
            (AlertState::Firing, AlertState::Pending)
        );
        rig.step(50, &[("a", 1.0), ("b", 9.0)]).await;
        // `a` is kept since 50, for 30 s; `b` holds since 20, for 30 s.
        rig.ruler.stop().await;
        drop(rig);
        let rig = Rig::start(&disk, 55 + downtime, file(rules)).await;
        assert_eq!(rig.states().len(), 2, "known before the first evaluation");
        rig.step(60 + downtime, &[("a", 1.0), ("b", 9.0)]).await;
        assert_eq!(rig.state_of("a"), AlertState::Firing, "10 of 30, {downtime}");
        rig.step(70 + downtime, &[("a", 1.0), ("b", 9.0)]).await;
        assert_eq!(rig.state_of("a"), AlertState::Firing, "20 of 30, {downtime}");
        rig.step(80 + downtime, &[("a", 1.0), ("b", 9.0)]).await;
        assert_eq!(rig.state_of("a"), AlertState::Inactive, "30 of 30, {downtime}");
        assert_eq!(rig.state_of("b"), AlertState::Firing);
    }
}

#[tokio::test]
async fn a_pending_alert_fires_after_its_time_whatever_the_downtime() {
    for downtime in [0, 300, 86_400] {
        let disk = SimDisk::new();
        let rig = Rig::start(&disk, 0, file(DEEP)).await;
        rig.step(10, &[("a", 9.0)]).await;
        rig.step(20, &[("a", 9.0)]).await;
        // Nobody ends it: what is durable is what a kill leaves.
        drop(rig);
        let rig = Rig::start(&disk, 25 + downtime, file(DEEP)).await;
        rig.step(30 + downtime, &[("a", 9.0)]).await;
        assert_eq!(rig.state_of("a"), AlertState::Pending, "20 of 30 after {downtime}");
        rig.step(40 + downtime, &[("a", 9.0)]).await;
        assert_eq!(rig.state_of("a"), AlertState::Firing, "30 of 30 after {downtime}");
    }
}

#[tokio::test]
async fn after_a_start_nothing_ends_before_inputs_are_fresh() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, file("  - {alert: Deep, expr: 'x > 5'}\n")).await;
    rig.step(10, &[("a", 9.0)]).await;
    assert_eq!(rig.state_of("a"), AlertState::Firing);
    drop(rig);
    // An hour later the last sample is out of sight, and nothing new has come in yet.
    let rig = Rig::start(&disk, 3600, file("  - {alert: Deep, expr: 'x > 5'}\n")).await;
    for second in [3610, 3620, 3630] {
        rig.evaluate(second).await;
        assert_eq!(rig.state_of("a"), AlertState::Firing, "held at {second}");
    }
    rig.step(3640, &[("a", 9.0)]).await;
    assert_eq!(rig.alerts()[0].clocks.active_at, at(10), "the same alert as before");
    rig.step(3650, &[("a", 1.0)]).await;
    assert_eq!(rig.state_of("a"), AlertState::Inactive, "fresh inputs are believed");
}

#[tokio::test]
async fn inputs_that_never_come_are_waited_for_until_the_lookback_is_over() {
    let disk = SimDisk::new();
    let rules = "  - {alert: Deep, expr: 'x > 5'}\n";
    let rig = Rig::start(&disk, 0, file(rules)).await;
    rig.step(10, &[("a", 9.0)]).await;
    drop(rig);
    let rig = Rig::start(&disk, 3600, file(rules)).await;
    rig.evaluate(3890).await;
    assert_eq!(rig.state_of("a"), AlertState::Firing);
    rig.evaluate(3900).await;
    assert_eq!(rig.state_of("a"), AlertState::Inactive);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_does_not_end_what_fires() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, file("  - {alert: Deep, expr: 'x > 5'}\n")).await;
    rig.step(10, &[("a", 9.0)]).await;
    rig.evaluate(7200).await;
    assert_eq!(rig.state_of("a"), AlertState::Firing, "the last sample is two hours old now");
    rig.step(7210, &[("a", 1.0)]).await;
    assert_eq!(rig.state_of("a"), AlertState::Inactive);
}

#[tokio::test]
async fn an_idle_rule_writes_nothing() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, file(DEEP)).await;
    rig.define(r#"{"name":"deep","metric":"x","operator":">","threshold":5,"for":30}"#).await;
    rig.ruler.reload(file(DEEP)).await;
    rig.x(0, &[("a", 1.0)]);
    rig.evaluate(10).await;
    let syncs = disk.syncs();
    for second in [20, 30, 40] {
        rig.evaluate(second).await;
    }
    assert_eq!(disk.syncs(), syncs);
}

#[tokio::test]
async fn a_definition_is_evaluated_edited_and_removed() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, Vec::new()).await;
    let simple = |more: &str| {
        format!(
            r#"{{"name":"deep","metric":"x","aggregate":"last","operator":">","threshold":5,
                "for":20{more}}}"#
        )
    };
    rig.define(&simple("")).await;
    rig.ruler.reload(Vec::new()).await;
    rig.step(10, &[("a", 9.0)]).await;
    rig.define(&simple(r#","description":"other words""#)).await;
    rig.ruler.reload(Vec::new()).await;
    rig.step(20, &[("a", 9.0)]).await;
    rig.step(30, &[("a", 9.0), ("b", 9.0)]).await;
    assert_eq!(rig.state_of("a"), AlertState::Firing, "texts leave the clock alone");
    let alert = rig.alerts()[0].clone();
    assert!(alert.annotations.contains(&("description".to_owned(), "other words".to_owned())));
    assert_eq!(alert.labels.get("severity"), Some("warning"));
    // Another condition: what is pending begins anew, what fires goes on.
    rig.define(&simple("").replace("\"threshold\":5", "\"threshold\":6")).await;
    rig.ruler.reload(Vec::new()).await;
    rig.step(40, &[("a", 9.0), ("b", 9.0)]).await;
    rig.step(50, &[("a", 9.0), ("b", 9.0)]).await;
    assert_eq!((rig.state_of("a"), rig.state_of("b")), (AlertState::Firing, AlertState::Pending));
    rig.catalog.rules.remove(&rig.watch, "deep").await.expect("removed");
    rig.ruler.reload(Vec::new()).await;
    assert!(rig.ruler.list().is_empty());
    assert_eq!(written(&rig).last().map(String::as_str), Some("end 50"));
    drop(rig);
    let rig = Rig::start(&disk, 60, Vec::new()).await;
    rig.define(&simple("")).await;
    rig.ruler.reload(Vec::new()).await;
    assert!(rig.alerts().is_empty(), "nothing is left in the file");
    drop(rig.settings);
}

#[tokio::test]
async fn a_paused_rule_ends_its_series_and_a_shadow_marks_them() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, Vec::new()).await;
    let with = |mode: &str| format!(r#"{{"name":"deep","expr":"x > 5","mode":"{mode}"}}"#);
    for (second, mode, state) in [
        (10, "active", AlertState::Firing),
        (20, "shadow", AlertState::Firing),
        (30, "paused", AlertState::Inactive),
        (40, "active", AlertState::Firing),
    ] {
        rig.define(&with(mode)).await;
        rig.ruler.reload(Vec::new()).await;
        rig.step(second, &[("a", 9.0)]).await;
        assert_eq!(rig.state_of("a"), state, "{mode}");
    }
    let marked: Vec<i64> = read_all(&rig.tsdb)
        .into_iter()
        .filter(|(series, _)| series.metric_name() == Some("ALERTS"))
        .filter(|(series, _)| series.get("vedette_mode") == Some("shadow"))
        .flat_map(|(_, samples)| samples.into_keys())
        .map(|at_ms| at_ms / 1000 - BEGIN_S)
        .collect();
    assert_eq!(marked, [20, 30], "a value, and the end");
}

#[tokio::test]
async fn no_data_is_told_from_good_news_by_the_selectors() {
    let disk = SimDisk::new();
    let rig = Rig::start(&disk, 0, Vec::new()).await;
    rig.define(r#"{"name":"deep","expr":"x > 5","on_no_data":"alert"}"#).await;
    rig.ruler.reload(Vec::new()).await;
    rig.evaluate(10).await;
    assert!(rig.alerts().is_empty(), "it never had data");
    rig.step(20, &[("a", 1.0)]).await;
    // The sample is in sight for five minutes, the first moment left out.
    for second in (30..320).step_by(10) {
        rig.evaluate(second).await;
        assert!(rig.alerts().is_empty(), "there is data at {second}, and nothing above 5");
    }
    rig.evaluate(320).await;
    assert_eq!(rig.states(), BTreeMap::from([(String::new(), AlertState::Firing)]));
    rig.step(340, &[("a", 1.0)]).await;
    assert!(rig.alerts().is_empty(), "data is back");
}
