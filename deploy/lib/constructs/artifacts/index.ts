import { Duration } from "aws-cdk-lib";
import { CfnRepository, type IRepository, Repository, RepositoryEncryption, TagMutability } from "aws-cdk-lib/aws-ecr";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import { bucket } from "../../bucket.js";
import type { Settings } from "../../config.js";
import { justify } from "../../justify.js";
import { names } from "../../names.js";

/** Where programs are put before they are deployed, and where buckets write their access logs. */
export class Artifacts extends Construct {
  readonly proxy: IRepository;
  /** A copy of Amazon's image of the CloudWatch agent: the network has no way to the public registry. */
  readonly agent: IRepository;
  /** If crl-tool comes as an image. */
  readonly crlTool: IRepository | undefined;
  readonly bucket: IBucket;
  readonly logs: IBucket;

  constructor(scope: Construct, id: string, settings: Settings, region: string) {
    super(scope, id);
    this.proxy = this.repository("Proxy", names.proxyRepository(settings));
    this.agent = this.repository("Agent", names.agentRepository(settings));
    this.crlTool = settings.crl.package === "image" ? this.repository("CrlTool", names.crlToolRepository(settings)) : undefined;
    const logs = bucket(this, "Logs", names.logsBucket(settings, region), undefined, {
      lifecycleRules: [{ expiration: Duration.days(365), noncurrentVersionExpiration: Duration.days(1) }],
    });
    const why = "it is where the logs of the others go";
    justify(logs, { rule: "AwsSolutions-S1", why }, { rule: "CKV_AWS_18", why });
    this.logs = logs;
    this.bucket = bucket(this, "Zips", names.artifactsBucket(settings, region), logs);
  }

  private repository(id: string, repositoryName: string): Repository {
    const repository = new Repository(this, id, {
      repositoryName,
      imageTagMutability: TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      encryption: RepositoryEncryption.AES_256,
      lifecycleRules: [{ maxImageCount: 50 }],
    });
    justify(repository.node.defaultChild as CfnRepository, { rule: "CKV_AWS_136", why: "encrypted with the registry's own key: an image holds no secret" });
    return repository;
  }
}
