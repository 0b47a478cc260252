//! The conversation with a PostgreSQL server: "Message Flow" of its documentation.

use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::scram;
use super::wire::{self, Authentication, Column, Message};
use crate::probes::attempt::micros;
use crate::probes::rows::{Row, cell};
use crate::probes::transport::Transport;

/// Messages until a login is through, or refused.
const LOGIN_MESSAGES_MAX: usize = 200;
/// Messages of an answer; a query with more rows is left in the middle.
const ANSWER_MESSAGES_MAX: usize = 10_000;

/// Who logs in.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    pub(super) password: &'a str,
    /// Whether a password may be sent as it is.
    pub(super) may_send_clear: bool,
}

/// What a query answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Rows that came.
    pub(super) rows: usize,
    /// Whether that is all of them.
    pub(super) all_rows: bool,
    pub(super) first_row: Option<Row>,
    pub(super) first_byte_us: Option<u64>,
}

/// Asks for TLS; false if the server has none.
pub(super) async fn ask_for_tls(transport: &mut Transport) -> Result<bool, String> {
    transport.send(&wire::ssl_request()).await?;
    match transport.array::<1>().await? {
        [b'S'] => Ok(true),
        [b'N'] => Ok(false),
        // Nothing of an error before encryption is shown: anybody could have sent it
        // (CVE-2024-10977).
        [b'E'] => Err("it refuses to speak of encryption; see its log".to_owned()),
        [other] => Err(format!(
            "it answers the question for encryption with {:?}; is this a PostgreSQL server?",
            char::from(other)
        )),
    }
}

async fn next(transport: &mut Transport) -> Result<Message, String> {
    let (kind, length) = wire::header(transport.array().await?)?;
    let body = transport.bytes(length).await?;
    wire::message(kind, &body)
}

/// Logs in, and waits until the server is ready for a query. Gives its version.
pub(super) async fn log_in(
    transport: &mut Transport,
    login: &Login<'_>,
) -> Result<Option<String>, String> {
    transport.send(&wire::startup(login.user, login.database)).await?;
    let mut version = None;
    let mut first = None;
    let mut last = None;
    let mut proven = true;
    for _ in 0..LOGIN_MESSAGES_MAX {
        match next(transport).await? {
            Message::Authentication(request) => match request {
                Authentication::Ok if proven => {}
                Authentication::Ok => {
                    return Err("it lets us in without proof that it knows the password".into());
                }
                Authentication::Cleartext => {
                    need_password(login)?;
                    if !login.may_send_clear {
                        return Err("it wants the password as it is over an unencrypted \
                                    connection: set sslmode to require, or to disable if that \
                                    is fine"
                            .to_owned());
                    }
                    transport.send(&wire::password(login.password.as_bytes())).await?;
                }
                Authentication::Md5(salt) => {
                    need_password(login)?;
                    let answer = md5_answer(login.user, login.password, salt);
                    transport.send(&wire::password(answer.as_bytes())).await?;
                }
                Authentication::Sasl(mechanisms) => {
                    need_password(login)?;
                    if !mechanisms.iter().any(|name| name == "SCRAM-SHA-256") {
                        return Err(format!(
                            "it takes {}; SCRAM-SHA-256 is spoken",
                            mechanisms.join(", ")
                        ));
                    }
                    // The user is known from the startup message.
                    let begun = scram::First::new("", &nonce()?);
                    let message = begun.message();
                    transport
                        .send(&wire::sasl_initial("SCRAM-SHA-256", message.as_bytes()))
                        .await?;
                    first = Some(begun);
                    proven = false;
                }
                Authentication::SaslContinue(data) => {
                    let begun = first.take().ok_or("it goes on with SCRAM that nobody began")?;
                    let (message, awaited) = begun.answer(login.password, &data)?;
                    transport.send(&wire::sasl_response(message.as_bytes())).await?;
                    last = Some(awaited);
                }
                Authentication::SaslFinal(data) => {
                    let awaited = last.take().ok_or("it ends SCRAM that nobody began")?;
                    awaited.check(&data)?;
                    proven = true;
                }
                Authentication::Other(kind) => {
                    return Err(format!(
                        "it wants authentication of kind {kind} (Kerberos, GSSAPI, SSPI…); a \
                         password by SCRAM-SHA-256, md5 or as it is can be given"
                    ));
                }
            },
            Message::Parameter(name, value) if name == "server_version" => version = Some(value),
            Message::Ready => return Ok(version),
            Message::Refusal(refusal) => return Err(refusal.explain()),
            Message::Parameter(..)
            | Message::Columns(_)
            | Message::Row(_)
            | Message::Complete(_)
            | Message::Other(_) => {}
        }
    }
    Err(format!("it sent {LOGIN_MESSAGES_MAX} messages without letting us in"))
}

fn need_password(login: &Login<'_>) -> Result<(), String> {
    if login.password.is_empty() {
        return Err(format!(
            "it wants a password for {:?} and there is none: set settings.password",
            login.user
        ));
    }
    Ok(())
}

/// `md5` + MD5(MD5(password + user) + salt), both in hexadecimal digits.
fn md5_answer(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new().chain_update(password).chain_update(user).finalize());
    format!("md5{}", hex(&Md5::new().chain_update(inner).chain_update(salt).finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn nonce() -> Result<String, String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("this machine gives no randomness: {error}"))?;
    // Without commas, as base64 has none.
    Ok(BASE64_STANDARD_NO_PAD.encode(bytes))
}

/// Sends a query and reads what answers it. Only the first row is kept.
pub(super) async fn ask(
    transport: &mut Transport,
    query: &str,
    start: Instant,
) -> Result<Answer, String> {
    transport.send(&wire::query(query)).await?;
    let mut answer = Answer::default();
    let mut columns: Vec<Column> = Vec::new();
    let mut refusal = None;
    for _ in 0..ANSWER_MESSAGES_MAX {
        let message = next(transport).await?;
        answer.first_byte_us.get_or_insert_with(|| micros(start));
        match message {
            Message::Columns(found) => columns = found,
            Message::Row(values) => {
                answer.rows += 1;
                if answer.first_row.is_none() {
                    answer.first_row = Some(named(&columns, values));
                }
            }
            Message::Refusal(found) => refusal = Some(found),
            Message::Ready => {
                answer.all_rows = true;
                return match refusal {
                    Some(refusal) => Err(format!("the query fails: {}", refusal.explain())),
                    None => Ok(answer),
                };
            }
            Message::Authentication(_)
            | Message::Parameter(..)
            | Message::Complete(_)
            | Message::Other(_) => {}
        }
    }
    Ok(answer)
}

fn named(columns: &[Column], values: Vec<Option<Vec<u8>>>) -> Row {
    let value = |column: &Column, value: Option<Vec<u8>>| match (column.type_id, value) {
        (_, None) => Value::Null,
        // bool
        (16, Some(text)) => Value::Bool(text == b"t"),
        // int8, int2, int4, oid, float4, float8, numeric
        (20 | 21 | 23 | 26 | 700 | 701 | 1700, Some(text)) => cell(&text, true),
        // json, jsonb
        (114 | 3802, Some(text)) => {
            serde_json::from_slice(&text).unwrap_or_else(|_| cell(&text, false))
        }
        (_, Some(text)) => cell(&text, false),
    };
    columns
        .iter()
        .zip(values)
        .map(|(column, text)| (column.name.clone(), value(column, text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_answer_is_the_one_that_python_computes() {
        assert_eq!(
            md5_answer("watch", "secret", [1, 2, 3, 4]),
            "md5c6de02aa949fc129a75cd547ea0da111"
        );
    }
}
