//! Misuses of tokens and of the keys' source, each with its lock and without.

mod endpoint;
mod misuse;
mod rotation;
