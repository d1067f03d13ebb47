//! Reasons to turn a caller away.

/// Reason for which a caller is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token was sent.
    #[error("a bearer token is required")]
    Missing,
    /// The token is not valid. Another one may be.
    #[error("{0}")]
    Token(#[from] Fault),
    /// The issuer's keys cannot be read, or only keys that are too old: the token can be judged neither way.
    #[error("the issuer's keys are not available")]
    KeysAway,
}

/// Fault of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a JWS in compact form with the claims of an access token.
    #[error("the token is not a signed JWT with iss, aud, exp and sub")]
    Malformed,
    /// More bytes than any honest token has.
    #[error("the token is too large")]
    TooLarge,
    /// More than one Authorization header, or one of another scheme.
    #[error("the header Authorization is not `Bearer` and one token")]
    Header,
    /// Extensions that have to be understood and are not (RFC 7515, `crit`).
    #[error("the token has critical extensions that are not understood")]
    Critical,
    /// The issuer's key set has no key with this `kid`.
    #[error("the token names no key of the issuer")]
    UnknownKey,
    /// The key is of another algorithm.
    #[error("the token's algorithm is not its key's")]
    Algorithm,
    /// The key has not signed it.
    #[error("the token's signature is wrong")]
    Signature,
    /// `iss` is another.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` does not contain the expected one.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `sub` has not the form that the API requires.
    #[error("the token's subject is not a user id in decimal")]
    Subject,
}
