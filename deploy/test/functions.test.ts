/** The small functions, run with an AWS that writes down what it is asked. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { expect, test, vi } from "vitest";

import { ADDRESSES_CALLS } from "../lib/constructs/endpoint-addresses/index.js";
import { SIGNERS_CALLS } from "../lib/constructs/crl-pipeline/index.js";
import { RULE_CALLS } from "../lib/constructs/governance/index.js";
import { KEEPER_CALLS } from "../lib/constructs/pki/index.js";
import { inline, source } from "../lib/source.js";

const require = createRequire(import.meta.url);

test("the keeper writes bundle, issuers and key pair, and calls what its role allows", async () => {
  const calls: { call: string; input: any }[] = [];
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const send = async (service: string, command: string, input: any) => {
    calls.push({ call: `${service.replace("secrets-manager", "secretsmanager")}:${command}`, input });
    if (command === "GetCertificateAuthorityCertificate") return { Certificate: `CA ${calls.length}` };
    if (command === "ExportCertificate") {
      const passphrase = input.Passphrase.toString();
      return { Certificate: "LEAF\n", CertificateChain: "CHAIN\n", PrivateKey: privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }) };
    }
    return {};
  };
  const { keep } = require("../lib/constructs/pki/keeper.cjs") as { keep: (send: unknown) => Promise<void> };
  await keep(send);
  expect(new Set(calls.map(({ call }) => call))).toEqual(new Set(KEEPER_CALLS));
  expect(calls.filter(({ call }) => call === "s3:PutObject").map(({ input }) => input.Body)).toEqual(["CA 1", "CA 1\nCA 2\n"]);
  const written = calls.at(-1)!.input.SecretString as string;
  expect(createPrivateKey(written.slice(0, written.indexOf("LEAF"))).equals(privateKey)).toBe(true);
  expect(written.slice(written.indexOf("LEAF"))).toBe("LEAF\nCHAIN");
});

test("the proxy is told the key that signs, and the one before it while it changes", async () => {
  const pairs = new Map(["now", "before"].map((key) => [key, generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey]));
  const calls: { call: string; input: any }[] = [];
  const send = async (service: string, command: string, input: any) => {
    calls.push({ call: `${service}:${command}`, input });
    return command === "GetPublicKey" ? { PublicKey: new Uint8Array(pairs.get(input.KeyId)!.export({ format: "der", type: "spki" })) } : {};
  };
  const { publish, keysOf } = require("../lib/constructs/crl-pipeline/signers.cjs") as { publish: (send: unknown, keys: string[]) => Promise<void>; keysOf: (event: unknown) => string[] };
  expect(keysOf({ ResourceProperties: { key: "now" } })).toEqual(["now"]);
  expect(keysOf({ ResourceProperties: { key: "now" }, OldResourceProperties: { key: "now" } })).toEqual(["now"]);
  await publish(send, keysOf({ ResourceProperties: { key: "now" }, OldResourceProperties: { key: "before" } }));
  expect(new Set(calls.map(({ call }) => call))).toEqual(new Set(SIGNERS_CALLS));
  const blocks = (calls.at(-1)!.input.Body as string).split(/(?<=-----END PUBLIC KEY-----\n)/);
  expect(blocks.map((pem) => [...pairs.entries()].find(([, key]) => key.equals(createPublicKey(pem)))?.[0])).toEqual(["now", "before"]);
});

test("an endpoint's addresses come in one order, and all of them or none", async () => {
  const { find } = require("../lib/constructs/endpoint-addresses/addresses.cjs") as { find: (send: unknown, interfaces: string[]) => Promise<Record<string, string>> };
  const calls: string[] = [];
  const send = async (service: string, command: string, { NetworkInterfaceIds }: any) => {
    calls.push(`${service}:${command}`);
    return { NetworkInterfaces: NetworkInterfaceIds.filter((id: string) => id !== "gone").map((id: string) => ({ PrivateIpAddress: `10.0.0.${id}` })) };
  };
  expect(await find(send, ["9", "3", "5"])).toEqual({ address0: "10.0.0.3", address1: "10.0.0.5", address2: "10.0.0.9" });
  await expect(find(send, ["9", "gone"])).rejects.toThrow("1 addresses of 2 interfaces");
  expect(new Set(calls)).toEqual(new Set(ADDRESSES_CALLS));
});

test("CloudFormation hears how a custom resource went, whatever came of it", async () => {
  const answers: any[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => (answers.push(JSON.parse(body)), response.end()));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const ResponseURL = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  const handler = (work: () => Promise<unknown>) => new Function("require", `${source("worker.cjs")}; return answering;`)(require)({ RequestType: "Create", RequestId: "r", StackId: "s", LogicalResourceId: "l", ResponseURL }, "id", work);
  vi.spyOn(console, "error").mockImplementation(() => {});
  await handler(async () => ({ found: 1 }));
  await handler(async () => Promise.reject(new Error("no such key")));
  server.close();
  expect(answers[0]).toEqual({ Status: "SUCCESS", Data: { found: 1 }, RequestId: "r", StackId: "s", LogicalResourceId: "l", PhysicalResourceId: "id" });
  expect(answers[1]).toMatchObject({ Status: "FAILED", Reason: "Error: no such key" });
});

test.each([
  ["accepts by itself", { AcceptanceRequired: false }, [], "NON_COMPLIANT"],
  ["says nothing about it", {}, [], "NON_COMPLIANT"],
  ["tells nobody", { AcceptanceRequired: true }, [], "NON_COMPLIANT"],
  ["tells somebody of half of it", { AcceptanceRequired: true }, [{ ConnectionNotificationState: "Enabled", ConnectionEvents: ["Accept"] }], "NON_COMPLIANT"],
  ["told somebody once", { AcceptanceRequired: true }, [{ ConnectionNotificationState: "Disabled", ConnectionEvents: ["Connect", "Accept"] }], "NON_COMPLIANT"],
  ["asks and tells", { AcceptanceRequired: true }, [{ ConnectionNotificationState: "Enabled", ConnectionEvents: ["Connect", "Accept", "Delete"] }], "COMPLIANT"],
])("an endpoint service that %s", (_, service, notifications, type) => {
  const { evaluate } = require("../lib/constructs/governance/rule.cjs") as { evaluate: (a: unknown, b: unknown) => { type: string; why?: string } };
  const found = evaluate(service, notifications);
  expect(found.type).toBe(type);
  expect(found.why === undefined).toBe(type === "COMPLIANT");
});

test("the rule calls what its role allows", () => {
  const named = [...source("constructs/governance/rule.cjs").matchAll(/new ([A-Za-z]+)Command\(/g)].map((it) => it[1]);
  expect(new Set(named)).toEqual(new Set(RULE_CALLS.map((it) => it.split(":")[1])));
});

test.each(["pki/keeper.cjs", "crl-pipeline/signers.cjs", "endpoint-addresses/addresses.cjs", "governance/rule.cjs", "lambda-caller/caller.cjs"])("%s fits into a template, and is JavaScript", (path) => {
  const text = inline(`constructs/${path}`);
  expect(text.length).toBeLessThan(4096);
  execFileSync(process.execPath, ["--check", "-"], { input: text });
});
