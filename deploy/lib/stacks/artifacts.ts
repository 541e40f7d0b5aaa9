import type { Construct } from "constructs";

import { Artifacts } from "../constructs/artifacts/index.js";
import { PlacedStack, type PlacedProps } from "./base.js";

/** First of all: registries and a bucket, to be filled before anything else is deployed. */
export class ArtifactsStack extends PlacedStack {
  readonly artifacts: Artifacts;

  constructor(scope: Construct, id: string, props: PlacedProps) {
    super(scope, id, props);
    this.artifacts = new Artifacts(this, "Artifacts", props.settings, props.network.region);
  }
}
