import { CfnResource, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** A rule of a scanner that does not hold here, and why that is right. */
export interface Exception {
  /** `AwsSolutions-IAM5[Resource::*]` (cdk-nag), `CKV_AWS_111` (checkov) or `W3005` (cfn-lint). */
  readonly rule: string;
  readonly why: string;
}

/** Writes exceptions beside the resource that they are about, where each scanner looks for them. */
export function justify(construct: IConstruct, ...exceptions: readonly Exception[]): void {
  const resource = (CfnResource.isCfnResource(construct) ? construct : construct.node.defaultChild) as CfnResource;
  for (const { rule, why } of exceptions) {
    if (rule.startsWith("AwsSolutions-")) {
      Validations.of(construct).acknowledge({ id: rule, reason: why });
    } else if (rule.startsWith("CKV")) {
      const known = (resource.getMetadata("checkov") ?? { skip: [] }) as { skip: { id: string; comment: string }[] };
      resource.addMetadata("checkov", { skip: [...known.skip, { id: rule, comment: why }] });
    } else {
      const known = (resource.getMetadata("cfn-lint") ?? { config: { ignore_checks: [] }, why: {} }) as {
        config: { ignore_checks: string[] };
        why: Record<string, string>;
      };
      resource.addMetadata("cfn-lint", {
        config: { ignore_checks: [...known.config.ignore_checks, rule] },
        why: { ...known.why, [rule]: why },
      });
    }
  }
}
