//! The start of a program's links.

use transport::{Settings, Transport};

/// Opens the transport that the settings ask for. Says so if it is none that may be used in earnest.
///
/// # Errors
/// Settings or files that allow too little; the text says what to change.
pub fn open(settings: &Settings) -> anyhow::Result<Transport> {
    let transport = settings.open()?;
    if !transport.is_required() {
        tracing::warn!("SECURITY is off: connections may be neither encrypted nor authenticated; for trying out only");
    }
    Ok(transport)
}
