//! Rules of ours over HTTP.

use crate::engine::watch::{Catalog, Definitions};
use crate::model::RuleDefinition;

use super::objects::Object;

impl Object for RuleDefinition {
    const DURATIONS: &'static [&'static str] =
        &["window", "for", "keep_firing_for", "interval", "cooldown"];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.rules
    }
}
