//! What vedette counts about itself.
//!
//! Owns: the counters, gauges and histograms that every higher room may bump, their names and
//! help texts, and their two renderings (text exposition and rows). Never: reading the operating
//! system (`collect::own` does), a registry, or anything global: the daemon makes one
//! [`Telemetry`] and hands it down. Start reading at [`Telemetry`].

mod instruments;
mod live;
mod render;
mod scrub;
mod sending;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

pub use instruments::{Counter, DurationHistogram, Gauge, LabeledCounter};
pub use live::LiveClients;
pub use render::{Collected, RowSink, Sink, TextSink};
pub use scrub::Scrubs;
pub use sending::Sending;

use crate::model::MetricType;

/// By which way a sample came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Remote write 1.0.
    RemoteWrite1,
    /// Remote write 2.0.
    RemoteWrite2,
    /// Our own JSON.
    Json,
    /// An exposition that somebody posted.
    Import,
    /// OTLP.
    Otlp,
    /// A scraped target.
    Scrape,
    /// The host collector.
    Host,
    /// These metrics.
    Own,
    /// A recording rule.
    Rules,
    /// A check.
    Checks,
    /// Outcomes, by their tallies.
    Outcomes,
}

impl Way {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Way; 11] = [
        Way::RemoteWrite1,
        Way::RemoteWrite2,
        Way::Json,
        Way::Import,
        Way::Otlp,
        Way::Scrape,
        Way::Host,
        Way::Own,
        Way::Rules,
        Way::Checks,
        Way::Outcomes,
    ];

    /// The value of the label `way`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::RemoteWrite1 => "remote_write_1",
            Way::RemoteWrite2 => "remote_write_2",
            Way::Json => "json",
            Way::Import => "import",
            Way::Otlp => "otlp",
            Way::Scrape => "scrape",
            Way::Host => "host",
            Way::Own => "own",
            Way::Rules => "rules",
            Way::Checks => "checks",
            Way::Outcomes => "outcomes",
        }
    }
}

/// Upper bounds in seconds: a commit takes 0.1 ms on a quiet disk and seconds on a drowning one.
const COMMIT_BOUNDS_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds in seconds, up to the usual query timeout.
const QUERY_BOUNDS_S: &[f64] =
    &[0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 120.0];

/// All that is counted. Every field may be bumped from any thread at any time.
#[derive(Debug)]
pub struct Telemetry {
    ingested: [Counter; Way::ALL.len()],
    /// Samples refused, by `reason` (`decode::admit::Reason::code`).
    pub refused: LabeledCounter<1>,
    /// Native histograms that were made durable.
    pub histograms_ingested: Counter,
    /// Exemplars that senders offered and that were not taken.
    pub exemplars_skipped: Counter,
    /// Log lines refused, by `way` (`json`, `loki`, `otlp`, `syslog`, `journald`, `file`).
    pub log_lines_refused: LabeledCounter<1>,
    /// Log lines lost because too many waited, by `way`.
    pub log_lines_dropped: LabeledCounter<1>,
    /// How long commits took, the sync included.
    pub commit_duration: DurationHistogram,
    /// Log lines that were made durable, by `level`, `source` and `feature`.
    pub log_lines: LabeledCounter<3>,
    /// Commits that failed as a whole.
    pub commit_failures: Counter,
    /// Bytes written to the journal.
    pub journal_bytes: Counter,
    /// Samples that wait for the writer.
    pub queue_samples: Gauge,
    /// Series in the head.
    pub series: Gauge,
    /// Flushes of the head into blocks.
    pub flushes: Counter,
    /// Merges of blocks.
    pub merges: Counter,
    /// Flushes and merges that failed and will be tried again.
    pub maintenance_failures: Counter,
    /// The size of the database file in bytes.
    pub storage_bytes: Gauge,
    /// Free bytes on the file system of the database.
    pub storage_free_bytes: Gauge,
    /// How long queries took.
    pub query_duration: DurationHistogram,
    /// Queries that failed, by `type` (`timeout`, `canceled`, `execution`, `bad_data`).
    pub query_failures: LabeledCounter<1>,
    /// Queries under way.
    pub queries_running: Gauge,
    /// Scrapes, by `outcome` (`success`, `failure`).
    pub scrapes: LabeledCounter<1>,
    /// HTTP requests, by `handler` and `code`.
    pub http_requests: LabeledCounter<2>,
    /// Loads of the configuration, by `outcome` (`success`, `failure`).
    pub config_reloads: LabeledCounter<1>,
    /// Rule groups that are evaluated.
    pub rule_groups: Gauge,
    /// Checks that are defined.
    pub checks: Gauge,
    /// Runs of checks under way.
    pub checks_running: Gauge,
    /// Runs of checks that were begun.
    pub check_runs: Counter,
    /// Of those: more than a second after they were due.
    pub check_runs_late: Counter,
    /// Runs of checks left out because the one before still waited or ran.
    pub check_runs_skipped: Counter,
    /// Results of checks lost because too many waited for the database.
    pub check_results_dropped: Counter,
    /// What heartbeats told.
    pub pings: Counter,
    /// Evaluations of groups that were due, by `rule_group` (`file;name`).
    pub rule_iterations: LabeledCounter<1>,
    /// Those of them that were left out because the one before took too long.
    pub rule_iterations_missed: LabeledCounter<1>,
    /// Evaluations of single rules, by `rule_group`.
    pub rule_evaluations: LabeledCounter<1>,
    /// Those of them that failed.
    pub rule_evaluation_failures: LabeledCounter<1>,
    /// How long evaluations of groups took.
    pub rule_group_duration: DurationHistogram,
    /// Incidents that nobody has taken.
    pub incidents_open: Gauge,
    /// Incidents that somebody has taken.
    pub incidents_acknowledged: Gauge,
    /// Groups of alerts that somebody is told of.
    pub notification_groups: Gauge,
    /// Deliveries that wait to be sent.
    pub deliveries_pending: Gauge,
    /// Deliveries, by `outcome` (`decided`, `delivered`, `dead`).
    pub deliveries: LabeledCounter<1>,
    /// Transactions of the watch, by `outcome` (`success`, `failure`).
    pub watch_commits: LabeledCounter<1>,
    /// Notifications on their way to channels.
    pub sending: Sending,
    /// Clients of the live feed.
    pub live: LiveClients,
    /// Looking through the file.
    pub scrubs: Scrubs,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Everything at zero.
    pub fn new() -> Self {
        Telemetry {
            ingested: Default::default(),
            refused: LabeledCounter::new(["reason"]),
            histograms_ingested: Counter::default(),
            exemplars_skipped: Counter::default(),
            log_lines_refused: LabeledCounter::new(["way"]),
            log_lines_dropped: LabeledCounter::new(["way"]),
            commit_duration: DurationHistogram::new(COMMIT_BOUNDS_S),
            log_lines: LabeledCounter::new(["level", "source", "feature"]),
            commit_failures: Counter::default(),
            journal_bytes: Counter::default(),
            queue_samples: Gauge::default(),
            series: Gauge::default(),
            flushes: Counter::default(),
            merges: Counter::default(),
            maintenance_failures: Counter::default(),
            storage_bytes: Gauge::default(),
            storage_free_bytes: Gauge::default(),
            query_duration: DurationHistogram::new(QUERY_BOUNDS_S),
            query_failures: LabeledCounter::new(["type"]),
            queries_running: Gauge::default(),
            scrapes: LabeledCounter::new(["outcome"]),
            http_requests: LabeledCounter::new(["handler", "code"]),
            config_reloads: LabeledCounter::new(["outcome"]),
            rule_groups: Gauge::default(),
            checks: Gauge::default(),
            checks_running: Gauge::default(),
            check_runs: Counter::default(),
            check_runs_late: Counter::default(),
            check_runs_skipped: Counter::default(),
            check_results_dropped: Counter::default(),
            pings: Counter::default(),
            rule_iterations: LabeledCounter::new(["rule_group"]),
            rule_iterations_missed: LabeledCounter::new(["rule_group"]),
            rule_evaluations: LabeledCounter::new(["rule_group"]),
            rule_evaluation_failures: LabeledCounter::new(["rule_group"]),
            rule_group_duration: DurationHistogram::new(QUERY_BOUNDS_S),
            incidents_open: Gauge::default(),
            incidents_acknowledged: Gauge::default(),
            notification_groups: Gauge::default(),
            deliveries_pending: Gauge::default(),
            deliveries: LabeledCounter::new(["outcome"]),
            watch_commits: LabeledCounter::new(["outcome"]),
            sending: Sending::new(QUERY_BOUNDS_S),
            live: LiveClients::new(),
            scrubs: Scrubs::new(),
        }
    }

    /// Samples that were taken in by this way.
    pub fn ingested(&self, way: Way) -> &Counter {
        &self.ingested[way as usize]
    }

    /// Writes everything to a sink, in a fixed order.
    pub fn render(&self, sink: &mut dyn Sink) {
        use MetricType::{Counter as C, Gauge as G};
        let version = env!("CARGO_PKG_VERSION");
        sink.family("vedette_build_info", G, "Constant 1, with the version as a label.");
        sink.point("", &[("version", version)], 1.0);

        sink.family("vedette_samples_ingested_total", C, "Samples taken in, by the way they came.");
        for way in Way::ALL {
            let count = self.ingested(way).get();
            sink.point("", &[("way", way.as_str())], count as f64);
        }
        let labeled = [
            ("vedette_samples_refused_total", &self.refused, "Samples refused, by reason."),
            (
                "vedette_log_lines_refused_total",
                &self.log_lines_refused,
                "Log lines refused, by the way they came.",
            ),
            (
                "vedette_log_lines_dropped_total",
                &self.log_lines_dropped,
                "Log lines lost because too many waited, by the way they came.",
            ),
            (
                "vedette_query_failures_total",
                &self.query_failures,
                "Queries failed, by error type.",
            ),
            ("vedette_scrapes_total", &self.scrapes, "Scrapes, by outcome."),
            ("vedette_config_reloads_total", &self.config_reloads, "Reloads, by outcome."),
            (
                "vedette_rule_group_iterations_total",
                &self.rule_iterations,
                "Evaluations of rule groups that were due, missed ones included.",
            ),
            (
                "vedette_rule_group_iterations_missed_total",
                &self.rule_iterations_missed,
                "Evaluations of rule groups left out because the one before took too long.",
            ),
            (
                "vedette_rule_evaluations_total",
                &self.rule_evaluations,
                "Evaluations of rules, by group.",
            ),
            (
                "vedette_rule_evaluation_failures_total",
                &self.rule_evaluation_failures,
                "Evaluations of rules that failed, by group.",
            ),
            (
                "vedette_deliveries_total",
                &self.deliveries,
                "Deliveries of notifications, by outcome.",
            ),
            (
                "vedette_watch_commits_total",
                &self.watch_commits,
                "Transactions of the watch, by outcome.",
            ),
        ];
        for (name, family, help) in labeled {
            sink.family(name, C, help);
            family.points(sink);
        }
        sink.family("vedette_http_requests_total", C, "HTTP requests, by handler and status code.");
        self.http_requests.points(sink);
        sink.family("vedette_log_lines_total", C, "Log lines taken, by level, source and feature.");
        self.log_lines.points(sink);
        self.sending.render(sink);
        self.live.render(sink);
        self.scrubs.render(sink);

        let counters = [
            (
                "vedette_native_histograms_ingested_total",
                &self.histograms_ingested,
                "Native histograms written, among the samples ingested.",
            ),
            (
                "vedette_exemplars_skipped_total",
                &self.exemplars_skipped,
                "Exemplars offered by senders and not stored.",
            ),
            ("vedette_check_runs_total", &self.check_runs, "Runs of checks that were begun."),
            (
                "vedette_check_runs_late_total",
                &self.check_runs_late,
                "Runs of checks begun more than a second after they were due.",
            ),
            (
                "vedette_check_runs_skipped_total",
                &self.check_runs_skipped,
                "Runs of checks left out because the one before still waited or ran.",
            ),
            (
                "vedette_check_results_dropped_total",
                &self.check_results_dropped,
                "Results of checks lost because too many waited for the database.",
            ),
            ("vedette_pings_total", &self.pings, "What heartbeats told."),
            ("vedette_commit_failures_total", &self.commit_failures, "Commits that failed."),
            ("vedette_journal_bytes_total", &self.journal_bytes, "Bytes written to the journal."),
            ("vedette_flushes_total", &self.flushes, "Flushes of the head into blocks."),
            ("vedette_merges_total", &self.merges, "Merges of blocks into larger ones."),
            (
                "vedette_maintenance_failures_total",
                &self.maintenance_failures,
                "Flushes and merges that failed.",
            ),
        ];
        for (name, counter, help) in counters {
            sink.family(name, C, help);
            sink.point("", &[], counter.get() as f64);
        }
        let gauges = [
            ("vedette_queue_samples", &self.queue_samples, "Samples that wait for the writer."),
            ("vedette_incidents_open", &self.incidents_open, "Incidents that nobody has taken."),
            (
                "vedette_incidents_acknowledged",
                &self.incidents_acknowledged,
                "Incidents that somebody has taken.",
            ),
            (
                "vedette_notification_groups",
                &self.notification_groups,
                "Groups of alerts that somebody is told of.",
            ),
            (
                "vedette_deliveries_pending",
                &self.deliveries_pending,
                "Deliveries that wait to be sent.",
            ),
            ("vedette_series", &self.series, "Series in the head."),
            ("vedette_storage_bytes", &self.storage_bytes, "Size of the database file."),
            (
                "vedette_storage_free_bytes",
                &self.storage_free_bytes,
                "Free space on the file system of the database.",
            ),
            ("vedette_queries_running", &self.queries_running, "Queries under way."),
            ("vedette_rule_groups", &self.rule_groups, "Rule groups that are evaluated."),
            ("vedette_checks", &self.checks, "Checks that are defined."),
            ("vedette_checks_running", &self.checks_running, "Runs of checks under way."),
        ];
        for (name, gauge, help) in gauges {
            sink.family(name, G, help);
            sink.point("", &[], gauge.get() as f64);
        }
        let histograms = [
            (
                "vedette_commit_duration_seconds",
                &self.commit_duration,
                "How long commits took, the sync included.",
            ),
            ("vedette_query_duration_seconds", &self.query_duration, "How long queries took."),
            (
                "vedette_rule_group_duration_seconds",
                &self.rule_group_duration,
                "How long evaluations of rule groups took.",
            ),
        ];
        for (name, histogram, help) in histograms {
            sink.family(name, MetricType::Histogram, help);
            histogram.points(sink);
        }
    }
}

/// The ordering of every access here: the numbers stand for themselves and guard nothing.
const RELAXED: Ordering = Ordering::Relaxed;
