//! The beginning of a file at a server: enough for its header, without the file.

use super::http::{
    Http, Range, Request, content_length, header, refusal, starts_at, without_query,
};
use super::{HubError, Progress};
use std::io::Read as _;
use ureq::Body;
use ureq::http::Response;

/// The first bytes of a file.
pub(super) struct Prefix {
    pub(super) bytes: Vec<u8>,
    /// Size of the whole file.
    pub(super) total: u64,
}

impl Http {
    /// The first `count` bytes of a file, or all of it when it is shorter. `None` when the server would send the whole of a longer file.
    pub(super) fn prefix(
        &self,
        request: Request<'_>,
        count: u64,
        progress: &dyn Progress,
    ) -> Result<Option<Prefix>, HubError> {
        let (response, url) = self.follow(request, Some(Range::First(count)), progress)?;
        let total = match response.status().as_u16() {
            206 if starts_at(&response, 0) => range_total(&response),
            200 => match content_length(response.headers()) {
                Some(total) if total <= count => Some(total),
                _ => return Ok(None),
            },
            _ => return Err(refusal(request, &url, &response)),
        };
        let problem = |problem: String| HubError::Protocol {
            url: without_query(&url),
            problem,
        };
        let Some(total) = total else {
            return Err(problem("no size in `content-range`".to_owned()));
        };
        let wanted = count.min(total);
        let mut bytes = Vec::new();
        response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader()
            .take(wanted)
            .read_to_end(&mut bytes)
            .map_err(|e| problem(super::error::printable(&format!("a cut body: {e}"))))?;
        progress.advance(bytes.len() as u64);
        let got = bytes.len() as u64;
        if got == wanted {
            return Ok(Some(Prefix { bytes, total }));
        }
        Err(problem(format!(
            "{got} bytes where {wanted} were asked for"
        )))
    }
}

/// The size of the whole file in `content-range: bytes 0-99/1234`.
fn range_total(response: &Response<Body>) -> Option<u64> {
    header(response.headers(), "content-range")?
        .rsplit('/')
        .next()?
        .trim()
        .parse()
        .ok()
}
