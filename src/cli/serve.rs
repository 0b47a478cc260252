//! `vedette` and `vedette serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::{Flags, Inputs, LogFormat};
use crate::daemon;

use super::Outcome;

/// Arguments of the daemon.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ServeArgs {
    /// The settings file; without it, config.toml in $CONFIGURATION_DIRECTORY if there is one
    #[arg(long, env = "VEDETTE_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Listen here instead of where the settings say
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Keep the database in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The form of log lines: text or json
    #[arg(long, value_name = "FORMAT")]
    pub(super) log: Option<LogFormat>,
    /// Serve the dashboard from this directory instead of from the binary, to work on it
    #[arg(long, value_name = "DIR")]
    pub(super) ui_dir: Option<PathBuf>,
}

impl ServeArgs {
    /// Where the settings come from, the environment included.
    pub(super) fn inputs(self) -> Inputs {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = self.config.or_else(|| {
            let (_, directories) =
                environment.iter().find(|(name, _)| name == "CONFIGURATION_DIRECTORY")?;
            let file = PathBuf::from(directories.split(':').next()?).join("config.toml");
            file.exists().then_some(file)
        });
        let flags = Flags {
            listen: self.listen,
            data_dir: self.data_dir,
            log: self.log,
            ui_dir: self.ui_dir,
        };
        Inputs { file, environment, flags }
    }
}

pub(super) fn run(args: ServeArgs) -> Outcome {
    daemon::run(args.inputs())?;
    Ok(())
}
