-- +goose Up

CREATE TABLE key_set (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO key_set (id, version) VALUES (1, 0);

-- A removed key stays as a row without its private part, so that no kid comes back.
CREATE TABLE signing_keys (
    kid          TEXT PRIMARY KEY,
    purpose      TEXT NOT NULL,
    alg          TEXT NOT NULL,
    state        TEXT NOT NULL,
    public       BYTEA NOT NULL,
    sealed       BYTEA,
    prepared_at  BIGINT NOT NULL,
    ripe_at      BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    remove_at    BIGINT,
    longest      BIGINT NOT NULL,
    max_age      BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (purpose) WHERE state = 'active';
CREATE INDEX signing_keys_list ON signing_keys (prepared_at, kid) WHERE state <> 'removed';

CREATE TABLE revoked_tokens (
    jti        TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, jti)
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);
