import type { Construct } from "constructs";

import { Pki } from "../constructs/pki/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** The CAs, and the proxy's certificate. In the first Region alone; the second has copies of what it needs. */
export class PkiStack extends PlacedStack {
  constructor(scope: Construct, id: string, props: PlacedProps) {
    super(scope, id, props);
    const { settings, network } = props;
    if (settings.pki.kind !== "private-ca") return;
    const { organization, crl, crlDays } = settings.pki;
    const otherRegions = settings.regions.map(({ region }) => region).filter((it) => it !== network.region);
    new Pki(this, "Pki", { settings, organization, crl, crlDays, region: network.region, otherRegions });
  }
}
