//! The command line.
//!
//! Owns: arguments, help, tables, progress bars and exit codes. Never: what a command does; the
//! rooms below do it. Start reading at [`run`].

mod backtest;
mod check_config;
mod client;
mod demo;
mod progress;
mod query;
mod query_table;
mod rules;
mod serve;
mod storage;
mod token;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// What a command gives: an error is printed and makes the exit code 1.
type Outcome = anyhow::Result<()>;

/// Watches a machine, a site or a small fleet, and keeps what it sees in one file.
///
/// Without a command it serves: it collects this machine's metrics and answers Prometheus's HTTP
/// API on http://127.0.0.1:9077.
#[derive(Debug, Parser)]
#[command(name = "vedette", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (also what happens without a command)
    Serve(serve::ServeArgs),
    /// Run a daemon of its own with sample data of a made-up company, to look around in
    Demo(demo::DemoArgs),
    /// Check a settings file and say what is wrong with it
    CheckConfig(check_config::CheckConfigArgs),
    /// Ask a running daemon a PromQL query
    Query(query::QueryArgs),
    /// Check rule files and run their tests
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Make, list and revoke access tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Copy the database to a new file, also while the daemon runs
    Backup(storage::BackupArgs),
    /// Read the whole database and check every value (the daemon must be stopped)
    Verify(storage::DatabaseArgs),
    /// Pack everything into blocks, merge them, and give free pages back to the file system (the daemon must be stopped)
    Compact(storage::DatabaseArgs),
    /// Recover what is intact in a damaged database into a new one
    Salvage(storage::SalvageArgs),
    /// Print the HTTP API's description, an OpenAPI document
    Openapi,
}

/// Where a running daemon is.
#[derive(Args, Clone, Debug)]
struct Remote {
    /// The daemon's address
    #[arg(long, env = "VEDETTE_URL", default_value = "http://127.0.0.1:9077", value_name = "URL")]
    url: String,
    /// An access token, where the daemon asks for one
    #[arg(long, env = "VEDETTE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

/// Reads the arguments of this process, does what they say, and gives the exit code.
pub fn run() -> ExitCode {
    // Fails only if one is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Demo(args)) => demo::run(&args),
        Some(Command::CheckConfig(args)) => check_config::run(&args),
        Some(Command::Query(args)) => query::run(&args),
        Some(Command::Rules(command)) => rules::run(command),
        Some(Command::Token(command)) => token::run(command),
        Some(Command::Backup(args)) => storage::backup(args),
        Some(Command::Verify(args)) => storage::verify(args),
        Some(Command::Compact(args)) => storage::compact(args),
        Some(Command::Salvage(args)) => storage::salvage(&args),
        Some(Command::Openapi) => openapi(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the description of the API, which needs no daemon.
fn openapi() -> anyhow::Result<()> {
    use std::io::Write as _;
    // A pipe that is closed early, as by `head`, is an error and no panic.
    writeln!(std::io::stdout(), "{:#}", crate::api::openapi_document())?;
    Ok(())
}

/// A runtime for one command's requests.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_serve_with_its_arguments() {
        let cli = Cli::try_parse_from(["vedette", "--listen", "127.0.0.1:1"]).expect("valid");
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.listen.map(|listen| listen.port()), Some(1));
    }
}
