import { Fn } from "aws-cdk-lib";
import { CfnVPCEndpoint, InterfaceVpcEndpoint, InterfaceVpcEndpointService, IpAddresses, Peer, Port, SecurityGroup, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { FlowLogDestination } from "aws-cdk-lib/aws-ec2";
import { CfnRecordSet, PrivateHostedZone } from "aws-cdk-lib/aws-route53";
import { Construct } from "constructs";

import type { ConsumerSettings } from "../../config.js";
import { PORTS } from "../../constants.js";
import { logGroup } from "../../log-group.js";

/** A network of a partner: clients with certificates, and one endpoint, or two, that lead to the proxy under its own name. */
export class Consumer extends Construct {
  constructor(scope: Construct, id: string, settings: ConsumerSettings, domain: string) {
    super(scope, id);
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(settings.cidr),
      maxAzs: 3,
      natGateways: 0,
      subnetConfiguration: [{ name: "private", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
      restrictDefaultSecurityGroup: false,
    });
    vpc.addFlowLog("Flows", { destination: FlowLogDestination.toCloudWatchLogs(logGroup(this, "FlowLogs")) });
    const group = new SecurityGroup(this, "Endpoint", { vpc, description: "Endpoints of the proxy: this network in", allowAllOutbound: false });
    group.addIngressRule(Peer.ipv4(settings.cidr), Port.tcp(PORTS.clients), "clients");
    const names: string[] = [];
    if (settings.endpointService !== undefined) {
      const endpoint = new InterfaceVpcEndpoint(this, "PrivateLink", {
        vpc,
        service: new InterfaceVpcEndpointService(settings.endpointService, PORTS.clients),
        securityGroups: [group],
        open: false,
        privateDnsEnabled: false,
      });
      names.push(Fn.select(1, Fn.split(":", Fn.select(0, endpoint.vpcEndpointDnsEntries))));
    }
    if (settings.resourceConfiguration !== undefined) {
      const endpoint = new CfnVPCEndpoint(this, "Resource", {
        vpcEndpointType: "Resource",
        vpcId: vpc.vpcId,
        resourceConfigurationArn: settings.resourceConfiguration,
        subnetIds: vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
        securityGroupIds: [group.securityGroupId],
      });
      names.push(Fn.select(1, Fn.split(":", Fn.select(0, endpoint.attrDnsEntries))));
    }
    const zone = new PrivateHostedZone(this, "Zone", { zoneName: domain, vpc });
    // The first way under the proxy's name, the second under one of its own, to compare them.
    for (const [nth, target] of names.entries()) {
      new CfnRecordSet(this, `Record${nth}`, {
        hostedZoneId: zone.hostedZoneId,
        name: nth === 0 ? domain : `resource.${domain}`,
        // An apex takes no CNAME: RFC 1034 §3.6.2. Route 53 aliases need the endpoint's zone.
        type: nth === 0 ? "A" : "CNAME",
        ...(nth === 0
          ? { aliasTarget: { dnsName: target, hostedZoneId: Fn.select(0, Fn.split(":", this.entry(settings))) } }
          : { ttl: "60", resourceRecords: [target] }),
      });
    }
  }

  /** `ZONE:NAME` of the first endpoint. */
  private entry(settings: ConsumerSettings): string {
    const id = settings.endpointService === undefined ? "Resource" : "PrivateLink";
    const child = this.node.findChild(id);
    const entries = child instanceof InterfaceVpcEndpoint ? child.vpcEndpointDnsEntries : (child as CfnVPCEndpoint).attrDnsEntries;
    return Fn.select(0, entries);
  }
}
