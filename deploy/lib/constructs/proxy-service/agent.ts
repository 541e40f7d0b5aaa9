import { METRICS, PORTS, ADMIN } from "../../constants.js";

/** Seconds between two looks at the proxy's metrics. Alarms and scaling count on it. */
export const SCRAPE_SECONDS = 60;

/** What the CloudWatch agent does with its role: it writes metrics as log events. */
export const AGENT_CALLS = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"] as const;

/** The dimensions that each metric has in CloudWatch, beside those in the alarms. Every further one costs. */
const DECLARATIONS: readonly { readonly labels: readonly string[]; readonly metrics: readonly string[] }[] = [
  { labels: [], metrics: [METRICS.crlNextUpdate, METRICS.certificateExpiry, METRICS.breakerOpen, METRICS.connectionsOpen] },
  { labels: ["result"], metrics: [METRICS.handshakes] },
  { labels: ["reason"], metrics: [METRICS.refusals] },
  { labels: ["class"], metrics: [METRICS.requests] },
];

/** The environment of the agent's container: what to scrape, and which of it becomes metrics. */
export function agentEnvironment(service: string, logGroupName: string): Record<string, string> {
  const scrape = {
    global: { scrape_interval: `${SCRAPE_SECONDS}s`, scrape_timeout: "10s" },
    scrape_configs: [
      {
        job_name: service,
        metrics_path: ADMIN.metrics,
        static_configs: [{ targets: [`127.0.0.1:${PORTS.admin}`], labels: { service } }],
      },
    ],
  };
  const agent = {
    logs: {
      metrics_collected: {
        prometheus: {
          log_group_name: logGroupName,
          prometheus_config_path: "env:PROMETHEUS_CONFIG_CONTENT",
          emf_processor: {
            metric_namespace: METRICS.namespace,
            metric_declaration: DECLARATIONS.map(({ labels, metrics }) => ({
              source_labels: ["service"],
              label_matcher: `^${service}$`,
              dimensions: [["service", ...labels]],
              metric_selectors: metrics.map((metric) => `^${metric}$`),
            })),
          },
        },
      },
      force_flush_interval: 5,
    },
  };
  // JSON is YAML, so that no writer of YAML is needed.
  return { CW_CONFIG_CONTENT: JSON.stringify(agent), PROMETHEUS_CONFIG_CONTENT: JSON.stringify(scrape) };
}
