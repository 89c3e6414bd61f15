package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"carillon/tenants/store"
)

func TestTheLedgerOnlyGrows(t *testing.T) {
	t.Parallel()
	c := config(t)
	if _, err := store.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	grow(t, "sqlite", "file:"+filepath.Join(c.Dir, "carillon.db")+"?_pragma=foreign_keys(1)")
}

// grow: the database itself refuses to change or remove what is in the ledger, for every role.
func grow(t *testing.T, driver, address string) {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		"INSERT INTO partners (id, code, email, name, key, user_id, payee, pay_by, account, created_at, stopped_at) VALUES (ID(p), 'C', " +
			"'e', " +
			"'n', 'k', ID(none), '', '', '', 1, 0)",
		"INSERT INTO referrals (id, partner_id, tenant, percent, months, hold_days, refused, asked_at, created_at) VALUES (ID(r), ID(p), " +
			"ID(t), 22, 12, 30, '', 0, 1)",
		"INSERT INTO referral_payments (payment, referral_id, paid_at, cents, untaxed, returned) VALUES ('in', ID(r), 1, 100, 100, 0)",
		"INSERT INTO commissions (id, partner_id, referral_id, payment, kind, cents, payable_at, created_at) VALUES (ID(c), ID(p), " +
			"ID(r), " +
			"'in', 'commission', 22, 1, 1)",
		"INSERT INTO payouts (id, partner_id, cents, reference, created_at) VALUES (ID(o), ID(p), 22, 'bank', 1)",
		"INSERT INTO payout_lines (commission_id, payout_id) VALUES (ID(c), ID(o))",
	} {
		if _, err := db.ExecContext(t.Context(), named(driver, q)); err != nil {
			t.Fatal(q, err)
		}
	}
	refused := []string{
		"UPDATE commissions SET cents = 1", "DELETE FROM commissions", "UPDATE payouts SET cents = 1 WHERE id = ID(o)",
		"DELETE FROM payouts",
		"UPDATE payout_lines SET payout_id = ID(x)", "DELETE FROM payout_lines", "DELETE FROM partners", "DELETE FROM referrals",
		"INSERT INTO payout_lines (commission_id, payout_id) VALUES (ID(c), ID(o))",
		"INSERT INTO payouts (id, partner_id, cents, reference, created_at) VALUES (ID(o2), ID(p), 22, 'bank', 1)",
		"INSERT INTO payouts (id, partner_id, cents, reference, created_at) VALUES (ID(o3), ID(p), 0, 'nothing', 1)",
	}
	if driver == "sqlite" {
		refused = append(refused, "INSERT OR REPLACE INTO commissions (id, partner_id, referral_id, payment, kind, cents, payable_at, "+
			"created_at) "+
			"VALUES (ID(c), ID(p), ID(r), 'in', 'commission', 9999, 1, 1)",
			"INSERT OR REPLACE INTO payout_lines (commission_id, payout_id) "+
				"VALUES (ID(c), ID(o))",
			"INSERT OR REPLACE INTO payouts (id, partner_id, cents, reference, created_at) VALUES (ID(o), ID(p), 1, 'bank', 1)")
	} else {
		refused = append(refused, "TRUNCATE commissions CASCADE")
	}
	for _, q := range refused {
		if _, err := db.ExecContext(t.Context(), named(driver, q)); err == nil {
			t.Errorf("the database let %q pass", q)
		}
	}
	var cents int64
	if err := db.QueryRowContext(t.Context(), "SELECT SUM(c.cents) + SUM(o.cents) FROM commissions c JOIN payout_lines l ON "+
		"l.commission_id = c.id JOIN payouts o ON o.id = l.payout_id").Scan(&cents); err != nil || cents != 44 {
		t.Errorf("the ledger holds %d, %v", cents, err)
	}
}

// named puts an id's literal in the place of each ID(name) in a statement.
func named(driver, statement string) string {
	return regexp.MustCompile(`ID\((\w+)\)`).ReplaceAllStringFunc(statement, func(name string) string {
		digits := fmt.Sprintf("%032x", name)
		if name == "ID(none)" {
			digits = strings.Repeat("0", 32)
		}
		if driver != "sqlite" {
			return "'" + digits + "'"
		}
		if name == "ID(none)" {
			digits = ""
		}
		return "x'" + digits + "'"
	})
}
