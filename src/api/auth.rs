//! Who may do what.
//!
//! A request carries a token as `Authorization: Bearer …` or as the password of HTTP Basic
//! (any user name: Grafana and Prometheus can send both), or, from a page that somebody signed in
//! to, as a cookie. Tokens are compared by SHA-256, in constant time, against all that there are.

use std::borrow::Cow;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::config::{Auth, AuthMode, Role, TokenHash};

use super::page::cookie;
use super::tokens::StoredToken;
use super::{ApiError, ErrorKind};

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// Nothing: whether the daemon lives is no secret.
    Open,
    /// Read metrics and states.
    Read,
    /// Send data.
    Send,
    /// Change what runs.
    Operate,
    /// Everything else.
    Administer,
}

/// What each role may do.
pub(super) fn may(role: Role, permission: Permission) -> bool {
    match permission {
        Permission::Open => true,
        Permission::Read => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
        Permission::Send => matches!(role, Role::Writer | Role::Operator | Role::Admin),
        Permission::Operate => matches!(role, Role::Operator | Role::Admin),
        Permission::Administer => matches!(role, Role::Admin),
    }
}

/// Which permission a path asks for: to read (GET and HEAD), and otherwise. The first line whose
/// beginning fits decides; a path that ends in `/` here stands for everything below it. What is
/// not listed needs an administrator, so that a forgotten route is closed and not open.
const PERMISSIONS: &[(&str, Permission, Permission)] = &[
    ("/ui", Permission::Open, Permission::Administer),
    ("/ui/", Permission::Open, Permission::Administer),
    ("/-/healthy", Permission::Open, Permission::Open),
    ("/-/ready", Permission::Open, Permission::Open),
    ("/-/reload", Permission::Operate, Permission::Operate),
    ("/api/v1/write", Permission::Send, Permission::Send),
    ("/api/v1/samples", Permission::Send, Permission::Send),
    ("/api/v1/import/", Permission::Send, Permission::Send),
    ("/api/v1/otlp/", Permission::Send, Permission::Send),
    ("/v1/metrics", Permission::Send, Permission::Send),
    ("/v1/logs", Permission::Send, Permission::Send),
    ("/loki/api/v1/push", Permission::Send, Permission::Send),
    ("/api/v1/logs", Permission::Read, Permission::Send),
    ("/api/v1/logs/", Permission::Read, Permission::Operate),
    ("/api/v1/query", Permission::Read, Permission::Read),
    ("/api/v1/query_range", Permission::Read, Permission::Read),
    ("/api/v1/format_query", Permission::Read, Permission::Read),
    ("/api/v1/parse_query", Permission::Read, Permission::Read),
    ("/api/v1/query_exemplars", Permission::Read, Permission::Read),
    ("/api/v1/rules", Permission::Read, Permission::Operate),
    ("/api/v1/rules/", Permission::Read, Permission::Operate),
    ("/api/v1/alerts", Permission::Read, Permission::Read),
    ("/api/v1/series", Permission::Read, Permission::Read),
    ("/api/v1/labels", Permission::Read, Permission::Read),
    ("/api/v1/label/", Permission::Read, Permission::Read),
    ("/api/v1/metadata", Permission::Read, Permission::Read),
    ("/api/v1/targets", Permission::Read, Permission::Read),
    ("/api/v1/status/config", Permission::Operate, Permission::Operate),
    ("/api/v1/status/flags", Permission::Operate, Permission::Operate),
    ("/api/v1/status/", Permission::Read, Permission::Read),
    ("/api/v1/admin/", Permission::Administer, Permission::Administer),
    ("/api/v1/openapi.json", Permission::Read, Permission::Read),
    ("/api/v1/session", Permission::Open, Permission::Open),
    ("/api/v1/overview", Permission::Read, Permission::Administer),
    ("/metrics", Permission::Read, Permission::Read),
    ("/federate", Permission::Read, Permission::Read),
    ("/api/v1/checks", Permission::Read, Permission::Operate),
    ("/api/v1/checks/", Permission::Read, Permission::Operate),
    ("/api/v1/channels", Permission::Read, Permission::Operate),
    ("/api/v1/channels/", Permission::Read, Permission::Operate),
    ("/api/v1/maintenance", Permission::Read, Permission::Operate),
    ("/api/v1/maintenance/", Permission::Read, Permission::Operate),
    ("/api/v1/silences", Permission::Read, Permission::Operate),
    ("/api/v1/silences/", Permission::Read, Permission::Operate),
    ("/api/v1/incidents", Permission::Read, Permission::Operate),
    ("/api/v1/incidents/", Permission::Read, Permission::Operate),
    ("/api/v1/deliveries", Permission::Read, Permission::Operate),
    ("/api/v1/deliveries/", Permission::Read, Permission::Operate),
    ("/api/v1/objectives", Permission::Read, Permission::Operate),
    ("/api/v1/objectives/", Permission::Read, Permission::Operate),
    ("/api/v1/stats/", Permission::Read, Permission::Read),
    ("/api/v1/outcomes", Permission::Send, Permission::Send),
    ("/api/v1/features", Permission::Read, Permission::Operate),
    ("/api/v1/features/", Permission::Read, Permission::Operate),
    ("/api/v1/providers", Permission::Read, Permission::Operate),
    ("/api/v1/providers/", Permission::Read, Permission::Operate),
    ("/api/v1/experiments", Permission::Read, Permission::Operate),
    // Of one unit in all experiments.
    ("/api/v1/experiments/assign", Permission::Send, Permission::Send),
    ("/api/v1/experiments/", Permission::Read, Permission::Operate),
    ("/api/v1/live", Permission::Read, Permission::Read),
    ("/api/v1/live/", Permission::Read, Permission::Read),
    ("/ping/", Permission::Open, Permission::Open),
    ("/api/v2/alerts", Permission::Read, Permission::Send),
    ("/api/v2/", Permission::Read, Permission::Operate),
];

/// Paths of single objects that applications send to, by what is before and after the name, and
/// what reading them asks for. They come before [`PERMISSIONS`].
const SENT_TO: &[(&str, &str, Permission)] = &[
    ("/api/v1/features/", "/evaluate", Permission::Send),
    ("/api/v1/experiments/", "/assign", Permission::Send),
    ("/api/v1/experiments/", "/results", Permission::Read),
    ("/api/v1/experiments/", "/exposures", Permission::Read),
];

/// The permission that a request asks for.
pub(super) fn permission_of(method: &Method, path: &str) -> Permission {
    if path == "/" {
        return Permission::Open;
    }
    let fits = |pattern: &str| {
        if pattern.ends_with('/') { path.starts_with(pattern) } else { path == pattern }
    };
    let sent_to = |(before, after, _): &&(&str, &str, Permission)| {
        let rest = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        rest.is_some_and(|name| !name.is_empty() && !name.contains('/'))
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if let Some((.., read)) = SENT_TO.iter().find(sent_to) {
        return if reads { *read } else { Permission::Send };
    }
    PERMISSIONS
        .iter()
        .find(|(pattern, ..)| fits(pattern))
        .map_or(Permission::Administer, |(_, read, change)| if reads { *read } else { *change })
}

/// Whoever made the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's name, or `local` where none was needed.
    pub(super) name: String,
    pub(super) role: Role,
}

impl Caller {
    fn local() -> Self {
        Caller { name: "local".to_owned(), role: Role::Admin }
    }
}

/// The cookie of those who signed in from a browser; it holds their token.
pub(super) const SESSION_COOKIE: &str = "vedette-session";

/// By what it is known who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// By nothing.
    None,
    /// By `Authorization`.
    Header,
    /// By the cookie, which a browser sends by itself: see [`super::guard::own_page`].
    Cookie,
}

impl Via {
    /// What a request brings, valid or not.
    pub(super) fn of(headers: &HeaderMap) -> Via {
        credentials(headers).map_or(Via::None, |(_, via)| via)
    }

    /// The name in answers.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Via::None => "none",
            Via::Header => "header",
            Via::Cookie => "cookie",
        }
    }
}

/// The tokens that hold now, and whether one is needed.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    mode: AuthMode,
    loopback: bool,
    tokens: Vec<(TokenHash, Caller)>,
}

impl Gate {
    /// A gate from the settings and the database's tokens. `loopback`: whether the listener can
    /// be reached from this machine only.
    pub fn new(auth: &Auth, stored: &[StoredToken], loopback: bool) -> Self {
        let of_file = auth.tokens.iter().map(|token| (token.hash, &token.name, token.role));
        let of_store = stored.iter().map(|token| (token.hash, &token.name, token.role));
        let tokens = of_file
            .chain(of_store)
            .map(|(hash, name, role)| (hash, Caller { name: name.clone(), role }))
            .collect();
        Gate { mode: auth.mode, loopback, tokens }
    }

    /// Whether requests need no token.
    pub(super) fn is_open(&self) -> bool {
        match self.mode {
            AuthMode::None => true,
            AuthMode::Token => false,
            AuthMode::Auto => self.loopback && self.tokens.is_empty(),
        }
    }

    /// Whether only the address protects the daemon, so that a web page in a local browser
    /// must be kept out by other means (see [`super::guard`]).
    pub(super) fn relies_on_loopback(&self) -> bool {
        self.is_open() && self.loopback
    }

    /// Whether a listener beyond loopback would be of use to nobody, or of use to everybody.
    pub fn refuses_to_listen(&self) -> bool {
        !self.loopback && self.mode != AuthMode::None && self.tokens.is_empty()
    }

    /// Decides on one request.
    pub(super) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Caller, ApiError> {
        let permission = permission_of(method, path);
        if self.is_open() || permission == Permission::Open {
            return Ok(Caller::local());
        }
        let Some((token, _)) = credentials(headers) else {
            return Err(ApiError::new(
                ErrorKind::Unauthorized,
                "a token is required; send `Authorization: Bearer …` with one \
                 that `vedette token create` made",
            ));
        };
        let Some(caller) = self.bearer(token.as_ref()) else {
            return Err(ApiError::new(
                ErrorKind::Unauthorized,
                "the token is not valid; make another with `vedette token create`",
            ));
        };
        if !may(caller.role, permission) {
            return Err(ApiError::new(
                ErrorKind::Forbidden,
                format!(
                    "token {:?} has the role {}, which does not allow {method} {path}",
                    caller.name, caller.role
                ),
            ));
        }
        Ok(caller.clone())
    }

    /// Who sent a request, and by what that is known; nobody where no valid token says it.
    pub(super) fn identify(&self, headers: &HeaderMap) -> (Option<Caller>, Via) {
        if self.is_open() {
            return (Some(Caller::local()), Via::None);
        }
        let known = credentials(headers)
            .and_then(|(token, via)| Some((self.bearer(token.as_ref())?.clone(), via)));
        known.map_or((None, Via::None), |(caller, via)| (Some(caller), via))
    }

    /// Compares with every token and stops at none, so that the time taken tells nothing.
    pub(super) fn bearer(&self, token: &str) -> Option<&Caller> {
        let hash = TokenHash::of(token);
        let mut found = u32::MAX;
        for (index, (known, _)) in self.tokens.iter().enumerate() {
            found.conditional_assign(&(index as u32), hash.0.ct_eq(&known.0));
        }
        self.tokens.get(found as usize).map(|(_, caller)| caller)
    }
}

/// The token of a request. What a client says itself goes before what its browser adds.
fn credentials(headers: &HeaderMap) -> Option<(Cow<'_, str>, Via)> {
    match token_of(headers) {
        Some(token) => Some((token.into(), Via::Header)),
        None => Some((cookie(headers, SESSION_COOKIE)?.into(), Via::Cookie)),
    }
}

fn token_of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileToken;

    fn gate(mode: AuthMode, tokens: &[(&str, Role)], loopback: bool) -> Gate {
        let tokens = tokens
            .iter()
            .map(|(token, role)| FileToken {
                name: format!("{token}-name"),
                role: *role,
                hash: TokenHash::of(token),
            })
            .collect();
        Gate::new(&Auth { mode, tokens }, &[], loopback)
    }

    fn bearer(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {token}").parse().expect("a value");
        headers.insert(header::AUTHORIZATION, value);
        headers
    }

    fn admit(gate: &Gate, path: &str, headers: &HeaderMap) -> Result<Caller, ErrorKind> {
        gate.admit(&Method::GET, path, headers).map_err(|error| error.kind)
    }

    #[test]
    fn loopback_is_open_until_the_first_token_exists() {
        let none = HeaderMap::new();
        let open = gate(AuthMode::Auto, &[], true);
        assert_eq!(admit(&open, "/api/v1/query", &none).expect("open").role, Role::Admin);
        let closed = gate(AuthMode::Auto, &[("t", Role::Viewer)], true);
        assert_eq!(admit(&closed, "/api/v1/query", &none), Err(ErrorKind::Unauthorized));
        assert!(admit(&closed, "/-/healthy", &none).is_ok());
    }

    #[test]
    fn beyond_loopback_nothing_is_open_without_saying_so() {
        let gate_beyond = gate(AuthMode::Auto, &[], false);
        assert!(gate_beyond.refuses_to_listen());
        assert_eq!(
            admit(&gate_beyond, "/api/v1/query", &HeaderMap::new()),
            Err(ErrorKind::Unauthorized)
        );
        assert!(!gate(AuthMode::None, &[], false).refuses_to_listen());
        assert!(!gate(AuthMode::Auto, &[("t", Role::Admin)], false).refuses_to_listen());
    }

    #[test]
    fn a_cookie_is_as_good_as_a_header_and_a_header_goes_first() {
        let gate = gate(AuthMode::Token, &[("a", Role::Viewer), ("b", Role::Admin)], true);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "x=y; vedette-session=a".parse().expect("a value"));
        assert_eq!(admit(&gate, "/api/v1/query", &headers).expect("known").name, "a-name");
        assert_eq!(gate.identify(&headers).1, Via::Cookie);
        headers.extend(bearer("b"));
        assert_eq!(admit(&gate, "/api/v1/query", &headers).expect("known").name, "b-name");
        headers.extend(bearer("wrong"));
        assert_eq!(admit(&gate, "/api/v1/query", &headers), Err(ErrorKind::Unauthorized));
        assert_eq!(gate.identify(&headers), (None, Via::None));
    }

    #[test]
    fn each_role_may_do_its_own_and_no_more() {
        let roles = [
            ("viewer", Role::Viewer),
            ("writer", Role::Writer),
            ("operator", Role::Operator),
            ("admin", Role::Admin),
        ];
        let gate = gate(AuthMode::Token, &roles, true);
        for (path, allowed) in [
            ("/api/v1/query", ["viewer", "operator", "admin"].as_slice()),
            ("/api/v1/label/job/values", &["viewer", "operator", "admin"]),
            ("/api/v1/write", &["writer", "operator", "admin"]),
            ("/-/reload", &["operator", "admin"]),
            ("/api/v1/outcomes", &["writer", "operator", "admin"]),
            // As it is asked here, with GET.
            ("/api/v1/logs", &["viewer", "operator", "admin"]),
            ("/loki/api/v1/push", &["writer", "operator", "admin"]),
            ("/v1/logs", &["writer", "operator", "admin"]),
            ("/api/v1/features/search/evaluate", &["writer", "operator", "admin"]),
            ("/api/v1/experiments/trial/assign", &["writer", "operator", "admin"]),
            ("/api/v1/experiments/assign", &["writer", "operator", "admin"]),
            ("/api/v1/experiments/trial/results", &["viewer", "operator", "admin"]),
            ("/api/v1/experiments/trial/analysis", &["viewer", "operator", "admin"]),
            ("/api/v1/features/search/x/evaluate", &["viewer", "operator", "admin"]),
            ("/api/v1/status/config", &["operator", "admin"]),
            ("/api/v1/admin/tokens", &["admin"]),
            ("/a/route/nobody/listed", &["admin"]),
            ("/-/healthy", &["viewer", "writer", "operator", "admin"]),
        ] {
            for (token, _) in roles {
                let expected = allowed.contains(&token);
                let admitted = admit(&gate, path, &bearer(token));
                assert_eq!(admitted.is_ok(), expected, "{token} on {path}: {admitted:?}");
            }
        }
    }

    #[test]
    fn applications_may_send_to_an_experiment_and_not_change_it() {
        let permission = |path: &str| permission_of(&Method::POST, path);
        for path in ["assign", "trial/assign", "trial/results", "trial/exposures"] {
            let path = format!("/api/v1/experiments/{path}");
            assert_eq!(permission(&path), Permission::Send, "{path}");
        }
        for path in ["", "/trial", "/trial/start", "/trial/complete", "/trial/x/assign"] {
            let path = format!("/api/v1/experiments{path}");
            assert_eq!(permission(&path), Permission::Operate, "{path}");
        }
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_a_basic_password() {
        let gate = gate(AuthMode::Token, &[("a:secret", Role::Viewer)], true);
        assert!(admit(&gate, "/metrics", &bearer("a:secret")).is_ok());
        let mut basic = HeaderMap::new();
        // base64 of "me:a:secret": the password begins after the first colon.
        basic.insert(header::AUTHORIZATION, "Basic bWU6YTpzZWNyZXQ=".parse().expect("a value"));
        assert_eq!(admit(&gate, "/metrics", &basic).expect("valid").name, "a:secret-name");
        assert_eq!(admit(&gate, "/metrics", &bearer("other")), Err(ErrorKind::Unauthorized));
    }
}
