-- Recorded tables: every row has one audit entry written in the same transaction, and never changes.
-- Projections (marked P) can be rebuilt from them; `audit verify` does so and compares.

CREATE TABLE counter (            -- P: locked in the transaction that takes a number, hence without gaps
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) VALUES ('consent', 0), ('subject', 0), ('source', 0), ('settled', 0);

CREATE TABLE deployment (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    origin    TEXT NOT NULL,
    rho_cap   INTEGER NOT NULL,
    delta_cap INTEGER NOT NULL,
    subject_rho_cap   INTEGER NOT NULL,   -- of everybody who has chosen no cap, per year
    subject_delta_cap INTEGER NOT NULL,
    snapshot_clock    TEXT NOT NULL,      -- when new data become visible
    at        TEXT NOT NULL
) STRICT;

CREATE TABLE reconciliation (         -- an older copy of the store was brought up to its log
    id          INTEGER PRIMARY KEY,
    first_entry INTEGER NOT NULL,     -- entries from this one on were put back from the journal
    end_entry   INTEGER NOT NULL,     -- and before this one; what their rows alone do not tell is lost
    at          TEXT NOT NULL
) STRICT;

CREATE TABLE import (
    id            INTEGER PRIMARY KEY,
    sources       TEXT NOT NULL,      -- JSON: number, kind, platform, hash, parser and counts of each source
    named         BLOB NOT NULL,      -- bitmap of the ids that the sources name
    snapshot_id   INTEGER,            -- the lake snapshot that was made, if anything changed
    people_sha256 TEXT NOT NULL,      -- over this import's rows of account and subject_fact
    at            TEXT NOT NULL
) STRICT;

CREATE TABLE import_undo (            -- what such an import told counts no more
    id          INTEGER PRIMARY KEY,
    import_id   INTEGER NOT NULL UNIQUE REFERENCES import (id),
    snapshot_id INTEGER,              -- the lake snapshot without its rows, if there were any
    at          TEXT NOT NULL
) STRICT;

CREATE TABLE snapshot (               -- releases look at the newest row whose time has come; imports build on the newest of all
    id           INTEGER PRIMARY KEY,
    cause        TEXT NOT NULL,
    manifest     TEXT NOT NULL,       -- JSON: names, sizes and hashes of files
    visible_from TEXT NOT NULL,
    at           TEXT NOT NULL
) STRICT;

CREATE TABLE source_path (            -- where the operator found a source; a name can tell whose it is
    number     INTEGER PRIMARY KEY,
    path       TEXT NOT NULL,
    subject_id INTEGER                -- whose, when it is one person's
) STRICT;

CREATE TABLE account (
    platform   TEXT NOT NULL,
    native_id  TEXT NOT NULL,         -- the keyed hash of it, of a third party
    pseudonym  INTEGER NOT NULL CHECK (pseudonym IN (0, 1)),  -- 1: a third party, who never enrolled
    handle     TEXT,
    subject_id INTEGER NOT NULL,
    import_id  INTEGER NOT NULL REFERENCES import (id) DEFERRABLE INITIALLY DEFERRED,
    -- Beside rows with numbers: the other indexes would hold the whole key again.
    PRIMARY KEY (platform, native_id, pseudonym)
) STRICT;
CREATE INDEX account_by_subject ON account (subject_id);
CREATE INDEX account_by_handle ON account (handle) WHERE handle IS NOT NULL;
CREATE INDEX account_by_import ON account (import_id);

CREATE TABLE subject_fact (           -- what an import told about a person; the newest word on each counts
    import_id  INTEGER NOT NULL REFERENCES import (id) DEFERRABLE INITIALLY DEFERRED,
    subject_id INTEGER NOT NULL,
    age_band   TEXT NOT NULL,
    country    TEXT,
    region     TEXT,
    PRIMARY KEY (import_id, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_fact_by_subject ON subject_fact (subject_id);

CREATE TABLE lost_word (              -- P: an import told something of a person that a restore lost; what was told before counts no more
    import_id  INTEGER NOT NULL REFERENCES import (id) DEFERRABLE INITIALLY DEFERRED,
    subject_id INTEGER NOT NULL,
    PRIMARY KEY (import_id, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lost_word_by_subject ON lost_word (subject_id);

CREATE TABLE subject (                -- P
    subject_id INTEGER PRIMARY KEY,
    status     TEXT NOT NULL,
    age_band   TEXT NOT NULL,
    country    TEXT,
    region     TEXT,
    salt       BLOB,                  -- of this person's lines; goes with them
    merged_into INTEGER               -- the id under which this person is counted, if another
) STRICT;
CREATE INDEX subject_merged ON subject (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE identity_act (           -- two ids are one person's, or are not after all
    id          INTEGER PRIMARY KEY,
    act         TEXT NOT NULL,
    keep_id     INTEGER NOT NULL REFERENCES subject (subject_id),
    other_id    INTEGER NOT NULL REFERENCES subject (subject_id),
    evidence    TEXT NOT NULL,        -- salted digest of the evidence
    losses      TEXT NOT NULL,        -- keyed commitment to what somebody lost more by it
    settled     INTEGER NOT NULL,     -- the releases that were settled before it
    snapshot_id INTEGER,              -- the lake snapshot in which the rows moved, if there were any
    at          TEXT NOT NULL
) STRICT;

CREATE TABLE identity_evidence (      -- the words; they go with either of the people
    act_id INTEGER PRIMARY KEY REFERENCES identity_act (id) DEFERRABLE INITIALLY DEFERRED,
    salt   BLOB NOT NULL,
    text   TEXT NOT NULL
) STRICT;

CREATE TABLE identity_loss (          -- what an id lost more in a year by an act, encrypted
    act_id     INTEGER PRIMARY KEY REFERENCES identity_act (id) DEFERRABLE INITIALLY DEFERRED,
    year       INTEGER NOT NULL,
    subject_id INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;
CREATE INDEX identity_loss_by_year ON identity_loss (year);

CREATE TABLE staff_read (             -- somebody looked at a person's rows; never what they saw
    id         INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subject (subject_id),
    what       TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE contact_act (            -- how a person is reached was written down, or taken out again
    id         INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subject (subject_id),
    source     TEXT NOT NULL,
    contact    TEXT,                  -- salted digest of the address and language; empty when it was taken out
    at         TEXT NOT NULL
) STRICT;
CREATE INDEX contact_act_by_subject ON contact_act (subject_id);

CREATE TABLE contact_address (        -- the address; it goes with the person, or when another takes its place
    act_id     INTEGER PRIMARY KEY REFERENCES contact_act (id) DEFERRABLE INITIALLY DEFERRED,
    subject_id INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    address    TEXT NOT NULL,
    language   TEXT
) STRICT;
CREATE INDEX contact_address_by_subject ON contact_address (subject_id);

CREATE TABLE mail (                   -- letters that wait, and that they went: work to do, and no evidence of anything
    id         INTEGER PRIMARY KEY,
    mail_key   TEXT NOT NULL UNIQUE,  -- keyed hash of what makes it this letter, so that it is queued once
    kind       TEXT NOT NULL,
    subject_id INTEGER NOT NULL,      -- about whom
    notice     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    language   TEXT NOT NULL,
    address    TEXT,                  -- of a parent, until it is sent or given up; a person's own is looked up
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_at     TEXT NOT NULL,
    why        TEXT,                  -- it was given up
    at         TEXT NOT NULL
) STRICT;
CREATE INDEX mail_due ON mail (due_at) WHERE state = 'queued';
CREATE INDEX mail_by_subject ON mail (subject_id);

CREATE TABLE erased_line (            -- what is left of a line about an erased person
    import_id INTEGER NOT NULL REFERENCES import (id),
    digest    BLOB NOT NULL,
    PRIMARY KEY (import_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE partner_table (          -- a partner's own rows; whose they are, only the lake knows
    id              INTEGER PRIMARY KEY,
    partner         TEXT NOT NULL,
    name            TEXT NOT NULL,
    columns         TEXT NOT NULL,    -- as declared: JSON
    rows_per_person INTEGER NOT NULL,
    sha256          TEXT NOT NULL,    -- of the file
    rows            INTEGER NOT NULL, -- that were read, matched or not
    replaces        INTEGER,
    snapshot_id     INTEGER NOT NULL REFERENCES snapshot (id) DEFERRABLE INITIALLY DEFERRED,
    at              TEXT NOT NULL
) STRICT;

CREATE TABLE partner_table_deletion (
    id       INTEGER PRIMARY KEY,
    table_id INTEGER NOT NULL UNIQUE,
    at       TEXT NOT NULL
) STRICT;

CREATE TABLE erasure (
    id         INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL UNIQUE,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE erasure_pending (        -- P: erased people whose rows are still in files of the lake
    subject_id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE party (                  -- who the controller, or a partner, is; the newest row of each counts
    id      INTEGER PRIMARY KEY,
    partner TEXT,                     -- empty: the controller
    details TEXT NOT NULL,            -- JSON: legal name, address and how they are reached
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE notice (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    language TEXT NOT NULL,           -- its own; texts in others are translations
    purposes TEXT NOT NULL,
    partners TEXT NOT NULL,
    open_classes TEXT NOT NULL,       -- JSON: classes of recipients that it names as open to whoever joins them
    scopes   TEXT NOT NULL,           -- JSON: which data
    particulars TEXT NOT NULL,        -- JSON: retention, storage and where rights are used
    changed  TEXT NOT NULL,           -- JSON: what earlier versions asked and this one asks otherwise: recipient and purpose
    shown_from TEXT NOT NULL,         -- when people were shown it first: no yes to it is older
    at       TEXT NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE notice_text (            -- the words of a version in one language
    id        INTEGER PRIMARY KEY,
    notice    TEXT NOT NULL,
    version   INTEGER NOT NULL,
    language  TEXT NOT NULL COLLATE NOCASE,
    title     TEXT NOT NULL,
    text      TEXT NOT NULL,
    sentences TEXT NOT NULL,          -- JSON: by purpose, what is asked
    retention TEXT,
    withdrawal TEXT,
    sha256    TEXT NOT NULL,          -- over all the words
    at        TEXT NOT NULL,
    UNIQUE (notice, version, language),
    FOREIGN KEY (notice, version) REFERENCES notice (name, version)
) STRICT;

CREATE TABLE notice_served (          -- who was shown which
    id         INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subject (subject_id),
    notice     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    language   TEXT NOT NULL,
    how        TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;
CREATE INDEX notice_served_by_subject ON notice_served (subject_id, notice);

CREATE TABLE notice_floor (           -- P: a yes to an older version than this must be asked again
    notice    TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    recipient TEXT NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (notice, purpose, recipient)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_event (
    id             INTEGER PRIMARY KEY,   -- the sequence number
    subject_id     INTEGER NOT NULL REFERENCES subject (subject_id),
    recipient      TEXT NOT NULL,         -- a partner, or class:NAME
    purpose        TEXT NOT NULL,
    scope          TEXT NOT NULL,
    at             TEXT NOT NULL,         -- when it happened; with sequence and action the order that counts
    sequence       INTEGER NOT NULL,
    action         TEXT NOT NULL,
    actor          TEXT NOT NULL,
    method         TEXT NOT NULL,
    strength       INTEGER NOT NULL,
    notice         TEXT NOT NULL,
    notice_version INTEGER NOT NULL,
    language       TEXT NOT NULL,
    evidence       TEXT,                  -- SHA-256 of what proves it
    valid_until    TEXT,
    recorded_at    TEXT NOT NULL,
    previous       INTEGER                -- the event before of the same key: the way back from its state
) STRICT;

CREATE TABLE consent_state (          -- P: where the consent of each key stands, the clock apart; times are microseconds since 1970
    subject_id     INTEGER NOT NULL,
    purpose        TEXT NOT NULL,
    recipient      TEXT NOT NULL,
    scope          TEXT NOT NULL,
    state          TEXT NOT NULL,
    at             INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    action         TEXT NOT NULL,
    given          TEXT,                  -- JSON: the order of the newest yes
    ended          TEXT,                  -- JSON: the order of the newest end
    strength       INTEGER NOT NULL,
    valid_until    INTEGER,
    refused_at     INTEGER,
    notice         TEXT NOT NULL,
    notice_version INTEGER NOT NULL,
    last_event     INTEGER NOT NULL,      -- the event that was recorded last: the way from a person to the ledger
    PRIMARY KEY (subject_id, purpose, recipient, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_state_ends ON consent_state (valid_until) WHERE valid_until IS NOT NULL;

CREATE TABLE limit_event (            -- opt-outs, objections and restrictions
    id          INTEGER PRIMARY KEY,
    subject_id  INTEGER NOT NULL REFERENCES subject (subject_id),
    kind        TEXT NOT NULL,
    purpose     TEXT,                     -- every purpose when none is named
    partner     TEXT,                     -- every partner when none is named
    at          TEXT NOT NULL,
    act         TEXT NOT NULL,
    actor       TEXT NOT NULL,
    source      TEXT NOT NULL,
    two_step    INTEGER NOT NULL CHECK (two_step IN (0, 1)),
    evidence    TEXT,                     -- SHA-256 of the signal or of what proves it
    recorded_at TEXT NOT NULL
) STRICT;
CREATE INDEX limit_event_by_subject ON limit_event (subject_id);

CREATE TABLE limit_state (            -- P: the limits that hold
    subject_id INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    purpose    TEXT NOT NULL,             -- empty: every purpose
    partner    TEXT NOT NULL,             -- empty: every partner
    PRIMARY KEY (subject_id, kind, purpose, partner)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_pack_act (
    id      INTEGER PRIMARY KEY,
    pack    TEXT NOT NULL,
    version INTEGER NOT NULL,
    act     TEXT NOT NULL,
    by      TEXT NOT NULL,                -- who did it; an approval is by somebody else
    text    TEXT,                         -- the pack, of the act that brought it
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE permitted_basis (        -- P: the law and the time by which the permitted sets are right
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    law   INTEGER NOT NULL,               -- the last act on rule packs that they know
    until TEXT NOT NULL,                  -- the day on which the law changes by itself
    as_of TEXT NOT NULL                   -- consents that ended by then have ended in them
) STRICT;

CREATE TABLE permitted_chunk (        -- P: whom a partner may count for a purpose, 4,096 people a row
    partner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    chunk   INTEGER NOT NULL,
    bits    BLOB NOT NULL,                -- which bitmap each part of the data has, and the bitmaps, each once
    PRIMARY KEY (partner, purpose, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE partner_act (
    id         INTEGER PRIMARY KEY,
    partner    TEXT NOT NULL,
    act        TEXT NOT NULL,
    legal_name TEXT,                  -- of an `add`, like the class and the caps
    class      TEXT,
    rho_cap    INTEGER,
    delta_cap  INTEGER,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE creator_act (            -- an account may be named in public, or may not be any more
    id          INTEGER PRIMARY KEY,
    creator     INTEGER NOT NULL,     -- its number, under a key
    act         TEXT NOT NULL,
    platform    TEXT,                 -- of an `add`, like the category and the details
    category    TEXT,
    basis       TEXT NOT NULL,        -- why it may be named, or why not any more
    details     TEXT,                 -- keyed commitment to its name, account and evidence
    counts_from TEXT NOT NULL,        -- the tick from which on questions know it
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX creator_act_by_creator ON creator_act (creator);

CREATE TABLE creator_name (           -- P: whoever is listed; gone when they are not any more
    act_id    INTEGER PRIMARY KEY REFERENCES creator_act (id) DEFERRABLE INITIALLY DEFERRED,
    native_id TEXT NOT NULL,
    pseudonym TEXT NOT NULL,          -- the keyed hash under which streams know the account
    name      TEXT NOT NULL,
    evidence  TEXT NOT NULL
) STRICT;

CREATE TABLE agreement_act (
    id        INTEGER PRIMARY KEY,
    agreement TEXT NOT NULL,
    act       TEXT NOT NULL,
    terms     TEXT,                   -- JSON, of an `add`
    at        TEXT NOT NULL
) STRICT;

CREATE TABLE budget_counter (         -- P: spent never falls
    scope       TEXT PRIMARY KEY,
    rho_cap     INTEGER NOT NULL,
    rho_spent   INTEGER NOT NULL DEFAULT 0 CHECK (rho_spent >= 0 AND rho_spent <= rho_cap),
    delta_cap   INTEGER NOT NULL,
    delta_spent INTEGER NOT NULL DEFAULT 0 CHECK (delta_spent >= 0 AND delta_spent <= delta_cap)
) STRICT;

CREATE TABLE release_reservation (
    id          INTEGER PRIMARY KEY,
    release     TEXT NOT NULL UNIQUE,
    partner     TEXT NOT NULL,
    agreement   TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    release_key TEXT NOT NULL,        -- hash of partner, agreement, purpose, plan, ρ and day
    plan        TEXT NOT NULL,
    rho         INTEGER NOT NULL,
    delta       INTEGER NOT NULL,
    budget_window TEXT NOT NULL,
    consent_seq INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    at          TEXT NOT NULL
) STRICT;

CREATE TABLE release_outcome (
    id      INTEGER PRIMARY KEY,
    release TEXT NOT NULL UNIQUE REFERENCES release_reservation (release),
    outcome TEXT NOT NULL,            -- answered or abandoned
    answer  TEXT,                     -- JSON of the noisy table
    settled INTEGER NOT NULL UNIQUE,  -- its place in the order of settlements, from 1, without gaps
    participants TEXT NOT NULL,       -- keyed commitment to the set of people who are charged
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE release_redelivery (
    id      INTEGER PRIMARY KEY,
    release TEXT NOT NULL REFERENCES release_outcome (release),
    at      TEXT NOT NULL
) STRICT;

CREATE TABLE release_current (        -- P: the releases that can answer a question today
    release_key TEXT NOT NULL,
    release     TEXT NOT NULL,
    PRIMARY KEY (release_key, release)
) STRICT, WITHOUT ROWID;

CREATE TABLE cap_choice (             -- how much a person may lose per year, as they chose
    id         INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subject (subject_id),
    rho_cap    INTEGER NOT NULL,
    delta_cap  INTEGER NOT NULL,
    method     TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE subject_cap (            -- P: the newest choice of each
    subject_id INTEGER PRIMARY KEY,
    rho_cap    INTEGER NOT NULL,
    delta_cap  INTEGER NOT NULL
) STRICT;

CREATE TABLE participant_set (        -- whom a release charges, encrypted
    release TEXT PRIMARY KEY REFERENCES release_reservation (release),
    year    INTEGER NOT NULL,
    settled INTEGER UNIQUE,           -- empty while in flight, when the set is everybody eligible
    folded  INTEGER NOT NULL DEFAULT 0 CHECK (folded IN (0, 1)),
    sealed  BLOB                      -- empty once its retention has ended
) STRICT;
CREATE INDEX participant_set_by_year ON participant_set (year, folded);

CREATE TABLE loss_chunk (             -- P: what people lost in folded releases, 65,536 people a row, encrypted
    year   INTEGER NOT NULL,
    chunk  INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (year, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_entry (
    id   INTEGER PRIMARY KEY,         -- the index in the log, from 0
    salt BLOB NOT NULL,
    body TEXT NOT NULL,
    leaf BLOB NOT NULL
) STRICT;

CREATE TABLE audit_tree (             -- P: the right edge of the tree
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    frontier BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER deployment_never_changes BEFORE UPDATE ON deployment BEGIN SELECT RAISE(ABORT, 'deployment is append-only'); END;
CREATE TRIGGER deployment_never_goes BEFORE DELETE ON deployment BEGIN SELECT RAISE(ABORT, 'deployment is append-only'); END;

CREATE TRIGGER reconciliation_never_changes BEFORE UPDATE ON reconciliation BEGIN SELECT RAISE(ABORT, 'reconciliation is append-only'); END;
CREATE TRIGGER reconciliation_never_goes BEFORE DELETE ON reconciliation BEGIN SELECT RAISE(ABORT, 'reconciliation is append-only'); END;

CREATE TRIGGER import_never_changes BEFORE UPDATE ON import BEGIN SELECT RAISE(ABORT, 'import is append-only'); END;
CREATE TRIGGER import_never_goes BEFORE DELETE ON import BEGIN SELECT RAISE(ABORT, 'import is append-only'); END;

CREATE TRIGGER import_undo_never_changes BEFORE UPDATE ON import_undo BEGIN SELECT RAISE(ABORT, 'import_undo is append-only'); END;
CREATE TRIGGER import_undo_never_goes BEFORE DELETE ON import_undo BEGIN SELECT RAISE(ABORT, 'import_undo is append-only'); END;

CREATE TRIGGER identity_act_never_changes BEFORE UPDATE ON identity_act BEGIN SELECT RAISE(ABORT, 'identity_act is append-only'); END;
CREATE TRIGGER identity_act_never_goes BEFORE DELETE ON identity_act BEGIN SELECT RAISE(ABORT, 'identity_act is append-only'); END;

CREATE TRIGGER identity_loss_never_changes BEFORE UPDATE ON identity_loss BEGIN SELECT RAISE(ABORT, 'identity_loss is append-only'); END;
CREATE TRIGGER identity_loss_never_goes BEFORE DELETE ON identity_loss BEGIN SELECT RAISE(ABORT, 'identity_loss is append-only'); END;

CREATE TRIGGER staff_read_never_changes BEFORE UPDATE ON staff_read BEGIN SELECT RAISE(ABORT, 'staff_read is append-only'); END;
CREATE TRIGGER staff_read_never_goes BEFORE DELETE ON staff_read BEGIN SELECT RAISE(ABORT, 'staff_read is append-only'); END;

CREATE TRIGGER identity_evidence_never_changes BEFORE UPDATE ON identity_evidence BEGIN SELECT RAISE(ABORT, 'identity_evidence is append-only'); END;
CREATE TRIGGER identity_evidence_goes_with_a_person BEFORE DELETE ON identity_evidence WHEN NOT EXISTS (SELECT 1 FROM identity_act a JOIN subject s ON s.subject_id IN (a.keep_id, a.other_id) WHERE a.id = OLD.act_id AND s.status = 'erased') BEGIN SELECT RAISE(ABORT, 'identity_evidence goes only with one of its people'); END;

CREATE TRIGGER account_never_changes BEFORE UPDATE ON account BEGIN SELECT RAISE(ABORT, 'account is append-only'); END;
CREATE TRIGGER account_goes_with_its_person BEFORE DELETE ON account WHEN (SELECT status FROM subject s WHERE s.subject_id = OLD.subject_id) <> 'erased' BEGIN SELECT RAISE(ABORT, 'account goes only with its person'); END;

CREATE TRIGGER subject_fact_never_changes BEFORE UPDATE ON subject_fact BEGIN SELECT RAISE(ABORT, 'subject_fact is append-only'); END;
CREATE TRIGGER subject_fact_goes_with_its_person BEFORE DELETE ON subject_fact WHEN (SELECT status FROM subject s WHERE s.subject_id = OLD.subject_id) <> 'erased' BEGIN SELECT RAISE(ABORT, 'subject_fact goes only with its person'); END;

CREATE TRIGGER snapshot_never_changes BEFORE UPDATE ON snapshot BEGIN SELECT RAISE(ABORT, 'snapshot is append-only'); END;
CREATE TRIGGER snapshot_never_goes BEFORE DELETE ON snapshot BEGIN SELECT RAISE(ABORT, 'snapshot is append-only'); END;

CREATE TRIGGER erasure_never_changes BEFORE UPDATE ON erasure BEGIN SELECT RAISE(ABORT, 'erasure is append-only'); END;
CREATE TRIGGER erasure_never_goes BEFORE DELETE ON erasure BEGIN SELECT RAISE(ABORT, 'erasure is append-only'); END;

CREATE TRIGGER partner_table_never_changes BEFORE UPDATE ON partner_table BEGIN SELECT RAISE(ABORT, 'partner_table is append-only'); END;
CREATE TRIGGER partner_table_never_goes BEFORE DELETE ON partner_table BEGIN SELECT RAISE(ABORT, 'partner_table is append-only'); END;

CREATE TRIGGER partner_table_deletion_never_changes BEFORE UPDATE ON partner_table_deletion BEGIN SELECT RAISE(ABORT, 'partner_table_deletion is append-only'); END;
CREATE TRIGGER partner_table_deletion_never_goes BEFORE DELETE ON partner_table_deletion BEGIN SELECT RAISE(ABORT, 'partner_table_deletion is append-only'); END;

CREATE TRIGGER notice_never_changes BEFORE UPDATE ON notice BEGIN SELECT RAISE(ABORT, 'notice is append-only'); END;
CREATE TRIGGER notice_never_goes BEFORE DELETE ON notice BEGIN SELECT RAISE(ABORT, 'notice is append-only'); END;

CREATE TRIGGER consent_event_never_changes BEFORE UPDATE ON consent_event BEGIN SELECT RAISE(ABORT, 'consent_event is append-only'); END;
CREATE TRIGGER consent_event_never_goes BEFORE DELETE ON consent_event BEGIN SELECT RAISE(ABORT, 'consent_event is append-only'); END;

CREATE TRIGGER partner_act_never_changes BEFORE UPDATE ON partner_act BEGIN SELECT RAISE(ABORT, 'partner_act is append-only'); END;
CREATE TRIGGER partner_act_never_goes BEFORE DELETE ON partner_act BEGIN SELECT RAISE(ABORT, 'partner_act is append-only'); END;

CREATE TRIGGER creator_act_never_changes BEFORE UPDATE ON creator_act BEGIN SELECT RAISE(ABORT, 'creator_act is append-only'); END;
CREATE TRIGGER creator_act_never_goes BEFORE DELETE ON creator_act BEGIN SELECT RAISE(ABORT, 'creator_act is append-only'); END;
CREATE TRIGGER creator_name_never_changes BEFORE UPDATE ON creator_name BEGIN SELECT RAISE(ABORT, 'creator_name is append-only'); END;
CREATE TRIGGER creator_name_goes_with_its_listing BEFORE DELETE ON creator_name WHEN NOT EXISTS (SELECT 1 FROM creator_act a JOIN creator_act w ON w.creator = a.creator AND w.id > a.id AND w.act = 'withdraw' WHERE a.id = OLD.act_id) BEGIN SELECT RAISE(ABORT, 'creator_name goes only with its listing'); END;

CREATE TRIGGER agreement_act_never_changes BEFORE UPDATE ON agreement_act BEGIN SELECT RAISE(ABORT, 'agreement_act is append-only'); END;
CREATE TRIGGER agreement_act_never_goes BEFORE DELETE ON agreement_act BEGIN SELECT RAISE(ABORT, 'agreement_act is append-only'); END;

CREATE TRIGGER release_reservation_never_changes BEFORE UPDATE ON release_reservation BEGIN SELECT RAISE(ABORT, 'release_reservation is append-only'); END;
CREATE TRIGGER release_reservation_never_goes BEFORE DELETE ON release_reservation BEGIN SELECT RAISE(ABORT, 'release_reservation is append-only'); END;

CREATE TRIGGER release_outcome_never_changes BEFORE UPDATE ON release_outcome BEGIN SELECT RAISE(ABORT, 'release_outcome is append-only'); END;
CREATE TRIGGER release_outcome_never_goes BEFORE DELETE ON release_outcome BEGIN SELECT RAISE(ABORT, 'release_outcome is append-only'); END;

CREATE TRIGGER release_redelivery_never_changes BEFORE UPDATE ON release_redelivery BEGIN SELECT RAISE(ABORT, 'release_redelivery is append-only'); END;
CREATE TRIGGER release_redelivery_never_goes BEFORE DELETE ON release_redelivery BEGIN SELECT RAISE(ABORT, 'release_redelivery is append-only'); END;

CREATE TRIGGER cap_choice_never_changes BEFORE UPDATE ON cap_choice BEGIN SELECT RAISE(ABORT, 'cap_choice is append-only'); END;
CREATE TRIGGER cap_choice_never_goes BEFORE DELETE ON cap_choice BEGIN SELECT RAISE(ABORT, 'cap_choice is append-only'); END;

CREATE TRIGGER participant_set_never_goes BEFORE DELETE ON participant_set BEGIN SELECT RAISE(ABORT, 'participant_set is kept, its content is not'); END;

CREATE TRIGGER audit_entry_never_changes BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_never_goes BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;

CREATE TRIGGER checkpoint_never_changes BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;
CREATE TRIGGER checkpoint_never_goes BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;

CREATE TRIGGER limit_event_never_changes BEFORE UPDATE ON limit_event BEGIN SELECT RAISE(ABORT, 'limit_event is append-only'); END;
CREATE TRIGGER limit_event_never_goes BEFORE DELETE ON limit_event BEGIN SELECT RAISE(ABORT, 'limit_event is append-only'); END;

CREATE TRIGGER rule_pack_act_never_changes BEFORE UPDATE ON rule_pack_act BEGIN SELECT RAISE(ABORT, 'rule_pack_act is append-only'); END;
CREATE TRIGGER rule_pack_act_never_goes BEFORE DELETE ON rule_pack_act BEGIN SELECT RAISE(ABORT, 'rule_pack_act is append-only'); END;

CREATE TRIGGER party_never_changes BEFORE UPDATE ON party BEGIN SELECT RAISE(ABORT, 'party is append-only'); END;
CREATE TRIGGER party_never_goes BEFORE DELETE ON party BEGIN SELECT RAISE(ABORT, 'party is append-only'); END;

CREATE TRIGGER notice_text_never_changes BEFORE UPDATE ON notice_text BEGIN SELECT RAISE(ABORT, 'notice_text is append-only'); END;
CREATE TRIGGER notice_text_never_goes BEFORE DELETE ON notice_text BEGIN SELECT RAISE(ABORT, 'notice_text is append-only'); END;

CREATE TRIGGER notice_served_never_changes BEFORE UPDATE ON notice_served BEGIN SELECT RAISE(ABORT, 'notice_served is append-only'); END;
CREATE TRIGGER notice_served_never_goes BEFORE DELETE ON notice_served BEGIN SELECT RAISE(ABORT, 'notice_served is append-only'); END;

CREATE TRIGGER contact_act_never_changes BEFORE UPDATE ON contact_act BEGIN SELECT RAISE(ABORT, 'contact_act is append-only'); END;
CREATE TRIGGER contact_act_never_goes BEFORE DELETE ON contact_act BEGIN SELECT RAISE(ABORT, 'contact_act is append-only'); END;

CREATE TRIGGER contact_address_never_changes BEFORE UPDATE ON contact_address BEGIN SELECT RAISE(ABORT, 'contact_address is append-only'); END;
CREATE TRIGGER contact_address_goes_with_its_person BEFORE DELETE ON contact_address WHEN (SELECT status FROM subject s WHERE s.subject_id = OLD.subject_id) <> 'erased' AND NOT EXISTS (SELECT 1 FROM contact_act a WHERE a.subject_id = OLD.subject_id AND a.id > OLD.act_id) BEGIN SELECT RAISE(ABORT, 'contact_address goes only with its person, or when another takes its place'); END;
