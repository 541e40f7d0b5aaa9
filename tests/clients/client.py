"""requests (HTTP/1.1) or httpx (HTTP/2): what a partner's Python does. Prints what came of it as JSON."""

import json
import sys

library, url, root, certificate, key = sys.argv[1:]
body = b"from python" * 1000

if library == "requests":
    import requests

    session = requests.Session()
    session.verify, session.cert, session.trust_env = root, (certificate, key), False
    version = lambda response: {10: "HTTP/1.0", 11: "HTTP/1.1"}[response.raw.version]
else:
    import ssl

    import httpx

    context = ssl.create_default_context(cafile=root)
    context.load_cert_chain(certificate, key)
    session = httpx.Client(http2=True, verify=context, trust_env=False, timeout=20)
    version = lambda response: response.http_version

result = {}
try:
    got = session.get(url + "/get")
    result["version"], result["get"] = version(got), got.status_code
    result["post"] = session.post(url + "/post", data=body).json()["body"]["bytes"] if library == "requests" \
        else session.post(url + "/post", content=body).json()["body"]["bytes"]
    result["large"] = len(session.get(url + "/bytes/5000000").content)
except Exception as error:
    result["error"] = repr(error)
print(json.dumps(result))
