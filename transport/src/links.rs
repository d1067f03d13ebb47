//! Clients and servers of HTTP, and addresses of other links.

use std::sync::Arc;

use reqwest::{ClientBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};

use crate::{Transport, identity::provider, settings::Refused, tls};

impl Transport {
    /// A client that shows the program's certificate and verifies servers against the trusted authorities: the only place where
    /// one is made, but for [`outside`](Self::outside).
    ///
    /// # Errors
    /// Never but for a fault of the TLS library.
    pub fn http(&self) -> Result<ClientBuilder, Refused> {
        match self.identity() {
            // Among programs of ours there is no proxy, whatever the environment says.
            Some(identity) => Ok(builder(tls::client(identity)?).https_only(self.is_required()).no_proxy()),
            None => self.outside(),
        }
    }

    /// A client for servers outside, whose certificates come from the public authorities. It shows no certificate.
    ///
    /// # Errors
    /// Never but for a fault of the TLS library.
    pub fn outside(&self) -> Result<ClientBuilder, Refused> {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Refused(format!("TLS 1.3 cannot be set up: {error}")))?
            .with_root_certificates(Arc::new(roots))
            .with_no_client_auth();
        Ok(builder(config).https_only(self.is_required()))
    }

    /// Checks the URL of a link over HTTP, the value of `setting`.
    ///
    /// # Errors
    /// A URL without TLS where it is required.
    pub fn check_url(&self, setting: &str, url: &str) -> Result<(), Refused> {
        if self.is_required() && !url.starts_with("https://") {
            return Err(Refused(format!("{setting} is not encrypted, and SECURITY=required: set it to https://…")));
        }
        Ok(())
    }
}

/// Redirections are not followed: nobody is sent elsewhere with the program's certificate.
fn builder(config: ClientConfig) -> ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    reqwest::Client::builder().tls_backend_preconfigured(config).redirect(Policy::none())
}
