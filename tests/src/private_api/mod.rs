//! An endpoint that behaves like execute-api: HTTP/1.1 over TLS, routed by API id, and unkind on request.

mod body;
mod echo;
mod fault;
mod route;
mod server;
mod sigv4;

pub use body::pattern_sha256;
pub use echo::{Received, ReceivedBody};
pub use server::{PrivateApi, Settings, SetupError};
pub use sigv4::Verifier;
