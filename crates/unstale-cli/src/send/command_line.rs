//! What the arguments ask for, checked.

use unstale_codec::fusion::{Action, Names};
use unstale_core::{Name, Verb};

use super::fusion::{self, Level, What};
use super::native::KeyType;
use super::{ActionName, Arguments, CodecName, Subject, Target, native};

impl Arguments {
    /// What is to be sent, or why that makes no sense.
    pub(super) fn target(&self) -> Result<Target, String> {
        if self.cache.is_empty() {
            return Err("--cache is empty".to_owned());
        }
        if self.source.as_deref() == Some("") {
            return Err("--source is empty, which nodes ignore".to_owned());
        }
        let (others, codec) = match self.codec {
            CodecName::Fusion => (self.nodes.given(), "native"),
            CodecName::Native => (self.names.given(), "fusion"),
        };
        if let Some(option) = others {
            return Err(format!("{option} is of --codec {codec}"));
        }
        if self.nodes.key_type.is_some() && self.subject.key.is_none() {
            return Err("--key-type is of --key".to_owned());
        }
        match self.codec {
            CodecName::Fusion => self.fusion().map(Target::Fusion),
            CodecName::Native => self.native().map(Target::Native),
        }
    }

    fn fusion(&self) -> Result<fusion::Target, String> {
        let names = self.names.names(&self.cache);
        let what = what(&self.subject, self.action, &names)?;
        Ok(fusion::Target {
            what,
            names,
            source: self.source.clone().unwrap_or_else(nobody),
            serializer: self.names.serializer,
            level: if self.no_l2 { Level::Left } else { Level::Changed },
        })
    }

    fn native(&self) -> Result<native::Target, String> {
        let nodes = &self.nodes;
        let named = |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.to_owned());
        let group = named(&nodes.group, "default");
        let what = match &self.subject {
            Subject { key: Some(key), .. } => {
                native::What::Key(nodes.key_type.unwrap_or(KeyType::Text).encode(key)?)
            }
            Subject { tag: Some(tag), .. } => native::What::Tag(tag.clone().into()),
            Subject { clear: _, .. } => native::What::All,
        };
        let verb = match self.action {
            None | Some(ActionName::Remove) => Verb::Remove,
            Some(ActionName::Expire) => Verb::Expire,
            Some(ActionName::Set) => {
                return Err(
                    "a set of unstale has a value, which only its nodes can encode: use remove or expire"
                        .to_owned(),
                );
            }
        };
        Ok(native::Target {
            cluster: named(&nodes.cluster, &group),
            prefix: named(&nodes.prefix, "unstale"),
            group,
            name: self.source.clone().unwrap_or_else(nobody),
            cache: Name::new(self.cache.clone()).map_err(|error| format!("--cache: {error}"))?,
            verb,
            what,
            namespace: (!self.no_l2).then(|| named(&nodes.namespace, "unstale")),
        })
    }
}

fn what(subject: &Subject, action: Option<ActionName>, names: &Names) -> Result<What, String> {
    match (subject, action) {
        (Subject { key: Some(key), .. }, action) => {
            if key.is_empty() && names.key_prefix.is_empty() {
                return Err("--key is empty, which nodes ignore".to_owned());
            }
            let action = match action.unwrap_or(ActionName::Remove) {
                ActionName::Set => Action::Set,
                ActionName::Remove => Action::Remove,
                ActionName::Expire => Action::Expire,
            };
            Ok(What::Key(names.cache_key(key), action))
        }
        (Subject { tag: Some(tag), .. }, None | Some(ActionName::Expire)) => {
            let strings = &names.strings;
            if tag.is_empty() || *tag == strings.clear_expire || *tag == strings.clear_remove {
                return Err(format!(
                    "the tag `{tag}` stands for something else in FusionCache: use --clear for all"
                ));
            }
            Ok(What::Mark(names.tag_mark(tag)))
        }
        (Subject { tag: Some(_), .. }, Some(_)) => {
            Err("a tag expires: what nodes make of that they are configured for (RemoveByTagBehavior)"
                .to_owned())
        }
        (_, None | Some(ActionName::Expire)) => Ok(What::Mark(names.clear_expire_mark())),
        (_, Some(ActionName::Remove)) => Ok(What::Mark(names.clear_remove_mark())),
        (_, Some(ActionName::Set)) => Err("--clear cannot set: use --action expire or remove".to_owned()),
    }
}

/// A name that no other node has.
fn nobody() -> String {
    // Without random numbers the id of the process tells one from another well enough.
    let random = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
    format!("unstale-send-{random:016x}")
}
