//! Maintenance windows over HTTP.

use crate::engine::watch::{Catalog, Definitions};
use crate::model::MaintenanceWindow;

use super::objects::Object;

impl Object for MaintenanceWindow {
    const DURATIONS: &'static [&'static str] = &[];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.maintenance
    }
}
