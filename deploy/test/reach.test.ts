/** Who can open a connection to what: a graph of the security groups, from the templates alone. */
import { describe, expect, test } from "vitest";

import { type Assembly, assembly, list, type Resource, VARIANTS } from "./support.js";

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly port: string;
}

/** Each rule that lets something in, as an edge from a group or a network to a group. */
function rulesIn(all: Assembly): Edge[] {
  const rules: { stack: string; to: string; rule: Record<string, any> }[] = [];
  for (const group of all.of("AWS::EC2::SecurityGroup")) {
    for (const rule of list(group.properties["SecurityGroupIngress"])) rules.push({ stack: group.stack, to: name(group), rule });
  }
  for (const { stack, properties } of all.of("AWS::EC2::SecurityGroupIngress")) {
    rules.push({ stack, to: all.target(stack, properties["GroupId"]), rule: properties });
  }
  return rules.map(({ stack, to, rule }) => ({
    from: all.target(stack, rule["SourceSecurityGroupId"] ?? rule["CidrIp"] ?? rule["CidrIpv6"] ?? rule["SourcePrefixListId"]),
    to,
    port: `${rule["FromPort"]}-${rule["ToPort"]}`,
  }));
}

function name({ stack, id }: Resource): string {
  return `${stack}/${id}`;
}

/** The groups of a resource, whatever the property is called. */
function groupsOf(all: Assembly, { stack, type, properties }: Resource): string[] {
  const groups = {
    "AWS::EC2::VPCEndpoint": properties["SecurityGroupIds"],
    "AWS::ECS::Service": properties["NetworkConfiguration"]?.AwsvpcConfiguration?.SecurityGroups,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": properties["SecurityGroups"],
    "AWS::Lambda::Function": properties["VpcConfig"]?.SecurityGroupIds,
    "AWS::VpcLattice::ResourceGateway": properties["SecurityGroupIds"],
      }[type];
  return list(groups).map((group) => all.target(stack, group as never));
}

describe.each(VARIANTS)("%s", (variant) => {
  const all = assembly(variant);
  const rules = rulesIn(all);
  const endpoints = all.of("AWS::EC2::VPCEndpoint").filter(({ id }) => id.startsWith("NetworkProxyExecuteApiEndpoint"));

  test("every Region has one execute-api endpoint that is the proxy's alone", () => {
    expect(endpoints.length).toBe(all.of("AWS::ECS::Service").length);
    for (const endpoint of endpoints) {
      const groups = groupsOf(all, endpoint);
      expect(groups).toHaveLength(1);
      const into = rules.filter(({ to }) => to === groups[0]);
      expect(into.map(({ from }) => from.replace(/[0-9A-F]{8}$/, ""))).toEqual([`${endpoint.stack}/NetworkProxy`]);
      expect(into.map(({ port }) => port)).toEqual(["443-443"]);
    }
  });

  test("nothing but the proxy's service has the proxy's security group, and nothing but its endpoint has the endpoint's", () => {
    for (const endpoint of endpoints) {
      const [own] = groupsOf(all, endpoint);
      const proxy = rules.find(({ to }) => to === own)!.from;
      const holders = (group: string) => all.resources.filter((it) => groupsOf(all, it).includes(group)).map(({ type }) => type);
      expect(holders(proxy)).toEqual(["AWS::ECS::Service"]);
      expect(holders(own!)).toEqual(["AWS::EC2::VPCEndpoint"]);
    }
  });

  test("only the load balancer reaches the proxy, on its two ports", () => {
    for (const service of all.of("AWS::ECS::Service")) {
      const [proxy] = groupsOf(all, service);
      const into = rules.filter(({ to }) => to === proxy);
      expect(new Set(into.map(({ from }) => from.replace(/[0-9A-F]{8}$/, "")))).toEqual(new Set([`${proxy!.split("/")[0]}/NetworkLoadBalancer`]));
      expect(into.map(({ port }) => port).sort()).toEqual(["8443-8443", "9090-9090"]);
    }
  });

  test("from outside, and from any other group, every path to the proxy's endpoint goes through the load balancer and the proxy", () => {
    for (const endpoint of endpoints) {
      const [own] = groupsOf(all, endpoint);
      const proxy = rules.find(({ to }) => to === own)!.from;
      // Everything that leads to the endpoint, however far, once the proxy is taken out.
      const reached = new Set([own!]);
      for (let before = 0; before < reached.size; ) {
        before = reached.size;
        for (const { from, to } of rules) if (reached.has(to) && from !== proxy) reached.add(from);
      }
      expect([...reached]).toEqual([own]);
    }
  });

  test("what calls private APIs without the proxy has an endpoint of its own, and reaches no other", () => {
    for (const group of all.of("AWS::EC2::SecurityGroup").filter(({ id }) => /^Network(InternalCallers|Regional|Alternative)/.test(id))) {
      const to = rules.filter(({ from }) => from === name(group)).map((rule) => rule.to.replace(/[0-9A-F]{8}$/, ""));
      expect(to).toEqual([`${group.stack}/NetworkInternalExecuteApi`]);
    }
  });

  test("no group lets in the whole world", () => {
    for (const { from } of rules) expect(from).not.toMatch(/^(0\.0\.0\.0|::)\//);
  });

  test("no network has a way to the internet", () => {
    for (const type of ["AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::Route"]) {
      expect(all.of(type)).toEqual([]);
    }
  });

  test("no execute-api endpoint takes over the names of private APIs in its network", () => {
    for (const { properties } of all.of("AWS::EC2::VPCEndpoint")) {
      if (JSON.stringify(properties["ServiceName"] ?? "").includes("execute-api")) expect(properties["PrivateDnsEnabled"]).toBe(false);
    }
  });

  test("every private API and every private name denies whoever did not come through these endpoints", () => {
    const policies = [...all.of("AWS::ApiGateway::RestApi"), ...all.of("AWS::ApiGateway::DomainNameV2")].filter(({ properties }) => JSON.stringify(properties).includes('"PRIVATE"'));
    expect(policies.length).toBeGreaterThan(0);
    for (const { stack, properties } of policies) {
      const deny = properties["Policy"].Statement.find((it: any) => it.Effect === "Deny");
      expect(deny.Principal).toEqual({ AWS: "*" });
      expect(deny.Action).toBe("execute-api:Invoke");
      const through = list(deny.Condition.StringNotEquals["aws:SourceVpce"]).map((it) => all.target(stack, it as never));
      expect(through.length).toBeGreaterThan(0);
      for (const endpoint of through) expect(endpoint).toMatch(/^Network-[a-z0-9-]+\/Network(Proxy|Internal)ExecuteApiEndpoint/);
    }
  });
});
