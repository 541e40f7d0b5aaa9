//! The function itself: from an invocation to what came of it.

use super::event::{self, Record};
use super::settings;
use super::telemetry::Telemetry;
use crate::cli::failure::Failure;
use crate::pipeline::{Object, Pipeline};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use time::OffsetDateTime;

/// The variable that tells a program that it runs as a Lambda function.
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// What else Lambda sets, and its runtime library asks for.
const EXPECTED: [&str; 4] = [
    RUNTIME_API,
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];
/// The end of the time that is left for saying what went wrong, which a killed function cannot.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves invocations until Lambda ends the process.
pub(crate) fn run() -> Result<(), Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    if let Some(missing) = EXPECTED.into_iter().find(|name| variable(name).is_none()) {
        let message = format!("{missing} is not set: this is not AWS Lambda");
        return Err(Failure::new(message, "use `crl-tool publish` outside of it"));
    }
    let pipeline = settings::read(variable)
        .map_err(|problems| Failure::new(problems, "docs/pipeline.md has all variables of the function"))?;
    let pipeline = Arc::new(pipeline);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::io("start", "the runtime".as_ref()))?;
    let handler = service_fn(|event: LambdaEvent<Value>| {
        let pipeline = pipeline.clone();
        async move {
            let LambdaEvent { payload, context } = event;
            // The work blocks, and has a runtime of its own for the calls to AWS.
            let handled = tokio::task::spawn_blocking(move || handle(&pipeline, &payload, &context));
            handled.await.map_err(|error| failed(error.to_string()))?
        }
    });
    let served = runtime.block_on(lambda_runtime::run(handler));
    served.map_err(|error| Failure::new(error.to_string(), "Lambda starts the function again"))
}

/// Works through all records of an event.
///
/// # Errors
/// Names every record that failed, so that Lambda tries again, and puts the event into the dead-letter queue in the end.
fn handle(pipeline: &Pipeline, event: &Value, context: &Context) -> Result<Value, Diagnostic> {
    let telemetry = Telemetry {
        request_id: context.request_id.clone(),
        function: context.env_config.function_name.clone(),
    };
    let mut failures = Vec::new();
    let mut published = 0;
    for record in event::records(event) {
        let failure = match record {
            Record::Ignored(what) => {
                telemetry.ignored(&what);
                continue;
            }
            Record::Unknown(why) => Failure::new(why, "send the function notifications of S3 only"),
            Record::Crl(crl) => match publish(pipeline, &crl, context, &telemetry) {
                Ok(()) => {
                    published += 1;
                    continue;
                }
                Err(failure) => failure,
            },
        };
        telemetry.failed(failure.message(), failure.hint(), now());
        failures.push(failure.message().to_owned());
    }
    if failures.is_empty() {
        return Ok(serde_json::json!({ "published": published }));
    }
    Err(failed(failures.join("; ")))
}

fn publish(
    pipeline: &Pipeline,
    crl: &Object,
    context: &Context,
    telemetry: &Telemetry,
) -> Result<(), Failure> {
    let start = Instant::now();
    let left = Duration::from_millis(context.deadline).saturating_sub(since_1970());
    let report = pipeline.run(crl, now(), start + left.saturating_sub(LAST_WORDS))?;
    telemetry.done(crl, &report, start.elapsed(), now());
    Ok(())
}

fn failed(message: String) -> Diagnostic {
    Diagnostic { error_type: "NotPublished".to_owned(), error_message: message }
}

fn since_1970() -> Duration {
    let now: SystemTime = now().into();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the one place of the function that reads the clock")]
fn now() -> OffsetDateTime {
    SystemTime::now().into()
}
