//! The HTTP interface.
//!
//! Owns: routes, access, parameters, answers, statuses and the accept loop. Never: deciding
//! anything about the data; that is the business of the rooms below. Start reading at
//! [`ApiError`], then at the router.

mod auth;
mod body;
mod error;
mod guard;
mod json;
mod listen;
mod params;
mod tls;
pub mod tokens;

pub use auth::Gate;
pub use error::{ApiError, ErrorKind};
pub use listen::{CurrentTls, ListenOptions, serve};
pub use tls::load_tls;
