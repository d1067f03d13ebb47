//! The token in a request's headers.

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{Fault, Refusal};

/// The token of `Authorization: Bearer …`.
///
/// # Errors
/// If there is no such header, more than one, or one of another scheme.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Fault::Header.into());
    }
    Ok(of_value(HeaderValue::as_bytes(value))?)
}

/// The token of a header's value, `Bearer …`.
pub(crate) fn of_value(value: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(value).map_err(|_| Fault::Header)?;
    let (scheme, token) = text.split_once(' ').ok_or(Fault::Header)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(token) } else { Err(Fault::Header) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_is_the_one_after_bearer() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(bearer(&headers(&[value])), Ok("a.b.c"), "{value}");
        }
        assert_eq!(bearer(&headers(&[])), Err(Refusal::Missing));
        for values in [&["Basic YTpi"][..], &["Bearer"], &["Bearer "], &["a.b.c"], &["Bearer a", "Bearer a"]] {
            assert_eq!(bearer(&headers(values)), Err(Fault::Header.into()), "{values:?}");
        }
    }
}
