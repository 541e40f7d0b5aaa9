import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { NetworkLoadBalancer, NetworkTargetGroup } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { FilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { METRICS, REQUEST_MILLISECONDS } from "../../constants.js";
import { names } from "../../names.js";

export interface WatchProps {
  readonly settings: Settings;
  readonly loadBalancer: NetworkLoadBalancer;
  readonly targets: NetworkTargetGroup;
  readonly accessLog: ILogGroup;
  readonly topic: ITopic;
}

/** What wakes somebody up, and the one page that they look at then. Each alarm's description says what to do first. */
export class Watch extends Construct {
  private readonly props: WatchProps;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    this.props = props;
    const { settings, loadBalancer, targets, accessLog } = props;
    const p99 = new MetricFilter(this, "Latency", {
      logGroup: accessLog,
      metricNamespace: METRICS.namespace,
      metricName: REQUEST_MILLISECONDS,
      filterPattern: FilterPattern.all(FilterPattern.stringValue("$.kind", "=", "request"), FilterPattern.exists("$.duration_ms")),
      metricValue: "$.duration_ms",
    }).metric({ statistic: Stats.percentile(99), period: Duration.minutes(1) });
    const accepted = metric(settings, METRICS.handshakes, Stats.SUM, { result: "accepted" });
    const refused = metric(settings, METRICS.handshakes, Stats.SUM, { result: "refused" });
    const ok = ["2xx", "3xx", "4xx"].map((it) => metric(settings, METRICS.requests, Stats.SUM, { class: it }));
    const failed = metric(settings, METRICS.requests, Stats.SUM, { class: "5xx" });
    const refusalRate = rate("refused", { refused, accepted }, "refused handshakes, %");
    const failureRate = rate("failed", { failed, ok0: ok[0]!, ok1: ok[1]!, ok2: ok[2]! }, "5xx, %");
    const crl = metric(settings, METRICS.crlNextUpdate, Stats.MINIMUM);
    const certificate = metric(settings, METRICS.certificateExpiry, Stats.MINIMUM);
    const unhealthy = targets.metrics.unHealthyHostCount({ statistic: Stats.MAXIMUM, period: Duration.minutes(1) });
    // Route 53 reads no expressions: a plain metric of the load balancer, which also ends when the load balancer does.
    const healthy = targets.metrics.healthyHostCount({ statistic: Stats.MAXIMUM, period: Duration.minutes(1) });

    this.alarm("Refusals", refusalRate, "above", 20, 5, "More than a fifth of the clients are refused. Look at the reasons: a CRL past its nextUpdate, or a bundle that was changed");
    this.alarm("CrlAge", crl, "below", settings.crl.warnSeconds, 2, "A CRL is about to expire; after it, and the grace period, its issuer's clients are refused. Look at the CRL pipeline", "missing");
    this.alarm("CertificateExpiry", certificate, "below", 5 * 86_400, 2, "The proxy's certificate has less than five days. Look at its renewal", "missing");
    this.alarm("Latency99", p99, "above", 2_000, 5, "One request in a hundred takes more than two seconds, the API included");
    this.alarm("Failures", failureRate, "above", 1, 5, "More than 1 % of the answers are 5xx. Look at the breaker, then at the API's own log");
    this.alarm("Breaker", metric(settings, METRICS.breakerOpen, Stats.MAXIMUM), "above", 0, 2, "A circuit breaker is open: the private API fails, or its endpoint");
    this.alarm("Unhealthy", unhealthy, "above", 0, 5, "A task fails its health checks and is not replaced");
    this.alarm("Available", healthy, "below", 1, 2, "No task is healthy; Route 53 sends clients to the other Region, if there is one", "missing", names.availabilityAlarm(settings));

    new Dashboard(this, "Dashboard", {
      dashboardName: `${settings.name}-proxy`,
      widgets: [
        [graph("Handshakes", accepted, refused), graph("Refused, %", refusalRate)],
        [graph("Answers", ...ok, failed), graph("p99, ms", p99)],
        [graph("Until the CRL's nextUpdate, s", crl), graph("Until the certificate's notAfter, s", certificate)],
        [graph("Targets", healthy, unhealthy), graph("New connections", loadBalancer.metrics.newFlowCount())],
      ],
    });
  }

  private alarm(
    id: string,
    metric: IMetric,
    direction: "above" | "below",
    threshold: number,
    minutes: number,
    alarmDescription: string,
    missing: "missing" | "good" = "good",
    alarmName?: string,
  ) {
    const alarm = new Alarm(this, id, {
      metric,
      threshold,
      alarmName,
      alarmDescription,
      evaluationPeriods: minutes,
      comparisonOperator: direction === "above" ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
      // Where nobody reports, nobody knows that all is well.
      treatMissingData: missing === "missing" ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.props.topic));
    alarm.addOkAction(new SnsAction(this.props.topic));
  }
}

/** One of the proxy's own, as the agent reports it. */
export function metric(settings: Settings, metricName: string, statistic: string, labels: Record<string, string> = {}): Metric {
  return new Metric({
    namespace: METRICS.namespace,
    metricName,
    statistic,
    period: Duration.minutes(1),
    dimensionsMap: { service: settings.name, ...labels },
    label: Object.values(labels)[0],
  });
}

/** One of several, in percent of all; none as long as they are too few to say. */
function rate(part: string, usingMetrics: Record<string, Metric>, label: string): MathExpression {
  const all = Object.keys(usingMetrics).map((it) => `FILL(${it}, 0)`).join(" + ");
  return new MathExpression({
    expression: `IF((${all}) >= 50, 100 * FILL(${part}, 0) / (${all}), 0)`,
    usingMetrics,
    label,
    period: Duration.minutes(1),
  });
}

function graph(title: string, ...left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 12, leftYAxis: { min: 0 } });
}
