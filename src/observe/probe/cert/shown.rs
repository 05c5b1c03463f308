//! The certificate that a server shows, whatever is wrong with it.

use crate::observe::probe::Fault;
use crate::stack::kind::common::{Endpoint, Tls};
use crate::transport::stream::Stream;
use crate::transport::tls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsConnector;

/// Certificates of a chain that are kept; real chains have two to four.
pub const MAX_CHAIN: usize = 16;

/// Shakes hands and gives the chain that was shown, the server's own certificate first.
///
/// Nothing is sent over the connection afterwards, so that it need not be trusted; that the
/// server holds the certificate's key is checked all the same.
pub async fn chain_of(
    stream: Stream,
    to: &Endpoint,
    tls: &Tls,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let name = tls::server_name(to, tls)?;
    let recorder = Arc::new(Recorder { provider: tls::provider(), chain: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::Unknown(format!("cannot prepare TLS: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let chain = std::mem::take(&mut *recorder.chain.lock().unwrap_or_else(PoisonError::into_inner));
    match shaken {
        Err(e) if chain.is_empty() || is_forged(&e) => Err(Fault::Down(tls::describe_io(&e, None))),
        // It has shown its certificate; that it wants one of ours, too, is not our question.
        _ => Ok(chain),
    }
}

fn is_forged(e: &std::io::Error) -> bool {
    let tls = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}

#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(own).chain(others).take(MAX_CHAIN);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) =
            all.map(|c| c.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
