import { Duration } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc } from "aws-cdk-lib/aws-ec2";
import { Policy, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, Function as LambdaFunction, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import { justify } from "./justify.js";
import { logGroup } from "./log-group.js";

export interface WorkerProps {
  readonly code: Code;
  readonly runtime: Runtime;
  readonly handler: string;
  readonly architecture?: Architecture;
  readonly environment?: Record<string, string>;
  readonly memorySize?: number;
  readonly concurrency: number;
  readonly inside?: { readonly vpc: IVpc; readonly group: ISecurityGroup };
}

/** A function with a role of its own that may write its log and nothing else, and a queue for what it could not do. */
export class Worker extends Construct {
  readonly lambda: LambdaFunction;
  readonly role: Role;
  /** Events that failed three times. */
  readonly failed: Queue;

  constructor(scope: Construct, id: string, props: WorkerProps) {
    super(scope, id);
    const log = logGroup(this, "Log");
    this.role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    const basics = new Policy(this, "Basics", {
      roles: [this.role],
      statements: [new PolicyStatement({ actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [log.logGroupArn] })],
    });
    justify(basics, { rule: `AwsSolutions-IAM5[Resource::<${this.logicalIdOf(log)}.Arn>]`, why: "Lambda names the streams of the function's own log group" });
    if (props.inside !== undefined) {
      // Lambda gives the network interfaces their names; the calls know no resource to be limited to.
      basics.addStatements(new PolicyStatement({ actions: [...NETWORK_CALLS], resources: ["*"] }));
      justify(basics, { rule: "AwsSolutions-IAM5[Resource::*]", why: "what Lambda needs to put a function into a VPC, which names no resource" }, { rule: "CKV_AWS_111", why: "as before" });
    }
    this.failed = new Queue(this, "Failed", { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) });
    const why = "it is the dead-letter queue";
    const key = "encrypted with SQS's own key: what waits here are names of objects";
    justify(this.failed, { rule: "AwsSolutions-SQS3", why }, { rule: "CKV_AWS_27", why: key });
    this.lambda = new LambdaFunction(this, "Function", {
      code: props.code,
      runtime: props.runtime,
      handler: props.handler,
      architecture: props.architecture ?? Architecture.ARM_64,
      environment: props.environment,
      memorySize: props.memorySize ?? 256,
      timeout: Duration.minutes(5),
      reservedConcurrentExecutions: props.concurrency,
      role: this.role.withoutPolicyUpdates(),
      logGroup: log,
      tracing: Tracing.DISABLED,
      retryAttempts: 2,
      onFailure: new SqsDestination(this.failed),
      ...(props.inside === undefined ? {} : { vpc: props.inside.vpc, securityGroups: [props.inside.group] }),
    });
    basics.addStatements(new PolicyStatement({ actions: ["sqs:SendMessage"], resources: [this.failed.queueArn] }));
    this.lambda.node.addDependency(basics);
    if (props.inside === undefined) {
      justify(this.lambda, { rule: "CKV_AWS_117", why: "it calls AWS alone, and nothing in a network calls it" });
    }
    justify(this.lambda, { rule: "CKV_AWS_116", why: "asynchronous failures go to a queue, as a destination" }, { rule: "CKV_AWS_173", why: "its variables are names, not secrets" });
    if (props.runtime === Runtime.PROVIDED_AL2023) justify(this.lambda, { rule: "AwsSolutions-L1", why: "a static binary needs no newer runtime" });
  }

  private logicalIdOf(construct: Construct): string {
    const { stack, logicalId } = construct.node.defaultChild as unknown as { stack: { resolve(it: unknown): string }; logicalId: string };
    return stack.resolve(logicalId);
  }

  get grantPrincipal() {
    return this.role;
  }
}

const NETWORK_CALLS = [
  "ec2:AssignPrivateIpAddresses",
  "ec2:CreateNetworkInterface",
  "ec2:DeleteNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:UnassignPrivateIpAddresses",
] as const;
