package store

import (
	"context"
	"fmt"
	"time"

	"carillon/tenants"
)

type soundRow struct {
	File   []byte
	Mulaw  []byte
	Micros int64
}

// SetSound gives a built-in agent its announcement in place of the one before, and makes it an
// agent that plays one. It returns the agent. Another kind of agent is refused with Conflict.
func (s Agents) SetSound(ctx context.Context, id tenants.AgentID, sound tenants.Sound, now time.Time) (a tenants.Agent, err error) {
	err = s.write(ctx, func(t *tx) error {
		var old agentRow
		if err := s.in(t.db(), "agents").Where("id = ?", uuid(id)).Take(&old).Error; err != nil {
			return missing(err, "agent")
		}
		if a = old.noun(); a.Kind != tenants.Builtin {
			return tenants.Refuse(tenants.Conflict, "not_builtin", "Only a built-in agent plays an announcement.")
		}
		a.Builtin = &tenants.BuiltinAgent{Program: tenants.Announcement, SoundMS: sound.Length.Milliseconds()}
		if err := s.putSound(t, id, sound, now); err != nil {
			return err
		}
		set, err := settingsOf(a)
		if err != nil {
			return fmt.Errorf("store: agent %s: %w", id, err)
		}
		if _, err := t.exec("UPDATE agents SET settings = ? WHERE tenant_id = ? AND id = ?", set, uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "agent.set", string(id), "announcement")
	})
	return a, err
}

func (s Agents) putSound(t *tx, id tenants.AgentID, sound tenants.Sound, now time.Time) error {
	if err := s.dropSound(t, id); err != nil {
		return err
	}
	if err := t.room(s.scope, tenants.CapSounds, "agent_sounds", "TRUE"); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO agent_sounds (tenant_id, agent_id, file, mulaw, micros, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
		uuid(s.id), uuid(id), sound.File, sound.MuLaw, sound.Length.Microseconds(), micros(now))
	return err
}

// dropSound removes the announcement of an agent that may have one.
func (s Agents) dropSound(t *tx, id tenants.AgentID) error {
	_, err := t.exec("DELETE FROM agent_sounds WHERE tenant_id = ? AND agent_id = ?", uuid(s.id), uuid(id))
	return err
}

// Sound is an agent's announcement. One without it is NotFound.
func (s Agents) Sound(ctx context.Context, id tenants.AgentID) (tenants.Sound, error) {
	var row soundRow
	err := s.read(ctx, "agent_sounds").Select("file, mulaw, micros").Where("agent_id = ?", uuid(id)).Take(&row).Error
	if err != nil {
		return tenants.Sound{}, missing(err, "announcement")
	}
	return tenants.Sound{File: row.File, MuLaw: row.Mulaw, Length: time.Duration(row.Micros) * time.Microsecond}, nil
}
