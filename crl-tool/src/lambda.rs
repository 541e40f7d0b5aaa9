//! The AWS Lambda function: what S3 says has been uploaded is proved, indexed and put beside it.
//!
//! What needs no AWS is also there in tests without the feature, so that these need no second build of the SDK.

mod event;
#[cfg(feature = "lambda")]
mod serve;
mod settings;
#[cfg(feature = "lambda")]
mod telemetry;

#[cfg(feature = "lambda")]
pub(crate) use serve::{RUNTIME_API, run};
