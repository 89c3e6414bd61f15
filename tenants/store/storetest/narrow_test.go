package storetest

import "testing"

func TestNarrowIsNotFooled(t *testing.T) {
	t.Parallel()
	owned := map[string]bool{"rings": true, "devices": true, "attempts": true, "facts": true, "keys": true, "members": true, "usage": true,
		"sign_ins": true}
	for q, want := range map[string]int{
		"SELECT id FROM rings WHERE tenant_id = ? AND id = ?":                                                                0,
		"SELECT tenant_id FROM rings WHERE id = ?":                                                                           1,
		"SELECT tenant_id = ? FROM rings":                                                                                    1,
		"SELECT id FROM rings WHERE tenant_id <> ?":                                                                          1,
		"SELECT id FROM rings WHERE tenant_id = tenant_id":                                                                   1,
		"SELECT id FROM rings WHERE NOT tenant_id = ?":                                                                       1,
		"SELECT id FROM rings WHERE tenant_id = ? OR id = ?":                                                                 1,
		"SELECT id FROM rings WHERE (tenant_id = ? OR id = ?)":                                                               1,
		"SELECT id FROM rings WHERE (tenant_id = ? AND id = ?)":                                                              0,
		"SELECT id FROM rings WHERE tenant_id = ? AND (id = ? OR id = ?)":                                                    0,
		"SELECT id FROM rings GROUP BY id HAVING tenant_id = ?":                                                              1,
		"SELECT id FROM rings WHERE 'tenant_id = ?' = ?":                                                                     1,
		"SELECT key FROM trials WHERE key = ?":                                                                               0,
		"SELECT r.id FROM rings r JOIN devices d ON d.id = r.to_device WHERE r.tenant_id = ?":                                1,
		"SELECT r.id FROM rings r JOIN devices d ON d.tenant_id = r.tenant_id AND d.id = r.to_device WHERE r.tenant_id = ?":  0,
		"SELECT r.id FROM rings r JOIN devices d ON d.tenant_id = r.tenant_id WHERE r.id = ?":                                2,
		"SELECT r.id FROM rings r LEFT JOIN facts f ON f.tenant_id = r.tenant_id AND r.tenant_id = ?":                        2,
		"SELECT r.id FROM rings r LEFT JOIN facts f ON f.tenant_id = r.tenant_id OR TRUE WHERE r.tenant_id = ?":              1,
		"SELECT r.id FROM rings r, devices d WHERE r.tenant_id = ?":                                                          1,
		"SELECT members.* FROM members JOIN users ON users.id = members.user_id WHERE members.tenant_id = ?":                 0,
		"SELECT id FROM rings WHERE tenant_id = ? UNION ALL SELECT id FROM keys WHERE id = ?":                                1,
		"SELECT id FROM rings WHERE id IN (SELECT ring_id FROM attempts WHERE tenant_id = ?)":                                1,
		"SELECT id FROM rings WHERE tenant_id = ? AND id IN (SELECT ring_id FROM attempts WHERE device_id = ?)":              1,
		"SELECT id FROM rings WHERE tenant_id = ? AND EXISTS (SELECT 1 FROM attempts a WHERE a.tenant_id = rings.tenant_id)": 0,
		"SELECT id FROM rings WHERE tenant_id = ? AND EXISTS (SELECT 1 FROM attempts a WHERE a.ring_id = rings.id)":          1,
		"SELECT (SELECT COUNT(*) FROM devices), id FROM rings WHERE tenant_id = ?":                                           1,
		"SELECT n FROM (SELECT tenant_id, id AS n FROM rings WHERE id = ?) x WHERE x.tenant_id = ?":                          1,
		"SELECT n FROM (SELECT id AS n FROM rings WHERE tenant_id = ? LIMIT ?) x":                                            0,
		"SELECT n FROM (SELECT id FROM rings WHERE tenant_id = ? UNION ALL SELECT id FROM devices) x":                        1,
		"UPDATE rings SET state = ? WHERE tenant_id = ? AND id = ?":                                                          0,
		"UPDATE rings SET state = ? WHERE id = ? AND state = (SELECT state FROM keys WHERE tenant_id = ?)":                   1,
		"UPDATE devices SET tenant_id = ? WHERE id = ?":                                                                      2,
		"UPDATE devices SET name = ?, tenant_id = ? WHERE tenant_id = ?":                                                     1,
		"UPDATE sign_ins SET tenant_id = ? WHERE tenant_id = ?":                                                              0,
		"DELETE FROM keys WHERE id = ? AND EXISTS (SELECT 1 FROM members WHERE tenant_id = ?)":                               1,
		"DELETE FROM keys": 1,
		"INSERT INTO usage (tenant_id, day) VALUES (?, ?)":                                                                    0,
		"INSERT INTO usage (day, rings) VALUES (?, ?)":                                                                        1,
		"INSERT INTO usage (tenant_id, day) SELECT tenant_id, at FROM rings WHERE id = ?":                                     1,
		"INSERT INTO usage (tenant_id, day) VALUES (?, ?) ON CONFLICT (tenant_id, day) DO UPDATE SET rings = usage.rings + 1": 0,
		"INSERT INTO usage (tenant_id, day) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET tenant_id = excluded.tenant_id":     1,
		"INSERT INTO usage (tenant_id, day) VALUES (?, ?) ON CONFLICT (day) DO NOTHING":                                       0,
	} {
		if got := loose(q, owned); len(got) != want {
			t.Errorf("%s\nleaves open %q, want %d", q, got, want)
		}
	}
}
