package store

import (
	"context"
	"encoding/json"

	"carillon/tenants"
)

// removed are the devices that are there no more and that a ring to the person reached.
func (s Erasures) removed(ctx context.Context, low, person string) ([]uuid, error) {
	const gone = "NOT EXISTS (SELECT 1 FROM devices d WHERE d.tenant_id = a.tenant_id AND d.id = a.device_id)"
	rows, err := s.reads().query(ctx, "SELECT a.device_id FROM rings JOIN attempts a ON a.tenant_id = rings.tenant_id AND "+
		"a.ring_id = rings.id WHERE rings.tenant_id = ? AND "+low+" = LOWER(?) AND to_person = ? AND to_person <> '' AND "+gone+
		" UNION SELECT a.device_id FROM ring_steps p JOIN attempts a ON a.tenant_id = p.tenant_id AND a.ring_id = p.ring_id AND "+
		"a.step = p.n WHERE p.tenant_id = ? AND p.person = ? AND "+gone, uuid(s.id), person, person, uuid(s.id), person)
	return collect(rows, err, func(id *uuid) []any { return []any{id} })
}

// phones removes the person's devices. What was texted to them goes first: their rows have the
// number. Systems that are connected learn the id and not the name.
func (s Erasures) phones(ctx context.Context, person string) error {
	rows, err := s.reads().query(ctx, "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND person = ?", uuid(s.id), person)
	found, err := collect(rows, err, (*deviceRow).fields)
	if err != nil || len(found) == 0 {
		return translate(err)
	}
	err = s.s.w.do(ctx, s.access(), func(t *tx) error {
		for _, d := range found {
			for _, table := range []string{"text_stops", "texts"} {
				if _, err := t.exec("DELETE FROM "+table+" WHERE tenant_id = ? AND phone_number = ? AND phone_number <> ''", uuid(s.id),
					d.PhoneNumber); err != nil {
					return err
				}
			}
			if _, err := t.exec("DELETE FROM devices WHERE tenant_id = ? AND id = ?", uuid(s.id), d.ID); err != nil {
				return err
			}
			d.Person = ""
			if err := t.tell(s.scope, tenants.EventDeviceRemoved, "", eventOfDevice(d)); err != nil {
				return err
			}
		}
		return nil
	})
	s.revoke(err)
	return err
}

// eventsOf removes the deliveries about the person's rings, which are found by the rings' names.
func (s Erasures) eventsOf(ctx context.Context, person string) error {
	return Deliveries(s).inParts(ctx, "ring_id IN (SELECT id FROM rings WHERE tenant_id = ? AND "+s.s.db.dialect.lower("to_person")+
		" = LOWER(?) AND to_person = ? AND to_person <> '')", []any{uuid(s.id), person, person}, s.drop)
}

func (s Erasures) drop(t *tx, in string, seqs []any) error {
	_, err := t.exec("DELETE FROM deliveries WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND seq IN ("+in+")",
		append([]any{uuid(s.id)}, seqs...)...)
	return err
}

// planned takes the person out of the plans of rings to groups. No index finds them, so they are
// looked for outside of the writer.
func (s Erasures) planned(ctx context.Context, person string) error {
	for after := tenants.RingID(""); ; {
		rows, err := s.reads().query(ctx, "SELECT DISTINCT ring_id FROM ring_steps WHERE tenant_id = ? AND ring_id > ? AND person = ? "+
			"ORDER BY ring_id LIMIT ?", uuid(s.id), uuid(after), person, erasureStep)
		ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
		if err != nil || len(ids) == 0 {
			return translate(err)
		}
		if err := s.s.w.do(ctx, s.access(), func(t *tx) error {
			_, err := t.exec("UPDATE ring_steps SET person = '', reason = '' WHERE tenant_id = ? AND ring_id IN ("+marks(len(ids))+") AND "+
				"person = ?", append(some(s.id, ids), person)...)
			return err
		}); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

// told removes the deliveries that carried what the audit log said of the person, or that a device
// was theirs. It is last: until the log is done, more can come from it.
func (s Erasures) told(ctx context.Context, e erasing) error {
	type delivery struct {
		seq  int64
		body string
	}
	for after := int64(0); ; {
		rows, err := s.reads().query(ctx, "SELECT seq, body FROM deliveries WHERE tenant_id = ? AND seq > ? AND kind IN (?, ?, ?) "+
			"ORDER BY seq LIMIT ?", uuid(s.id), after, string(tenants.EventAuditRecorded), string(tenants.EventDeviceRegistered),
			string(tenants.EventDeviceRemoved), trimMost)
		found, err := collect(rows, err, func(d *delivery) []any { return []any{&d.seq, &d.body} })
		if err != nil || len(found) == 0 {
			return translate(err)
		}
		var seqs []int64
		for _, d := range found {
			if e.inEvent(d.body) {
				seqs = append(seqs, d.seq)
			}
		}
		if len(seqs) > 0 {
			if err := s.s.w.do(ctx, s.access(), func(t *tx) error { return s.drop(t, marks(len(seqs)), padded(seqs)) }); err != nil {
				return err
			}
		}
		after = found[len(found)-1].seq
	}
}

// inEvent reports whether the body of an event of the audit log or of a device names the person.
func (e erasing) inEvent(body string) bool {
	var event struct {
		Data struct {
			tenants.AuditData
			Person string `json:"person"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		return false
	}
	d := event.Data
	return e.Person != "" && d.Person == e.Person || len(e.naming(&tenants.Audit{Actor: tenants.Actor(d.Actor), Target: d.Target,
		TargetName: d.Name, Detail: d.Detail, Changes: d.Changes, IP: d.IP})) > 0
}
