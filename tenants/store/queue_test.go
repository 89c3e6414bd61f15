package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestFloodDelaysNobody: behind a thousand writes of one tenant, each other tenant's first write is
// in the very next commit.
func TestFloodDelaysNobody(t *testing.T) {
	waiting := append(slices.Repeat([]string{"loud"}, 1000), "b", "b", "c")
	groups := store.Grouped(waiting)
	first := groups[0]
	if want := []string{"loud", "b", "c", "loud", "b", "loud"}; !slices.Equal(first[:len(want)], want) {
		t.Errorf("the first commit begins with %v, want %v", first[:len(want)], want)
	}
	total := 0
	for _, g := range groups {
		total += len(g)
		loud := slices.DeleteFunc(slices.Clone(g), func(id string) bool { return id != "loud" })
		if len(loud) > 128 {
			t.Errorf("%d writes of one tenant in a commit", len(loud))
		}
	}
	if total != len(waiting) {
		t.Errorf("%d of %d writes", total, len(waiting))
	}
}

// TestManyTenantsTakeTurns: with more tenants than a commit holds, those who missed one are first
// in the next.
func TestManyTenantsTakeTurns(t *testing.T) {
	var waiting []string
	for range 2 {
		for i := range 300 {
			waiting = append(waiting, fmt.Sprint(i))
		}
	}
	groups := store.Grouped(waiting)
	if len(groups) != 3 || groups[0][0] != "0" || len(groups[0]) != 256 || groups[1][0] != "256" || groups[1][44] != "0" {
		t.Errorf("%d commits; the second begins with %v", len(groups), groups[1][:50])
	}
}

// TestPatientWritesShareACommit: patient writes wait for an urgent one, and no longer than
// patience or until there are enough for a commit of their own.
func TestPatientWritesShareACommit(t *testing.T) {
	t.Parallel()
	if jobs, _ := store.Commit(3, 1); jobs != 4 {
		t.Errorf("%d of 4 writes in the commit of an urgent one", jobs)
	}
	jobs, waited := store.Commit(3, 0)
	if jobs != 3 || waited < store.Patience {
		t.Errorf("%d of 3 patient writes after %s, want all after %s", jobs, waited, store.Patience)
	}
	if jobs := store.CommitOfPatient(store.PatientMost); jobs != store.PatientMost {
		t.Errorf("%d of %d patient writes in a commit of their own", jobs, store.PatientMost)
	}
}

// TestWritesGiveWay: a write that gives way is not in the commit of an urgent one, unless it has
// waited for long, and there is one of them in a commit.
func TestWritesGiveWay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		urgent       int
		waited       time.Duration
		next, behind int
	}{{0, 0, 1, 1}, {3, 0, 0, 1}, {3, time.Minute, 1, 1}} {
		if next, behind := store.GivesWay(test.urgent, test.waited); next != test.next || behind != test.behind {
			t.Errorf("beside %d urgent writes, after %s: %d, then %d; want %d, then %d", test.urgent, test.waited, next, behind, test.next,
				test.behind)
		}
	}
}

// TestPartsOfOneWorkGiveWayOnce: the next part of work that gave way for long enough is in the very
// next commit, whatever else gives way, and yet waits a moment for a ring that is on its way.
func TestPartsOfOneWorkGiveWayOnce(t *testing.T) {
	t.Parallel()
	for ago, want := range map[time.Duration]bool{0: false, time.Minute: true} {
		if next, held := store.Continues(ago); next != want || held <= 0 && want {
			t.Errorf("begun %s ago: in the next commit: %v, held for %s; want %v", ago, next, held, want)
		}
	}
}

// TestWritesWaitForRingsOnTheirWay: a write that gives way waits a moment for a ring that has not
// come to the writer yet, and goes as soon as none is on its way.
func TestWritesWaitForRingsOnTheirWay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rings  int
		waited time.Duration
		waits  bool
	}{{0, 0, false}, {1, -time.Minute, true}, {2, -time.Minute, true}, {2, store.ComingFor, false}} {
		held, goes := store.HeldBack(test.rings, test.waited)
		if held > 0 != test.waits || !goes {
			t.Errorf("%d rings, after %s: waits for %s more, and goes then: %v", test.rings, test.waited, held, goes)
		}
	}
}

// TestNobodyWaitsForAnFsyncOfLazyWrites: on SQLite a lazy write has a commit of its own, without an
// fsync; all others have one.
func TestNobodyWaitsForAnFsyncOfLazyWrites(t *testing.T) {
	t.Parallel()
	const normal, full = 1, 2 // SQLite's numbers
	commits, levels, err := storetest.Open(t).Lazy(t.Context())
	if want := [3]int64{full, normal, full}; err != nil || commits != 2 || levels != want {
		t.Errorf("%d commits with the levels %d, want %d: %v", commits, levels, want, err)
	}
}

// TestOldestWrite: the age of the queue is that of the write that has waited longest, whichever
// tenant's it is.
func TestOldestWrite(t *testing.T) {
	t.Parallel()
	waiting, oldest, left, after := store.OldestWait()
	if waiting != 2 || oldest < time.Hour || oldest > 2*time.Hour || left != 0 || after != 0 {
		t.Errorf("%d wait, the oldest for %s; after the commit %d for %s", waiting, oldest, left, after)
	}
}
