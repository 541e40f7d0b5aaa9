import { CfnOutput } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";

import { Alerts } from "../constructs/alerts/index.js";
import type { Artifacts } from "../constructs/artifacts/index.js";
import type { Network } from "../constructs/network/index.js";
import type { PrivateApi } from "../constructs/private-api/index.js";
import { ProxyService } from "../constructs/proxy-service/index.js";
import type { Trust } from "../constructs/trust/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

export interface ProxyStackProps extends PlacedProps {
  readonly net: Network;
  readonly artifacts: Artifacts;
  readonly trust: Trust;
  readonly api: PrivateApi;
  readonly secretArn: string;
}

/** The proxy itself, and what watches it. */
export class ProxyStack extends PlacedStack {
  readonly service: ProxyService;

  constructor(scope: Construct, id: string, props: ProxyStackProps) {
    super(scope, id, props);
    const { trust, api, artifacts } = props;
    this.service = new ProxyService(this, "Proxy", {
      settings: props.settings,
      network: props.net,
      cidr: props.network.cidr,
      proxyRepository: artifacts.proxy,
      agentRepository: artifacts.agent,
      topic: new Alerts(this, "Alerts").topic,
      target: api.target,
      secretArn: props.secretArn,
      trustBundle: trust.bundle,
      crls: trust.indexes,
      signers: props.settings.crl.signed ? trust.signers : undefined,
    });
    trust.grantReadBundle(this.service);
    trust.grantReadIndexes(this.service);
    if (props.settings.crl.signed) trust.grantReadSigners(this.service);
    if (props.settings.api.authorization === "iam") api.grantInvoke(this.service);
    // Secrets Manager adds a dash and six characters to a secret's name.
    const secret = props.settings.proxy.secretArn ?? `${props.secretArn}-??????`;
    this.service.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ["secretsmanager:GetSecretValue"], resources: [secret] }),
    );
    const { loadBalancer } = this.service;
    new CfnOutput(this, "LoadBalancerName", { value: loadBalancer.loadBalancerDnsName });
    new CfnOutput(this, "LoadBalancerZone", { value: loadBalancer.loadBalancerCanonicalHostedZoneId });
  }
}
