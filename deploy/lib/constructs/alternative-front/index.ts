import { Duration } from "aws-cdk-lib";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  CfnListenerRule,
  DesyncMitigationMode,
  ListenerAction,
  type MutualAuthentication,
  MutualAuthenticationMode,
  Protocol,
  RevocationType,
  SslPolicy,
  TargetType,
  TrustStore,
  TrustStoreRevocation,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { IpTarget } from "aws-cdk-lib/aws-elasticloadbalancingv2-targets";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import { PORTS, TRUST_KEYS } from "../../constants.js";
import type { Network } from "../network/index.js";

export interface AlternativeFrontProps {
  readonly name: string;
  readonly network: Network;
  /** Of the execute-api endpoint that is not the proxy's. */
  readonly addresses: readonly string[];
  /** What the private API is called, and what comes before every path there. */
  readonly host: string;
  readonly prefix: string;
  /** ACM certificate of the name that clients call. */
  readonly certificate: string;
  /** Keys in the CRL bucket; none: certificates are passed on as they are, and nobody looks at them here. */
  readonly crls: readonly string[] | undefined;
  readonly crlBucket: string;
  readonly trustBucket: string;
  readonly logs: IBucket;
}

/**
 * An Application Load Balancer with a trust store in front of the same private API, to compare the proxy with. It reads bundle and CRLs
 * once: a new CRL counts when somebody has given it to the trust store.
 */
export class AlternativeFront extends Construct {
  readonly loadBalancer: ApplicationLoadBalancer;

  constructor(scope: Construct, id: string, props: AlternativeFrontProps) {
    super(scope, id);
    const { network, host, prefix } = props;
    if (network.alternative === undefined) throw new Error("the alternative front needs a security group of its own");
    this.loadBalancer = new ApplicationLoadBalancer(this, "LoadBalancer", {
      vpc: network.vpc,
      internetFacing: false,
      securityGroup: network.alternative,
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: DesyncMitigationMode.STRICTEST,
    });
    this.loadBalancer.logAccessLogs(props.logs, "alternative-front");
    const targets = new ApplicationTargetGroup(this, "Targets", {
      vpc: network.vpc,
      targetType: TargetType.IP,
      protocol: ApplicationProtocol.HTTPS,
      port: PORTS.https,
      targets: props.addresses.map((address) => new IpTarget(address, PORTS.https)),
      // The endpoint answers; whether the API does is not for its health to say.
      healthCheck: { protocol: Protocol.HTTPS, path: "/ping", healthyHttpCodes: "200,403", interval: Duration.seconds(10) },
    });
    const listener = new ApplicationListener(this, "Listener", {
      loadBalancer: this.loadBalancer,
      port: PORTS.clients,
      protocol: ApplicationProtocol.HTTPS,
      open: false,
      sslPolicy: SslPolicy.TLS13_RES,
      certificates: [Certificate.fromCertificateArn(this, "Certificate", props.certificate)],
      mutualAuthentication: this.clients(props),
      defaultAction: ListenerAction.fixedResponse(404),
    });
    // A private API is found by Host. A rewriting rule is not a default: the default refuses.
    new CfnListenerRule(this, "ToApi", {
      listenerArn: listener.listenerArn,
      priority: 1,
      conditions: [{ field: "path-pattern", pathPatternConfig: { values: ["/*"] } }],
      actions: [{ type: "forward", targetGroupArn: targets.targetGroupArn }],
      transforms: [
        { type: "host-header-rewrite", hostHeaderRewriteConfig: { rewrites: [{ regex: "^.*$", replace: host }] } },
        ...(prefix === "" ? [] : [{ type: "url-rewrite", urlRewriteConfig: { rewrites: [{ regex: "^/(.*)$", replace: `${prefix}/$1` }] } }]),
      ],
    });
    // The rule names the group, but is no listener's default: the CDK cannot see that they belong together.
    targets.registerListener(listener);
  }

  private clients({ name, crls, crlBucket, trustBucket }: AlternativeFrontProps): MutualAuthentication {
    if (crls === undefined) return { mutualAuthenticationMode: MutualAuthenticationMode.PASS_THROUGH };
    const trustStore = new TrustStore(this, "TrustStore", {
      trustStoreName: name,
      bucket: Bucket.fromBucketName(this, "Trusted", trustBucket),
      key: TRUST_KEYS.bundle,
    });
    const bucket = Bucket.fromBucketName(this, "Crls", crlBucket);
    new TrustStoreRevocation(this, "Revocation", { trustStore, revocationContents: crls.map((key) => ({ revocationType: RevocationType.CRL, bucket, key })) });
    return { mutualAuthenticationMode: MutualAuthenticationMode.VERIFY, trustStore, ignoreClientCertificateExpiry: false };
  }
}
