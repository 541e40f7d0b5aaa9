// Node's https (HTTP/1.1) or http2: what a partner's Node does. Prints what came of it as JSON.

import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect } from "node:http2";

const [library, url, root, certificate, key] = process.argv.slice(2);
const tls = { ca: readFileSync(root), cert: readFileSync(certificate), key: readFileSync(key) };
const body = Buffer.alloc(11_000, "x");

async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

function http1() {
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 1 });
  const ask = (method, path, sent) =>
    new Promise((resolve, reject) => {
      const asked = request(url + path, { agent, method }, async (response) => {
        const status = response.statusCode;
        collect(response).then((body) => resolve({ status, body, version: `HTTP/${response.httpVersion}` }), reject);
      });
      asked.on("error", reject).end(sent);
    });
  return { ask, end: () => agent.destroy() };
}

function http2() {
  const session = connect(url, tls);
  const failed = new Promise((_, reject) => session.on("error", reject));
  failed.catch(() => {});
  const ask = (method, path, sent) => {
    const stream = session.request({ ":method": method, ":path": path }, { endStream: !sent });
    const head = new Promise((resolve, reject) => stream.on("response", resolve).on("error", reject));
    const answer = async () => {
      if (sent) stream.end(sent);
      const headers = await head;
      return { status: headers[":status"], body: await collect(stream), version: "HTTP/2" };
    };
    return Promise.race([answer(), failed]);
  };
  return { ask, end: () => session.close() };
}

const result = {};
const client = library === "https" ? http1() : http2();
try {
  const got = await client.ask("GET", "/get");
  Object.assign(result, { version: got.version, get: got.status });
  result.post = JSON.parse((await client.ask("POST", "/post", body)).body).body.bytes;
  result.large = (await client.ask("GET", "/bytes/5000000")).body.length;
} catch (error) {
  result.error = `${error.code}: ${error.message}`;
}
client.end();
console.log(JSON.stringify(result));
