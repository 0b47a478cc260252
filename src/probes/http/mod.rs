//! Checks of the kind `http`: a URL. Every attempt is a connection of its own, so that every phase
//! takes place and is measured, as blackbox_exporter does (`prober/http.go`).

mod body;
mod exchange;
mod request;
mod settings;

use futures_util::future::BoxFuture;
use reqwest::Url;

use self::exchange::exchange;
pub(super) use self::exchange::listed;
use self::request::Form;
use self::settings::Settings;
use super::Probe;
use super::attempt::{Attempt, Question};
use super::settings::read;
use super::target;
use crate::model::CheckDefinition;

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = read(check)?;
    let url = target::url(&check.target, &["http", "https"])?;
    settings.check(&url).map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(HttpQuestion { url, settings }))
}

struct HttpQuestion {
    url: Url,
    settings: Settings,
}

impl Question for HttpQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let settings = &self.settings;
            let mut form = Form::new(&self.url, settings).await?;
            let redirects_max = settings.redirects_max();
            for redirects in 0.. {
                attempt.note("url", shown(&form.url));
                attempt.note("redirects", redirects);
                let Some(location) = exchange(attempt, &form, settings, redirects_max > 0).await?
                else {
                    return Ok(());
                };
                if redirects >= redirects_max {
                    return Err(format!(
                        "{} redirects on after {redirects_max} redirects, to {location:?}: a loop?",
                        shown(&form.url)
                    ));
                }
                form.follow(&location, attempt.seen.status.unwrap_or(0))?;
            }
            Ok(())
        })
    }
}

/// A URL without user and password.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
