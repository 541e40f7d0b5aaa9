import { Stack } from "aws-cdk-lib";
import {
  FlowLogDestination,
  GatewayVpcEndpoint,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  InterfaceVpcEndpointService,
  IpAddresses,
  type ISecurityGroup,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

import type { Network as NetworkSettings } from "../../config.js";
import { PORTS } from "../../constants.js";
import { logGroup } from "../../log-group.js";

export interface NetworkProps {
  readonly network: NetworkSettings;
  /** Networks whose clients may connect to the load balancer. */
  readonly clientNetworks: readonly string[];
  /** Buckets that the S3 endpoint lets through, beside that of ECR's layers. */
  readonly buckets: readonly string[];
  /** Whether anything but the proxy calls private APIs; it gets an execute-api endpoint of its own. */
  readonly internalCallers: boolean;
  /** Whether VPC Lattice brings clients. */
  readonly latticeClients: boolean;
  /** Whether a regional API comes in by a VPC link. */
  readonly regionalApi: boolean;
  /** Whether another load balancer takes clients to the API. */
  readonly alternativeFront: boolean;
}

/**
 * A VPC without a way out, in three zones, and who may talk to whom in it. All security groups are here, so that this file
 * alone says what can reach the proxy's execute-api endpoint: the proxy.
 */
export class Network extends Construct {
  readonly vpc: Vpc;
  /** Takes clients' connections. */
  readonly loadBalancer: SecurityGroup;
  readonly proxy: SecurityGroup;
  /** The way to private APIs that has no other user than the proxy. */
  readonly proxyEndpoint: InterfaceVpcEndpoint;
  /** EventBridge, Step Functions, Lambda and regional APIs: they present no client certificate and go past the proxy, to this endpoint. */
  readonly internal: { readonly endpoint: InterfaceVpcEndpoint; readonly group: SecurityGroup; readonly callers: SecurityGroup } | undefined;
  /** Of the load balancer behind a regional API's VPC link. */
  readonly regional: SecurityGroup | undefined;
  /** Of the load balancer that is compared with the proxy. */
  readonly alternative: SecurityGroup | undefined;
  /** Of the resource gateway through which VPC Lattice brings clients to the load balancer. */
  readonly lattice: SecurityGroup | undefined;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(props.network.cidr),
      maxAzs: 3,
      natGateways: 0,
      subnetConfiguration: [{ name: "private", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
      // Nothing uses the default group: closing it would need a Lambda function that may change any group.
      restrictDefaultSecurityGroup: false,
    });
    this.logFlows();

    this.loadBalancer = this.group("LoadBalancer", "Load balancer: clients in, proxy out");
    this.proxy = this.group("Proxy", "Proxy: load balancer in, AWS endpoints out");
    const proxyEndpoint = this.group("ProxyExecuteApi", "execute-api endpoint of the proxy: the proxy in, and nobody else");
    const endpoints = this.group("Endpoints", "Endpoints of AWS services that the proxy uses");

    for (const network of props.clientNetworks) {
      this.loadBalancer.addIngressRule(Peer.ipv4(network), Port.tcp(PORTS.clients), "clients");
    }
    allow(this.loadBalancer, this.proxy, PORTS.proxy, "connections of clients");
    allow(this.loadBalancer, this.proxy, PORTS.admin, "health checks");
    allow(this.proxy, proxyEndpoint, PORTS.https, "private APIs");
    allow(this.proxy, endpoints, PORTS.https, "AWS services");
    // S3's gateway endpoint has public addresses, in a prefix list whose id differs by Region. The VPC has no other way out.
    this.proxy.addEgressRule(Peer.anyIpv4(), Port.tcp(PORTS.https), "S3 through its gateway endpoint");

    this.proxyEndpoint = this.executeApi("ProxyExecuteApiEndpoint", proxyEndpoint);
    const { internalCallers, regionalApi, alternativeFront } = props;
    this.internal = internalCallers || regionalApi || alternativeFront ? this.addInternal() : undefined;
    this.regional = regionalApi ? this.toInternal("Regional", "Load balancer of a regional API: to the internal endpoint") : undefined;
    this.alternative = alternativeFront ? this.toInternal("Alternative", "Alternative front: clients in, internal endpoint out") : undefined;
    for (const network of props.clientNetworks) this.alternative?.addIngressRule(Peer.ipv4(network), Port.tcp(PORTS.clients), "clients");
    this.lattice = props.latticeClients ? this.group("Lattice", "Resource gateway: to the load balancer") : undefined;
    if (this.lattice !== undefined) allow(this.lattice, this.loadBalancer, PORTS.clients, "clients of VPC Lattice");
    this.addServices(endpoints);
    this.addS3(props.buckets);
  }

  /** A group without rules: they are all written down, those of the way out, too. */
  private group(id: string, description: string): SecurityGroup {
    return new SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
  }

  private addInternal() {
    const callers = this.group("InternalCallers", "AWS services and functions that call private APIs without the proxy");
    const endpoint = this.group("InternalExecuteApi", "execute-api endpoint of internal callers");
    allow(callers, endpoint, PORTS.https, "private APIs");
    return { callers, group: endpoint, endpoint: this.executeApi("InternalExecuteApiEndpoint", endpoint) };
  }

  private toInternal(id: string, description: string): SecurityGroup {
    const group = this.group(id, description);
    if (this.internal !== undefined) allow(group, this.internal.group, PORTS.https, "private APIs");
    return group;
  }

  private executeApi(id: string, group: SecurityGroup): InterfaceVpcEndpoint {
    const { region, account } = Stack.of(this);
    const endpoint = new InterfaceVpcEndpoint(this, id, {
      vpc: this.vpc,
      service: new InterfaceVpcEndpointService(`com.amazonaws.${region}.execute-api`, PORTS.https),
      securityGroups: [group],
      open: false,
      // Nobody in the VPC resolves a private API's name to this endpoint: who may use it is told its name.
      privateDnsEnabled: false,
    });
    endpoint.addToPolicy(
      new PolicyStatement({
        principals: [new AnyPrincipal()],
        actions: ["execute-api:Invoke"],
        resources: [`arn:aws:execute-api:${region}:${account}:*`],
      }),
    );
    return endpoint;
  }

  private addServices(group: SecurityGroup) {
    const services = {
      EcrApi: InterfaceVpcEndpointAwsService.ECR,
      EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
      Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
      Monitoring: InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
      SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      PrivateCa: InterfaceVpcEndpointAwsService.PRIVATE_CERTIFICATE_AUTHORITY,
      Sts: InterfaceVpcEndpointAwsService.STS,
    };
    for (const [id, service] of Object.entries(services)) {
      const endpoint = new InterfaceVpcEndpoint(this, id, { vpc: this.vpc, service, securityGroups: [group], open: false });
      // Nothing in this VPC speaks to another account's resources, so that stolen data has nowhere to go.
      endpoint.addToPolicy(
        new PolicyStatement({
          principals: [new AnyPrincipal()],
          actions: ["*"],
          resources: ["*"],
          conditions: { StringEquals: { "aws:PrincipalAccount": Stack.of(this).account } },
        }),
      );
    }
  }

  private addS3(buckets: readonly string[]) {
    const s3 = new GatewayVpcEndpoint(this, "S3", { vpc: this.vpc, service: GatewayVpcEndpointAwsService.S3 });
    const layers = `prod-${Stack.of(this).region}-starport-layer-bucket`;
    s3.addToPolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        principals: [new AnyPrincipal()],
        actions: ["s3:GetObject", "s3:ListBucket"],
        resources: [layers, ...buckets].flatMap((bucket) => [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]),
      }),
    );
  }

  private logFlows() {
    const destination = FlowLogDestination.toCloudWatchLogs(logGroup(this, "FlowLogs"));
    this.vpc.addFlowLog("Flows", { destination });
  }
}

/** Both halves of a rule: out of one group, into the other. */
function allow(from: ISecurityGroup, to: ISecurityGroup, port: number, what: string) {
  to.addIngressRule(from, Port.tcp(port), what);
  from.addEgressRule(to, Port.tcp(port), what);
}
