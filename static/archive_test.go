package static

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestArchivesAreWhole compares each archive with the folder it is made of.
func TestArchivesAreWhole(t *testing.T) {
	t.Parallel()
	wants := map[string][]string{
		"swift":      {"CarillonKit", "Package.swift", "Fixtures/01-pair.json"},
		"typescript": {"carillon-typescript", "package.json", "src/index.ts", "dist/index.js", "dist/index.d.ts", "test/story.test.js"},
		"python":     {"carillon-python", "carillon.py", "pyproject.toml"},
	}
	for folder, want := range wants {
		as := want[0]
		a, ok, err := Archive(folder)
		if !ok || err != nil || a.Type != "application/zip" || a.ETag == "" {
			t.Fatalf("%s: %v %v %+v", folder, ok, err, a.Type)
		}
		again, err := pack(folder, as)
		if err != nil || !bytes.Equal(again.Content, a.Content) || again.ETag != a.ETag {
			t.Errorf("%s differs from itself: %v", folder, err)
		}
		z, err := zip.NewReader(bytes.NewReader(a.Content), int64(len(a.Content)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range z.File {
			name, ok := strings.CutPrefix(f.Name, as+"/")
			if !ok || strings.Contains(name, "/.") || strings.HasPrefix(name, ".") {
				t.Errorf("%s holds %s", folder, f.Name)
			}
			names = append(names, name)
		}
		for _, want := range append(want[1:], "README.md", "LICENSE") {
			if !slices.Contains(names, want) {
				t.Errorf("%s lacks %s", folder, want)
			}
		}
	}
	if _, ok, err := Archive("../static"); ok || err != nil {
		t.Errorf("an archive that is none: %v %v", ok, err)
	}
	if got := slices.Sorted(slices.Values(Archives())); !slices.Equal(got, slices.Sorted(maps.Keys(wants))) {
		t.Errorf("archives %v: add the new one to this test", Archives())
	}
}

// swiftSource reads a file of the Swift package.
func swiftSource(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("swift", "Sources", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// between returns the text from a declaration to the next one at its depth.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	body, _, ended := strings.Cut(rest, to)
	if !ok || !ended {
		t.Fatalf("the source has no %q up to %q", from, to)
	}
	return body
}

// TestSwiftReportsFirst: the push handler calls the reporter before anything that uses the network,
// and leaves a report out only where iOS allows it.
func TestSwiftReportsFirst(t *testing.T) {
	t.Parallel()
	body := between(t, swiftSource(t, "CarillonKit/Carillon.swift"), "func receive(", "\n    }\n")
	report := strings.Index(body, "reporter.reportIncoming(")
	if report < 0 || strings.Count(body, "return") != 1 || !strings.Contains(body, "if !mustReport && skip(push, arrived: arrived) {") {
		t.Fatalf("a push is not always reported:\n%s", body)
	}
	for _, later := range []string{"client.", "facts.", "note(", "follow(", "Task", "await"} {
		if at := strings.Index(body, later); at >= 0 && at < report {
			t.Errorf("%s comes before the report", later)
		}
	}
	receiver := swiftSource(t, "CarillonKit/PushReceiver.swift")
	if strings.Contains(receiver, "Task") || strings.Contains(receiver, "async") {
		t.Error("PushKit's delegate must pass a push on before it returns")
	}
	old := between(t, receiver, "didReceiveIncomingPushWith", "\n    }\n")
	if !strings.Contains(old, "onPush(payload.dictionaryPayload, true, completion)") {
		t.Error("before iOS 26.4 every push must be reported")
	}
}

// TestSwiftGuardsNewSystems: what is newer than iOS 15 is behind an availability check.
func TestSwiftGuardsNewSystems(t *testing.T) {
	t.Parallel()
	receiver := swiftSource(t, "CarillonKit/PushReceiver.swift")
	guarded := between(t, receiver, "#if compiler(>=6.3)\n    @available(iOS 26.4, ", "#endif")
	if strings.Count(receiver, "PKVoIPPushMetadata") != strings.Count(guarded, "PKVoIPPushMetadata") ||
		!strings.Contains(guarded, "metadata.mustReport") {
		t.Error("the delegate of iOS 26.4 is not guarded")
	}
	live := swiftSource(t, "CarillonKit/LiveCommunicationReporter.swift")
	if !strings.HasPrefix(live, "#if os(iOS) && canImport(LiveCommunicationKit)\n") ||
		!strings.Contains(live, "@available(iOS 17.4, *)\nfinal class LiveCommunicationReporter") {
		t.Error("LiveCommunicationKit is not guarded")
	}
	main := swiftSource(t, "CarillonKit/Carillon.swift")
	if made := between(t, main, "#if canImport(LiveCommunicationKit)", "#endif"); !strings.Contains(made, "#available(iOS 17.4, ") ||
		strings.Count(main, "LiveCommunicationReporter(") != strings.Count(made, "LiveCommunicationReporter(") {
		t.Error("LiveCommunicationKit is used without a check")
	}
	for _, name := range swiftFiles(t, "CarillonKit") {
		text := swiftSource(t, "CarillonKit/"+name)
		if !strings.HasPrefix(text, "#if os(iOS)") || !strings.HasSuffix(text, "#endif\n") {
			t.Errorf("%s is not for iOS only", name)
		}
		if strings.Contains(text, "setActive(") {
			t.Errorf("%s activates the audio session; only the system may", name)
		}
	}
	for _, name := range swiftFiles(t, "CarillonCore") {
		for _, no := range []string{"import UIKit", "import PushKit", "import CallKit", "import AVFoundation"} {
			if strings.Contains(swiftSource(t, "CarillonCore/"+name), no) {
				t.Errorf("CarillonCore/%s: %s", name, no)
			}
		}
	}
	if !strings.Contains(swiftSource(t, "CarillonCore/AccountStore.swift"), "kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly") {
		t.Error("the credential cannot be read on a locked phone")
	}
}

func swiftFiles(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("swift", "Sources", folder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".swift" {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestSwiftKnowsTheFacts compares the package's facts with the description of the API.
func TestSwiftKnowsTheFacts(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join("..", "app", "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	described := between(t, string(file), "operationId: reportFact", "responses:")
	kinds := strings.Split(between(t, described, "^(?i:", ")$"), "|")
	for i, k := range kinds {
		kinds[i] = strings.TrimSpace(k)
	}
	var has []string
	enum := between(t, swiftSource(t, "CarillonCore/Models.swift"), "enum FactKind", "\n}\n")
	for line := range strings.Lines(enum) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "case "); ok {
			if _, raw, ok := strings.Cut(name, ` = "`); ok {
				name = strings.TrimSuffix(raw, `"`)
			}
			has = append(has, name)
		}
	}
	slices.Sort(kinds)
	slices.Sort(has)
	if !slices.Equal(kinds, has) {
		t.Errorf("the package reports %v, the API takes %v", has, kinds)
	}
	body := between(t, swiftSource(t, "CarillonCore/Wire.swift"), "struct FactBody", "\n    }\n")
	for line := range strings.Lines(body) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "var "), ":"); ok &&
			!strings.Contains(described, name+": {type: ") {
			t.Errorf("the API takes no %s", name)
		}
	}
}
