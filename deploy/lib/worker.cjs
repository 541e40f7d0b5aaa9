// What the small functions have in common; `inline` puts it before each of them.

/** Makes a call of AWS. The SDK is part of Lambda's runtime; a test brings its own. */
const send = (service, command, input) => {
  const part = require(`@aws-sdk/client-${service}`);
  const Client = part[Object.keys(part).find((it) => /^[A-Za-z0-9]+Client$/.test(it) && !it.startsWith("__"))];
  return new Client({}).send(new part[`${command}Command`](input));
};

/** Does the work of a custom resource, and tells CloudFormation, which waits for an answer at the address in the event. */
const answering = async (event, id, work) => {
  const { RequestId, StackId, LogicalResourceId, RequestType, ResponseURL } = event;
  const outcome = { Status: "SUCCESS" };
  try {
    if (RequestType !== "Delete") outcome.Data = await work();
  } catch (error) {
    console.error(error);
    Object.assign(outcome, { Status: "FAILED", Reason: String(error) });
  }
  const body = JSON.stringify({ ...outcome, RequestId, StackId, LogicalResourceId, PhysicalResourceId: id });
  await fetch(ResponseURL, { method: "PUT", body });
};
