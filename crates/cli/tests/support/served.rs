//! A server in a process of its own, and what a page does with it: requests with the page's headers, events as they come.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::Shell;

/// A running `occlude serve`; killed when it goes.
pub(crate) struct Served {
    pub(crate) child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    pub(crate) query: String,
    agent: ureq::Agent,
}

/// An answer: status and body, JSON where it is some.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
    /// The refusal's text, with its hint.
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let said = self.json();
        format!(
            "{} ({})",
            said["error"].as_str().expect("an error"),
            said["hint"].as_str().unwrap_or("no hint")
        )
    }
    pub(crate) fn done(self) -> Answer {
        assert!(self.status < 300, "{} {}", self.status, String::from_utf8_lossy(&self.body));
        self
    }
}

/// An event of a stream.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Served {
    /// Starts one at a free port; `line` are the arguments after `serve`.
    pub(crate) fn new(shell: &Shell, line: &str) -> Served {
        let mut command = shell.command(&format!("serve {line} --port 0 -q"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let (url, query) =
            address.trim().split_once("/?").unwrap_or((address.trim().trim_end_matches('/'), ""));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        assert!(url.starts_with("http://"), "{address}");
        Served { child, url: url.to_string(), query: query.to_string(), agent: config.into() }
    }

    /// Another page's view of the same server: own connections.
    pub(crate) fn agent(&self) -> ureq::Agent {
        self.agent.clone()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call())
    }

    /// Sends as the page does, with these headers too.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.url)).header("x-occlude", "1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body))
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        answer(self.agent.delete(format!("{}{path}", self.url)).header("x-occlude", "1").call())
    }

    /// The numbers of the first model and of the command line's input.
    pub(crate) fn ids(&self) -> (String, String) {
        let state = self.get("/api/state").done().json();
        (
            state["models"][0]["id"].as_str().unwrap().into(),
            state["input"]["id"].as_str().unwrap_or_default().into(),
        )
    }

    /// Begins a run in a tab; settings as `name value` pairs.
    pub(crate) fn begin(&self, tab: &str, slot: &str, settings: &[(&str, &str)]) -> String {
        let (model, input) = self.ids();
        self.begin_of(&model, &input, tab, slot, settings).done().json()["run"].as_str().unwrap().to_string()
    }

    pub(crate) fn begin_of(
        &self,
        model: &str,
        input: &str,
        tab: &str,
        slot: &str,
        settings: &[(&str, &str)],
    ) -> Answer {
        let settings: serde_json::Map<String, Value> =
            settings.iter().map(|(name, text)| ((*name).to_string(), json!(text))).collect();
        self.post_json(
            "/api/runs",
            &json!({ "model": model, "input": input, "settings": settings, "tab": tab, "slot": slot }),
        )
    }

    /// The events of a run, one by one, until its stream ends.
    pub(crate) fn events(&self, run: &str) -> impl Iterator<Item = Event> + use<> {
        let response = self.agent.get(format!("{}/api/runs/{run}/events", self.url)).call().unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let mut lines =
            BufReader::new(response.into_body().into_with_config().limit(1 << 30).reader()).lines();
        std::iter::from_fn(move || {
            let mut event = Event { name: String::new(), data: Value::Null };
            loop {
                let line = lines.next()?.unwrap();
                if let Some(name) = line.strip_prefix("event: ") {
                    event.name = name.to_string();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    event.data = serde_json::from_str(data).unwrap();
                } else if line.is_empty() && !event.name.is_empty() {
                    return Some(event);
                }
            }
        })
    }

    /// The last event of a run.
    pub(crate) fn end_of(&self, run: &str) -> Event {
        self.events(run).last().unwrap()
    }

    /// The most memory that the server has held, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let (parts, body) = response.unwrap().into_parts();
    let mut bytes = Vec::new();
    body.into_with_config().limit(1 << 30).reader().read_to_end(&mut bytes).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes }
}
