//! Signing in from a browser: `/api/v1/session`.
//!
//! The session is the token itself in a cookie that scripts cannot read. Nothing is kept here, so
//! that a session outlives a restart and ends the moment its token is revoked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::Timestamp;

use super::auth::{Caller, Gate, Permission, SESSION_COOKIE, Via, may};
use super::error::no_content;
use super::json::success;
use super::listen::Peer;
use super::request::{header_text, read_json};
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// How long a browser keeps a session that is to be remembered.
const REMEMBERED_S: u32 = 30 * 24 * 3600;

/// Wrong tokens that one address may try ...
const FAILURES_MAX: u32 = 10;
/// ... within this time.
const FAILURES_WITHIN_MS: i64 = 60_000;
/// Addresses whose failures are remembered at once; of more the oldest are forgotten.
const ADDRESSES_MAX: usize = 1024;

/// Failed attempts to sign in, by address. Tokens cannot be guessed; this keeps those who try from
/// being a burden.
#[derive(Debug, Default)]
pub(super) struct SignIns {
    failures: Mutex<BTreeMap<IpAddr, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    count: u32,
}

impl Failures {
    /// How much longer they count, in milliseconds. A clock that was set back ends them too.
    fn rest_ms(self, now: Timestamp) -> i64 {
        let past = now.since(self.since);
        if past < 0 { 0 } else { (FAILURES_WITHIN_MS - past).max(0) }
    }
}

impl SignIns {
    fn failures(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an address may try again; otherwise in how many seconds.
    fn may_try(&self, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        let failed = self.failures().get(&network_of(address)).copied();
        let rest_ms = match failed {
            Some(failed) if failed.count >= FAILURES_MAX => failed.rest_ms(now),
            _ => 0,
        };
        if rest_ms == 0 { Ok(()) } else { Err(rest_ms.unsigned_abs().div_ceil(1000)) }
    }

    /// Notes a failure. Says whether it was the last that is allowed for now.
    fn note(&self, address: IpAddr, now: Timestamp) -> bool {
        let mut failures = self.failures();
        let address = network_of(address);
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(&address) {
            failures.retain(|_, failed| failed.rest_ms(now) > 0);
            let oldest = failures.iter().min_by_key(|(_, failed)| failed.since);
            if failures.len() >= ADDRESSES_MAX
                && let Some(oldest) = oldest.map(|(address, _)| *address)
            {
                failures.remove(&oldest);
            }
        }
        let failed = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if failed.rest_ms(now) == 0 {
            *failed = Failures { since: now, count: 0 };
        }
        failed.count = failed.count.saturating_add(1);
        failed.count == FAILURES_MAX
    }
}

/// Who has one address of IPv6 has the 2^64 beside it (RFC 6177).
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        },
    }
}

/// Who somebody is, and what that allows.
fn who(gate: &Gate, caller: Option<&Caller>, via: Via) -> Value {
    const ALL: [(&str, Permission); 4] = [
        ("read", Permission::Read),
        ("send", Permission::Send),
        ("operate", Permission::Operate),
        ("administer", Permission::Administer),
    ];
    let allowed = |permission| caller.is_some_and(|caller| may(caller.role, permission));
    let may: Vec<&str> =
        ALL.into_iter().filter(|(_, p)| allowed(*p)).map(|(name, _)| name).collect();
    json!({
        "mode": if gate.is_open() { "open" } else { "token" },
        "name": caller.map(|caller| &caller.name),
        "role": caller.map(|caller| caller.role),
        "may": may,
        "via": via.as_str(),
    })
}

/// Answers about a session are of one moment and one person.
fn not_kept(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /api/v1/session`: who asks, and what that allows. Without a valid token where one is needed:
/// nobody.
pub(super) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    let gate = app.gate();
    let (caller, via) = gate.identify(&headers);
    not_kept(success(&who(&gate, caller.as_ref(), via)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
    /// Whether the session outlives the browser's.
    #[serde(default)]
    remember: bool,
}

/// `POST /api/v1/session {"token": …}`: keeps a valid token in a cookie.
pub(super) async fn sign_in(State(app): State<Arc<App>>, request: Request) -> Answered {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    // A proxy may end TLS; the page's origin says what its browser speaks.
    let origin = header_text(request.headers(), &header::ORIGIN);
    let encrypted = app.tls.load().is_some() || origin.starts_with("https://");
    let asked: SignIn = read_json(&app, request).await?;
    let token = asked.token.trim();
    let now = app.clock.now();
    app.sign_ins.may_try(peer, now).map_err(|seconds| {
        ApiError::new(
            ErrorKind::TooMany,
            format!("too many wrong tokens from {peer}; try again in {seconds} s"),
        )
        .retry_after(seconds)
    })?;
    let gate = app.gate();
    let Some(caller) = gate.bearer(token) else {
        if app.sign_ins.note(peer, now) {
            tracing::warn!(%peer, "many wrong tokens; the address may not try for a minute");
        }
        return Err(ApiError::new(
            ErrorKind::Unauthorized,
            "the token is not valid; make another with `vedette token create`",
        ));
    };
    if !is_cookie_value(token) {
        return Err(ApiError::bad_data(
            "this token has characters that a cookie cannot hold; make another with \
             `vedette token create`",
        ));
    }
    let mut response = success(&who(&gate, Some(caller), Via::Cookie));
    let age = asked.remember.then_some(REMEMBERED_S);
    set_cookie(&mut response, token, age, encrypted)?;
    Ok(not_kept(response))
}

/// `DELETE /api/v1/session`: takes the cookie away. The token stays valid elsewhere.
pub(super) async fn sign_out() -> Answered {
    let mut response = no_content();
    set_cookie(&mut response, "", Some(0), false)?;
    Ok(not_kept(response))
}

/// RFC 6265, 4.1.1: `cookie-octet`.
fn is_cookie_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b';' | b'\\'))
}

fn set_cookie(
    response: &mut Response<Body>,
    value: &str,
    age_s: Option<u32>,
    encrypted: bool,
) -> Result<(), ApiError> {
    let mut cookie = format!("{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/");
    if let Some(age_s) = age_s {
        cookie.push_str(&format!("; Max-Age={age_s}"));
    }
    if encrypted {
        cookie.push_str("; Secure");
    }
    let mut cookie = HeaderValue::try_from(cookie).map_err(ApiError::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + ms)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_that_fails_often_waits_out_its_minute() {
        let sign_ins = SignIns::default();
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for failure in 1..=FAILURES_MAX {
            assert_eq!(sign_ins.may_try(one, at(0)), Ok(()));
            assert_eq!(sign_ins.note(one, at(0)), failure == FAILURES_MAX);
        }
        assert_eq!(sign_ins.may_try(one, at(500)), Err(60));
        assert_eq!(sign_ins.may_try(other, at(500)), Ok(()));
        assert_eq!(sign_ins.may_try(one, at(FAILURES_WITHIN_MS)), Ok(()));
        // The clock was set back.
        assert_eq!(sign_ins.may_try(one, at(-1)), Ok(()));
    }

    #[test]
    fn neighbours_of_an_ipv6_network_are_one() {
        let sign_ins = SignIns::default();
        for host in 1..=FAILURES_MAX {
            sign_ins.note(address(&format!("2001:db8:0:1::{host:x}")), at(0));
        }
        assert!(sign_ins.may_try(address("2001:db8:0:1:ffff::1"), at(0)).is_err());
        assert!(sign_ins.may_try(address("2001:db8:0:2::1"), at(0)).is_ok());
        assert_eq!(network_of(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let sign_ins = SignIns::default();
        for number in 0..ADDRESSES_MAX as u32 + 5 {
            sign_ins.note(IpAddr::V4(Ipv4Addr::from_bits(number)), at(i64::from(number)));
        }
        let failures = sign_ins.failures();
        assert_eq!(failures.len(), ADDRESSES_MAX);
        // The oldest made room.
        assert!(!failures.contains_key(&IpAddr::V4(Ipv4Addr::from_bits(4))));
        assert!(failures.contains_key(&IpAddr::V4(Ipv4Addr::from_bits(5))));
    }

    #[test]
    fn only_what_a_cookie_can_hold_becomes_one() {
        assert!(is_cookie_value("vedette_Az09-_=+/."));
        for text in ["a;b", "a b", "a\"", "a\r\nb", "é"] {
            assert!(!is_cookie_value(text), "{text:?}");
        }
    }
}
