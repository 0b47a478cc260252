//! Which path leads where, and what every request passes on its way.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};

use crate::model::{ChannelDefinition, MaintenanceWindow, RuleDefinition};

use super::auth::{Caller, Via};
use super::state::App;
use super::{
    ApiError, ErrorKind, admin, alertmanager, alerts, backtest, channels, checks, deliveries,
    exemplars, experiments, features, federate, guard, incidents, ingest, live, logs, objectives,
    objects, openapi, otlp, outcomes, overview, page, ping, query, rule_definitions, rules, series,
    session, silences, stats, status, syntax, targets,
};

/// Answers below this many bytes are not compressed: it would cost more than it saves.
const COMPRESS_FROM_BYTES: u16 = 4096;

/// All routes over one state.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page::front))
        .route(
            "/api/v1/session",
            get(session::show).post(session::sign_in).delete(session::sign_out),
        )
        .route("/api/v1/overview", get(overview::overview))
        .route("/ui", get(page::index))
        .route("/ui/", get(page::index))
        .route("/ui/{*path}", get(page::below))
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::ready))
        .route("/-/reload", post(status::reload).put(status::reload))
        .route("/metrics", get(status::metrics))
        .route("/api/v1/write", post(ingest::remote_write))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/api/v1/otlp/v1/metrics", post(otlp::metrics))
        .route("/federate", get(federate::federate))
        .route("/api/v1/samples", post(ingest::samples))
        .route("/api/v1/import/prometheus", post(ingest::import))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/format_query", get(syntax::format).post(syntax::format))
        .route("/api/v1/parse_query", get(syntax::tree).post(syntax::tree))
        .route("/api/v1/series", get(series::series).post(series::series))
        .route("/api/v1/labels", get(series::label_names).post(series::label_names))
        .route("/api/v1/label/{name}/values", get(series::label_values))
        .route("/api/v1/metadata", get(series::metadata))
        .merge(features::routes())
        .merge(logs::routes())
        .route("/api/v1/outcomes", post(outcomes::outcomes))
        .merge(checks::routes())
        .merge(experiments::routes())
        .route("/ping/{token}", get(ping::success).post(ping::success))
        .route("/ping/{token}/{what}", get(ping::other).post(ping::other))
        .merge(objects::routes::<ChannelDefinition>("channels"))
        .route("/api/v1/channels/{name}/test", post(channels::test))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/deliveries/{id}/resend", post(deliveries::resend))
        .merge(objects::routes::<MaintenanceWindow>("maintenance"))
        .merge(objects::routes_but_list::<RuleDefinition>("rules", get(rules::rules)))
        .route("/api/v1/rules/test", post(rule_definitions::test))
        .route("/api/v1/rules/backtest", post(backtest::of_body))
        .route("/api/v1/rules/{name}/backtest", post(backtest::of_name))
        .route("/api/v1/rules/{name}/test", post(rule_definitions::test_named))
        .route("/api/v1/rules/{name}/explain", get(rule_definitions::explain))
        .route("/api/v1/alerts", get(alerts::alerts))
        .merge(silences::routes())
        .merge(objectives::routes())
        .merge(stats::routes())
        .merge(incidents::routes())
        .merge(alertmanager::routes())
        .merge(live::routes())
        .route("/api/v1/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/status/buildinfo", get(status::buildinfo))
        .route("/api/v1/status/runtimeinfo", get(status::runtimeinfo))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/v1/admin/backup", get(admin::backup_progress).post(admin::start_backup))
        .route("/api/v1/admin/compact", post(admin::compact))
        .route("/api/v1/admin/storage", get(admin::storage))
        .route("/api/v1/admin/tokens", get(admin::list_tokens).post(admin::create_token))
        .route("/api/v1/admin/tokens/{name}", delete(admin::revoke_token))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(
            CompressionLayer::new()
                .gzip(true)
                .quality(CompressionLevel::Fastest)
                // Compressing a stream of events would hold each of them back.
                .compress_when(
                    SizeAbove::new(COMPRESS_FROM_BYTES.into()).and(NotForContentType::SSE),
                ),
        )
        .layer(from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Lets a request in or turns it away, and counts it either way.
async fn admit(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response<Body> {
    let handler = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let scripted = is_scripted(request.headers());
    let mut response = match decide(&app, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if scripted && response.status() == StatusCode::UNAUTHORIZED {
        // The page asks for the token itself: the offer of Basic would open the browser's dialog.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    app.telemetry.http_requests.add([&handler, response.status().as_str()], 1);
    response
}

/// What a page's script is told of a missing token.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"vedette\"");
/// What others sent us is what we say it is: a browser must not look for scripts in it.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Whether a page's script asks, and not a person who opened an address (Fetch Metadata; scripts in
/// pages without TLS may say so as is custom).
fn is_scripted(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode != "navigate",
        None => headers.contains_key("x-requested-with") || Via::of(headers) == Via::Cookie,
    }
}

fn decide(app: &App, request: &Request) -> Result<Caller, ApiError> {
    let gate = app.gate();
    let settings = app.settings.load();
    guard::check(
        gate.relies_on_loopback(),
        &settings.server.allowed_hosts,
        request.method(),
        request.uri(),
        request.headers(),
    )?;
    if Via::of(request.headers()) == Via::Cookie {
        guard::own_page(request.method(), request.uri(), request.headers())?;
    }
    gate.admit(request.method(), request.uri().path(), request.headers())
}

async fn no_such_path(request: Request) -> ApiError {
    let path = request.uri().path();
    ApiError::new(ErrorKind::NotFound, format!("there is no {path:?}; / says where to look"))
}

async fn no_such_method(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(ErrorKind::MethodNotAllowed, format!("{path} does not answer {method}"))
}
