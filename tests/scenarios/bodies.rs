//! Bodies stream through, both ways, whatever their size.

use aws_lc_rs::digest;
use postern_tests::private_api::pattern_sha256;
use postern_tests::proc::peak_memory_bytes;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{Outcome, files, hex};

const MIB: u64 = 1024 * 1024;
const BIG: u64 = 100 * MIB;
/// What streaming a body of any size may add to the process.
const STREAMING_COST: u64 = 24 * MIB;

const PROTOCOLS: [&str; 2] = ["--http1.1", "--http2"];

#[test]
fn a_big_download_streams() -> Outcome {
    let stage = Stage::set()?;
    assert_eq!(stage.curl("good", "/warm").call()?.status, 200);
    let before = peak_memory_bytes(stage.postern.process().id())?;
    for protocol in PROTOCOLS {
        let answer = stage.curl("good", &format!("/bytes/{BIG}")).arg(protocol).call()?;
        assert_eq!((answer.exit, answer.status), (0, 200), "{protocol}: {}", answer.error);
        assert_eq!(sha256(&answer.body), pattern_sha256(BIG), "{protocol}");
        assert_eq!(answer.header("content-length"), Some(BIG.to_string().as_str()));
    }
    let grown = peak_memory_bytes(stage.postern.process().id())? - before;
    assert!(grown < STREAMING_COST, "{} MiB more than before", grown / MIB);
    let entry = stage.postern.requested(&format!("/bytes/{BIG}"))?;
    assert_eq!(entry.number("bytes_out"), Some(BIG), "{entry:?}");
    Ok(())
}

#[test]
fn a_big_upload_streams() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.body_bytes", 0))?;
    assert_eq!(stage.curl("good", "/warm").call()?.status, 200);
    let before = peak_memory_bytes(stage.postern.process().id())?;
    let directory = files::temporary_directory()?;
    let file = directory.path().join("upload");
    let body = upload();
    files::write(&file, &body)?;
    for protocol in PROTOCOLS {
        for (path, header) in [("/sized", "X-Sized: yes"), ("/chunked", "Transfer-Encoding: chunked")] {
            let answer = stage
                .curl("good", path)
                .args(&[protocol, "--header", header])
                .arg("--upload-file")
                .arg(&file)
                .call()?;
            assert_eq!((answer.exit, answer.status), (0, 200), "{protocol} {path}: {}", answer.error);
            let echo = answer.echo()?;
            assert_eq!((echo.method.as_str(), echo.body.bytes, echo.body.error), ("PUT", BIG, None));
            assert_eq!(echo.body.sha256, sha256(&body), "{protocol} {path}");
        }
    }
    let grown = peak_memory_bytes(stage.postern.process().id())? - before;
    assert!(grown < STREAMING_COST, "{} MiB more than before", grown / MIB);
    let entry = stage.postern.requested("/sized")?;
    assert_eq!(entry.number("bytes_in"), Some(BIG), "{entry:?}");
    Ok(())
}

#[test]
fn small_bodies_of_every_framing_arrive_whole() -> Outcome {
    let stage = Stage::set()?;
    for protocol in PROTOCOLS {
        for body in ["x", "hello", ""] {
            let echo = stage.curl("good", "/").args(&[protocol, "--data-raw", body]).call()?.echo()?;
            assert_eq!((echo.method.as_str(), echo.body.text.as_deref()), ("POST", Some(body)), "{protocol}");
        }
    }
    let mut connection = stage.connect("good", Version::Tls12)?;
    connection.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )?;
    let response = connection.response()?;
    assert_eq!(response.status, 200);
    assert!(String::from_utf8_lossy(&response.body).contains("\"text\":\"abcde\""));
    // The connection goes on where the body ended.
    assert_eq!(connection.get("/next")?.status, 200);
    Ok(())
}

#[test]
fn requests_without_a_body_gain_none() -> Outcome {
    let stage = Stage::set()?;
    for protocol in PROTOCOLS {
        let echo = stage.curl("good", "/").arg(protocol).call()?.echo()?;
        assert_eq!(echo.body.bytes, 0);
        assert!(echo.values("transfer-encoding").is_empty(), "{protocol}: {echo:?}");
    }
    Ok(())
}

#[test]
fn a_get_with_a_body_keeps_it() -> Outcome {
    let stage = Stage::set()?;
    for (protocol, header) in PROTOCOLS.into_iter().zip(["Transfer-Encoding: chunked", "Content-Length: 5"]) {
        let arguments = [protocol, "--request", "GET", "--header", header, "--data-binary", "hello"];
        let echo = stage.curl("good", "/").args(&arguments).call()?.echo()?;
        assert_eq!((echo.method.as_str(), echo.body.bytes), ("GET", 5), "{protocol}: {echo:?}");
    }
    Ok(())
}

#[test]
fn responses_without_a_body_end_at_once() -> Outcome {
    let stage = Stage::set()?;
    for protocol in PROTOCOLS {
        let answer = stage.curl("good", "/bytes/1000").args(&[protocol, "--head"]).call()?;
        assert_eq!((answer.exit, answer.status), (0, 200), "{protocol}: {}", answer.error);
        assert_eq!(answer.header("content-length"), Some("1000"), "RFC 9110 §9.3.2: what GET would have");
        for status in [204, 304] {
            let answer = stage.curl("good", &format!("/status/{status}")).arg(protocol).call()?;
            assert_eq!((answer.exit, answer.status), (0, status), "{protocol}: {}", answer.error);
            assert!(answer.body.is_empty());
        }
    }
    Ok(())
}

#[test]
fn an_answer_before_the_end_of_the_upload_comes_through() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.body_bytes", 0))?;
    let directory = files::temporary_directory()?;
    let file = directory.path().join("upload");
    files::write(&file, upload())?;
    for protocol in PROTOCOLS {
        // The private API answers without reading.
        let curl = stage.curl("good", "/status/413").args(&[protocol, "--header", "Expect:"]);
        let answer = curl.arg("--upload-file").arg(&file).call()?;
        assert_eq!(answer.status, 413, "{protocol}: {}", answer.error);
    }
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

/// [`BIG`] bytes.
fn upload() -> Vec<u8> {
    // One short of the period that buffers have.
    (0..u8::MAX).cycle().zip(0..BIG).map(|(byte, _)| byte).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
