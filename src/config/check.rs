//! What holds between settings, beyond the type of each.

use super::{AuthMode, Period, Settings};

/// A setting that cannot be used: the dotted key, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) key: String,
    pub(super) message: String,
}

fn invalid(key: &str, message: impl Into<String>) -> Invalid {
    Invalid { key: key.to_owned(), message: message.into() }
}

/// Checks everything that can be checked without touching the machine.
pub(super) fn check(settings: &Settings) -> Result<(), Invalid> {
    check_tls(settings)?;
    check_periods(settings)?;
    check_counts(settings)?;
    check_tokens(settings)?;
    if settings.storage.path.as_os_str().is_empty() {
        return Err(invalid("storage.path", "is empty; name a directory"));
    }
    if settings.log.level.trim().is_empty() {
        return Err(invalid("log.level", "is empty; use error, warn, info, debug or trace"));
    }
    Ok(())
}

fn check_tls(settings: &Settings) -> Result<(), Invalid> {
    let cert = !settings.tls.cert.as_os_str().is_empty();
    let key = !settings.tls.key.as_os_str().is_empty();
    match (cert, key) {
        (true, false) => {
            Err(invalid("tls.key", "is missing while tls.cert is set; set both or neither"))
        }
        (false, true) => {
            Err(invalid("tls.cert", "is missing while tls.key is set; set both or neither"))
        }
        _ => Ok(()),
    }
}

fn at_least(key: &str, value: Period, floor: Period) -> Result<(), Invalid> {
    if value < floor {
        return Err(invalid(key, format!("{value} is too short; use at least {floor}")));
    }
    Ok(())
}

fn check_periods(settings: &Settings) -> Result<(), Invalid> {
    let second = Period::from_secs(1);
    at_least("collect.host.interval", settings.collect.host.interval, second)?;
    at_least("collect.own.interval", settings.collect.own.interval, second)?;
    at_least("server.header_timeout", settings.server.header_timeout, second)?;
    at_least("server.body_timeout", settings.server.body_timeout, second)?;
    at_least("query.timeout", settings.query.timeout, Period::from_millis(1))?;
    at_least("query.lookback_delta", settings.query.lookback_delta, Period::from_millis(1))?;
    at_least("storage.flush_interval", settings.storage.flush_interval, second)?;
    at_least("retention.raw", settings.retention.raw, Period::from_secs(3600))?;
    if settings.server.shutdown_timeout > Period::from_secs(8) {
        return Err(invalid(
            "server.shutdown_timeout",
            "is longer than 8s; a stop must end within 10 s, so use 8s or less",
        ));
    }
    Ok(())
}

fn check_counts(settings: &Settings) -> Result<(), Invalid> {
    let limits = &settings.limits;
    for (key, value) in [
        ("query.max_samples", settings.query.max_samples),
        ("query.max_points", settings.query.max_points),
        ("query.concurrency", settings.query.concurrency),
        ("limits.body_bytes_max", limits.body_bytes_max),
        ("limits.inflated_bytes_max", limits.inflated_bytes_max),
        ("limits.labels_max", limits.labels_max),
        ("limits.label_name_bytes_max", limits.label_name_bytes_max),
        ("limits.label_value_bytes_max", limits.label_value_bytes_max),
        ("limits.series_max", limits.series_max),
        ("limits.queued_samples_max", limits.queued_samples_max),
        ("limits.connections_max", limits.connections_max),
    ] {
        if value == 0 {
            return Err(invalid(key, "is 0, which would refuse everything; use at least 1"));
        }
    }
    Ok(())
}

fn check_tokens(settings: &Settings) -> Result<(), Invalid> {
    let auth = &settings.auth;
    for (index, token) in auth.tokens.iter().enumerate() {
        if token.name.is_empty() {
            return Err(invalid(
                &format!("auth.tokens[{index}].name"),
                "is empty; say whose it is",
            ));
        }
        if auth.tokens[..index].iter().any(|earlier| earlier.name == token.name) {
            return Err(invalid(
                &format!("auth.tokens[{index}].name"),
                format!("{:?} appears twice; give each token its own name", token.name),
            ));
        }
    }
    if auth.mode == AuthMode::None && !auth.tokens.is_empty() {
        return Err(invalid(
            "auth.mode",
            "is \"none\" while tokens are set, which would leave them without effect; \
             use \"token\", or remove auth.tokens",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(check(&Settings::default()), Ok(()));
    }

    #[test]
    fn half_a_tls_pair_is_refused() {
        let mut settings = Settings::default();
        settings.tls.cert = "cert.pem".into();
        assert_eq!(check(&settings).expect_err("half").key, "tls.key");
    }

    #[test]
    fn tokens_without_effect_are_refused() {
        let mut settings = Settings::default();
        settings.auth.mode = AuthMode::None;
        settings.auth.tokens.push(super::super::FileToken {
            name: "a".to_owned(),
            role: super::super::Role::Viewer,
            hash: super::super::TokenHash::of("x"),
        });
        assert_eq!(check(&settings).expect_err("no effect").key, "auth.mode");
    }
}
