//! Settings: what may be set, its defaults and its checks.
//!
//! Owns: one struct per topic, loading from a TOML file, environment and command line,
//! validation, and errors that name the key, the line and the mend. Never: acting on a setting.
//! Start reading at [`Settings`], then [`Inputs::load`].

mod auth;
mod check;
mod collect;
#[cfg(test)]
mod example;
mod limits;
mod load;
mod logs;
mod otlp;
mod overlay;
mod place;
mod query;
mod rules;
mod scrape;
mod server;
mod storage;
mod units;
mod watch;

use serde::{Deserialize, Serialize};

pub use crate::model::Period;
use crate::model::{
    ChannelDefinition, CheckDefinition, ExperimentDefinition, FeatureDefinition, MaintenanceWindow,
    ObjectiveDefinition, ProviderDefinition, RuleDefinition,
};
pub use auth::{Auth, AuthMode, FileToken, Role, TokenHash};
pub use collect::{Collect, Collector};
pub use limits::Limits;
pub use load::{ConfigError, Flags, Inputs};
pub use logs::{Journald, LogFile, Logs, Syslog};
pub use otlp::{Otlp, TranslationStrategy};
pub use query::Query;
pub use rules::Rules;
pub use scrape::{
    Authorization, BasicAuth, FileSdConfig, RelabelAction, RelabelConfig, ScrapeConfig,
    StaticConfig,
};
pub use server::{Log, LogFormat, Server, Tls};
pub use storage::{Retention, Storage};
pub use units::ByteSize;
pub use watch::{Checks, Deadman, Defaults, Incidents, Notify};

pub use crate::trust::{Secret, TlsClient};

/// Everything that may be set. No key is required; the default of each is that of its struct.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The HTTP listener.
    pub server: Server,
    /// Encryption.
    pub tls: Tls,
    /// Access.
    pub auth: Auth,
    /// The database file.
    pub storage: Storage,
    /// How long data stays.
    pub retention: Retention,
    /// Built-in collectors.
    pub collect: Collect,
    /// Targets that are asked for their metrics.
    pub scrape: Vec<ScrapeConfig>,
    /// What is recorded from other series.
    pub rules: Rules,
    /// Rules of ours.
    pub rule: Vec<RuleDefinition>,
    /// How checks are run.
    pub checks: Checks,
    /// Checks.
    pub check: Vec<CheckDefinition>,
    /// Who is told.
    pub notify: Notify,
    /// Where people are told.
    pub channel: Vec<ChannelDefinition>,
    /// When work is done on things.
    pub maintenance: Vec<MaintenanceWindow>,
    /// What is promised of services.
    pub objective: Vec<ObjectiveDefinition>,
    /// What is tried out.
    pub experiment: Vec<ExperimentDefinition>,
    /// What is watched as a unit.
    pub feature: Vec<FeatureDefinition>,
    /// What features depend on.
    pub provider: Vec<ProviderDefinition>,
    /// How long incidents live.
    pub incidents: Incidents,
    /// What is watched without being asked to.
    pub defaults: Defaults,
    /// Log lines: how long they stay, and where they come from.
    pub logs: Logs,
    /// How OTLP metrics become series.
    pub otlp: Otlp,
    /// Bounds on PromQL.
    pub query: Query,
    /// Bounds on input.
    pub limits: Limits,
    /// What is said on standard error.
    pub log: Log,
}

impl Settings {
    /// The settings as a TOML document without secrets: token hashes, passwords and keys read
    /// `<secret>`.
    pub fn to_public_toml(&self) -> String {
        let mut table = toml::Table::try_from(self).unwrap_or_default();
        overlay::hide_secrets(&mut table);
        toml::to_string(&table).unwrap_or_default()
    }
}
