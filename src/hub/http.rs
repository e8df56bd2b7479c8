//! Requests with the manners a hub expects: bounded waiting, few and spaced retries, resumed transfers, the token to one host only.
//!
//! A host that cannot be reached is remembered, so that it costs its waiting time once in a process. Redirects are followed here and not by
//! the client, because the token may not follow them to another host.

use super::error::printable;
use super::progress::Step;
use super::{HubError, HubSettings, Progress, Secret};
use crate::config::Source;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Most time for resolving a name, and for a connection with its encryption; together below the 5 s an unreachable host may cost.
const RESOLVE: Duration = Duration::from_millis(1500);
const CONNECT: Duration = Duration::from_millis(2500);
/// Most time for an answer about a file, when the user sets none.
const ANSWER: Duration = Duration::from_secs(4);
/// Attempts of one request, and of one transfer without any progress.
const ATTEMPTS: u32 = 4;
/// Longest pause that a server may ask for.
const LONGEST_PAUSE_S: u64 = 60;
const MOST_REDIRECTS: u32 = 5;
/// Largest answer of the API that is read.
const MOST_JSON_BYTES: u64 = 16 << 20;

/// The client.
pub(crate) struct Http {
    /// For answers without a body, or with a small one.
    quick: Agent,
    /// For files.
    transfer: Agent,
    retry_pause: Duration,
    /// Hosts that could not be reached, with what the connection said.
    unreachable: Mutex<BTreeMap<String, String>>,
}

/// A request for a file or for facts about one.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) url: &'a str,
    /// Sent to the first host only.
    pub(crate) token: Option<&'a Secret>,
    /// What a refusal should name, when it is more telling than the URL.
    pub(crate) repo: Option<&'a str>,
}

/// What a transfer should result in.
pub(crate) struct Target<'a> {
    /// Written to, and continued when it is there.
    pub(crate) part: &'a Path,
    /// Size, when it is known.
    pub(crate) total: Option<u64>,
    /// For people.
    pub(crate) name: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get,
}

/// The part of a file that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// From this byte to the end.
    From(u64),
    /// So many bytes from the beginning.
    First(u64),
}

/// How an attempt of a transfer ended.
enum Outcome {
    Complete,
    /// Try again: what the connection said.
    Cut(String),
    /// Try again from the first byte.
    Restart,
}

impl Http {
    pub(crate) fn new(settings: &HubSettings) -> Self {
        let base = || {
            Agent::config_builder()
                .user_agent(concat!("evalh/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_resolve(Some(RESOLVE))
                .timeout_connect(Some(CONNECT))
        };
        let answer = settings.hf.etag_timeout.unwrap_or(ANSWER);
        let idle = settings.hf.download_timeout;
        Self {
            quick: base().timeout_global(Some(answer)).build().into(),
            transfer: base()
                .timeout_recv_response(Some(idle))
                .timeout_per_read(Some(idle))
                .build()
                .into(),
            retry_pause: settings.retry_pause,
            unreachable: Mutex::new(BTreeMap::new()),
        }
    }

    /// The headers of a HEAD request. Redirects within the host are followed (a renamed repository), unless they tell what was asked for; one
    /// to another host is the answer.
    pub(crate) fn head(
        &self,
        request: Request<'_>,
        progress: &dyn Progress,
    ) -> Result<HeaderMap, HubError> {
        let mut url = request.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(&self.quick, Method::Head, &url, request, None, progress)?;
            let status = response.status().as_u16();
            let next = location(&response, &url);
            match (status, next) {
                (300..=399, Some(next))
                    if same_origin(&next, &url) && !tells_all(response.headers()) =>
                {
                    url = next;
                }
                (200, _) | (300..=399, Some(_)) => return Ok(response.into_parts().0.headers),
                _ => return Err(refusal(request, &url, &response)),
            }
        }
        Err(too_many_redirects(&url))
    }

    /// A small JSON answer.
    pub(crate) fn json(
        &self,
        request: Request<'_>,
        progress: &dyn Progress,
    ) -> Result<serde_json::Value, HubError> {
        let mut url = request.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(&self.quick, Method::Get, &url, request, None, progress)?;
            let status = response.status().as_u16();
            match (status, location(&response, &url)) {
                (200, _) => return read_json(&url, response),
                (300..=399, Some(next)) if same_origin(&next, &url) => url = next,
                _ => return Err(refusal(request, &url, &response)),
            }
        }
        Err(too_many_redirects(&url))
    }

    /// Transfers a file, continuing what is there already.
    pub(crate) fn download(
        &self,
        request: Request<'_>,
        target: &Target<'_>,
        progress: &dyn Progress,
    ) -> Result<(), HubError> {
        let _step = Step::begin(progress, target.name, target.total);
        progress.phase("downloading");
        progress.advance(part_length(target.part));
        let mut without_progress = 0;
        let mut cuts = 0;
        loop {
            let before = part_length(target.part);
            if Some(before) == target.total {
                return Ok(());
            }
            if target.total.is_some_and(|t| before > t) {
                truncate(target.part)?;
                continue;
            }
            let why = match self.transfer_once(request, target, before, progress)? {
                Outcome::Complete => return check_length(target),
                Outcome::Restart => {
                    truncate(target.part)?;
                    "the server refused to continue".to_owned()
                }
                Outcome::Cut(why) => why,
            };
            cuts += 1;
            let got = part_length(target.part);
            without_progress = if got > before {
                0
            } else {
                without_progress + 1
            };
            if without_progress >= ATTEMPTS {
                return Err(HubError::Broken {
                    url: without_query(request.url),
                    attempts: cuts,
                    got,
                    why,
                });
            }
            pause(self.retry_pause * 2_u32.pow(without_progress), progress)?;
        }
    }

    /// One GET, with its redirects, from byte `from` on.
    fn transfer_once(
        &self,
        request: Request<'_>,
        target: &Target<'_>,
        from: u64,
        progress: &dyn Progress,
    ) -> Result<Outcome, HubError> {
        let range = (from > 0).then_some(Range::From(from));
        let (response, url) = self.follow(request, range, progress)?;
        let status = response.status().as_u16();
        match status {
            206 if starts_at(&response, from) => copy(response, target, from, progress),
            // The server ignores ranges: everything comes again.
            200 => {
                truncate(target.part)?;
                copy(response, target, 0, progress)
            }
            206 | 416 if from > 0 => {
                let complete = status == 416 && unsatisfied_total(&response) == Some(from);
                Ok(if complete && target.total.is_none() {
                    Outcome::Complete
                } else {
                    Outcome::Restart
                })
            }
            _ => Err(refusal(request, &url, &response)),
        }
    }

    /// One GET with its redirects: the answer and the address it came from. The token stays with the first host.
    pub(super) fn follow(
        &self,
        request: Request<'_>,
        range: Option<Range>,
        progress: &dyn Progress,
    ) -> Result<(Response<Body>, String), HubError> {
        let mut url = request.url.to_owned();
        let mut sent = request;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(&self.transfer, Method::Get, &url, sent, range, progress)?;
            let status = response.status().as_u16();
            let (300..=399, Some(next)) = (status, location(&response, &url)) else {
                return Ok((response, url));
            };
            if !allowed(&next) {
                return Err(HubError::Protocol {
                    url: without_query(&url),
                    problem: "a redirect to an address that is not encrypted".to_owned(),
                });
            }
            if !same_origin(&next, &url) {
                sent.token = None;
            }
            url = next;
        }
        Err(too_many_redirects(&url))
    }

    /// Sends a request until the server gives an answer that is not "later".
    fn send(
        &self,
        agent: &Agent,
        method: Method,
        url: &str,
        request: Request<'_>,
        range: Option<Range>,
        progress: &dyn Progress,
    ) -> Result<Response<Body>, HubError> {
        let host = host_of(url);
        self.known_unreachable(&host)?;
        let mut attempt = 0;
        loop {
            if progress.cancelled() {
                return Err(HubError::Interrupted);
            }
            let last = attempt + 1 >= ATTEMPTS;
            let wait = self.retry_pause * 2_u32.pow(attempt);
            match once(agent, method, url, request.token, range) {
                Ok(response) if !is_later(&response) => return Ok(response),
                Ok(response) => {
                    let asked = header(response.headers(), "retry-after").and_then(retry_after);
                    if last || asked.is_some_and(|s| s > LONGEST_PAUSE_S) {
                        return Err(refusal(request, url, &response));
                    }
                    pause(asked.map_or(wait, Duration::from_secs), progress)?;
                }
                // A server that closes at once may be restarting; a name or port that is not there stays so.
                Err(ureq::Error::Io(e)) if is_cut(&e) && !last => pause(wait, progress)?,
                Err(e) => return Err(self.remember_unreachable(host, &e)),
            }
            attempt += 1;
        }
    }

    fn known_unreachable(&self, host: &str) -> Result<(), HubError> {
        let known = self
            .unreachable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match known.get(host) {
            None => Ok(()),
            Some(why) => Err(HubError::Unreachable {
                host: host.to_owned(),
                why: why.clone(),
            }),
        }
    }

    fn remember_unreachable(&self, host: String, error: &ureq::Error) -> HubError {
        let why = printable(&error.to_string());
        self.unreachable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(host.clone(), why.clone());
        HubError::Unreachable { host, why }
    }
}

fn once(
    agent: &Agent,
    method: Method,
    url: &str,
    token: Option<&Secret>,
    range: Option<Range>,
) -> Result<Response<Body>, ureq::Error> {
    let mut builder = match method {
        Method::Head => agent.head(url),
        Method::Get => agent.get(url),
    };
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {}", token.reveal()));
    }
    match range {
        Some(Range::From(from)) => builder = builder.header("range", format!("bytes={from}-")),
        Some(Range::First(count)) => {
            builder = builder.header("range", format!("bytes=0-{}", count.saturating_sub(1)));
        }
        None => {}
    }
    builder.call()
}

/// Whether the server means "later" and not "no".
fn is_later(response: &Response<Body>) -> bool {
    matches!(
        response.status().as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504
    )
}

/// Seconds from `Retry-After`, given as seconds or as a date.
fn retry_after(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text.trim())
        .ok()?;
    let seconds = date.duration_since(crate::clock::wall()).as_secs();
    Some(u64::try_from(seconds).unwrap_or(0))
}

fn is_cut(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        error.kind(),
        K::UnexpectedEof | K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe
    )
}

/// Sleeps in short pieces, so that the user can stop it.
fn pause(length: Duration, progress: &dyn Progress) -> Result<(), HubError> {
    const PIECE: Duration = Duration::from_millis(50);
    let mut left = length;
    while !left.is_zero() {
        if progress.cancelled() {
            return Err(HubError::Interrupted);
        }
        let piece = left.min(PIECE);
        std::thread::sleep(piece);
        left -= piece;
    }
    Ok(())
}

/// Writes a body to the part file, which has `from` bytes.
fn copy(
    response: Response<Body>,
    target: &Target<'_>,
    from: u64,
    progress: &dyn Progress,
) -> Result<Outcome, HubError> {
    let path = target.part;
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(HubError::io("open", path))?;
    let declared = content_length(response.headers()).map(|n| from.saturating_add(n));
    if let (Some(total), Some(declared)) = (target.total, declared)
        && total != declared
    {
        return Err(HubError::Length {
            what: target.name.to_owned(),
            expected: total,
            got: declared,
        });
    }
    let Some(end) = target.total.or(declared) else {
        return Err(HubError::Protocol {
            url: target.name.to_owned(),
            problem: "no `content-length`, without which its end cannot be told from a cut"
                .to_owned(),
        });
    };
    let mut body = response
        .into_body()
        .into_with_config()
        .limit(u64::MAX)
        .reader();
    let mut buffer = vec![0; 1 << 18];
    let mut length = from;
    loop {
        if progress.cancelled() {
            return Err(HubError::Interrupted);
        }
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => return Ok(Outcome::Cut(printable(&e.to_string()))),
        };
        length += n as u64;
        if length > end {
            return Err(HubError::Length {
                what: target.name.to_owned(),
                expected: end,
                got: length,
            });
        }
        file.write_all(&buffer[..n])
            .map_err(HubError::io("write", path))?;
        progress.advance(n as u64);
    }
    if length < end {
        return Ok(Outcome::Cut(format!("it ended at byte {length} of {end}")));
    }
    Ok(Outcome::Complete)
}

fn check_length(target: &Target<'_>) -> Result<(), HubError> {
    let got = part_length(target.part);
    match target.total {
        Some(expected) if expected != got => Err(HubError::Length {
            what: target.name.to_owned(),
            expected,
            got,
        }),
        _ => Ok(()),
    }
}

fn part_length(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |m| m.len())
}

fn truncate(part: &Path) -> Result<(), HubError> {
    match File::options().write(true).open(part) {
        Ok(file) => file.set_len(0).map_err(HubError::io("truncate", part)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(HubError::io("open", part)(e)),
    }
}

fn read_json(url: &str, response: Response<Body>) -> Result<serde_json::Value, HubError> {
    let problem = |problem: String| HubError::Protocol {
        url: without_query(url),
        problem: printable(&problem),
    };
    let mut text = Vec::new();
    response
        .into_body()
        .into_with_config()
        .limit(MOST_JSON_BYTES)
        .reader()
        .read_to_end(&mut text)
        .map_err(|e| problem(format!("a body that cannot be read: {e}")))?;
    serde_json::from_slice(&text).map_err(|e| problem(format!("a body that is not JSON: {e}")))
}

/// Turns a status into what it means. Hubs name the cause of a 404 in `x-error-code`.
pub(super) fn refusal(request: Request<'_>, url: &str, response: &Response<Body>) -> HubError {
    let status = response.status().as_u16();
    let url = without_query(url);
    let named = request.repo.map_or_else(|| url.clone(), ToOwned::to_owned);
    match (status, header(response.headers(), "x-error-code")) {
        (401 | 403, _) => HubError::Denied {
            repo: named,
            status,
            token_set: request.token.is_some(),
        },
        (404, Some("RevisionNotFound")) => HubError::Missing {
            repo: named,
            what: "revision",
            name: between(&url, &["/resolve/", "/revision/"]),
        },
        (404, Some("EntryNotFound")) => HubError::Missing {
            repo: named,
            what: "file",
            name: url.rsplit('/').next().unwrap_or_default().to_owned(),
        },
        (404, _) => HubError::NoSuchUrl { url: named },
        (429, _) => HubError::RateLimited {
            host: host_of(&url),
            wait_s: header(response.headers(), "retry-after").and_then(retry_after),
        },
        _ => HubError::Status { url, status },
    }
}

fn too_many_redirects(url: &str) -> HubError {
    HubError::Protocol {
        url: without_query(url),
        problem: format!("more than {MOST_REDIRECTS} redirects"),
    }
}

/// The part of a URL after one of the marks, up to the next slash.
fn between(url: &str, marks: &[&str]) -> String {
    marks
        .iter()
        .find_map(|m| url.split_once(m))
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest))
        .to_owned()
}

pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    header(headers, "content-length")?.trim().parse().ok()
}

/// Whether an answer says everything about a file, so that where its bytes are does not matter: hubs that store files on their own host
/// redirect there.
fn tells_all(headers: &HeaderMap) -> bool {
    ["x-repo-commit", "x-linked-etag", "x-linked-size"]
        .iter()
        .all(|name| headers.contains_key(*name))
}

pub(super) fn starts_at(response: &Response<Body>, from: u64) -> bool {
    header(response.headers(), "content-range")
        .and_then(|r| r.trim().strip_prefix("bytes "))
        .and_then(|r| r.split('-').next())
        .is_some_and(|start| start.parse() == Ok(from))
}

/// The size in the answer 416, `bytes */N`.
fn unsatisfied_total(response: &Response<Body>) -> Option<u64> {
    header(response.headers(), "content-range")?
        .rsplit('/')
        .next()?
        .parse()
        .ok()
}

/// The absolute address a redirect leads to.
fn location(response: &Response<Body>, url: &str) -> Option<String> {
    let to = header(response.headers(), "location")?;
    if to.starts_with("https://") || to.starts_with("http://") {
        Some(to.to_owned())
    } else if to.starts_with('/') && !to.starts_with("//") {
        Some(format!("{}{to}", origin_of(url)))
    } else {
        None
    }
}

/// Whether an address is encrypted or on this machine, and names no user.
fn allowed(url: &str) -> bool {
    matches!(Source::parse(url), Ok(Source::Https(_)))
}

/// `scheme://host:port`.
fn origin_of(url: &str) -> &str {
    let after = url.find("://").map_or(0, |i| i + 3);
    let end = url[after..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |i| after + i);
    &url[..end]
}

fn same_origin(a: &str, b: &str) -> bool {
    origin_of(a).eq_ignore_ascii_case(origin_of(b))
}

fn host_of(url: &str) -> String {
    let origin = origin_of(url);
    origin
        .split_once("://")
        .map_or(origin, |(_, host)| host)
        .to_owned()
}

/// A URL for messages: signatures and other secrets are in the query.
pub(crate) fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or(url).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = "https://h.org:8443/a/resolve/main/m.gguf?sig=x#y";
        assert_eq!(origin_of(url), "https://h.org:8443");
        assert_eq!(host_of(url), "h.org:8443");
        assert_eq!(
            without_query(url),
            "https://h.org:8443/a/resolve/main/m.gguf"
        );
        assert_eq!(between(url, &["/resolve/"]), "main");
        assert!(same_origin(url, "HTTPS://H.ORG:8443/b"));
        assert!(!same_origin(url, "https://h.org/b"));
        assert!(!same_origin(url, "https://h.org:8443.evil.org/b"));
        assert!(allowed("https://cdn.org/x?sig=1") && !allowed("http://cdn.org/x"));
    }

    #[test]
    fn the_wait_of_a_server_is_understood() {
        assert_eq!(retry_after(" 7 "), Some(7));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert_eq!(retry_after("soon"), None);
    }
}
