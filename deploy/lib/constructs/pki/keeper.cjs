// Keeps three things as they should be: the bundle of CAs that clients are judged by, the certificates of the CRLs' issuers, and the
// proxy's key pair. It runs when the stack is deployed, and when ACM has renewed the certificate. The key is in no template and no log.
const { createPrivateKey, randomBytes } = require("node:crypto");

const { ROOT, SUBORDINATE, CERTIFICATE, SECRET, BUCKET, BUNDLE, ISSUERS } = process.env;

// The AWS SDK is part of Lambda's runtime; a test brings its own.
const sdk = {
  send: (client, command, input) => {
    const part = require(`@aws-sdk/client-${client}`);
    const Client = part[Object.keys(part).find((it) => /^[A-Za-z0-9]+Client$/.test(it) && !it.startsWith("__"))];
    return new Client({}).send(new part[`${command}Command`](input));
  },
};

async function keep(send) {
  const ca = async (arn) => (await send("acm-pca", "GetCertificateAuthorityCertificate", { CertificateAuthorityArn: arn })).Certificate;
  const [root, subordinate] = await Promise.all([ca(ROOT), ca(SUBORDINATE)]);
  const put = (Key, Body) => send("s3", "PutObject", { Bucket: BUCKET, Key, Body });
  await put(BUNDLE, root);
  await put(ISSUERS, `${root}\n${subordinate}\n`);
  const passphrase = randomBytes(32).toString("hex");
  const exported = await send("acm", "ExportCertificate", { CertificateArn: CERTIFICATE, Passphrase: Buffer.from(passphrase) });
  const key = createPrivateKey({ key: exported.PrivateKey, passphrase }).export({ type: "pkcs8", format: "pem" });
  const SecretString = [key, exported.Certificate, exported.CertificateChain].map((it) => it.trim()).join("\n");
  await send("secrets-manager", "PutSecretValue", { SecretId: SECRET, SecretString });
}

// CloudFormation waits for an answer at the address in the event; EventBridge does not.
async function answer(event, Status, Reason) {
  const { RequestId, StackId, LogicalResourceId } = event;
  const body = JSON.stringify({ Status, Reason, RequestId, StackId, LogicalResourceId, PhysicalResourceId: "keeper" });
  await fetch(event.ResponseURL, { method: "PUT", body });
}

exports.keep = keep;
exports.handler = async (event) => {
  if (event.ResponseURL === undefined) return keep(sdk.send);
  try {
    if (event.RequestType !== "Delete") await keep(sdk.send);
    await answer(event, "SUCCESS");
  } catch (error) {
    console.error(error);
    await answer(event, "FAILED", String(error));
  }
};
