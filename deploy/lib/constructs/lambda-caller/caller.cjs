// A function in a VPC calls the private API by the name of an execute-api endpoint; Host says which API is meant.
const { request } = require("node:https");

exports.handler = () =>
  new Promise((resolve, reject) => {
    const { ENDPOINT, HOST, REQUEST_PATH } = process.env;
    const call = request({ host: ENDPOINT, servername: HOST, path: REQUEST_PATH, headers: { host: HOST }, timeout: 10_000 }, (answer) => {
      let body = "";
      answer.on("data", (part) => (body += part));
      answer.on("end", () => resolve({ statusCode: answer.statusCode, body }));
    });
    call.on("timeout", () => call.destroy(new Error("no answer after 10 s")));
    call.on("error", reject);
    call.end();
  });
