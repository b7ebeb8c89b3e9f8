//! PURE: records of CSV (RFC 4180), with the ends of lines of this host.

/// A record.
pub(super) fn record(fields: impl IntoIterator<Item = String>) -> String {
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    format!("{}\n", fields.join(","))
}

fn field(text: String) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let fields = ["web", "a, b", "said \"no\"", "two\nlines", ""];
        assert_eq!(
            record(fields.map(str::to_owned)),
            "web,\"a, b\",\"said \"\"no\"\"\",\"two\nlines\",\n"
        );
    }
}
