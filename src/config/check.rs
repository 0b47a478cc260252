//! What holds between settings, beyond the type of each.

use crate::model::{Definition, anchored_regex};

use super::{AuthMode, Period, RelabelAction, RelabelConfig, ScrapeConfig, Settings};

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
    check_scrape(settings)?;
    check_otlp(settings)?;
    check_watch(settings)?;
    check_logs(settings)?;
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
    let interval = settings.rules.evaluation_interval;
    at_least("rules.evaluation_interval", interval, second)?;
    at_least("retention.raw", settings.retention.raw, Period::from_secs(3600))?;
    if settings.server.shutdown_timeout > Period::from_secs(8) {
        return Err(invalid(
            "server.shutdown_timeout",
            "is longer than 8s; a stop must end within 10 s, so use 8s or less",
        ));
    }
    let notice = settings.server.notice.as_str();
    if notice.len() > NOTICE_BYTES_MAX || notice.chars().any(char::is_control) {
        let message = format!("is to be one line of at most {NOTICE_BYTES_MAX} bytes");
        return Err(invalid("server.notice", message));
    }
    Ok(())
}

/// The longest notice, in bytes.
const NOTICE_BYTES_MAX: usize = 200;

/// A histogram of more buckets would not fit a block of samples, in the worst case.
const HISTOGRAM_BUCKETS_MOST: usize = 16_384;

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
        ("limits.histogram_buckets_max", limits.histogram_buckets_max),
        ("limits.series_max", limits.series_max),
        ("limits.queued_samples_max", limits.queued_samples_max),
        ("limits.connections_max", limits.connections_max),
        ("limits.live_clients_max", limits.live_clients_max),
    ] {
        if value == 0 {
            return Err(invalid(key, "is 0, which would refuse everything; use at least 1"));
        }
    }
    if limits.histogram_buckets_max > HISTOGRAM_BUCKETS_MOST {
        return Err(invalid(
            "limits.histogram_buckets_max",
            format!("is more than {HISTOGRAM_BUCKETS_MOST}, the most that can be stored; use less"),
        ));
    }
    Ok(())
}

/// A log line may not have more, wherever it comes from.
const LOG_LINE_BYTES_MOST: usize = 256 << 10;

/// As Prometheus has it (`OTLPConfig.UnmarshalYAML` in `config/config.go`).
fn check_otlp(settings: &Settings) -> Result<(), Invalid> {
    let otlp = &settings.otlp;
    let promotes_all = otlp.promote_all_resource_attributes;
    if promotes_all && !otlp.promote_resource_attributes.is_empty() {
        return Err(invalid(
            "otlp.promote_resource_attributes",
            "is set while otlp.promote_all_resource_attributes is true; set one of them",
        ));
    }
    if !promotes_all && !otlp.ignore_resource_attributes.is_empty() {
        return Err(invalid(
            "otlp.ignore_resource_attributes",
            "has no effect unless otlp.promote_all_resource_attributes is true; set that, or \
             remove it",
        ));
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

fn check_scrape(settings: &Settings) -> Result<(), Invalid> {
    for (index, group) in settings.scrape.iter().enumerate() {
        let key = |name: &str| format!("scrape[{index}].{name}");
        if group.job_name.is_empty() {
            return Err(invalid(&key("job_name"), "is missing; give the group a name"));
        }
        if settings.scrape[..index].iter().any(|earlier| earlier.job_name == group.job_name) {
            let message = format!("{:?} appears twice; give each group its own", group.job_name);
            return Err(invalid(&key("job_name"), message));
        }
        check_scrape_times(group, &key)?;
        if !["http", "https"].contains(&group.scheme.as_str()) {
            let message = format!("is {:?}; use \"http\" or \"https\"", group.scheme);
            return Err(invalid(&key("scheme"), message));
        }
        let lists = [
            ("relabel", &group.relabel_configs),
            ("metric_relabel", &group.metric_relabel_configs),
        ];
        for (name, steps) in lists {
            for (place, step) in steps.iter().enumerate() {
                check_relabel(step)
                    .map_err(|message| invalid(&key(&format!("{name}[{place}]")), message))?;
            }
        }
    }
    Ok(())
}

fn check_scrape_times(group: &ScrapeConfig, key: &dyn Fn(&str) -> String) -> Result<(), Invalid> {
    at_least(&key("scrape_interval"), group.scrape_interval, Period::from_secs(1))?;
    if let Some(timeout) = group.scrape_timeout {
        at_least(&key("scrape_timeout"), timeout, Period::from_millis(1))?;
        if timeout > group.scrape_interval {
            let message =
                format!("{timeout} is longer than the interval, {}", group.scrape_interval);
            return Err(invalid(&key("scrape_timeout"), message));
        }
    }
    Ok(())
}

/// What Prometheus refuses when it loads its file (`model/relabel/relabel.go`, `Validate`).
fn check_relabel(step: &RelabelConfig) -> Result<(), String> {
    if let Err(error) = anchored_regex(&step.regex) {
        return Err(format!("`regex` {:?}: {}", step.regex, error.reason));
    }
    let writes = matches!(
        step.action,
        RelabelAction::Replace
            | RelabelAction::HashMod
            | RelabelAction::Lowercase
            | RelabelAction::Uppercase
            | RelabelAction::KeepEqual
            | RelabelAction::DropEqual
    );
    if writes && step.target_label.is_empty() {
        return Err("this action needs a `target_label`".to_owned());
    }
    if step.action == RelabelAction::HashMod && step.modulus == 0 {
        return Err("hashmod needs a `modulus` above 0".to_owned());
    }
    Ok(())
}

fn check_watch(settings: &Settings) -> Result<(), Invalid> {
    let checks = &settings.checks;
    at_least("checks.every", checks.every, Period::from_secs(1))?;
    at_least("checks.timeout", checks.timeout, Period::from_millis(1))?;
    for (key, value) in
        [("checks.concurrency", checks.concurrency), ("checks.per_host", checks.per_host)]
    {
        if value == 0 {
            return Err(invalid(key, "is 0, which would ask nothing; use at least 1"));
        }
    }
    check_definitions("check", &settings.check)?;
    check_definitions("rule", &settings.rule)?;
    check_definitions("channel", &settings.channel)?;
    check_definitions("maintenance", &settings.maintenance)?;
    check_definitions("objective", &settings.objective)?;
    check_definitions("experiment", &settings.experiment)?;
    check_definitions("feature", &settings.feature)?;
    check_definitions("provider", &settings.provider)?;
    for (index, inhibition) in settings.notify.inhibit.iter().enumerate() {
        for (key, matchers) in [
            ("source_matchers", &inhibition.source_matchers),
            ("target_matchers", &inhibition.target_matchers),
        ] {
            if matchers.is_empty() {
                let key = format!("notify.inhibit[{index}].{key}");
                return Err(invalid(&key, "is empty; say which alerts are meant, or leave it out"));
            }
        }
    }
    Ok(())
}

/// What log sources need, beyond what the machine says when they are opened.
fn check_logs(settings: &Settings) -> Result<(), Invalid> {
    let logs = &settings.logs;
    at_least("logs.retention", logs.retention, Period::from_secs(3600))?;
    for (key, value) in [
        ("logs.syslog.connections_max", logs.syslog.connections_max),
        ("logs.syslog.message_bytes_max", logs.syslog.message_bytes_max),
    ] {
        if value == 0 {
            return Err(invalid(key, "is 0, which would refuse everything; use at least 1"));
        }
    }
    if logs.syslog.message_bytes_max > LOG_LINE_BYTES_MOST {
        return Err(invalid(
            "logs.syslog.message_bytes_max",
            format!("is more than {LOG_LINE_BYTES_MOST}, the most that a line may have; use less"),
        ));
    }
    let zone = &logs.syslog.zone;
    if !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err() {
        let message = format!("{zone:?} is no time zone; use a name such as \"Europe/Amsterdam\"");
        return Err(invalid("logs.syslog.zone", message));
    }
    if logs.journald.enabled && logs.journald.command.is_empty() {
        return Err(invalid("logs.journald.command", "is empty; use \"journalctl\""));
    }
    for (index, file) in logs.files.iter().enumerate() {
        let key = format!("logs.files[{index}].path");
        if !std::path::Path::new(&file.path).is_absolute() {
            let message = format!("{:?} is no absolute path; begin it with /", file.path);
            return Err(invalid(&key, message));
        }
        if logs.files[..index].iter().any(|earlier| earlier.path == file.path) {
            return Err(invalid(&key, format!("{:?} appears twice; remove one", file.path)));
        }
    }
    Ok(())
}

fn check_definitions<T: Definition>(list: &str, definitions: &[T]) -> Result<(), Invalid> {
    for (index, definition) in definitions.iter().enumerate() {
        let name = definition.name();
        if definitions[..index].iter().any(|earlier| earlier.name() == name) {
            let message = format!("{name:?} appears twice; give each {} its own name", T::NOUN);
            return Err(invalid(&format!("{list}[{index}].name"), message));
        }
        // The message begins with the field.
        definition.check().map_err(|message| invalid(&format!("{list}[{index}]"), message))?;
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

    fn scrape(text: &str) -> Result<(), Invalid> {
        let settings: Settings = toml::from_str(text).expect("well-formed");
        check(&settings)
    }

    #[test]
    fn resource_attributes_are_promoted_all_or_by_name() {
        let promoted = "promote_resource_attributes=['a']\n";
        let ignored = "ignore_resource_attributes=['a']\n";
        let all = "promote_all_resource_attributes=true\n";
        assert_eq!(scrape(&format!("[otlp]\n{promoted}")), Ok(()));
        assert_eq!(scrape(&format!("[otlp]\n{ignored}{all}")), Ok(()));
        for (text, key) in [
            (format!("[otlp]\n{promoted}{all}"), "otlp.promote_resource_attributes"),
            (format!("[otlp]\n{promoted}{ignored}"), "otlp.ignore_resource_attributes"),
        ] {
            assert_eq!(scrape(&text).expect_err(&text).key, key);
        }
    }

    #[test]
    fn a_log_source_that_cannot_work_is_refused_at_its_key() {
        let file = "[[logs.files]]\npath='/var/log/*.log'\n";
        assert_eq!(scrape(file), Ok(()));
        for (text, key) in [
            ("[logs]\nretention='1m'\n".to_owned(), "logs.retention"),
            ("[logs.syslog]\nzone='Mars/Olympus'\n".to_owned(), "logs.syslog.zone"),
            (
                "[logs.syslog]\nmessage_bytes_max='1MiB'\n".to_owned(),
                "logs.syslog.message_bytes_max",
            ),
            ("[[logs.files]]\npath='app.log'\n".to_owned(), "logs.files[0].path"),
            (format!("{file}{file}"), "logs.files[1].path"),
        ] {
            assert_eq!(scrape(&text).expect_err(&text).key, key);
        }
    }

    #[test]
    fn a_definition_that_cannot_work_is_refused_at_its_place() {
        let check = "[[check]]\nname='a'\nkind='tcp'\ntarget='x:1'\n";
        assert_eq!(scrape(check), Ok(()));
        for (text, key) in [
            (format!("{check}{check}"), "check[1].name"),
            (format!("{check}every='5m'\ncron='* * * * *'\n"), "check[0]"),
            ("[[rule]]\nname='a'\n".to_owned(), "rule[0]"),
            ("[checks]\nconcurrency=0\n".to_owned(), "checks.concurrency"),
        ] {
            assert_eq!(scrape(&text).expect_err(&text).key, key);
        }
    }

    #[test]
    fn a_scrape_group_that_cannot_work_is_refused_at_its_key() {
        for (text, key) in [
            ("[[scrape]]\n", "scrape[0].job_name"),
            ("[[scrape]]\njob_name='a'\n[[scrape]]\njob_name='a'\n", "scrape[1].job_name"),
            ("[[scrape]]\njob_name='a'\nscrape_interval='10ms'\n", "scrape[0].scrape_interval"),
            (
                "[[scrape]]\njob_name='a'\nscrape_interval=5\nscrape_timeout=6\n",
                "scrape[0].scrape_timeout",
            ),
            ("[[scrape]]\njob_name='a'\nscheme='ftp'\n", "scrape[0].scheme"),
            (
                "[[scrape]]\njob_name='a'\n[[scrape.relabel]]\nregex='('\ntarget_label='b'\n",
                "scrape[0].relabel[0]",
            ),
        ] {
            assert_eq!(scrape(text).expect_err(text).key, key);
        }
        assert_eq!(scrape("[[scrape]]\njob_name='a'\nscrape_interval='30s'\n"), Ok(()));
    }
}
