import { CustomResource } from "aws-cdk-lib";
import type { InterfaceVpcEndpoint, IVpc } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Code, Runtime } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";

import { Worker } from "../../function.js";
import { justify } from "../../justify.js";
import { inline } from "../../source.js";

/** What `addresses.cjs` calls beside its log. */
export const ADDRESSES_CALLS = ["ec2:DescribeNetworkInterfaces"] as const;

/** The addresses of an interface endpoint, one in each zone: they stay as long as the endpoint does. */
export class EndpointAddresses extends Construct {
  readonly addresses: readonly string[];

  constructor(scope: Construct, id: string, { endpoint, vpc }: { endpoint: InterfaceVpcEndpoint; vpc: IVpc }) {
    super(scope, id);
    const finder = new Worker(this, "Finder", {
      code: Code.fromInline(inline("constructs/endpoint-addresses/addresses.cjs")),
      runtime: Runtime.NODEJS_24_X,
      handler: "index.handler",
      concurrency: 1,
    });
    finder.role.addToPolicy(new PolicyStatement({ actions: [...ADDRESSES_CALLS], resources: ["*"] }));
    justify(finder.role, { rule: "AwsSolutions-IAM5[Resource::*]", why: "the call reads, and names no resource" });
    const found = new CustomResource(this, "Found", { serviceToken: finder.lambda.functionArn, properties: { interfaces: endpoint.vpcEndpointNetworkInterfaceIds } });
    found.node.addDependency(finder);
    this.addresses = vpc.isolatedSubnets.map((_, nth) => found.getAttString(`address${nth}`));
  }
}
