//! Whose post it is, as its address says.

use std::borrow::Cow;

use serde_json::Value;

use crate::normalize;

/// The id of the account that wrote a post, of which an archive has the address, or more.
pub(super) fn author(post: &Value) -> Option<Cow<'_, str>> {
    match post {
        Value::String(address) => of_address(address),
        Value::Object(_) => match post.get("attributedTo") {
            Some(Value::String(account)) => normalize::native_key(account).map(Cow::Borrowed),
            _ => post.get("id").and_then(Value::as_str).and_then(of_address),
        },
        _ => None,
    }
}

/// Mastodon's posts lie below their account: `https://host/users/NAME/statuses/1` (in newer versions `/ap/users/1/…`), and
/// people are shown them as `https://host/@NAME/1`. Other software has addresses that say nothing.
fn of_address(address: &str) -> Option<Cow<'_, str>> {
    let address = normalize::native_key(address)?;
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if host.is_empty() {
        return None;
    }
    if let Some((account, _)) = address.split_once("/statuses/") {
        let name = path.strip_prefix("users/").or_else(|| path.strip_prefix("ap/users/"))?.split('/').next()?;
        // Nothing between the name and the post.
        return (plain(name) && account.ends_with(name)).then_some(Cow::Borrowed(account));
    }
    let (name, post) = path.strip_prefix('@')?.split_once('/')?;
    (plain(name) && !post.is_empty() && post.bytes().all(|byte| byte.is_ascii_digit())).then(|| Cow::Owned(format!("https://{host}/users/{name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_say_whose_post_it_is_or_nothing() {
        let ada = Some("https://a.example/users/ada");
        for (post, expected) in [
            (json!("https://a.example/users/ada/statuses/1"), ada),
            (json!("https://a.example/users/ada/statuses/1/activity"), ada),
            (json!("https://a.example/@ada/1"), ada),
            (json!("https://a.example/ap/users/7/statuses/1"), Some("https://a.example/ap/users/7")),
            (json!({ "id": "https://a.example/@ada/1" }), ada),
            (json!({ "id": "https://a.example/x", "attributedTo": "https://a.example/users/ada" }), ada),
            (json!({ "attributedTo": ["https://a.example/users/ada"] }), None),
            (json!("https://a.example/users/ada"), None),
            (json!("https://a.example/users/ada/x/statuses/1"), None),
            (json!("https://a.example/users//statuses/1"), None),
            (json!("https://a.example/@ada@b.example/1"), None),
            (json!("https://a.example/@ada/about"), None),
            (json!("https://a.example/notes/1"), None),
            (json!("https:///users/ada/statuses/1"), None),
            (json!("ftp://a.example/users/ada/statuses/1"), None),
            (json!(""), None),
            (json!(null), None),
            (json!(7), None),
        ] {
            assert_eq!(author(&post).as_deref(), expected, "{post}");
        }
    }
}
