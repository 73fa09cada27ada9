-- +goose Up

-- How client id and secrets are spelled.
ALTER TABLE credentials ADD COLUMN shape TEXT NOT NULL DEFAULT 'native';
-- The generation at which a secret was made.
ALTER TABLE secrets ADD COLUMN gen BIGINT NOT NULL DEFAULT 0;

-- Lists by cursor.
CREATE INDEX service_accounts_cursor ON service_accounts (org_id, id);
CREATE INDEX account_groups_cursor ON account_groups (org_id, id);
CREATE INDEX credentials_cursor ON credentials (account_id, id);
CREATE INDEX roles_cursor ON roles (org_id, id);

-- Whether and when an account was deleted, by its id.
CREATE INDEX tombstones_object ON tombstones (org_id, object_id);
