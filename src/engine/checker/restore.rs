//! How checks were when we last looked.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Pipeline;
use crate::engine::history::{self, History};
use crate::engine::watch::Catalog;
use crate::model::{Name, Timestamp};
use crate::store::{
    DocumentKind, Store, StoreError, Table, decode_document, document_key, documents,
};

use super::actor::LAST_RAN;
use super::ledger::{Known, Ledger};
use super::metrics::Measured;
use super::state::CheckState;

/// What the file says.
pub(super) struct Restored {
    pub(super) ledger: Ledger,
    /// When checks were last run; `None` in a new file.
    pub(super) last_ran: Option<Timestamp>,
}

/// Reads all states. One that cannot be read is reported and begins anew.
pub(super) fn restore(
    pipeline: &Pipeline,
    catalog: &Catalog,
    history: &History,
) -> Result<Restored, String> {
    let store = pipeline.tsdb().store();
    // What is packed is found without looking through everything.
    loop {
        match history.pack(store) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "results of checks were not packed; it is tried again later");
                break;
            }
        }
    }
    let read = store.again(|| read(store, catalog));
    read.map_err(|error| format!("cannot read the states of checks: {error}"))
}

fn read(store: &Store, catalog: &Catalog) -> Result<Restored, StoreError> {
    let snapshot = store.read()?;
    let definitions = catalog.checks.list();
    let mut known = BTreeMap::new();
    let kind = DocumentKind::CheckState;
    let states = documents::<CheckState>(&snapshot, Table::Watch, kind, "the state of a check")?;
    for (name, state) in states {
        let Ok(name) = Name::new(name) else { continue };
        // One without a definition was removed while we were down: it is ended like any other.
        let definition = match definitions.get(&name) {
            Some(defined) => defined.definition.clone(),
            None => super::examine::placeholder(name.clone()),
        };
        let definition = Arc::new(definition);
        let last = match history::last_result(&snapshot, &name) {
            Ok(last) => last,
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::warn!(%error, check = %name, "the last result of a check cannot be read");
                None
            }
            Err(error) => return Err(error),
        };
        let last = last.map(|result| Arc::new(Measured::new(result, None)));
        known.insert(name, Known { definition, state, last, excerpt: String::new() });
    }
    let last_ran =
        match snapshot.get(Table::Watch, document_key(DocumentKind::Figure, LAST_RAN).as_bytes()) {
            Ok(Some(value)) => decode_document(value.payload()).ok(),
            Ok(None) => None,
            Err(error) => return Err(error),
        };
    // That is written now and then; whatever was found or decided after it was seen too.
    let seen = known.values().flat_map(|known: &Known| {
        let last = known.last.as_ref().map(|last| last.result.at);
        last.into_iter().chain([known.state.since()])
    });
    let last_ran = last_ran.map(|noted: Timestamp| seen.fold(noted, Timestamp::max));
    Ok(Restored { ledger: Ledger::new(known), last_ran })
}
