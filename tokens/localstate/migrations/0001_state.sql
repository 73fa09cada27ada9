-- +goose Up

-- Ordered as it is listed and trimmed: the newest of one account side by side.
CREATE TABLE live_tokens (
    account_id    BLOB NOT NULL,
    issued_at     BIGINT NOT NULL,
    jti           TEXT NOT NULL,
    expires_at    BIGINT NOT NULL,
    credential_id BLOB NOT NULL,
    client_id     TEXT NOT NULL,
    scope         TEXT NOT NULL,
    audience      TEXT NOT NULL,
    gen           BIGINT NOT NULL,
    secret_seq    BIGINT NOT NULL,
    PRIMARY KEY (account_id, issued_at, jti)
) WITHOUT ROWID;
CREATE INDEX live_tokens_expiry ON live_tokens (expires_at);

CREATE TABLE last_uses (
    account_id    BLOB NOT NULL,
    secret_id     BLOB NOT NULL,
    credential_id BLOB NOT NULL,
    used_at       BIGINT NOT NULL,
    addr          TEXT NOT NULL,
    user_agent    TEXT NOT NULL,
    PRIMARY KEY (account_id, secret_id)
) WITHOUT ROWID;
