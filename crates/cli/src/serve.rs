//! The server of the live page: one process, this machine, any number of tabs.
//!
//! The way of a request: `gate` (who may speak) -> `routes` (what is asked for) -> `uploads` and `shelf` (models and inputs), `runs` and `run` (maps in the making, computed in `turns`), `events` (what a
//! tab is told) -> `answers` and `tell` (JSON). `asked` says which settings a page may set. The page itself is in `report/`, and all that is computed is in the library `occlude`.

mod answers;
mod asked;
mod events;
mod gate;
mod routes;
mod run;
mod runs;
mod shelf;
mod tell;
mod turns;
mod uploads;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use occlude::{Error, Input, Model, Result, Settings};
use tokio::sync::Semaphore;

use answers::Refusal;
use gate::Gate;
use runs::Runs;
use shelf::Shelf;
use uploads::Door;

/// Windows by hand that are asked for at once.
const PROBES: usize = 64;
/// How often the flag that ends the server is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long requests under way may take to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Bounds on what pages send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a picture or tensor.
    pub(crate) upload_bytes: usize,
    /// Bytes of a model.
    pub(crate) model_bytes: usize,
    /// Pixels of a picture.
    pub(crate) pixels: u64,
}

/// What the server knows.
#[derive(Debug)]
pub(crate) struct Server {
    shelf: Shelf,
    runs: Arc<Runs>,
    door: Door,
    probes: Arc<Semaphore>,
    limits: Limits,
    /// The settings that runs begin with: how models are fed and run.
    base: Settings,
    given: Given,
}

/// Settings as they were given on the command line.
#[derive(Debug)]
pub(crate) struct Given {
    /// What is hidden and measured: the page begins with it.
    pub(crate) what: Vec<(&'static str, String)>,
    /// How the model is fed and run.
    pub(crate) how: Vec<(&'static str, String)>,
}

impl Server {
    /// A server without a model yet. `base` holds how models are fed and run.
    ///
    /// # Errors
    /// Argument: a setting that pages may not use.
    pub(crate) fn new(base: Settings, given: Given, limits: Limits) -> Result<Server> {
        let asked = given.what.iter().map(|(name, text)| ((*name).to_string(), text.clone())).collect();
        asked::settings(&base, &asked)?;
        Ok(Server {
            shelf: Shelf::default(),
            runs: Arc::default(),
            door: Door::default(),
            probes: Arc::new(Semaphore::new(PROBES)),
            limits,
            base,
            given,
        })
    }

    /// The model that the page begins with, and its input.
    pub(crate) fn put(&self, model: Model, path: &Path, input: Option<(Input, &Path)>) {
        let kept = self.shelf.put_own_model(model, path);
        if let Some((input, path)) = input {
            self.shelf.put_own_input(input, &kept, path);
        }
    }

    /// Serves until `stop` is set; requests under way get a moment to end, runs are stopped.
    ///
    /// # Errors
    /// File: the system refuses.
    pub(crate) fn run(
        self,
        listener: std::net::TcpListener,
        token: Option<String>,
        stop: &'static AtomicBool,
    ) -> Result<()> {
        let refused = |e: std::io::Error| Error::file(format!("the server cannot run: {e}"));
        let address: SocketAddr = listener.local_addr().map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_io()
            .enable_time()
            .build()
            .map_err(refused)?;
        let server = Arc::new(self);
        let gate = Arc::new(Gate { address, token });
        let served = runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let runs = Arc::clone(&server.runs);
            let stopped = async move {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(LOOK).await;
                }
                runs.close();
            };
            let (told, asked_to_stop) = tokio::sync::oneshot::channel();
            let graceful =
                axum::serve(listener, routes::router(server, gate)).with_graceful_shutdown(async move {
                    stopped.await;
                    let _ = told.send(());
                });
            // A connection that never ends must not keep the server from stopping.
            let farewell = async move {
                let _ = asked_to_stop.await;
                tokio::time::sleep(FAREWELL).await;
            };
            tokio::select! {
                served = graceful => served,
                () = farewell => Ok(()),
            }
        });
        runtime.shutdown_timeout(FAREWELL);
        served.map_err(refused)
    }
}

/// Does something that computes or waits beside the threads that serve; a panic is an answer too.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(broken) if broken.is_panic() => {
            let error = runs::of_panic(&*broken.into_panic());
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
                .with_hint(error.hint().unwrap_or_default().to_string()))
        }
        Err(_) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")),
    }
}
