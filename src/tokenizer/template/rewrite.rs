//! Constructs that minijinja cannot read or reads otherwise, replaced by what means the same.
//!
//! In: the source of a template. Out: a source whose lines are those of the first, so that errors name the right one. Text outside tags, comments and
//! raw blocks stay as they are.

use regex::{Captures, Regex};

/// The test that tells whether a value has a method in Python.
pub(super) const HAS_METHOD: &str = "evalh_has_method";
/// The method that turns a text or a list round.
pub(super) const TURNED: &str = "evalh_turned";

/// Rewrites a whole source.
pub(super) fn rewrite(source: &str) -> String {
    let rules = Rules::new();
    let mut texts = Texts::default();
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(found) = rules.begin.captures(rest) {
        let (at, open) = found.get(0).map_or((0, ""), |m| (m.start(), m.as_str()));
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match open {
            "{#" => rest.find("#}").map_or(rest.len(), |end| end + 2),
            "{{" | "{%" => texts.length(rest, if open == "{{" { "}}" } else { "%}" }),
            _ => rules.end_raw.find(rest).map_or(rest.len(), |end| end.end()),
        };
        let (part, after) = rest.split_at(length);
        match open {
            "{{" | "{%" => out.push_str(&rules.tag(part)),
            _ => out.push_str(part),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Finds the ends of texts in quotes. A quote that nothing ends is no text, and neither is any such quote behind it: they would be
/// ended by the same one. Remembering that keeps the search linear.
#[derive(Default)]
struct Texts {
    /// Quotes that nothing ends any more.
    unended: Vec<char>,
}

impl Texts {
    /// Bytes of the text that `rest` begins with. Each call's `rest` must be behind that of the call before, up to the same end.
    fn text(&mut self, rest: &str) -> Option<usize> {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        if self.unended.contains(&quote) {
            return None;
        }
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => return Some(at + 1),
                _ => {}
            }
        }
        self.unended.push(quote);
        None
    }

    /// Bytes of the tag that `rest` begins with; its end inside a text does not count.
    fn length(&mut self, rest: &str, close: &str) -> usize {
        let mut at = 2;
        while at < rest.len() {
            if rest[at..].starts_with(close) {
                return at + 2;
            }
            let text = self.text(&rest[at..]);
            at += text.unwrap_or_else(|| rest[at..].chars().next().map_or(1, char::len_utf8));
        }
        rest.len()
    }
}

struct Rules {
    begin: Regex,
    end_raw: Regex,
    generation: Regex,
    operand: Regex,
    method: Regex,
    turned: Regex,
}

impl Rules {
    fn new() -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a constant");
        Self {
            begin: regex(r"\{%[-+]?\s*raw\s*[-+]?%\}|\{\{|\{%|\{#"),
            end_raw: regex(r"\{%[-+]?\s*endraw\s*[-+]?%\}"),
            generation: regex(r"^\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}$"),
            operand: regex(
                r#"(?s)^\s*%\s*(?:\(((?:[^()]|\([^()]*\))*)\)|([A-Za-z_]\w*(?:\.\w+|\[[^\[\]]*\])*|\d+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))"#,
            ),
            turned: regex(r"\[\s*:\s*:\s*-\s*1\s*\]"),
            method: regex(
                r"\.(\s*)(encode|split|strip|startswith|endswith|upper|lower|replace|items|keys|values|get)(\s+is\s+(?:not\s+)?)defined\b",
            ),
        }
    }

    fn tag(&self, tag: &str) -> String {
        // Both open a scope. The blocks mark the answers for training.
        if let Some(found) = self.generation.captures(tag) {
            let word = if found.get(2).is_some() {
                "endwith"
            } else {
                "with"
            };
            return format!("{{%{} {word} {}%}}", &found[1], &found[3]);
        }
        let mut out = String::with_capacity(tag.len());
        let mut texts = Texts::default();
        let mut code = String::new();
        let mut at = 0;
        while at < tag.len() {
            let rest = &tag[at..];
            let Some(length) = texts.text(rest) else {
                let c = rest.chars().next().unwrap_or_default();
                code.push(c);
                at += c.len_utf8();
                continue;
            };
            out.push_str(&self.methods(&code));
            code.clear();
            out.push_str(&rest[..length]);
            at += length;
            // `'%d' % n` formats in Python; minijinja's operator is for numbers.
            if let Some(operand) = self.operand.captures(&tag[at..]) {
                let values = operand.get(1).or(operand.get(2)).map_or("", |m| m.as_str());
                out.push_str(&format!("|format({values})"));
                at += operand[0].len();
            }
        }
        out.push_str(&self.methods(&code));
        out
    }

    /// Texts and mappings have methods in Python, and a template may ask whether they are there. Both rules leave the expression in front
    /// as it stands, because where it begins is the parser's to say, and put in something of the same kind: a test for a test, a
    /// call for an index.
    fn methods(&self, code: &str) -> String {
        let code = self
            .method
            .replace_all(code, format!("${{1}}${{3}}{HAS_METHOD}('$2')"));
        // minijinja fails to turn an empty text round. Lines stay.
        self.turned
            .replace_all(&code, |found: &Captures<'_>| {
                let breaks = found[0].matches('\n').count();
                format!(".{TURNED}({})", "\n".repeat(breaks))
            })
            .into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_rewritten_and_nothing_else() {
        for (source, expected) in [
            (
                "{%- generation -%}x{% endgeneration %}",
                "{%- with -%}x{% endwith %}",
            ),
            ("{{ '%d' % n }}", "{{ '%d'|format(n) }}"),
            (
                "{{ \"%s-%s\" % (a, f(b)) ~ '%%' }}",
                "{{ \"%s-%s\"|format(a, f(b)) ~ '%%' }}",
            ),
            (
                "{% set x = 'a' %}{{ 5 % 2 }}",
                "{% set x = 'a' %}{{ 5 % 2 }}",
            ),
            ("{{ \"say 'x' % y\" }}", "{{ \"say 'x' % y\" }}"),
            ("'%d' % n {# '%d' % n #}", "'%d' % n {# '%d' % n #}"),
            (
                "{% raw %}{{ '%d' % n }}{% generation %}{% endraw %}{{ '%d' % 1 }}",
                "{% raw %}{{ '%d' % n }}{% generation %}{% endraw %}{{ '%d'|format(1) }}",
            ),
            (
                "{% if a.b.split is defined %}",
                "{% if a.b is evalh_has_method('split') %}",
            ),
            (
                "{% if m.items is not defined %}",
                "{% if m is not evalh_has_method('items') %}",
            ),
            ("{{ m.x[::-1] }}", "{{ m.x.evalh_turned() }}"),
            (
                "{{ m[0]['x'].y[: :\n-1].z }}",
                "{{ m[0]['x'].y.evalh_turned(\n).z }}",
            ),
            (
                "{% if m[0]['x'].strip\nis not\ndefined %}",
                "{% if m[0]['x']\nis not\nevalh_has_method('strip') %}",
            ),
            (
                "{{ 'a' 'b }}{{ \"c\" % d }}",
                "{{ 'a' 'b }}{{ \"c\"|format(d) }}",
            ),
            ("{{ '}}' % n }}", "{{ '}}'|format(n) }}"),
            ("{{ 'open", "{{ 'open"),
            ("{{ é }}", "{{ é }}"),
        ] {
            assert_eq!(rewrite(source), expected);
        }
    }

    /// Hundreds of thousands of quotes, none of which is ended: following each to the end of the source would take minutes.
    #[test]
    fn quotes_that_nothing_ends_cost_no_more_than_others() {
        for (begin, part) in [("{{ '", "\\'"), ("{{ '", "\\' }}{{ ")] {
            let source = format!("{begin}{}", part.repeat((1 << 20) / part.len()));
            assert_eq!(rewrite(&source), source);
        }
    }
}
