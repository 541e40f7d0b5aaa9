import { stringify } from "smol-toml";

import type { Settings } from "../../config.js";
import { DRAIN, PORTS, STATE } from "../../constants.js";

/** What the configuration needs to know of the rest of the infrastructure. All may be tokens. */
export interface Surroundings {
  /** Of the proxy's own execute-api endpoint. */
  readonly endpointDnsName: string;
  /** A private domain name, or an API by its id. */
  readonly target: { readonly host: string } | { readonly apiId: string; readonly stage: string };
  readonly region: string;
  /** Where the load balancer's nodes have their addresses. */
  readonly loadBalancerNetwork: string;
  /** Key and certificate chain, as PEM. */
  readonly secretArn: string;
  /** `s3://…` or the ARN of a CA. */
  readonly trustBundle: string;
  /** `s3://…/`, a prefix. */
  readonly crls: string;
  /** `s3://…`: public keys, one of which must have signed an index; none: indexes are not signed. */
  readonly signers: string | undefined;
}

/** The proxy's configuration, in the words of `proxy/config.example.toml`. */
export function configuration(settings: Settings, around: Surroundings): string {
  const { target } = around;
  const signed = settings.api.authorization === "iam";
  return stringify({
    listen: {
      address: `0.0.0.0:${PORTS.proxy}`,
      proxy_protocol: { mode: "v2", trusted: [around.loadBalancerNetwork] },
    },
    tls: { certificate: around.secretArn, private_key: around.secretArn },
    client_auth: { mode: "required", trust_bundle: around.trustBundle },
    revocation: { depth: "chain", crls: [around.crls], require_signature_by: around.signers === undefined ? [] : [around.signers], grace_seconds: settings.crl.graceSeconds },
    // The one place that the container may write to; what comes from S3 is kept there.
    sources: { directory: STATE },
    upstream: {
      address: `${around.endpointDnsName}:${PORTS.https}`,
      host: "host" in target ? target.host : `${target.apiId}.execute-api.${around.region}.amazonaws.com`,
      ...("stage" in target ? { stage: target.stage } : {}),
      // Requests stay in the task's zone as long as the endpoint works there.
      zone: "ecs",
      ...(signed ? { sigv4: { region: around.region } } : {}),
    },
    identity_headers: { client_cert: true, client_cert_sub: "plain", x_postern_vpce_id: true },
    drain: { accept_ms: DRAIN.accept * 1000, deadline_ms: DRAIN.deadline * 1000 },
    // The load balancer's health checks and the agent beside the proxy; the security group lets in nobody else.
    admin: { address: `0.0.0.0:${PORTS.admin}` },
    log: { format: "json", level: "info" },
  });
}
