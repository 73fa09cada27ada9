-- After the first "signet migrate" with the roles of roles-apart.sql, as signet_owner: whoever takes
-- over a server can write no audit event over, and not pretend to another version of the schema.
\set ON_ERROR_STOP on
REVOKE UPDATE, DELETE ON audit_events FROM signet;
REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM signet;
