import { CfnParameter } from "aws-cdk-lib";
import { CfnHealthCheck, CfnHostedZone, CfnRecordSet } from "aws-cdk-lib/aws-route53";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { names } from "../../names.js";

/**
 * One name for the proxies of two Regions: a private zone for both networks, and a latency record for each Region that counts as
 * long as the Region's alarm says that a task is healthy there. What the Regions' stacks made comes as parameters: CloudFormation
 * carries no value from one Region to another.
 */
export class Failover extends Construct {
  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const places = settings.regions.map(({ region }) => {
      const part = region.split("-").map((it) => it[0]!.toUpperCase() + it.slice(1)).join("");
      const parameter = (name: string, description: string) => {
        const made = new CfnParameter(this, `${name}${part}`, { type: "String", description: `${description} of ${region}` });
        // What somebody types: without the hash.
        made.overrideLogicalId(`${name}${part}`);
        return made.valueAsString;
      };
      return {
        region,
        part,
        vpc: parameter("Vpc", "VPC"),
        dnsName: parameter("LoadBalancer", "Load balancer's DNS name"),
        zone: parameter("LoadBalancerZone", "Load balancer's hosted zone"),
      };
    });
    const zone = new CfnHostedZone(this, "Zone", {
      name: settings.proxy.domain,
      vpcs: places.map(({ vpc, region }) => ({ vpcId: vpc, vpcRegion: region })),
    });
    for (const { region, part, dnsName, zone: hostedZoneId } of places) {
      const check = new CfnHealthCheck(this, `Health${part}`, {
        healthCheckConfig: {
          type: "CLOUDWATCH_METRIC",
          alarmIdentifier: { name: names.availabilityAlarm(settings), region },
          // When CloudWatch does not know, the Region is taken for dead: clients are better off in the other one.
          insufficientDataHealthStatus: "Unhealthy",
        },
      });
      new CfnRecordSet(this, `Record${part}`, {
        hostedZoneId: zone.ref,
        name: settings.proxy.domain,
        type: "A",
        setIdentifier: region,
        region,
        healthCheckId: check.ref,
        aliasTarget: { dnsName, hostedZoneId, evaluateTargetHealth: true },
      });
    }
  }
}
