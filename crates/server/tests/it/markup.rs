//! Whatever a notice says, it stays text.

use domain::notice::Sentence;
use domain::{Purpose, SubjectId};
use rand::RngExt;
use scraper::Html;
use testkit::{Generator, env_seed};

use crate::http::{select, text_of};
use crate::world::{ADULT, World};

/// Pieces that have broken pages before.
const PIECES: &[&str] = &[
    "<script>alert(1)</script>",
    "</p>",
    "</title>",
    "<!--",
    "-->",
    "\"",
    "'",
    "&",
    "&amp;",
    "&#x27;",
    "<",
    ">",
    "</form><form action=https://evil.example>",
    "]]>",
    "<svg/onload=x>",
    "javascript:x",
    "{{7*7}}",
    "\n\n",
    "\n",
    "\r\n",
    " ",
    "ü",
    "\u{2028}",
    "🙂",
    "a",
    "=",
    "/>",
    "`",
    "<textarea>",
    "<plaintext>",
    "\u{feff}",
    "%3Cb%3E",
    "\\",
];

fn random(rng: &mut impl RngExt) -> String {
    let mut text: String = (0..rng.random_range(0..12)).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
    text.push('x');
    text
}

fn shape(page: &Html) -> Vec<String> {
    let of_texts = ["p", "br"];
    page.root_element().descendent_elements().map(|e| e.value().name().to_owned()).filter(|name| !of_texts.contains(&name.as_str())).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn no_text_breaks_out_of_the_page() {
    let seed = env_seed(11);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let world = World::new().await;
    let path = world.path(ADULT).await;
    let plain = shape(&world.get(&path, &[]).await.page());
    for round in 0..150 {
        let mut new = world.control.notice_show(&"town".parse().unwrap(), Some(1)).await.unwrap();
        let wording = &mut new.own.wording;
        (wording.title, wording.text) = (random(&mut rng), random(&mut rng));
        wording.sentences.insert(Purpose::AggregateStatistics, Sentence { ask: random(&mut rng), explicit: Some(random(&mut rng)) });
        (wording.retention, wording.withdrawal) = (Some(random(&mut rng)), None);
        let (title, text, sentence) = (words(&wording.title), wording.text.clone(), wording.sentences[&Purpose::AggregateStatistics].clone());
        let notice = control_plane::NewNotice { particulars: new.particulars, ..control_plane::NewNotice::new(new.name, new.terms, new.own.wording) };
        world.control.notice_publish(notice).await.unwrap();
        let answer = world.get(&path, &[]).await;
        let page = answer.page();
        // The languages that the first version had are gone, and with them their links; the retention is marked as
        // the notice's own words.
        let without = |names: &[String]| names.iter().filter(|n| !["nav", "a", "span"].contains(&n.as_str())).cloned().collect::<Vec<_>>();
        assert_eq!(without(&shape(&page)), without(&plain), "seed {seed}, round {round}:\n{}", answer.body);
        assert_eq!(text_of(page.select(&select("h1")).next().unwrap()), title, "seed {seed}");
        assert_eq!(text_of(page.select(&select("title")).next().unwrap()), title, "seed {seed}");
        let shown: Vec<String> = page.select(&select("article p")).map(text_of).collect();
        assert_eq!(shown.join(" ").replace(' ', ""), words(&text).replace(' ', ""), "seed {seed}");
        assert_eq!(answer.text("#q0 > legend").replace(' ', ""), words(&sentence.ask).replace(' ', ""), "seed {seed}");
        assert_eq!(answer.text("#q0e > legend").replace(' ', ""), words(&sentence.explicit.unwrap()).replace(' ', ""), "seed {seed}");
    }
}

#[tokio::test]
async fn headings_are_in_order_and_everything_has_a_name() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    world.control.subject_find(&SubjectId(ADULT).to_string()).await.unwrap();
    let done = world.fill_in(&path, &[("choice.aggregate_statistics.acme", "no"), ("choice.sale_or_sharing.acme", "no")]).await;
    for answer in [world.get(&path, &[]).await, world.post(&path, &[], &[]).await, done, world.get("/consent/x", &[]).await] {
        let page = answer.page();
        let levels: Vec<u8> = page.select(&select("h1, h2, h3")).map(|h| h.value().name().as_bytes()[1] - b'0').collect();
        assert_eq!(levels.first(), Some(&1));
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1);
        assert!(levels.windows(2).all(|two| two[1] <= two[0] + 1), "{levels:?}");
        assert!(page.root_element().attr("lang").is_some() && page.select(&select("main")).count() == 1 && page.select(&select("title")).count() == 1);
        for input in page.select(&select("input:not([type=hidden])")) {
            let within = input.ancestors().filter_map(scraper::ElementRef::wrap).any(|e| e.value().name() == "label" && !text_of(e).is_empty());
            let named = input.attr("id").is_some_and(|id| page.select(&select(&format!("label[for={id}]"))).next().is_some());
            assert!(within || named, "{:?}", input.value());
        }
        for fieldset in page.select(&select("fieldset")) {
            assert_eq!(fieldset.child_elements().next().unwrap().value().name(), "legend");
        }
        let ids: Vec<_> = page.select(&select("[id]")).map(|e| e.attr("id").unwrap()).collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        for described in page.select(&select("[aria-describedby]")) {
            assert!(ids.contains(&described.attr("aria-describedby").unwrap()));
        }
    }
}
