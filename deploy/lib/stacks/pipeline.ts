import type { Construct } from "constructs";

import { Alerts } from "../constructs/alerts/index.js";
import type { Artifacts } from "../constructs/artifacts/index.js";
import { CrlPipeline } from "../constructs/crl-pipeline/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** From CRLs to indexes. */
export class PipelineStack extends PlacedStack {
  constructor(scope: Construct, id: string, props: PlacedProps & { readonly artifacts: Artifacts }) {
    super(scope, id, props);
    const { topic } = new Alerts(this, "Alerts");
    new CrlPipeline(this, "Crls", { settings: props.settings, region: props.network.region, artifacts: props.artifacts, topic });
  }
}
