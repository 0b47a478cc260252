//! The plain types that every other room speaks in.
//!
//! Owns: time, labels, matchers, samples, metric metadata, and what the watch speaks of (checks,
//! rules, alerts, incidents, notifications), experiments, features, outcomes and log lines, with the
//! invariants that make them valid. Never: I/O, clocks, storage or wire formats. Start reading at [`Labels`].

mod cron;
mod exemplar;
mod experiment;
mod fingerprint;
mod go_regexp;
mod histogram;
mod kahan;
mod labels;
mod log;
mod matcher;
mod metadata;
mod name;
mod period;
mod sample;
mod time;
mod unquote;
pub(crate) mod varint;
mod watch;

pub use self::cron::{CronError, CronSchedule};
pub use exemplar::{EXEMPLAR_CHARS_MAX, Exemplar};
pub use experiment::{
    AnalysisDefinition, AnalysisMethod, AuditEntry, AuditKind, Better, CanaryStep, Correction,
    Epoch, Estimator, ExperimentDefinition, ExperimentKind, ExperimentState, ExperimentStatus,
    Factor, FeatureDefinition, FeatureQueries, FeatureStatus, GuardrailAction, GuardrailDefinition,
    GuardrailState, HoldOut, MetricDefinition, MetricKind, MetricRole, Namespace, Outcome,
    ProviderDefinition, ResultEntry, UnitAggregate, UnitValue, VALUE_ABS_MAX, VariantDefinition,
};
pub use fingerprint::fingerprint;
pub use histogram::{
    BoundedBucket, BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX,
    EXPONENTIAL_SCHEMA_MIN, Histogram, HistogramError, IncompatibleSchemas, ResetHint, Side,
    SumNotes, Trim, bucket_index, is_exponential_schema,
};
pub use kahan::kahan_add;
pub use labels::{
    BUCKET_LABEL, INSTANCE_LABEL, JOB_LABEL, LabelError, Labels, LabelsBuilder, METRIC_NAME,
    is_classic_label_name, is_classic_metric_name,
};
pub use log::{LogId, LogLevel, LogLevels, LogLine, LogMetadata, StoredLine};
pub use matcher::{MatchOp, Matcher, MatcherError, anchored_regex, unanchored_regex};
pub use metadata::{Metadata, MetricType};
pub use name::{Name, NameError};
pub use period::Period;
pub use sample::{
    HISTOGRAM_NAN, Reading, Row, STALE_NAN, Sample, SeriesId, is_histogram_mark, is_stale_nan,
};
pub use time::{DurationError, Timestamp, format_duration_ms, parse_duration_ms};
pub use unquote::unquote;
pub use watch::{
    Aggregate, Alert, AlertKey, AlertSource, ChannelDefinition, ChannelKind, CheckDefinition,
    CheckKind, CheckResult, CheckStatus, ConditionDefinition, ConditionOutcome, Definition,
    Delivery, DeliveryState, Escalation, Evidence, Incident, IncidentId, IncidentStatus,
    Inhibition, MaintenanceWindow, Matchers, Note, Notification, NotificationReason, NotifiedAlert,
    ObjectiveDefinition, Observation, OnFailure, Operator, Origin, Phases, Recurrence, Route,
    RuleDefinition, RuleMode, Severity, Silence, Threshold, TimelineEntry, TimelineKind,
};
