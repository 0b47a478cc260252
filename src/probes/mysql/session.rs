//! The conversation with a MySQL or MariaDB server.

use std::time::Instant;

use serde_json::Value;

use super::login::{caching_sha2, native};
use super::wire::{self, Answer, Greeting};
use crate::probes::attempt::micros;
use crate::probes::cursor::readable;
use crate::probes::rows::{Row, cell};
use crate::probes::transport::Transport;

/// Packets until a login is through, or refused.
const LOGIN_PACKETS_MAX: usize = 16;
/// Packets of an answer; a query with more rows is left in the middle.
const ANSWER_PACKETS_MAX: usize = 10_000;

/// Who logs in.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    pub(super) password: &'a [u8],
    pub(super) encrypted: bool,
}

/// What a query answered.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Rows that came.
    pub(super) rows: usize,
    /// Whether that is all of them.
    pub(super) all_rows: bool,
    pub(super) first_row: Option<Row>,
    pub(super) first_byte_us: Option<u64>,
}

async fn next(transport: &mut Transport) -> Result<(Vec<u8>, u8), String> {
    let (length, sequence) = wire::header(transport.array().await?)?;
    Ok((transport.bytes(length).await?, sequence))
}

/// Reads what the server says first, and its number.
pub(super) async fn greeting(transport: &mut Transport) -> Result<(Greeting, u8), String> {
    let (packet, sequence) = next(transport).await?;
    Ok((wire::greeting(&packet)?, sequence))
}

/// Logs in. `sequence` is the number of the last packet.
pub(super) async fn log_in(
    transport: &mut Transport,
    greeting: &Greeting,
    login: &Login<'_>,
    sequence: u8,
) -> Result<(), String> {
    let mut plugin = greeting.plugin.clone();
    if !known(&plugin) {
        // The server will name another one if this user has another one.
        plugin = "mysql_native_password".to_owned();
    }
    let mut proof = proof(&plugin, login, &greeting.nonce)?;
    let body = wire::login(login.encrypted, login.user, &proof, login.database, &plugin);
    transport.send(&wire::frame(sequence.wrapping_add(1), &body)).await?;
    for _ in 0..LOGIN_PACKETS_MAX {
        let (packet, sequence) = next(transport).await?;
        let sequence = sequence.wrapping_add(1);
        match wire::login_answer(&packet)? {
            Answer::Ok => return Ok(()),
            Answer::Refusal(refusal) => return Err(refusal.explain()),
            Answer::Switch { plugin: other, nonce } => {
                proof = self::proof(&other, login, &nonce)?;
                plugin = other;
                transport.send(&wire::frame(sequence, &proof)).await?;
            }
            Answer::More(word) if plugin == "caching_sha2_password" => match word.as_slice() {
                // It knows the password already.
                [3] => {}
                [4] if login.encrypted => {
                    let clear = [login.password, &[0]].concat();
                    transport.send(&wire::frame(sequence, &clear)).await?;
                }
                [4] => {
                    return Err("it has not seen this user's password since its start, and takes \
                                it over an encrypted connection only \
                                (caching_sha2_password): set sslmode to require"
                        .to_owned());
                }
                _ => return Err("it says something unknown of caching_sha2_password".to_owned()),
            },
            Answer::More(_) | Answer::Columns(_) => {
                return Err(format!(
                    "it says something unknown of {}",
                    readable(plugin.as_bytes())
                ));
            }
        }
    }
    Err(format!("it sent {LOGIN_PACKETS_MAX} packets without letting us in"))
}

fn known(plugin: &str) -> bool {
    matches!(plugin, "mysql_native_password" | "caching_sha2_password")
}

fn proof(plugin: &str, login: &Login<'_>, nonce: &[u8]) -> Result<Vec<u8>, String> {
    match plugin {
        "mysql_native_password" => Ok(native(login.password, nonce)),
        "caching_sha2_password" => Ok(caching_sha2(login.password, nonce)),
        other => Err(format!(
            "it wants the user {:?} to log in by {}; mysql_native_password and \
             caching_sha2_password are spoken: give the check a user with one of them",
            login.user,
            readable(other.as_bytes())
        )),
    }
}

/// Asks whether it is there.
pub(super) async fn ping(transport: &mut Transport) -> Result<(), String> {
    transport.send(&wire::frame(0, wire::PING)).await?;
    match wire::command_answer(&next(transport).await?.0)? {
        Answer::Ok => Ok(()),
        Answer::Refusal(refusal) => Err(refusal.explain()),
        Answer::Switch { .. } | Answer::More(_) | Answer::Columns(_) => {
            Err("it answers a ping with something else".to_owned())
        }
    }
}

/// Sends a query and reads what answers it. Only the first row is kept.
pub(super) async fn ask(
    transport: &mut Transport,
    query: &str,
    start: Instant,
) -> Result<Rows, String> {
    transport.send(&wire::frame(0, &wire::query(query))).await?;
    let (packet, _) = next(transport).await?;
    let mut answer = Rows { first_byte_us: Some(micros(start)), ..Rows::default() };
    let count = match wire::command_answer(&packet)? {
        // A statement without rows.
        Answer::Ok => {
            answer.all_rows = true;
            return Ok(answer);
        }
        Answer::Refusal(refusal) => return Err(format!("the query fails: {}", refusal.explain())),
        Answer::Columns(count) if count <= wire::COLUMNS_MAX => count,
        Answer::Columns(count) => {
            return Err(format!(
                "the query has {count} columns; up to {} are read",
                wire::COLUMNS_MAX
            ));
        }
        Answer::Switch { .. } | Answer::More(_) => {
            return Err("it answers a query with something else".to_owned());
        }
    };
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(wire::column(&next(transport).await?.0)?);
    }
    if !wire::is_end(&next(transport).await?.0) {
        return Err("its list of columns does not end where it should".to_owned());
    }
    for _ in 0..ANSWER_PACKETS_MAX {
        let (packet, _) = next(transport).await?;
        if wire::is_end(&packet) {
            answer.all_rows = true;
            break;
        }
        if let Some(refusal) = wire::as_refusal(&packet) {
            return Err(format!("the query fails: {}", refusal.explain()));
        }
        answer.rows += 1;
        if answer.first_row.is_none() {
            let values = wire::row(&packet, columns.len())?;
            answer.first_row = Some(
                columns
                    .iter()
                    .zip(values)
                    .map(|((name, numeric), value)| {
                        (name.clone(), value.map_or(Value::Null, |text| cell(&text, *numeric)))
                    })
                    .collect(),
            );
        }
    }
    Ok(answer)
}
