import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { BlockPublicAccess, Bucket, BucketEncryption, type BucketProps, type IBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

/** A bucket as all of them are here: encrypted, versioned, closed to the public, reached by TLS alone, and kept when its stack goes. */
export function bucket(scope: Construct, id: string, bucketName: string, logs: IBucket | undefined, more: BucketProps = {}): Bucket {
  return new Bucket(scope, id, {
    bucketName,
    encryption: BucketEncryption.S3_MANAGED,
    versioned: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    removalPolicy: RemovalPolicy.RETAIN,
    ...(logs === undefined ? {} : { serverAccessLogsBucket: logs, serverAccessLogsPrefix: `${id.toLowerCase()}/` }),
    lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(90), abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    ...more,
  });
}
