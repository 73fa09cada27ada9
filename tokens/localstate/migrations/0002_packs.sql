-- +goose Up

DROP TABLE live_tokens;

-- Records of one account that were written together and differ in id and times alone: to
-- insert a row for each costs more than to sign the token. Short columns come first, so
-- that trimming and sweeping do not read the long one.
CREATE TABLE live_packs (
    id            INTEGER PRIMARY KEY,
    account_id    BLOB NOT NULL,
    oldest        BIGINT NOT NULL,
    newest        BIGINT NOT NULL,
    records       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    credential_id BLOB NOT NULL,
    client_id     TEXT NOT NULL,
    scope         TEXT NOT NULL,
    audience      TEXT NOT NULL,
    gen           BIGINT NOT NULL,
    secret_seq    BIGINT NOT NULL,
    stubs         TEXT NOT NULL
);
CREATE INDEX live_packs_age ON live_packs (account_id, newest);
CREATE INDEX live_packs_expiry ON live_packs (expires_at);
