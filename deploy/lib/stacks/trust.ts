import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

import { Replication } from "../constructs/replication/index.js";
import { Trust } from "../constructs/trust/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** The buckets of CRLs and of what the proxy trusts. */
export class TrustStack extends PlacedStack {
  readonly trust: Trust;

  constructor(scope: Construct, id: string, props: PlacedProps & { readonly logs: IBucket; readonly copyTo: string | undefined }) {
    super(scope, id, props);
    this.trust = new Trust(this, "Trust", props.settings, props.network.region, props.logs);
    const { settings, network, copyTo } = props;
    if (copyTo !== undefined) new Replication(this, "Replication", { settings, trust: this.trust, from: network.region, to: copyTo });
  }
}
