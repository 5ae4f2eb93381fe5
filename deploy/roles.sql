-- The roles of docs/settings.md, for the database container of compose.yaml. Change the passwords.
CREATE ROLE unsprawl_app NOLOGIN;
CREATE ROLE unsprawl_owner LOGIN PASSWORD 'change-me';
CREATE ROLE unsprawl_web LOGIN PASSWORD 'change-me' IN ROLE unsprawl_app;
CREATE ROLE unsprawl_sequencer LOGIN PASSWORD 'change-me' IN ROLE pg_read_all_stats;
CREATE DATABASE unsprawl OWNER unsprawl_owner;
