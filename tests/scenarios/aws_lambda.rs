//! crl-tool as a Lambda function: what is uploaded to S3 is proved, indexed and put beside it.

mod order;
pub(crate) mod stage;
mod trouble;

use postern_tests::lambda::Function;
use postern_tests::moto::Moto;
use postern_tests::pki::Pki;
use postern_tests::process::{Finished, run};
use postern_tests::s3::BUCKET;
use postern_tests::{Failure, Outcome, binary, files};
use serde_json::{Value, json};
use stage::{Stage, encoded, uploaded};
use time::{Duration, OffsetDateTime};

/// `crl-tool publish` with nothing of AWS in its environment but `environment`.
fn publish(arguments: &[&str], environment: &[(&'static str, String)]) -> Result<Finished, Failure> {
    let mut command = binary::crl_tool_with_aws()?;
    let ambient = std::env::vars_os().map(|(name, _)| name);
    for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.arg("publish").args(arguments).args(["--format", "json"]);
    run("crl-tool publish", command.envs(environment.iter().cloned()))
}

#[test]
fn an_upload_becomes_an_index_and_caches() -> Outcome {
    let stage = Stage::new(2)?;
    let mut function = Function::start(&stage.s3.environment())?;
    let keys = ["crl/63dad2bc.crl", "crl/a b+c%20ü.crl"];
    for key in keys {
        stage.certify(key)?;
        stage.upload(0, key)?;
    }
    // Both at once, one of them twice.
    let answer = function.invoke(&uploaded(&[keys[0], keys[1], keys[0]]))?.done()?;
    assert_eq!(answer, json!({ "published": 2 }));
    stage.assert_published(0, keys[0])?;
    stage.assert_published(0, keys[1])?;

    // The next edition, as EventBridge says it: without encoding.
    stage.upload(1, keys[1])?;
    let event = json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Created",
        "detail": { "bucket": { "name": BUCKET }, "object": { "key": keys[1], "size": 1 } },
    });
    function.invoke(&event)?.done()?;
    stage.assert_published(1, keys[1])?;
    stage.assert_published(0, keys[0])?;

    // The event once more changes nothing.
    function.invoke(&event)?.done()?;
    let log = function.log(4)?;
    let last = log.last().expect("a line about the last event");
    let outputs = last["outputs"].as_object().expect("what came of it");
    assert_eq!(outputs.len(), 3);
    assert!(outputs.values().all(|done| done == "unchanged"), "{last}");
    assert!(last.get("UploadToIndexed").is_none(), "{last}");

    // The metrics are where CloudWatch looks for them.
    let first = &log[0];
    assert_eq!(first["Entries"], 1, "{first}");
    let metrics = &first["_aws"]["CloudWatchMetrics"][0];
    let metric =
        |name| metrics["Metrics"].as_array().is_some_and(|all| all.iter().any(|one| one["Name"] == name));
    for name in ["Entries", "Duration", "CrlAge", "CrlExpiresIn", "UploadToIndexed"] {
        assert!(metric(name) && first[name].is_number(), "{name}: {first}");
    }
    Ok(())
}

#[test]
fn events_that_are_about_no_crl_are_no_failures() -> Outcome {
    let stage = Stage::new(1)?;
    let mut function = Function::start(&stage.s3.environment())?;
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET });
    let ours = ["a.crl.crlx", "a.crl.json", "a.crl.cache.json", "a.crl.json.zip", "a.crl.crt"];
    for event in [test, uploaded(&["crl/acm-pca-permission-test-key"]), uploaded(&ours)] {
        assert_eq!(function.invoke(&event)?.done()?, json!({ "published": 0 }), "{event}");
    }
    // What nobody knows is a failure: it may be about a CRL.
    let reply = function.invoke(&json!({ "detail": "something else" }))?;
    assert!(reply.error().is_some_and(|error| error.contains("neither a notification")), "{reply:?}");
    Ok(())
}

#[test]
fn a_bad_object_keeps_no_other_from_being_published() -> Outcome {
    let stage = Stage::new(2)?;
    let mut function = Function::start(&stage.s3.environment())?;
    for key in ["good.crl", "theirs.crl"] {
        stage.certify(key)?;
        stage.upload(0, key)?;
    }
    function.invoke(&uploaded(&["theirs.crl"]))?.done()?;
    // A CRL by a CA of the same name with another key.
    let other = Pki::make()?;
    stage.s3.put("theirs.crl", &files::read(&other.path("crl/intermediate.crl"))?)?;
    stage.certify("junk.crl")?;
    stage.s3.put("junk.crl", b"no CRL at all")?;
    stage.upload(0, "alone.crl")?;
    let reply =
        function.invoke(&uploaded(&["junk.crl", "theirs.crl", "absent.crl", "alone.crl", "good.crl"]))?;
    let error = reply.error().expect("an error, so that Lambda tries again");
    for named in ["junk.crl", "theirs.crl", "absent.crl", "alone.crl"] {
        assert!(error.contains(&format!("s3://{BUCKET}/{named}")), "{named}: {error}");
    }
    assert!(!error.contains("good.crl"), "{error}");
    stage.assert_published(0, "good.crl")?;
    stage.assert_published(0, "theirs.crl")?;
    assert!(stage.is_absent("junk.crl.crlx") && stage.is_absent("alone.crl.crlx"));
    let failed = function.log(5)?.iter().filter(|line| line["Failed"] == 1).count();
    assert_eq!(failed, 4);
    Ok(())
}

#[test]
fn the_environment_says_where_to_and_by_whom() -> Outcome {
    let (stage, moto) = (Stage::new(2)?, Moto::start()?);
    let arn = moto.private_ca(&stage.pki)?;
    let key = json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" });
    let made = moto.call("kms", "TrentService.CreateKey", &key)?;
    let id = made.pointer("/KeyMetadata/Arn").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut environment = stage.s3.environment();
    let moto_url = moto.environment().into_iter().find(|(name, _)| *name == "AWS_ENDPOINT_URL");
    environment.extend(moto_url);
    environment.extend([
        ("USE_ACM_PCA", "True".to_owned()),
        ("ACM_PCA_ARN", arn),
        ("COMPRESS_CACHE", "True".to_owned()),
        ("PUBLISH_TO", format!("s3://{BUCKET}/indexes/")),
        ("SIGN_KEY_KMS", id),
    ]);
    let mut function = Function::start(&environment)?;
    stage.upload(0, "ca.crl")?;
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    // Its ECDSA signature is another one each time, and it is the same index nevertheless.
    assert_eq!(function.log(2)?[1]["outputs"][format!("s3://{BUCKET}/indexes/ca.crl.crlx")], "unchanged");
    let zip = stage.s3.get("indexes/ca.crl.json.zip")?;
    assert!(zip == stage.made_of(0, ".json.zip")?);
    assert!(stage.is_absent("indexes/ca.crl.json") && stage.is_absent("ca.crl.crlx"));
    let index = stage.pki.path("signed.crlx");
    files::write(&index, stage.s3.get("indexes/ca.crl.crlx")?)?;
    let mut inspect = binary::command("crl-tool")?;
    let said = run("crl-tool", inspect.arg("inspect").arg(&index).args(["--format", "json"]))?.success()?;
    assert!(said.stdout.contains("signed_by"), "{}", said.stdout);
    drop(function);

    // Without what they need, there is no function, and the log says why.
    environment.extend([("ACM_PCA_ARN", String::new()), ("JSON_CACHES", "xml".to_owned())]);
    let mut function = Function::start(&environment)?;
    let said = function.process().stderr().find("why there is no function", |line| Some(line.to_owned()))?;
    assert!(said.contains("ACM_PCA_ARN") && said.contains("JSON_CACHES"), "{said}");
    Ok(())
}

#[test]
fn an_expired_crl_is_published_only_if_that_is_allowed() -> Outcome {
    let stage = Stage::new(1)?;
    let now = OffsetDateTime::now_utc();
    stage.pki.reissue_crl(now - Duration::hours(2), now - Duration::hours(1), 3)?;
    files::copy(&stage.pki.path("crl/intermediate.crl"), &stage.editions[0])?;
    stage.upload(0, "ca.crl")?;
    let mut environment = stage.s3.environment();
    environment.push(("CRL_ISSUERS", stage.pki.path("intermediate.pem").display().to_string()));
    let reply = Function::start(&environment)?.invoke(&uploaded(&["ca.crl"]))?;
    assert!(reply.error().is_some_and(|error| error.contains("expired")), "{reply:?}");
    assert!(stage.is_absent("ca.crl.crlx"));
    environment.push(("ALLOW_EXPIRED_CRL", "true".to_owned()));
    Function::start(&environment)?.invoke(&uploaded(&["ca.crl"]))?.done()?;
    stage.assert_published(0, "ca.crl")
}

#[test]
fn publish_does_by_hand_what_the_function_does() -> Outcome {
    let stage = Stage::new(2)?;
    let environment = stage.s3.environment();
    stage.certify("ca.crl")?;
    stage.upload(0, "ca.crl")?;
    let address = format!("s3://{BUCKET}/ca.crl");
    let arguments = [&address, "--cache", "json", "--cache", "cache.json"];
    let said = |finished: Finished| -> Result<Vec<String>, Failure> {
        let stdout = finished.success()?.stdout;
        let said: Value = serde_json::from_str(&stdout).map_err(|source| Failure::Json {
            what: "what publish says",
            source,
            text: stdout,
        })?;
        let outputs = said["outputs"].as_array().cloned().unwrap_or_default();
        Ok(outputs.iter().filter_map(|output| output["done"].as_str().map(str::to_owned)).collect())
    };
    let dry = publish(&[&arguments[..], &["--dry-run"]].concat(), &environment)?;
    assert_eq!(said(dry)?, ["written"; 3]);
    assert!(stage.is_absent("ca.crl.crlx") && stage.is_absent("ca.crl.json"));
    assert_eq!(said(publish(&arguments, &environment)?)?, ["written"; 3]);
    stage.assert_published(0, "ca.crl")?;
    assert_eq!(said(publish(&arguments, &environment)?)?, ["unchanged"; 3]);

    // An older one, with the newer one's index in place, and its cache lost.
    stage.upload(1, "ca.crl")?;
    publish(&arguments, &environment)?.success()?;
    stage.s3.put("ca.crl.json", b"somebody else's")?;
    stage.upload(0, "ca.crl")?;
    let older = publish(&arguments, &environment)?;
    assert_eq!(older.code(), 2);
    assert!(older.stderr.contains("rollback: "), "{}", older.stderr);
    stage.assert_published(1, "ca.crl")?;

    let elsewhere = publish(&["ca.crl"], &environment)?;
    assert!(elsewhere.code() == 2 && elsewhere.stderr.contains("not in S3"), "{}", elsewhere.stderr);
    assert!(stage.is_absent(&encoded("crl/a b.crl")));
    Ok(())
}
