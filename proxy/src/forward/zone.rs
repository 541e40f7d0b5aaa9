//! The availability zone of this process, and the name of a VPC endpoint's addresses in it.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::describe;
use crate::config::Zone;

/// Set by Amazon ECS in each container.
const METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";
/// Much more than a task's metadata takes.
const MOST_BYTES: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(5);

/// The name under which only the addresses in `zone` are found: `vpce-1-2.execute-api.…` has
/// `vpce-1-2-eu-west-1a.execute-api.…`. None without a zone, and if it cannot be learnt.
pub(super) async fn zonal_name(name: &str, zone: Option<&Zone>) -> Option<String> {
    let zone = match zone? {
        Zone::Named(zone) => zone.clone(),
        Zone::Ecs => match timeout(LIMIT, ecs_zone()).await {
            Ok(Ok(zone)) => zone,
            Ok(Err(problem)) => {
                tracing::warn!(
                    problem,
                    "upstream.zone is \"ecs\", and the zone cannot be learnt: all zones are equal"
                );
                return None;
            }
            Err(_elapsed) => {
                tracing::warn!("upstream.zone is \"ecs\", and the metadata do not come: all zones are equal");
                return None;
            }
        },
    };
    let (endpoint, domain) = name.split_once('.')?;
    let zonal = format!("{endpoint}-{zone}.{domain}");
    tracing::info!(name = zonal, "addresses of this zone come first");
    Some(zonal)
}

#[derive(Deserialize)]
struct Task {
    #[serde(rename = "AvailabilityZone")]
    zone: String,
}

async fn ecs_zone() -> Result<String, String> {
    let uri = std::env::var(METADATA).map_err(|error| format!("{METADATA}: {error}"))?;
    let uri: http::Uri = format!("{uri}/task").parse().map_err(|error| format!("{METADATA}: {error}"))?;
    let host = uri.host().unwrap_or_default().to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(80)))
        .await
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| describe(&error))?;
    tokio::spawn(connection);
    let request = Request::get(uri.path())
        .header(HOST, host)
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| describe(&error))?;
    let body =
        Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
    let task: Task = serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())?;
    Ok(task.zone)
}
