//! One module a behaviour; each test starts its own processes on free ports.

mod access_log;
mod admin;
mod bench;
mod bodies;
mod certificate_refusals;
mod command_line;
mod config_errors;
mod downloads;
mod drain;
mod good_client;
mod headers;
mod health;
mod index_files;
mod limits;
mod not_tls;
mod open_connections;
mod playground;
mod proxy_protocol;
mod reload;
mod request_refusals;
mod revocation;
mod routes;
mod signed_indexes;
mod tree;
mod upstream_connections;
mod upstream_faults;
