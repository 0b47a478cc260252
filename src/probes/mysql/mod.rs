//! Checks of the kind `mysql`, which is MariaDB too: log in, ping or ask, leave.

mod login;
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

struct Mysql {
    server: Server,
    database: String,
    ssl_mode: SslMode,
    /// None: a ping.
    query: Option<String>,
    tls: TlsClient,
    ip_version: IpVersion,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let mut server = Server::parse(&check.target, &["mysql", "mariadb"], 3306)?;
    if let Some(user) = settings.user {
        server.user = user;
    }
    if server.user.is_empty() {
        return Err("user: nobody is named; write mysql://user:password@host/database, or \
                    settings.user"
            .to_owned());
    }
    server.password = settings.password.or(server.password);
    let path = std::mem::take(&mut server.path);
    let database = settings.database.unwrap_or(path);
    for (field, text) in [("user", &server.user), ("database", &database)] {
        if text.contains('\0') {
            return Err(format!("{field}: it has a zero byte, which MySQL cannot take"));
        }
    }
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(Mysql {
        ssl_mode: settings.sslmode.or(server.ssl_mode).unwrap_or(SslMode::Prefer),
        server,
        database,
        query: settings.query,
        tls: settings.tls,
        ip_version: settings.ip_version,
    }))
}

impl Question for Mysql {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let password = self.server.password().await?;
            let outcome = self.converse(attempt, &password).await;
            conceal(attempt, outcome, &[&password])
        })
    }
}

impl Mysql {
    async fn converse(&self, attempt: &mut Attempt, password: &str) -> Result<(), String> {
        let target = &self.server.target;
        let stream = connect(attempt, target, self.ip_version).await?;
        let mut transport = Transport::new(stream, target);
        attempt.wait_for(format!("the greeting of {target}"));
        let greeting = session::greeting(&mut transport).await;
        let (greeting, mut sequence) = greeting.map_err(|error| transport.blame(error))?;
        // MariaDB puts that before its version, for clients that know no version above 5.
        let version = greeting.version.strip_prefix("5.5.5-").unwrap_or(&greeting.version);
        attempt.note("server_version", version);

        let encrypted = self.ssl_mode != SslMode::Disable && greeting.offers_tls();
        if !encrypted && self.ssl_mode.demands() {
            return Err(format!(
                "{target} has no encryption, which sslmode demands: give the server a \
                 certificate (ssl_cert, ssl_key), or set sslmode to prefer"
            ));
        }
        attempt.note("encrypted", encrypted);
        if encrypted {
            sequence = sequence.wrapping_add(1);
            let request = wire::frame(sequence, &wire::tls_request(&self.database));
            transport.send(&request).await.map_err(|error| transport.blame(error))?;
            let options = self.ssl_mode.options(&self.tls);
            let stream = transport.into_stream();
            let stream = handshake(attempt, stream, target, &options, &[]).await?;
            transport = Transport::new(stream, target);
        }

        attempt.wait_for(format!("logging in to {target} as {:?}", self.server.user));
        let login = session::Login {
            user: &self.server.user,
            database: &self.database,
            password: password.as_bytes(),
            encrypted,
        };
        let outcome = session::log_in(&mut transport, &greeting, &login, sequence).await;
        outcome.map_err(|error| transport.blame(error))?;

        let start = Instant::now();
        match &self.query {
            None => {
                attempt.wait_for(format!("the answer of {target} to a ping"));
                let outcome = session::ping(&mut transport).await;
                outcome.map_err(|error| transport.blame(error))?;
                attempt.phases().first_byte_us = Some(micros(start));
            }
            Some(query) => {
                attempt.wait_for(format!("the answer of {target} to the query"));
                let answer = session::ask(&mut transport, query, start).await;
                let answer = answer.map_err(|error| transport.blame(error))?;
                attempt.phases().first_byte_us = answer.first_byte_us;
                show_row(attempt, answer.rows, answer.all_rows, answer.first_row);
            }
        }
        // Politeness: what was asked is answered, whether this arrives or not.
        let _ = transport.send(&wire::frame(0, wire::QUIT)).await;
        Ok(())
    }
}
