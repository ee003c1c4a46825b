//! The backplane on real servers: the suite of backplanes, the register, faults, deployments.

mod conformance;
mod deployments;
mod faults;
mod group;
mod member;
mod register;
mod stream;
