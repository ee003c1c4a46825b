//! Real servers and real peers, started, killed, paused and cut off by tests, benches and demos of unstale.
