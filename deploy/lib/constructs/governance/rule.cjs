// An AWS Config rule: an endpoint service must ask before it lets somebody in, and somebody must be told.
exports.evaluate = (service, notifications) => {
  if (service.AcceptanceRequired !== true) return { type: "NON_COMPLIANT", why: "it accepts every endpoint of an allowed principal by itself" };
  const heard = notifications.some(
    ({ ConnectionNotificationState, ConnectionEvents = [] }) => ConnectionNotificationState === "Enabled" && ["Connect", "Accept"].every((it) => ConnectionEvents.includes(it)),
  );
  return heard ? { type: "COMPLIANT" } : { type: "NON_COMPLIANT", why: "nobody is told of new endpoints: Connect and Accept need a notification" };
};

exports.handler = async (event) => {
  const { EC2Client, DescribeVpcEndpointServiceConfigurationsCommand, DescribeVpcEndpointConnectionNotificationsCommand } = require("@aws-sdk/client-ec2");
  const { ConfigServiceClient, PutEvaluationsCommand } = require("@aws-sdk/client-config-service");
  const { notificationCreationTime, configurationItem } = JSON.parse(event.invokingEvent);
  const at = { ResultToken: event.resultToken };
  const time = new Date(configurationItem?.configurationItemCaptureTime ?? notificationCreationTime);
  const ec2 = new EC2Client({});
  const Evaluations = [];
  for (let NextToken; ; ) {
    const page = await ec2.send(new DescribeVpcEndpointServiceConfigurationsCommand({ NextToken }));
    for (const service of page.ServiceConfigurations ?? []) {
      const Filters = [{ Name: "service-id", Values: [service.ServiceId] }];
      const { ConnectionNotificationSet = [] } = await ec2.send(new DescribeVpcEndpointConnectionNotificationsCommand({ Filters }));
      const { type, why } = exports.evaluate(service, ConnectionNotificationSet);
      Evaluations.push({ ComplianceResourceType: "AWS::EC2::VPCEndpointService", ComplianceResourceId: service.ServiceId, ComplianceType: type, Annotation: why, OrderingTimestamp: time });
    }
    NextToken = page.NextToken;
    if (!NextToken) break;
  }
  // So many at once, says the API.
  for (let start = 0; start < Evaluations.length; start += 100) {
    await new ConfigServiceClient({}).send(new PutEvaluationsCommand({ ...at, Evaluations: Evaluations.slice(start, start + 100) }));
  }
};
