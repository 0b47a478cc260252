//! What people do to experiments.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;

use crate::experiments::machine::Act;
use crate::model::ExperimentDefinition;

use crate::api::ApiError;
use crate::api::auth::Caller;
use crate::api::json::success;
use crate::api::objects::{find, shown};
use crate::api::request::read_optional_json;
use crate::api::state::App;

type Answered = Result<Response<Body>, ApiError>;

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 4_096;
/// The longest name of who acts, in bytes.
const BY_BYTES_MAX: usize = 256;

/// Whatever an act may say; each takes its own part.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    /// Who; the token's name unless it says.
    by: Option<String>,
    /// Why.
    note: String,
    /// Of `complete`: the variant that everybody gets.
    ship: Option<String>,
    /// Of `step` the step's number, of `switch` the variant's name.
    to: Option<To>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum To {
    Step(usize),
    Variant(String),
}

impl Said {
    fn check(&self) -> Result<(), ApiError> {
        let by = self.by.as_deref().unwrap_or("");
        if by.len() > BY_BYTES_MAX || self.note.len() > NOTE_BYTES_MAX {
            return Err(ApiError::bad_data(format!(
                "by: at most {BY_BYTES_MAX} bytes; note: at most {NOTE_BYTES_MAX}"
            )));
        }
        Ok(())
    }

    /// Refuses what the act has no use for: it would be lost without a word.
    fn act(&self, word: &str) -> Result<Act, ApiError> {
        let unused = |field: &str| {
            Err(ApiError::bad_data(format!("{field}: {word} has no use for it; leave it out")))
        };
        if self.ship.is_some() && word != "complete" {
            return unused("ship");
        }
        Ok(match (word, &self.to) {
            ("step", None) => Act::Step { to: None },
            ("step", Some(To::Step(to))) => Act::Step { to: Some(*to) },
            ("step", Some(To::Variant(_))) => {
                return Err(ApiError::bad_data("to: the number of a step, from 0"));
            }
            ("switch", None) => Act::Switch { to: None },
            ("switch", Some(To::Variant(to))) => Act::Switch { to: Some(to.clone()) },
            ("switch", Some(To::Step(_))) => {
                return Err(ApiError::bad_data("to: the name of a variant"));
            }
            (_, Some(_)) => return unused("to"),
            ("start", None) => Act::Start,
            ("pause", None) => Act::Pause,
            ("resume", None) => Act::Resume,
            ("complete", None) => Act::Complete { ship: self.ship.clone() },
            ("cancel", None) => Act::Cancel,
            (_, None) => Act::Rollback,
        })
    }
}

async fn act(app: Arc<App>, name: String, request: Request, word: &str) -> Answered {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.name.clone());
    let said: Said = read_optional_json(&app, request).await?;
    said.check()?;
    let by = said.by.clone().filter(|by| !by.is_empty()).or(caller).unwrap_or_default();
    let act = said.act(word)?;
    app.engine()?.experiments.act(&name, act, &by, &said.note).await?;
    Ok(success(&shown(&app, &*find::<ExperimentDefinition>(&app, &name)?)))
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub(super) async fn $name(
            State(app): State<Arc<App>>,
            Path(name): Path<String>,
            request: Request,
        ) -> Answered {
            act(app, name, request, stringify!($name)).await
        }
    )*};
}

acts! {
    /// `POST …/start`: a draft begins.
    start
    /// `POST …/pause`: nobody new is enrolled.
    pause
    /// `POST …/resume`: it goes on; breaches until now are accepted.
    resume
    /// `POST …/complete {"ship"}`: it ends, and everybody gets what is shipped.
    complete
    /// `POST …/cancel`: it ends, and nothing follows.
    cancel
    /// `POST …/step {"to"}`: a canary goes to its next step, or to a certain one.
    step
    /// `POST …/switch {"to"}`: blue and green change places.
    switch
    /// `POST …/rollback`: it ends with everybody at the control.
    rollback
}
