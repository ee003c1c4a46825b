//! An authority, and certificates that it signed.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use unstale_servers::TlsFiles;

/// An authority and what it signed, in a folder.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // OpenSSL takes a certificate that has its issuer's name for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        write(folder.path(), "authority.pem", &authority.pem());
        for (name, host) in [("server", "127.0.0.1"), ("client", "client"), ("elsewhere", "elsewhere")] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &authority).expect("signed");
            write(folder.path(), &format!("{name}.pem"), &certificate.pem());
            write(folder.path(), &format!("{name}.key"), &key.serialize_pem());
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn server(&self, name: &str, clients: &'static str) -> TlsFiles {
        TlsFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            authority: self.path("authority.pem"),
            clients,
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("written");
}
