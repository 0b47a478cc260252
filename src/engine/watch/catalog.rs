//! Everything that people defined for the watch.

use crate::config::Settings;
use crate::model::{
    ChannelDefinition, CheckDefinition, Definition, ExperimentDefinition, FeatureDefinition,
    MaintenanceWindow, Name, ObjectiveDefinition, Origin, ProviderDefinition, RuleDefinition,
    Timestamp,
};
use crate::rules::default_rules;
use crate::store::{DocumentKind, Store, StoreError};

use super::{Channels, Definitions};

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
    /// What is promised of services.
    pub objectives: Definitions<ObjectiveDefinition>,
    /// What is tried out.
    pub experiments: Definitions<ExperimentDefinition>,
    /// What is watched as a unit.
    pub features: Definitions<FeatureDefinition>,
    /// What features depend on.
    pub providers: Definitions<ProviderDefinition>,
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
            objectives: Definitions::open(store, DocumentKind::Objective)?,
            experiments: Definitions::open(store, DocumentKind::Experiment)?,
            features: Definitions::open(store, DocumentKind::Feature)?,
            providers: Definitions::open(store, DocumentKind::Provider)?,
        })
    }

    /// Takes up what the settings file defines and what is built in, in place of what was so
    /// before.
    pub async fn take_up(&self, settings: &Settings, checks: Vec<CheckDefinition>, now: Timestamp) {
        let built_in = checks.into_iter().map(|check| (Origin::Default, check));
        self.checks.set_fixed(of_file(&settings.check).chain(built_in), now).await;
        let built_in = if settings.defaults.enabled { default_rules() } else { Vec::new() };
        let built_in = built_in.into_iter().map(|rule| (Origin::Default, rule));
        self.rules.set_fixed(of_file(&settings.rule).chain(built_in), now).await;
        self.channels.set_fixed(of_file(&settings.channel), now).await;
        self.maintenance.set_fixed(of_file(&settings.maintenance), now).await;
        self.objectives.set_fixed(of_file(&settings.objective), now).await;
        self.experiments.set_fixed(of_file(&settings.experiment), now).await;
        self.features.set_fixed(of_file(&settings.feature), now).await;
        self.providers.set_fixed(of_file(&settings.provider), now).await;
    }
}

impl Channels for Catalog {
    fn now(&self) -> Vec<ChannelDefinition> {
        self.channels.list().values().map(|channel| channel.definition.clone()).collect()
    }

    fn find(&self, name: &Name) -> Option<ChannelDefinition> {
        self.channels.get(name.as_str()).map(|channel| channel.definition.clone())
    }
}

fn of_file<T: Definition>(list: &[T]) -> impl Iterator<Item = (Origin, T)> {
    list.iter().map(|definition| (Origin::File, definition.clone()))
}
