//! Whom we trust, and with what we are trusted.
//!
//! Owns: secrets and where they are kept, the authorities of TLS towards others, our certificate.
//! Never: a connection, or showing a secret. Start reading at [`Secret`] and [`TlsClient`].

mod client_config;
mod hide;
mod secret;
mod tls_client;

pub use client_config::{any_certificate, client_config, with_identity};
pub use hide::{HIDDEN, hide_secrets, restore_secrets};
pub use secret::Secret;
pub use tls_client::{Identity, TlsClient};
