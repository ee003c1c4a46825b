//! Redis over TLS, as `rediss://` reaches it.

#![cfg(feature = "tls")]

use std::path::Path;
use std::process::Stdio;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::process::Command;
use unstale_servers::{Program, Redis, TlsFiles, needs};

/// An authority of this name, and what a server needs that it signed.
fn certify(folder: &Path, name: &str) -> TlsFiles {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let server = server.signed_by(&key, &authority).expect("signed");
    let write = |file: &str, text: String| {
        let path = folder.join(format!("{name}-{file}"));
        std::fs::write(&path, text).expect("written");
        path
    };
    TlsFiles {
        certificate: write("server.pem", server.pem()),
        key: write("server.key", key.serialize_pem()),
        authority: write("authority.pem", authority.pem()),
        clients: "no",
    }
}

/// The exit code, what is printed, and what is complained of, where the system trusts this authority.
async fn examine(url: &str, trusted: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.args(["doctor", url]).env("SSL_CERT_FILE", trusted).stdin(Stdio::null());
    let output = command.output().await.expect("the command is built");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_server_over_tls_is_examined_where_its_authority_is_trusted() {
    needs!(Program::RedisServer);
    let folder = tempfile::tempdir().expect("a folder");
    let (files, other) = (certify(folder.path(), "ours"), certify(folder.path(), "other"));
    let trusted = files.authority.clone();
    let redis = Redis::options().tls(files).start().await.expect("it starts");
    let url = format!("rediss://{}", redis.address());
    let (code, found, error) = examine(&url, &trusted).await;
    assert_eq!(code, Some(0), "{found}{error}");
    assert!(found.contains("ok    reachable") && found.contains("round-trip"), "{found}");
    let (code, found, error) = examine(&url, &other.authority).await;
    assert_eq!(code, Some(69), "{found}{error}");
}
