import { Stack } from "aws-cdk-lib";
import {
  AccessLogFormat,
  AuthorizationType,
  CfnBasePathMappingV2,
  CfnDomainNameAccessAssociation,
  CfnDomainNameV2,
  EndpointType,
  LogGroupLogDestination,
  MethodLoggingLevel,
  MockIntegration,
  PassthroughBehavior,
  RestApi,
} from "aws-cdk-lib/aws-apigateway";
import type { IInterfaceVpcEndpoint } from "aws-cdk-lib/aws-ec2";
import { AnyPrincipal, Effect, type IGrantable, PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct, type IConstruct } from "constructs";

import type { Settings } from "../../config.js";
import { justify } from "../../justify.js";
import { logGroup } from "../../log-group.js";

/** The stage that everything is deployed to. */
const STAGE = "v1";

export interface PrivateApiProps {
  readonly settings: Settings;
  /** Of the private domain name, if there is one. */
  readonly certificate: string | undefined;
  /** Whoever comes through another endpoint, or through none, is denied. */
  readonly endpoints: readonly IInterfaceVpcEndpoint[];
}

/**
 * A private REST API that answers, under a private domain name if one is configured, together with the APIs that exist
 * already. Its resource policy denies what did not come through one of the endpoints, whoever signed it.
 */
export class PrivateApi extends Construct {
  readonly api: RestApi;
  /** What the proxy asks for: the domain name's Host, or the API's id. */
  readonly target: { readonly host: string } | { readonly apiId: string; readonly stage: string };

  constructor(scope: Construct, id: string, props: PrivateApiProps) {
    super(scope, id);
    this.api = this.addApi(props);
    const { domain, mapped } = props.settings.api;
    if (domain === undefined || props.certificate === undefined) {
      this.target = { apiId: this.api.restApiId, stage: STAGE };
      return;
    }
    const name = this.addDomain(domain, props.certificate, props.endpoints);
    const maps = [{ path: "sample", id: this.api.restApiId, stage: STAGE }, ...mapped];
    for (const { path, id: restApiId, stage } of maps) {
      const mapping = new CfnBasePathMappingV2(this, `Path-${path.replaceAll("/", "-")}`, {
        basePath: path,
        domainNameArn: name.attrDomainNameArn,
        restApiId,
        stage,
      });
      mapping.node.addDependency(this.api.deploymentStage);
    }
    this.target = { host: domain };
  }

  /** What HTTP calls the API. */
  get host(): string {
    return "host" in this.target ? this.target.host : `${this.target.apiId}.execute-api.${Stack.of(this).region}.amazonaws.com`;
  }

  /** What comes before every path, where HTTP calls the API. */
  get prefix(): string {
    return "host" in this.target ? "" : `/${STAGE}`;
  }

  /** Where the sample answers. */
  get samplePath(): string {
    return "host" in this.target ? "/sample/whoami" : `${this.prefix}/whoami`;
  }

  /** Lets `grantee` sign requests for any method of the stage. Nothing follows from it unless `api.authorization` is `iam`. */
  grantInvoke(grantee: IGrantable & IConstruct): void {
    const resource = this.api.arnForExecuteApi("*", "/*", STAGE);
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ["execute-api:Invoke"], resources: [resource] }));
    const stack = Stack.of(this);
    const exported = stack.resolve(stack.exportValue(this.api.restApiId)) as { "Fn::ImportValue": string };
    const rule = `AwsSolutions-IAM5[Resource::arn:aws:execute-api:${stack.region}:${stack.account}:${exported["Fn::ImportValue"]}/${STAGE}/*/*]`;
    justify(grantee, { rule, why: "every method and path of one stage: which of them a client may call, the proxy decides" });
  }

  private addApi({ settings, endpoints }: PrivateApiProps): RestApi {
    const api = new RestApi(this, "Sample", {
      restApiName: `${settings.name}-sample`,
      description: "Answers, so that a fresh deployment can be tried",
      endpointConfiguration: { types: [EndpointType.PRIVATE], vpcEndpoints: [...endpoints] },
      policy: onlyThrough(endpoints, "execute-api:/*"),
      cloudWatchRole: false,
      deployOptions: {
        stageName: STAGE,
        accessLogDestination: new LogGroupLogDestination(logGroup(this, "AccessLog")),
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        loggingLevel: MethodLoggingLevel.ERROR,
        metricsEnabled: true,
        tracingEnabled: true,
      },
    });
    const authorizationType = settings.api.authorization === "iam" ? AuthorizationType.IAM : AuthorizationType.NONE;
    const answer = new MockIntegration({
      passthroughBehavior: PassthroughBehavior.NEVER,
      requestTemplates: { "application/json": '{"statusCode": 200}' },
      integrationResponses: [
        {
          statusCode: "200",
          responseTemplates: { "application/json": whoami(endpoints[0]) },
        },
      ],
    });
    const method = api.root.addResource("whoami").addMethod("GET", answer, { authorizationType, methodResponses: [{ statusCode: "200" }] });
    const closed = "the API is private, its resource policy denies all but the proxy's endpoint, and the proxy has verified the client";
    justify(api, { rule: "AwsSolutions-APIG2", why: "the only method takes no body and no parameters" });
    justify(api.deploymentStage, { rule: "AwsSolutions-APIG3", why: `a web application firewall is for public APIs: ${closed}` });
    justify(api.deploymentStage, { rule: "CKV_AWS_120", why: "the answers are about the caller: a cache would show one client another's" });
    justify(method, { rule: "AwsSolutions-COG4", why: "clients are known by their certificates: no user pool" });
    if (authorizationType === AuthorizationType.NONE) {
      justify(method, { rule: "AwsSolutions-APIG4", why: closed }, { rule: "CKV_AWS_59", why: closed });
    }
    return api;
  }

  private addDomain(domainName: string, certificateArn: string, endpoints: readonly IInterfaceVpcEndpoint[]): CfnDomainNameV2 {
    const domain = new CfnDomainNameV2(this, "Domain", {
      domainName,
      certificateArn,
      endpointConfiguration: { types: ["PRIVATE"] },
      securityPolicy: "TLS_1_2",
      policy: onlyThrough(endpoints, "execute-api:/*").toJSON(),
    });
    for (const [nth, endpoint] of endpoints.entries()) {
      new CfnDomainNameAccessAssociation(this, `Access${nth}`, {
        accessAssociationSource: endpoint.vpcEndpointId,
        accessAssociationSourceType: "VPCE",
        domainNameArn: domain.attrDomainNameArn,
      });
    }
    return domain;
  }

}

/**
 * The subject as the proxy passed it on, escaped: a certificate's subject may hold any character. Whoever comes through another endpoint
 * than the proxy's, the first one, may have written the header: of them it is not believed.
 */
function whoami(proxy: IInterfaceVpcEndpoint | undefined): string {
  const client = `#if($context.identity.vpceId == '${proxy?.vpcEndpointId}')$util.escapeJavaScript($input.params('X-Client-Cert-Sub'))#end`;
  return `{"client": "${client}", "through": "$context.identity.vpceId", "request": "$context.requestId"}`;
}

/** Everybody is allowed, and then denied unless through one of the endpoints: a Deny that no Allow elsewhere undoes. */
function onlyThrough(endpoints: readonly IInterfaceVpcEndpoint[], resource: string): PolicyDocument {
  const statement = { principals: [new AnyPrincipal()], actions: ["execute-api:Invoke"], resources: [resource] };
  return new PolicyDocument({
    statements: [
      new PolicyStatement({
        ...statement,
        effect: Effect.DENY,
        conditions: { StringNotEquals: { "aws:SourceVpce": endpoints.map(({ vpcEndpointId }) => vpcEndpointId) } },
      }),
      new PolicyStatement({ ...statement, effect: Effect.ALLOW }),
    ],
  });
}
