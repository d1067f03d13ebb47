//! Passwords in the text of an error.

/// The text with what stands before the `@` of every address left out.
pub(crate) fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || c == '\'').unwrap_or(part.len());
        let shown = part[..end].rfind('@').map_or(part, |at| &part[at..]);
        clean.push_str("://");
        clean.push_str(if shown.len() < part.len() { "…" } else { "" });
        clean.push_str(shown);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_and_its_password_is_not() {
        let text = "unexpected argument 'orders=postgres://o:se@cret@h/orders' found, see https://h/docs for a@b";
        assert_eq!(
            without_passwords(text),
            "unexpected argument 'orders=postgres://…@h/orders' found, see https://h/docs for a@b"
        );
        assert_eq!(without_passwords("no address"), "no address");
    }
}
