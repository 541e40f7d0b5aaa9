import { ArnFormat, CustomResource, Duration, Stack, Tags } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Key, KeySpec, KeyUsage } from "aws-cdk-lib/aws-kms";
import { Architecture, Code, Handler, Runtime } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { CRL_METRICS, TRUST_KEYS } from "../../constants.js";
import { Worker } from "../../function.js";
import { justify } from "../../justify.js";
import { names } from "../../names.js";
import { inline } from "../../source.js";
import type { Artifacts } from "../artifacts/index.js";

export interface CrlPipelineProps {
  readonly settings: Settings;
  readonly region: string;
  readonly artifacts: Artifacts;
  readonly topic: ITopic;
}

/** What `signers.cjs` calls beside its log; its test runs it and compares. */
export const SIGNERS_CALLS = ["kms:GetPublicKey", "s3:PutObject"] as const;

/** The tag of keys that sign indexes: who may read their public halves knows them by it. */
const SIGNS = { name: "signs", value: "crl-indexes" } as const;

/** From a CRL in its bucket to an index in the other: EventBridge calls crl-tool, which proves the CRL and says what it made of it. */
export class CrlPipeline extends Construct {
  readonly worker: Worker;
  /** Signs indexes, if `crl.signed`. */
  readonly key: Key | undefined;

  constructor(scope: Construct, id: string, props: CrlPipelineProps) {
    super(scope, id);
    const { settings, region, topic } = props;
    const { crl, proxy } = settings;
    const [crls, trusted] = [names.crlBucket(settings, region), names.trustBucket(settings, region)];
    this.key = crl.signed ? new Key(this, "SigningKey", { keySpec: KeySpec.ECC_NIST_P256, keyUsage: KeyUsage.SIGN_VERIFY, description: "Signs CRL indexes" }) : undefined;
    if (this.key !== undefined) {
      const why = "KMS rotates no key pair; the proxy is told two public keys while it changes";
      Tags.of(this.key).add(SIGNS.name, SIGNS.value);
      justify(this.key, { rule: "AwsSolutions-KMS5", why }, { rule: "CKV_AWS_7", why });
    }
    this.worker = new Worker(this, "CrlTool", {
      ...program(props.artifacts, crl.version),
      architecture: proxy.architecture === "arm64" ? Architecture.ARM_64 : Architecture.X86_64,
      memorySize: crl.memoryMiB,
      concurrency: crl.concurrency,
      environment: {
        PUBLISH_TO: `s3://${trusted}/${TRUST_KEYS.indexes}`,
        CRL_ISSUERS: `s3://${trusted}/${TRUST_KEYS.issuers}`,
        JSON_CACHES: "none",
        ...(this.key === undefined ? {} : { SIGN_KEY_KMS: this.key.keyArn }),
      },
    });
    this.grantCalls(crls, trusted);
    if (this.key !== undefined) this.publishSigner(this.key, trusted);
    const uploaded = new Rule(this, "Uploaded", {
      description: "A CRL has been put into the bucket",
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: { bucket: { name: [crls] }, object: { key: [{ suffix: ".crl" }] } },
      },
    });
    uploaded.addTarget(new LambdaFunction(this.worker.lambda, { retryAttempts: 3, maxEventAge: Duration.hours(6), deadLetterQueue: this.worker.failed }));
    this.watch(settings, topic);
  }

  /** What `crl-tool/aws-permissions.json` says, on these buckets. */
  private grantCalls(crls: string, trusted: string) {
    const indexes = `arn:aws:s3:::${trusted}/${TRUST_KEYS.indexes}*`;
    const lists = `arn:aws:s3:::${crls}/*`;
    for (const statement of [
      { actions: ["s3:GetObject"], resources: [lists, indexes, `arn:aws:s3:::${trusted}/${TRUST_KEYS.issuers}`] },
      { actions: ["s3:PutObject"], resources: [indexes] },
      { actions: ["s3:ListBucket"], resources: [`arn:aws:s3:::${crls}`, `arn:aws:s3:::${trusted}`] },
      ...(this.key === undefined ? [] : [{ actions: ["kms:GetPublicKey", "kms:Sign"], resources: [this.key.keyArn] }]),
    ]) {
      this.worker.role.addToPolicy(new PolicyStatement(statement));
    }
    justify(
      this.worker.role,
      { rule: `AwsSolutions-IAM5[Resource::${lists}]`, why: "a bucket that holds CRLs alone; CAs name their lists" },
      { rule: `AwsSolutions-IAM5[Resource::${indexes}]`, why: "one index for each list, of a prefix that holds nothing else" },
    );
  }

  /** The proxy is told the key before anything is signed with it. */
  private publishSigner(key: Key, trusted: string) {
    const publisher = new Worker(this, "Signers", {
      code: Code.fromInline(inline("constructs/crl-pipeline/signers.cjs")),
      runtime: Runtime.NODEJS_24_X,
      handler: "index.handler",
      concurrency: 1,
      environment: { BUCKET: trusted, SIGNERS: TRUST_KEYS.signers },
    });
    const [read, write] = SIGNERS_CALLS;
    // Of another key, too: the one before this is no longer the stack's when it is read for the last time.
    const keys = Stack.of(this).formatArn({ service: "kms", resource: "key", resourceName: "*", arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
    const conditions = { StringEquals: { [`aws:ResourceTag/${SIGNS.name}`]: SIGNS.value } };
    publisher.role.addToPolicy(new PolicyStatement({ actions: [read], resources: [keys], conditions }));
    publisher.role.addToPolicy(new PolicyStatement({ actions: [write], resources: [`arn:aws:s3:::${trusted}/${TRUST_KEYS.signers}`] }));
    justify(publisher.role, { rule: `AwsSolutions-IAM5[Resource::${keys}]`, why: "public keys, and of keys with one tag alone" });
    const told = new CustomResource(this, "Signer", { serviceToken: publisher.lambda.functionArn, properties: { key: key.keyArn } });
    told.node.addDependency(publisher);
    this.worker.lambda.node.addDependency(told);
  }

  private watch(settings: Settings, topic: ITopic) {
    const { lambda, failed } = this.worker;
    const own = (metricName: string, statistic: string) =>
      new Metric({ namespace: CRL_METRICS.namespace, metricName, statistic, period: Duration.minutes(5), dimensionsMap: { [CRL_METRICS.dimension]: lambda.functionName } });
    this.alarm("Failures", own(CRL_METRICS.failed, Stats.SUM), topic, "above", 0, "A CRL was not accepted; the last index stays in force. The function's log says why");
    this.alarm("Errors", lambda.metricErrors(), topic, "above", 0, "crl-tool ends with an error. Its log says why");
    this.alarm("Throttles", lambda.metricThrottles(), topic, "above", 0, "More CRLs come than crl.concurrency lets through; they are tried again");
    this.alarm("Lost", failed.metricApproximateNumberOfMessagesVisible(), topic, "above", 0, "Events that failed every time wait in the queue: put the CRL there again when the cause is gone");
    this.alarm("Age", own(CRL_METRICS.expiresIn, Stats.MINIMUM), topic, "below", settings.crl.warnSeconds, "A CRL that was published has little time left: it was old when it came");
  }

  private alarm(id: string, metric: IMetric, topic: ITopic, direction: "above" | "below", threshold: number, alarmDescription: string) {
    const alarm = new Alarm(this, id, {
      metric,
      threshold,
      alarmDescription,
      evaluationPeriods: 1,
      comparisonOperator: direction === "above" ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic));
  }
}

/** crl-tool as Lambda takes it. */
function program({ bucket, crlTool }: Artifacts, version: string) {
  return crlTool === undefined
    ? { code: Code.fromBucketV2(bucket, `crl-tool/${version}.zip`), runtime: Runtime.PROVIDED_AL2023, handler: "bootstrap" }
    : { code: Code.fromEcrImage(crlTool, { tagOrDigest: version }), runtime: Runtime.FROM_IMAGE, handler: Handler.FROM_IMAGE };
}
