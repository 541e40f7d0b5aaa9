// Puts the public key that signs indexes where the proxy finds it. When another key takes its place, both are there until the next time,
// so that an index by the old one counts until crl-tool has made a new one.
const { createPublicKey } = require("node:crypto");

const { BUCKET, SIGNERS } = process.env;

exports.publish = async (send, keys) => {
  const known = await Promise.all(keys.map((KeyId) => send("kms", "GetPublicKey", { KeyId })));
  const pem = ({ PublicKey }) => createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" }).export({ format: "pem", type: "spki" });
  await send("s3", "PutObject", { Bucket: BUCKET, Key: SIGNERS, Body: known.map(pem).join("") });
};

exports.keysOf = ({ ResourceProperties: now, OldResourceProperties: before }) => [...new Set([now.key, before?.key ?? now.key])];

exports.handler = (event) => answering(event, "signers", () => exports.publish(send, exports.keysOf(event)));
