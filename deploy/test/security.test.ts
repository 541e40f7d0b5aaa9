/** Facts about single resources that must not change unnoticed. */
import { describe, expect, test } from "vitest";

import { IDENTITY_HEADERS } from "../lib/constants.js";
import { Assembly, assembly, example, list, VARIANTS } from "./support.js";

describe.each(VARIANTS)("%s", (variant) => {
  const all = assembly(variant);

  test("every bucket is encrypted, versioned, closed to the public, reached by TLS alone, and stays", () => {
    const buckets = all.of("AWS::S3::Bucket");
    expect(buckets.length).toBeGreaterThan(0);
    for (const { stack, id, properties } of buckets) {
      expect(properties["BucketEncryption"]).toBeDefined();
      expect(properties["VersioningConfiguration"]).toEqual({ Status: "Enabled" });
      expect(Object.values(properties["PublicAccessBlockConfiguration"])).toEqual([true, true, true, true]);
      expect(properties["OwnershipControls"].Rules).toEqual([{ ObjectOwnership: "BucketOwnerEnforced" }]);
      const policy = all.of("AWS::S3::BucketPolicy").find((it) => all.target(it.stack, it.properties["Bucket"]) === `${stack}/${id}`)!;
      const statements = list(policy.properties["PolicyDocument"].Statement) as any[];
      expect(statements.some((it) => it.Effect === "Deny" && it.Condition?.Bool?.["aws:SecureTransport"] === "false")).toBe(true);
      for (const it of statements.filter(({ Effect }) => Effect === "Allow")) expect(it.Principal).not.toEqual({ AWS: "*" });
    }
  });

  test("Private CA writes CRLs for this account's CAs, and for nobody else's", () => {
    const policies = all.of("AWS::S3::BucketPolicy").flatMap((it) => list(it.properties["PolicyDocument"].Statement) as any[]);
    const writers = policies.filter((it) => it.Principal?.Service === "acm-pca.amazonaws.com");
    expect(writers.length).toBe(["cross-account", "comparison"].includes(variant) ? 0 : all.of("AWS::ECS::Service").length);
    for (const { Condition } of writers) {
      expect(Condition.StringEquals).toEqual({ "aws:SourceAccount": "111111111111" });
      expect(JSON.stringify(Condition.ArnLike["aws:SourceArn"])).toMatch(/111111111111:certificate-authority\/\*/);
    }
    for (const { properties } of all.of("AWS::ACMPCA::CertificateAuthority")) {
      expect(properties["RevocationConfiguration"].CrlConfiguration).toMatchObject({ Enabled: true, S3ObjectAcl: "BUCKET_OWNER_FULL_CONTROL" });
    }
  });

  test("the proxy's container cannot be anybody, write anything, or linger", () => {
    for (const { properties } of all.of("AWS::ECS::TaskDefinition")) {
      const proxy = properties["ContainerDefinitions"].find(({ Name }: any) => Name === "proxy");
      expect(proxy).toMatchObject({ User: "65532:65532", ReadonlyRootFilesystem: true, Privileged: false, StopTimeout: 120, LinuxParameters: { Capabilities: { Drop: ["ALL"] } } });
      expect(proxy.HealthCheck.Command.slice(0, 3)).toEqual(["CMD", "/postern", "health"]);
    }
    for (const { properties } of all.of("AWS::ECS::Service")) {
      expect(properties["DeploymentConfiguration"].DeploymentCircuitBreaker).toEqual({ Enable: true, Rollback: true });
      expect(properties["NetworkConfiguration"].AwsvpcConfiguration.AssignPublicIp).toBe("DISABLED");
    }
  });

  test("the load balancer passes TLS through with a PROXY header, across zones, and waits for draining targets", () => {
    const own = (type: string) => all.of(`AWS::ElasticLoadBalancingV2::${type}`).filter(({ stack }) => stack.startsWith("Proxy-"));
    const groups = own("TargetGroup");
    expect(groups.length).toBe(all.of("AWS::ECS::Service").length);
    for (const { properties } of groups) {
      const attributes = Object.fromEntries(properties["TargetGroupAttributes"].map(({ Key, Value }: any) => [Key, Value]));
      expect(attributes).toMatchObject({ "proxy_protocol_v2.enabled": "true", "preserve_client_ip.enabled": "false", "deregistration_delay.timeout_seconds": "120" });
      expect(properties).toMatchObject({ Protocol: "TCP", Port: 8443, HealthCheckPort: "9090", HealthCheckPath: "/readyz", HealthCheckProtocol: "HTTP" });
    }
    for (const { properties } of own("Listener")) expect(properties).toMatchObject({ Protocol: "TCP", Port: 443 });
    for (const { properties } of own("LoadBalancer")) {
      const attributes = Object.fromEntries(properties["LoadBalancerAttributes"].map(({ Key, Value }: any) => [Key, Value]));
      expect(attributes["load_balancing.cross_zone.enabled"]).toBe("true");
      expect(properties["Scheme"]).toBe("internal");
    }
  });

  test("no load balancer is reachable from the internet, or goes without being asked", () => {
    for (const { properties } of all.of("AWS::ElasticLoadBalancingV2::LoadBalancer")) {
      expect(properties["Scheme"]).toBe("internal");
      expect(properties["LoadBalancerAttributes"]).toContainEqual({ Key: "deletion_protection.enabled", Value: "true" });
    }
  });

  test("only who came through the proxy is believed about a certificate", () => {
    for (const { stack, properties } of all.of("AWS::ApiGateway::Method").filter(({ id }) => id.includes("whoami"))) {
      const [, parts] = properties["Integration"].IntegrationResponses[0].ResponseTemplates["application/json"]["Fn::Join"];
      expect(parts[0] + "…" + parts[2]).toMatch(/^\{"client": "#if\(\$context\.identity\.vpceId == '…'\)\$util\.escapeJavaScript\(\$input\.params\('X-Client-Cert-Sub'\)\)#end"/);
      expect(all.target(stack, parts[1])).toMatch(/\/NetworkProxyExecuteApiEndpoint[0-9A-F]{8}$/);
    }
  });

  test("where crl-tool signs, the proxy takes nothing that is not signed, and its key is there before", () => {
    const signing = all.of("AWS::Lambda::Function").filter(({ properties }) => properties["Environment"]?.Variables?.SIGN_KEY_KMS !== undefined);
    expect(signing.length).toBe(variant === "single-account" ? 1 : 0);
    for (const { properties } of all.of("AWS::ECS::TaskDefinition")) {
      const toml = JSON.stringify(properties["ContainerDefinitions"][0].Environment);
      const keys = signing.length === 0 ? "[]" : '[ \\"s3://postern-trust-111111111111-eu-west-1/signers/indexes.pem\\" ]';
      expect(toml).toContain(`require_signature_by = ${keys}\\n`);
    }
    for (const { stack, dependsOn } of signing) expect(dependsOn).toContain(all.one("AWS::CloudFormation::CustomResource", "CrlsSigner", stack).id);
  });

  test("tasks are added for the processor and for handshakes", () => {
    const specified = all.of("AWS::ApplicationAutoScaling::ScalingPolicy").map(({ properties }) => properties["TargetTrackingScalingPolicyConfiguration"]);
    for (const region of new Set(all.of("AWS::ECS::Service").map(({ stack }) => stack))) expect(region).toMatch(/^Proxy-/);
    expect(specified.filter((it) => it.PredefinedMetricSpecification?.PredefinedMetricType === "ECSServiceAverageCPUUtilization").length).toBe(all.of("AWS::ECS::Service").length);
    expect(specified.filter((it) => it.CustomizedMetricSpecification?.MetricName === "postern_handshakes_total").length).toBe(all.of("AWS::ECS::Service").length);
  });

  test("crl-tool is called for every CRL, a few at a time, and what it cannot do is kept", () => {
    for (const { properties } of all.of("AWS::Lambda::Function").filter(({ id }) => id.includes("CrlTool"))) {
      expect(properties).toMatchObject({ ReservedConcurrentExecutions: 2, ...(variant === "comparison" ? { PackageType: "Image" } : { Runtime: "provided.al2023", Handler: "bootstrap" }) });
    }
    const rules = all.of("AWS::Events::Rule").filter(({ id }) => id.includes("Uploaded"));
    expect(rules.length).toBe(all.of("AWS::ECS::Service").length);
    for (const { properties } of rules) {
      expect(properties["EventPattern"].detail.object).toEqual({ key: [{ suffix: ".crl" }] });
      expect(properties["Targets"][0]).toMatchObject({ RetryPolicy: { MaximumRetryAttempts: 3 }, DeadLetterConfig: {} });
    }
  });
});

test("a regional API has named callers, who sign, and passes on nothing that only the proxy may say", () => {
  const all = assembly("comparison");
  const { stack, id, properties } = all.one("AWS::ApiGateway::RestApi", "Regional");
  expect(properties["EndpointConfiguration"]).toEqual({ Types: ["REGIONAL"] });
  expect(properties["Policy"].Statement).toEqual([{ Effect: "Allow", Principal: { AWS: "arn:aws:iam::222222222222:root" }, Action: "execute-api:Invoke", Resource: "execute-api:/*" }]);
  const methods = all.of("AWS::ApiGateway::Method").filter((it) => all.target(it.stack, it.properties["RestApiId"]) === `${stack}/${id}`);
  expect(methods.map((it) => it.properties["AuthorizationType"])).toEqual(["AWS_IAM"]);
  const { Type, ConnectionType, Uri, RequestParameters } = methods[0]!.properties["Integration"];
  expect({ Type, ConnectionType, Uri }).toEqual({ Type: "HTTP_PROXY", ConnectionType: "VPC_LINK", Uri: "https://apis.internal.example.com/{path}" });
  for (const name of IDENTITY_HEADERS) expect(RequestParameters[`integration.request.header.${name}`]).toBe("''");
  const balancer = all.one("AWS::ElasticLoadBalancingV2::LoadBalancer", "Regional");
  expect(all.target(stack, all.one("AWS::ApiGateway::VpcLink", "Regional").properties["TargetArns"][0])).toBe(`${stack}/${balancer.id}`);
  expect(all.one("AWS::ElasticLoadBalancingV2::TargetGroup", "Regional").properties).toMatchObject({ Protocol: "TCP", TargetType: "ip", Targets: [{ Port: 443 }, { Port: 443 }, { Port: 443 }] });
});

test("the alternative front verifies clients with the same bundle and a CRL, or says that it is dangerous", () => {
  const all = assembly("comparison");
  const listener = all.one("AWS::ElasticLoadBalancingV2::Listener", "Alternative");
  expect(listener.properties).toMatchObject({ Protocol: "HTTPS", Port: 443, SslPolicy: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", DefaultActions: [{ Type: "fixed-response" }] });
  expect(listener.properties["MutualAuthentication"]).toMatchObject({ Mode: "verify", IgnoreClientCertificateExpiry: false });
  const store = all.one("AWS::ElasticLoadBalancingV2::TrustStore", "Alternative");
  expect(all.target(store.stack, listener.properties["MutualAuthentication"].TrustStoreArn)).toBe(`${store.stack}/${store.id}`);
  expect(store.properties).toMatchObject({ CaCertificatesBundleS3Bucket: "postern-trust-111111111111-eu-west-1", CaCertificatesBundleS3Key: "truststore/ca.pem" });
  expect(all.one("AWS::ElasticLoadBalancingV2::TrustStoreRevocation", "Alternative").properties["RevocationContents"]).toEqual([
    { RevocationType: "CRL", S3Bucket: "postern-crl-111111111111-eu-west-1", S3Key: "partners.crl" },
  ]);
  const rule = all.one("AWS::ElasticLoadBalancingV2::ListenerRule", "Alternative");
  expect(rule.properties["Transforms"]).toEqual([{ Type: "host-header-rewrite", HostHeaderRewriteConfig: { Rewrites: [{ Regex: "^.*$", Replace: "apis.internal.example.com" }] } }]);
  const settings = example("comparison");
  const passing = new Assembly({ ...settings, reach: { ...settings.reach, alternative: { mode: "danger_passthrough" } } });
  expect(passing.one("AWS::ElasticLoadBalancingV2::Listener", "Alternative").properties["MutualAuthentication"]).toEqual({ Mode: "passthrough" });
  expect(passing.of("AWS::ElasticLoadBalancingV2::TrustStore")).toEqual([]);
});

test("the endpoint service asks, and names who may ask", () => {
  const all = assembly("cross-account");
  expect(all.one("AWS::EC2::VPCEndpointService", "PrivateLink").properties).toMatchObject({ AcceptanceRequired: true, PrivateDnsName: "api.example.com" });
  expect(all.one("AWS::EC2::VPCEndpointServicePermissions", "PrivateLink").properties["AllowedPrincipals"]).toEqual(["arn:aws:iam::222222222222:root"]);
  expect(all.one("AWS::EC2::VPCEndpointConnectionNotification", "PrivateLink").properties["ConnectionEvents"]).toContain("Connect");
});

test("what VPC Lattice shares is TCP on the clients' port, with nobody outside the organization", () => {
  const all = assembly("cross-account");
  expect(all.one("AWS::VpcLattice::ResourceConfiguration", "Lattice").properties).toMatchObject({ ProtocolType: "TCP", PortRanges: ["443"] });
  expect(all.one("AWS::RAM::ResourceShare", "Lattice").properties).toMatchObject({ AllowExternalPrincipals: false, Principals: ["222222222222"] });
  expect(all.of("AWS::EC2::VPCEndpoint").filter(({ properties }) => properties["VpcEndpointType"] === "Resource")).toHaveLength(1);
});

test("the organization's policies deny what they are for, and leave the network's administrators out", () => {
  const policies = assembly("cross-account").of("AWS::Organizations::Policy");
  const statements = policies.flatMap(({ properties }) => properties["Content"].Statement) as any[];
  expect(policies).toHaveLength(2);
  for (const { Effect } of statements) expect(Effect).toBe("Deny");
  const by = (sid: string) => statements.find(({ Sid }) => Sid === sid);
  expect(by("OnlyKnownEndpointServices").Condition.StringNotEqualsIfExists["ec2:VpceServiceOwner"]).toEqual(["amazon", "aws-marketplace", "111111111111"]);
  expect(by("OnlyNetworkAdminsLetOthersIn").Action).toContain("ec2:ModifyVpcEndpointServicePermissions");
  expect(by("OnlyNetworkAdminsLetOthersIn").Condition.ArnNotLike["aws:PrincipalArn"]).toEqual(["arn:aws:iam::*:role/network-admin"]);
  // 5,120 characters are what Organizations takes.
  for (const { properties } of policies) expect(JSON.stringify(properties["Content"]).length).toBeLessThan(5120);
});

test("each Region answers by latency as long as its own alarm says so", () => {
  const all = assembly("two-regions");
  const records = all.of("AWS::Route53::RecordSet");
  expect(records.map(({ properties }) => properties["Region"]).sort()).toEqual(["eu-central-1", "eu-west-1"]);
  const alarms = all.of("AWS::CloudWatch::Alarm").filter(({ properties }) => properties["AlarmName"] === "postern-available");
  expect(alarms.map(({ stack }) => stack).sort()).toEqual(["Proxy-eu-central-1", "Proxy-eu-west-1"]);
  // Route 53 reads no expressions.
  for (const { properties } of alarms) expect(properties["MetricName"]).toBe("HealthyHostCount");
  for (const { properties } of all.of("AWS::Route53::HealthCheck")) {
    expect(properties["HealthCheckConfig"]).toMatchObject({ AlarmIdentifier: { Name: "postern-available" }, InsufficientDataHealthStatus: "Unhealthy" });
  }
});

test("CRLs and CA certificates go to the other Region", () => {
  const copied = assembly("two-regions").of("AWS::S3::Bucket").flatMap(({ properties }) => properties["ReplicationConfiguration"]?.Rules ?? []);
  expect(copied.map(({ Destination }: any) => Destination.Bucket)).toEqual(["arn:aws:s3:::postern-crl-111111111111-eu-central-1", "arn:aws:s3:::postern-trust-111111111111-eu-central-1"]);
});
