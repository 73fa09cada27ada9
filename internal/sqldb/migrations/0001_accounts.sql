-- +goose Up
-- Times are unix microseconds, ids canonical UUID text, sets of patterns and audiences joined by spaces.

CREATE TABLE orgs (
    id               TEXT PRIMARY KEY,
    slug             TEXT NOT NULL UNIQUE,
    name             TEXT NOT NULL,
    search_text      TEXT NOT NULL,
    default_role     TEXT NOT NULL,
    default_audience TEXT NOT NULL,
    max_accounts     BIGINT,
    account_count    BIGINT NOT NULL DEFAULT 0,
    disabled         BOOLEAN NOT NULL,
    gen              BIGINT NOT NULL,
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    created_by       TEXT NOT NULL,
    updated_at       BIGINT NOT NULL,
    updated_by       TEXT NOT NULL
);
CREATE INDEX orgs_list ON orgs (created_at, id);

CREATE TABLE org_audiences (
    audience TEXT PRIMARY KEY,
    org_id   TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE INDEX org_audiences_org ON org_audiences (org_id);

CREATE TABLE roles (
    id          TEXT PRIMARY KEY,
    org_id      TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    slug        TEXT NOT NULL,
    name        TEXT NOT NULL,
    search_text TEXT NOT NULL,
    permissions TEXT NOT NULL,
    delegable   BOOLEAN NOT NULL,
    built_in    BOOLEAN NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    updated_by  TEXT NOT NULL,
    UNIQUE (org_id, slug)
);

CREATE TABLE service_accounts (
    id             TEXT PRIMARY KEY,
    org_id         TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    slug           TEXT NOT NULL,
    name           TEXT NOT NULL,
    search_text    TEXT NOT NULL,
    description    TEXT NOT NULL,
    role           TEXT,
    scopes         TEXT NOT NULL,
    token_lifetime BIGINT NOT NULL, -- seconds
    tags           TEXT NOT NULL, -- JSON
    disabled       BOOLEAN NOT NULL,
    gen            BIGINT NOT NULL,
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    updated_at     BIGINT NOT NULL,
    updated_by     TEXT NOT NULL,
    UNIQUE (org_id, slug),
    FOREIGN KEY (org_id, role) REFERENCES roles (org_id, slug)
);
CREATE INDEX service_accounts_list ON service_accounts (org_id, created_at, id);
CREATE INDEX service_accounts_role ON service_accounts (org_id, role);

CREATE TABLE account_groups (
    id          TEXT PRIMARY KEY,
    org_id      TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    search_text TEXT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    updated_by  TEXT NOT NULL
);
CREATE INDEX account_groups_list ON account_groups (org_id, created_at, id);

CREATE TABLE group_roles (
    group_id TEXT NOT NULL REFERENCES account_groups (id) ON DELETE CASCADE,
    org_id   TEXT NOT NULL,
    role     TEXT NOT NULL,
    PRIMARY KEY (group_id, role),
    FOREIGN KEY (org_id, role) REFERENCES roles (org_id, slug)
);
CREATE INDEX group_roles_role ON group_roles (org_id, role);

CREATE TABLE group_members (
    group_id   TEXT NOT NULL REFERENCES account_groups (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, account_id)
);
CREATE INDEX group_members_account ON group_members (account_id);

CREATE TABLE credentials (
    id            TEXT PRIMARY KEY,
    account_id    TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    org_id        TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    client_id     TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    search_text   TEXT NOT NULL,
    description   TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    allowed_cidrs TEXT NOT NULL,
    expires_at    BIGINT,
    disabled      BOOLEAN NOT NULL,
    is_primary    BOOLEAN NOT NULL,
    last_seq      BIGINT NOT NULL,
    gen           BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    updated_at    BIGINT NOT NULL,
    updated_by    TEXT NOT NULL
);
CREATE INDEX credentials_list ON credentials (account_id, created_at, id);
CREATE INDEX credentials_org ON credentials (org_id);
CREATE UNIQUE INDEX credentials_primary ON credentials (account_id) WHERE is_primary;

CREATE TABLE peppers (
    number     BIGINT PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
    id            TEXT PRIMARY KEY,
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    seq           BIGINT NOT NULL,
    hash          BYTEA NOT NULL UNIQUE,
    pepper        BIGINT NOT NULL REFERENCES peppers (number),
    hint          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    UNIQUE (credential_id, seq)
);
CREATE INDEX secrets_expiry ON secrets (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX secrets_pepper ON secrets (pepper);

-- The newest use: a row per secret, and one per credential or account for what its
-- deleted secrets or credentials had.
CREATE TABLE last_uses (
    id            TEXT PRIMARY KEY,
    account_id    TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    credential_id TEXT REFERENCES credentials (id) ON DELETE CASCADE,
    used_at       BIGINT NOT NULL,
    addr          TEXT NOT NULL,
    user_agent    TEXT NOT NULL
);
CREATE INDEX last_uses_account ON last_uses (account_id);
CREATE INDEX last_uses_credential ON last_uses (credential_id);

-- Names of the dead: an org's (org_id empty) and an account's, which goes with its org.
CREATE TABLE tombstones (
    org_id     TEXT NOT NULL,
    slug       TEXT NOT NULL,
    object_id  TEXT NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, slug)
);

CREATE TABLE audit_events (
    id             TEXT PRIMARY KEY,
    time           BIGINT NOT NULL,
    type           TEXT NOT NULL,
    org_id         TEXT NOT NULL,
    org_slug       TEXT NOT NULL,
    actor          TEXT NOT NULL,
    target         TEXT NOT NULL,
    outcome        TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    source         TEXT NOT NULL
);
CREATE INDEX audit_events_org ON audit_events (org_id, id);
CREATE INDEX audit_events_actor ON audit_events (org_id, actor, id);
CREATE INDEX audit_events_target ON audit_events (org_id, target, id);

CREATE TABLE receipts (
    actor_id    TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    target      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (actor_id, key)
);
CREATE INDEX receipts_age ON receipts (created_at);
CREATE INDEX receipts_org ON receipts (org_id);
