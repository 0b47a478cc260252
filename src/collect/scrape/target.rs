//! What a target is, and how settings become targets (`scrape/target.go` of Prometheus).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::collect::relabel::{self, Relabel, RelabelError};
use crate::config::{Limits, Period, ScrapeConfig};
use crate::model::{INSTANCE_LABEL, JOB_LABEL, Labels, LabelsBuilder};

/// The label that holds a target's address until it is relabelled.
const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";

/// What a scrape may take if nothing is set.
const TIMEOUT_DEFAULT: Period = Period::from_secs(10);

/// A checked group of targets.
#[derive(Debug)]
pub struct Pool {
    /// The group's settings.
    pub config: ScrapeConfig,
    /// The bounds of all input, with the group's own where it sets some.
    pub limits: Limits,
    pub(super) relabel: Vec<Relabel>,
    pub(super) metric_relabel: Vec<Relabel>,
}

impl Pool {
    /// Whether the settings are the same.
    pub fn same_as(&self, other: &Pool) -> bool {
        self.config == other.config && self.limits == other.limits
    }
}

/// All groups of the settings, checked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order of the settings.
    pub pools: Vec<Arc<Pool>>,
}

/// Why settings cannot be scraped by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {what}")]
pub struct PlanError {
    /// The key, such as `scrape[1].relabel[0]`.
    pub key: String,
    /// What is wrong, and how to mend it.
    pub what: String,
}

impl Plan {
    /// Checks all groups.
    pub fn new(configs: &[ScrapeConfig], limits: &Limits) -> Result<Self, PlanError> {
        let mut pools: Vec<Arc<Pool>> = Vec::new();
        for (place, config) in configs.iter().enumerate() {
            let at = |key: &str| format!("scrape[{place}].{key}");
            let fault = |key: &str, what: String| Err(PlanError { key: at(key), what });
            if config.job_name.is_empty() {
                return fault("job_name", "is missing; name the group".to_owned());
            }
            if pools.iter().any(|pool| pool.config.job_name == config.job_name) {
                let what = format!("{:?} is taken by another group", config.job_name);
                return fault("job_name", what);
            }
            if config.scrape_interval < Period::from_secs(1) {
                return fault("scrape_interval", "is below 1s".to_owned());
            }
            if timeout_of(config) > config.scrape_interval {
                let what = format!(
                    "is longer than scrape_interval = {}; make it shorter",
                    config.scrape_interval
                );
                return fault("scrape_timeout", what);
            }
            if !matches!(config.scheme.as_str(), "http" | "https") {
                return fault("scheme", format!("{:?} is neither http nor https", config.scheme));
            }
            if config.basic_auth.is_some() && config.authorization.is_some() {
                return fault("authorization", "cannot be used with basic_auth".to_owned());
            }
            if config.tls.cert_file.is_some() != config.tls.key_file.is_some() {
                let what = "needs both cert_file and key_file, or neither".to_owned();
                return fault("tls", what);
            }
            for (number, files) in config.file_sd_configs.iter().enumerate() {
                if let Some(file) = files.files.iter().find(|file| !file.ends_with(".json")) {
                    let what = format!("names {file:?}, which does not end in .json");
                    return fault(&format!("file_sd_configs[{number}].files"), what);
                }
            }
            let compile = |key: &str, steps| {
                relabel::compile(steps).map_err(|(step, error): (usize, RelabelError)| PlanError {
                    key: at(&format!("{key}[{step}]")),
                    what: format!("cannot be used: {error}"),
                })
            };
            pools.push(Arc::new(Pool {
                config: config.clone(),
                limits: limits_of(config, limits),
                relabel: compile("relabel", &config.relabel_configs)?,
                metric_relabel: compile("metric_relabel", &config.metric_relabel_configs)?,
            }));
        }
        Ok(Plan { pools })
    }
}

fn timeout_of(config: &ScrapeConfig) -> Period {
    config.scrape_timeout.unwrap_or(TIMEOUT_DEFAULT.min(config.scrape_interval))
}

fn limits_of(config: &ScrapeConfig, limits: &Limits) -> Limits {
    let own = |own: usize, general: usize| if own == 0 { general } else { own.min(general) };
    let body = usize::try_from(config.body_size_limit.bytes()).unwrap_or(usize::MAX);
    Limits {
        inflated_bytes_max: own(body, limits.inflated_bytes_max),
        labels_max: own(config.label_limit, limits.labels_max),
        label_name_bytes_max: own(config.label_name_length_limit, limits.label_name_bytes_max),
        label_value_bytes_max: own(config.label_value_length_limit, limits.label_value_bytes_max),
        ..limits.clone()
    }
}

/// Something to be scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The labels of its series.
    pub labels: Labels,
    /// The labels before relabelling.
    pub discovered: Labels,
    /// What is asked for.
    pub url: String,
    /// How often.
    pub interval: Period,
    /// How long that may take.
    pub timeout: Period,
}

impl Target {
    /// The target of an address and the labels that came with it. `Ok(None)` if relabelling drops
    /// it; the error says what is wrong with it.
    pub fn new(
        pool: &Pool,
        address: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, String> {
        let config = &pool.config;
        let mut builder = LabelsBuilder::default();
        let interval = config.scrape_interval.to_string();
        let timeout = timeout_of(config).to_string();
        for (name, value) in [
            (JOB_LABEL, config.job_name.as_str()),
            (INTERVAL, &interval),
            (TIMEOUT, &timeout),
            (METRICS_PATH, &config.metrics_path),
            (SCHEME, &config.scheme),
        ] {
            builder.set(name, value);
        }
        for (name, values) in &config.params {
            if let Some(first) = values.first() {
                builder.set(&format!("{PARAM}{name}"), first);
            }
        }
        // What came with the target goes before what the group says.
        builder.set(ADDRESS, address);
        for (name, value) in labels {
            builder.set(name, value);
        }
        let discovered = builder.build().map_err(|error| error.to_string())?;
        if !relabel::apply(&pool.relabel, &mut builder) {
            return Ok(None);
        }
        let text = |name: &str| builder.get(name).unwrap_or("").to_owned();
        let address = text(ADDRESS);
        if address.is_empty() {
            return Err("it has no address after relabelling".to_owned());
        }
        if address.contains('/') {
            return Err(format!("{address:?} is not an address: it must be host:port, no URL"));
        }
        let period = |name: &str| {
            Period::parse(&text(name)).map_err(|error| format!("{name} is no duration: {error}"))
        };
        let (interval, timeout) = (period(INTERVAL)?, period(TIMEOUT)?);
        if interval < Period::from_secs(1) || timeout > interval || timeout.millis() == 0 {
            return Err(format!(
                "interval {interval} and timeout {timeout} do not fit: the interval must be 1s \
                 or more, and the timeout within it"
            ));
        }
        let url = url_of(config, &builder, &address)?;
        if builder.get(INSTANCE_LABEL).is_none() {
            builder.set(INSTANCE_LABEL, &address);
        }
        builder.retain(|name| !name.starts_with("__"));
        let labels = builder.build().map_err(|error| error.to_string())?;
        Ok(Some(Target { labels, discovered, url, interval, timeout }))
    }

    /// How far behind the beginning of an interval this target is scraped, in milliseconds: the
    /// same in every run, and spread evenly over targets.
    pub fn offset_ms(&self) -> i64 {
        let mut identity = self.url.clone().into_bytes();
        identity.extend_from_slice(self.labels.as_bytes());
        let hash = xxhash_rust::xxh3::xxh3_64(&identity);
        (hash % self.interval.millis().max(1).unsigned_abs()).cast_signed()
    }
}

fn url_of(config: &ScrapeConfig, labels: &LabelsBuilder, address: &str) -> Result<String, String> {
    let scheme = labels.get(SCHEME).unwrap_or("http");
    if !matches!(scheme, "http" | "https") {
        return Err(format!("scheme {scheme:?} is neither http nor https"));
    }
    let path = labels.get(METRICS_PATH).unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = reqwest::Url::parse(&format!("{scheme}://{address}{slash}{path}"))
        .map_err(|error| format!("{address:?} is not an address: {error}"))?;
    // The first value of a parameter is a label and may have been changed or added; the others
    // follow as they are.
    let mut params: Vec<(&str, Vec<&str>)> = config
        .params
        .iter()
        .map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect()))
        .collect();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAM) else { continue };
        match params.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => match values.first_mut() {
                Some(first) => *first = value,
                None => values.push(value),
            },
            None => params.push((name, vec![value])),
        }
    }
    params.sort_unstable();
    if params.iter().any(|(_, values)| !values.is_empty()) {
        let mut query = url.query_pairs_mut();
        for (name, values) in &params {
            for value in values {
                query.append_pair(name, value);
            }
        }
    }
    Ok(url.into())
}
