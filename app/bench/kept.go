package bench

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/seal"
)

// place is where the database of a stage is. The zero value is SQLite in a temporary folder.
type place struct {
	url  string // postgres://…; empty = SQLite
	keep string // a folder that stays, with what was filled into the database; empty = a temporary one
}

// filling is what a later run must know of a database that was filled by an earlier one.
type filling struct {
	Rings   int
	Filled  float64 // seconds that it took
	Tenant  tenants.TenantID
	Key     string
	P8      []byte
	Devices []tenants.DeviceID
	Tokens  []string
}

const keptFile = "bench.json"

// open makes the folder of a stage, or finds what an earlier run left there.
func (s *stage) open(at place) (err error) {
	if at.keep == "" {
		s.dir, err = os.MkdirTemp("", "carillon-bench-")
		return err
	}
	s.dir, s.keeps = at.keep, true
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.dir, keptFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s.unused()
	}
	if err != nil {
		return err
	}
	s.found = &filling{}
	return json.Unmarshal(text, s.found)
}

// unused refuses a folder that holds anything: it may be an installation, or a fill that stopped.
func (s *stage) unused() error {
	list, err := os.ReadDir(s.dir)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%s has files, and no %s of an earlier run: name an empty folder", s.dir, keptFile)
	}
	return err
}

// master is the key file of the stage: the one that its secrets were sealed under, or a new one.
func (s *stage) master() (file string, keys []byte, err error) {
	file = filepath.Join(s.dir, "master.key")
	if s.found != nil {
		keys, err = os.ReadFile(file)
		return file, keys, err
	}
	keys = []byte(seal.Generate())
	return file, keys, os.WriteFile(file, keys, 0o600)
}

// account is the stage's at Apple: the one whose key file the database has, or a new one.
func (s *stage) account() (k apnstest.Key, err error) {
	s.slug, s.team, s.keyID = "bench", team, keyID
	if s.found == nil {
		k, s.p8, err = apnstest.NewKey(team, keyID)
		return k, err
	}
	s.p8 = s.found.P8
	block, _ := pem.Decode(s.p8)
	if block == nil {
		return k, fmt.Errorf("%s has no key file", keptFile)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return k, err
	}
	signer, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return k, fmt.Errorf("%s has a key file of another kind", keptFile)
	}
	return apnstest.Key{Team: team, KeyID: keyID, Public: &signer.PublicKey}, nil
}

// resume takes over the tenant of an earlier run.
func (s *stage) resume() {
	s.tenant, s.key, s.devices, s.tokens = s.found.Tenant, tenants.Secret(s.found.Key), s.found.Devices, s.found.Tokens
}

// remember writes down what a later run must know. It comes last: without it a fill is not used.
func (s *stage) remember(rings int, seconds float64) error {
	if !s.keeps {
		return nil
	}
	text, err := json.Marshal(filling{Rings: rings, Filled: seconds, Tenant: s.tenant, Key: string([]byte(s.key)), P8: s.p8,
		Devices: s.devices, Tokens: s.tokens})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, keptFile), text, 0o600)
}
