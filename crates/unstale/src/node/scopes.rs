//! Which caches a node writes: what is distrusted when it ends uncleanly (P-32, P-35).

use unstale_core::Name;

use crate::{Error, ErrorKind};

/// The caches that a node may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scopes {
    /// All of them.
    #[default]
    Everything,
    /// These, declared when the node started; others know them from its first hello on.
    Declared(Vec<Name>),
}

impl Scopes {
    /// Refuses an act on what was not declared, `None` being every cache, before anything is done: the others would trust
    /// what it changed once this node is dead.
    pub(crate) fn admit(&self, operation: &'static str, cache: Option<&Name>) -> Result<(), Error> {
        let declared = match (self, cache) {
            (Self::Everything, _) => return Ok(()),
            (Self::Declared(declared), Some(cache)) if declared.contains(cache) => return Ok(()),
            (Self::Declared(declared), _) => declared,
        };
        let what = cache.map_or_else(|| "every cache".to_owned(), |cache| format!("cache {cache}"));
        let detail = format!("{what} is written, but this node declared that it writes only {declared:?}");
        Err(Error::new(ErrorKind::NotDeclared, operation, detail))
    }

    /// As the protocol says it: no name means all, so a node that writes nothing names [`NOTHING`].
    pub(super) fn told(&self) -> Vec<Name> {
        match self {
            Self::Everything => Vec::new(),
            Self::Declared(declared) if declared.is_empty() => Name::new(NOTHING).into_iter().collect(),
            Self::Declared(declared) => declared.clone(),
        }
    }
}

/// The name of no cache.
const NOTHING: &str = "\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &'static str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn only_what_was_declared_may_be_written() {
        let scopes = Scopes::Declared(vec![name("users")]);
        scopes.admit("set", Some(&name("users"))).unwrap();
        let error = scopes.admit("set", Some(&name("orders"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotDeclared);
        assert_eq!(
            error.to_string(),
            "set: cache orders is written, but this node declared that it writes only [\"users\"]"
        );
        assert_eq!(scopes.admit("clear", None).unwrap_err().kind(), ErrorKind::NotDeclared);
        Scopes::Everything.admit("clear", None).unwrap();
    }

    #[test]
    fn a_node_that_writes_nothing_does_not_tell_that_it_writes_everything() {
        assert_eq!(Scopes::Everything.told(), []);
        assert_eq!(Scopes::Declared(Vec::new()).told().len(), 1);
        assert_eq!(Scopes::Declared(vec![name("users")]).told(), [name("users")]);
    }
}
