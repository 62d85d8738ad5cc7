//! What pages send: models, pictures and tensors, as raw bytes.
//!
//! In: the body of a request, within bounds of size, number and time. Out: something on the shelf. A body is never kept longer than it takes to read it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use occlude::{Error, Result, input};
use tokio::sync::Semaphore;

use super::answers::Refusal;
use super::run_blocking;
use super::shelf::{KeptInput, KeptModel};
use super::{Limits, Server};

/// Bodies that are read at once.
const AT_ONCE: usize = 8;
/// A body that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of a refused body that are waited for.
const DISCARDED: usize = 1 << 30;
/// Letters of a name that are kept.
const NAME: usize = 120;

/// Who may send now.
#[derive(Debug)]
pub(super) struct Door(Semaphore);

impl Default for Door {
    fn default() -> Self {
        Door(Semaphore::new(AT_ONCE))
    }
}

/// Takes a refused body off the wire without keeping it: who still sends does not read the answer.
async fn discard(body: Body) {
    let mut parts = body.into_data_stream();
    let mut seen = 0;
    while let Some(Ok(part)) = parts.next().await {
        seen += part.len();
        if seen > DISCARDED {
            return;
        }
    }
}

/// Reads a body of so many bytes at most.
async fn read(server: &Server, body: Body, most: usize, headers: &HeaderMap) -> Result<Vec<u8>, Refusal> {
    let too_large = |found: String| {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the file has {found}, the limit is {}", crate::printer::bytes(most as u64)))
            .with_hint("occlude serve --upload-limit sets another limit; files on this machine can be given to occlude serve itself")
    };
    let said = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(said) = said.filter(|said| *said > most as u64) {
        let _ = tokio::time::timeout(PATIENCE, discard(body)).await;
        return Err(too_large(crate::printer::bytes(said)));
    }
    let Ok(_permit) = server.door.0.try_acquire() else {
        let _ = tokio::time::timeout(PATIENCE, discard(body)).await;
        return Err(Refusal::busy("uploads"));
    };
    let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, most))
        .await
        .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the file did not arrive in two minutes"))?
        .map_err(|error| {
            let is_length =
                std::error::Error::source(&error).is_some_and(|e| e.to_string().contains("length limit"));
            match is_length {
                true => too_large("more bytes".to_string()),
                false => Refusal::new(StatusCode::BAD_REQUEST, "the file did not arrive as a whole"),
            }
        })?;
    if bytes.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the file is empty"));
    }
    Ok(bytes.to_vec())
}

/// The name that the page gives, made harmless: it is only shown.
fn name_in(headers: &HeaderMap, otherwise: &str) -> String {
    let given = headers
        .get("x-name")
        .map(|value| percent_encoding::percent_decode(value.as_bytes()).decode_utf8_lossy());
    let given = given.unwrap_or_default();
    let base = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = base.chars().filter(|c| !c.is_control()).take(NAME).collect();
    if name.trim().is_empty() { otherwise.to_string() } else { name.trim().to_string() }
}

/// A picture or tensor for this model.
///
/// # Errors
/// Too large, not what the model takes, damaged.
pub(super) async fn input(
    server: &Arc<Server>,
    model: Arc<KeptModel>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Arc<KeptInput>, Refusal> {
    let Limits { upload_bytes, pixels, .. } = server.limits;
    let bytes = read(server, body, upload_bytes, headers).await?;
    let name = name_in(headers, "input");
    let server = Arc::clone(server);
    run_blocking(move || {
        check_pixels(&bytes, &name, pixels)?;
        let mut input = model.model.read_bytes_input(&bytes, &name)?;
        // A model with several inputs gets the others from the command line.
        if let Some(own) = server.shelf.own_input().filter(|own| own.model == model.id) {
            input.beside = own.input.beside.clone();
        }
        Ok(server.shelf.add_input(input, &model))
    })
    .await
}

/// A model.
///
/// # Errors
/// Too large, no model, and what the importer says.
pub(super) async fn model(
    server: &Arc<Server>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Arc<KeptModel>, Refusal> {
    let bytes = read(server, body, server.limits.model_bytes, headers).await?;
    let name = name_in(headers, "model.onnx");
    let server = Arc::clone(server);
    run_blocking(move || server.shelf.add_model(&bytes, &name, &server.base)).await
}

/// What a picture claims to be, before anything of it is decoded.
fn check_pixels(bytes: &[u8], name: &str, most: u64) -> Result<()> {
    match input::claimed_pixels(bytes) {
        Some([width, height]) if width.saturating_mul(height) > most => Err(Error::limit(format!(
            "{name} claims {width} x {height} pixels, the limit here is {} million",
            most / 1_000_000
        ))
        .with_hint("make a smaller copy of the picture first")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-name", given.parse().expect("a value"));
        name_in(&headers, "input")
    }

    #[test]
    fn names_are_only_names() {
        assert_eq!(name("caf%C3%A9.png"), "café.png");
        assert_eq!(name("..%2F..%2Fetc%2Fpasswd"), "passwd");
        assert_eq!(name("C%3A%5Cx%5Cscan.npy"), "scan.npy");
        assert_eq!(name("a%00b%0Ac"), "abc");
        assert_eq!(name("%20"), "input");
        assert_eq!(name(&"x".repeat(500)).len(), NAME);
        assert_eq!(name_in(&HeaderMap::new(), "input"), "input");
    }
}
