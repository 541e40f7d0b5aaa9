import type { Construct } from "constructs";

import { Failover } from "../constructs/failover/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** Last: one name for both Regions. */
export class FailoverStack extends PlacedStack {
  constructor(scope: Construct, id: string, props: PlacedProps) {
    super(scope, id, props);
    new Failover(this, "Failover", props.settings);
  }
}
