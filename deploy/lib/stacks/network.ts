import { CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";

import { Network } from "../constructs/network/index.js";
import { names } from "../names.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** The VPC, its endpoints, and who may talk to whom. */
export class NetworkStack extends PlacedStack {
  readonly net: Network;

  constructor(scope: Construct, id: string, props: PlacedProps) {
    super(scope, id, props);
    const { settings, network } = props;
    const { events, lambda, lattice, regional, alternative } = settings.reach;
    this.net = new Network(this, "Network", {
      network,
      clientNetworks: settings.proxy.clientNetworks,
      buckets: [names.trustBucket(settings, network.region)],
      internalCallers: events || lambda,
      latticeClients: lattice !== undefined,
      regionalApi: regional !== undefined,
      alternativeFront: alternative !== undefined,
    });
    new CfnOutput(this, "Vpc", { value: this.net.vpc.vpcId });
  }
}
