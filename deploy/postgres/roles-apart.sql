-- Makes two roles instead of one: signet_owner migrates the schema, and signet, which the servers
-- use, may change no table. Run it once with psql as a superuser:
--
--   OWNER_PASSWORD_FILE=owner_password PASSWORD_FILE=password psql -f roles-apart.sql postgres
--
-- Then run "signet migrate" as signet_owner before each new version, and the servers with
-- SIGNET_MIGRATE_AT_START=false.
\set ON_ERROR_STOP on
\set owner_password `cat "$OWNER_PASSWORD_FILE"`
\set password `cat "$PASSWORD_FILE"`
CREATE ROLE signet_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE signet LOGIN PASSWORD :'password';
CREATE DATABASE signet OWNER signet_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE signet FROM PUBLIC;
GRANT CONNECT ON DATABASE signet TO signet;
\connect signet
GRANT USAGE ON SCHEMA public TO signet;
ALTER DEFAULT PRIVILEGES FOR ROLE signet_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO signet;
