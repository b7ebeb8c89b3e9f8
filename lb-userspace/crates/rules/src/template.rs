//! PURE: texts with placeholders `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Text as it is.
    Text(&'a str),
    /// What is between `#{` and `}`.
    Placeholder(&'a str),
}

/// Cuts a template. A `#{` without `}` is a placeholder that goes to the end.
pub(crate) fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find("#{") {
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let (name, after) = inner.split_once('}').unwrap_or((inner, ""));
        parts.push(Part::Placeholder(name));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{Part::*, *};

    #[test]
    fn a_template_is_cut_at_its_placeholders() {
        let cases: &[(&str, &[Part<'_>])] = &[
            ("", &[]),
            ("/a", &[Text("/a")]),
            ("/#{path}", &[Text("/"), Placeholder("path")]),
            ("#{host}#{port}x", &[Placeholder("host"), Placeholder("port"), Text("x")]),
            ("a#b", &[Text("a#b")]),
            ("#{host", &[Placeholder("host")]),
        ];
        for (template, expected) in cases {
            assert_eq!(parts(template), *expected, "{template}");
        }
    }
}
