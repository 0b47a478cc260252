//! `vedette token`: in the database itself, or through the daemon that holds it.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::api::tokens;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Role;
use crate::store::Store;

use super::client::{Client, encode};
use super::storage::{DatabaseArgs, Opened, open};
use super::{Outcome, Remote, block_on};

/// The subcommands of `token`.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and show it, this once
    Create(CreateArgs),
    /// List tokens, without the tokens themselves
    List(ListArgs),
    /// Make a token invalid
    Revoke(RevokeArgs),
}

/// Where tokens are.
#[derive(Args, Debug)]
pub(super) struct Place {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `token create`.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// What it may do: admin, operator, writer or viewer
    #[arg(long)]
    role: Role,
    /// Whose it is
    #[arg(long)]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `token list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// Arguments of `token revoke`.
#[derive(Args, Debug)]
pub(super) struct RevokeArgs {
    /// Its name
    #[arg(long)]
    name: String,
    #[command(flatten)]
    place: Place,
}

impl Place {
    /// The database, or `None` while a daemon holds it.
    fn store(&self) -> anyhow::Result<Option<Box<Store>>> {
        match open(&self.database)? {
            Opened::Ours(store) => Ok(Some(store)),
            Opened::Held => Ok(None),
        }
    }
}

pub(super) fn run(command: TokenCommand) -> Outcome {
    match command {
        TokenCommand::Create(args) => create(&args),
        TokenCommand::List(args) => list(&args),
        TokenCommand::Revoke(args) => revoke(&args),
    }
}

fn create(args: &CreateArgs) -> Outcome {
    let token = match args.place.store()? {
        Some(store) => tokens::create(&store, &args.name, args.role, SystemClock.now())?,
        None => {
            let body = json!({"name": args.name, "role": args.role});
            let data = block_on(async {
                Client::new(&args.place.remote)?
                    .send_json(false, "/api/v1/admin/tokens", &body)
                    .await
            })?;
            data["token"].as_str().unwrap_or_default().to_owned()
        }
    };
    println!("{token}");
    eprintln!("This is the token of {:?} ({}). It is shown only now.", args.name, args.role);
    eprintln!(
        "For a settings file instead of the database: hash = \"{}\"",
        crate::config::TokenHash::of(&token)
    );
    Ok(())
}

fn list(args: &ListArgs) -> Outcome {
    let rows: Vec<(String, String, String)> = match args.place.store()? {
        Some(store) => tokens::list(&store)?
            .into_iter()
            .map(|token| (token.name, token.role.to_string(), token.created_at.to_string()))
            .collect(),
        None => {
            let (data, _) = block_on(async {
                Client::new(&args.place.remote)?.get("/api/v1/admin/tokens").await
            })?;
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            data.as_array()
                .into_iter()
                .flatten()
                .map(|token| {
                    (text(&token["name"]), text(&token["role"]), text(&token["created_at"]))
                })
                .collect()
        }
    };
    if rows.is_empty() {
        println!("no tokens");
    }
    for (name, role, created_at) in rows {
        println!("{name}\t{role}\t{created_at}");
    }
    Ok(())
}

fn revoke(args: &RevokeArgs) -> Outcome {
    match args.place.store()? {
        Some(store) => tokens::revoke(&store, &args.name)?,
        None => {
            let path = format!("/api/v1/admin/tokens/{}", encode(&args.name));
            block_on(async {
                Client::new(&args.place.remote)?.send_json(true, &path, &json!({})).await
            })?;
        }
    }
    println!("token {:?} is revoked", args.name);
    Ok(())
}
