import { App } from "aws-cdk-lib";

import type { Settings } from "./config.js";
import { names } from "./names.js";
import { ApiStack } from "./stacks/api.js";
import { ArtifactsStack } from "./stacks/artifacts.js";
import { NetworkStack } from "./stacks/network.js";
import { ProxyStack } from "./stacks/proxy.js";
import { TrustStack } from "./stacks/trust.js";

/** Every stack of a deployment, in the order in which they are deployed. */
export function compose(app: App, settings: Settings): void {
  for (const place of settings.regions) {
    const props = { settings, network: place };
    const at = place.region;
    const { artifacts } = new ArtifactsStack(app, `Artifacts-${at}`, props);
    const { net } = new NetworkStack(app, `Network-${at}`, props);
    const { trust } = new TrustStack(app, `Trust-${at}`, { ...props, logs: artifacts.logs });
    const { api } = new ApiStack(app, `Api-${at}`, { ...props, net });
    const secretArn = settings.proxy.secretArn ?? names.serverSecretArn(settings, at);
    new ProxyStack(app, `Proxy-${at}`, { ...props, net, artifacts, trust, api, secretArn });
  }
}
