-- What an API key may do, until when and from where, and its latest requests.

-- +goose Up
ALTER TABLE keys ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;    -- 0 = never
ALTER TABLE keys ADD COLUMN networks TEXT NOT NULL DEFAULT '';       -- CIDRs separated by blanks; empty = every address
ALTER TABLE keys ADD COLUMN only_devices TEXT NOT NULL DEFAULT '';   -- device ids separated by blanks
ALTER TABLE keys ADD COLUMN only_people TEXT NOT NULL DEFAULT '';    -- people's references; empty, like only_devices = every device
ALTER TABLE keys ADD COLUMN made_by BLOB NOT NULL DEFAULT x'';       -- the user; empty = nobody in the console
ALTER TABLE keys ADD COLUMN maker TEXT NOT NULL DEFAULT '';          -- that user's name on that day
ALTER TABLE keys ADD COLUMN replaced_by BLOB NOT NULL DEFAULT x'';   -- the key that a rotation made
ALTER TABLE keys ADD COLUMN last_ip TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN last_client TEXT NOT NULL DEFAULT '';    -- its User-Agent

-- The latest 100 of each key.
CREATE TABLE key_requests (
	tenant_id  BLOB   NOT NULL,
	key_id     BLOB   NOT NULL,
	at         BIGINT NOT NULL,
	request_id TEXT   NOT NULL,
	method     TEXT   NOT NULL,
	route      TEXT   NOT NULL, -- the pattern, such as /v1/rings/:id
	status     BIGINT NOT NULL,
	ip         TEXT   NOT NULL,
	took       BIGINT NOT NULL, -- microseconds
	PRIMARY KEY (tenant_id, key_id, at, request_id),
	FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;

-- +goose Down
DROP TABLE key_requests;
ALTER TABLE keys DROP COLUMN last_client;
ALTER TABLE keys DROP COLUMN last_ip;
ALTER TABLE keys DROP COLUMN replaced_by;
ALTER TABLE keys DROP COLUMN maker;
ALTER TABLE keys DROP COLUMN made_by;
ALTER TABLE keys DROP COLUMN only_people;
ALTER TABLE keys DROP COLUMN only_devices;
ALTER TABLE keys DROP COLUMN networks;
ALTER TABLE keys DROP COLUMN expires_at;
