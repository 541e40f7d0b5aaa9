import { Stack } from "aws-cdk-lib";
import { CfnVPCEndpointConnectionNotification, CfnVPCEndpointService, CfnVPCEndpointServicePermissions } from "aws-cdk-lib/aws-ec2";
import type { NetworkLoadBalancer } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

export interface PrivateLinkProps {
  readonly loadBalancer: NetworkLoadBalancer;
  readonly principals: readonly string[];
  readonly acceptance: boolean;
  /** What consumers call, once a TXT record has proved whose it is. */
  readonly privateDnsName: string | undefined;
  /** Told of every endpoint that asks, is accepted, is refused or goes. */
  readonly topic: ITopic;
}

/** The endpoint service through which named principals reach the load balancer. Who they are, the proxy learns from their certificates. */
export class PrivateLink extends Construct {
  readonly serviceName: string;

  constructor(scope: Construct, id: string, props: PrivateLinkProps) {
    super(scope, id);
    const service = new CfnVPCEndpointService(this, "Service", {
      networkLoadBalancerArns: [props.loadBalancer.loadBalancerArn],
      acceptanceRequired: props.acceptance,
      privateDnsName: props.privateDnsName,
    });
    new CfnVPCEndpointServicePermissions(this, "Permissions", { serviceId: service.ref, allowedPrincipals: [...props.principals] });
    new CfnVPCEndpointConnectionNotification(this, "Notification", {
      serviceId: service.ref,
      connectionNotificationArn: props.topic.topicArn,
      connectionEvents: ["Connect", "Accept", "Reject", "Delete"],
    });
    this.serviceName = `com.amazonaws.vpce.${Stack.of(this).region}.${service.ref}`;
  }
}
