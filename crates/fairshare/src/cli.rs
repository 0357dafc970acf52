//! The command line: nouns and verbs.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use data_plane::S3Location;
use domain::consent::{Actor, ConsentAction, DataScope, LimitKind, LimitSource, Recipient};
use domain::lake::SnapshotClock;
use domain::link::Origin;
use domain::{AgreementName, NoticeName, PartnerClass, PartnerName, Platform, Purpose, Timestamp};
use dp::{Delta, Rho};
use ingest::Deletions;

use crate::output::Format;

/// Shares social-media data exactly as far as each person agreed, and proves it.
#[derive(Debug, Parser)]
#[command(
    name = "fairshare",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 refused by consent, law or policy, 5 budget exhausted, 6 verification failed, 7 conflict or locked."
)]
pub(crate) struct Cli {
    /// The deployment's folder.
    #[arg(long, global = true, env = "FAIRSHARE_DATA", default_value = "fairshare-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// How to print data.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The same as --format json.
    #[arg(long, global = true, conflicts_with = "format")]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole product on a synthetic town: imports, choices, partners, answers, proof.
    Demo(Demo),
    /// Make a deployment.
    Init(Init),
    /// Import exports, tables and streams; list imports, trace rows, take an import back.
    Import(Import),
    /// People in the deployment.
    #[command(subcommand)]
    Subject(Subject),
    /// The files that rows lie in.
    #[command(subcommand)]
    Lake(Lake),
    /// Who decides about the data: you.
    #[command(subcommand)]
    Controller(Controller),
    /// Texts that people are shown before they choose.
    #[command(subcommand)]
    Notice(Notice),
    /// Tables that partners can ask.
    #[command(subcommand)]
    Table(Table),
    /// Approved recipients.
    #[command(subcommand)]
    Partner(Partner),
    /// Accounts that may be named in public: what others' acts are about.
    #[command(subcommand)]
    Creator(Creator),
    /// Contracts with partners.
    #[command(subcommand)]
    Agreement(Agreement),
    /// What people chose.
    #[command(subcommand)]
    Consent(Consent),
    /// What limits every choice: opt-outs, objections, restrictions.
    #[command(subcommand)]
    Limit(Limits),
    /// The law as data: what each place asks before data are used.
    #[command(subcommand)]
    RulePack(RulePacks),
    /// May this partner use this person's data for this purpose, now? Says why.
    Decide(Decide),
    /// Ask a question as a partner.
    Query(Query),
    /// Ready-made questions: audience, hashtags, trends, posting times and more.
    #[command(subcommand)]
    Insight(Insight),
    /// Privacy budgets.
    #[command(subcommand)]
    Budget(Budget),
    /// Answers that left.
    #[command(subcommand)]
    Release(Release),
    /// The tamper-evident log.
    #[command(subcommand)]
    Audit(Audit),
    /// Copies of a deployment.
    #[command(subcommand)]
    Backup(Backup),
    /// Signals of browsers, platforms and consent banners.
    #[command(subcommand)]
    Signal(Signal),
    /// Serve consent pages, the public log and health checks over HTTP, and send letters.
    Serve(Serve),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Signal {
    /// Show what a signal says, field by field, and which purposes it narrows. Needs no deployment.
    Decode(SignalText),
    /// Record what a signal says for a person: every purpose that it narrows is closed at once.
    Record(RecordSignal),
}

#[derive(Debug, Args)]
pub(crate) struct SignalText {
    /// The kind of signal.
    #[arg(value_enum)]
    pub(crate) kind: SignalKind,
    /// The signal: a TC string, a GPP string, the value of the Sec-GPC header, or for the others JSON or a file with it.
    pub(crate) text: String,
    /// The vendor of the Global Vendor List that asks (TCF, also within GPP).
    #[arg(long)]
    pub(crate) vendor: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct RecordSignal {
    #[command(flatten)]
    pub(crate) signal: SignalText,
    /// For whom.
    #[arg(long)]
    pub(crate) subject: String,
    /// When it was sent, with its zone; now when not given.
    #[arg(long)]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum SignalKind {
    /// Transparency and Consent Framework, version 2.
    Tcf,
    /// Global Privacy Platform.
    Gpp,
    /// Global Privacy Control.
    Gpc,
    /// The flags of an ActivityPub actor (FEP-5feb, FEP-268d).
    Activitypub,
    /// A record of user intents on the AT Protocol (Bluesky's draft 0008, and the community's preferences).
    UserIntents,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// People in the town.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) subjects: u32,
    /// The same seed makes the same town.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// End after the tour instead of serving. Implied without a terminal.
    #[arg(long)]
    pub(crate) no_serve: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The unique name of the audit log, by convention host/path.
    #[arg(long, default_value = "fairshare.local/log")]
    pub(crate) origin: String,
    /// Privacy loss ρ that all releases to all partners may cost together, ever.
    #[arg(long, default_value = "100")]
    pub(crate) lifetime_rho: Rho,
    /// The same for δ.
    #[arg(long, default_value = "1e-5")]
    pub(crate) lifetime_delta: Delta,
    /// Privacy loss ρ that one person may have in a year, over all partners, unless they choose another cap.
    #[arg(long, default_value = "1")]
    pub(crate) subject_rho: Rho,
    /// The same for δ.
    #[arg(long, default_value = "1e-6")]
    pub(crate) subject_delta: Delta,
    /// When new data become visible to questions: daily, hourly (UTC) or import (at once).
    #[arg(long, default_value_t = SnapshotClock::Daily)]
    pub(crate) snapshot_clock: SnapshotClock,
    /// A bucket for the lake, s3://BUCKET/PREFIX; the folder `lake` of the deployment when not named.
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<S3Location>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) past: Option<PastImport>,
    /// Whose export it is; recognised when not named.
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// The mapping of CSV files; NAME.mapping.toml beside NAME.csv when not named.
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Whether records that their owner deleted are left out: apply or ignore.
    #[arg(long, default_value_t = Deletions::Apply)]
    pub(crate) deletions: Deletions,
    /// Read and sort everything, say what would be new, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Archives, folders and files. A file called `list` is ./list.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

/// What can be done with imports that were made.
#[derive(Debug, Subcommand)]
pub(crate) enum PastImport {
    /// List imports.
    List,
    /// Show the sources of an import.
    Show {
        /// Its number.
        import: i64,
    },
    /// Take an import back: its rows go, and what it told of people counts no more.
    Undo {
        /// Its number.
        import: i64,
    },
    /// Show where one person's rows come from. Recorded as a look at them.
    Trace {
        /// The person: an id, an account or a name.
        #[arg(long)]
        subject: String,
        /// Only the act with this key of its platform.
        #[arg(long, value_name = "NATIVE_KEY")]
        key: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// List people.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// After this id.
        #[arg(long)]
        after: Option<u32>,
    },
    /// Show one person: an id, an account (mastodon:https://…) or a name that only one has.
    Show {
        /// The person.
        subject: String,
    },
    /// Show how much privacy one person lost this year, and which releases counted them.
    Meter {
        /// The person.
        subject: String,
    },
    /// Erase one person: unreachable at once, gone from every file.
    Erase {
        /// The person.
        subject: String,
    },
    /// Make OTHER another id of the person KEEP: counted once, with the stricter choices.
    Merge {
        /// The id that counts from now on.
        keep: String,
        /// The id that leads to it.
        other: String,
        /// How it is known that both are one person.
        #[arg(long)]
        evidence: String,
    },
    /// Make OTHER, which was merged, a person of their own again.
    Split {
        /// The id that was merged.
        other: String,
        /// How it is known that they are two.
        #[arg(long)]
        evidence: String,
    },
    /// Write down how one person is reached.
    Contact {
        /// The person.
        subject: String,
        /// Their address for electronic mail; none any more when not given.
        #[arg(long)]
        email: Option<String>,
        /// BCP 47 tag of the language in which they are written to.
        #[arg(long)]
        language: Option<String>,
    },
    /// Write down how many people are reached, from a CSV file: subject,email and, if known, language. Rows that
    /// cannot be taken are told, and change nothing.
    Contacts {
        /// The file.
        file: PathBuf,
    },
    /// Record how much one person wants to lose per year at most, as they said.
    Cap {
        /// The person.
        subject: String,
        /// Privacy loss ρ per year.
        #[arg(long)]
        rho: Rho,
        /// The same for δ.
        #[arg(long, default_value = "1e-6")]
        delta: Delta,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lake {
    /// Show how many rows and bytes each table has, in how many files.
    Show,
    /// Derive language, hashtags, first link and number of words from texts, where sources did not say.
    Features {
        /// Say what would be derived, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Make the newest data visible now, before the tick of the snapshot clock.
    Publish,
    /// Make one file of each bucket's files.
    Compact,
    /// Finish pending erasures, and delete files that no snapshot needs.
    Sweep,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notice {
    /// Publish the next version of a notice.
    Publish(Box<PublishNotice>),
    /// Publish a notice's words in another language.
    Translate {
        /// The notice.
        name: NoticeName,
        /// The version; the newest when not named.
        #[arg(long)]
        version: Option<u32>,
        /// A file with the text; - for standard input.
        #[arg(long, value_name = "FILE")]
        text: PathBuf,
        /// BCP 47 tag of the language.
        #[arg(long)]
        language: String,
        #[command(flatten)]
        words: Words,
    },
    /// Show what changed from one version to another, and what must be asked again.
    Diff {
        /// The notice.
        name: NoticeName,
        /// The version that is compared; the one before when not named.
        from: Option<u32>,
        /// With which; the newest when not named.
        to: Option<u32>,
    },
    /// Show who has seen which notice.
    Seen {
        /// Of this notice only.
        name: Option<NoticeName>,
        /// By this person only.
        #[arg(long)]
        subject: Option<String>,
    },
    /// Queue a letter to everybody who must be asked again and can be reached.
    Notify {
        /// The notice.
        name: NoticeName,
    },
    /// Show letters: queued, sent and given up.
    Letters,
    /// List all versions of all notices.
    List,
    /// Show a notice.
    Show {
        /// The notice.
        name: NoticeName,
        /// The version; the newest when not named.
        #[arg(long)]
        version: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PublishNotice {
    /// The notice.
    pub(crate) name: NoticeName,
    /// A file with the text; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) text: PathBuf,
    /// What it asks consent for; repeat for several.
    #[arg(long, required = true)]
    pub(crate) purpose: Vec<Purpose>,
    /// Whom it names; repeat for several.
    #[arg(long)]
    pub(crate) partner: Vec<PartnerName>,
    /// A class of partners that it names as open to whoever joins it; repeat for several.
    #[arg(long)]
    pub(crate) open_class: Vec<PartnerClass>,
    /// Which data it is about: everything, activity, profile or topics; repeat for several.
    #[arg(long = "scope", default_value = "everything")]
    pub(crate) scope: Vec<DataScope>,
    /// It differs so much from the version before that whoever agreed must be asked again.
    #[arg(long)]
    pub(crate) material: bool,
    /// Since when people have been shown it, if it was in use before; with its zone.
    #[arg(long)]
    pub(crate) shown_from: Option<Timestamp>,
    /// BCP 47 tag of the text's language.
    #[arg(long, default_value = "en")]
    pub(crate) language: String,
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) particulars: Particulars,
}

/// The words of a notice besides its text.
#[derive(Debug, Args)]
pub(crate) struct Words {
    /// The heading; the notice's name when not given.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// What a yes agrees to, in a sentence: PURPOSE=TEXT; repeat for several.
    #[arg(long, value_name = "PURPOSE=TEXT")]
    pub(crate) ask: Vec<String>,
    /// What an explicit yes agrees to, about data that may reveal what GDPR Art. 9 protects: PURPOSE=TEXT.
    #[arg(long, value_name = "PURPOSE=TEXT")]
    pub(crate) ask_explicitly: Vec<String>,
    /// For how long data are kept, in words.
    #[arg(long)]
    pub(crate) retention_words: Option<String>,
    /// How a yes is taken back, in words.
    #[arg(long)]
    pub(crate) withdrawal_words: Option<String>,
}

/// What people are told besides, in every language.
#[derive(Debug, Args)]
pub(crate) struct Particulars {
    /// Days for which data are kept after they came.
    #[arg(long, value_name = "DAYS")]
    pub(crate) retention: Option<u32>,
    /// A country where data are kept, by ISO 3166-1; repeat for several.
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) storage: Vec<String>,
    /// The country whose law the controller is under, by ISO 3166-1.
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) jurisdiction: Option<String>,
    /// Where a yes is taken back, besides the page on which it was given.
    #[arg(long, value_name = "URL")]
    pub(crate) withdrawal_url: Option<String>,
    /// Where people use their rights.
    #[arg(long, value_name = "URL")]
    pub(crate) rights_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Controller {
    /// Write down who you are, as people are told.
    Describe(Description),
    /// Show who you are, as people are told.
    Show,
}

/// Who somebody is, as people are told (GDPR Art. 13).
#[derive(Debug, Args)]
pub(crate) struct Description {
    /// The legal name.
    #[arg(long)]
    pub(crate) legal_name: String,
    /// The postal address.
    #[arg(long)]
    pub(crate) address: String,
    /// The country, by ISO 3166-1.
    #[arg(long)]
    pub(crate) country: Option<String>,
    /// The address for electronic mail.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// Its own pages.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// How the data-protection officer is reached.
    #[arg(long)]
    pub(crate) officer: Option<String>,
    /// The supervisory authority that complaints go to.
    #[arg(long)]
    pub(crate) authority: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Table {
    /// List the tables; with --partner also that partner's own.
    List {
        /// Whose tables besides those that everybody has.
        #[arg(long)]
        partner: Option<PartnerName>,
    },
    /// Show the columns of a table, and the contract for it.
    Show {
        /// The table: activity, or partner.crm.
        name: String,
        /// Whose, of a partner's own table.
        #[arg(long)]
        partner: Option<PartnerName>,
    },
    /// Show how far one person may count, for all tables or one: groups, rows, and sums and values of each column.
    Contract {
        /// The table: activity, or partner.crm.
        name: Option<String>,
        /// Whose tables besides those that everybody has.
        #[arg(long)]
        partner: Option<PartnerName>,
    },
    /// Take in a partner's own rows about people, to be joined with theirs as partner.NAME. Rows are matched by
    /// hashed e-mail address to people who agreed to a purpose of the partner's; nobody else's are kept, and
    /// how many matched is told by no one.
    Upload(Upload),
    /// Delete a partner's table with all its rows.
    Delete {
        /// The table: partner.crm, or just crm.
        name: String,
        /// Whose.
        #[arg(long)]
        partner: PartnerName,
    },
    /// List the functions that expressions may call.
    Functions,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Upload {
    /// What the table is called: partner.crm, or just crm.
    pub(crate) name: String,
    /// A CSV or Parquet file, one row about one person.
    pub(crate) file: PathBuf,
    /// Whose rows these are.
    #[arg(long)]
    pub(crate) partner: PartnerName,
    /// A column to take in: NAME:text, NAME:integer, NAME:float or NAME:date; numbers may have a range that
    /// bounds their sums, for example spend:float:0..500. Repeat for several; others are not read.
    #[arg(long = "column", required = true, value_name = "NAME:TYPE[:LOW..HIGH]")]
    pub(crate) columns: Vec<domain::partner_table::PartnerColumn>,
    /// The column with SHA-256 of the address in lower case, in hexadecimal.
    #[arg(long, default_value = "email_sha256", value_name = "COLUMN")]
    pub(crate) key: String,
    /// Rows of one person that count, the first ones of the file.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) rows_per_person: u32,
    /// Take the place of the table of this name.
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Partner {
    /// Write down a partner.
    Add {
        /// Its short name.
        name: PartnerName,
        /// The legal person behind it.
        #[arg(long)]
        legal_name: String,
        /// The kind of recipients that it belongs to, such as university.
        #[arg(long)]
        class: Option<PartnerClass>,
        /// Privacy loss ρ that all its releases may cost, ever.
        #[arg(long, default_value = "10")]
        lifetime_rho: Rho,
        /// The same for δ.
        #[arg(long, default_value = "1e-6")]
        lifetime_delta: Delta,
    },
    /// Write down who it is, as people are told.
    Describe {
        /// The partner.
        name: PartnerName,
        #[command(flatten)]
        description: Description,
    },
    /// Approve it as a recipient.
    Approve {
        /// The partner.
        name: PartnerName,
    },
    /// Stop it for now.
    Suspend {
        /// The partner.
        name: PartnerName,
    },
    /// List partners.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Creator {
    /// List an account, or many, as ones that may be named. Being named is public, and outside of what noise protects.
    Add(CreatorAdd),
    /// Take an account off the list: its name is hidden at once.
    Withdraw {
        /// Where it is.
        #[arg(long)]
        platform: Platform,
        /// The platform's own id of it.
        #[arg(long)]
        account: String,
    },
    /// Show the list.
    List,
}

#[derive(Debug, Args)]
pub(crate) struct CreatorAdd {
    /// A CSV file of accounts: platform,account,name,category,basis,evidence.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["platform", "account", "name", "category", "basis", "evidence"])]
    pub(crate) csv: Option<PathBuf>,
    /// Where the account is.
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// The platform's own id of it: a DID, the address of a Mastodon account, what a mapping calls `account`.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// What it is called.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is about, in a word or a few.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Why it may be named: consent (its holder agreed) or organisation (it is a brand's or an organisation's).
    #[arg(long)]
    pub(crate) basis: Option<domain::creator::CreatorBasis>,
    /// What proves the basis, in words.
    #[arg(long)]
    pub(crate) evidence: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agreement {
    /// Write down an agreement.
    Add {
        /// Its short name.
        name: AgreementName,
        /// With whom.
        #[arg(long)]
        partner: PartnerName,
        /// What for; repeat for several.
        #[arg(long, required = true)]
        purpose: Vec<Purpose>,
        /// Privacy loss ρ that all releases under it may cost together.
        #[arg(long)]
        rho: Rho,
        /// The same for δ.
        #[arg(long, default_value = "1e-6")]
        delta: Delta,
        /// Privacy loss ρ that the releases of one month may cost; all of it when not given.
        #[arg(long)]
        window: Option<Rho>,
        /// First day; today when not given.
        #[arg(long)]
        starts: Option<NaiveDate>,
        /// Last day; a year from its start when not given.
        #[arg(long)]
        expires: Option<NaiveDate>,
    },
    /// Sign it off.
    Approve {
        /// The agreement.
        name: AgreementName,
    },
    /// Put it into force.
    Activate {
        /// The agreement.
        name: AgreementName,
    },
    /// Stop it for good.
    End {
        /// The agreement.
        name: AgreementName,
    },
    /// List agreements.
    List,
    /// Show an agreement.
    Show {
        /// The agreement.
        name: AgreementName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Consent {
    /// Record a choice that a person made, or another event of a consent.
    Record(RecordConsent),
    /// Take over choices from a CSV or NDJSON file: subject, recipient, purpose, action, notice, and if known at, actor,
    /// explicit, two_step, scope, language, evidence, sequence.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Make a signed link to the page on which one person chooses about one notice.
    Link {
        /// The person: an id, an account or a name.
        #[arg(long)]
        subject: String,
        /// The notice.
        #[arg(long)]
        notice: NoticeName,
        /// For how many days.
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// Where the page leads back to; its origin must be among --allow-origin.
        #[arg(long, value_name = "URL")]
        return_to: Option<String>,
        #[command(flatten)]
        pages: PageSettings,
    },
    /// Give a person's signed receipt of everything that happened about one purpose of one partner.
    Receipt {
        /// The person: an id, an account or a name.
        #[arg(long)]
        subject: String,
        /// The partner.
        #[arg(long)]
        partner: PartnerName,
        /// What for.
        #[arg(long)]
        purpose: Purpose,
    },
    /// Check a receipt offline with the published key, and print what it says. Needs no deployment.
    Verify {
        /// The receipt; - for standard input.
        receipt: PathBuf,
        /// The key that is published as log/receipts-key, or a file with it.
        #[arg(long)]
        key: String,
    },
    /// Show what a person's choices are now.
    Show {
        /// The person.
        subject: String,
    },
    /// Show everything that a person ever chose.
    History {
        /// The person.
        subject: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RecordConsent {
    /// The person: an id, an account or a name.
    #[arg(long)]
    pub(crate) subject: String,
    /// The recipient: a partner, or class:NAME.
    #[arg(long, alias = "partner")]
    pub(crate) recipient: Recipient,
    /// What for.
    #[arg(long)]
    pub(crate) purpose: Purpose,
    /// Which data: everything, activity, profile or topics.
    #[arg(long = "scope", default_value_t = DataScope::Everything)]
    pub(crate) scope: DataScope,
    /// What happened: give, refuse, withdraw, defer, renew; request, revoke, invalidate; expire.
    #[arg(long)]
    pub(crate) action: ConsentAction,
    /// The text that the person saw: NAME or NAME@VERSION.
    #[arg(long)]
    pub(crate) notice: String,
    /// In which language, if not the notice's own.
    #[arg(long)]
    pub(crate) language: Option<String>,
    /// Who acted: subject, parent, agent, controller, authority or system.
    #[arg(long)]
    pub(crate) by: Option<Actor>,
    /// The yes was said in so many words, as sensitive data ask (GDPR Art. 9(2)(a)).
    #[arg(long)]
    pub(crate) explicit: bool,
    #[command(flatten)]
    pub(crate) happened: Happened,
}

/// When and how something happened that a person did.
#[derive(Debug, Args)]
pub(crate) struct Happened {
    /// The person was asked twice, as after an opt-out and to lift one.
    #[arg(long)]
    pub(crate) two_step: bool,
    /// When it happened, with its zone; now when not given.
    #[arg(long)]
    pub(crate) at: Option<Timestamp>,
    /// A file that proves it; its digest is kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Limits {
    /// Limit what may be done with a person's data, at once.
    Set(ChangeLimit),
    /// End a limit, as the person said.
    Lift(ChangeLimit),
    /// Show the limits that hold.
    Show {
        /// The person.
        subject: String,
    },
    /// Show everything that ever limited.
    History {
        /// The person.
        subject: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ChangeLimit {
    /// The person: an id, an account or a name.
    #[arg(long)]
    pub(crate) subject: String,
    /// opt_out, objection or restriction.
    #[arg(long)]
    pub(crate) kind: LimitKind,
    /// For this purpose only.
    #[arg(long)]
    pub(crate) purpose: Option<Purpose>,
    /// For this partner only.
    #[arg(long)]
    pub(crate) partner: Option<PartnerName>,
    /// Who acted: subject, parent, agent, controller, authority or system.
    #[arg(long, default_value_t = Actor::Subject)]
    pub(crate) by: Actor,
    /// What said so: person, gpc, gpp, tcf, activitypub, user_intents, platform or controller.
    #[arg(long, default_value_t = LimitSource::Person)]
    pub(crate) source: LimitSource,
    #[command(flatten)]
    pub(crate) happened: Happened,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulePacks {
    /// List every version of every pack.
    List,
    /// Print a pack: the version in force when none is named.
    Show {
        /// The pack.
        pack: String,
        /// The version.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Say whether a file is a rule pack, and what is wrong with it.
    Check {
        /// The file; - for standard input.
        file: PathBuf,
    },
    /// Bring a version in. It changes nothing until somebody else approves it.
    Propose {
        /// The file; - for standard input.
        file: PathBuf,
        /// Who brings it in.
        #[arg(long)]
        by: String,
    },
    /// Say how many people's permissions a version would change.
    Preview {
        /// The pack.
        pack: String,
        /// The version.
        version: u32,
    },
    /// Put a version into force that somebody else brought in.
    Approve {
        /// The pack.
        pack: String,
        /// The version.
        version: u32,
        /// Who approves it.
        #[arg(long)]
        by: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The person: an id, an account or a name.
    #[arg(long)]
    pub(crate) subject: String,
    /// The partner.
    #[arg(long)]
    pub(crate) partner: PartnerName,
    /// What for.
    #[arg(long)]
    pub(crate) purpose: Purpose,
    /// Which data: everything, activity, profile or topics.
    #[arg(long = "scope", default_value_t = DataScope::Everything)]
    pub(crate) scope: DataScope,
}

/// Who asks, and for how much.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// Who asks.
    #[arg(long)]
    pub(crate) partner: PartnerName,
    /// What for.
    #[arg(long)]
    pub(crate) purpose: Purpose,
    /// Under which agreement; the only one that covers the purpose when not named.
    #[arg(long)]
    pub(crate) agreement: Option<AgreementName>,
    /// The price in ρ (zCDP).
    #[arg(long, conflicts_with = "epsilon")]
    pub(crate) rho: Option<Rho>,
    /// The price as ε at δ = 1e-6, turned into ρ.
    #[arg(long)]
    pub(crate) epsilon: Option<f64>,
    /// Say what it would cost and how exact it would be; look at nothing.
    #[arg(long)]
    pub(crate) estimate: bool,
    /// Pay again for a question that was answered today.
    #[arg(long, conflicts_with = "estimate")]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Answer it on the rows of people who do not exist, at the same price but for free: what an answer would look like, and what the bounds would cut.
    #[arg(long, conflicts_with_all = ["estimate", "fresh"])]
    pub(crate) simulate: bool,
    /// The value of `$1`, `$2` … in the question, in their order: a number, true, false, null or text (in single quotes where a text looks like a number); repeat for several.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) param: Vec<String>,
    /// Narrow a bound: groups=4, rows=10 (in one group), rows_overall=20 (in all), people=50 (smaller groups are never shown), word_count=0..500 (sums) or value:word_count=0..100 (single values); repeat for several.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) bound: Vec<String>,
    /// The question.
    pub(crate) sql: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Insight {
    /// List what there is, and the options of each.
    List,
    /// Ask one.
    Run(Box<InsightRun>),
}

#[derive(Debug, Args)]
pub(crate) struct InsightRun {
    /// Which: audience, top-tags, trends, share-of-voice, posting-times, engagement, activity-levels, top-creators or
    /// creator-reactions.
    pub(crate) insight: crate::insight::Kind,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// From this day on.
    #[arg(long)]
    pub(crate) from: Option<chrono::NaiveDate>,
    /// Up to this day.
    #[arg(long)]
    pub(crate) to: Option<chrono::NaiveDate>,
    /// Only acts of this kind.
    #[arg(long)]
    pub(crate) kind: Option<domain::record::ActivityKind>,
    /// Only acts on this platform.
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// Only people who live there, as the data call it.
    #[arg(long)]
    pub(crate) country: Option<String>,
    /// A hashtag; repeat for several.
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Only creators of this category.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// One of the partner's own tables.
    #[arg(long)]
    pub(crate) table: Option<domain::PartnerIdentifier>,
    /// Periods: day, week or month.
    #[arg(long)]
    pub(crate) by: Option<crate::insight::Period>,
    /// Show so many rows.
    #[arg(long)]
    pub(crate) top: Option<u64>,
    /// Print the question instead of asking it.
    #[arg(long)]
    pub(crate) show_sql: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Budget {
    /// Show all budgets.
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// List releases.
    List {
        /// Of this partner only.
        #[arg(long)]
        partner: Option<PartnerName>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Recompute everything; exit 6 with the first bad entry when something was changed.
    Verify,
    /// Sign the log as it is now and publish it.
    Checkpoint,
    /// Prove that an entry is in the log.
    Prove {
        /// Its index, from 0.
        entry: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Copy store, lake, keys and journal into a new folder, while the deployment is in use.
    Create {
        /// The folder; must not be there.
        folder: PathBuf,
    },
    /// Bring a copy that was put back up to its log, from the journal, and unlock it.
    Reconcile,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8420")]
    pub(crate) listen: std::net::SocketAddr,
    #[command(flatten)]
    pub(crate) pages: PageSettings,
    #[command(flatten)]
    pub(crate) mail: MailSettings,
}

/// Where people reach the consent pages.
#[derive(Debug, Args)]
pub(crate) struct PageSettings {
    /// Where people reach this service, without a slash at the end.
    #[arg(long, env = "FAIRSHARE_PUBLIC_URL", default_value = "http://127.0.0.1:8420", value_name = "URL")]
    pub(crate) public_url: String,
    /// The origin of a platform that pages may lead back to and forms may come from; repeat for several.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<Origin>,
}

/// The mail server that letters are given to. The password is read from FAIRSHARE_SMTP_PASSWORD.
#[derive(Debug, Args)]
pub(crate) struct MailSettings {
    /// The mail server; letters wait while none is named.
    #[arg(long, env = "FAIRSHARE_SMTP_HOST", value_name = "HOST")]
    pub(crate) smtp_host: Option<String>,
    /// Its port.
    #[arg(long, default_value_t = 587)]
    pub(crate) smtp_port: u16,
    /// How the connection is protected: tls, starttls or none.
    #[arg(long, default_value = "starttls", value_name = "HOW")]
    pub(crate) smtp_encryption: String,
    /// The name to sign in with.
    #[arg(long, value_name = "NAME")]
    pub(crate) smtp_user: Option<String>,
    /// Who writes: an address, or a name with one in angle brackets.
    #[arg(long, default_value = "privacy@localhost", value_name = "ADDRESS")]
    pub(crate) mail_from: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
