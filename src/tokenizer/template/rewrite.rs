//! Constructs that minijinja cannot read or reads otherwise, replaced by what means the same.
//!
//! In: the source of a template. Out: a source whose lines are those of the first, so that errors name the right one. Text outside tags, comments and
//! raw blocks stay as they are.

use regex::{Captures, Regex};

/// Rewrites a whole source.
pub(super) fn rewrite(source: &str) -> String {
    let rules = Rules::new();
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(found) = rules.begin.captures(rest) {
        let (at, open) = found.get(0).map_or((0, ""), |m| (m.start(), m.as_str()));
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match open {
            "{#" => rest.find("#}").map_or(rest.len(), |end| end + 2),
            "{{" | "{%" => rules.length(rest, if open == "{{" { "}}" } else { "%}" }),
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

struct Rules {
    begin: Regex,
    end_raw: Regex,
    text: Regex,
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
            text: regex(r#"(?s)^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"#),
            generation: regex(r"^\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}$"),
            operand: regex(
                r#"(?s)^\s*%\s*(?:\(((?:[^()]|\([^()]*\))*)\)|([A-Za-z_]\w*(?:\.\w+|\[[^\[\]]*\])*|\d+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))"#,
            ),
            turned: regex(r"\b([A-Za-z_]\w*(?:\.\w+)*)\[::-1\]"),
            method: regex(
                r"\b([A-Za-z_]\w*(?:\.\w+)*)\.(encode|split|strip|startswith|endswith|upper|lower|replace|items|keys|values|get)\s+is\s+(not\s+)?defined\b",
            ),
        }
    }

    /// Bytes of the tag that `rest` begins with; its end inside a text does not count.
    fn length(&self, rest: &str, close: &str) -> usize {
        let mut at = 2;
        while at < rest.len() {
            if rest[at..].starts_with(close) {
                return at + 2;
            }
            let text = self.text.find(&rest[at..]).map(|text| text.end());
            at += text.unwrap_or_else(|| rest[at..].chars().next().map_or(1, char::len_utf8));
        }
        rest.len()
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
        let mut code = String::new();
        let mut at = 0;
        while at < tag.len() {
            let rest = &tag[at..];
            let Some(text) = self.text.find(rest) else {
                let c = rest.chars().next().unwrap_or_default();
                code.push(c);
                at += c.len_utf8();
                continue;
            };
            out.push_str(&self.methods(&code));
            code.clear();
            out.push_str(text.as_str());
            at += text.end();
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

    /// Texts and mappings have methods in Python, and a template may ask whether they are there.
    fn methods(&self, code: &str) -> String {
        let replace = |found: &Captures<'_>| {
            let kind = match &found[2] {
                "items" | "keys" | "values" | "get" => "mapping",
                _ => "string",
            };
            let (value, name) = (&found[1], &found[2]);
            let not = if found.get(3).is_some() { "not " } else { "" };
            format!("({not}({value} is {kind} or {value}.{name} is defined))")
        };
        let code = self.method.replace_all(code, replace);
        // minijinja fails to turn an empty text round.
        self.turned
            .replace_all(&code, "$1[::(-1 if $1 else 1)]")
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
                "{% if ((a.b is string or a.b.split is defined)) %}",
            ),
            (
                "{% if m.items is not defined %}",
                "{% if (not (m is mapping or m.items is defined)) %}",
            ),
            ("{{ m.x[::-1] }}", "{{ m.x[::(-1 if m.x else 1)] }}"),
            ("{{ '}}' % n }}", "{{ '}}'|format(n) }}"),
            ("{{ 'open", "{{ 'open"),
            ("{{ é }}", "{{ é }}"),
        ] {
            assert_eq!(rewrite(source), expected);
        }
    }
}
