/** What the configuration refuses, and in which words. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { InvalidSettings, load, parse } from "../lib/config.js";
import { VARIANTS } from "./support.js";

const example = (variant: string) => JSON.parse(readFileSync(new URL(`../examples/${variant}.json`, import.meta.url), "utf8"));

function problems(change: (settings: any) => void, variant = "single-account"): string[] {
  const settings = example(variant);
  change(settings);
  try {
    parse(settings);
  } catch (error) {
    if (error instanceof InvalidSettings) return [...error.problems];
    throw error;
  }
  return [];
}

test.each(VARIANTS)("%s is good", (variant) => {
  expect(problems(() => {}, variant)).toEqual([]);
});

test("a file that is not there, or not JSON, says which", () => {
  expect(() => load("nowhere.json")).toThrow(/nowhere\.json:[^]*ENOENT/);
});

test("all problems come at once", () => {
  const found = problems((it) => {
    it.nmae = "x";
    it.account = "1";
    it.proxy.cpu = 3;
  });
  expect(found).toHaveLength(3);
  expect(found.join()).toContain("nmae");
});

describe.each<[string, (settings: any) => void, RegExp, string?]>([
  ["an unknown key deep inside", (it) => (it.reach = { privateLnk: {} }), /reach: .*privateLnk/],
  ["fewer tasks at most than at least", (it) => (it.proxy.tasks = { least: 3, most: 2 }), /^proxy\.tasks: least is above most/],
  ["two zones", (it) => it.regions[0].zones.pop(), /^regions\.0\.zones/],
  ["a zone of another Region", (it) => (it.regions[0].zones[0] = "us-east-1a"), /^regions\.0\.zones: not all are of eu-west-1/],
  ["a zone twice", (it) => (it.regions[0].zones[0] = "eu-west-1b"), /^regions\.0\.zones: a zone is there twice/],
  ["a Region twice", (it) => it.regions.push(it.regions[0]), /^regions: a Region is there twice/],
  ["a domain without its certificate", (it) => delete it.regions[0].apiCertificate, /^regions\.0\.apiCertificate: needed/],
  ["a certificate of another Region", (it) => (it.regions[0].apiCertificate = "arn:aws:acm:us-east-1:1:certificate/x"), /^regions\.0\.apiCertificate: is not of eu-west-1/],
  ["mapped APIs without a domain", (it) => (delete it.api.domain, delete it.regions[0].apiCertificate), /^api\.mapped: /],
  ["a path twice", (it) => it.api.mapped.push(it.api.mapped[0]), /^api\.mapped: a path is there twice/],
  ["one name inside and outside", (it) => (it.api.domain = it.proxy.domain), /^api\.domain: must differ/],
  ["a key pair from elsewhere, and one of the Pki stack", (it) => (it.proxy.secretArn = "arn:aws:secretsmanager:eu-west-1:1:secret:x"), /^proxy\.secretArn: the Pki stack/],
  ["no key pair at all", (it) => delete it.proxy.secretArn, /^proxy\.secretArn: needed/, "cross-account"],
  ["signatures that a caller cannot make", (it) => (it.reach = { events: true, lambda: true, regional: { principals: ["arn:aws:iam::222222222222:root"] } }), /^reach\.regional: nobody signs/],
  ["an alternative front without its certificate", (it) => delete it.regions[0].alternativeCertificate, /^regions\.0\.alternativeCertificate: needed/, "comparison"],
  ["an alternative front's certificate without it", (it) => delete it.reach.alternative, /^regions\.0\.alternativeCertificate: is for/, "comparison"],
  ["a trust store without a CRL", (it) => (it.reach.alternative.crls = []), /^reach\.alternative\.crls/, "comparison"],
  ["passing certificates on without saying that it is dangerous", (it) => (it.reach.alternative = { mode: "passthrough" }), /^reach\.alternative/, "comparison"],
  ["a consumer without a way", (it) => (delete it.consumers[0].endpointService, delete it.consumers[0].resourceConfiguration), /^consumers\.0: needs/, "cross-account"],
  ["a consumer's way that is not offered", (it) => delete it.reach.lattice, /^consumers: resourceConfiguration needs reach\.lattice/, "cross-account"],
  ["an endpoint service of another Region", (it) => (it.consumers[0].endpointService = "com.amazonaws.vpce.us-east-1.vpce-svc-0"), /^consumers\.0\.endpointService/, "cross-account"],
  ["one private name for two Regions", (it) => (it.reach = { privateLink: { principals: ["arn:aws:iam::222222222222:root"], privateDnsName: true } }), /^reach\.privateLink\.privateDnsName/, "two-regions"],
])("%s", (_, change, problem, variant) => {
  test("is refused", () => {
    const found = problems(change, variant);
    expect(found.some((it) => problem.test(it)), found.join("\n")).toBe(true);
  });
});
