//! Slack, Discord, Teams and Telegram.

use serde_json::{Value, json};

use crate::model::Severity;

use super::{Line, Message, cut_chars, cut_utf16, fit};

/// docs.slack.dev/reference/block-kit/blocks: text of a section.
pub const SLACK_SECTION_CHARS_MAX: usize = 3000;
/// The same: text of a header.
pub const SLACK_HEADER_CHARS_MAX: usize = 150;
/// docs.discord.com/developers/resources/message#embed-object-embed-limits: description 4096; the
/// content of a message is 2000, and this stays below both.
pub const DISCORD_TEXT_CHARS_MAX: usize = 2000;
/// The same: title.
pub const DISCORD_TITLE_CHARS_MAX: usize = 256;
/// core.telegram.org/bots/api#sendmessage: after entities are parsed; we count before.
pub const TELEGRAM_TEXT_UTF16_MAX: usize = 4096;
/// learn.microsoft.com/microsoftteams (incoming webhooks and workflows): 28 KB for the whole
/// message, which leaves this for the text with JSON's escapes.
pub const TEAMS_TEXT_UTF16_MAX: usize = 8000;

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// Text of a channel's own template, or our lines as `line` writes them, within `max`.
fn body(
    message: &Message,
    own: Option<&str>,
    max: usize,
    size: fn(&str) -> usize,
    escape: fn(&str) -> String,
    line: impl Fn(&Line) -> String,
) -> String {
    if let Some(own) = own {
        return fit(&[own.to_owned()], "\n", max, 0, size);
    }
    let intro = (!message.intro.is_empty()).then(|| escape(&message.intro));
    let items: Vec<String> = intro.into_iter().chain(message.lines.iter().map(line)).collect();
    fit(&items, "\n", max, message.hidden, size)
}

const fn color(message: &Message) -> u32 {
    match (message.firing, message.severity) {
        (false, _) => 0x2e_a0_43,
        (true, Severity::Critical) => 0xd3_2f_2f,
        (true, Severity::Warning) => 0xf5_7c_00,
        (true, Severity::Info) => 0x19_76_d2,
    }
}

/// docs.slack.dev/messaging/formatting-message-text#escaping: exactly these three.
pub fn slack_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The body of a Slack incoming webhook
/// (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
pub fn slack(message: &Message, own: Option<&str>) -> Value {
    let text = body(message, own, SLACK_SECTION_CHARS_MAX, chars, slack_escape, |line| {
        let mut text = format!("{} {}", line.mark(), slack_escape(&line.unmarked()));
        if !line.link.is_empty() {
            text.push_str(&format!(" · <{}|open>", slack_escape(&line.link)));
        }
        if !line.runbook.is_empty() {
            text.push_str(&format!(" · <{}|runbook>", slack_escape(&line.runbook)));
        }
        text
    });
    let title = cut_chars(&message.title, SLACK_HEADER_CHARS_MAX);
    json!({
        // Shown in notifications, and by clients without blocks.
        "text": slack_escape(&title),
        "attachments": [{
            "color": format!("#{:06x}", color(message)),
            "fallback": title,
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": true}},
                {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            ],
        }],
    })
}

/// Puts a backslash before everything that Discord and Teams take for formatting.
fn markdown_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn markdown_line(line: &Line) -> String {
    let mut text = format!("{} {}", line.mark(), markdown_escape(&line.unmarked()));
    for (label, url) in [("open", &line.link), ("runbook", &line.runbook)] {
        // A bracket or space in a URL would end the link early.
        if !url.is_empty() && !url.contains([')', ' ', '\n']) {
            text.push_str(&format!(" · [{label}]({url})"));
        }
    }
    text
}

/// The body of a Discord webhook
/// (docs.discord.com/developers/resources/webhook#execute-webhook). Nobody is pinged by what an
/// alert says.
pub fn discord(message: &Message, own: Option<&str>) -> Value {
    let text = body(message, own, DISCORD_TEXT_CHARS_MAX, chars, markdown_escape, markdown_line);
    let mut embed = json!({
        "title": cut_chars(&message.title, DISCORD_TITLE_CHARS_MAX),
        "description": text,
        "color": color(message),
    });
    if !message.best_link().is_empty() {
        embed["url"] = message.best_link().into();
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}

/// The body for a Teams workflow "when a webhook request is received": a message with one
/// adaptive card (learn.microsoft.com/connectors/teams, adaptivecards.io/explorer).
pub fn teams(message: &Message, own: Option<&str>) -> Value {
    let utf16 = |text: &str| text.encode_utf16().count();
    // Blank lines: a text block's Markdown joins lines that follow each other.
    let text = match own {
        Some(own) => cut_utf16(own, TEAMS_TEXT_UTF16_MAX),
        None => {
            let intro = (!message.intro.is_empty()).then(|| markdown_escape(&message.intro));
            let lines = message.lines.iter().map(markdown_line);
            let items: Vec<String> = intro.into_iter().chain(lines).collect();
            fit(&items, "\n\n", TEAMS_TEXT_UTF16_MAX, message.hidden, utf16)
        }
    };
    let color = match (message.firing, message.severity) {
        (false, _) => "good",
        (true, Severity::Critical) => "attention",
        (true, Severity::Warning) => "warning",
        (true, Severity::Info) => "accent",
    };
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "TextBlock", "text": cut_utf16(&message.title, 256), "weight": "bolder",
             "size": "medium", "wrap": true, "color": color},
            {"type": "TextBlock", "text": text, "wrap": true},
        ],
    });
    if !message.best_link().is_empty() {
        card["actions"] =
            json!([{"type": "Action.OpenUrl", "title": "Open", "url": message.best_link()}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// core.telegram.org/bots/api#html-style
pub fn html_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text of a Telegram message in its HTML.
pub fn telegram_html(message: &Message, own: Option<&str>) -> String {
    fn utf16(text: &str) -> usize {
        text.encode_utf16().count()
    }
    if let Some(own) = own {
        return cut_utf16(own, TELEGRAM_TEXT_UTF16_MAX);
    }
    let title = format!("<b>{}</b>\n\n", html_escape(&cut_chars(&message.title, 256)));
    let room = TELEGRAM_TEXT_UTF16_MAX - utf16(&title);
    let text = body(message, None, room, utf16, html_escape, |line| {
        // A tag that is cut in two would make Telegram refuse the whole: each line has room.
        let mut text =
            format!("{} {}", line.mark(), html_escape(&cut_chars(&line.unmarked(), 500)));
        for (label, url) in [("open", &line.link), ("runbook", &line.runbook)] {
            if !url.is_empty() && url.len() < 500 {
                text.push_str(&format!(" · <a href=\"{}\">{label}</a>", html_escape(url)));
            }
        }
        text
    });
    title + &text
}
