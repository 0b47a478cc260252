//! Checks of the kind `postgres`: log in, ask, leave.

mod scram;
mod session;
mod wire;

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::Probe;
use super::attempt::{Attempt, Question, micros};
use super::connect::{IpVersion, connect};
use super::rows::show_row;
use super::server::{Server, SslMode};
use super::settings;
use super::tls::handshake;
use super::transport::{Transport, conceal};
use crate::model::CheckDefinition;
use crate::trust::{Secret, TlsClient};

/// What is asked when a check does not say.
const USUAL_QUERY: &str = "SELECT 1";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    sslmode: Option<SslMode>,
    query: Option<String>,
    tls: TlsClient,
    ip_version: IpVersion,
}

struct Postgres {
    server: Server,
    database: String,
    ssl_mode: SslMode,
    query: String,
    tls: TlsClient,
    ip_version: IpVersion,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let mut server = Server::parse(&check.target, &["postgres", "postgresql"], 5432)?;
    if let Some(user) = settings.user {
        server.user = user;
    }
    if server.user.is_empty() {
        server.user = "postgres".to_owned();
    }
    server.password = settings.password.or(server.password);
    let path = std::mem::take(&mut server.path);
    let database = settings.database.unwrap_or(path);
    let database = if database.is_empty() { server.user.clone() } else { database };
    let query = settings.query.unwrap_or_else(|| USUAL_QUERY.to_owned());
    for (field, text) in [("user", &server.user), ("database", &database), ("query", &query)] {
        if text.contains('\0') {
            return Err(format!("{field}: it has a zero byte, which PostgreSQL cannot take"));
        }
    }
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(Postgres {
        ssl_mode: settings.sslmode.or(server.ssl_mode).unwrap_or(SslMode::Prefer),
        server,
        database,
        query,
        tls: settings.tls,
        ip_version: settings.ip_version,
    }))
}

impl Question for Postgres {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let password = self.server.password().await?;
            let outcome = self.converse(attempt, &password).await;
            conceal(attempt, outcome, &[&password])
        })
    }
}

impl Postgres {
    async fn converse(&self, attempt: &mut Attempt, password: &str) -> Result<(), String> {
        let target = &self.server.target;
        let (mut transport, encrypted) = self.open(attempt).await?;
        attempt.note("encrypted", encrypted);
        attempt.wait_for(format!("logging in to {target} as {:?}", self.server.user));
        let login = session::Login {
            user: &self.server.user,
            database: &self.database,
            password,
            // Whoever says `disable` has decided.
            may_send_clear: encrypted
                || self.ssl_mode == SslMode::Disable
                || attempt.seen.ip.as_deref().is_some_and(is_loopback),
        };
        let version = session::log_in(&mut transport, &login).await;
        let version = version.map_err(|error| transport.blame(error))?;
        if let Some(version) = version {
            attempt.note("server_version", version);
        }
        attempt.wait_for(format!("the answer of {target} to the query"));
        let start = Instant::now();
        let answer = session::ask(&mut transport, &self.query, start).await;
        let answer = answer.map_err(|error| transport.blame(error))?;
        attempt.phases().first_byte_us =
            Some(answer.first_byte_us.unwrap_or_else(|| micros(start)));
        show_row(attempt, answer.rows, answer.all_rows, answer.first_row);
        // Politeness: what was asked is answered, whether this arrives or not.
        let _ = transport.send(&wire::terminate()).await;
        Ok(())
    }

    /// Connects and encrypts. Says whether it is encrypted.
    async fn open(&self, attempt: &mut Attempt) -> Result<(Transport, bool), String> {
        let target = &self.server.target;
        let stream = connect(attempt, target, self.ip_version).await?;
        let mut transport = Transport::new(stream, target);
        if self.ssl_mode == SslMode::Disable {
            return Ok((transport, false));
        }
        attempt.wait_for(format!("asking {target} for encryption"));
        let asked = session::ask_for_tls(&mut transport).await;
        match asked.map_err(|error| transport.blame(error))? {
            true => {
                let options = self.ssl_mode.options(&self.tls);
                let stream = transport.into_stream();
                let stream = handshake(attempt, stream, target, &options, &[]).await?;
                Ok((Transport::new(stream, target), true))
            }
            false if self.ssl_mode.demands() => Err(format!(
                "{target} has no encryption (ssl = off), which sslmode demands: set ssl = on \
                 there, or sslmode to prefer"
            )),
            false => Ok((transport, false)),
        }
    }
}

fn is_loopback(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
