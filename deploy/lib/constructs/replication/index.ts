import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { CfnBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { justify } from "../../justify.js";
import { names } from "../../names.js";
import type { Trust } from "../trust/index.js";

/**
 * CRLs and certificates of CAs go to the other Region as they come. Indexes do not: there, too, the pipeline makes them, so that
 * the Region goes on without this one.
 */
export class Replication extends Construct {
  constructor(scope: Construct, id: string, { settings, trust, from, to }: { settings: Settings; trust: Trust; from: string; to: string }) {
    super(scope, id);
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("s3.amazonaws.com") });
    const pairs = [
      { bucket: trust.crls, source: names.crlBucket(settings, from), target: names.crlBucket(settings, to), prefix: "" },
      { bucket: trust.trusted, source: names.trustBucket(settings, from), target: names.trustBucket(settings, to), prefix: "truststore/" },
    ];
    for (const { bucket, source, target, prefix } of pairs) {
      const [read, write] = [`arn:aws:s3:::${source}/${prefix}*`, `arn:aws:s3:::${target}/${prefix}*`];
      role.addToPolicy(new PolicyStatement({ actions: ["s3:GetReplicationConfiguration", "s3:ListBucket"], resources: [`arn:aws:s3:::${source}`] }));
      role.addToPolicy(new PolicyStatement({ actions: ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"], resources: [read] }));
      role.addToPolicy(new PolicyStatement({ actions: ["s3:ReplicateObject", "s3:ReplicateTags"], resources: [write] }));
      for (const objects of [read, write]) justify(role, { rule: `AwsSolutions-IAM5[Resource::${objects}]`, why: "every object of the prefix is copied" });
      (bucket.node.defaultChild as CfnBucket).replicationConfiguration = {
        role: role.roleArn,
        rules: [
          {
            id: "other-region",
            status: "Enabled",
            priority: 1,
            filter: { prefix },
            deleteMarkerReplication: { status: "Disabled" },
            destination: { bucket: `arn:aws:s3:::${target}` },
          },
        ],
      };
    }
  }
}
