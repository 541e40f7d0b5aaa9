import { CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";

import { PORTS } from "../constants.js";
import { Alerts } from "../constructs/alerts/index.js";
import { InternalCallers } from "../constructs/internal-callers/index.js";
import { LambdaCaller } from "../constructs/lambda-caller/index.js";
import { LatticeResource } from "../constructs/lattice/index.js";
import type { Network } from "../constructs/network/index.js";
import type { PrivateApi } from "../constructs/private-api/index.js";
import { PrivateLink } from "../constructs/private-link/index.js";
import type { ProxyService } from "../constructs/proxy-service/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

export interface ReachStackProps extends PlacedProps {
  readonly net: Network;
  readonly api: PrivateApi;
  readonly service: ProxyService;
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
  }
}
