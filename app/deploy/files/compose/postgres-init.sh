#!/bin/sh
# Runs once, when the database is made: a role that owns Carillon's database and is no superuser.
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" -v password="$CARILLON_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE carillon LOGIN PASSWORD :'password';
CREATE DATABASE carillon OWNER carillon;
SQL
