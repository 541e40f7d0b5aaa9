import type { Construct } from "constructs";

import type { Place } from "../config.js";
import type { Network } from "../constructs/network/index.js";
import { PrivateApi } from "../constructs/private-api/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** The private API. */
export class ApiStack extends PlacedStack {
  readonly api: PrivateApi;

  constructor(scope: Construct, id: string, props: PlacedProps & { readonly network: Place; readonly net: Network }) {
    super(scope, id, props);
    const { proxyEndpoint, internal } = props.net;
    this.api = new PrivateApi(this, "Api", {
      settings: props.settings,
      certificate: props.network.apiCertificate,
      endpoints: internal === undefined ? [proxyEndpoint] : [proxyEndpoint, internal.endpoint],
    });
  }
}
