//! What an event says is in S3: notifications of a bucket, and those that come through EventBridge.

use crate::pipeline::Object;
use serde_json::Value;

/// What one record is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A CRL was written. What it is by now counts, not what it was then: events come late, twice and in any order.
    Crl(Object),
    /// Nothing to do, and why.
    Ignored(String),
    /// Not understood, which is never taken for nothing to do.
    Unknown(String),
}

/// The only objects that are taken for CRLs: nothing that is written here ends so, and no function calls itself.
const SUFFIX: &str = ".crl";
/// What AWS Private CA writes to see whether it may.
const PERMISSION_TEST: &str = "acm-pca-permission-test-key";

/// The records of an event. Each CRL is in it once.
pub(super) fn records(event: &Value) -> Vec<Record> {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str);
    // S3 sends it when a notification is configured.
    if text("/Event") == Some("s3:TestEvent") {
        return vec![Record::Ignored("s3:TestEvent".to_owned())];
    }
    if text("/source") == Some("aws.s3") {
        return vec![match text("/detail-type") {
            Some("Object Created") => object(
                text("/detail/bucket/name"),
                // EventBridge does not encode keys.
                text("/detail/object/key").map(str::to_owned),
            ),
            other => Record::Ignored(other.unwrap_or("an event without a detail-type").to_owned()),
        }];
    }
    let Some(records) = event.get("Records").and_then(Value::as_array) else {
        return vec![Record::Unknown("neither a notification of S3 nor its event on EventBridge".to_owned())];
    };
    let mut known = Vec::new();
    for record in records.iter().map(notification) {
        if !known.contains(&record) {
            known.push(record);
        }
    }
    known
}

/// One record of a notification.
fn notification(record: &Value) -> Record {
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    match text("/eventName") {
        Some(name) if name.starts_with("ObjectCreated:") => {
            let key = text("/s3/object/key").map(form_decoded);
            match key.transpose() {
                Ok(key) => object(text("/s3/bucket/name"), key),
                Err(key) => Record::Unknown(format!("the key {key:?} is not UTF-8 when decoded")),
            }
        }
        Some(other) => Record::Ignored(other.to_owned()),
        None => Record::Unknown("a record without an eventName".to_owned()),
    }
}

fn object(bucket: Option<&str>, key: Option<String>) -> Record {
    let (Some(bucket), Some(key)) = (bucket, key) else {
        return Record::Unknown("a record without a bucket or a key".to_owned());
    };
    let object = Object { bucket: bucket.to_owned(), key };
    let name = object.key.rsplit('/').next().unwrap_or_default();
    if name.starts_with(PERMISSION_TEST) {
        return Record::Ignored(format!("{object}: the test of AWS Private CA"));
    }
    if !name.to_ascii_lowercase().ends_with(SUFFIX) {
        return Record::Ignored(format!("{object}: its key does not end with {SUFFIX}"));
    }
    Record::Crl(object)
}

/// Notifications carry keys as forms do: `+` for a blank, and percent-encoded UTF-8.
fn form_decoded(key: &str) -> Result<String, String> {
    let blanks = key.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&blanks).decode_utf8();
    decoded.map(|key| key.into_owned()).map_err(|_not_utf8| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn crl(key: &str) -> Record {
        Record::Crl(Object { bucket: "crls".to_owned(), key: key.to_owned() })
    }

    fn created(key: &str) -> Value {
        json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "crls" }, "object": { "key": key } } })
    }

    #[test]
    fn every_record_counts_once_and_keys_are_decoded() {
        let event = json!({ "Records": [created("a+b%2Bc/%C3%BC.crl"), created("d.crl"), created("d.crl")] });
        assert_eq!(records(&event), [crl("a b+c/ü.crl"), crl("d.crl")]);
    }

    #[test]
    fn keys_on_eventbridge_are_as_they_are() {
        let event = json!({
            "source": "aws.s3", "detail-type": "Object Created",
            "detail": { "bucket": { "name": "crls" }, "object": { "key": "a+b%20c.CRL" } },
        });
        assert_eq!(records(&event), [crl("a+b%20c.CRL")]);
    }

    #[test]
    fn what_is_no_crl_is_ignored() {
        for key in [
            "ca.crl.crlx",
            "ca.crl.json",
            "ca.crl.cache.json",
            "ca.crl.json.zip",
            "ca.crl.crt",
            "crl/acm-pca-permission-test-key",
            "acm-pca-permission-test-key-private.crl",
        ] {
            let records = records(&json!({ "Records": [created(key)] }));
            assert!(matches!(records.as_slice(), [Record::Ignored(_)]), "{key}: {records:?}");
        }
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "crls" });
        let removed = json!({ "Records": [{ "eventName": "ObjectRemoved:Delete" }] });
        let deleted = json!({ "source": "aws.s3", "detail-type": "Object Deleted", "detail": {} });
        for event in [test, removed, deleted] {
            assert!(matches!(records(&event).as_slice(), [Record::Ignored(_)]), "{event}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let nameless = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": {} }] });
        for event in [
            json!({}),
            json!([]),
            json!({ "Records": [{}] }),
            nameless,
            json!({ "Records": [created("%ff.crl")] }),
        ] {
            assert!(matches!(records(&event).as_slice(), [Record::Unknown(_)]), "{event}");
        }
    }
}
