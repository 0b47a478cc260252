//! `[[scrape]]`: targets that are asked for their metrics. Keys and defaults are those of
//! Prometheus's `scrape_configs`, with TOML's spelling.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Period};
use crate::trust::TlsClient;

/// One group of targets that are scraped alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScrapeConfig {
    /// The value of the label `job`; required, and unique among all groups.
    pub job_name: String,
    /// How often each target is scraped; at least 1 s.
    pub scrape_interval: Period,
    /// How long a scrape may take. At most the interval; 10 s or the interval if not set.
    pub scrape_timeout: Option<Period>,
    /// The path that is asked for.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Parameters of the query string.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of the target win over ours. Otherwise they become `exported_…`.
    pub honor_labels: bool,
    /// Whether times that the target gives are used.
    pub honor_timestamps: bool,
    /// Samples that one scrape may give after relabelling; 0 for any number. More fail the scrape.
    pub sample_limit: usize,
    /// Labels that a sample may have; 0 for what `limits` allow. More fail the scrape.
    pub label_limit: usize,
    /// Bytes that a label's name may have; 0 for what `limits` allow.
    pub label_name_length_limit: usize,
    /// Bytes that a label's value may have; 0 for what `limits` allow.
    pub label_value_length_limit: usize,
    /// Bytes that a body may have, inflated; 0 for what `limits` allow.
    pub body_size_limit: ByteSize,
    /// Whether compressed answers are asked for.
    pub enable_compression: bool,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Targets by address.
    pub static_configs: Vec<StaticConfig>,
    /// Targets from files that are read again and again.
    pub file_sd_configs: Vec<FileSdConfig>,
    /// What is done to the labels of targets before they are scraped.
    #[serde(rename = "relabel")]
    pub relabel_configs: Vec<RelabelConfig>,
    /// What is done to the labels of samples before they are stored.
    #[serde(rename = "metric_relabel")]
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// A user and a password.
    pub basic_auth: Option<BasicAuth>,
    /// A token.
    pub authorization: Option<Authorization>,
    /// How to trust the target and be trusted by it.
    pub tls: TlsClient,
    /// More headers to send.
    pub headers: BTreeMap<String, String>,
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        ScrapeConfig {
            job_name: String::new(),
            scrape_interval: Period::from_secs(15),
            scrape_timeout: None,
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            sample_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            body_size_limit: ByteSize::from_bytes(0),
            enable_compression: true,
            follow_redirects: true,
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            basic_auth: None,
            authorization: None,
            tls: TlsClient::default(),
            headers: BTreeMap::new(),
        }
    }
}

/// Targets that the configuration lists. The items of a discovery file have the same shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaticConfig {
    /// `host:port` each.
    pub targets: Vec<String>,
    /// Labels that all of them get.
    pub labels: BTreeMap<String, String>,
}

/// Targets from JSON files: `[{"targets": ["host:port"], "labels": {"name": "value"}}]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileSdConfig {
    /// Paths ending in `.json`; the last part may contain `*`.
    pub files: Vec<String>,
    /// How often they are read again.
    pub refresh_interval: Period,
}

impl Default for FileSdConfig {
    fn default() -> Self {
        FileSdConfig { files: Vec::new(), refresh_interval: Period::from_secs(300) }
    }
}

/// One step of relabelling, as in Prometheus (`model/relabel/relabel.go`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// The labels whose values are joined and looked at.
    pub source_labels: Vec<String>,
    /// What stands between them.
    pub separator: String,
    /// A regular expression for the whole of the joined value.
    pub regex: String,
    /// The divisor of `hashmod`.
    pub modulus: u64,
    /// The label that is written; may name capture groups (`$1`) for `replace`.
    pub target_label: String,
    /// What is written; may name capture groups (`$1`, `${name}`).
    pub replacement: String,
    /// What is done.
    pub action: RelabelAction,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        RelabelConfig {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            regex: "(.*)".to_owned(),
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".to_owned(),
            action: RelabelAction::Replace,
        }
    }
}

/// What a relabelling step does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelabelAction {
    /// Writes `replacement` to `target_label` where the expression matches.
    #[default]
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what differs from `target_label`.
    KeepEqual,
    /// Drops what equals `target_label`.
    DropEqual,
    /// Writes the hash of the source modulo `modulus` to `target_label`.
    HashMod,
    /// Copies labels whose names match to the names that `replacement` gives.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Writes the source in lower case to `target_label`.
    Lowercase,
    /// Writes the source in upper case to `target_label`.
    Uppercase,
}

/// RFC 7617.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// The password; or use `password_file`.
    pub password: String,
    /// A file that holds the password; it is read at each scrape.
    pub password_file: Option<PathBuf>,
}

/// The header `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// The scheme.
    #[serde(rename = "type")]
    pub kind: String,
    /// The token; or use `credentials_file`.
    pub credentials: String,
    /// A file that holds the token; it is read at each scrape.
    pub credentials_file: Option<PathBuf>,
}

impl Default for Authorization {
    fn default() -> Self {
        Authorization {
            kind: "Bearer".to_owned(),
            credentials: String::new(),
            credentials_file: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_needs_a_name_and_targets_and_has_prometheus_defaults() {
        let text = r#"
            job_name = "node"
            scrape_interval = "30s"
            [[static_configs]]
            targets = ["a:9100", "b:9100"]
            labels = { zone = "1" }
            [[relabel]]
            source_labels = ["__address__"]
            regex = "b:.*"
            action = "drop"
            [basic_auth]
            username = "me"
            password_file = "/run/secret"
            [tls]
            insecure_skip_verify = true
        "#;
        let group: ScrapeConfig = toml::from_str(text).expect("valid");
        assert_eq!(group.scrape_interval, Period::from_secs(30));
        assert_eq!(group.metrics_path, "/metrics");
        assert!(group.honor_timestamps && !group.honor_labels);
        assert_eq!(group.static_configs[0].targets, ["a:9100", "b:9100"]);
        assert_eq!(group.relabel_configs[0].action, RelabelAction::Drop);
        assert_eq!(group.relabel_configs[0].separator, ";");
        assert_eq!(group.basic_auth.expect("set").username, "me");
        assert!(group.tls.insecure_skip_verify);
    }

    #[test]
    fn an_unknown_key_is_refused_at_every_depth() {
        for text in ["jobname = \"a\"", "[[relabel]]\nregexp = \"a\"", "[tls]\nca = \"a\""] {
            assert!(toml::from_str::<ScrapeConfig>(text).is_err(), "{text} was accepted");
        }
    }
}
