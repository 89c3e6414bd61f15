package tenants_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"carillon/tenants"
)

func utf16of(s string, order binary.AppendByteOrder, mark bool) []byte {
	var b []byte
	if mark {
		s = "\ufeff" + s
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func TestDeviceFilesOfManyKinds(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("ab", 32)
	plain := "token,bundle_id,environment,person,name,tags\n" + strings.ToUpper(token) +
		",com.example.app,production,ana,Anä's iPhone,north|east\n"
	for name, file := range map[string][]byte{
		"plain": []byte(plain), "marked": []byte("\ufeff" + plain), "CRLF": []byte(strings.ReplaceAll(plain, "\n", "\r\n")),
		"CR": []byte(strings.ReplaceAll(plain, "\n", "\r")), "semicolons": []byte(strings.ReplaceAll(plain, ",", ";")),
		"tabs": []byte(strings.ReplaceAll(plain, ",", "\t")), "Excel's first line": []byte("sep=,\r\n" + plain),
		"quotes":           []byte(strings.ReplaceAll(plain, "north|east", `"north,east"`)),
		"other names":      []byte(strings.Replace(plain, "token,bundle_id", "Device Token, Bundle-ID", 1)),
		"little UTF-16":    utf16of(plain, binary.LittleEndian, true),
		"big UTF-16":       utf16of(plain, binary.BigEndian, true),
		"unmarked UTF-16":  utf16of(plain, binary.LittleEndian, false),
		"Latin-1":          []byte(strings.ReplaceAll(plain, "ä", "\xe4")),
		"no end, and gaps": []byte("\n" + strings.TrimSuffix(plain, "\n") + "\n\n,,,,,\n"),
	} {
		f, err := tenants.ReadDeviceFile(file)
		if err != nil || len(f.Faults) != 0 || len(f.Devices) != 1 || f.Rows != 1 {
			t.Errorf("%s: %v, %+v", name, err, f)
			continue
		}
		d := f.Devices[0]
		if d.Device.Token != token || d.Device.Name != "Anä's iPhone" || d.Device.Environment != tenants.Production ||
			strings.Join(d.Tags, "+") != "north+east" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestDeviceFilesNameTheirFaults(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("cd", 32)
	f, err := tenants.ReadDeviceFile([]byte("token,bundle_id,environment,colour\n" + good + ",com.example.app,,red\nxyz,com.example.app\n" +
		good + ",com.example.app,sandbox\n" + good + ",,moon\n" + good + ",com.example.b,\"production\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Devices) != 1 || f.Devices[0].Line != 2 || strings.Join(f.Unused, "") != "colour" {
		t.Errorf("%+v", f)
	}
	got := ""
	for _, x := range f.Faults {
		got += fmt.Sprintf("%d %s %s\n", x.Line, x.Column, x.Cause)
	}
	want := "3 token This value is not allowed.\n4 token Line 2 has the same token and app.\n5 bundle_id It is missing.\n" +
		"5 environment This value is not allowed.\n6  A quotation mark is not closed, or stands within a cell.\n"
	if got != want {
		t.Errorf("faults:\n%swant:\n%s", got, want)
	}
	for name, file := range map[string]string{
		"empty": "", "no lines": "token,bundle_id\n\n", "blank": " \r\n\t", "no columns": "a,b\n1,2\n", "no app": "token\n" + good,
		"too many rows":  "token,bundle_id\n" + strings.Repeat("a,b\n", tenants.DeviceFileRows+1),
		"too many bytes": strings.Repeat("x", tenants.DeviceFileMost+1),
	} {
		if _, err := tenants.ReadDeviceFile([]byte(file)); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.HasPrefix(name, "too") && !strings.Contains(err.Error(), "10,000") {
			t.Errorf("%s: %v does not name the bound", name, err)
		}
	}
}

func FuzzDeviceFile(f *testing.F) {
	f.Add([]byte("token,bundle_id\nab,com.example.app\n"))
	f.Add([]byte("\xff\xfet\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := tenants.ReadDeviceFile(b)
		if err != nil {
			return
		}
		for _, d := range file.Devices {
			if d.Device.Check() != nil || d.Line < 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}
