//! `[otlp]`: how OpenTelemetry metrics become series. Keys and defaults are those of Prometheus's
//! `otlp` section (`config/config.go`).

use serde::{Deserialize, Serialize};

/// How names are translated (`translation_strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TranslationStrategy {
    /// Classic names, with unit and type as suffixes.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Names as they come, with unit and type as suffixes.
    NoUTF8EscapingWithSuffixes,
    /// Classic names, nothing added.
    UnderscoreEscapingWithoutSuffixes,
    /// Names as they come.
    NoTranslation,
}

impl TranslationStrategy {
    /// Whether unit and type become suffixes of metric names.
    pub const fn adds_suffixes(self) -> bool {
        matches!(
            self,
            TranslationStrategy::UnderscoreEscapingWithSuffixes
                | TranslationStrategy::NoUTF8EscapingWithSuffixes
        )
    }

    /// Whether names are brought to letters, digits and underscores.
    pub const fn escapes(self) -> bool {
        matches!(
            self,
            TranslationStrategy::UnderscoreEscapingWithSuffixes
                | TranslationStrategy::UnderscoreEscapingWithoutSuffixes
        )
    }
}

/// What becomes of what OTLP says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Otlp {
    /// How names are translated.
    pub translation_strategy: TranslationStrategy,
    /// Resource attributes that become labels of every series of the resource.
    pub promote_resource_attributes: Vec<String>,
    /// Whether all resource attributes do, but those of `ignore_resource_attributes`.
    pub promote_all_resource_attributes: bool,
    /// What is left out where all are promoted.
    pub ignore_resource_attributes: Vec<String>,
    /// Whether `target_info` keeps the attributes that make up `job` and `instance`.
    pub keep_identifying_resource_attributes: bool,
    /// Whether histograms with explicit bounds become native ones with custom buckets.
    pub convert_histograms_to_nhcb: bool,
    /// Whether name, version and attributes of the scope become labels.
    pub promote_scope_metadata: bool,
}

impl Otlp {
    /// Whether a resource attribute becomes a label of every series.
    pub fn promotes(&self, attribute: &str) -> bool {
        if self.promote_all_resource_attributes {
            !self.ignore_resource_attributes.iter().any(|ignored| ignored == attribute)
        } else {
            self.promote_resource_attributes.iter().any(|promoted| promoted == attribute)
        }
    }
}
