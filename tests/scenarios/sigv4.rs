//! Requests are signed for upstreams that AWS IAM authorizes, and the private API verifies them by itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config, Postern};
use postern_tests::process::{Process, run};
use postern_tests::stage::Stage;
use postern_tests::upstream::{HOST, Upstream};
use postern_tests::{Failure, Outcome, binary, tools};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn requests_of_every_shape_are_signed() -> Outcome {
    let stage = signing(&[&format!("{ID}:{SECRET}")], &environment(SECRET), |config| config)?;
    for target in [
        "/",
        "/orders?page=2&page=1&a=&b&A=%2F&%C3%BC=%F0%9F%98%80",
        "/a%20b/%C3%BC/c:d@e;f=1,2/~x/$&'()*!",
        "/a//b/./c/../d/",
        "/q?x=a+b&y=%2B&z=a%20b&w=c/d?e",
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let answer = stage.curl("good", target).args(&[protocol, "--path-as-is"]).call()?;
            assert_eq!(answer.status, 200, "{protocol} {target}: {}", answer.text());
            let echo = answer.echo()?;
            assert!(echo.values("authorization")[0].contains(&format!("Credential={ID}/")), "{echo:?}");
            assert!(echo.values("authorization")[0].contains("SignedHeaders=host;x-amz-date,"), "{echo:?}");
            assert_eq!(echo.values("client-cert").len(), 1);
        }
    }
    Ok(())
}

#[test]
fn bodies_are_signed_up_to_a_bound() -> Outcome {
    let stage = signing(&[&format!("{ID}:{SECRET}")], &environment(SECRET), |config| {
        config.raw("upstream.sigv4.body_limit_bytes", 1_000)
    })?;
    let body = |bytes: usize| "x".repeat(bytes);
    for header in ["X-Any: way", "Transfer-Encoding: chunked"] {
        let post = |bytes: usize| {
            let curl = stage.curl("good", "/").args(&["--http1.1", "--data-raw", &body(bytes)]);
            curl.header(header).header("Content-Type: text/plain; charset=utf-8").call()
        };
        let signed = post(1_000)?;
        assert_eq!(signed.status, 200, "{header}: {}", signed.text());
        assert_eq!(signed.echo()?.body.bytes, 1_000);
        assert!(signed.echo()?.values("transfer-encoding").is_empty(), "it has a length now");
        assert_eq!(post(1_001)?.status, 413, "{header}");
    }
    let entry =
        stage.postern.logged("a refused body", |entry| entry.text("reason") == Some("too_large_to_sign"))?;
    assert!(entry.expect_text("detail")?.contains("1000 bytes"), "{entry:?}");
    // Streamed over HTTP/2, without a length.
    let streamed = stage.curl("good", "/").args(&["--http2", "--data-raw", &body(900)]).call()?;
    assert_eq!(streamed.status, 200, "{}", streamed.text());
    Ok(())
}

#[test]
fn wrong_credentials_are_api_gateways_to_refuse_and_none_are_ours() -> Outcome {
    let wrong = signing(&[&format!("{ID}:{SECRET}")], &environment("another"), |config| config)?;
    let answer = wrong.curl("good", "/").call()?;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("another signature"), "{}", answer.text());

    let nowhere = [("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
    let none = signing(&[&format!("{ID}:{SECRET}")], &nowhere, |config| config)?;
    assert_eq!(none.curl("good", "/unsigned").call()?.status, 502);
    let entry = none.postern.requested("/unsigned")?;
    assert_eq!(entry.text("reason"), Some("not_signed"));
    assert!(entry.expect_text("detail")?.contains("no AWS credentials"), "{entry:?}");
    Ok(())
}

#[test]
fn a_client_s_own_signature_and_ours_exclude_each_other() -> Outcome {
    let keys = [&*format!("{ID}:{SECRET}")];
    let refusing = signing(&keys, &environment(SECRET), |config| config)?;
    let theirs = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={ID}/20260101/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=00"
    );
    assert_eq!(refusing.curl("good", "/").header(&theirs).call()?.status, 400);
    assert_eq!(refusing.curl("good", "/?a=1&X-Amz-Signature=00").call()?.status, 400);
    assert_eq!(refusing.curl("good", "/?a=1&X-Amz%2DSignature=00").call()?.status, 400);
    assert_eq!(refusing.curl("good", "/").header("Authorization: Bearer abc").call()?.status, 400);
    assert_eq!(refusing.curl("good", "/?q=%FF").call()?.status, 400);
    // What belongs to a signature does not get into ours.
    let stray =
        refusing.curl("good", "/").header("X-Amz-Date: 20200101T000000Z").header("X-Amz-Security-Token: t");
    assert_eq!(stray.call()?.status, 200);

    let passing = signing(&keys, &environment(SECRET), |config| {
        config.text("upstream.sigv4.client_signature", "pass")
    })?;
    let answer = passing.curl("good", "/").header(&theirs).call()?;
    assert_eq!(answer.status, 403, "theirs, which is no good");
    assert_eq!(passing.curl("good", "/").call()?.status, 200, "ours, where there is none");
    Ok(())
}

#[test]
fn temporary_credentials_of_the_container_are_renewed() -> Outcome {
    let container = Container::start()?;
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/creds", container.address)),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    // Each look-up gives another key. The first is about to expire, so that it is renewed for the next request.
    let keys: Vec<_> = (1..=2).map(|n| format!("ASIA{n}:secret{n}:token{n}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let stage = signing(&keys, &environment, |config| config)?;
    for expected in ["Credential=ASIA1/", "Credential=ASIA2/", "Credential=ASIA2/"] {
        let answer = stage.curl("good", "/").call()?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let echo = answer.echo()?;
        assert!(echo.values("authorization")[0].contains(expected), "{expected} in {echo:?}");
        assert_eq!(echo.values("x-amz-security-token").len(), 1);
    }
    assert_eq!(container.asked.load(Ordering::Relaxed), 2);
    Ok(())
}

#[test]
fn the_signature_counts_toward_the_header_limit() -> Outcome {
    let stage = signing(&[&format!("{ID}:{SECRET}")], &environment(SECRET), |config| {
        config.raw("upstream.header_limit_bytes", 1_250)
    })?;
    let answer = stage.curl("good", "/big").call()?;
    assert_eq!(answer.status, 431, "{}", answer.text());
    assert!(stage.postern.requested("/big")?.expect_text("detail")?.contains("authorization"));
    Ok(())
}

#[test]
fn what_cannot_sign_says_so() -> Outcome {
    let pki = Pki::make()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into()).text("upstream.sigv4.region", "eu-west-1");
    // The binary of the default features.
    let checked = postern::check(&config)?;
    assert_eq!(checked.code(), 1);
    assert!(checked.stderr.contains("built without the feature `aws`"), "{}", checked.stderr);
    let checked = postern::check(&config.text("upstream.sigv4.payload", "unsigned"))?;
    assert!(
        checked.stderr.contains("API Gateway accepts no signature that leaves the body out"),
        "{}",
        checked.stderr
    );
    Ok(())
}

#[test]
fn botocore_and_the_private_api_agree() -> Outcome {
    // The verifier is to be believed: a signer of AWS's own passes it, and does not with another secret.
    let pki = Pki::make()?;
    let upstream = verifying(&pki, &[&format!("{ID}:{SECRET}")])?;
    let script = "
import sys, ssl, http.client
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
host, address, port, ca, id, secret = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
for method, target, body in [('GET', '/', b''), ('GET', '/a%20b/c?x=1&a=%2F&x=0', b''), ('POST', '/orders', b'hello')]:
    for key, expected in [(secret, 200), ('other', 403)]:
        request = AWSRequest(method, f'https://{host}{target}', data=body, headers={'Content-Type': 'text/plain'})
        SigV4Auth(Credentials(id, key), 'execute-api', 'eu-west-1').add_auth(request)
        connection = http.client.HTTPSConnection(address, int(port), context=context)
        connection.request(method, target, body, dict(request.headers) | {'Host': host})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == expected, (method, target, answer.status, said)
";
    let address = upstream.address();
    let mut command = Command::new(tools::path("python3")?);
    command.args(["-c", script, HOST, &address.ip().to_string(), &address.port().to_string()]);
    run("python3", command.arg(pki.path("upstream-ca.pem")).args([ID, SECRET]))?.success()?;
    Ok(())
}

fn environment(secret: &str) -> [(&'static str, String); 2] {
    [("AWS_ACCESS_KEY_ID", ID.to_owned()), ("AWS_SECRET_ACCESS_KEY", secret.to_owned())]
}

fn verifying(pki: &Pki, keys: &[&str]) -> Result<Upstream, Failure> {
    let mut command = binary::command("private-api")?;
    for key in keys {
        command.arg("--sigv4").arg(key);
    }
    Upstream::start_as(pki, &mut command)
}

/// A postern that signs, in front of a private API that verifies.
fn signing(
    keys: &[&str],
    environment: &[(&str, String)],
    change: impl FnOnce(Config) -> Config,
) -> Result<Stage, Failure> {
    let pki = Pki::make()?;
    let upstream = verifying(&pki, keys)?;
    let config = Config::new(&pki, upstream.address()).text("upstream.sigv4.region", "eu-west-1");
    let mut command = binary::postern_with_aws()?;
    // Nothing of whoever runs the tests.
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let postern = Postern::start_as(&change(config), &mut command, Process::spawn)?;
    Ok(Stage { postern, upstream, pki })
}

/// What gives a container's role its credentials: every look-up gives others, the first of which are about to expire.
struct Container {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Container {
    fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                // It ends with its client's connection; who asks sees what went wrong.
                let _ = answer(socket, number);
            }
        });
        Ok(Self { address, asked })
    }
}

fn answer(mut socket: std::net::TcpStream, number: usize) -> Outcome {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let life = if number == 1 { Duration::minutes(2) } else { Duration::hours(6) };
    let expiration = (OffsetDateTime::now_utc() + life).format(&Rfc3339).unwrap_or_default();
    let body = serde_json::json!({
        "AccessKeyId": format!("ASIA{number}"),
        "SecretAccessKey": format!("secret{number}"),
        "Token": format!("token{number}"),
        "Expiration": expiration,
    })
    .to_string();
    write!(
        socket,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}
