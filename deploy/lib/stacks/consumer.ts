import type { Construct } from "constructs";

import type { ConsumerSettings, Settings } from "../config.js";
import { Consumer } from "../constructs/consumer/index.js";
import { PlacedStack } from "./base.js";

/** A partner's side, in the partner's account. */
export class ConsumerStack extends PlacedStack {
  constructor(scope: Construct, id: string, settings: Settings, consumer: ConsumerSettings) {
    super(scope, id, { settings, network: consumer, account: consumer.account });
    new Consumer(this, "Consumer", consumer, settings.proxy.domain);
  }
}
