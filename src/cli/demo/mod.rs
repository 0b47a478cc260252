//! `vedette demo`: an instance of its own with sample data, to look around in.
//!
//! The past is written by the engine itself before the daemon starts; from then on everything
//! comes in over HTTP, as it does for anybody. The database is in a directory that is removed at
//! the end. Start reading at [`run`], then `past.rs` and `live.rs`; `company.rs` is what the data
//! are about.

mod checked;
mod company;
mod definitions;
mod dice;
mod episodes;
mod live;
mod past;
mod place;
mod series;
mod services;
mod talk;
mod tried;

use std::net::SocketAddr;
use std::sync::mpsc;

use anyhow::Context as _;
use clap::Args;

use super::client::Client;
use super::{Outcome, Remote, block_on};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Flags, Inputs};
use crate::daemon;
use crate::model::{format_duration_ms, parse_duration_ms};

use past::Story;
use place::Place;

/// What the page and the banner say of it.
const NOTICE: &str = "Demo: all data are samples of a made-up company, and are gone when it ends";

/// Arguments of the demo.
#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// Listen here, on loopback: nobody needs a token
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9077")]
    listen: SocketAddr,
    /// The same number gives the same sample data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many times as busy the company is
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed: f64,
    /// How much of the past there is: 1d to 14d
    #[arg(long, value_name = "PERIOD", default_value = "14d", value_parser = parse_duration_ms)]
    history: i64,
}

const DAY_MS: i64 = 86_400_000;

/// Runs until a signal ends it.
pub(super) fn run(args: &DemoArgs) -> Outcome {
    anyhow::ensure!((0.01..=100.0).contains(&args.speed), "--speed: from 0.01 to 100");
    let history_ms = args.history;
    anyhow::ensure!((DAY_MS..=14 * DAY_MS).contains(&history_ms), "--history: from 1d to 14d");
    let loopback = args.listen.ip().is_loopback();
    anyhow::ensure!(
        loopback,
        "--listen: only on loopback, as whoever reaches it may do everything"
    );
    let place = Place::create()?;
    let services = std::net::TcpListener::bind("127.0.0.1:0").context("the made-up services")?;
    services.set_nonblocking(true)?;
    let port = services.local_addr()?.port();
    let story = Story { seed: args.seed, history_ms, now: SystemClock.now(), services: port };
    let path = place.path();
    eprintln!("writing sample data of {} to {} …", format_duration_ms(history_ms), path.display());
    block_on(async {
        tokio::select! {
            written = past::write(place.path(), &story) => written,
            () = asked_to_stop() => Err(anyhow::anyhow!("stopped before it began")),
        }
    })?;
    let settings = place.path().join("config.toml");
    std::fs::write(&settings, SETTINGS.replace("{notice}", NOTICE))?;
    let flags = Flags {
        listen: Some(args.listen),
        data_dir: Some(place.path().to_owned()),
        ..Flags::default()
    };
    // The environment of whoever runs it is not the demo's.
    let inputs = Inputs { file: Some(settings), environment: Vec::new(), flags };
    let (ready, told) = mpsc::channel();
    let speed = args.speed;
    std::thread::Builder::new().name("demo".to_owned()).spawn(move || {
        let lived = block_on(async move {
            tokio::spawn(services::serve(tokio::net::TcpListener::from_std(services)?));
            let Ok(address) = tokio::task::spawn_blocking(move || told.recv()).await? else {
                // It ended before it was ready, and says why.
                return Ok(());
            };
            live(address, &story, speed).await
        });
        if let Err(error) = lived {
            eprintln!("error: the sample data stop here: {error:#}");
        }
    })?;
    daemon::run_and_tell(inputs, ready)?;
    Ok(())
}

async fn live(address: SocketAddr, story: &Story, speed: f64) -> anyhow::Result<()> {
    let url = format!("http://{}", daemon::reachable(address));
    let client = Client::new(&Remote { url: url.clone(), token: None })?;
    live::begin(&client, story).await?;
    println!("  {NOTICE}.\n  Look at {url}/ui/ ; end it with Ctrl-C.\n");
    live::go_on(&client, story, speed).await;
    Ok(())
}

/// Settings of the demo: nothing of this machine, and no waiting.
const SETTINGS: &str = "\
[server]
notice = \"{notice}\"

[log]
level = \"warn\"

[collect.host]
enabled = false

[defaults]
enabled = false

[storage]
free_bytes_min = \"1MiB\"
";

/// Whoever stops it while the past is being written leaves nothing behind either.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
