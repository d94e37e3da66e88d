//! STARTTLS and XOAUTH2 for a server that has neither: a relay that does these two itself, adds `AUTH XOAUTH2` to what the
//! server offers, and hands on every octet after that, both ways, as it is.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Taking connections until dropped.
pub(crate) struct SignIn {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl SignIn {
    /// In front of `server`, with the certificate and key in `pem`, for whoever has the token.
    pub(crate) async fn start(server: SocketAddr, pem: &Path, token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (acceptor, token) = (acceptor(pem), token.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, token) = (acceptor.clone(), token.clone());
                // A client that goes away ends it with an error that nobody needs.
                tokio::spawn(async move { drop(relay(client, server, acceptor, &token).await) });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for SignIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    acceptor: TlsAcceptor,
    token: &str,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    server.get_ref().set_nodelay(true)?;
    client
        .write_all(reply(&mut server).await?.as_bytes())
        .await?;
    let mut plain = BufReader::new(client);
    line(&mut plain).await?; // EHLO
    plain
        .write_all(b"250-mail.example.test\r\n250 STARTTLS\r\n")
        .await?;
    line(&mut plain).await?; // STARTTLS
    plain.write_all(b"220 2.0.0 go ahead\r\n").await?;
    let mut client = BufReader::new(acceptor.accept(plain.into_inner()).await?);
    let ehlo = line(&mut client).await?;
    server.write_all(ehlo.as_bytes()).await?;
    let offers = reply(&mut server).await?;
    // The name of the server comes first.
    let offers = offers.replacen("\r\n", "\r\n250-AUTH XOAUTH2\r\n", 1);
    client.write_all(offers.as_bytes()).await?;
    client.flush().await?;
    let auth = line(&mut client).await?;
    let sent = auth.trim_end().rsplit(' ').next().unwrap_or_default();
    let said = BASE64_STANDARD.decode(sent).unwrap_or_default();
    let is_known = String::from_utf8_lossy(&said).contains(&format!("auth=Bearer {token}\x01"));
    let answer = match is_known {
        true => "235 2.7.0 welcome\r\n",
        false => "535 5.7.8 no such token\r\n",
    };
    client.write_all(answer.as_bytes()).await?;
    client.flush().await?;
    if is_known {
        tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

async fn reply(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut reply = String::new();
    loop {
        let next = line(stream).await?;
        reply.push_str(&next);
        if next.as_bytes().get(3) != Some(&b'-') {
            return Ok(reply);
        }
    }
}

fn acceptor(pem: &Path) -> TlsAcceptor {
    let pem = fs::read(pem).unwrap();
    let certificates = CertificateDer::pem_slice_iter(&pem);
    let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(settings))
}
