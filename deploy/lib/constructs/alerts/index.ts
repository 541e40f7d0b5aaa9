import { Key } from "aws-cdk-lib/aws-kms";
import { ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

/** Where alarms go. Whoever is on call subscribes to it. */
export class Alerts extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, publishers: readonly string[] = ["cloudwatch.amazonaws.com"]) {
    super(scope, id);
    // The key that SNS brings along lets no other service publish.
    const key = new Key(this, "Key", { enableKeyRotation: true, description: "Encrypts alarms on their way" });
    this.topic = new Topic(this, "Topic", { masterKey: key, enforceSSL: true });
    for (const publisher of publishers) {
      const principal = new ServicePrincipal(publisher);
      key.grant(principal, "kms:Decrypt", "kms:GenerateDataKey");
      this.topic.grantPublish(principal);
    }
  }
}
