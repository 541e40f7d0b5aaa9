/** The infrastructure and the programs use the same names and ports. */
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { expect, test } from "vitest";

import { ADMIN, CRL_METRICS, IDENTITY_HEADERS, METRICS, PORTS } from "../lib/constants.js";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("ports are the proxy's defaults", () => {
  const example = parse(file("proxy/config.example.toml")) as any;
  expect(example.listen.address).toBe(`0.0.0.0:${PORTS.proxy}`);
  expect(example.admin.address).toMatch(new RegExp(`:${PORTS.admin}$`));
});

test("what the regional API takes away from its callers is what the proxy says about its clients", () => {
  const settings = (parse(file("proxy/config.example.toml")) as any).identity_headers;
  const switches = { client_cert: true, client_cert_sub: "plain", x_postern_vpce_id: true };
  expect(file("deploy/lib/constructs/proxy-service/configuration.ts")).toContain('identity_headers: { client_cert: true, client_cert_sub: "plain", x_postern_vpce_id: true }');
  expect(Object.keys(switches).map((it) => settings.names[it])).toEqual(IDENTITY_HEADERS);
});

test("metrics that are read stand in the proxy's list, with the labels that are used", () => {
  const listed = file("docs/metrics.md");
  const { namespace: _, ...metrics } = METRICS;
  for (const metric of Object.values(metrics)) expect(listed).toContain(`\`${metric}\``);
  expect(listed).toMatch(/`postern_handshakes_total` \| counter \| `result`: accepted, refused/);
  expect(listed).toMatch(/`postern_requests_total` \| counter \| `class`/);
});

test("the admin port has the paths that are asked for", () => {
  const code = file("proxy/src/admin.rs");
  for (const path of Object.values(ADMIN)) expect(code).toContain(`"${path}"`);
});

test("the access log has the fields that are measured", () => {
  const code = file("proxy/src/access_log.rs");
  for (const field of ["kind", "duration_ms"]) expect(code).toContain(`pub ${field}:`);
});

test("crl-tool's metrics stand in its document", () => {
  const listed = file("docs/pipeline.md");
  for (const name of [CRL_METRICS.namespace, CRL_METRICS.failed, CRL_METRICS.expiresIn]) expect(listed).toContain(`\`${name}\``);
});
