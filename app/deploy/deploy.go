// Package deploy holds the files to run Carillon with: Docker Compose, a Helm chart, dashboards of
// Grafana and alert rules of Prometheus. It knows no other package; the command line gives it the
// settings that exist, and tests in package app compare the files with the program.
//
// Start reading at Compose and Chart. dashboards.go and alerts.go are tables.
package deploy

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
)

//go:embed all:files
var files embed.FS

// File is one file to write. Its name has slashes.
type File struct {
	Name string
	Data []byte
}

// Setting is a variable of the environment that `carillon serve` reads.
type Setting struct{ Name, Help, Default string }

// Compose returns the files of a folder in which `docker compose up` runs Carillon. The first is
// compose.yaml. The file .env has the host of
// publicURL, and lists the settings that the others do not set.
func Compose(settings []Setting, publicURL string) ([]File, error) {
	list, err := folder("files/compose")
	if err != nil {
		return nil, err
	}
	for i := range list {
		switch f := &list[i]; f.Name {
		case "compose.yaml":
			list[0], list[i] = list[i], list[0]
		case "env":
			f.Name, f.Data = ".env", env(f.Data, settings, list)
			if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
				f.Data = bytes.ReplaceAll(f.Data, []byte("ring.example.com"), []byte(u.Hostname()))
			}
		}
	}
	list = append(list, File{"alerts.yml", Rules(publicURL)})
	for _, d := range Dashboards {
		board, err := d.Grafana()
		if err != nil {
			return nil, err
		}
		list = append(list, File{"grafana/dashboards/" + d.Slug + ".json", board})
	}
	return list, nil
}

// env adds a commented line for each setting that no file names yet.
func env(head []byte, settings []Setting, list []File) []byte {
	out := bytes.NewBuffer(bytes.Clone(head))
	for _, s := range settings {
		named := false
		for _, f := range list {
			named = named || bytes.Contains(f.Data, []byte(s.Name+":")) || bytes.Contains(f.Data, []byte(s.Name+"="))
		}
		if !named {
			fmt.Fprintf(out, "# %s\n#%s=%s\n", s.Help, s.Name, s.Default)
		}
	}
	return out.Bytes()
}

// Chart returns the files of a Helm chart. values.schema.json refuses settings that do not exist.
func Chart(settings []Setting, publicURL string) ([]File, error) {
	list, err := folder("files/helm")
	if err != nil {
		return nil, err
	}
	schema, err := schema(settings)
	if err != nil {
		return nil, err
	}
	list = append(list, File{"values.schema.json", schema}, File{"files/alerts.yml", Rules(publicURL)})
	for _, d := range Dashboards {
		board, err := d.Grafana()
		if err != nil {
			return nil, err
		}
		list = append(list, File{"files/dashboards/" + d.Slug + ".json", board})
	}
	return list, nil
}

// folder reads the files below dir, named from there.
func folder(dir string) (list []File, err error) {
	err = fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		list = append(list, File{strings.TrimPrefix(name, dir+"/"), b})
		return err
	})
	return list, err
}

// chartSets are the settings that the chart makes of its own values.
var chartSets = []string{"CARILLON_ADDR", "CARILLON_METRICS_ADDR", "CARILLON_PUBLIC_URL", "CARILLON_MASTER_KEY_FILE",
	"CARILLON_RTC_UDP_ADDR", "CARILLON_RTC_PUBLIC_IPS", "CARILLON_DRAIN", "CARILLON_DATABASE_URL", "CARILLON_DATA",
	"CARILLON_NATS_URL", "CARILLON_NODE"}

// object is a JSON Schema.
type object = map[string]any

// schema describes the values of the chart.
func schema(settings []Setting) ([]byte, error) {
	plain, secret := object{}, object{}
	for _, s := range settings {
		if !slices.Contains(chartSets, s.Name) {
			plain[s.Name] = object{"type": []string{"string", "number", "boolean"}, "description": s.Help}
			secret[s.Name] = object{"type": "object", "required": []string{"name", "key"}, "additionalProperties": false,
				"properties": object{"name": text(1), "key": text(1)}, "description": s.Help}
		}
	}
	list := object{"type": "array"}
	free := object{"type": "object"}
	flag := object{"type": "boolean"}
	of := func(properties object) object {
		return object{"type": "object", "additionalProperties": false, "properties": properties}
	}
	// The SDK of OpenTelemetry and Go read variables that the settings do not list.
	closed := func(settings, other object) object {
		o := of(settings)
		o["patternProperties"] = object{"^(OTEL_|GO)[A-Z_]+$": other}
		return o
	}
	voice := of(object{
		"mode": object{"enum": []string{"nodePort", "loadBalancer", "hostNetwork"}},
		"port": object{"type": "integer", "minimum": 1, "maximum": 65535},
		"publicIPs": object{"type": "array", "items": text(2),
			"description": "The addresses of the nodes as phones see them."},
	})
	voice["if"] = object{"properties": object{"mode": object{"const": "nodePort"}}}
	voice["then"] = object{"properties": object{"port": object{"minimum": 30000, "maximum": 32767}}}
	all := of(object{
		"image":            of(object{"repository": text(1), "tag": text(1), "pullPolicy": text(1)}),
		"imagePullSecrets": list,
		"publicURL":        object{"type": "string", "pattern": "^(https://.*)?$"},
		"masterKey":        of(object{"secret": text(0), "key": text(1)}),
		"database":         of(object{"secret": text(0), "key": text(1)}),
		"replicas":         object{"type": "integer", "minimum": 1, "maximum": 100},
		"nats":             of(object{"url": object{"type": "string", "pattern": "^((nats|tls)://.+)?$"}}),
		"persistence":      of(object{"size": text(1), "storageClass": text(0), "existingClaim": text(0)}),
		"voice":            voice,
		"drainSeconds":     object{"type": "integer", "minimum": 0, "maximum": 3600},
		"preStopSeconds":   object{"type": "integer", "minimum": 0, "maximum": 60},
		"env":              closed(plain, plainValue),
		"secretEnv":        closed(secret, free),
		"service":          of(object{"annotations": free}),
		"ingress":          of(object{"enabled": flag, "className": text(0), "annotations": free, "host": text(0), "tlsSecret": text(0)}),
		"resources":        free,
		"monitoring":       of(object{"enabled": flag, "labels": free, "interval": text(2)}),
		"networkPolicy":    of(object{"enabled": flag, "httpFrom": list, "metricsFrom": list}),

		"podDisruptionBudget": of(object{"enabled": flag}),
		"nodeSelector":        free, "tolerations": list, "affinity": free, "podAnnotations": free,
		"global": free,
	})
	all["if"] = object{"properties": object{"replicas": object{"minimum": 2}}, "required": []string{"replicas"}}
	all["then"] = object{"properties": object{
		"database": object{"properties": object{"secret": text(1)}},
		"nats":     object{"properties": object{"url": text(1)}},
		"voice":    object{"properties": object{"mode": object{"enum": []string{"nodePort", "hostNetwork"}}}},
	}}
	all["$schema"] = "http://json-schema.org/draft-07/schema#"
	return indented(all)
}

// plainValue is a value that Kubernetes takes as text.
var plainValue = object{"type": []string{"string", "number", "boolean"}}

func text(least int) object { return object{"type": "string", "minLength": least} }

// indented is JSON for people, with < and & as they are.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
