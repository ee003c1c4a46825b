//! The second level over real servers.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod world;
