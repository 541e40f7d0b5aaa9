// Looks up the addresses of an endpoint: load balancers want addresses, and CloudFormation knows interfaces only.
exports.find = async (send, interfaces) => {
  const { NetworkInterfaces } = await send("ec2", "DescribeNetworkInterfaces", { NetworkInterfaceIds: interfaces });
  const found = NetworkInterfaces.map((it) => it.PrivateIpAddress).sort();
  if (found.length !== interfaces.length) throw new Error(`${found.length} addresses of ${interfaces.length} interfaces`);
  return Object.fromEntries(found.map((address, nth) => [`address${nth}`, address]));
};

exports.handler = (event) => answering(event, "addresses", () => exports.find(send, event.ResourceProperties.interfaces));
