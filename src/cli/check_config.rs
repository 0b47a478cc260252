//! `vedette check-config`.

use std::path::PathBuf;

use clap::Args;

use crate::api::load_tls;
use crate::collect::scrape::Plan;
use crate::config::Inputs;
use crate::engine::outbox::check_channels;
use crate::engine::ruler::read_rule_files;

use super::Outcome;

/// Arguments of `check-config`.
#[derive(Args, Debug)]
pub(super) struct CheckConfigArgs {
    /// The file to check
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &CheckConfigArgs) -> Outcome {
    let settings = Inputs::of_file(&args.file).load()?;
    // A file may be well-formed and still name a certificate or relabelling that cannot be used.
    load_tls(&settings.tls).map_err(anyhow::Error::msg)?;
    Plan::new(&settings.scrape, &settings.limits)?;
    read_rule_files(&settings.rules.files).map_err(anyhow::Error::msg)?;
    check_channels(&settings).map_err(anyhow::Error::msg)?;
    println!("{} is valid", args.file.display());
    Ok(())
}
