package app

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"carillon/app/push/apnstest"
)

// TestBackupOfTheREADME runs README's command, as SQL, while rings are placed: the copy is a whole
// database that a server serves, with every ring that was answered before it began.
func TestBackupOfTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`sqlite3 \S+/carillon\.db "(VACUUM INTO )'[^']*'"`).FindSubmatch(readme)
	if command == nil {
		t.Fatal("README names no command for a backup")
	}
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	data, copied := t.TempDir(), t.TempDir()
	s, m := produce(t, []string{"--data", data}, apple)
	s.furnish(apple, m)
	first := s.place(`{"to":{"person":"front-desk"}}`)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.call("POST", "/v1/rings", m.APIKey, `{"to":{"person":"front-desk"}}`, nil)
			}
		}
	})
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "carillon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), string(command[1])+"'"+filepath.Join(copied, "carillon.db")+"'")
	close(stop)
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	restored := serves(t, []string{"--data", copied}, apple)
	restored.ready.APIKey = m.APIKey
	if status := restored.call("GET", "/v1/rings/"+first.ID, m.APIKey, "", nil); status != 200 {
		t.Errorf("the copy answers %d for a ring from before it", status)
	}
	again := restored.place(`{"to":{"person":"front-desk"}}`)
	restored.until(again.ID, func(r toldRing) bool { return r.State == "pushed" })
}
