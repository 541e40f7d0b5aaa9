import { Stack, type StackProps, Tags, Validations } from "aws-cdk-lib";
import type { Construct } from "constructs";

import type { Network, Settings } from "../config.js";

export interface PlacedProps extends StackProps {
  readonly settings: Settings;
  readonly network: Network;
  /** Default: the provider's. */
  readonly account?: string;
}

/** A stack whose account, Region and zones are written down, so that synthesizing asks nobody. */
export class PlacedStack extends Stack {
  private readonly zones: readonly string[];

  constructor(scope: Construct, id: string, { settings, network, account, ...props }: PlacedProps) {
    super(scope, id, {
      env: { account: account ?? settings.account, region: network.region },
      stackName: `${settings.name}-${id.toLowerCase().replace(/-[a-z]{2}(-[a-z]+)+-\d/, "")}`,
      ...props,
    });
    this.zones = network.zones;
    const zonesWrittenDown = "zones are written down, so that synthesizing asks nobody and a Region's subnets never move";
    Validations.of(this).acknowledge({ id: "CloudFormation-Validate::W3010", reason: zonesWrittenDown });
    // W3005: the CDK says some dependencies twice, which changes nothing.
    this.templateOptions.metadata = { "cfn-lint": { config: { ignore_checks: ["W3010", "W3005"] } } };
    Tags.of(this).add("application", settings.name);
  }

  override get availabilityZones(): string[] {
    return [...this.zones];
  }
}
