/** What each role may do, compared with what its program calls. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { ADDRESSES_CALLS } from "../lib/constructs/endpoint-addresses/index.js";
import { SIGNERS_CALLS } from "../lib/constructs/crl-pipeline/index.js";
import { KEEPER_CALLS } from "../lib/constructs/pki/index.js";
import { RULE_CALLS } from "../lib/constructs/governance/index.js";
import { AGENT_CALLS } from "../lib/constructs/proxy-service/agent.js";
import { type Assembly, assembly, list, type Resource, VARIANTS } from "./support.js";

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Every statement that is attached to a role, inline or by a policy. */
export function statementsOf(all: Assembly, role: Resource): Statement[] {
  const key = `${role.stack}/${role.id}`;
  const inline = list(role.properties["Policies"]).flatMap((policy) => list((policy as any).PolicyDocument.Statement));
  const attached = all
    .of("AWS::IAM::Policy")
    .filter(({ stack, properties }) => list(properties["Roles"]).some((it) => all.target(stack, it as never) === key))
    .flatMap(({ properties }) => list(properties["PolicyDocument"].Statement));
  return [...inline, ...attached] as Statement[];
}

const proxyCalls = JSON.parse(readFileSync(new URL("../../proxy/aws-permissions.json", import.meta.url), "utf8")) as { action: string; where: string }[];

const crlCalls = JSON.parse(readFileSync(new URL("../../crl-tool/aws-permissions.json", import.meta.url), "utf8")) as { lambda: { action: string; when: string }[] };

/** What every function may do: write its log, and hand on what failed. */
const BASIC_CALLS = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];
const NETWORK_CALLS = /^ec2:(Assign|Unassign|Create|Delete|Describe)[A-Za-z]*(Address|Interface|Subnet)/;

/** The calls of a function's program, by a word in its id. */
function callsOf(id: string, variables: Record<string, unknown>): readonly string[] {
  if (id.includes("Keeper")) return KEEPER_CALLS;
  if (id.includes("CrlsSigners")) return SIGNERS_CALLS;
  if (id.includes("GovernanceRule")) return RULE_CALLS;
  if (id.includes("LambdaCaller")) return [];
  if (id.includes("AddressesFinder")) return ADDRESSES_CALLS;
  if (id.includes("CrlTool")) return crlCalls.lambda.filter(({ when }) => when === "always" || when in variables).map(({ action }) => action);
  throw new Error(`whose calls? ${id}`);
}

/** The configuration that a task definition carries, with `…` where only AWS knows. */
function configurationOf(task: Resource): string {
  const environment = task.properties["ContainerDefinitions"][0].Environment as { Name: string; Value: any }[];
  const value = environment.find(({ Name }) => Name === "CONFIGURATION")!.Value;
  return typeof value === "string" ? value : value["Fn::Join"][1].map((part: unknown) => (typeof part === "string" ? part : "…")).join("");
}

describe.each(VARIANTS)("%s", (variant) => {
  const all = assembly(variant);

  test("the proxy's role can do the calls that its configuration leads to, and no others", () => {
    for (const task of all.of("AWS::ECS::TaskDefinition")) {
      const toml = configurationOf(task);
      const needed = proxyCalls.filter(({ where }) => new RegExp(where, "m").test(toml)).map(({ action }) => action);
      expect(needed.length).toBeGreaterThan(0);
      const role = all.of("AWS::IAM::Role").find(({ stack, id }) => `${stack}/${id}` === all.target(task.stack, task.properties["TaskRoleArn"]))!;
      const may = statementsOf(all, role).flatMap(({ Action }) => list(Action));
      expect(new Set(may)).toEqual(new Set([...needed, ...AGENT_CALLS]));
    }
  });

  test("every function's role can do the calls that its program makes, and no others", () => {
    const functions = all.of("AWS::Lambda::Function");
    expect(functions.length).toBeGreaterThan(0);
    for (const it of functions) {
      const role = all.resources.find(({ stack, id }) => `${stack}/${id}` === all.target(it.stack, it.properties["Role"]))!;
      const may = statementsOf(all, role).flatMap(({ Action }) => list(Action));
      const variables = it.properties["Environment"]?.Variables ?? {};
      const inside = it.properties["VpcConfig"] !== undefined;
      const wanted = new Set([...callsOf(it.id, variables), ...BASIC_CALLS]);
      expect(new Set(may.filter((call) => !(inside && NETWORK_CALLS.test(call)))), it.id).toEqual(wanted);
    }
  });

  test("no role of a task or a function may do anything everywhere", () => {
    const roles = all.of("AWS::IAM::Role").filter(({ properties }) => /ecs-tasks|lambda\.amazonaws/.test(JSON.stringify(properties["AssumeRolePolicyDocument"])));
    expect(roles.length).toBeGreaterThan(0);
    for (const role of roles) {
      expect(role.properties["ManagedPolicyArns"] ?? []).toEqual([]);
      for (const { Effect, Action, Resource } of statementsOf(all, role)) {
        expect(Effect).toBe("Allow");
        for (const action of list(Action)) {
          expect(action).not.toContain("*");
          // Calls that know no resource: pulling images, interfaces of functions in a VPC, reading all endpoint services.
          if (action === "ecr:GetAuthorizationToken" || NETWORK_CALLS.test(action) || (RULE_CALLS as readonly string[]).includes(action)) continue;
          for (const resource of list(Resource)) expect(resource, `${role.id}: ${action}`).not.toBe("*");
        }
      }
    }
  });
});
