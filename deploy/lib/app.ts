import { App } from "aws-cdk-lib";

import type { Settings } from "./config.js";
import { names } from "./names.js";
import { ApiStack } from "./stacks/api.js";
import { ArtifactsStack } from "./stacks/artifacts.js";
import { ConsumerStack } from "./stacks/consumer.js";
import { FailoverStack } from "./stacks/failover.js";
import { GovernanceStack } from "./stacks/governance.js";
import { NetworkStack } from "./stacks/network.js";
import { PipelineStack } from "./stacks/pipeline.js";
import { PkiStack } from "./stacks/pki.js";
import { ProxyStack } from "./stacks/proxy.js";
import { ReachStack } from "./stacks/reach.js";
import { TrustStack } from "./stacks/trust.js";

/** Every stack of a deployment, in the order in which they are deployed. */
export function compose(app: App, settings: Settings): void {
  // The copies' buckets are there before what is copied: the second Region comes first.
  const [first, second] = settings.regions;
  for (const place of [...settings.regions].reverse()) {
    const props = { settings, network: place };
    const at = place.region;
    const { artifacts } = new ArtifactsStack(app, `Artifacts-${at}`, props);
    const { net } = new NetworkStack(app, `Network-${at}`, props);
    const copyTo = place === first ? second?.region : undefined;
    const trust = new TrustStack(app, `Trust-${at}`, { ...props, logs: artifacts.logs, copyTo });
    const pipeline = new PipelineStack(app, `Pipeline-${at}`, { ...props, artifacts });
    pipeline.addStackDependency(trust);
    const pki = settings.pki.kind === "private-ca" && place === first ? new PkiStack(app, `Pki-${at}`, props) : undefined;
    pki?.addStackDependency(trust);
    const { api } = new ApiStack(app, `Api-${at}`, { ...props, net });
    const secretArn = settings.proxy.secretArn ?? names.serverSecretArn(settings, at);
    const { service } = new ProxyStack(app, `Proxy-${at}`, { ...props, net, artifacts, trust: trust.trust, api, secretArn });
    const { privateLink, lattice, events, lambda, regional, alternative } = settings.reach;
    if (privateLink ?? lattice ?? regional ?? alternative ?? (events || lambda)) {
      const reach = new ReachStack(app, `Reach-${at}`, { ...props, net, api, service, logs: artifacts.logs });
      // The alternative front reads the bundle while it is deployed.
      if (pki !== undefined) reach.addStackDependency(pki);
    }
  }
  if (first !== undefined && second !== undefined) new FailoverStack(app, "Failover", { settings, network: first });
  for (const consumer of settings.consumers) new ConsumerStack(app, `Consumer-${consumer.account}-${consumer.region}`, settings, consumer);
  if (settings.governance !== undefined) new GovernanceStack(app, "Governance", settings, settings.governance);
}
