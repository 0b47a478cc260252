//! TLS over a connection, for every kind that has it, and the kind `tls` itself.

mod certificate;
mod handshake;
mod probe;
mod starttls;

pub(super) use handshake::handshake;
pub(super) use probe::prepare;
