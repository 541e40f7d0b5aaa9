/**
 * The one configuration of a deployment: a JSON file in, one checked `Settings` out, or everything that is wrong at once.
 * Unknown keys are refused, and so are settings that contradict each other.
 */
import { readFileSync } from "node:fs";

import { z } from "zod";

import { contradictions } from "./config/contradictions.js";

const region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "not a Region such as eu-west-1");
const account = z.string().regex(/^\d{12}$/, "not an account of 12 digits");
const domain = z.string().regex(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, "not a domain name in lower case");
const cidr = z.string().regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, "not a network such as 10.0.0.0/16");
const arn = z.string().regex(/^arn:aws[a-z-]*:/, "not an ARN");
const image = z.string().regex(/^[A-Za-z0-9._-]+$/, "not an image tag");

/** A VPC: three zones, so that the loss of one leaves two. */
const network = z.strictObject({
  region,
  zones: z.array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, "not a zone such as eu-west-1a")).length(3),
  cidr,
});

/** One Region of the provider. */
const place = z.strictObject({
  ...network.shape,
  /** ACM certificate of the private API's domain name, in this Region. Required with `api.domain`. */
  apiCertificate: arn.optional(),
  /** ACM certificate of what clients call the alternative front, in this Region. Required with `reach.alternative`. */
  alternativeCertificate: arn.optional(),
});

const api = z.strictObject({
  /** Private custom domain name, under which several APIs are mapped. Without it, the sample API is called by its id. */
  domain: domain.optional(),
  /** Who may call the methods: `iam` asks for a signature, which the proxy makes. */
  authorization: z.enum(["none", "iam"]).default("none"),
  /** More APIs under the domain: base path and id of each. */
  mapped: z.array(z.strictObject({ path: z.string().regex(/^[a-z0-9/_-]+$/), id: z.string(), stage: z.string() })).default([]),
});

const proxy = z.strictObject({
  /** Tags in the registries of the Artifacts stack. Tags there are immutable. */
  image,
  agentImage: image,
  architecture: z.enum(["arm64", "x86_64"]).default("arm64"),
  /** Of a task, in the units of ECS. */
  cpu: z.union([z.literal(512), z.literal(1024), z.literal(2048), z.literal(4096)]).default(1024),
  memoryMiB: z.number().int().min(1024).max(30720).default(2048),
  tasks: z.strictObject({ least: z.number().int().min(1), most: z.number().int().min(1) }).default({ least: 3, most: 12 }),
  /** What one task is to carry before another is started. Measure it: `make bench`. */
  handshakesPerSecond: z.number().int().min(1).default(400),
  /** What clients call: in the proxy's certificate, and as private DNS name of the endpoint service. */
  domain,
  /** Whose connections the load balancer takes, beside those of PrivateLink and VPC Lattice. */
  clientNetworks: z.array(cidr).default([]),
  /** The secret with the key pair, if it is not of the Pki stack: `certificate` and `private_key`, both PEM. */
  secretArn: arn.optional(),
});

const pki = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("private-ca"),
    organization: z.string().min(1),
    crl: z.enum(["complete", "partitioned"]).default("complete"),
    /** Days that a client's certificate is valid at most; Private CA keeps a revoked one on the list that long. */
    crlDays: z.number().int().min(1).max(5000).default(7),
  }),
  /** CRLs go into the CRL bucket; the bundle and the CRLs' issuers into the trust bucket, under the keys in `constants.ts`. */
  z.strictObject({ kind: z.literal("own") }),
]);

const crl = z.strictObject({
  /** How crl-tool comes to Lambda: as `crl-tool/VERSION.zip` in the artifacts bucket, or as an image of its registry. */
  package: z.enum(["zip", "image"]).default("zip"),
  version: image,
  /** KMS signs each index. */
  signed: z.boolean().default(false),
  concurrency: z.number().int().min(1).max(100).default(2),
  memoryMiB: z.number().int().min(128).max(10240).default(1024),
  graceSeconds: z.number().int().min(0).default(0),
  /** An alarm when a list has so little time left. */
  warnSeconds: z.number().int().min(60).default(86_400),
});

const privateLink = z.strictObject({
  principals: z.array(arn).min(1),
  acceptance: z.boolean().default(true),
  /** Needs the domain's ownership to be proved by a TXT record. */
  privateDnsName: z.boolean().default(false),
});

const lattice = z.strictObject({ sharedWith: z.array(z.union([account, arn])).min(1) });

/** An Application Load Balancer in front of the same API, to compare the proxy with. */
const alternative = z.discriminatedUnion("mode", [
  /** A trust store of the bundle, and these keys of the CRL bucket, which must be there when it is deployed. */
  z.strictObject({ mode: z.literal("verify"), crls: z.array(z.string().min(1)).min(1).max(30) }),
  /** Certificates are passed on and not looked at: the API lets everybody in who does not look at them itself. */
  z.strictObject({ mode: z.literal("danger_passthrough") }),
]);

const reach = z.strictObject({
  privateLink: privateLink.optional(),
  lattice: lattice.optional(),
  /** EventBridge connection and Step Functions, through an execute-api endpoint of their own. */
  events: z.boolean().default(false),
  /** Lambda in the VPC -> the private API. */
  lambda: z.boolean().default(false),
  /** Regional API, with signatures of these principals -> VPC link -> load balancer -> the private API. */
  regional: z.strictObject({ principals: z.array(arn).min(1) }).optional(),
  alternative: alternative.optional(),
});

const consumer = z.strictObject({
  ...network.shape,
  account,
  /** `com.amazonaws.vpce.REGION.vpce-svc-…`: output of the Reach stack. */
  endpointService: z.string().regex(/^com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]+$/).optional(),
  /** The resource configuration that was shared: output of the Reach stack. */
  resourceConfiguration: arn.optional(),
});

const governance = z.strictObject({
  /** Where policies are attached: roots, organizational units or accounts. The stack goes into the management account. */
  account,
  region,
  targets: z.array(z.string().regex(/^(r-[0-9a-z]+|ou-[0-9a-z-]+|\d{12})$/)).min(1),
  organization: z.string().regex(/^o-[a-z0-9]{10,32}$/),
  /** Accounts whose endpoint services may be used, beside Amazon's. */
  owners: z.array(account).min(1),
  networkAdmins: z.array(arn).min(1),
  notify: z.email(),
});

const settings = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{1,20}$/, "2 to 21 lower-case letters, digits and dashes").default("postern"),
  account,
  /** One Region, or two; certificates come from the first. */
  regions: z.array(place).min(1).max(2),
  api,
  proxy,
  pki,
  crl,
  reach: reach.default({ events: false, lambda: false }),
  consumers: z.array(consumer).default([]),
  governance: governance.optional(),
});

export type Settings = z.infer<typeof settings>;
export type Reach = Settings["reach"];
export type Network = z.infer<typeof network>;
export type Place = z.infer<typeof place>;
export type ConsumerSettings = z.infer<typeof consumer>;
export type GovernanceSettings = z.infer<typeof governance>;

/** Settings that cannot be deployed, with every problem there is. */
export class InvalidSettings extends Error {
  constructor(
    file: string,
    readonly problems: readonly string[],
  ) {
    super(`${file}:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }
}

/** Checks what a file says. Throws `InvalidSettings`. */
export function parse(document: unknown, file = "settings"): Settings {
  const parsed = settings.safeParse(document);
  if (!parsed.success) {
    throw new InvalidSettings(file, parsed.error.issues.map((issue) => `${issue.path.join(".") || "(all)"}: ${issue.message}`));
  }
  const problems = contradictions(parsed.data);
  if (problems.length > 0) throw new InvalidSettings(file, problems);
  return parsed.data;
}

/** Reads and checks a file. Throws `InvalidSettings`. */
export function load(file: string): Settings {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InvalidSettings(file, [String(error)]);
  }
  return parse(document, file);
}
