//! A Hugging Face hub on this machine, with faults on demand.
//!
//! Two listeners share one state: the hub itself and the storage host it redirects large files to, so that a test can see which of the two
//! was sent a token.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const COMMIT: &str = "ab810cf68114990406fdf996510dd3d3c6adbdf5";

/// A request as it came in. Header names are lower case.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// True at the storage host.
    pub(crate) storage: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name)?;
        Some(&found.1)
    }
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This status with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The body ends after so many bytes and the connection is closed.
    Cut(usize),
    /// These headers instead of those with the same name.
    Headers(Vec<(&'static str, String)>),
    /// Another body of the same length.
    WrongBytes,
    /// The range is ignored.
    WholeFile,
    /// No answer for this long.
    Silent(Duration),
    /// This status with this text, in the body and in a header; `{authorization}` stands for what the request sent.
    Says(u16, &'static str),
    /// So many bytes of the body, then nothing for this long.
    Stall(usize, Duration),
    /// The body in pieces of so many bytes with a pause after each.
    Drip(usize, Duration),
    /// A body that never ends. Its length is declared as it should be, or not at all.
    Endless(bool),
}

struct Rule {
    method: &'static str,
    contains: &'static str,
    left: usize,
    fault: Fault,
}

struct State {
    files: Mutex<Vec<(String, Vec<u8>)>>,
    commit: Mutex<String>,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    storage: String,
}

/// The running hub; it ends with the process.
pub(crate) struct MockHub {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes of the body that are sent.
    sent: usize,
    pace: Pace,
}

/// How a body is sent.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    Pieces(usize, Duration),
    Stalled(Duration),
    Endless,
}

impl MockHub {
    /// A hub with the repository `o/r`, whose branch `main` has these files.
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let storage = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |l: &TcpListener| format!("http://{}", l.local_addr().unwrap());
        let endpoint = address(&hub);
        let state = Arc::new(State {
            files: Mutex::new(
                files
                    .iter()
                    .map(|(n, b)| ((*n).to_owned(), b.to_vec()))
                    .collect(),
            ),
            commit: Mutex::new(COMMIT.to_owned()),
            rules: Mutex::new(Vec::new()),
            seen: Mutex::new(Vec::new()),
            storage: address(&storage),
        });
        for (listener, is_storage) in [(hub, false), (storage, true)] {
            let state = Arc::clone(&state);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || {
                        // A client that goes away is part of the tests.
                        let _ = serve(&state, stream, is_storage);
                    });
                }
            });
        }
        Self { endpoint, state }
    }

    /// The next `times` requests with this method whose path contains the text go wrong.
    pub(crate) fn fault(
        &self,
        method: &'static str,
        contains: &'static str,
        times: usize,
        fault: Fault,
    ) {
        self.state.rules.lock().unwrap().push(Rule {
            method,
            contains,
            left: times,
            fault,
        });
    }

    /// Nothing goes wrong any more.
    pub(crate) fn forget_faults(&self) {
        self.state.rules.lock().unwrap().clear();
    }

    /// Moves the branch `main`.
    pub(crate) fn move_main(&self, commit: &str) {
        commit.clone_into(&mut self.state.commit.lock().unwrap());
    }

    /// Gives a file another content.
    pub(crate) fn replace(&self, file: &str, bytes: &[u8]) {
        let mut files = self.state.files.lock().unwrap();
        let found = files.iter_mut().find(|(n, _)| n == file).unwrap();
        found.1 = bytes.to_vec();
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The requests for bytes so far.
    pub(crate) fn transfers(&self) -> Vec<Seen> {
        let bytes = |s: &Seen| s.method == "GET" && s.storage;
        self.seen().into_iter().filter(bytes).collect()
    }

    /// The address of a file on the storage host.
    pub(crate) fn plain_url(&self, file: &str) -> String {
        format!("{}/files/{file}", self.state.storage)
    }
}

fn serve(state: &State, stream: TcpStream, storage: bool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let Some(request) = read_request(&stream, storage)? else {
        return Ok(());
    };
    state.seen.lock().unwrap().push(request.clone());
    let fault = take_fault(state, &request);
    if let Some(Fault::Silent(length)) = fault {
        std::thread::sleep(length);
        return Ok(());
    }
    let ranged = !matches!(fault, Some(Fault::WholeFile));
    if let Some(Fault::Says(status, text)) = fault {
        let sent = request.header("authorization").unwrap_or("nothing");
        let said = text.replace("{authorization}", sent);
        let mut reply = Reply::new(status, said.clone().into_bytes());
        reply.set(vec![
            ("www-authenticate", said.clone()),
            ("x-error-message", said),
        ]);
        return send(stream, &request, &reply);
    }
    let mut reply = if storage {
        stored(state, &request, ranged)
    } else {
        answer(state, &request)
    };
    apply(fault, &mut reply);
    send(stream, &request, &reply)
}

fn read_request(stream: &TcpStream, storage: bool) -> std::io::Result<Option<Seen>> {
    let mut reader = BufReader::new(stream.take(1 << 16));
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => break,
        }
    }
    Ok(Some(Seen {
        method,
        path,
        headers,
        storage,
    }))
}

fn take_fault(state: &State, request: &Seen) -> Option<Fault> {
    let mut rules = state.rules.lock().unwrap();
    let rule = rules
        .iter_mut()
        .find(|r| r.left > 0 && r.method == request.method && request.path.contains(r.contains))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}

fn apply(fault: Option<Fault>, reply: &mut Reply) {
    match fault {
        Some(Fault::Status(status, headers)) => {
            *reply = Reply::new(status, Vec::new());
            reply.set(headers);
        }
        Some(Fault::Cut(bytes)) => reply.sent = bytes,
        Some(Fault::Headers(headers)) => reply.set(headers),
        Some(Fault::WrongBytes) => reply.body.iter_mut().for_each(|b| *b ^= 0x55),
        Some(Fault::Stall(bytes, pause)) => {
            reply.sent = bytes;
            reply.pace = Pace::Stalled(pause);
        }
        Some(Fault::Drip(piece, pause)) => reply.pace = Pace::Pieces(piece, pause),
        Some(Fault::Endless(declared)) => {
            reply.pace = Pace::Endless;
            if !declared {
                reply.headers.retain(|(n, _)| n != "content-length");
            }
        }
        Some(Fault::WholeFile | Fault::Silent(_) | Fault::Says(..)) | None => {}
    }
}

impl Reply {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-length".to_owned(), body.len().to_string())],
            sent: body.len(),
            body,
            pace: Pace::AtOnce,
        }
    }

    fn set(&mut self, headers: Vec<(&'static str, String)>) {
        for (name, value) in headers {
            self.headers.retain(|(n, _)| n != name);
            self.headers.push((name.to_owned(), value));
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    evalh::record::Digest::of(bytes).to_string()
}

/// The hub's own answers.
fn answer(state: &State, request: &Seen) -> Reply {
    let commit = state.commit.lock().unwrap().clone();
    let is_revision = |r: &str| r == "main" || r == commit || r == COMMIT;
    let at = |r: &str| {
        if r == "main" {
            commit.clone()
        } else {
            r.to_owned()
        }
    };
    let not_found = |code: &str| {
        let mut reply = Reply::new(404, b"no".to_vec());
        reply.set(vec![("x-error-code", code.to_owned())]);
        reply
    };
    if let Some(revision) = request.path.strip_prefix("/api/models/o/r/revision/") {
        if !is_revision(revision) {
            return not_found("RevisionNotFound");
        }
        let files = state.files.lock().unwrap();
        let siblings: Vec<_> = files
            .iter()
            .map(|(n, _)| serde_json::json!({ "rfilename": n }))
            .collect();
        let body = serde_json::json!({ "sha": at(revision), "siblings": siblings });
        return Reply::new(200, body.to_string().into_bytes());
    }
    let Some((revision, file)) = request
        .path
        .strip_prefix("/o/r/resolve/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return not_found("RepoNotFound");
    };
    if !is_revision(revision) {
        return not_found("RevisionNotFound");
    }
    let files = state.files.lock().unwrap();
    let Some((name, bytes)) = files.iter().find(|(n, _)| n.replace(' ', "%20") == file) else {
        return not_found("EntryNotFound");
    };
    if in_git(name) {
        let mut reply = ranged_reply(request, bytes, true);
        reply.set(vec![
            ("x-repo-commit", at(revision)),
            ("etag", format!("\"{}\"", git_etag(bytes))),
        ]);
        return reply;
    }
    let mut reply = Reply::new(302, Vec::new());
    reply.set(vec![
        ("x-repo-commit", at(revision)),
        ("x-linked-etag", format!("\"{}\"", sha256(bytes))),
        ("x-linked-size", bytes.len().to_string()),
        (
            "etag",
            "\"0123456789abcdef0123456789abcdef01234567\"".to_owned(),
        ),
        (
            "location",
            format!(
                "{}/files/{}?signature=signed",
                state.storage,
                name.replace(' ', "%20")
            ),
        ),
    ]);
    reply
}

/// The storage host's answers.
fn stored(state: &State, request: &Seen, ranged: bool) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    let name = path.trim_start_matches("/files/").replace("%20", " ");
    let files = state.files.lock().unwrap();
    match files.iter().find(|(n, _)| *n == name) {
        None => Reply::new(404, Vec::new()),
        Some((_, bytes)) => ranged_reply(request, bytes, ranged),
    }
}

/// The file, or the part of it that was asked for.
fn ranged_reply(request: &Seen, bytes: &[u8], ranged: bool) -> Reply {
    let asked = request
        .header("range")
        .and_then(|r| r.strip_prefix("bytes="))
        .and_then(|r| r.split_once('-'))
        .and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok())));
    let total = bytes.len();
    match asked.filter(|_| ranged) {
        None => Reply::new(200, bytes.to_vec()),
        Some((from, _)) if from >= total => {
            let mut reply = Reply::new(416, Vec::new());
            reply.set(vec![("content-range", format!("bytes */{total}"))]);
            reply
        }
        Some((from, to)) => {
            let last = to.unwrap_or(total - 1).min(total - 1);
            let mut reply = Reply::new(206, bytes[from..=last].to_vec());
            let range = format!("bytes {from}-{last}/{total}");
            reply.set(vec![("content-range", range)]);
            reply
        }
    }
}

/// Small text files are in git itself: no redirect, and an etag that is no SHA-256.
fn in_git(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("json" | "md"))
}

/// Stands for the SHA-1 of a git object: 40 digits that follow from the content.
pub(crate) fn git_etag(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

fn send(mut stream: TcpStream, request: &Seen, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        send_body(&mut stream, reply)?;
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Write)
}

fn send_body(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let body = &reply.body[..reply.sent.min(reply.body.len())];
    match reply.pace {
        Pace::AtOnce => stream.write_all(body),
        Pace::Pieces(piece, pause) => {
            for part in body.chunks(piece) {
                stream.write_all(part)?;
                stream.flush()?;
                std::thread::sleep(pause);
            }
            Ok(())
        }
        Pace::Stalled(pause) => {
            stream.write_all(body)?;
            stream.flush()?;
            std::thread::sleep(pause);
            Ok(())
        }
        // Ends when the client closes the connection.
        Pace::Endless => loop {
            stream.write_all(&[b' '; 4096])?;
        },
    }
}
