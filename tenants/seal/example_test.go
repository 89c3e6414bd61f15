package seal_test

import (
	"errors"
	"fmt"

	"carillon/tenants/seal"
)

// A secret opens for its own row only.
func ExampleKeyring_Seal() {
	keys, err := seal.Parse([]byte(seal.Generate()))
	if err != nil {
		panic(err)
	}
	blob, err := keys.Seal([]byte("a .p8 file"), "clinic", "credentials", "1")
	if err != nil {
		panic(err)
	}
	plain, err := keys.Open(blob, "clinic", "credentials", "1")
	fmt.Println(string(plain), err)
	_, err = keys.Open(blob, "law office", "credentials", "1")
	fmt.Println(errors.Is(err, seal.ErrTamper))
	// Output:
	// a .p8 file <nil>
	// true
}

// To rotate, put the new key first, rewrap every blob, then remove the old key.
func ExampleKeyring_Rewrap() {
	oldFile := seal.Generate()
	old, err := seal.Parse([]byte(oldFile))
	if err != nil {
		panic(err)
	}
	blob, err := old.Seal([]byte("secret"), "clinic", "agents", "7")
	if err != nil {
		panic(err)
	}
	both, err := seal.Parse([]byte(seal.Generate() + "\n" + oldFile))
	if err != nil {
		panic(err)
	}
	fresh, changed, err := both.Rewrap(blob, "clinic", "agents", "7")
	fmt.Println(changed, err, both.KeyOf(fresh) == both.Current())
	// Output: true <nil> true
}
