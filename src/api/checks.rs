//! Checks over HTTP.

use crate::engine::watch::{Catalog, Definitions};
use crate::model::CheckDefinition;

use super::objects::Object;

impl Object for CheckDefinition {
    const DURATIONS: &'static [&'static str] = &["every", "timeout", "grace"];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.checks
    }
}
