// Keeps three things as they should be: the bundle of CAs that clients are judged by, the certificates of the CRLs' issuers, and the
// proxy's key pair. It runs when the stack is deployed, and when ACM has renewed the certificate. The key is in no template and no log.
const { createPrivateKey, randomBytes } = require("node:crypto");

const { ROOT, SUBORDINATE, CERTIFICATE, SECRET, BUCKET, BUNDLE, ISSUERS } = process.env;

exports.keep = async (send) => {
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
};

// EventBridge waits for no answer.
exports.handler = (event) => (event.ResponseURL === undefined ? exports.keep(send) : answering(event, "keeper", () => exports.keep(send)));
