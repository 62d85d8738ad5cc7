//! The addresses of the server and what each answers; the contract is written down in docs/serve.md.
//!
//! In: requests that came through the gate. Out: JSON, events, files. What is asked for is looked up here and done elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use occlude::output::{Format, html};
use occlude::{Probe, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{self, Refusal};
use super::gate::{self, Gate};
use super::runs::Asked;
use super::shelf::{KeptInput, KeptModel, Tensors};
use super::turns::Rank;
use super::{Server, asked, events, run_blocking, tell, uploads};

type Answer<T = Response> = Result<T, Refusal>;

/// The most probable classes that are told of a window by hand.
const CLASSES: usize = 5;
/// Class names found at most.
const LABELS: usize = 20;

pub(super) fn router(server: Arc<Server>, gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/", get(|| file(Path("page.html".to_string()))))
        .route("/{file}", get(file))
        // Browsers ask for it by themselves.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .route("/api/state", get(state))
        .route("/api/labels", get(labels))
        .route("/api/tensors", get(tensors))
        .route("/api/models", post(add_model))
        .route("/api/inputs", post(add_input))
        .route("/api/runs", post(begin))
        .route("/api/runs/{id}", axum::routing::delete(stop))
        .route("/api/runs/{id}/events", get(follow))
        .route("/api/runs/{id}/{file}", get(download))
        .route("/api/probe", post(probe))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .with_state(server)
        .layer(middleware::from_fn_with_state(gate, gate::keep))
}

/// A file of the page, from the binary itself.
async fn file(Path(name): Path<String>) -> Answer {
    let found = html::live_files().into_iter().find(|(file, _)| *file == name);
    let (_, text) =
        found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address"))?;
    let media_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    Ok(answers::bytes(media_type, text, None))
}

async fn state(State(server): State<Arc<Server>>) -> Answer<Json<Value>> {
    run_blocking(move || {
        let input = server.shelf.own_input();
        let models: Vec<Value> = server
            .shelf
            .models()
            .iter()
            .map(|model| {
                let own = input.as_ref().filter(|input| input.model == model.id);
                tell::model(model, &server.base, own.map(|input| &input.input))
            })
            .collect();
        Ok(Json(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "models": models,
            "input": input.as_deref().map(tell::input),
            "settings": server.given.what.iter().map(|(name, text)| ((*name).to_string(), json!(text))).collect::<serde_json::Map<_, _>>(),
            "limits": {
                "upload_bytes": server.limits.upload_bytes,
                "model_bytes": server.limits.model_bytes,
                "pixels": server.limits.pixels,
            },
        })))
    })
    .await
}

#[derive(Deserialize)]
struct LabelsQuery {
    model: String,
    #[serde(default)]
    q: String,
}

async fn labels(State(server): State<Arc<Server>>, Query(query): Query<LabelsQuery>) -> Answer<Json<Value>> {
    let model = model_of(&server, &query.model)?;
    Ok(Json(tell::labels(&model.model.configuration().labels, &query.q, LABELS)))
}

#[derive(Deserialize)]
struct TensorsQuery {
    model: String,
    input: String,
}

async fn tensors(
    State(server): State<Arc<Server>>,
    Query(query): Query<TensorsQuery>,
) -> Answer<Json<Value>> {
    let (model, input) = (model_of(&server, &query.model)?, input_of(&server, &query.input, &query.model)?);
    let cancel = AtomicBool::new(false);
    run_blocking(move || {
        let shape = &input.input.spec.shape;
        let known = || model.tensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = known().clone().filter(|kept| kept.shape == *shape);
        let nodes = match kept {
            Some(kept) => kept.nodes,
            None => {
                let _turn = server.runs.turnstile.wait(Rank::Map, &cancel);
                let nodes = Arc::new(model.model.nodes(&input.input)?);
                *known() = Some(Tensors { shape: shape.clone(), nodes: Arc::clone(&nodes) });
                nodes
            }
        };
        Ok(Json(tell::tensors(&nodes)))
    })
    .await
}

async fn add_model(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Answer<Json<Value>> {
    let model = uploads::model(&server, &headers, body).await?;
    Ok(Json(tell::model(&model, &server.base, None)))
}

#[derive(Deserialize)]
struct InputsQuery {
    model: String,
    /// The command line's input, to be read for another model: the page has no bytes of it.
    from: Option<String>,
}

async fn add_input(
    State(server): State<Arc<Server>>,
    Query(query): Query<InputsQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Value>> {
    let model = model_of(&server, &query.model)?;
    let Some(from) = query.from else {
        let input = uploads::input(&server, model, &headers, body).await?;
        return run_blocking(move || Ok(Json(tell::input(&input)))).await;
    };
    let own = server.shelf.own_input().filter(|own| own.id == from).ok_or_else(|| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("\"{from}\" is not the input of the command line"))
            .with_hint("send the file itself")
    })?;
    run_blocking(move || {
        let input = model.model.read_input(&own.path)?;
        Ok(Json(tell::input(&server.shelf.add_input(input, &model))))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunBody {
    model: String,
    input: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    tab: String,
    #[serde(default)]
    slot: String,
}

async fn begin(State(server): State<Arc<Server>>, body: Json<RunBody>) -> Answer<Json<Value>> {
    let Json(RunBody { model, input, settings, tab, slot }) = body;
    let (input, model) = (input_of(&server, &input, &model)?, model_of(&server, &model)?);
    if tab.is_empty() || tab.len() > 64 || slot.len() > 16 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the tab has no name of 1 to 64 letters")
            .with_hint("a tab names itself at random"));
    }
    let whole = run_blocking({
        let (server, model, input) = (Arc::clone(&server), Arc::clone(&model), Arc::clone(&input));
        move || check(&server.base, &settings, &model, &input).map(|whole| (whole, settings))
    });
    let (whole, settings) = whole.await?;
    let command = tell::command(&model, &input, &server.given.how, &settings);
    let run = server.runs.begin(Asked { model, input, settings: whole, tab, slot, command })?;
    Ok(Json(json!({ "run": run.id })))
}

/// Settings that fit the input, found out before anything is begun.
fn check(
    base: &Settings,
    settings: &BTreeMap<String, String>,
    model: &KeptModel,
    input: &KeptInput,
) -> occlude::Result<Settings> {
    let whole = asked::settings(base, settings)?;
    let windows = model.model.occlusion().with(&whole).hidden(&input.input)?;
    asked::check_size(windows.len(), 1)?;
    Ok(whole)
}

async fn stop(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Answer<StatusCode> {
    let run = server.runs.find(&id).ok_or_else(|| Refusal::gone("the run", &id))?;
    server.runs.stop(&run, "cancelled");
    Ok(StatusCode::NO_CONTENT)
}

async fn follow(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Answer {
    let run = server.runs.find(&id).ok_or_else(|| Refusal::gone("the run", &id))?;
    let stream = events::of(Arc::clone(&server.runs), &run);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

async fn download(State(server): State<Arc<Server>>, Path((id, file)): Path<(String, String)>) -> Answer {
    let run = server.runs.find(&id).ok_or_else(|| Refusal::gone("the run", &id))?;
    let (format, media_type) = match file.as_str() {
        "map.npy" => (Format::Npy, "application/octet-stream"),
        "map.npz" => (Format::Npz, "application/octet-stream"),
        "map.json" => (Format::Json, "application/json"),
        "map.png" => (Format::Png, "image/png"),
        "map.html" => (Format::Html, "text/html; charset=utf-8"),
        _ => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("there is no file \"{file}\" of a map"))
                .with_hint("there are map.npy, map.npz, map.json, map.png and map.html"));
        }
    };
    let ending = file.trim_start_matches("map");
    let stem =
        std::path::Path::new(&run.input.path).file_stem().map_or("map".into(), |stem| stem.to_string_lossy());
    let save_as = format!("{stem}{ending}");
    let content = run_blocking(move || run.file(format)).await?;
    Ok(answers::bytes(media_type, content, Some(&save_as)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeBody {
    model: String,
    input: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    start: Vec<usize>,
}

async fn probe(State(server): State<Arc<Server>>, body: Json<ProbeBody>) -> Answer<Json<Value>> {
    let Json(ProbeBody { model, input, settings, start }) = body;
    let (input, model) = (input_of(&server, &input, &model)?, model_of(&server, &model)?);
    let permit =
        Arc::clone(&server.probes).try_acquire_owned().map_err(|_| Refusal::busy("windows by hand"))?;
    run_blocking(move || {
        let whole = asked::settings(&server.base, &settings)?;
        let cancel = AtomicBool::new(false);
        let turn = server.runs.turnstile.wait(Rank::Probe, &cancel);
        let probe: Probe = model.model.occlusion().with(&whole).probe(&input.input, &start, CLASSES)?;
        drop((turn, permit));
        Ok(Json(tell::probe(&probe, &start, &input.input, &model.model.configuration().labels)))
    })
    .await
}

fn model_of(server: &Server, id: &str) -> Answer<Arc<KeptModel>> {
    server.shelf.model(id).ok_or_else(|| Refusal::gone("the model", id))
}

/// An input, which was read for a model and fits no other.
fn input_of(server: &Server, id: &str, model: &str) -> Answer<Arc<KeptInput>> {
    let input = server.shelf.input(id).ok_or_else(|| Refusal::gone("the input", id))?;
    if input.model != model {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("the input \"{id}\" was read for another model"),
        )
        .with_hint("send the file again for this model"));
    }
    Ok(input)
}
