import { Duration, Fn, Stack } from "aws-cdk-lib";
import { Stats } from "aws-cdk-lib/aws-cloudwatch";
import { type IRepository } from "aws-cdk-lib/aws-ecr";
import {
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  Protocol as ContainerProtocol,
  Capability,
} from "aws-cdk-lib/aws-ecs";
import {
  NetworkListener,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetType,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { type IGrantable, PolicyStatement, type IRole } from "aws-cdk-lib/aws-iam";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { ADMIN, CONFIGURATION, DRAIN, METRICS, PORTS, STATE, USER } from "../../constants.js";
import { justify } from "../../justify.js";
import { logGroup } from "../../log-group.js";
import type { Network } from "../network/index.js";
import { AGENT_CALLS, agentEnvironment } from "./agent.js";
import { configuration, type Surroundings } from "./configuration.js";
import { metric, Watch } from "./watch.js";

export interface ProxyServiceProps {
  readonly settings: Settings;
  readonly network: Network;
  /** Of the network: a load balancer speaks from addresses in it. */
  readonly cidr: string;
  readonly proxyRepository: IRepository;
  readonly agentRepository: IRepository;
  readonly topic: ITopic;
  readonly target: Surroundings["target"];
  readonly secretArn: string;
  readonly trustBundle: string;
  readonly crls: string;
  readonly signers: string | undefined;
}

/** The proxy as a Fargate service behind a Network Load Balancer that passes TLS through. */
export class ProxyService extends Construct implements IGrantable {
  readonly loadBalancer: NetworkLoadBalancer;
  readonly service: FargateService;
  readonly taskRole: IRole;

  constructor(scope: Construct, id: string, props: ProxyServiceProps) {
    super(scope, id);
    const task = this.addTask(props);
    this.taskRole = task.taskRole;
    this.loadBalancer = this.addLoadBalancer(props);
    this.service = this.addService(props, task);
    const targets = this.addTargets(props);
    this.scale(props.settings);
    new Watch(this, "Watch", {
      settings: props.settings,
      loadBalancer: this.loadBalancer,
      targets,
      accessLog: this.accessLog,
      topic: props.topic,
    });
  }

  private readonly accessLog = logGroup(this, "AccessLog");

  get grantPrincipal() {
    return this.taskRole;
  }

  private addTask(props: ProxyServiceProps): FargateTaskDefinition {
    const { settings, network } = props;
    const { proxy } = settings;
    const task = new FargateTaskDefinition(this, "Task", {
      cpu: proxy.cpu,
      memoryLimitMiB: proxy.memoryMiB,
      runtimePlatform: {
        cpuArchitecture: proxy.architecture === "arm64" ? CpuArchitecture.ARM64 : CpuArchitecture.X86_64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    });
    const dnsEntry = Fn.select(0, network.proxyEndpoint.vpcEndpointDnsEntries);
    const toml = configuration(settings, {
      // HOSTED-ZONE:NAME
      endpointDnsName: Fn.select(1, Fn.split(":", dnsEntry)),
      target: props.target,
      region: Stack.of(this).region,
      loadBalancerNetwork: props.cidr,
      secretArn: props.secretArn,
      trustBundle: props.trustBundle,
      crls: props.crls,
      signers: props.signers,
    });
    const noCapabilities = new LinuxParameters(this, "NoCapabilities", { initProcessEnabled: false });
    noCapabilities.dropCapabilities(Capability.ALL);
    task.addVolume({ name: "state" });
    const container = task.addContainer("proxy", {
      image: ContainerImage.fromEcrRepository(props.proxyRepository, proxy.image),
      command: ["run", "--config", `env:${CONFIGURATION}`],
      environment: { [CONFIGURATION]: toml },
      healthCheck: {
        command: ["CMD", "/postern", "health", "--config", `env:${CONFIGURATION}`, "--ask", "live"],
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(30),
      },
      logging: LogDrivers.awsLogs({ logGroup: this.accessLog, streamPrefix: "proxy" }),
      portMappings: [PORTS.proxy, PORTS.admin].map((containerPort) => ({ containerPort, protocol: ContainerProtocol.TCP })),
      user: USER,
      readonlyRootFilesystem: true,
      privileged: false,
      linuxParameters: noCapabilities,
      stopTimeout: Duration.seconds(DRAIN.stopTimeout),
      essential: true,
    });
    container.addMountPoints({ sourceVolume: "state", containerPath: STATE, readOnly: false });
    this.addAgent(props, task);
    justify(task, { rule: "AwsSolutions-ECS2", why: "the configuration is no secret: addresses and names, those of secrets included" });
    const token = "ecr:GetAuthorizationToken names no repository; layers come from the two registries alone";
    justify(task.obtainExecutionRole().node.findChild("DefaultPolicy"), { rule: "AwsSolutions-IAM5[Resource::*]", why: token });
    return task;
  }

  /** Reads the proxy's metrics on loopback and reports some to CloudWatch. The proxy goes on without it. */
  private addAgent({ settings, agentRepository }: ProxyServiceProps, task: FargateTaskDefinition) {
    const metrics = logGroup(this, "Metrics");
    const own = logGroup(this, "AgentLog");
    task.addContainer("agent", {
      image: ContainerImage.fromEcrRepository(agentRepository, settings.proxy.agentImage),
      environment: agentEnvironment(settings.name, metrics.logGroupName),
      logging: LogDrivers.awsLogs({ logGroup: own, streamPrefix: "agent" }),
      essential: false,
      cpu: 128,
      memoryLimitMiB: 256,
    });
    task.addToTaskRolePolicy(new PolicyStatement({ actions: [...AGENT_CALLS], resources: [metrics.logGroupArn] }));
    const streams = `AwsSolutions-IAM5[Resource::<${Stack.of(this).getLogicalId(metrics.node.defaultChild as never)}.Arn>]`;
    justify(task.taskRole.node.findChild("DefaultPolicy"), { rule: streams, why: "the agent names its stream after the task" });
    justify(task, { rule: "CKV_AWS_336", why: "the proxy's root is read-only; the agent writes its state beside its program" });
  }

  private addLoadBalancer({ settings, network }: ProxyServiceProps): NetworkLoadBalancer {
    const loadBalancer = new NetworkLoadBalancer(this, "LoadBalancer", {
      vpc: network.vpc,
      internetFacing: false,
      crossZoneEnabled: true,
      deletionProtection: true,
      securityGroups: [network.loadBalancer],
      // Consumers' addresses may overlap with ours: who comes through PrivateLink was let in by the endpoint service.
      enforceSecurityGroupInboundRulesOnPrivateLinkTraffic: settings.reach.privateLink === undefined,
    });
    const why = "a Network Load Balancer logs TLS listeners only; the proxy writes the access log";
    justify(loadBalancer, { rule: "AwsSolutions-ELB2", why }, { rule: "CKV_AWS_91", why });
    return loadBalancer;
  }

  private addService({ settings, network }: ProxyServiceProps, taskDefinition: FargateTaskDefinition): FargateService {
    const cluster = new Cluster(this, "Cluster", { vpc: network.vpc, containerInsightsV2: ContainerInsights.ENABLED });
    return new FargateService(this, "Service", {
      cluster,
      taskDefinition,
      serviceName: settings.name,
      desiredCount: settings.proxy.tasks.least,
      securityGroups: [network.proxy],
      assignPublicIp: false,
      enableExecuteCommand: false,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriod: Duration.seconds(60),
    });
  }

  private addTargets({ network }: ProxyServiceProps): NetworkTargetGroup {
    const targets = new NetworkTargetGroup(this, "Targets", {
      vpc: network.vpc,
      targetType: TargetType.IP,
      protocol: Protocol.TCP,
      port: PORTS.proxy,
      proxyProtocolV2: true,
      // The client's address is in the header, and the proxy believes the header only where the load balancer is.
      preserveClientIp: false,
      deregistrationDelay: Duration.seconds(DRAIN.deregistration),
      // Open connections end when the proxy has told their clients, not before.
      connectionTermination: false,
      healthCheck: {
        protocol: Protocol.HTTP,
        port: String(PORTS.admin),
        path: ADMIN.ready,
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    });
    targets.addTarget(this.service.loadBalancerTarget({ containerName: "proxy", containerPort: PORTS.proxy }));
    const listener = new NetworkListener(this, "Listener", {
      loadBalancer: this.loadBalancer,
      port: PORTS.clients,
      protocol: Protocol.TCP,
      defaultTargetGroups: [targets],
    });
    this.service.node.addDependency(listener);
    return targets;
  }

  private scale(settings: Settings) {
    const { tasks, handshakesPerSecond } = settings.proxy;
    const scaling = this.service.autoScaleTaskCount({ minCapacity: tasks.least, maxCapacity: tasks.most });
    // Connections live longer than a task is needed: new ones come quickly, and go slowly.
    const cooldowns = { scaleOutCooldown: Duration.seconds(60), scaleInCooldown: Duration.minutes(10) };
    scaling.scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: 60, ...cooldowns });
    // Each task reports what it counted in one scrape interval of a minute; their average is one task's share.
    scaling.scaleToTrackCustomMetric("Handshakes", {
      metric: metric(settings, METRICS.handshakes, Stats.AVERAGE, { result: "accepted" }),
      targetValue: handshakesPerSecond * 60,
      ...cooldowns,
    });
  }
}
