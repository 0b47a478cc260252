//! Running it: backup, tokens, upkeep, storage figures.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Role;
use crate::model::Timestamp;
use crate::store;

use super::json::success;
use super::request::{blocking, read_json};
use super::state::App;
use super::tokens::{self, TokenError};
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let kind = match &error {
            TokenError::Exists(_) => ErrorKind::Conflict,
            TokenError::Absent(_) => ErrorKind::NotFound,
            TokenError::Name(_) => ErrorKind::BadData,
            TokenError::Random(_) | TokenError::Store(_) => return ApiError::internal(error),
        };
        ApiError::new(kind, error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    role: Role,
}

/// `POST /api/v1/admin/tokens`
pub(super) async fn create_token(State(app): State<Arc<App>>, request: Request) -> Answered {
    let wanted: NewToken = read_json(&app, request).await?;
    let store = Arc::clone(app.engine()?.tsdb.store());
    let (name, role, now) = (wanted.name.clone(), wanted.role, app.clock.now());
    let token = blocking(move || Ok(tokens::create(&store, &name, role, now)?)).await?;
    app.read_tokens().map_err(ApiError::internal)?;
    Ok(success(&json!({"name": wanted.name, "role": wanted.role, "token": token})))
}

/// `GET /api/v1/admin/tokens`
pub(super) async fn list_tokens(State(app): State<Arc<App>>) -> Answered {
    let store = Arc::clone(app.engine()?.tsdb.store());
    let stored = blocking(move || tokens::list(&store).map_err(ApiError::internal)).await?;
    let settings = app.settings.load();
    let of_file = settings
        .auth
        .tokens
        .iter()
        .map(|token| json!({"name": token.name, "role": token.role, "origin": "file"}));
    let of_store = stored.iter().map(|token| {
        json!({
            "name": token.name,
            "role": token.role,
            "origin": "api",
            "created_at": token.created_at.to_string(),
        })
    });
    Ok(success(&of_file.chain(of_store).collect::<Vec<Value>>()))
}

/// `DELETE /api/v1/admin/tokens/{name}`
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Answered {
    if app.settings.load().auth.tokens.iter().any(|token| token.name == name) {
        return Err(ApiError::new(
            ErrorKind::Conflict,
            format!("token {name:?} comes from the settings file; remove it there and reload"),
        ));
    }
    let store = Arc::clone(app.engine()?.tsdb.store());
    let of_name = name.clone();
    blocking(move || Ok(tokens::revoke(&store, &of_name)?)).await?;
    app.read_tokens().map_err(ApiError::internal)?;
    Ok(success(&json!({"name": name, "revoked": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    path: PathBuf,
}

/// Ends the note that a backup runs, also when it fails or panics.
struct Running<'a>(&'a App);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.backup.running.store(false, Ordering::Release);
    }
}

/// `POST /api/v1/admin/backup`: copies the database to a new file on the daemon's machine.
pub(super) async fn start_backup(State(app): State<Arc<App>>, request: Request) -> Answered {
    let wanted: NewBackup = read_json(&app, request).await?;
    let store = Arc::clone(app.engine()?.tsdb.store());
    if app.backup.running.swap(true, Ordering::AcqRel) {
        return Err(ApiError::new(
            ErrorKind::Conflict,
            "a backup is running; wait for its end (GET /api/v1/admin/backup)",
        ));
    }
    let began = Instant::now();
    let progress_of = Arc::clone(&app);
    let path = wanted.path.clone();
    let outcome = blocking(move || {
        let progress = |share: f64| {
            progress_of.backup.permille.store((share * 1000.0) as u32, Ordering::Relaxed);
        };
        let _running = Running(&progress_of);
        let copied = store::backup(&store, &path, &progress);
        copied.map_err(|error| ApiError::new(ErrorKind::Execution, error.to_string()))
    })
    .await;
    Ok(success(&json!({
        "path": wanted.path.display().to_string(),
        "bytes": outcome?,
        "seconds": began.elapsed().as_secs_f64(),
    })))
}

/// `GET /api/v1/admin/backup`: whether one runs, and how far it is.
pub(super) async fn backup_progress(State(app): State<Arc<App>>) -> Response<Body> {
    success(&json!({
        "running": app.backup.running.load(Ordering::Acquire),
        "progress": f64::from(app.backup.permille.load(Ordering::Relaxed)) / 1000.0,
    }))
}

/// `POST /api/v1/admin/compact`: packs memory into blocks and merges blocks now, which upkeep
/// would do later. Free pages stay in the file for what comes next; `vedette compact` gives them
/// back.
pub(super) async fn compact(State(app): State<Arc<App>>) -> Answered {
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    let now = app.clock.now();
    let (flushed, merges) = blocking(move || {
        let flushed = tsdb.flush(&|_| {}).map_err(ApiError::internal)?;
        let mut merges = 0;
        // Each merge leaves fewer segments, so that this ends.
        while tsdb.merge(now, &|_| {}).map_err(ApiError::internal)? {
            merges += 1;
        }
        Ok((flushed, merges))
    })
    .await?;
    Ok(success(&json!({"flushed_samples": flushed, "merges": merges})))
}

/// `GET /api/v1/admin/storage`
pub(super) async fn storage(State(app): State<Arc<App>>) -> Answered {
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    let space = tsdb.store().disk_space();
    let stats = blocking(move || tsdb.storage_stats().map_err(ApiError::internal)).await?;
    let levels: Vec<Value> = ["flushed", "hours", "days", "rollups"]
        .iter()
        .enumerate()
        .map(|(place, level)| {
            json!({
                "level": level,
                "segments": stats.segments[place],
                "samples": stats.samples[place],
                "bytes": stats.bytes[place],
            })
        })
        .collect();
    let scrubs = &app.telemetry.scrubs;
    let scrubbed_at = Some(scrubs.last_at_seconds.get()).filter(|seconds| *seconds > 0);
    let scrub = scrubbed_at.map(|seconds| {
        json!({
            "at": Timestamp::from_millis(seconds * 1000),
            "values": scrubs.values.get(),
            "damaged": scrubs.damaged.get(),
        })
    });
    Ok(success(&json!({
        "file_bytes": stats.file_bytes,
        "journal_bytes": stats.journal_bytes,
        "disk_free_bytes": space.map(|(free, _)| free),
        "disk_total_bytes": space.map(|(_, total)| total),
        "oldest_ms": stats.from_ms,
        "newest_ms": stats.until_ms,
        "damaged_blocks": stats.damaged_blocks,
        "scrub": scrub,
        "levels": levels,
    })))
}
