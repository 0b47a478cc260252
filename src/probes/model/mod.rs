//! Checks of the kind `model`: an endpoint that speaks OpenAI's API, `GET /models` and
//! `POST /chat/completions` (platform.openai.com/docs/api-reference).

mod budget;
mod events;
mod exchange;

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use self::budget::Budget;
use self::events::Events;
use self::exchange::{Answer, body, refused};
use super::Probe;
use super::attempt::{Attempt, Question};
use super::connect::IpVersion;
use super::cursor::readable;
use super::settings;
use super::target::HostPort;
use super::transport::conceal;
use crate::model::CheckDefinition;
use crate::trust::{Secret, TlsClient};

/// So many bytes of an answer's text are kept.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// A prompt may have so many bytes.
const PROMPT_BYTES_MAX: usize = 16 << 10;
/// Names of models in an error.
const NAMES_MAX: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    api_key: Option<Secret>,
    model: Option<String>,
    prompt: Option<String>,
    max_tokens: u64,
    /// Newer models of OpenAI call it otherwise.
    max_tokens_field: MaxTokensField,
    tokens_per_day: u64,
    tls: TlsClient,
    ip_version: IpVersion,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MaxTokensField {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            api_key: None,
            model: None,
            prompt: None,
            max_tokens: 32,
            max_tokens_field: MaxTokensField::default(),
            tokens_per_day: 10_000,
            tls: TlsClient::default(),
            ip_version: IpVersion::default(),
        }
    }
}

struct Model {
    base: Url,
    target: HostPort,
    settings: Settings,
    /// What is set aside for one prompt: it and the longest answer.
    tokens_each: u64,
    budget: Mutex<Budget>,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    // Never the text itself: a URL may hold a password.
    let base = Url::parse(check.target.trim()).map_err(|error| {
        format!("target: it is no URL ({error}); write https://api.openai.com/v1")
    })?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err("target: a URL with https:// or http:// is wanted".to_owned());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err("target: a user in the URL is not used; set settings.api_key".to_owned());
    }
    let target = HostPort::of_url(&base)?;
    let prompt_tokens = settings.prompt.as_ref().map_or(0, |prompt| estimate(prompt));
    let tokens_each = prompt_tokens.saturating_add(settings.max_tokens);
    if let Some(prompt) = &settings.prompt {
        if settings.model.is_none() {
            return Err("model: a prompt needs the name of a model".to_owned());
        }
        if prompt.is_empty() || prompt.len() > PROMPT_BYTES_MAX {
            return Err(format!("prompt: it must have 1 to {PROMPT_BYTES_MAX} bytes"));
        }
        if settings.max_tokens == 0 {
            return Err("max_tokens: an answer needs at least 1".to_owned());
        }
        if tokens_each > settings.tokens_per_day {
            return Err(format!(
                "tokens_per_day: one prompt and its answer may need {tokens_each}, more than the \
                 {} of a day: raise it, or lower max_tokens",
                settings.tokens_per_day
            ));
        }
    }
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(Model { base, target, settings, tokens_each, budget: Mutex::default() }))
}

/// Tokens of a prompt, rather too many: languages differ, and so do tokenizers.
fn estimate(prompt: &str) -> u64 {
    prompt.len() as u64 / 2 + 16
}

impl Question for Model {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let key = match &self.settings.api_key {
                Some(secret) => settings::secret(secret).await?,
                None => String::new(),
            };
            let outcome = self.ask(attempt, &key).await;
            conceal(attempt, outcome, &[&key])
        })
    }
}

impl Model {
    async fn ask(&self, attempt: &mut Attempt, key: &str) -> Result<(), String> {
        let Some(prompt) = &self.settings.prompt else { return self.list(attempt, key).await };
        let today =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs() / 86_400);
        let today = i64::try_from(today).unwrap_or(i64::MAX);
        let limit = self.settings.tokens_per_day;
        if !self.with_budget(|budget| budget.reserve(today, self.tokens_each, limit)) {
            attempt.note(
                "budget",
                format!(
                    "{} of {limit} tokens of today are spent, too many for another prompt: only \
                     the list of models was asked",
                    self.with_budget(|budget| budget.spent())
                ),
            );
            return self.list(attempt, key).await;
        }
        // What is not settled, because of a failure or the timeout, counts as spent.
        let spent = self.chat(attempt, key, prompt).await?;
        self.with_budget(|budget| budget.settle(self.tokens_each, spent));
        attempt.note("tokens_today", self.with_budget(|budget| budget.spent()));
        Ok(())
    }

    fn with_budget<T>(&self, f: impl FnOnce(&mut Budget) -> T) -> T {
        f(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for the list of models.
    async fn list(&self, attempt: &mut Attempt, key: &str) -> Result<(), String> {
        let answer = self.exchange(attempt, key, "models", None).await?;
        let status = answer.response.status();
        let (bytes, cut) = body(answer.response).await.map_err(|error| self.blame(error))?;
        if status != hyper::StatusCode::OK {
            return Err(self.blame(refused(status, &bytes)));
        }
        if cut {
            return Err(self.blame("its list of models is longer than is read".to_owned()));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| {
            self.blame("its list of models is no JSON; does it speak OpenAI's API?".to_owned())
        })?;
        let Some(models) = value.get("data").and_then(Value::as_array) else {
            return Err(self
                .blame("its list of models has no data; does it speak OpenAI's API?".to_owned()));
        };
        attempt.seen.body = bytes;
        attempt.seen.values.insert("MODELS".to_owned(), models.len() as f64);
        let mut names = models.iter().filter_map(|model| model.get("id")?.as_str());
        match &self.settings.model {
            Some(wanted) if !names.clone().any(|name| name == wanted) => {
                let some: Vec<String> =
                    names.by_ref().take(NAMES_MAX).map(|name| readable(name.as_bytes())).collect();
                Err(self.blame(format!(
                    "it does not list the model {wanted:?}; it has {} models: {}",
                    models.len(),
                    some.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// Asks the prompt. Gives the tokens that it cost.
    async fn chat(&self, attempt: &mut Attempt, key: &str, prompt: &str) -> Result<u64, String> {
        let field = match self.settings.max_tokens_field {
            MaxTokensField::MaxTokens => "max_tokens",
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        };
        let question = json!({
            "model": self.settings.model,
            "messages": [{ "role": "user", "content": prompt }],
            field: self.settings.max_tokens,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        let answer = self.exchange(attempt, key, "chat/completions", Some(&question)).await?;
        let status = answer.response.status();
        if status != hyper::StatusCode::OK {
            let (bytes, _) = body(answer.response).await.map_err(|error| self.blame(error))?;
            return Err(self.blame(refused(status, &bytes)));
        }
        attempt.wait_for(format!("the answer of the model at {}", self.target));
        let counted = self.listen(attempt, answer).await.map_err(|error| self.blame(error))?;
        attempt.seen.values.insert("TOKENS".to_owned(), counted.answer as f64);
        Ok(counted.total.unwrap_or_else(|| estimate(prompt).saturating_add(counted.answer)))
    }

    /// Reads the answer, as it comes, up to the budget.
    async fn listen(&self, attempt: &mut Attempt, answer: Answer) -> Result<Counted, String> {
        let Answer { response, asked_at, wire } = answer;
        let mut events = Events::of(exchange::is_event_stream(&response));
        let mut incoming = response.into_body();
        let mut counted = Counted::default();
        let mut pieces = 0;
        let mut done = false;
        while !done {
            let chunks = match exchange::next_bytes(&mut incoming).await? {
                Some(bytes) => events.feed(&bytes)?,
                None => {
                    done = true;
                    events.end()?
                }
            };
            for chunk in chunks {
                if chunk.thought || !chunk.text.is_empty() {
                    pieces += 1;
                    let first_ms = || asked_at.elapsed().as_secs_f64() * 1000.0;
                    let values = &mut attempt.seen.values;
                    values.entry("FIRST_TOKEN_TIME".to_owned()).or_insert_with(first_ms);
                }
                attempt.seen.body.extend_from_slice(chunk.text.as_bytes());
                counted.total = chunk.total_tokens.or(counted.total);
                counted.answer = chunk.answer_tokens.unwrap_or(counted.answer.max(pieces));
                done |= chunk.done;
            }
            // One piece is one token at least: more than were asked for are not listened to.
            if pieces > self.settings.max_tokens || attempt.seen.body.len() > TEXT_BYTES_MAX {
                attempt.seen.body.truncate(TEXT_BYTES_MAX);
                attempt.note(
                    "cut",
                    format!(
                        "more came than max_tokens ({}) allows, so the connection was cut",
                        self.settings.max_tokens
                    ),
                );
                break;
            }
        }
        drop(wire);
        if pieces == 0 {
            return Err("its answer is empty; does it speak OpenAI's API?".to_owned());
        }
        Ok(counted)
    }

    fn blame(&self, error: String) -> String {
        format!("{}: {error}", self.target)
    }
}

/// Tokens of an exchange.
#[derive(Debug, Default)]
struct Counted {
    /// As the server says, or else pieces that came.
    answer: u64,
    /// Prompt and answer, if the server says.
    total: Option<u64>,
}
