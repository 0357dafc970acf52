//! Some people bring their Mastodon archive instead.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use domain::record::ActivityKind;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::creators::address;
use super::people::{Act, Person};

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// Writes one archive.
pub(super) fn write(folder: &Path, person: &Person, acts: &[Act]) -> anyhow::Result<PathBuf> {
    let path = folder.join("archives").join(format!("archive-{}.zip", person.handle));
    let actor = &person.account.native_id;
    let time = |act: &Act| act.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    // The post of another account that an act is about.
    let post = |n: u32, act: &Act| format!("{}/statuses/{n}", address(act.whose.as_deref().unwrap_or("friend")));
    let outbox: Vec<Value> = (0..).zip(acts).filter_map(|(n, act)| outbox_item(actor, n, act, person.language, &time(act), &post(n, act))).collect();
    let likes: Vec<Value> = (0..).zip(acts).filter(|(_, act)| act.kind == ActivityKind::Like).map(|(n, act)| json!(post(n, act))).collect();
    let collection = |id: &str, items: Vec<Value>| json!({ "@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "OrderedCollection", "totalItems": items.len(), "orderedItems": items });
    let members = [
        (
            "actor.json",
            json!({ "@context": ["https://www.w3.org/ns/activitystreams"], "id": actor, "type": "Person", "preferredUsername": person.handle, "name": person.name, "published": person.joined.to_rfc3339_opts(SecondsFormat::Secs, true), "outbox": "outbox.json", "likes": "likes.json" }),
        ),
        ("outbox.json", collection("outbox.json", outbox)),
        ("likes.json", collection("likes.json", likes)),
    ];
    let mut zip = ZipWriter::new(File::create(&path)?);
    for (name, content) in members {
        // The default time of a member is fixed, so that equal seeds give equal bytes.
        zip.start_file(name, SimpleFileOptions::DEFAULT)?;
        zip.write_all(content.to_string().as_bytes())?;
    }
    zip.finish()?;
    Ok(path)
}

fn outbox_item(actor: &str, n: u32, act: &Act, language: &str, at: &str, about: &str) -> Option<Value> {
    let id = format!("{actor}/statuses/{n}");
    let cc = format!("{actor}/followers");
    match act.kind {
        ActivityKind::Post | ActivityKind::Reply => {
            let tags: Vec<Value> = act.tags.iter().map(|t| json!({ "type": "Hashtag", "name": format!("#{t}") })).collect();
            let attachment = if act.media == "none" { json!([]) } else { json!([{ "type": "Document", "mediaType": format!("{}/x", act.media) }]) };
            let content = format!("<p>{}</p>", act.text);
            let reply = (act.kind == ActivityKind::Reply).then_some(about);
            let note = json!({ "id": id, "type": "Note", "inReplyTo": reply, "published": at, "to": [PUBLIC], "cc": [cc], "content": content, "contentMap": { (language): content }, "attachment": attachment, "tag": tags });
            Some(json!({ "id": format!("{id}/activity"), "type": "Create", "actor": actor, "published": at, "to": [PUBLIC], "cc": [cc], "object": note }))
        }
        ActivityKind::Share => Some(json!({ "id": format!("{id}/activity"), "type": "Announce", "actor": actor, "published": at, "to": [PUBLIC], "cc": [cc], "object": about })),
        _ => None,
    }
}
