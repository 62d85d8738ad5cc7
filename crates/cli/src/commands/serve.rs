//! `occlude serve`: the live page of a model, on this machine.
//!
//! Opens the model and its first input, finds a port, says the address, and serves until Ctrl-C. What is served is in `crate::serve`.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};

use occlude::{Error, Model, Result, Settings};

use crate::args::{self, ServeArguments};
use crate::commands::map::talk;
use crate::progress::Wait;
use crate::serve::{Given, Limits, Server};
use crate::{Outcome, Printer, inputs, interrupt};

/// Tried first where no port is given, and how many after it.
const PORT: u16 = 7423;
const PORTS: u16 = 20;
/// Pixels of a picture that a page sends.
const PIXELS: u64 = 64_000_000;
/// A model may be so many times as large as a picture.
const MODEL: usize = 16;

pub(crate) fn run(arguments: &ServeArguments, printer: &Printer) -> Result<Outcome> {
    let base = args::settings(None, &arguments.how)?;
    let upload_bytes = Settings::bytes("upload-limit", &arguments.upload_limit)?;
    let upload_bytes = usize::try_from(upload_bytes).unwrap_or(usize::MAX);
    let limits = Limits { upload_bytes, model_bytes: upload_bytes.saturating_mul(MODEL), pixels: PIXELS };
    let given = Given {
        what: owned(args::given_what(&arguments.what)),
        how: owned(
            args::given_how(&arguments.how).into_iter().chain(args::given_inputs(&arguments.what)).collect(),
        ),
    };
    let server = Server::new(base.clone(), given, limits)?;
    // The port is taken before the model is read, so that a wrong one is said at once.
    let listener = listen(arguments.host, arguments.port)?;
    let address = listener.local_addr().map_err(|e| Error::file(format!("the server cannot run: {e}")))?;
    if let Some(path) = &arguments.model {
        let reading = Wait::new(printer, &format!("reading {}", path.display()));
        let model = Model::open_with(path, &base)?;
        drop(reading);
        talk::model(&model, printer);
        let input = match &arguments.input {
            Some(input) => {
                let read = inputs::read(&model, input, &arguments.what)?;
                talk::input(input, &read, printer);
                Some((read, input.as_path()))
            }
            None => None,
        };
        server.put(model, path, input);
    }
    let token = token(arguments, address.ip())?;
    let url = url(address, token.as_deref());
    let stop = interrupt::flag_saying("\nstopping the server (Ctrl-C again to quit at once)")?;
    printer.line(&url);
    printer.say("serving", "the page is at the address above; Ctrl-C stops the server");
    if arguments.open
        && let Err(error) = open::that_detached(&url)
    {
        printer.warn(&format!("no browser could be opened: {error}"));
    }
    server.run(listener, token, stop)?;
    printer.say("stopped", "nothing of the page is kept");
    Ok(Outcome::Done)
}

fn owned(given: Vec<(&'static str, &str)>) -> Vec<(&'static str, String)> {
    given.into_iter().map(|(name, text)| (name, text.to_string())).collect()
}

/// A port that is given must be free; without one the first free one is taken.
fn listen(host: IpAddr, port: Option<u16>) -> Result<TcpListener> {
    let wanted = port.map_or(PORT..=PORT + PORTS, |port| port..=port);
    for port in wanted {
        match TcpListener::bind(SocketAddr::new(host, port)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(Error::argument(format!("cannot listen at {host}, port {port}: {error}")));
            }
            Ok(listener) => return Ok(listener),
        }
    }
    Err(match port {
        Some(port) => Error::argument(format!("port {port} is taken"))
            .with_hint("another occlude serve may be running; leave out --port for the next free one"),
        None => Error::argument(format!("the ports {PORT} to {} are taken", PORT + PORTS))
            .with_hint("name a free one with --port"),
    })
}

/// The token that pages need: on this machine only where it is asked for.
fn token(arguments: &ServeArguments, host: IpAddr) -> Result<Option<String>> {
    if host.is_loopback() && !arguments.token {
        return Ok(None);
    }
    if let Some(given) = std::env::var("OCCLUDE_TOKEN").ok().filter(|given| !given.is_empty()) {
        let is_plain = given.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !is_plain || given.len() < 16 {
            return Err(Error::argument(
                "the token in OCCLUDE_TOKEN is too short or has other characters than letters, digits, - _ .",
            )
            .with_hint("16 characters or more; without it one is drawn"));
        }
        return Ok(Some(given));
    }
    let mut drawn = [0u8; 16];
    getrandom::fill(&mut drawn).map_err(|e| Error::file(format!("no random token can be drawn: {e}")))?;
    Ok(Some(drawn.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The address as a browser opens it; a server for all addresses of this machine is named by this machine's own.
fn url(address: SocketAddr, token: Option<&str>) -> String {
    let shown = if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port())
    } else {
        address
    };
    match token {
        Some(token) => format!("http://{shown}/?token={token}"),
        None => format!("http://{shown}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over_unless_it_was_asked_for() {
        let host = IpAddr::from([127, 0, 0, 1]);
        let taken = TcpListener::bind((host, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(listen(host, Some(port)).expect_err("taken").to_string(), format!("port {port} is taken"));
        let (first, second) = (listen(host, None).unwrap(), listen(host, None).unwrap());
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }

    #[test]
    fn addresses_can_be_opened() {
        let url = |text: &str, token| url(text.parse().unwrap(), token);
        assert_eq!(url("127.0.0.1:7423", None), "http://127.0.0.1:7423/");
        assert_eq!(url("[::1]:80", None), "http://[::1]:80/");
        assert_eq!(url("0.0.0.0:7423", Some("abc")), "http://127.0.0.1:7423/?token=abc");
    }
}
