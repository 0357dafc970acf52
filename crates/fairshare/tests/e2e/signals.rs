//! What signals say, told without a deployment.

use crate::command::Deployment;

#[test]
fn signals_are_decoded_and_mistakes_named_with_their_place() {
    let d = Deployment::new();
    let tcf = d.ok(&["signal", "decode", "tcf", "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA"]);
    assert_eq!((&tcf["cmpId"], &tcf["purposeConsents"]), (&675.into(), &serde_json::json!([2, 10])));
    let gpp = d.ok(&["signal", "decode", "gpp", "DBABLA~BVQqAAAAAgA.QA"]);
    assert_eq!(gpp["sections"]["7"]["us"]["fields"]["SaleOptOut"], 2);
    assert_eq!(gpp["sections"]["7"]["us"]["gpc"], false);
    assert_eq!(gpp["narrows"], serde_json::json!([]));
    let gpc = d.ok(&["signal", "decode", "gpc", "1"]);
    assert_eq!((&gpc["is_signal"], &gpc["narrows"][0]["what"]), (&true.into(), &"opt_out".into()));
    assert_eq!(d.ok(&["signal", "decode", "gpc", "true"])["is_signal"], false);
    let flags = d.ok(&["signal", "decode", "activitypub", r#"{"discoverable": true}"#]);
    assert_eq!(flags["narrows"][0]["purposes"], serde_json::json!(["search_indexing"]));
    let intents = d.ok(&["signal", "decode", "user-intents", r#"{"$type":"org.user-intents.declaration","syntheticContentGeneration":{"allow":false}}"#]);
    assert_eq!(intents["narrows"][0]["said_by"], "syntheticContentGeneration");
    assert!(d.fails(1, &["signal", "decode", "activitypub", "no-such-file.json"]).contains("cannot read no-such-file.json"));
    let why = d.fails(1, &["signal", "decode", "gpp", "DBABLA~BVQqA="]);
    assert!(why.contains("S701") && why.contains("usnat"), "{why}");
    let why = d.fails(1, &["signal", "decode", "tcf", "COtybn4PA_zT4"]);
    assert!(why.contains("S702"), "{why}");
}
