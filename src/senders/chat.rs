//! Slack, Discord and Teams: a secret URL that takes JSON.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::model::{ChannelKind, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::template::Template;
use crate::notify::render::{Message, chat};
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Client, Request, exchange, secret_url};
use super::{Parts, Sender, Taken, own_text, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Whoever has it may write.
    url: Secret,
}

pub(super) struct Chat {
    kind: ChannelKind,
    client: Client,
    url: Secret,
    template: Option<Template>,
}

impl Chat {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        settings::check_url("url", &read.url)?;
        Ok(Chat {
            kind: parts.kind,
            client: parts.clients.with(parts.tls),
            url: read.url,
            template: parts.template,
        })
    }
}

impl Sender for Chat {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let message = Message::of(outgoing);
            let body = match self.kind {
                ChannelKind::Slack => chat::slack(&message, own.as_deref()),
                ChannelKind::Discord => chat::discord(&message, own.as_deref()),
                _ => chat::teams(&message, own.as_deref()),
            };
            let url = secret_url(&self.url).await?;
            let path = url.path().to_owned();
            let mut request = Request::json(url, &body);
            request.hide(&path);
            exchange(&self.client, self.kind, request, now).await
        })
    }
}
