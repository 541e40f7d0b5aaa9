import { ArnFormat, CustomResource, Duration, Stack } from "aws-cdk-lib";
import { CfnCertificate, CfnCertificateAuthority, CfnCertificateAuthorityActivation, CfnPermission } from "aws-cdk-lib/aws-acmpca";
import { CfnCertificate as AcmCertificate } from "aws-cdk-lib/aws-certificatemanager";
import { Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Code, Runtime } from "aws-cdk-lib/aws-lambda";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

import type { Settings } from "../../config.js";
import { TRUST_KEYS } from "../../constants.js";
import { Worker } from "../../function.js";
import { justify } from "../../justify.js";
import { names } from "../../names.js";
import { inline } from "../../source.js";

export interface PkiProps {
  readonly settings: Settings;
  readonly organization: string;
  readonly crl: "complete" | "partitioned";
  readonly crlDays: number;
  readonly region: string;
  /** Where the secret is copied to. */
  readonly otherRegions: readonly string[];
}

/** What the keeper calls beside its log; its test runs it and compares. */
export const KEEPER_CALLS = ["acm-pca:GetCertificateAuthorityCertificate", "acm:ExportCertificate", "s3:PutObject", "secretsmanager:PutSecretValue"] as const;

/**
 * A root that signs one CA, the CA that signs clients and the proxy, both with CRLs, and the proxy's certificate, which ACM
 * renews. A function takes the renewed key pair to Secrets Manager, where the proxy finds it.
 */
export class Pki extends Construct {
  readonly subordinate: CfnCertificateAuthority;

  constructor(scope: Construct, id: string, props: PkiProps) {
    super(scope, id);
    const { settings, organization } = props;
    const root = this.authority("Root", `${organization} root`, props);
    const rootActive = this.activate("Root", root, root, "RootCACertificate/V1", 10);
    this.subordinate = this.authority("Subordinate", `${organization} clients and servers`, props);
    const active = this.activate("Subordinate", this.subordinate, root, "SubordinateCACertificate_PathLen0/V1", 5, rootActive);

    const renewal = new CfnPermission(this, "Renewal", {
      certificateAuthorityArn: this.subordinate.attrArn,
      principal: "acm.amazonaws.com",
      actions: ["IssueCertificate", "GetCertificate", "ListPermissions"],
    });
    const certificate = new AcmCertificate(this, "Server", { domainName: settings.proxy.domain, certificateAuthorityArn: this.subordinate.attrArn });
    certificate.addResourceDependency(active);
    certificate.addResourceDependency(renewal);

    const secret = new Secret(this, "KeyPair", {
      secretName: names.serverSecret(settings),
      description: "The proxy's key and certificate chain, as PEM: written by the keeper",
      replicaRegions: props.otherRegions.map((region) => ({ region })),
    });
    const why = "ACM renews the certificate, and the keeper writes the new key pair";
    justify(secret, { rule: "AwsSolutions-SMG4", why }, { rule: "CKV_AWS_149", why: "the account's key for Secrets Manager: nobody of another account reads it" });
    this.keep(props, root, certificate, secret);
  }

  private authority(id: string, commonName: string, props: PkiProps): CfnCertificateAuthority {
    return new CfnCertificateAuthority(this, id, {
      type: id === "Root" ? "ROOT" : "SUBORDINATE",
      keyAlgorithm: "EC_prime256v1",
      signingAlgorithm: "SHA256WITHECDSA",
      subject: { organization: props.organization, commonName },
      revocationConfiguration: {
        crlConfiguration: {
          enabled: true,
          crlType: props.crl === "complete" ? "COMPLETE" : "PARTITIONED",
          expirationInDays: props.crlDays,
          s3BucketName: names.crlBucket(props.settings, props.region),
          // The bucket is closed to the public: any other access control list would be refused.
          s3ObjectAcl: "BUCKET_OWNER_FULL_CONTROL",
        },
      },
    });
  }

  private activate(
    id: string,
    authority: CfnCertificateAuthority,
    issuer: CfnCertificateAuthority,
    template: string,
    years: number,
    above?: CfnCertificateAuthorityActivation,
  ): CfnCertificateAuthorityActivation {
    const certificate = new CfnCertificate(this, `${id}Certificate`, {
      certificateAuthorityArn: issuer.attrArn,
      certificateSigningRequest: authority.attrCertificateSigningRequest,
      signingAlgorithm: "SHA256WITHECDSA",
      templateArn: `arn:aws:acm-pca:::template/${template}`,
      validity: { type: "YEARS", value: years },
    });
    if (above !== undefined) certificate.addResourceDependency(above);
    return new CfnCertificateAuthorityActivation(this, `${id}Activation`, {
      certificateAuthorityArn: authority.attrArn,
      certificate: certificate.attrCertificate,
      ...(above === undefined ? {} : { certificateChain: above.attrCompleteCertificateChain }),
    });
  }

  private keep({ settings, region }: PkiProps, root: CfnCertificateAuthority, certificate: AcmCertificate, secret: Secret) {
    const bucket = names.trustBucket(settings, region);
    const keeper = new Worker(this, "Keeper", {
      code: Code.fromInline(inline("constructs/pki/keeper.cjs")),
      runtime: Runtime.NODEJS_24_X,
      handler: "index.handler",
      concurrency: 1,
      environment: {
        ROOT: root.attrArn,
        SUBORDINATE: this.subordinate.attrArn,
        CERTIFICATE: certificate.ref,
        SECRET: secret.secretArn,
        BUCKET: bucket,
        BUNDLE: TRUST_KEYS.bundle,
        ISSUERS: TRUST_KEYS.issuers,
      },
    });
    const [ca, acm, s3, secrets] = KEEPER_CALLS;
    const objects = [TRUST_KEYS.bundle, TRUST_KEYS.issuers].map((key) => `arn:aws:s3:::${bucket}/${key}`);
    for (const statement of [
      { actions: [ca], resources: [root.attrArn, this.subordinate.attrArn] },
      { actions: [acm], resources: [certificate.ref] },
      { actions: [s3], resources: objects },
      { actions: [secrets], resources: [secret.secretArn] },
    ]) {
      keeper.role.addToPolicy(new PolicyStatement(statement));
    }
    const renewed = new Rule(this, "Renewed", {
      description: "ACM has issued or renewed the proxy's certificate",
      eventPattern: { source: ["aws.acm"], detailType: ["ACM Certificate Available"], resources: [certificate.ref] },
      targets: [new LambdaFunction(keeper.lambda, { retryAttempts: 2, maxEventAge: Duration.hours(6), deadLetterQueue: keeper.failed })],
    });
    const now = new CustomResource(this, "Now", { serviceToken: keeper.lambda.functionArn, properties: { certificate: certificate.ref } });
    now.node.addDependency(keeper, renewed);
  }

  /** Any CA of this account: what a policy says that has to be there before the CAs are. */
  static anyArn(scope: Construct): string {
    return Stack.of(scope).formatArn({ service: "acm-pca", resource: "certificate-authority", resourceName: "*", arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
  }
}
