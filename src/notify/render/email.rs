//! Mail: subject, text and HTML.

use crate::notify::Outgoing;

use super::chat::html_escape;
use super::{Message, cut_chars};

/// RFC 5322, 2.1.1 bounds a line at 998; a subject that people can read is far shorter.
pub const SUBJECT_CHARS_MAX: usize = 200;
/// Alerts that a mail lists.
pub const MAIL_ALERTS_MAX: usize = 200;

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// A whole document.
    pub html: String,
}

/// Words a mail.
pub fn mail(outgoing: &Outgoing, own: Option<&str>) -> Mail {
    let message = Message::of(outgoing);
    let subject = cut_chars(&message.title.replace(['\r', '\n'], " "), SUBJECT_CHARS_MAX);
    let (text, body) = match own {
        Some(own) => (own.to_owned(), format!("<pre>{}</pre>", html_escape(own))),
        None => (plain(&message), list(&message)),
    };
    let html = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"font-family: sans-serif\"><h2>{title}</h2>\n{body}</body></html>\n",
        title = html_escape(&message.title),
    );
    Mail { subject, text, html }
}

fn left_out(message: &Message) -> u64 {
    message.lines.len().saturating_sub(MAIL_ALERTS_MAX) as u64 + message.hidden
}

fn plain(message: &Message) -> String {
    let mut text = format!("{}\n\n", message.title);
    if !message.intro.is_empty() {
        text.push_str(&format!("{}\n\n", message.intro));
    }
    for line in message.lines.iter().take(MAIL_ALERTS_MAX) {
        text.push_str(&format!("{}\n", line.plain()));
        for more in line.description.lines() {
            text.push_str(&format!("    {more}\n"));
        }
        for (label, url) in [("see", &line.link), ("runbook", &line.runbook)] {
            if !url.is_empty() {
                text.push_str(&format!("    {label}: {url}\n"));
            }
        }
    }
    match left_out(message) {
        0 => {}
        more => text.push_str(&format!("… and {more} more\n")),
    }
    if !message.link.is_empty() {
        text.push_str(&format!("\n{}\n", message.link));
    }
    text
}

fn list(message: &Message) -> String {
    let mut html = String::new();
    if !message.intro.is_empty() {
        html.push_str(&format!("<p>{}</p>\n", html_escape(&message.intro)));
    }
    html.push_str("<ul>\n");
    for line in message.lines.iter().take(MAIL_ALERTS_MAX) {
        html.push_str(&format!("<li>{}", html_escape(&line.plain())));
        if !line.description.is_empty() {
            html.push_str(&format!("<br>{}", html_escape(&line.description)));
        }
        for (label, url) in [("open", &line.link), ("runbook", &line.runbook)] {
            if url.starts_with("http://") || url.starts_with("https://") {
                html.push_str(&format!(" · <a href=\"{}\">{label}</a>", html_escape(url)));
            }
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ul>\n");
    match left_out(message) {
        0 => {}
        more => html.push_str(&format!("<p>… and {more} more</p>\n")),
    }
    if message.link.starts_with("http") {
        let link = html_escape(&message.link);
        html.push_str(&format!("<p><a href=\"{link}\">{link}</a></p>\n"));
    }
    html
}
