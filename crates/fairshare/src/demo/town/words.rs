//! The words of the town.

/// District, language most spoken there, country most people there come from.
pub(super) const DISTRICTS: &[(&str, &str, &str)] = &[
    ("Harbour", "en", "Netherlands"),
    ("Old Mills", "de", "Germany"),
    ("Lindenhof", "de", "Germany"),
    ("Canal Side", "nl", "Netherlands"),
    ("Nordstrand", "nl", "Netherlands"),
    ("Rue Basse", "fr", "France"),
    ("Ropewalk", "en", "Ireland"),
    ("Bosphorus Street", "tr", "Türkiye"),
    ("Little Gdynia", "pl", "Poland"),
    ("Plaza Nueva", "es", "Spain"),
    ("Saltmarsh", "nl", "Netherlands"),
    ("Station Quarter", "en", "Belgium"),
];

/// Hashtags by topic, the most used first; the topic's name is an interest.
pub(super) const TOPICS: &[(&str, &[&str])] = &[
    ("football", &["football", "matchday", "derby", "fcwendel", "goal", "fussball", "voetbal"]),
    ("cooking", &["cooking", "soup", "bread", "sourdough", "rezept", "recette", "vegan", "brunch"]),
    ("gardening", &["gardening", "tomatoes", "compost", "bees", "garten", "seedswap"]),
    ("music", &["music", "livemusic", "vinyl", "choir", "jazz", "brassband", "festival"]),
    ("cycling", &["cycling", "bikelane", "commute", "fiets", "repaircafe", "cargobike"]),
    ("books", &["books", "library", "poetry", "bookclub", "lesekreis", "scifi"]),
    ("weather", &["weather", "storm", "fog", "snow", "heatwave", "regen"]),
    ("politics", &["townhall", "housing", "budget", "schools", "busline", "election"]),
    ("sea", &["harbour", "sailing", "tide", "ferry", "lighthouse", "swimming"]),
    ("cats", &["caturday", "cats", "rescuecat", "kedi", "katze"]),
    ("tech", &["opensource", "rust", "selfhosting", "linux", "ai", "3dprinting"]),
    ("games", &["boardgames", "chess", "retrogaming", "pubquiz", "dnd"]),
];

/// Tags that anybody uses.
pub(super) const EVERYDAY: &[&str] = &["wendelhaven", "goodmorning", "monday", "weekend", "coffee", "photo", "news", "thanks"];

/// Words of short texts by language.
pub(super) const TEXTS: &[(&str, &[&str])] = &[
    ("en", &["today", "the", "market", "was", "lovely", "again", "see", "you", "tomorrow", "who", "else", "noticed", "new", "bridge", "rain", "coming"]),
    ("de", &["heute", "war", "der", "Markt", "wieder", "schön", "bis", "morgen", "wer", "kommt", "mit", "neue", "Brücke", "bald", "Regen"]),
    ("nl", &["vandaag", "was", "de", "markt", "weer", "mooi", "tot", "morgen", "wie", "gaat", "mee", "nieuwe", "brug", "regen"]),
    ("fr", &["le", "marché", "était", "beau", "encore", "demain", "qui", "vient", "nouveau", "pont", "pluie", "merci"]),
    ("tr", &["bugün", "pazar", "çok", "güzeldi", "yarın", "kim", "geliyor", "yeni", "köprü", "yağmur"]),
    ("pl", &["dzisiaj", "targ", "był", "piękny", "jutro", "kto", "idzie", "nowy", "most", "deszcz"]),
    ("es", &["hoy", "el", "mercado", "estuvo", "bonito", "mañana", "quién", "viene", "nuevo", "puente", "lluvia"]),
];

/// Parts of names, joined at random.
pub(super) const FIRST: &[&str] = &[
    "Ada", "Bram", "Cem", "Dora", "Emil", "Fenna", "Goran", "Hanne", "Ilse", "Jonas", "Kaya", "Lotte", "Milan", "Nora", "Ola", "Pia", "Quirin", "Rosa", "Sem", "Tove", "Uli",
    "Vera", "Wim", "Yara", "Zofia",
];
/// See [`FIRST`].
pub(super) const LAST: &[&str] = &[
    "Achterberg",
    "Brandt",
    "Cieslak",
    "Demir",
    "Ekström",
    "Faber",
    "Gruber",
    "Horvat",
    "Ibsen",
    "Janssen",
    "Kowal",
    "Lindqvist",
    "Moreau",
    "Nagel",
    "Ortega",
    "Petit",
    "Quist",
    "Ruiz",
    "Sahin",
    "Timmer",
    "Ulrich",
    "Vos",
    "Winter",
    "Yilmaz",
    "Zielinski",
];

/// Hosts that people link to.
pub(super) const HOSTS: &[&str] = &["wendelhaven-post.example", "video.example", "harbour-radio.example", "townhall.example", "recipes.example"];
/// Groups that people join.
pub(super) const GROUPS: &[&str] = &["Harbour neighbours", "Swap and share", "Sunday runners", "Parents of Ropewalk", "Wendelhaven history", "Repair café"];
