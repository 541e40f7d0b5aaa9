import { Fn, SecretValue, Stack } from "aws-cdk-lib";
import { Authorization, CfnConnection, Connection, Rule } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { DefinitionBody, LogLevel, StateMachine, StateMachineType, TaskInput } from "aws-cdk-lib/aws-stepfunctions";
import { HttpInvoke } from "aws-cdk-lib/aws-stepfunctions-tasks";
import { Construct } from "constructs";

import { justify } from "../../justify.js";
import { logGroup } from "../../log-group.js";
import { PORTS } from "../../constants.js";
import { LatticeResource } from "../lattice/index.js";
import type { Network } from "../network/index.js";

export interface InternalCallersProps {
  readonly name: string;
  readonly network: Network;
  /** What the API is called: `https://HOST/…`. */
  readonly host: string;
  readonly path: string;
  readonly topic: ITopic;
}

/**
 * An EventBridge connection and a workflow that call the private API. Neither can present a client certificate, so that neither goes
 * through the proxy: VPC Lattice takes them to an execute-api endpoint of their own.
 */
export class InternalCallers extends Construct {
  constructor(scope: Construct, id: string, props: InternalCallersProps) {
    super(scope, id);
    const { internal, vpc } = props.network;
    if (internal === undefined) throw new Error("internal callers need an execute-api endpoint of their own");
    const resource = new LatticeResource(this, "Resource", {
      name: `${props.name}-internal`,
      vpc,
      group: internal.callers,
      target: Fn.select(1, Fn.split(":", Fn.select(0, internal.endpoint.vpcEndpointDnsEntries))),
      port: PORTS.https,
    });
    const connection = new Connection(this, "Connection", {
      description: "The private API, through VPC Lattice",
      // EventBridge has to send something; the API does not ask for it.
      authorization: Authorization.apiKey("X-Caller", SecretValue.unsafePlainText("events")),
    });
    (connection.node.findChild("Connection") as CfnConnection).invocationConnectivityParameters = { resourceParameters: { resourceConfigurationArn: resource.arn } };
    this.addWorkflow(props, connection);
    new Rule(this, "ConnectionState", {
      description: "The connection to the private API works, or does no longer",
      eventPattern: { source: ["aws.events"], detailType: ["EventBridge Connection State Change"], resources: [connection.connectionArn] },
      targets: [new SnsTopic(props.topic)],
    });
  }

  private addWorkflow(props: InternalCallersProps, connection: Connection) {
    const call = new HttpInvoke(this, "Call", {
      apiRoot: `https://${props.host}`,
      apiEndpoint: TaskInput.fromText(props.path),
      connection,
      method: TaskInput.fromText("GET"),
    });
    const workflow = new StateMachine(this, "Workflow", {
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(call),
      tracingEnabled: true,
      logs: { destination: logGroup(this, "WorkflowLog", `/aws/vendedlogs/states/${props.name}`), level: LogLevel.ALL },
    });
    // The task gives more than it needs: calls to any endpoint are limited to this API's.
    workflow.addToRolePolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        actions: ["states:InvokeHTTPEndpoint"],
        resources: [Stack.of(this).formatArn({ service: "states", resource: "stateMachine:*" })],
        conditions: { StringNotLike: { "states:HTTPEndpoint": `https://${props.host}/*` } },
      }),
    );
    const why = "log delivery and X-Ray know no resource to be limited to, and the one API is what the Deny leaves";
    justify(workflow, { rule: "AwsSolutions-SF1", why: "all events are logged" });
    justify(workflow.role.node.findChild("DefaultPolicy"), { rule: "AwsSolutions-IAM5[Resource::*]", why }, { rule: "CKV_AWS_111", why });
  }
}
