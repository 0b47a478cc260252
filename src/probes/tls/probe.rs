//! Checks of the kind `tls`: the certificate of a `host:port`.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::handshake;
use super::starttls::{self, StartTls};
use crate::model::CheckDefinition;
use crate::probes::Probe;
use crate::probes::attempt::{Attempt, Question};
use crate::probes::connect::{IpVersion, connect};
use crate::probes::settings;
use crate::probes::target::HostPort;
use crate::trust::TlsClient;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    tls: TlsClient,
    starttls: Option<StartTls>,
    ip_version: IpVersion,
}

struct TlsQuestion {
    target: HostPort,
    settings: Settings,
}

pub(in crate::probes) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let usual = settings.starttls.map_or(443, StartTls::port);
    let target = HostPort::parse(&check.target, Some(usual))?;
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(TlsQuestion { target, settings }))
}

impl Question for TlsQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let Settings { tls, starttls, ip_version } = &self.settings;
            let mut stream = connect(attempt, &self.target, *ip_version).await?;
            if let Some(protocol) = starttls {
                attempt.wait_for(format!("asking {} for encryption", self.target));
                starttls::ask(&mut stream, *protocol)
                    .await
                    .map_err(|error| format!("{}: {error}", self.target))?;
            }
            handshake(attempt, stream, &self.target, tls, &[]).await?;
            Ok(())
        })
    }
}
