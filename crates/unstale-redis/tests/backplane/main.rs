//! The backplane on real servers: the suite of backplanes, the register, faults, deployments.

#[cfg(feature = "tls")]
#[path = "../tls/certificates.rs"]
mod certificates;
mod conformance;
mod deployments;
mod faults;
mod group;
mod links;
mod member;
mod register;
mod stream;
#[cfg(feature = "tls")]
mod tls;
