package billing_test

import (
	"fmt"

	"carillon/app/billing"
)

// Mode tells live keys from test keys, and refuses the publishable key that belongs into browsers.
func ExampleMode() {
	for _, key := range []string{"sk_test_51Abc", "rk_live_51Abc", "pk_live_51Abc"} {
		live, err := billing.Mode(key)
		fmt.Println(live, err != nil)
	}
	// Output:
	// false false
	// true false
	// false true
}
