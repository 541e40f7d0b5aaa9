import type { ISecurityGroup, IVpc } from "aws-cdk-lib/aws-ec2";
import { CfnResourceShare } from "aws-cdk-lib/aws-ram";
import { CfnResourceConfiguration, CfnResourceGateway } from "aws-cdk-lib/aws-vpclattice";
import { Construct } from "constructs";

export interface LatticeResourceProps {
  readonly name: string;
  readonly vpc: IVpc;
  /** Of the gateway's addresses: what it may connect to. */
  readonly group: ISecurityGroup;
  /** The one thing behind the gateway: its name, which must be resolvable by anybody. */
  readonly target: string;
  readonly port: number;
  /** Accounts, units or the organization that may use it. None: this account alone. */
  readonly sharedWith?: readonly string[];
}

/** One resource of this network for VPC Lattice: TCP, without load balancing of its own. The target sees the gateway's addresses. */
export class LatticeResource extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: LatticeResourceProps) {
    super(scope, id);
    const gateway = new CfnResourceGateway(this, "Gateway", {
      name: props.name,
      vpcIdentifier: props.vpc.vpcId,
      subnetIds: props.vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
      securityGroupIds: [props.group.securityGroupId],
      ipAddressType: "IPV4",
    });
    const configuration = new CfnResourceConfiguration(this, "Configuration", {
      name: props.name,
      resourceConfigurationType: "SINGLE",
      resourceGatewayId: gateway.ref,
      protocolType: "TCP",
      portRanges: [String(props.port)],
      resourceConfigurationDefinition: { dnsResource: { domainName: props.target, ipAddressType: "IPV4" } },
    });
    this.arn = configuration.attrArn;
    if (props.sharedWith !== undefined) {
      new CfnResourceShare(this, "Share", { name: props.name, principals: [...props.sharedWith], resourceArns: [this.arn], allowExternalPrincipals: false });
    }
  }
}
