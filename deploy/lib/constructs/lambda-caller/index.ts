import { Fn } from "aws-cdk-lib";
import { Code, Runtime } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";

import { Worker } from "../../function.js";
import { source } from "../../source.js";
import type { Network } from "../network/index.js";

/** A function in the VPC that calls the private API through the internal callers' endpoint: the post's other cross-account pattern. */
export class LambdaCaller extends Construct {
  readonly worker: Worker;

  constructor(scope: Construct, id: string, { network, host, path }: { network: Network; host: string; path: string }) {
    super(scope, id);
    const { internal, vpc } = network;
    if (internal === undefined) throw new Error("a function needs an execute-api endpoint of its own");
    this.worker = new Worker(this, "Caller", {
      code: Code.fromInline(source("constructs/lambda-caller/caller.cjs")),
      runtime: Runtime.NODEJS_24_X,
      handler: "index.handler",
      concurrency: 5,
      inside: { vpc, group: internal.callers },
      environment: {
        ENDPOINT: Fn.select(1, Fn.split(":", Fn.select(0, internal.endpoint.vpcEndpointDnsEntries))),
        HOST: host,
        REQUEST_PATH: path,
      },
    });
  }
}
