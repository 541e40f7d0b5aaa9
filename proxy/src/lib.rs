//! Postern, a mutual-TLS edge proxy for private APIs.
//!
//! The life of a request, each phase in its file: [`accept`] → [`proxy_protocol`], where it is spoken → [`handshake`] → [`identify`] → [`authorize`] →
//! [`forward`]; [`connection`] leads through them. Around it: [`config`], [`trust`] (what may change while running),
//! [`refusal`] (every reason to say no), [`record`] and [`access_log`], [`metrics`], [`admin`], [`drain`], and [`app`],
//! the only place where things are wired.

pub mod accept;
pub mod access_log;
pub mod admin;
pub mod app;
pub mod authorize;
pub mod clock;
pub mod config;
pub mod connection;
pub mod cryptography;
pub mod drain;
pub mod explain;
pub mod forward;
pub mod handshake;
pub mod health;
pub mod http1;
pub mod http1_guard;
pub mod http2;
pub mod http2_guard;
pub mod identify;
pub mod jitter;
pub mod lingering;
pub mod metrics;
pub mod names;
pub mod open_requests;
pub mod operate;
pub mod problem;
pub mod progress;
pub mod proxy_protocol;
pub mod record;
pub mod refusal;
pub mod reload;
pub mod routes;
pub mod shares;
pub mod sources;
pub mod target;
pub mod trust;
pub mod tunnel;
pub mod upload;
