//! Telegram's bot API (core.telegram.org/bots/api#sendmessage).

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;

use crate::model::{ChannelKind, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::template::Template;
use crate::notify::render::{Message, chat};
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Client, Request, exchange, secret_text};
use super::{Parts, Sender, Taken, own_text, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    token: Secret,
    chat_id: ChatId,
    thread_id: Option<i64>,
    #[serde(default)]
    silent: bool,
    #[serde(default = "api")]
    api_url: String,
}

/// A number, or `@name` of a public channel.
#[derive(Deserialize, serde::Serialize)]
#[serde(untagged, expecting = "expected a number or \"@channel\"")]
enum ChatId {
    Number(i64),
    Name(String),
}

fn api() -> String {
    "https://api.telegram.org".to_owned()
}

pub(super) struct Telegram {
    client: Client,
    settings: Settings,
    template: Option<Template>,
}

impl Telegram {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        settings::parse_url(&read.api_url).map_err(|e| format!("settings.api_url: {e}"))?;
        let client = parts.clients.with(parts.tls);
        Ok(Telegram { client, settings: read, template: parts.template })
    }
}

impl Sender for Telegram {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let text = chat::telegram_html(&Message::of(outgoing), own.as_deref());
            let token = secret_text(&self.settings.token).await?;
            let base = self.settings.api_url.trim_end_matches('/');
            let url = settings::parse_url(&format!("{base}/bot{token}/sendMessage"))
                .map_err(|e| Failure::permanent(format!("settings.api_url: {e}")))?;
            let mut body = json!({
                "chat_id": self.settings.chat_id,
                "text": text,
                "parse_mode": "HTML",
                "link_preview_options": {"is_disabled": true},
                "disable_notification": self.settings.silent || !outgoing.firing(),
            });
            if let Some(thread) = self.settings.thread_id {
                body["message_thread_id"] = thread.into();
            }
            let mut request = Request::json(url, &body);
            request.hide(&token);
            exchange(&self.client, ChannelKind::Telegram, request, now).await
        })
    }
}
