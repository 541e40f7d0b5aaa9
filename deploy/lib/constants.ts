/**
 * Names and ports that the infrastructure and the programs must agree on. `test/agreement.test.ts` compares them with
 * `proxy/config.example.toml`, `docs/metrics.md` and the lists of AWS calls beside the programs.
 */

/** Ports of one task; `clients` is the load balancer's. */
export const PORTS = { clients: 443, proxy: 8443, admin: 9090, https: 443 } as const;

/** Paths of the proxy's admin port. */
export const ADMIN = { ready: "/readyz", metrics: "/metrics" } as const;

/** Who the container runs as: nobody in particular, in no group of the host. */
export const USER = "65532:65532";

/** Where the container may write. The image has the directory, it is `USER`'s, and declared a volume, so that ECS keeps it so. */
export const STATE = "/var/lib/postern";

/** The environment variable that holds the whole configuration; the proxy is started with `--config env:CONFIGURATION`. */
export const CONFIGURATION = "CONFIGURATION";

/** Seconds. A load balancer may send new connections for about 120 s after deregistration, and ECS stops waiting after 120 s. */
export const DRAIN = { accept: 60, deadline: 110, stopTimeout: 120, deregistration: 120 } as const;

/** What the proxy tells the API about its client, and nobody else may. */
export const IDENTITY_HEADERS = ["Client-Cert", "X-Client-Cert-Sub", "X-Postern-Vpce-Id"] as const;

/** Keys of the bucket that holds what the proxy trusts. `truststore/` is copied to the second Region; the others are each Region's own. */
export const TRUST_KEYS = { bundle: "truststore/ca.pem", issuers: "truststore/issuers.pem", indexes: "indexes/", signers: "signers/indexes.pem" } as const;

/** Names in CloudWatch. */
export const METRICS = {
  namespace: "Postern",
  handshakes: "postern_handshakes_total",
  refusals: "postern_refusals_total",
  requests: "postern_requests_total",
  crlNextUpdate: "postern_crl_next_update_seconds",
  certificateExpiry: "postern_server_certificate_expiry_seconds",
  breakerOpen: "postern_upstream_breaker_open",
  connectionsOpen: "postern_connections_open",
} as const;

/** The metric that a filter makes of the access log: the only source of exact percentiles. */
export const REQUEST_MILLISECONDS = "RequestMilliseconds";

/** What crl-tool reports, in CloudWatch's embedded format: `docs/pipeline.md`. */
export const CRL_METRICS = { namespace: "Postern/CrlPipeline", dimension: "FunctionName", failed: "Failed", expiresIn: "CrlExpiresIn" } as const;
