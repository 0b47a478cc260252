//! Everything that people defined for the watch.

use crate::config::Settings;
use crate::model::{
    ChannelDefinition, CheckDefinition, Definition, MaintenanceWindow, Origin, RuleDefinition,
    Timestamp,
};
use crate::rules::default_rules;
use crate::store::{DocumentKind, Store, StoreError};

use super::Definitions;

/// All definitions, by kind.
pub struct Catalog {
    /// Checks.
    pub checks: Definitions<CheckDefinition>,
    /// Rules of ours; those of rule files are not among them.
    pub rules: Definitions<RuleDefinition>,
    /// Where people are told.
    pub channels: Definitions<ChannelDefinition>,
    /// When work is done.
    pub maintenance: Definitions<MaintenanceWindow>,
}

impl Catalog {
    /// Reads what the API was given from the database.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Catalog {
            checks: Definitions::open(store, DocumentKind::Check)?,
            rules: Definitions::open(store, DocumentKind::Rule)?,
            channels: Definitions::open(store, DocumentKind::Channel)?,
            maintenance: Definitions::open(store, DocumentKind::Maintenance)?,
        })
    }

    /// Takes up what the settings file defines, in place of what it defined before.
    pub async fn take_up(&self, settings: &Settings, now: Timestamp) {
        self.checks.set_fixed(of_file(&settings.check), now).await;
        let built_in = if settings.defaults.enabled { default_rules() } else { Vec::new() };
        let built_in = built_in.into_iter().map(|rule| (Origin::Default, rule));
        self.rules.set_fixed(of_file(&settings.rule).chain(built_in), now).await;
        self.channels.set_fixed(of_file(&settings.channel), now).await;
        self.maintenance.set_fixed(of_file(&settings.maintenance), now).await;
    }
}

fn of_file<T: Definition>(list: &[T]) -> impl Iterator<Item = (Origin, T)> {
    list.iter().map(|definition| (Origin::File, definition.clone()))
}
