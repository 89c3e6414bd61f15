package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// imageOf finds the images of compose.yaml that have a version.
var imageOf = regexp.MustCompile(`(?m)^    image: ([a-z/]+):(\S+)$`)

// likeCompose gives the images in values.yaml the versions of compose.yaml, and adds the files of
// Compose that templates of the chart read.
func likeCompose(list []File) ([]File, error) {
	compose, err := files.ReadFile("files/compose/compose.yaml")
	if err != nil {
		return nil, err
	}
	for i, f := range list {
		if f.Name != "values.yaml" {
			continue
		}
		for _, m := range imageOf.FindAllSubmatch(compose, -1) {
			line := append([]byte("\n  image: "), m[1]...)
			list[i].Data = bytes.Replace(list[i].Data, append(line, '\n'), fmt.Appendf(nil, "%s:%s\n", line, m[2]), 1)
		}
	}
	relay, err := coturn(compose)
	if err != nil {
		return nil, err
	}
	list = append(list, File{"files/coturn.conf", relay})
	for _, name := range []string{"postgres-init.sh", "Caddyfile"} {
		b, err := files.ReadFile("files/compose/" + name)
		if err != nil {
			return nil, err
		}
		list = append(list, File{"files/" + name, b})
	}
	return list, nil
}

// coturn returns the configuration of coturn in compose.yaml without the port and the lines that
// .env fills in: those are arguments in the chart.
func coturn(compose []byte) ([]byte, error) {
	_, rest, found := strings.Cut(string(compose), "    content: |\n")
	if !found {
		return nil, errors.New("compose.yaml has no configuration of coturn")
	}
	var out bytes.Buffer
	for line := range strings.Lines(rest) {
		option, inside := strings.CutPrefix(line, "      ")
		if !inside {
			break
		}
		if !strings.Contains(option, "${") && !strings.HasPrefix(option, "listening-port=") {
			out.WriteString(option)
		}
	}
	return out.Bytes(), nil
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
			secret[s.Name] = secretKey(s.Help)
		}
	}
	// An address of NATS may have a password.
	secret["CARILLON_NATS_URL"] = secretKey("Servers of NATS.")
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
	port := object{"type": "integer", "minimum": 1, "maximum": 65535}
	voice := of(object{
		"mode": object{"enum": []string{"nodePort", "loadBalancer", "hostNetwork"}},
		"port": port,
		"publicIPs": object{"type": "array", "items": text(2),
			"description": "The addresses of the nodes as phones see them."},
	})
	voice["if"] = object{"properties": object{"mode": object{"const": "nodePort"}}}
	voice["then"] = object{"properties": object{"port": object{"minimum": 30000, "maximum": 32767}}}
	// part is one that the chart brings along, if it is enabled.
	part := func(more object) object {
		maps.Copy(more, object{"enabled": flag, "image": text(1), "resources": free})
		return of(more)
	}
	all := of(object{
		"image":            of(object{"repository": text(1), "tag": text(1), "pullPolicy": text(1)}),
		"imagePullSecrets": list,
		"publicURL":        object{"type": "string", "pattern": "^(https://.*)?$"},
		"masterKey":        of(object{"secret": text(0), "key": text(1)}),
		"database":         of(object{"secret": text(0), "key": text(1)}),
		"replicas":         object{"type": "integer", "minimum": 1, "maximum": 100},
		"passwords":        of(object{"secret": text(0)}),
		"postgres":         part(object{"size": text(1), "storageClass": text(0)}),
		"nats":             part(object{"url": object{"type": "string", "pattern": "^((nats|tls)://.+)?$"}}),
		"turn":             part(object{"port": port, "host": text(0)}),
		"caddy":            part(object{"http3": flag, "annotations": free, "size": text(1), "storageClass": text(0)}),
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
	all["allOf"] = []object{severalNeed(), {
		"if":   object{"properties": object{"voice": object{"properties": object{"mode": object{"const": "nodePort"}}}}},
		"then": object{"properties": object{"turn": object{"properties": object{"port": object{"minimum": 30000, "maximum": 32767}}}}},
	}}
	all["$schema"] = "http://json-schema.org/draft-07/schema#"
	return indented(all)
}

// secretKey names a value in a secret.
func secretKey(help string) object {
	return object{"type": "object", "required": []string{"name", "key"}, "additionalProperties": false,
		"properties": object{"name": text(1), "key": text(1)}, "description": help}
}

// severalNeed is what more than one server need: PostgreSQL and NATS, of the chart or their own,
// and a port of voice on each node.
func severalNeed() object {
	given := func(key, inner string, value object) object {
		of := object{"properties": object{inner: value}, "required": []string{inner}}
		return object{"properties": object{key: of}, "required": []string{key}}
	}
	on := object{"const": true}
	return object{
		"if": object{"properties": object{"replicas": object{"minimum": 2}}, "required": []string{"replicas"}},
		"then": object{
			"properties": object{"voice": object{"properties": object{"mode": object{"enum": []string{"nodePort", "hostNetwork"}}}}},
			"allOf": []object{
				{"anyOf": []object{given("postgres", "enabled", on), given("database", "secret", text(1))}},
				{"anyOf": []object{given("nats", "enabled", on), given("nats", "url", text(1)),
					given("secretEnv", "CARILLON_NATS_URL", object{"type": "object"})}},
			},
		},
	}
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
