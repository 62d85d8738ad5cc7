//! Answers of the server: JSON, files, and errors as pages read them.
//!
//! In: what a handler found. Out: responses. An error is `{"error": what and where, "hint": what to do}` with a status that says whose fault it is.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use occlude::{Error, ErrorKind};
use serde_json::json;

/// An error as a page reads it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: String,
    hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Refusal { status, error: error.into(), hint: None }
    }
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Something that a page named and that is not there (any more).
    pub(super) fn gone(what: &str, id: &str) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, format!("{what} \"{id}\" is not here"))
            .with_hint("the server keeps what was used last, and nothing over a restart: choose it again")
    }
    pub(super) fn busy(what: &str) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("too many {what} at once"))
            .with_hint("try again in a moment")
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Limit => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal { status, error: error.to_string(), hint: error.hint().map(str::to_string) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error, "hint": self.hint }))).into_response()
    }
}

/// Bytes of this media type; with a name they are for saving, not for showing.
pub(super) fn bytes(
    media_type: &'static str,
    content: impl Into<axum::body::Body>,
    save_as: Option<&str>,
) -> Response {
    let mut response = Response::new(content.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(name) = save_as {
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
    }
    response
}

/// Headers of every answer.
pub(super) const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
