import type { Settings } from "./config.js";

/** Names that another Region or account has to know before the thing exists. Buckets are global, hence the account. */
export const names = {
  crlBucket: (settings: Settings, region: string) => `${settings.name}-crl-${settings.account}-${region}`,
  trustBucket: (settings: Settings, region: string) => `${settings.name}-trust-${settings.account}-${region}`,
  artifactsBucket: (settings: Settings, region: string) => `${settings.name}-artifacts-${settings.account}-${region}`,
  logsBucket: (settings: Settings, region: string) => `${settings.name}-logs-${settings.account}-${region}`,
  proxyRepository: (settings: Settings) => `${settings.name}/proxy`,
  crlToolRepository: (settings: Settings) => `${settings.name}/crl-tool`,
  agentRepository: (settings: Settings) => `${settings.name}/cloudwatch-agent`,
  replicationRole: (settings: Settings) => `${settings.name}-replication`,
  serverSecret: (settings: Settings) => `${settings.name}/server`,
  /** Without the six characters that Secrets Manager adds: it finds the secret nevertheless, and so does the other Region. */
  serverSecretArn: (settings: Settings, region: string) =>
    `arn:aws:secretsmanager:${region}:${settings.account}:secret:${names.serverSecret(settings)}`,
  /** Route 53 watches this alarm from elsewhere. */
  availabilityAlarm: (settings: Settings) => `${settings.name}-available`,
};
