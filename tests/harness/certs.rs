//! Certificates for test servers: a CA of the moment and what it issued.

use std::path::{Path, PathBuf};

/// The files of one issued certificate, in PEM.
#[derive(Debug)]
pub struct Files {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Makes a CA and a server certificate for `names` in `dir`.
pub fn issue(dir: &Path, names: &[&str]) -> Files {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.distinguished_name.push(rcgen::DnType::CommonName, "a CA of the moment");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let cert = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let put = |name: &str, pem: &str| {
        let path = dir.join(name);
        std::fs::write(&path, pem).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    Files {
        ca: put("ca.pem", &ca_pem),
        cert: put("cert.pem", &cert.pem()),
        key: put("key.pem", &key.serialize_pem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_what_they_are_called() {
        let dir = tempfile::tempdir().unwrap();
        let Files { ca, cert, key } = issue(dir.path(), &["localhost"]);
        for (path, word) in [(ca, "CERTIFICATE"), (cert, "CERTIFICATE"), (key, "PRIVATE KEY")] {
            assert!(std::fs::read_to_string(path).unwrap().contains(word));
        }
    }
}
