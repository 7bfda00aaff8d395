//! A job that uses the action, run as GitHub's runner does, and GitHub as a server on loopback that keeps what is
//! written to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::action::step;
use crate::shop::{Shop, root};
use crate::support::ended;

pub(crate) const TOKEN: &str = "ghs_secret";
const BOT: &str = "github-actions[bot]";

/// What GitHub knows of one repository with one pull request.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) comments: Vec<Value>,
    pub(crate) checks: Vec<Value>,
    pub(crate) calls: Vec<String>,
    pub(crate) read_only: bool,
}

/// GitHub's interface, on loopback.
pub(crate) struct GitHub {
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl GitHub {
    pub(crate) fn new(state: State) -> GitHub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &mut shared.lock().unwrap());
            }
        });
        GitHub { url, state }
    }

    /// What was written since this was asked last: methods and paths.
    pub(crate) fn writes(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.state.lock().unwrap().calls);
        calls
            .into_iter()
            .filter(|call| !call.starts_with("GET "))
            .collect()
    }

    pub(crate) fn comment(&self, id: usize) -> String {
        let comment = &self.state.lock().unwrap().comments[id];
        comment["body"].as_str().unwrap().to_owned()
    }

    pub(crate) fn last_check(&self) -> Value {
        self.state.lock().unwrap().checks.last().unwrap().clone()
    }
}

fn answer(stream: TcpStream, state: &mut State) {
    let mut reader = BufReader::new(&stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let named = lines
            .iter()
            .find(|line| line.to_lowercase().starts_with(name))?;
        Some(named.split_once(": ").unwrap().1.to_owned())
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (method, path) = lines[0]
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .split_once(' ')
        .unwrap();
    let (status, content) = match header("authorization") {
        Some(token) if token == format!("Bearer {TOKEN}") => state.act(method, path, body),
        _ => (401, json!({"message": "Bad credentials"})),
    };
    let content = content.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    (&stream).write_all((head + &content).as_bytes()).unwrap();
}

impl State {
    fn act(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.calls.push(format!("{method} {path}"));
        let path = path.strip_prefix("/repos/ann/shop/").unwrap();
        if self.read_only && method != "GET" {
            return (
                403,
                json!({"message": "Resource not accessible by integration"}),
            );
        }
        match (method, path.split_once('?').unwrap_or((path, ""))) {
            ("GET", ("issues/7/comments", query)) => {
                let page: usize = query
                    .strip_prefix("per_page=100&page=")
                    .unwrap()
                    .parse()
                    .unwrap();
                let page = self.comments.iter().skip((page - 1) * 100).take(100);
                (200, page.cloned().collect())
            }
            ("POST", ("issues/7/comments", "")) => {
                self.comments.push(comment(
                    self.comments.len(),
                    BOT,
                    body["body"].as_str().unwrap(),
                ));
                (201, self.comments.last().unwrap().clone())
            }
            ("PATCH", (path, "")) => {
                let id: usize = path
                    .strip_prefix("issues/comments/")
                    .unwrap()
                    .parse()
                    .unwrap();
                self.comments[id]["body"] = body["body"].clone();
                (200, self.comments[id].clone())
            }
            ("POST", ("check-runs", "")) => {
                self.checks.push(body);
                (201, json!({}))
            }
            _ => (404, json!({"message": "Not Found"})),
        }
    }
}

pub(crate) fn comment(id: usize, login: &str, body: &str) -> Value {
    json!({"id": id, "user": {"login": login}, "body": body})
}

/// A job that uses the action.
pub(crate) struct Job<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) github: &'a GitHub,
    pub(crate) inputs: BTreeMap<&'a str, &'a str>,
    pub(crate) event: Value,
    pub(crate) sha: String,
    pub(crate) token: &'a str,
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) log: String,
    pub(crate) summary: String,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Job<'_> {
    pub(crate) fn run(&self) -> Done {
        let files = crate::support::tempdir();
        let file = |name: &str| files.path().join(name);
        let step = step();
        for name in ["summary", "outputs"] {
            std::fs::write(file(name), "").unwrap();
        }
        std::fs::write(file("script.sh"), &step.run).unwrap();
        let mut bash = self.shop.command("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
            .arg(file("script.sh"))
            .envs(step.variables(&self.inputs, &self.event, self.token))
            .env("GITHUB_ACTION_PATH", root().join("ci"))
            .env("GITHUB_API_URL", &self.github.url)
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_REPOSITORY", "ann/shop")
            .env("GITHUB_RUN_ID", "99")
            .env("GITHUB_SHA", &self.sha)
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .env("GITHUB_OUTPUT", file("outputs"));
        let done = ended(&mut bash);
        let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
        let pairs = |line: &str| {
            line.split_once('=')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        Done {
            code: done.status.code().unwrap(),
            log: done.stdout + &done.stderr,
            summary: read("summary"),
            outputs: read("outputs")
                .lines()
                .map(|line| pairs(line).unwrap())
                .collect(),
        }
    }
}

impl Done {
    pub(crate) fn has(&self, code: i32, verdict: &str, exit: &str) {
        let told = [&self.outputs["verdict"], &self.outputs["exit"]];
        assert_eq!(
            (self.code, told),
            (code, [verdict, exit].map(str::to_owned).each_ref()),
            "{}",
            self.log
        );
    }
}
