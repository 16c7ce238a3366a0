//! TLS by rustls, as the client asks for it. Certificates are always verified.

use std::{
    fmt,
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

use super::config::unusable;
use crate::StoreError;

/// What connections are encrypted with.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Trusts the certificates in `roots` alone, or, without it, those of the system.
    pub(super) fn new(roots: Option<&Path>) -> Result<Self, StoreError> {
        let mut trusted = RootCertStore::empty();
        match roots {
            Some(path) => {
                let failed =
                    |what: String| unusable(format!("sslrootcert {}: {what}", path.display()));
                let certificates = CertificateDer::pem_file_iter(path)
                    .map_err(|error| failed(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                    trusted.add(certificate).map_err(|error| failed(error.to_string()))?;
                }
                if trusted.is_empty() {
                    return Err(failed("there is no certificate in it".to_owned()));
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                trusted.add_parsable_certificates(found.certs);
                if trusted.is_empty() {
                    return Err(unusable(
                        "this machine has no root certificates to verify its own with: install \
                         them (ca-certificates), or name a file with sslrootcert",
                    ));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::Backend(error.into()))?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

/// Encrypts one connection to a server of this name.
pub(super) struct Connect(TlsConnector, ServerName<'static>);

/// An encrypted connection.
pub(super) struct Encrypted<S>(client::TlsStream<S>);

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Connect;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Connect, Self::Error> {
        Ok(Connect(self.0.clone(), ServerName::try_from(domain.to_owned())?))
    }
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connected = self.0.connect(self.1, stream).await;
            connected.map(Encrypted).map_err(plainly)
        })
    }
}

/// Says in a sentence what is wrong with the server's certificate, in place of rustls' own terms.
fn plainly(error: io::Error) -> io::Error {
    use CertificateError as C;
    let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = found else { return error };
    let what = match wrong {
        C::Expired | C::ExpiredContext { .. } => "its certificate has run out",
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "its certificate is not valid yet: look at the clock of this machine"
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "its certificate is for another name than the URL has"
        }
        _ => {
            "its certificate is from nobody that this machine trusts: name the file of the \
             authority that made it, ?sslrootcert=ca.pem in the URL"
        }
    };
    io::Error::new(error.kind(), what)
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    // The certificate was verified; binding the password to it as well would need its parsing.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
