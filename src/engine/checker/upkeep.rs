//! Packs and expires what the history keeps, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::history::History;
use crate::tsdb::Tsdb;

/// How often rows are packed. Whoever reads looks through those that are not.
const PACK_EVERY: Duration = Duration::from_secs(60);
/// Rounds between two looks for what is too old.
const EXPIRE_EVERY: u32 = 60;

/// Works until it is aborted; between two slices, each of which is one transaction.
pub(super) async fn keep_up(history: Arc<History>, tsdb: Arc<Tsdb>, clock: Arc<dyn Clock>) {
    let mut failing = false;
    let mut round: u32 = 0;
    loop {
        tokio::time::sleep(PACK_EVERY).await;
        let expires = round.is_multiple_of(EXPIRE_EVERY);
        round = round.wrapping_add(1);
        let mut more = true;
        while more {
            let (history, tsdb) = (Arc::clone(&history), Arc::clone(&tsdb));
            let now = clock.now();
            let slice = tokio::task::spawn_blocking(move || {
                let packs = history.pack(tsdb.store())?;
                let goes_on = expires && history.expire(tsdb.store(), now)?;
                Ok::<bool, crate::store::StoreError>(packs || goes_on)
            });
            more = match slice.await {
                Ok(Ok(more)) => {
                    failing = false;
                    more
                }
                Ok(Err(error)) => {
                    if !failing {
                        tracing::error!(%error, "the history of checks is not kept up; tried again");
                    }
                    failing = true;
                    false
                }
                Err(_) => false,
            };
        }
    }
}
