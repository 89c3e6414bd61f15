-- Whose turn it is to run a background loop, where several servers share this database.

-- +goose Up
CREATE TABLE loop_turns (
	name    TEXT   NOT NULL PRIMARY KEY,
	next_at BIGINT NOT NULL, -- when the next turn is due; while one runs, until when its server has it
	held_by BLOB   NOT NULL  -- the server that had the last turn
) WITHOUT ROWID;

-- +goose Down
DROP TABLE loop_turns;
