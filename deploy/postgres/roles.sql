-- Makes the role and the database of Signet. Run it once with psql as a superuser; the password is
-- in the file that PASSWORD_FILE names:
--
--   PASSWORD_FILE=password psql -f roles.sql postgres
--
-- The role owns the database and nothing else, and migrates the schema itself.
\set ON_ERROR_STOP on
\set password `cat "$PASSWORD_FILE"`
CREATE ROLE signet LOGIN PASSWORD :'password';
CREATE DATABASE signet OWNER signet TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE signet FROM PUBLIC;
