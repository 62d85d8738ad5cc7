//! `occlude serve` over HTTP, as pages and others speak to it: maps in the making, windows by hand, uploads, bounds, and who is let in.
//!
//! Numbers are compared with those of `occlude map`, bit for bit. What a browser makes of them is tested in tests/browser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use support::arrays::Array;
use support::served::{Event, Served};
use support::{COFFEE, DEMO, Shell, root};

/// Nine windows.
const FEW: [(&str, &str); 2] = [("window", "112"), ("stride", "56")];
/// So many that a run can be stopped before its end.
const MANY: [(&str, &str); 2] = [("window", "32"), ("stride", "2")];

fn served(shell: &Shell) -> Served {
    Served::new(shell, &format!("{DEMO} {COFFEE}"))
}

fn floats(base64: &Value) -> Vec<f32> {
    let bytes = BASE64.decode(base64.as_str().unwrap()).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn the_page_and_its_files_come_from_the_binary() {
    let shell = Shell::new();
    let served = served(&shell);
    let page = served.get("/").done();
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("script-src 'self'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let text = String::from_utf8(page.body).unwrap();
    let named: Vec<&str> = text
        .split("src=\"")
        .chain(text.split("href=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let files: Vec<&&str> =
        named.iter().filter(|name| name.ends_with(".js") || name.ends_with(".css")).collect();
    assert!(files.len() > 3, "{named:?}");
    for file in files {
        let answer = served.get(&format!("/{file}")).done();
        let wanted = if file.ends_with(".js") { "text/javascript" } else { "text/css" };
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with(wanted), "{file}");
    }
    for path in ["/nothing", "/..%2f..%2fCargo.toml", "/report/page.js", "/api/nothing", "/etc/passwd"] {
        served.get(path).refused(404);
    }
}

#[test]
fn a_map_fills_and_is_the_command_lines_to_the_bit() {
    let shell = Shell::new();
    let served = served(&shell);
    let settings = [("window", "56"), ("stride", "28"), ("fill", "zero"), ("target", "top5")];
    let run = served.begin("tab", "a", &settings);
    let events: Vec<Event> = served.events(&run).filter(|event| event.name != "queued").collect();
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"feed"), Some(&"done")));
    let done = &events.last().unwrap().data["feed"];
    assert_eq!(done["complete"], true);
    let map = shell.map_of("--window 56 --stride 28 --fill zero --target top5");
    assert_eq!(served.get(&format!("/api/runs/{run}/map.npy")).done().body, map);
    // What the events said is what the map says.
    let occluded: Vec<Vec<f32>> =
        done["targets"].as_array().unwrap().iter().map(|t| floats(&t["occluded"])).collect();
    let first = &events[0].data;
    let mut told: Vec<Vec<f32>> =
        first["targets"].as_array().unwrap().iter().map(|t| floats(&t["occluded"])).collect();
    for event in events.iter().filter(|event| event.name == "windows") {
        for window in event.data["windows"].as_array().unwrap() {
            let cell = window["cell"].as_u64().unwrap() as usize;
            for (target, score) in window["occluded"].as_array().unwrap().iter().enumerate() {
                assert!(told[target][cell].is_nan(), "window {cell} is told once");
                told[target][cell] = score.as_f64().unwrap() as f32;
            }
        }
    }
    for (told, occluded) in told.iter().zip(&occluded) {
        for (cell, (told, occluded)) in told.iter().zip(occluded).enumerate() {
            // The last ones may come with the end itself.
            assert!(
                told.is_nan() || told.to_bits() == occluded.to_bits(),
                "window {cell}: {told} and {occluded}"
            );
        }
    }
    let command = done["command"].as_str().unwrap();
    assert_eq!(
        command,
        format!("occlude map {DEMO} {COFFEE} --window 56 --stride 28 --fill zero --target top5")
    );
    for (file, begins) in [
        ("map.npz", &b"PK"[..]),
        ("map.json", b"{"),
        ("map.png", b"\x89PNG"),
        ("map.html", b"<!doctype html>"),
    ] {
        let answer = served.get(&format!("/api/runs/{run}/{file}")).done();
        assert!(answer.body.starts_with(begins), "{file}");
        let saved = answer.headers["content-disposition"].to_str().unwrap();
        assert_eq!(saved, format!("attachment; filename=\"coffee.{}\"", &file[4..]));
    }
    served.get(&format!("/api/runs/{run}/map.exe")).refused(404);
    // Whoever comes later is told the whole.
    assert_eq!(served.end_of(&run).name, "done");
}

#[test]
fn windows_come_before_the_end() {
    let shell = Shell::new();
    let served = served(&shell);
    let run = served.begin("tab", "a", &MANY);
    let mut last = 0;
    let mut seen = 0;
    for event in served.events(&run).filter(|event| event.name == "windows").take(5) {
        let done = event.data["done"].as_u64().unwrap();
        assert!(done > last);
        last = done;
        seen += event.data["windows"].as_array().unwrap().len();
        assert_eq!(event.data["total"], 97 * 97);
    }
    assert!(seen > 0 && last < 97 * 97);
    served.delete(&format!("/api/runs/{run}")).done();
    let end = served.end_of(&run);
    assert_eq!((end.name.as_str(), &end.data["why"]), ("stopped", &json!("cancelled")));
    let computed = end.data["feed"]["computed"].as_u64().unwrap();
    assert!(computed >= last && computed < 97 * 97, "{computed}");
    assert_eq!(end.data["feed"]["complete"], false);
    // What was computed is kept.
    let map = Array::read(&served.get(&format!("/api/runs/{run}/map.npy")).done().body);
    assert_eq!(map.f32().iter().filter(|value| !value.is_nan()).count() as u64, computed);
    served.delete(&format!("/api/runs/{run}")).done();
}

#[test]
fn a_tab_replaces_its_run_and_nobody_elses() {
    let shell = Shell::new();
    let served = served(&shell);
    let [other, second, first] = [("b", "a"), ("a", "b"), ("a", "a")]
        .map(|(tab, slot)| (served.begin(tab, slot, &MANY), tab, slot))
        .map(|(run, ..)| run);
    let again = served.begin("a", "a", &FEW);
    let end = served.end_of(&first);
    assert_eq!((end.name.as_str(), &end.data["why"]), ("stopped", &json!("replaced")));
    assert_eq!(served.end_of(&again).name, "done");
    for run in [&other, &second] {
        let first = served.events(run).find(|event| event.name == "windows");
        assert!(first.is_some(), "{run} goes on");
    }
}

#[test]
fn a_run_that_nobody_listens_to_is_stopped() {
    let shell = Shell::new();
    let served = served(&shell);
    let run = served.begin("gone", "a", &MANY);
    drop(served.events(&run).next());
    // To look is to listen, so there is time to be missed before every look.
    let why = (0..10).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_secs(8));
        let event = served.events(&run).find(|event| event.name != "queued").unwrap();
        assert_ne!(event.name, "done", "the run was not long enough to be deserted");
        (event.name == "stopped").then(|| event.data["why"].clone())
    });
    assert_eq!(why, Some(json!("closed")));
}

#[test]
fn a_window_by_hand_is_one_of_the_map_where_it_lies_on_one() {
    let shell = Shell::new();
    let served = served(&shell);
    for flags in [
        &[("window", "56"), ("stride", "28")][..],
        &[("window", "64x32"), ("stride", "48"), ("fill", "blur"), ("shape", "soft"), ("target", "top3")],
    ] {
        let run = served.begin("tab", "a", flags);
        assert_eq!(served.end_of(&run).name, "done");
        let text: Vec<String> = flags.iter().map(|(name, value)| format!("--{name} {value}")).collect();
        shell.done(&format!("map {DEMO} {COFFEE} {} -q -o [TMP]/map.json", text.join(" ")));
        let map: Value = serde_json::from_slice(&shell.read("map.json")).unwrap();
        let rows: Vec<u64> = map["grid"]["axes"][0]["starts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect();
        let cols: Vec<u64> = map["grid"]["axes"][1]["starts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect();
        let values = Array::read(&served.get(&format!("/api/runs/{run}/map.npy")).done().body).f32();
        let targets = values.len() / (rows.len() * cols.len());
        for (row, col) in [(0, 0), (1, 2), (rows.len() - 1, cols.len() - 1)] {
            let probe = probe(&served, flags, &[rows[row], cols[col]]);
            assert_eq!(probe["targets"].as_array().unwrap().len(), targets);
            for target in 0..targets {
                let cell = (target * rows.len() + row) * cols.len() + col;
                let told = probe["targets"][target]["sensitivity"].as_f64().unwrap() as f32;
                assert_eq!(told.to_bits(), values[cell].to_bits(), "{flags:?} at {row}, {col}");
            }
        }
    }
}

fn probe(served: &Served, settings: &[(&str, &str)], start: &[u64]) -> Value {
    let (model, input) = served.ids();
    let settings: serde_json::Map<String, Value> =
        settings.iter().map(|(n, v)| ((*n).to_string(), json!(v))).collect();
    let body = json!({ "model": model, "input": input, "settings": settings, "start": start });
    served.post_json("/api/probe", &body).done().json()
}

#[test]
fn a_window_by_hand_may_lie_anywhere() {
    let shell = Shell::new();
    let served = served(&shell);
    let probe = probe(&served, &[("window", "40")], &[33, 101]);
    assert_eq!((&probe["start"], &probe["window"]), (&json!([33, 101]), &json!([40, 40])));
    // The map of the one window whose centre is there.
    let map = shell.map_of("--window 40 --stride 1 --border drop --roi 53:54,121:122");
    let map = Array::read(&map).f32();
    let told = probe["targets"][0]["sensitivity"].as_f64().unwrap();
    assert_eq!(map.len(), 1);
    assert!((told - f64::from(map[0])).abs() < 1e-5, "{told} and {}", map[0]);
    let classes = probe["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 5);
    let values: Vec<f64> = classes.iter().map(|class| class["value"].as_f64().unwrap()).collect();
    assert!(values.is_sorted_by(|a, b| a >= b) && values.iter().sum::<f64>() <= 1.0 + 1e-6, "{values:?}");
    assert_eq!(probe["classes_untouched"][0]["name"], "espresso");
    assert_eq!(probe["classes_untouched"][0]["value"], probe["targets"][0]["baseline"]);
    let (model, input) = served.ids();
    for (start, said) in [
        (json!([200, 0]), "ends beyond the input"),
        (json!([1]), "expected 2 places"),
        (json!([0, 0, 0, 0]), "expected 2 places"),
    ] {
        let body = json!({ "model": model, "input": input, "settings": { "window": "40" }, "start": start });
        let refused = served.post_json("/api/probe", &body).refused(400);
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_picture_that_a_page_sends_is_the_file() {
    let shell = Shell::new();
    let served = Served::new(&shell, DEMO);
    let (model, none) = served.ids();
    assert_eq!(none, "");
    let file = std::fs::read(root().join(COFFEE)).unwrap();
    let path = format!("/api/inputs?model={model}");
    let input = served.post(&path, &[("x-name", "mein%20Kaffee.jpg")], &file).done().json();
    assert_eq!(
        (&input["name"], &input["width"], &input["model"]),
        (&json!("mein Kaffee.jpg"), &json!(224), &json!(model))
    );
    assert!(input["picture"].as_str().unwrap().starts_with("data:image/"));
    let id = input["id"].as_str().unwrap();
    let run =
        served.begin_of(&model, id, "tab", "a", &FEW).done().json()["run"].as_str().unwrap().to_string();
    let end = served.end_of(&run);
    assert_eq!(end.name, "done");
    let command = end.data["feed"]["command"].as_str().unwrap();
    assert_eq!(
        command,
        format!("occlude map {DEMO} 'mein Kaffee.jpg' --stride 56 --window 112")
            .replace("--stride 56 --window 112", "--window 112 --stride 56")
    );
    let map = shell.map_of("--window 112 --stride 56");
    assert_eq!(served.get(&format!("/api/runs/{run}/map.npy")).done().body, map);
    // The class index or a part of its name finds it.
    let found = served.get(&format!("/api/labels?model={model}&q=espr")).done().json();
    assert!(found["labels"].as_array().unwrap().iter().any(|label| label["index"] == 967), "{found}");
    let tensors = served.get(&format!("/api/tensors?model={model}&input={id}")).done().json();
    let tensors = tensors["tensors"].as_array().unwrap();
    assert!(
        tensors.len() > 50 && tensors.iter().any(|t| t["shape"] == json!([1, 32, 112, 112])),
        "{:?}",
        tensors.first()
    );
    let name = tensors[2]["name"].as_str().unwrap();
    let activity = served.begin_of(
        &model,
        id,
        "tab",
        "a",
        &[("window", "112"), ("stride", "56"), ("target", &format!("node:{name}"))],
    );
    assert_eq!(served.end_of(activity.done().json()["run"].as_str().unwrap()).name, "done");
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let shell = Shell::new();
    let served = Served::new(&shell, &format!("{DEMO} {COFFEE} --upload-limit 1M"));
    let (model, input) = served.ids();
    let send = |name: &str, bytes: &[u8]| {
        served.post(&format!("/api/inputs?model={model}"), &[("x-name", name)], bytes)
    };
    let coffee = std::fs::read(root().join(COFFEE)).unwrap();
    let refused = send("torn.jpg", &coffee[..coffee.len() / 2]).refused(400);
    assert!(refused.contains("torn.jpg is truncated"), "{refused}");
    assert!(send("words.png", b"these are words").refused(400).contains("words.png is not a picture"));
    assert!(send("empty.png", b"").refused(400).contains("empty"));
    assert!(send("large.png", &vec![0; (1 << 20) + 1]).refused(413).contains("1.0 MB"));
    // A header that claims 60000 x 60000 pixels, and no more.
    let mut claims = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
    claims.extend(crc32fast::hash(&claims[12..]).to_be_bytes());
    claims.extend(b"\0\0\0\0IDAT");
    let refused = send("claims.png", &claims).refused(413);
    assert!(refused.contains("60000 x 60000"), "{refused}");
    let nan = support::arrays::npy("3, 224, 224", &vec![f32::NAN; 3 * 224 * 224]);
    let refused = send("nan.npy", &nan).refused(400);
    assert!(refused.contains("NaN"), "{refused}");
    let refused = send("flat.npy", &support::arrays::npy("5,", &[0.0; 5])).refused(400);
    assert!(refused.contains("flat.npy has shape [5]"), "{refused}");
    let refused = served.post("/api/models", &[("x-name", "x.onnx")], b"no model").refused(400);
    assert!(refused.contains("x.onnx") && !refused.contains("/tmp"), "{refused}");
    let begin = |settings: &[(&str, &str)]| served.begin_of(&model, &input, "tab", "a", settings);
    for (setting, said) in [
        (("window", "500"), "window 500 is larger"),
        (("stride", "0"), "stride"),
        (("fill", "image:/etc/passwd"), "no page reaches the file system"),
        (("regions", "/etc/passwd"), "a page cannot set it"),
        (("masks", "/etc/masks.npy"), "no page reaches the file system"),
        (("threads", "64"), "a page cannot set it"),
        (("windw", "3"), "no setting"),
    ] {
        let refused = begin(&[setting]).refused(400);
        assert!(refused.contains(said), "{setting:?}: {refused}");
    }
    // A class that there is not is known only when the model has run.
    let run = begin(&[("target", "no such class"), FEW[0], FEW[1]]).done().json()["run"]
        .as_str()
        .unwrap()
        .to_string();
    let end = served.end_of(&run);
    assert_eq!(end.name, "failed");
    assert!(end.data["error"].as_str().unwrap().contains("no such class"), "{:?}", end.data);
    let run = begin(&[("target", "all"), ("window", "2"), ("stride", "2")]).done().json()["run"]
        .as_str()
        .unwrap()
        .to_string();
    let end = served.end_of(&run);
    assert!(
        end.data["error"].as_str().unwrap().contains("more than a page is sent"),
        "{:?}",
        end.data["error"]
    );
    assert!(served.begin_of(&model, "i999", "tab", "a", &[]).refused(404).contains("i999"));
    assert!(served.begin_of("m999", &input, "tab", "a", &[]).status == 400);
    assert!(served.post_json("/api/runs", &json!({ "model": model })).status >= 400);
    served.post("/api/runs", &[("content-type", "application/json")], b"{").status.checked_sub(400).unwrap();
    // The server is as it was.
    assert_eq!(served.end_of(&served.begin("tab", "a", &FEW)).name, "done");
}

#[test]
fn a_model_that_a_page_sends_is_used_beside_the_first_one() {
    let shell = Shell::new();
    let served = served(&shell);
    let bytes = std::fs::read(root().join("crates/cli/tests/data/log_of_means.onnx")).unwrap();
    let model = served.post("/api/models", &[("x-name", "means.onnx")], &bytes).done().json();
    assert_eq!(model["name"], "means.onnx");
    let id = model["id"].as_str().unwrap();
    let models = served.get("/api/state").done().json();
    assert_eq!(models["models"].as_array().unwrap().len(), 2);
    let (_, coffee) = served.ids();
    let refused = served.begin_of(id, &coffee, "tab", "b", &FEW).refused(400);
    assert!(refused.contains("another model"), "{refused}");
}

#[test]
fn who_is_not_of_this_page_is_kept_out() {
    let shell = Shell::new();
    let served = served(&shell);
    assert!(served.get_with("/api/state", &[("host", "evil.example")]).refused(403).contains("evil.example"));
    let body = json!({}).to_string();
    for headers in [
        &[("origin", "http://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("host", "evil.example:7423")],
    ] {
        served.post("/api/runs", headers, body.as_bytes()).refused(403);
    }
    let plain = served.agent().post(format!("{}/api/runs", served.url)).send(body.as_bytes()).unwrap();
    assert_eq!(plain.status().as_u16(), 403, "a form has no header of ours");
    // No answer may be read by other sites.
    let state = served.get_with("/api/state", &[("origin", &served.url)]).done();
    assert!(state.headers.get("access-control-allow-origin").is_none());
}

#[test]
fn a_server_with_a_token_tells_nothing_without_it() {
    let shell = Shell::new();
    let mut command = shell.command("");
    drop(command.output());
    let served = Served::new(&shell, &format!("{DEMO} --token"));
    let token = served.query.strip_prefix("token=").expect("in the address");
    assert!(token.len() >= 32);
    for path in ["/", "/page.js", "/api/state"] {
        served.get(path).refused(401);
        served.get(&format!("{path}?token={}", "0".repeat(token.len()))).refused(401);
    }
    let entered = served.get(&format!("/?token={token}"));
    assert_eq!(
        (entered.status, &entered.headers["location"]),
        (303, &ureq::http::HeaderValue::from_static("/"))
    );
    let cookie = entered.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    served.get_with("/api/state", &[("cookie", pair)]).done();
    served.get_with("/api/state", &[("authorization", &format!("Bearer {token}"))]).done();
}

/// Tabs that ask at once, all of them changing their minds; each is answered, and memory stays bounded.
#[test]
fn twenty_tabs_at_once() {
    let shell = Shell::new();
    let served = served(&shell);
    assert_eq!(served.end_of(&served.begin("warm", "a", &FEW)).name, "done");
    let alone = served.peak_bytes();
    std::thread::scope(|scope| {
        // A tab that never reads costs the others nothing.
        let stuck = served.begin("stuck", "a", &MANY);
        let mut deaf = TcpStream::connect(served.url.trim_start_matches("http://")).unwrap();
        let host = served.url.trim_start_matches("http://");
        write!(deaf, "GET /api/runs/{stuck}/events HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        for tab in 0..20 {
            let served = &served;
            scope.spawn(move || {
                let name = format!("tab {tab}");
                let stride = (40 + tab).to_string();
                let given_up = served.begin(&name, "a", &MANY);
                let first = served.events(&given_up).find(|event| event.name == "windows");
                assert!(first.is_some(), "{name} is answered while all compute");
                let settings = [("window", "56"), ("stride", stride.as_str())];
                let run = served.begin(&name, "a", &settings);
                let probe = probe(served, &settings, &[tab, 2 * tab]);
                assert!(probe["targets"][0]["occluded"].as_f64().is_some());
                let end = served.end_of(&run);
                assert_eq!(end.name, "done", "{name}: {:?}", end.data);
                assert_eq!(served.end_of(&given_up).data["why"], "replaced");
            });
        }
    });
    let peak = served.peak_bytes();
    assert!(peak < alone + (200 << 20), "{} MiB beside {} MiB of one tab", peak >> 20, alone >> 20);
    assert_eq!(served.get("/api/state").status, 200);
}

#[test]
fn ctrl_c_stops_the_server_and_its_runs() {
    let shell = Shell::new();
    let mut served = served(&shell);
    let run = served.begin("tab", "a", &MANY);
    let mut events = served.events(&run);
    assert!(events.any(|event| event.name == "windows"));
    let kill = std::process::Command::new("kill").args(["-INT", &served.child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let end = events.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["why"]), ("stopped", &json!("closed")));
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

#[test]
fn nonsense_on_the_wire_does_no_harm() {
    let shell = Shell::new();
    let served = served(&shell);
    let host = served.url.trim_start_matches("http://");
    for bytes in [
        &b"\x00\xff\xfe nonsense\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/inputs?model=m1 HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        &[b'A'; 100_000],
    ] {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.read(&mut [0; 1024]);
    }
    // An upload that breaks off.
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "POST /api/inputs?model=m1 HTTP/1.1\r\nHost: {host}\r\nX-Occlude: 1\r\nContent-Length: 1000\r\n\r\nhalf").unwrap();
    drop(stream);
    assert_eq!(served.end_of(&served.begin("tab", "a", &FEW)).name, "done");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_served() {
    let shell = Shell::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (line, said) in [
        (format!("serve {DEMO} {COFFEE} --port {port}"), format!("port {port} is taken")),
        ("serve nothing.onnx".to_string(), "nothing.onnx".to_string()),
        (format!("serve {DEMO} nothing.png"), "nothing.png".to_string()),
        (format!("serve {DEMO} --regions x.npy"), "regions".to_string()),
        (format!("serve {DEMO} --window x"), "window \"x\"".to_string()),
        (format!("serve {DEMO} --upload-limit many"), "upload-limit \"many\"".to_string()),
        (format!("serve {DEMO} --host 203.0.113.1"), "cannot listen at 203.0.113.1".to_string()),
    ] {
        let output = shell.run(&line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        let text = shell.said(&output);
        assert!(text.contains(&said), "{line}: {text}");
    }
}
