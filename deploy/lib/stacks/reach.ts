import { CfnOutput } from "aws-cdk-lib";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

import type { Place } from "../config.js";
import { PORTS } from "../constants.js";
import { Alerts } from "../constructs/alerts/index.js";
import { AlternativeFront } from "../constructs/alternative-front/index.js";
import { EndpointAddresses } from "../constructs/endpoint-addresses/index.js";
import { InternalCallers } from "../constructs/internal-callers/index.js";
import { LambdaCaller } from "../constructs/lambda-caller/index.js";
import { LatticeResource } from "../constructs/lattice/index.js";
import type { Network } from "../constructs/network/index.js";
import type { PrivateApi } from "../constructs/private-api/index.js";
import { PrivateLink } from "../constructs/private-link/index.js";
import type { ProxyService } from "../constructs/proxy-service/index.js";
import { RegionalApi } from "../constructs/regional-api/index.js";
import { names } from "../names.js";
import { PlacedStack, type PlacedProps } from "./base.js";

export interface ReachStackProps extends PlacedProps {
  readonly network: Place;
  readonly net: Network;
  readonly api: PrivateApi;
  readonly service: ProxyService;
  readonly logs: IBucket;
}

/** The ways in from elsewhere: clients with certificates to the proxy, AWS services without to the private API. */
export class ReachStack extends PlacedStack {
  constructor(scope: Construct, id: string, props: ReachStackProps) {
    super(scope, id, props);
    const { settings, net, api, service } = props;
    const { privateLink, lattice, events, lambda } = settings.reach;
    const alerts = new Alerts(this, "Alerts", ["events.amazonaws.com", "vpce.amazonaws.com"]);
    if (privateLink !== undefined) {
      const { serviceName } = new PrivateLink(this, "PrivateLink", {
        loadBalancer: service.loadBalancer,
        principals: privateLink.principals,
        acceptance: privateLink.acceptance,
        privateDnsName: privateLink.privateDnsName ? settings.proxy.domain : undefined,
        topic: alerts.topic,
      });
      new CfnOutput(this, "EndpointService", { value: serviceName });
    }
    if (lattice !== undefined && net.lattice !== undefined) {
      const resource = new LatticeResource(this, "Lattice", {
        name: `${settings.name}-clients`,
        vpc: net.vpc,
        group: net.lattice,
        target: service.loadBalancer.loadBalancerDnsName,
        port: PORTS.clients,
        sharedWith: lattice.sharedWith,
      });
      new CfnOutput(this, "ResourceConfiguration", { value: resource.arn });
    }
    const called = { network: net, host: api.host, path: api.samplePath };
    if (events) new InternalCallers(this, "InternalCallers", { ...called, name: settings.name, topic: alerts.topic });
    if (lambda) new LambdaCaller(this, "LambdaCaller", called);
    this.addFronts(props);
  }

  /** Other ways to the same API, for whom the proxy is not the right one, and to compare it with. */
  private addFronts({ settings, net, network, api, logs }: ReachStackProps) {
    const { regional, alternative } = settings.reach;
    if (net.internal === undefined || (regional ?? alternative) === undefined) return;
    const { addresses } = new EndpointAddresses(this, "Addresses", { endpoint: net.internal.endpoint, vpc: net.vpc });
    const to = { name: settings.name, network: net, addresses, host: api.host, prefix: api.prefix };
    if (regional !== undefined) {
      const { url } = new RegionalApi(this, "Regional", { ...to, principals: regional.principals });
      new CfnOutput(this, "RegionalApi", { value: url });
    }
    if (alternative !== undefined && network.alternativeCertificate !== undefined) {
      const { loadBalancer } = new AlternativeFront(this, "Alternative", {
        ...to,
        certificate: network.alternativeCertificate,
        crls: alternative.mode === "verify" ? alternative.crls : undefined,
        crlBucket: names.crlBucket(settings, network.region),
        trustBucket: names.trustBucket(settings, network.region),
        logs,
      });
      new CfnOutput(this, "AlternativeFront", { value: loadBalancer.loadBalancerDnsName });
    }
  }
}
