//! Redis for unstale: backplane, register of members, second level with fill leases.
