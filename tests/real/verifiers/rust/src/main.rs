//! Judges certificates as linkerd2-proxy does: rustls and webpki, TLS 1.3, both peers show a certificate.
//!
//! A JSON request a line on stdin, an answer a line on stdout: `{"refusal": ""}` if the certificate is accepted.
//! All PEM: `chain` has the leaf first. `at` is Unix time. A chain is judged as a server's and as a client's.

use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream};
use serde::Deserialize;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Request {
    Validate { chain: String, roots: String, name: String, at: u64 },
    Handshake { client: Peer, server: Peer, name: String, at: u64 },
}

#[derive(Deserialize)]
struct Peer {
    chain: String,
    key: String,
    roots: String,
}

#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

fn main() -> Outcome<()> {
    for line in io::stdin().lock().lines() {
        let verdict = match serde_json::from_str(&line?)? {
            Request::Validate { chain, roots, name, at } => validate(&chain, &roots, &name, moment(at)),
            Request::Handshake { client, server, name, at } => handshake(&client, &server, &name, moment(at)),
        };
        let refusal = verdict.err().map(|error| reason(&*error)).unwrap_or_default();
        println!("{}", serde_json::json!({ "refusal": refusal }));
    }
    Ok(())
}

fn validate(chain: &str, roots: &str, name: &str, now: UnixTime) -> Outcome<()> {
    let chain = certificates(chain)?;
    let (leaf, above) = chain.split_first().ok_or("no certificate")?;
    let server = WebPkiServerVerifier::builder_with_provider(anchors(roots)?, provider()).build()?;
    server.verify_server_cert(leaf, above, &server_name(name)?, &[], now)?;
    peers(roots)?.verify_client_cert(leaf, above, now)?;
    Ok(())
}

fn handshake(client: &Peer, server: &Peer, name: &str, now: UnixTime) -> Outcome<()> {
    let configuration = ServerConfig::builder_with_details(provider(), Arc::new(Fixed(now)))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(peers(&server.roots)?)
        .with_single_cert(certificates(&server.chain)?, private_key(&server.key)?)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = thread::spawn(move || serve(&listener, configuration));
    let calling = call(client, name, now, TcpStream::connect(address)?);
    let served = serving.join().map_err(|_| "the server broke")?;
    if calling.is_ok() || is_judgement(&served) { served } else { calling }
}

fn serve(listener: &TcpListener, configuration: ServerConfig) -> Outcome<()> {
    let mut connection = ServerConnection::new(Arc::new(configuration))?;
    let mut socket = listener.accept()?.0;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.read_exact(&mut [0; 4])?;
    stream.write_all(b"pong")?;
    Ok(())
}

fn call(client: &Peer, name: &str, now: UnixTime, mut socket: TcpStream) -> Outcome<()> {
    let configuration = ClientConfig::builder_with_details(provider(), Arc::new(Fixed(now)))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(anchors(&client.roots)?)
        .with_client_auth_cert(certificates(&client.chain)?, private_key(&client.key)?)?;
    let mut connection = ClientConnection::new(Arc::new(configuration), server_name(name)?)?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"ping")?;
    stream.read_exact(&mut [0; 4])?;
    Ok(())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn peers(roots: &str) -> Outcome<Arc<dyn ClientCertVerifier>> {
    Ok(WebPkiClientVerifier::builder_with_provider(anchors(roots)?, provider()).build()?)
}

fn anchors(pem: &str) -> Outcome<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate)?;
    }
    Ok(Arc::new(store))
}

fn certificates(pem: &str) -> Outcome<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?)
}

fn private_key(pem: &str) -> Outcome<PrivateKeyDer<'static>> {
    Ok(PrivateKeyDer::from_pem_slice(pem.as_bytes())?)
}

fn server_name(name: &str) -> Outcome<ServerName<'static>> {
    Ok(ServerName::try_from(name.to_owned())?)
}

fn moment(at: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(at))
}

/// Whether this side refused the other: whoever is refused only hears an alert or finds itself alone.
fn is_judgement(outcome: &Outcome<()>) -> bool {
    let error = outcome.as_ref().err().and_then(|e| tls_error(&**e));
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn reason(error: &(dyn Error + Send + Sync + 'static)) -> String {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => format!("{why:?}"),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

fn tls_error<'a>(error: &'a (dyn Error + Send + Sync + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| inner.and_then(|e| e.downcast_ref()))
}
