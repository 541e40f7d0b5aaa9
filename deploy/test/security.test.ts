/** Facts about single resources that must not change unnoticed. */
import { describe, expect, test } from "vitest";

import { assembly, list, VARIANTS } from "./support.js";

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
    expect(writers.length).toBe(variant === "cross-account" ? 0 : all.of("AWS::ECS::Service").length);
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
    const groups = all.of("AWS::ElasticLoadBalancingV2::TargetGroup");
    expect(groups.length).toBe(all.of("AWS::ECS::Service").length);
    for (const { properties } of groups) {
      const attributes = Object.fromEntries(properties["TargetGroupAttributes"].map(({ Key, Value }: any) => [Key, Value]));
      expect(attributes).toMatchObject({ "proxy_protocol_v2.enabled": "true", "preserve_client_ip.enabled": "false", "deregistration_delay.timeout_seconds": "120" });
      expect(properties).toMatchObject({ Protocol: "TCP", Port: 8443, HealthCheckPort: "9090", HealthCheckPath: "/readyz", HealthCheckProtocol: "HTTP" });
    }
    for (const { properties } of all.of("AWS::ElasticLoadBalancingV2::Listener")) expect(properties).toMatchObject({ Protocol: "TCP", Port: 443 });
    for (const { properties } of all.of("AWS::ElasticLoadBalancingV2::LoadBalancer")) {
      const attributes = Object.fromEntries(properties["LoadBalancerAttributes"].map(({ Key, Value }: any) => [Key, Value]));
      expect(attributes["load_balancing.cross_zone.enabled"]).toBe("true");
      expect(properties["Scheme"]).toBe("internal");
    }
  });

  test("tasks are added for the processor and for handshakes", () => {
    const specified = all.of("AWS::ApplicationAutoScaling::ScalingPolicy").map(({ properties }) => properties["TargetTrackingScalingPolicyConfiguration"]);
    for (const region of new Set(all.of("AWS::ECS::Service").map(({ stack }) => stack))) expect(region).toMatch(/^Proxy-/);
    expect(specified.filter((it) => it.PredefinedMetricSpecification?.PredefinedMetricType === "ECSServiceAverageCPUUtilization").length).toBe(all.of("AWS::ECS::Service").length);
    expect(specified.filter((it) => it.CustomizedMetricSpecification?.MetricName === "postern_handshakes_total").length).toBe(all.of("AWS::ECS::Service").length);
  });

  test("crl-tool is called for every CRL, a few at a time, and what it cannot do is kept", () => {
    for (const { properties } of all.of("AWS::Lambda::Function").filter(({ id }) => id.includes("CrlTool"))) {
      expect(properties).toMatchObject({ Runtime: "provided.al2023", ReservedConcurrentExecutions: 2 });
    }
    const rules = all.of("AWS::Events::Rule").filter(({ id }) => id.includes("Uploaded"));
    expect(rules.length).toBe(all.of("AWS::ECS::Service").length);
    for (const { properties } of rules) {
      expect(properties["EventPattern"].detail.object).toEqual({ key: [{ suffix: ".crl" }] });
      expect(properties["Targets"][0]).toMatchObject({ RetryPolicy: { MaximumRetryAttempts: 3 }, DeadLetterConfig: {} });
    }
  });
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
