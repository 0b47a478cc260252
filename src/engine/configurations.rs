//! Configurations of features, by version.
//!
//! Owns: the documents of that kind, the newest of each feature in memory. Never: what a
//! configuration means. Start reading at [`Configurations::put`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::feed::{Fact, Subject, Topic};
use super::watch::{Batch, Watch, WatchError};
use crate::model::{Name, Timestamp};
use crate::store::{
    DocumentKind, Store, StoreError, Table, Write, decode_document, document_key, documents,
};

/// Versions of one feature that are kept; older ones are removed.
pub const VERSIONS_KEPT: u64 = 1000;
/// The largest configuration, as JSON, in bytes.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
/// The longest comment or author, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// One version of a feature's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationVersion {
    /// The feature.
    pub feature: Name,
    /// Counted from 1.
    pub version: u64,
    /// The configuration: any JSON.
    pub value: Value,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// The version whose value was taken up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
}

/// What becomes the next version.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The value, or the version that has it.
    pub value: DraftValue,
    /// Who.
    pub author: String,
    /// Why.
    pub comment: String,
    /// The version that this one must follow, if that matters.
    pub follows: Option<u64>,
}

/// Where the value of a draft comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftValue {
    /// From here.
    Given(Value),
    /// From an older version.
    Restored(u64),
}

/// Why there is no new version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// It cannot be taken.
    #[error("{0}")]
    Invalid(String),
    /// There is no such version.
    #[error("there is no version {version} of the configuration of {feature}; {known}")]
    Absent {
        /// The feature.
        feature: Name,
        /// The version.
        version: u64,
        /// Which there are, in words.
        known: String,
    },
    /// Somebody else was faster.
    #[error("the configuration of {feature} is at version {is}, not {follows}; read it again")]
    Moved {
        /// The feature.
        feature: Name,
        /// The newest version; 0 before the first.
        is: u64,
        /// The one that was expected.
        follows: u64,
    },
    /// The database could not be read.
    #[error("the database could not be read: {0}")]
    Store(String),
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

impl From<StoreError> for ConfigurationError {
    fn from(error: StoreError) -> Self {
        ConfigurationError::Store(error.to_string())
    }
}

type Newest = BTreeMap<Name, Arc<ConfigurationVersion>>;

/// All configurations.
pub struct Configurations {
    store: Arc<Store>,
    newest: ArcSwap<Newest>,
    /// One change at a time: versions are counted without gaps.
    changing: tokio::sync::Mutex<()>,
}

fn id(feature: &str, version: u64) -> String {
    // With all digits, so that keys sort as versions do. A name has no slash.
    format!("{feature}/{version:020}")
}

impl Configurations {
    /// Reads the newest version of every feature.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. A version that cannot be decoded is reported and left out.
    pub fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let (table, kind) = (Table::Experiments, DocumentKind::FeatureConfiguration);
        let read = || documents::<ConfigurationVersion>(&store.read()?, table, kind, "a version");
        // The newest of a feature comes last.
        let versions = store.again(read)?.into_iter();
        let newest = versions.map(|(_, version)| (version.feature.clone(), Arc::new(version)));
        let newest: Newest = newest.collect();
        let changing = tokio::sync::Mutex::new(());
        Ok(Configurations { store, newest: ArcSwap::from_pointee(newest), changing })
    }

    /// The newest version of a feature's configuration.
    pub fn newest(&self, feature: &str) -> Option<Arc<ConfigurationVersion>> {
        self.newest.load().get(feature).cloned()
    }

    /// One version.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError::Absent`], or the database cannot be read.
    pub fn version(
        &self,
        feature: &Name,
        version: u64,
    ) -> Result<ConfigurationVersion, ConfigurationError> {
        let key = document_key(DocumentKind::FeatureConfiguration, &id(feature.as_str(), version));
        let snapshot = self.store.read()?;
        match snapshot.get(Table::Experiments, key.as_bytes())? {
            Some(value) => Ok(decode_document(value.payload())?),
            None => Err(self.absent(feature, version)),
        }
    }

    fn absent(&self, feature: &Name, version: u64) -> ConfigurationError {
        let known = match self.newest(feature.as_str()).map(|newest| newest.version) {
            None => "there is none yet; make one with PUT".to_owned(),
            Some(newest) => {
                let oldest = newest.saturating_sub(VERSIONS_KEPT - 1).max(1);
                format!("there are {oldest} to {newest}")
            }
        };
        ConfigurationError::Absent { feature: feature.clone(), version, known }
    }

    /// Versions of a feature before `before`, newest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn history(
        &self,
        feature: &Name,
        before: u64,
        limit: usize,
    ) -> Result<Vec<ConfigurationVersion>, StoreError> {
        let key = |version| {
            document_key(DocumentKind::FeatureConfiguration, &id(feature.as_str(), version))
        };
        let snapshot = self.store.read()?;
        let table = snapshot.table(Table::Experiments)?;
        let range = table.range_back(key(0).as_bytes(), key(before).as_bytes())?;
        range.take(limit).map(|entry| decode_document(entry?.open()?.payload())).collect()
    }

    /// Makes the next version.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`]; nothing changed then.
    pub async fn put(
        &self,
        watch: &Watch,
        feature: &Name,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Arc<ConfigurationVersion>, ConfigurationError> {
        for (field, text) in [("author", &draft.author), ("comment", &draft.comment)] {
            if text.len() > TEXT_BYTES_MAX {
                let message = format!("{field}: at most {TEXT_BYTES_MAX} bytes");
                return Err(ConfigurationError::Invalid(message));
            }
        }
        let _one = self.changing.lock().await;
        let is = self.newest(feature.as_str()).map_or(0, |newest| newest.version);
        if let Some(follows) = draft.follows.filter(|follows| *follows != is) {
            return Err(ConfigurationError::Moved { feature: feature.clone(), is, follows });
        }
        let (value, restored) = match draft.value {
            DraftValue::Given(value) => (value, None),
            DraftValue::Restored(old) => (self.version(feature, old)?.value, Some(old)),
        };
        let bytes = value.to_string().len();
        if bytes > VALUE_BYTES_MAX {
            return Err(ConfigurationError::Invalid(format!(
                "value: is {bytes} bytes as JSON; at most {VALUE_BYTES_MAX}"
            )));
        }
        let version = ConfigurationVersion {
            feature: feature.clone(),
            version: is + 1,
            value,
            author: draft.author,
            comment: draft.comment,
            at: now,
            restored,
        };
        let kind = DocumentKind::FeatureConfiguration;
        let id_of = |version| id(feature.as_str(), version);
        let write = Write::document(Table::Experiments, kind, &id_of(is + 1), &version)?;
        let mut writes = vec![write];
        if let Some(old) = (is + 1).checked_sub(VERSIONS_KEPT).filter(|old| *old > 0) {
            writes.push(Write::no_document(Table::Experiments, kind, &id_of(old)));
        }
        // What it says may be secret: whoever may see it asks.
        let data = json!({
            "feature": version.feature, "version": version.version, "author": version.author,
            "comment": version.comment, "at": version.at, "restored": version.restored,
        });
        let subject = Subject::named(feature.as_str());
        let fact = Fact::new(Topic::Features, "feature.configured", subject, &data);
        watch.commit(Batch { writes, facts: vec![fact], ..Batch::default() }).await?;
        let version = Arc::new(version);
        let mut newest = Newest::clone(&self.newest.load());
        newest.insert(feature.clone(), Arc::clone(&version));
        self.newest.store(Arc::new(newest));
        Ok(version)
    }
}
