//! Maintenance windows over HTTP: with how they stand, and when they hold next.

use serde_json::{Map, Value, json};

use crate::engine::watch::{Catalog, Defined, Definitions};
use crate::incidents::maintenance::TimedWindow;
use crate::model::MaintenanceWindow;

use super::objects::Object;
use super::state::App;

impl Object for MaintenanceWindow {
    const SHOWN_ONLY: &'static [&'static str] = &["state", "active_until", "next_starts_at"];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.maintenance
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        TimedWindow::new(self.clone()).map(|_| ())
    }

    fn complete(app: &App, defined: &Defined<Self>, shown: &mut Map<String, Value>) {
        // One that cannot be read was reported when it was.
        let Ok(timed) = TimedWindow::new(defined.definition.clone()) else { return };
        let now = app.clock.now();
        shown.insert("state".to_owned(), timed.state(now).as_str().into());
        if let Some((_, until)) = timed.current(now) {
            shown.insert("active_until".to_owned(), json!(until));
        }
        if let Some((from, _)) = timed.next(now) {
            shown.insert("next_starts_at".to_owned(), json!(from));
        }
    }
}
