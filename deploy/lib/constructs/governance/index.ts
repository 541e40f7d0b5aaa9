import { CustomRule, MaximumExecutionFrequency } from "aws-cdk-lib/aws-config";
import { EventField, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Code, Runtime } from "aws-cdk-lib/aws-lambda";
import { CfnPolicy } from "aws-cdk-lib/aws-organizations";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";

import type { GovernanceSettings } from "../../config.js";
import { Worker } from "../../function.js";
import { justify } from "../../justify.js";
import { source } from "../../source.js";
import { Alerts } from "../alerts/index.js";
import { allowedEndpoints, onlyNetworkAdmins } from "./policies.js";

/** What `rule.cjs` calls beside its log; none of the calls knows a resource to be limited to. */
export const RULE_CALLS = ["config:PutEvaluations", "ec2:DescribeVpcEndpointConnectionNotifications", "ec2:DescribeVpcEndpointServiceConfigurations"] as const;

/** What the organization lets nobody do, tells somebody about, and looks at every day. */
export class Governance extends Construct {
  constructor(scope: Construct, id: string, settings: GovernanceSettings) {
    super(scope, id);
    const policies = { "allowed-endpoints": allowedEndpoints(settings.owners), "network-admins": onlyNetworkAdmins(settings.networkAdmins) };
    for (const [name, content] of Object.entries(policies)) {
      new CfnPolicy(this, name, { name: `postern-${name}`, type: "SERVICE_CONTROL_POLICY", content, targetIds: [...settings.targets] });
    }
    this.tell(settings);
    this.look();
  }

  private tell(settings: GovernanceSettings) {
    const { topic } = new Alerts(this, "Alerts", ["events.amazonaws.com"]);
    topic.addSubscription(new EmailSubscription(settings.notify));
    const field = (name: string) => EventField.fromPath(`$.detail.${name}`);
    const message = (what: string) => RuleTargetInput.fromText(`${what} in account ${field("recipientAccountId")} by ${field("userIdentity.arn")}: event ${field("eventID")}`);
    const cloudTrail = { source: ["aws.ec2"], detailType: ["AWS API Call via CloudTrail"] };
    new Rule(this, "EndpointElsewhere", {
      description: "An endpoint to something that is not Amazon's",
      eventPattern: {
        ...cloudTrail,
        detail: {
          eventName: ["CreateVpcEndpoint"],
          // Amazon's own are com.amazonaws.REGION.SERVICE; resource endpoints have no service name at all.
          requestParameters: { CreateVpcEndpointRequest: { ServiceName: [{ prefix: "com.amazonaws.vpce." }, { exists: false }] } },
        },
      },
      targets: [new SnsTopic(topic, { message: message("VPC endpoint created") })],
    });
    new Rule(this, "Accepted", {
      description: "Somebody let an endpoint in",
      eventPattern: { ...cloudTrail, detail: { eventName: ["AcceptVpcEndpointConnections"] } },
      targets: [new SnsTopic(topic, { message: message("VPC endpoint accepted") })],
    });
  }

  private look() {
    const worker = new Worker(this, "Rule", { code: Code.fromInline(source("constructs/governance/rule.cjs")), runtime: Runtime.NODEJS_24_X, handler: "index.handler", concurrency: 1 });
    worker.role.addToPolicy(new PolicyStatement({ actions: [...RULE_CALLS], resources: ["*"] }));
    justify(worker.role, { rule: "AwsSolutions-IAM5[Resource::*]", why: "reading all endpoint services, which is the purpose: the calls name no resource" });
    const rule = new CustomRule(this, "EndpointServices", {
      configRuleName: "postern-endpoint-services-ask-and-tell",
      description: "An endpoint service must ask before it lets somebody in, and somebody must be told",
      lambdaFunction: worker.lambda,
      periodic: true,
      maximumExecutionFrequency: MaximumExecutionFrequency.TWENTY_FOUR_HOURS,
    });
    rule.node.addDependency(worker);
  }
}
