package sound

import (
	"errors"

	"carillon/tenants"
)

// Read reads an uploaded file and decodes it. A file that cannot be used is refused as Invalid, or
// TooLarge, at the field "file".
func Read(file []byte) (tenants.Sound, error) {
	s, err := Parse(file)
	var mulaw []byte
	if err == nil {
		mulaw, err = s.PCMU()
	}
	if why := (*Bad)(nil); errors.As(err, &why) {
		kind := tenants.Invalid
		if len(file) > MaxBytes {
			kind = tenants.TooLarge
		}
		return tenants.Sound{}, &tenants.Error{Kind: kind, Code: "bad_sound", Msg: why.Why,
			Fields: []tenants.Field{{Name: "file", Message: why.Why}}}
	}
	if err != nil {
		return tenants.Sound{}, err
	}
	return tenants.Sound{File: file, MuLaw: mulaw, Length: s.Duration}, nil
}
