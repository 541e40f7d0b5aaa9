import { Stack } from "aws-cdk-lib";
import {
  AccessLogFormat,
  AuthorizationType,
  ConnectionType,
  EndpointType,
  Integration,
  IntegrationType,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
  VpcLink,
} from "aws-cdk-lib/aws-apigateway";
import { NetworkListener, NetworkLoadBalancer, NetworkTargetGroup, Protocol, TargetType } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { IpTarget } from "aws-cdk-lib/aws-elasticloadbalancingv2-targets";
import { ArnPrincipal, PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

import { IDENTITY_HEADERS, PORTS } from "../../constants.js";
import { justify } from "../../justify.js";
import { logGroup } from "../../log-group.js";
import type { Network } from "../network/index.js";

export interface RegionalApiProps {
  readonly name: string;
  readonly network: Network;
  /** Of the execute-api endpoint that is not the proxy's. */
  readonly addresses: readonly string[];
  /** What the private API is called. */
  readonly host: string;
  /** Before every path: the stage, where the API is called by its id. */
  readonly prefix: string;
  /** Who may call it, with a signature: accounts, roles. */
  readonly principals: readonly string[];
}

/**
 * A regional API in front of the private one: VPC link, Network Load Balancer, and the endpoint's addresses behind it. Callers are known by
 * their signatures (IAM), not by certificates, and the proxy does not see them.
 */
export class RegionalApi extends Construct {
  readonly api: RestApi;

  constructor(scope: Construct, id: string, props: RegionalApiProps) {
    super(scope, id);
    const link = new VpcLink(this, "Link", { vpcLinkName: `${props.name}-private-api`, targets: [this.addLoadBalancer(props)] });
    this.api = new RestApi(this, "Api", {
      restApiName: `${props.name}-regional`,
      description: "The private API, for callers with signatures",
      endpointConfiguration: { types: [EndpointType.REGIONAL] },
      policy: new PolicyDocument({
        statements: [new PolicyStatement({ principals: props.principals.map((arn) => new ArnPrincipal(arn)), actions: ["execute-api:Invoke"], resources: ["execute-api:/*"] })],
      }),
      cloudWatchRole: false,
      deployOptions: {
        stageName: "v1",
        accessLogDestination: new LogGroupLogDestination(logGroup(this, "AccessLog")),
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        loggingLevel: MethodLoggingLevel.ERROR,
        metricsEnabled: true,
        tracingEnabled: true,
      },
    });
    const forward = new Integration({
      type: IntegrationType.HTTP_PROXY,
      integrationHttpMethod: "ANY",
      uri: `https://${props.host}${props.prefix}/{path}`,
      options: {
        connectionType: ConnectionType.VPC_LINK,
        vpcLink: link,
        requestParameters: {
          "integration.request.path.path": "method.request.path.path",
          // Only the proxy says who a client is by its certificate.
          ...Object.fromEntries(IDENTITY_HEADERS.map((name) => [`integration.request.header.${name}`, "''"])),
        },
      },
    });
    const everything = this.api.root.addResource("{path+}").addMethod("ANY", forward, {
      authorizationType: AuthorizationType.IAM,
      requestParameters: { "method.request.path.path": true },
    });
    justify(this.api, { rule: "AwsSolutions-APIG2", why: "the private API knows what its requests look like" });
    justify(this.api.deploymentStage, { rule: "AwsSolutions-APIG3", why: "every caller is signed for, and of a principal that is named" });
    justify(this.api.deploymentStage, { rule: "CKV_AWS_120", why: "the answers are about the caller: a cache would show one client another's" });
    justify(everything, { rule: "AwsSolutions-COG4", why: "callers are known by their signatures: no user pool" });
  }

  get url(): string {
    return `https://${this.api.restApiId}.execute-api.${Stack.of(this).region}.amazonaws.com/v1`;
  }

  private addLoadBalancer({ network, addresses }: RegionalApiProps): NetworkLoadBalancer {
    if (network.regional === undefined) throw new Error("a regional API needs a security group of its own");
    const loadBalancer = new NetworkLoadBalancer(this, "LoadBalancer", {
      vpc: network.vpc,
      internetFacing: false,
      crossZoneEnabled: true,
      deletionProtection: true,
      securityGroups: [network.regional],
      // A VPC link comes from API Gateway's own network: the group lets in nobody else.
      enforceSecurityGroupInboundRulesOnPrivateLinkTraffic: false,
    });
    const why = "a Network Load Balancer logs TLS listeners only; the regional API writes the access log";
    justify(loadBalancer, { rule: "AwsSolutions-ELB2", why }, { rule: "CKV_AWS_91", why });
    const targets = new NetworkTargetGroup(this, "Targets", {
      vpc: network.vpc,
      targetType: TargetType.IP,
      protocol: Protocol.TCP,
      port: PORTS.https,
      preserveClientIp: false,
      targets: addresses.map((address) => new IpTarget(address, PORTS.https)),
      healthCheck: { protocol: Protocol.TCP, port: String(PORTS.https) },
    });
    new NetworkListener(this, "Listener", { loadBalancer, port: PORTS.https, protocol: Protocol.TCP, defaultTargetGroups: [targets] });
    return loadBalancer;
  }
}
