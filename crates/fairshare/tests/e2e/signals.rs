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
    assert_eq!(d.ok(&["signal", "decode", "gpc", "1"])["is_signal"], true);
    assert_eq!(d.ok(&["signal", "decode", "gpc", "true"])["is_signal"], false);
    let why = d.fails(1, &["signal", "decode", "gpp", "DBABLA~BVQqA="]);
    assert!(why.contains("S701") && why.contains("usnat"), "{why}");
    let why = d.fails(1, &["signal", "decode", "tcf", "COtybn4PA_zT4"]);
    assert!(why.contains("S702"), "{why}");
}
