import { RemovalPolicy } from "aws-cdk-lib";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

import { justify } from "./justify.js";

/** A log group that keeps what it holds for three months, and stays when its stack goes. */
export function logGroup(scope: Construct, id: string, logGroupName?: string): LogGroup {
  const group = new LogGroup(scope, id, { logGroupName, retention: RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.RETAIN });
  justify(group, { rule: "CKV_AWS_158", why: "CloudWatch Logs encrypts every group; what is written holds names and addresses, no bodies and no keys" });
  return group;
}
