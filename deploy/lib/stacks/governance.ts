import type { Construct } from "constructs";

import type { GovernanceSettings, Settings } from "../config.js";
import { Governance } from "../constructs/governance/index.js";
import { PlacedStack } from "./base.js";

/** For the organization's management account. */
export class GovernanceStack extends PlacedStack {
  constructor(scope: Construct, id: string, settings: Settings, governance: GovernanceSettings) {
    super(scope, id, { settings, network: { region: governance.region, zones: [], cidr: "" }, account: governance.account });
    new Governance(this, "Governance", governance);
  }
}
