//! Any text: a URL that means the same when it is written out again, or an error; never its password.

use bolero::check;

use super::parse;
use crate::login::Password;

#[test]
fn fuzz_urls() {
    check!().with_type::<String>().for_each(|text| {
        for url in [text.clone(), format!("redis://{text}"), format!("redis+sentinel://{text}")] {
            judge(&url);
        }
        judge(&format!("redis://user:{}@host", super::encode(text)));
    });
}

/// What must hold of every text.
fn judge(url: &str) {
    let Ok(settings) = parse(url) else { return };
    let again = parse(&settings.to_string()).expect("what was written out is a URL");
    assert_eq!(again.deployment, settings.deployment);
    assert_eq!((again.database, &again.login.user), (settings.database, &settings.login.user));
    assert_eq!(again.login.password, None);
    if let Some(Password::Text(password)) = &settings.login.password
        && password.len() > 24
    {
        assert!(!format!("{settings:?}{settings}").contains(password.as_str()));
    }
}
