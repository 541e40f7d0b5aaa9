/** The small functions, run with an AWS that writes down what it is asked. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { expect, test } from "vitest";

import { RULE_CALLS } from "../lib/constructs/governance/index.js";
import { KEEPER_CALLS } from "../lib/constructs/pki/index.js";
import { source } from "../lib/source.js";

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

test.each(["pki/keeper.cjs", "governance/rule.cjs", "lambda-caller/caller.cjs"])("%s fits into a template, and is JavaScript", (path) => {
  const text = source(`constructs/${path}`);
  expect(text.length).toBeLessThan(4096);
  execFileSync(process.execPath, ["--check", "-"], { input: text });
});
