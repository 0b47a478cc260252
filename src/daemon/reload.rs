//! Takes up changed settings: all of them or none.

use std::sync::Arc;

use crate::api::{App, Gate, load_tls};
use crate::collect::scrape::Plan;
use crate::config::{Inputs, Settings};
use crate::engine::Pipeline;
use crate::engine::checker::examine_file;
use crate::engine::outbox::check_channels;
use crate::engine::ruler::read_rule_files;
use crate::rules::RuleFile;

use super::logging::{LogLevel, read_level};
use super::open::engine_policy;

/// What the loops need to know of changed settings.
pub(super) struct Reloaded {
    pub(super) settings: Arc<Settings>,
    pub(super) plan: Plan,
    pub(super) rules: Vec<RuleFile>,
}

/// Reads the settings again. Whatever can fail is tried before anything is changed. Gives what
/// the loops need to know.
pub(super) fn reload(
    inputs: &Inputs,
    app: &Arc<App>,
    pipeline: &Pipeline,
    log_level: &LogLevel,
) -> Result<Reloaded, String> {
    let settings = inputs.load().map_err(|error| error.to_string())?;
    let tls = load_tls(&settings.tls)?;
    let filter = read_level(&settings.log)?;
    let plan = Plan::new(&settings.scrape, &settings.limits).map_err(|e| e.to_string())?;
    let rules = read_rule_files(&settings.rules.files)?;
    check_channels(&settings)?;
    examine_file(&settings)?;
    super::start::check_rules(&settings)?;
    super::trials::check_experiments(&settings)?;
    let stored = crate::api::tokens::list(pipeline.tsdb().store()).map_err(|e| e.to_string())?;
    let loopback = app.address.ip().is_loopback();
    if Gate::new(&settings.auth, &stored, loopback).refuses_to_listen() {
        return Err(super::start::needs_token(app.address));
    }
    let before = app.settings.load_full();
    for key in needs_restart(&before, &settings) {
        tracing::warn!(key, "a changed setting takes effect only after a restart");
    }
    app.tls.store(tls);
    log_level.set(filter);
    pipeline.set_policy(engine_policy(&settings));
    app.take_up(settings)?;
    Ok(Reloaded { settings: app.settings.load_full(), plan, rules })
}

/// Changed keys that the running daemon cannot take up.
fn needs_restart(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let changed = [
        ("server.listen", before.server.listen != after.server.listen),
        ("server.header_timeout", before.server.header_timeout != after.server.header_timeout),
        (
            "server.shutdown_timeout",
            before.server.shutdown_timeout != after.server.shutdown_timeout,
        ),
        ("storage.path", before.storage.path != after.storage.path),
        ("storage.cache", before.storage.cache != after.storage.cache),
        ("limits.connections_max", before.limits.connections_max != after.limits.connections_max),
        ("limits.metadata_max", before.limits.metadata_max != after.limits.metadata_max),
        ("limits.exemplars_max", before.limits.exemplars_max != after.limits.exemplars_max),
        ("log.format", before.log.format != after.log.format),
    ];
    changed.iter().filter(|(_, changed)| *changed).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_need_a_restart_are_named() {
        let before = Settings::default();
        let mut after = before.clone();
        assert!(needs_restart(&before, &after).is_empty());
        after.server.listen = "127.0.0.1:1".parse().expect("an address");
        after.query.concurrency = 1;
        assert_eq!(needs_restart(&before, &after), ["server.listen"]);
    }
}
