//! What a listener is told about a run, as server-sent events.
//!
//! In: a [`Run`] and the listener's place in it. Out: a stream of events: first where the run is as a whole, then windows as they finish, then the end. Events are made when the listener's connection
//! takes them: a slow tab gets fewer and larger ones, and nothing piles up for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use occlude::Result;
use serde_json::{Value, json};

use super::run::{End, Listening, Run};
use super::runs::Runs;

/// The least time between two events of one listener; more windows come together then.
const PACE: Duration = Duration::from_millis(40);
/// The least time between two feeds, where windows cannot be told one by one.
const FEED_PACE: Duration = Duration::from_millis(600);
/// How often a waiting listener is told its place in the line.
const QUEUE_PACE: Duration = Duration::from_millis(400);

struct Listener {
    run: Arc<Run>,
    /// `None` only while it goes.
    listening: Option<Listening>,
    runs: Arc<Runs>,
    stage: Stage,
    /// Windows told until now.
    told: usize,
    last_feed: Instant,
}

enum Stage {
    /// Nothing told yet, or only that others are first.
    Waiting {
        ahead: Option<usize>,
    },
    Following,
    Over,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // First it is counted out, then is looked whether somebody is left.
        self.listening = None;
        if tokio::runtime::Handle::try_current().is_ok() {
            self.runs.stop_if_deserted(&self.run);
        }
    }
}

/// The events of a run for one listener.
pub(super) fn of(runs: Arc<Runs>, run: &Arc<Run>) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let listener = Listener {
        run: Arc::clone(run),
        listening: Some(run.listen()),
        runs,
        stage: Stage::Waiting { ahead: None },
        told: 0,
        last_feed: Instant::now(),
    };
    stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let run = Arc::clone(&self.run);
            let changes = &mut self.listening.as_mut()?.changes;
            // What changes from here on wakes this listener.
            changes.mark_unchanged();
            match self.stage {
                Stage::Over => return None,
                Stage::Waiting { .. } if run.is_over() => return Some(self.end().await),
                Stage::Waiting { .. } if run.has_begun() => {
                    self.stage = Stage::Following;
                    return Some(self.feed().await);
                }
                Stage::Waiting { ahead: before } => {
                    let ahead = self.runs.turnstile.waiting().saturating_sub(1);
                    if before != Some(ahead) {
                        self.stage = Stage::Waiting { ahead: Some(ahead) };
                        return Some(event("queued", &json!({ "ahead": ahead })));
                    }
                    let _ = tokio::time::timeout(QUEUE_PACE, changes.changed()).await;
                }
                Stage::Following => {
                    tokio::time::sleep(PACE).await;
                    if run.is_over() {
                        return Some(self.end().await);
                    }
                    if !run.has_more_than(self.told) {
                        let _ = changes.changed().await;
                        continue;
                    }
                    if run.tells_windows() {
                        let news = run.since(self.told);
                        self.told = news.told;
                        let told = json!({ "windows": news.windows, "classes": news.classes, "done": news.told, "total": news.total, "left_secs": news.left_secs });
                        return Some(event("windows", &told));
                    }
                    if self.last_feed.elapsed() >= FEED_PACE {
                        return Some(self.feed().await);
                    }
                    tokio::time::sleep(FEED_PACE.saturating_sub(self.last_feed.elapsed())).await;
                }
            }
        }
    }

    /// The map as far as it is.
    async fn feed(&mut self) -> Event {
        self.last_feed = Instant::now();
        match feed_of(&self.run).await {
            Some((feed, told)) => {
                self.told = told;
                event("feed", &feed)
            }
            None => event("queued", &json!({ "ahead": 0 })),
        }
    }

    async fn end(&mut self) -> Event {
        self.stage = Stage::Over;
        let run = Arc::clone(&self.run);
        let feed = feed_of(&run).await.map(|(feed, _)| feed);
        match run.how_it_ended() {
            Some(End::Done { secs }) => event("done", &json!({ "feed": feed, "secs": secs })),
            Some(End::Failed { error, hint }) => {
                event("failed", &json!({ "error": error, "hint": hint, "feed": feed }))
            }
            Some(End::Stopped { why }) => event("stopped", &json!({ "feed": feed, "why": why })),
            None => event("stopped", &json!({ "feed": feed, "why": "closed" })),
        }
    }
}

/// The feed of a run, made beside the threads that serve: a large one takes a while.
async fn feed_of(run: &Arc<Run>) -> Option<(Value, usize)> {
    let run = Arc::clone(run);
    let made = tokio::task::spawn_blocking(move || run.feed()).await.ok()??;
    Some((made.0.ok()?, made.1))
}

fn event(name: &'static str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
