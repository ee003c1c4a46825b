//! What only one process at a time can hold (P-30 c).

use bytes::Bytes;
use unstale_core::HostProof;

/// The listening address under this boot and network namespace; nothing where the system does not tell all three.
pub(super) fn host_proof(listening: Option<&str>) -> Option<HostProof> {
    let address = Bytes::copy_from_slice(listening?.as_bytes());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/net").ok()?;
    let boot = Bytes::from(boot.trim().to_owned());
    let namespace = Bytes::from(namespace.to_str()?.to_owned());
    Some(HostProof { boot, namespace, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_listening_address_nothing_is_proven() {
        assert_eq!(host_proof(None), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_proof_names_boot_namespace_and_address() {
        // P-30 c
        let proof = host_proof(Some("127.0.0.1:7000")).unwrap();
        assert_eq!(proof.boot.len(), 36);
        assert!(proof.namespace.starts_with(b"net:["));
        assert_eq!(proof.address, "127.0.0.1:7000");
        assert_eq!(host_proof(Some("127.0.0.1:7000")), Some(proof));
    }
}
