//! Puts the settings together: defaults, then the file, then the environment, then flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::DeTable;
use toml::{Table, Value};

use super::check::check;
use super::overlay::{KeyPath, known_keys, read_variable, set, variable_of};
use super::place::{key_at, line_and_column, nearest, offset_of};
use super::{LogFormat, Settings};

/// Why settings cannot be used. Nothing of a bad file takes effect.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}; check the path and its permissions")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// A place in the file.
    #[error("{path}:{line}:{column}: {message}")]
    File {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The key, what is wrong, and the mend.
        message: String,
    },
    /// An environment variable.
    #[error("environment variable {name}: {message}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong, and the mend.
        message: String,
    },
    /// A combination for which neither file nor environment gives a place.
    #[error("{0}")]
    Combination(String),
}

/// Settings from the command line: they win over everything else, also after a reload.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--log`
    pub log: Option<LogFormat>,
    /// `--ui-dir`: where the dashboard is developed. No setting, as it is of no use in service.
    pub ui_dir: Option<PathBuf>,
}

/// Where settings come from; kept so that a reload can ask again.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment as it was at start: a process's environment does not change on reload.
    pub environment: Vec<(String, String)>,
    /// The command line.
    pub flags: Flags,
}

impl Inputs {
    /// A file alone, without environment and flags: for `check-config`.
    pub fn of_file(path: &Path) -> Self {
        Inputs { file: Some(path.to_owned()), ..Inputs::default() }
    }

    /// Reads, merges and checks everything.
    pub fn load(&self) -> Result<Settings, ConfigError> {
        let (name, text) = match &self.file {
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
                    path: name.clone(),
                    reason: error.to_string(),
                })?;
                (name, text)
            }
            None => (String::new(), String::new()),
        };
        self.load_text(&name, &text)
    }

    fn load_text(&self, name: &str, text: &str) -> Result<Settings, ConfigError> {
        let file = File::parse(name, text)?;
        let mut settings = file.settings()?;
        let overrides = self.overrides()?;
        if !overrides.is_empty() {
            let mut table: Table = text.parse().map_err(|error| file.error(&error))?;
            for (path, value) in &overrides {
                set(&mut table, path, value.clone());
            }
            settings = Settings::deserialize(table)
                .map_err(|error| ConfigError::Combination(error.message().to_owned()))?;
        }
        let path_given = file.has("storage.path")
            || overrides.iter().any(|(path, _)| path.join(".") == "storage.path");
        if !path_given && let Some(directory) = self.state_directory() {
            settings.storage.path = directory;
        }
        check(&settings).map_err(|invalid| {
            let message = format!("`{}`: {}", invalid.key, invalid.message);
            match overrides.iter().find(|(path, _)| path.join(".") == invalid.key) {
                Some((path, _)) => ConfigError::Variable { name: variable_of(path), message },
                None => file.error_at_key(&invalid.key, message),
            }
        })?;
        self.resolve_rule_files(&mut settings);
        self.apply_flags(&mut settings);
        Ok(settings)
    }

    /// What the environment sets, each value checked alone so that an error names its variable.
    fn overrides(&self) -> Result<Vec<(KeyPath, Value)>, ConfigError> {
        let keys = known_keys();
        let mut overrides = Vec::new();
        for (name, text) in &self.environment {
            let Some(read) = read_variable(&keys, name, text) else { continue };
            let refused = |message: String| ConfigError::Variable { name: name.clone(), message };
            let (path, value) = read.map_err(refused)?;
            let mut alone = Table::new();
            set(&mut alone, &path, value.clone());
            Settings::deserialize(alone)
                .map_err(|error| refused(format!("`{}`: {}", path.join("."), error.message())))?;
            overrides.push((path, value));
        }
        Ok(overrides)
    }

    /// `$STATE_DIRECTORY`, as systemd sets it for `StateDirectory=`; of several the first.
    fn state_directory(&self) -> Option<PathBuf> {
        let (_, value) = self.environment.iter().find(|(name, _)| name == "STATE_DIRECTORY")?;
        value.split(':').next().filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Names of rule files are relative to the settings file, as in Prometheus.
    fn resolve_rule_files(&self, settings: &mut Settings) {
        let directory = self.file.as_deref().and_then(Path::parent);
        let Some(directory) = directory.filter(|path| !path.as_os_str().is_empty()) else { return };
        for file in &mut settings.rules.files {
            *file = directory.join(&file).display().to_string();
        }
    }

    fn apply_flags(&self, settings: &mut Settings) {
        let Flags { listen, data_dir, log, ui_dir: _ } = self.flags.clone();
        if let Some(listen) = listen {
            settings.server.listen = listen;
        }
        if let Some(data_dir) = data_dir {
            settings.storage.path = data_dir;
        }
        if let Some(log) = log {
            settings.log.format = log;
        }
    }
}

/// A file's text and its tree with places.
struct File<'t> {
    name: &'t str,
    text: &'t str,
    tree: DeTable<'t>,
}

impl<'t> File<'t> {
    fn parse(name: &'t str, text: &'t str) -> Result<Self, ConfigError> {
        match DeTable::parse(text) {
            Ok(tree) => Ok(File { name, text, tree: tree.into_inner() }),
            Err(error) => Err(File { name, text, tree: DeTable::new() }.error(&error)),
        }
    }

    fn settings(&self) -> Result<Settings, ConfigError> {
        toml::from_str(self.text).map_err(|error| self.error(&error))
    }

    fn has(&self, key: &str) -> bool {
        offset_of(&self.tree, key).is_some_and(|offset| key_at(&self.tree, offset) == key)
    }

    fn error(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let key = key_at(&self.tree, offset);
        self.at(offset, mend(&key, error.message()))
    }

    fn error_at_key(&self, key: &str, message: String) -> ConfigError {
        match offset_of(&self.tree, key) {
            Some(offset) => self.at(offset, message),
            None => ConfigError::Combination(message),
        }
    }

    fn at(&self, offset: usize, message: String) -> ConfigError {
        let (line, column) = line_and_column(self.text, offset);
        ConfigError::File { path: self.name.to_owned(), line, column, message }
    }
}

/// Says a deserialiser's message in terms of keys.
fn mend(key: &str, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((unknown, expected)) = rest.split_once('`')
    {
        let known: Vec<&str> =
            expected.split('`').skip(1).step_by(2).filter(|name| !name.is_empty()).collect();
        let mend = match nearest(unknown, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        return format!("unknown key `{key}`; {mend}");
    }
    let message = message.replace("missing field", "missing key").trim().replace('\n', ", ");
    if key.is_empty() { message } else { format!("`{key}`: {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AuthMode, ByteSize, Period};

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let environment =
            environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Inputs { environment, ..Inputs::default() }
            .load_text("config.toml", text)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn no_file_at_all_gives_the_defaults() {
        assert_eq!(load("", &[]), Ok(Settings::default()));
    }

    #[test]
    fn a_key_is_read_in_each_of_its_forms() {
        let settings = load(
            "[query]\ntimeout = 30\nlookback_delta = '1m'\n[storage]\ncache = '8MiB'\n\
             [limits]\nbody_bytes_max = '1MiB'\n[collect.host]\nenabled = false\n",
            &[],
        )
        .expect("valid");
        assert_eq!(settings.query.timeout, Period::from_secs(30));
        assert_eq!(settings.query.lookback_delta, Period::from_secs(60));
        assert_eq!(settings.storage.cache, ByteSize::from_mebibytes(8));
        assert_eq!(settings.limits.body_bytes_max, 1 << 20);
        assert!(!settings.collect.host.enabled);
        assert!(settings.collect.own.enabled);
    }

    #[test]
    fn an_error_names_the_key_the_line_and_the_mend() {
        for (text, expected) in [
            (
                "# a comment\n[retention]\n  rwa = \"15d\"\n",
                "config.toml:3:3: unknown key `retention.rwa`; did you mean `raw`?",
            ),
            (
                "[retentoin]\nraw = \"15d\"\n",
                "config.toml:1:2: unknown key `retentoin`; did you mean `retention`?",
            ),
            (
                "[query]\ntimeout = \"soon\"\n",
                "config.toml:2:11: `query.timeout`: \"soon\" is not a duration; write seconds (15) \
                 or a text such as \"5m\", \"1h30m\"",
            ),
            (
                "[collect.own]\nenabled = 3\n",
                "config.toml:2:11: `collect.own.enabled`: invalid type: integer `3`, expected a boolean",
            ),
            (
                "[auth]\nmode = 'open'\n",
                "config.toml:2:8: `auth.mode`: unknown variant `open`, expected one of `auto`, `token`, `none`",
            ),
            (
                "[[auth.tokens]]\nname = 'a'\nrole = 'viewer'\n",
                "config.toml:1:1: `auth.tokens[0]`: missing key `hash`",
            ),
            (
                "\n[tls]\ncert = 'c.pem'\n",
                "config.toml:2:2: `tls.key`: is missing while tls.cert is set; set both or neither",
            ),
            ("[server\n", "config.toml:1:8: unclosed table, expected `]`"),
        ] {
            assert_eq!(load(text, &[]).expect_err(text), expected);
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = load(
            "[query]\ntimeout = 30\nmax_samples = 5\n[auth]\nmode = 'token'\n",
            &[
                ("VEDETTE_QUERY_TIMEOUT", "2m"),
                ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
                ("VEDETTE_LIMITS_BODY_BYTES_MAX", "4MiB"),
                ("VEDETTE_SERVER_ALLOWED_HOSTS", "a.example, b.example"),
                ("HOME", "/root"),
            ],
        )
        .expect("valid");
        assert_eq!(settings.query.timeout, Period::from_secs(120));
        assert_eq!(settings.query.max_samples, 5);
        assert_eq!(settings.auth.mode, AuthMode::Token);
        assert!(!settings.collect.host.enabled);
        assert_eq!(settings.limits.body_bytes_max, 4 << 20);
        assert_eq!(settings.server.allowed_hosts, ["a.example", "b.example"]);
    }

    #[test]
    fn an_error_in_the_environment_names_the_variable() {
        for (name, value) in [
            ("VEDETTE_QUERY_TIMEOUT", "soon"),
            ("VEDETTE_COLLECT_HOST_ENABLED", "maybe"),
            ("VEDETTE_QUERY_MAX_SAMPLES", "many"),
            ("VEDETTE_QUERY_MAX_SAMPLES", "0"),
        ] {
            let error = load("", &[(name, value)]).expect_err(name);
            assert!(error.starts_with(&format!("environment variable {name}: ")), "{error}");
        }
    }

    #[test]
    fn the_state_directory_of_systemd_holds_the_data_unless_a_path_is_set() {
        let systemd = ("STATE_DIRECTORY", "/var/lib/vedette:/var/lib/other");
        let path = |text, environment: &[(&str, &str)]| {
            load(text, environment).expect("valid").storage.path
        };
        assert_eq!(path("", &[systemd]), Path::new("/var/lib/vedette"));
        assert_eq!(path("[storage]\npath = '/srv'\n", &[systemd]), Path::new("/srv"));
        assert_eq!(path("", &[systemd, ("VEDETTE_STORAGE_PATH", "/srv")]), Path::new("/srv"));
        assert_eq!(path("[storage]\ncache = 1\n", &[systemd]), Path::new("/var/lib/vedette"));
    }

    #[test]
    fn a_flag_wins_over_everything() {
        let inputs = Inputs {
            environment: vec![("VEDETTE_SERVER_LISTEN".to_owned(), "127.0.0.1:1".to_owned())],
            flags: Flags { listen: "127.0.0.1:2".parse().ok(), ..Flags::default() },
            ..Inputs::default()
        };
        let settings = inputs.load_text("", "[server]\nlisten = '127.0.0.1:3'\n").expect("valid");
        assert_eq!(settings.server.listen.port(), 2);
    }

    #[test]
    fn what_is_shown_of_the_settings_reads_back_and_hides_secrets() {
        let hash = "a".repeat(64);
        let text = format!("[[auth.tokens]]\nname='a'\nrole='viewer'\nhash='sha256:{hash}'\n");
        let settings = load(&text, &[]).expect("valid");
        assert!(!settings.to_public_toml().contains(&hash));
        let defaults = Settings::default();
        assert_eq!(load(&defaults.to_public_toml(), &[]), Ok(defaults));
    }
}
