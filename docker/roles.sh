#!/bin/sh
# Run once by the PostgreSQL image, as its superuser, when the cluster is made: who owns Mitra's tables, and as whom it runs.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$OWNER_PASSWORD" --username postgres --dbname postgres <<'SQL'
CREATE ROLE mitra_owner LOGIN PASSWORD :'password';
CREATE ROLE mitra_service NOLOGIN;
GRANT mitra_service TO mitra_owner;
CREATE DATABASE mitra OWNER mitra_owner;
SQL
