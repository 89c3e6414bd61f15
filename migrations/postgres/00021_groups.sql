-- Groups of persons who are rung together, their hours, and the consents of persons.

-- +goose Up

CREATE TABLE ring_groups (
	tenant_id   UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id          UUID   NOT NULL,
	name        TEXT   NOT NULL,
	way         TEXT   NOT NULL,
	step_s      BIGINT NOT NULL, -- how long each step rings
	escalate_id UUID   NOT NULL, -- the group that is rung next; not set = none
	turns       BIGINT NOT NULL, -- taken so far, in a round robin
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

CREATE TABLE group_members (
	tenant_id   UUID   NOT NULL,
	group_id    UUID   NOT NULL,
	person      TEXT   NOT NULL,
	place       BIGINT NOT NULL,
	schedule_id UUID   NOT NULL, -- not set = always on duty
	turn        BIGINT NOT NULL, -- number of the last turn that began with the person
	PRIMARY KEY (tenant_id, group_id, person),
	FOREIGN KEY (tenant_id, group_id) REFERENCES ring_groups (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE weekly_schedules (
	tenant_id   UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id          UUID   NOT NULL,
	name        TEXT   NOT NULL,
	zone        TEXT   NOT NULL,
	hours       TEXT   NOT NULL, -- JSON: the week and its exceptions
	calendar_id UUID   NOT NULL, -- a connection that decides instead; not set = none
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

CREATE TABLE consents (
	tenant_id    UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id           UUID   NOT NULL,
	person       TEXT   NOT NULL,
	kind         TEXT   NOT NULL,
	given_at     BIGINT NOT NULL,
	by_kind      TEXT   NOT NULL,
	by_id        UUID   NOT NULL,
	by_name      TEXT   NOT NULL,
	evidence     TEXT   NOT NULL,
	withdrawn_at BIGINT NOT NULL, -- 0 = it holds
	created_at   BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX consents_person ON consents (tenant_id, person);

ALTER TABLE rings ADD COLUMN to_group UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'; -- not set = to a device or a person
ALTER TABLE rings ADD COLUMN to_name TEXT NOT NULL DEFAULT '';      -- of the group, as it was then
ALTER TABLE attempts ADD COLUMN step BIGINT NOT NULL DEFAULT 0;     -- n of its step; 0 = the ring is to no group

-- The plan of a ring to a group, written before anybody is rung.
CREATE TABLE ring_steps (
	tenant_id  UUID    NOT NULL,
	ring_id    UUID    NOT NULL,
	n          BIGINT  NOT NULL,
	wave       BIGINT  NOT NULL, -- steps of one wave ring at the same time; 0 = left out
	group_id   UUID    NOT NULL,
	group_name TEXT    NOT NULL,
	person     TEXT    NOT NULL,
	state      TEXT    NOT NULL,
	reason     TEXT    NOT NULL,
	after_us   BIGINT  NOT NULL, -- from the ring's beginning, as planned
	for_us     BIGINT  NOT NULL,
	in_turn    BOOLEAN NOT NULL,
	begun_at   BIGINT  NOT NULL, -- 0 = not
	PRIMARY KEY (tenant_id, ring_id, n),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE ring_steps;
ALTER TABLE attempts DROP COLUMN step;
ALTER TABLE rings DROP COLUMN to_name;
ALTER TABLE rings DROP COLUMN to_group;
DROP TABLE consents;
DROP TABLE weekly_schedules;
DROP TABLE group_members;
DROP TABLE ring_groups;
