import { Stack } from "aws-cdk-lib";
import { type IGrantable, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Bucket, CfnBucket, IBucket } from "aws-cdk-lib/aws-s3";
import { Construct, type IConstruct } from "constructs";

import { bucket } from "../../bucket.js";
import type { Settings } from "../../config.js";
import { TRUST_KEYS } from "../../constants.js";
import { justify } from "../../justify.js";
import { names } from "../../names.js";
import { Pki } from "../pki/index.js";

/**
 * Two buckets. In the first, CAs put their CRLs; what is in there is signed, and believed only as far as its signature goes. In
 * the second is what the proxy trusts: the bundle of CA certificates and the indexes that crl-tool makes.
 */
export class Trust extends Construct {
  readonly crls: Bucket;
  readonly trusted: Bucket;
  /** Written down rather than referred to: other stacks do not have to wait for this one, nor other Regions. */
  private readonly trustedName: string;

  constructor(scope: Construct, id: string, settings: Settings, region: string, logs: IBucket) {
    super(scope, id);
    this.crls = bucket(this, "Crls", names.crlBucket(settings, region), logs);
    // The CDK's own way to say so is a Lambda function that may change any bucket.
    (this.crls.node.defaultChild as CfnBucket).notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
    this.trustedName = names.trustBucket(settings, region);
    this.trusted = bucket(this, "Trusted", this.trustedName, logs);
    if (settings.pki.kind === "private-ca") this.letPrivateCaWrite();
  }

  /** What Private CA does when a CA is given the bucket, and with each CRL; for this account's CAs alone (no confused deputy). */
  private letPrivateCaWrite() {
    const { account } = Stack.of(this);
    const authorities = Pki.anyArn(this);
    this.crls.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("acm-pca.amazonaws.com")],
        actions: ["s3:PutObject", "s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketLocation"],
        resources: [this.crls.bucketArn, this.crls.arnForObjects("*")],
        conditions: { StringEquals: { "aws:SourceAccount": account }, ArnLike: { "aws:SourceArn": authorities } },
      }),
    );
  }

  /** The bundle of CA certificates. */
  get bundle(): string {
    return `s3://${this.trustedName}/${TRUST_KEYS.bundle}`;
  }

  /** The prefix that holds one index for each CRL. */
  get indexes(): string {
    return `s3://${this.trustedName}/${TRUST_KEYS.indexes}`;
  }

  /** The public keys that sign indexes. */
  get signers(): string {
    return `s3://${this.trustedName}/${TRUST_KEYS.signers}`;
  }

  /** Reading the keys that sign indexes. */
  grantReadSigners(grantee: IGrantable): void {
    const signers = `arn:aws:s3:::${this.trustedName}/${TRUST_KEYS.signers}`;
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ["s3:GetObject"], resources: [signers] }));
  }

  /** Reading the bundle. */
  grantReadBundle(grantee: IGrantable): void {
    const bundle = `arn:aws:s3:::${this.trustedName}/${TRUST_KEYS.bundle}`;
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ["s3:GetObject"], resources: [bundle] }));
  }

  /** Reading every index, and finding out which there are. */
  grantReadIndexes(grantee: IGrantable & IConstruct): void {
    const resource = `arn:aws:s3:::${this.trustedName}`;
    const objects = `${resource}/${TRUST_KEYS.indexes}*`;
    const conditions = { StringLike: { "s3:prefix": `${TRUST_KEYS.indexes}*` } };
    const principal = grantee.grantPrincipal;
    principal.addToPrincipalPolicy(new PolicyStatement({ actions: ["s3:GetObject"], resources: [objects] }));
    principal.addToPrincipalPolicy(new PolicyStatement({ actions: ["s3:ListBucket"], resources: [resource], conditions }));
    justify(grantee, { rule: `AwsSolutions-IAM5[Resource::${objects}]`, why: "one object for each CRL, of a prefix that holds nothing else" });
  }
}
