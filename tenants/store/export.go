package store

// ExportFile describes one file of an export of a tenant.
type ExportFile struct {
	Name   string // such as "devices.jsonl"
	About  string // what a line is
	Fields []ExportField
}

// ExportField is one name in the lines of a file.
type ExportField struct{ Name, Kind string }

// The kinds of fields. An id that is not set and a time that is not known are null.
const (
	fieldID     = "id"     // UUID
	fieldText   = "text"   // JSON string
	fieldNumber = "number" // whole number
	fieldReal   = "real"   // number with a fraction
	fieldBool   = "bool"   // true or false
	fieldTime   = "time"   // RFC 3339, UTC
	fieldSpan   = "span"   // microseconds
	fieldJSON   = "json"   // any JSON value
)

// exportTable is a file that is read out of one table.
type exportTable struct {
	file, about string
	from        string // the table, and what is joined to it
	tenant      string // the column of the tenant; empty = tenant_id
	only        string // the condition of the rows; empty = all
	keys        string // the columns that order the rows and are unique in a tenant
	columns     string // "name kind, …"; text is left out
	left        string // columns that are not exported: secrets, and what only this server uses
}

// exportTables are the files of an export that hold the rows of a table. Every table with a
// tenant_id is here, in exportOthers or in exportLeft; a test compares them with the schema.
var exportTables = []exportTable{
	{file: "tenant", about: "The tenant itself, with the rules that it changed. One line.", from: "tenants", tenant: "id", keys: "id",
		columns: "id id, slug, name, industry, state, suspended_why, delete_at time, look_until time, " +
			"time_zone, language, ring_ttl span, default_agent id, two_steps bool, rules json, " +
			"created_at time", left: "audit_seq audit_hash"},
	{file: "people", about: "A person who signs in to the console, with their role here.",
		from: "members JOIN users ON users.id = members.user_id", tenant: "members.tenant_id", keys: "members.user_id",
		columns: "members.user_id id, users.email, users.name, users.language, members.role, members.created_at time, users.two_steps bool",
		left:    "tenant_id"},
	{file: "invitations", about: "An invitation that nobody has taken yet.", from: "invitations", keys: "email",
		columns: "email, role, shown bool, by_kind, by_id id, by_name, created_at time, expires_at time, sent_at time, sends number, " +
			"sends_from time", left: "hash"},
	{file: "devices", about: "A phone or browser that can be rung.", from: "devices", keys: "id",
		columns: "id id, token, bundle, environment, learnt, person, name, model, os_version, app_version, time_zone, platform, state, " +
			"disabled_reason, phone_number, registered_at time, seen_at time, created_at time", left: "title_low"},
	{file: "device_tags", about: "A tag of a device.", from: "device_tags", keys: "device_id, tag", columns: "device_id id, tag"},
	{file: "device_merges", about: "An older row of a phone that registered again.", from: "device_merges", keys: "old_id",
		columns: "old_id id, device_id id, name, from_at time, merged_at time", left: "token_hash"},
	{file: "agents", about: "An agent, without its secret.", from: "agents", keys: "id",
		columns: "id id, name, kind, caller, settings json, created_at time", left: "secret"},
	{file: "keys", about: "An API key, without the key itself.", from: "keys", keys: "id",
		columns: "id id, name, permissions, test bool, per_second real, last4, created_at time, last_used_at time, revoked_at time, " +
			"expires_at time, networks, only_devices, only_people, made_by id, maker, replaced_by id, last_ip, last_client", left: "hash"},
	{file: "key_requests", about: "One of the latest requests of an API key.", from: "key_requests", keys: "key_id, at, request_id",
		columns: "key_id id, at time, request_id, method, route, status number, ip, took span"},
	{file: "credentials", about: "A credential for Apple's push service, without the secret.", from: "credentials", keys: "id",
		columns: "id id, kind, bundle, environment, team, key_id, topics, fingerprint, not_after time, state, last_error, " +
			"last_error_at time, last_used_at time, created_at time, no_hedge bool, profile", left: "secret"},
	{file: "pairings", about: "A pairing code, without the code.", from: "pairings", keys: "id",
		columns: "id id, person, by_kind, by_id id, by_name, created_at time, expires_at time, used_at time, device_id id", left: "hash"},
	{file: "groups", about: "A ring group.", from: "ring_groups", keys: "id",
		columns: "id id, name, way, step_s number, escalate_id id, turns number, created_at time"},
	{file: "group_members", about: "A person in a ring group.", from: "group_members", keys: "group_id, person",
		columns: "group_id id, person, place number, schedule_id id, turn number"},
	{file: "schedules", about: "Weekly hours with their exceptions.", from: "weekly_schedules", keys: "id",
		columns: "id id, name, zone, hours json, calendar_id id, created_at time"},
	{file: "rosters", about: "What was read last from a calendar of duties.", from: "schedules", keys: "connection_id",
		columns: "connection_id id, address, read_at time, good_at time, failed number, cause, duties json, notes json",
		left:    "due_at full_at etag modified"},
	{file: "consents", about: "A recorded consent of a person.", from: "consents", keys: "id",
		columns: "id id, person, kind, given_at time, by_kind, by_id id, by_name, evidence, withdrawn_at time, created_at time"},
	{file: "rings", about: "A ring.", from: "rings", keys: "id",
		columns: "id id, state, to_device id, to_person, to_group id, to_name, agent_id id, caller, reference, test bool, by_kind, " +
			"by_id id, by_name, created_at time, expires_at time, ended_at time, end_reason",
		left: "version due_at pushed_by to_person_low caller_low reference_low"},
	{file: "attempts", about: "A device that was rung for a ring, with what Apple answered.", from: "attempts", keys: "ring_id, id",
		columns: "ring_id id, id id, device_id id, credential_id id, state, app_version, os_version, apns_id id, topic, token, " +
			"environment, tries number, status number, reason, sent_at time, answered_at time, step number"},
	{file: "ring_steps", about: "A step of a ring to a group, with its reason.", from: "ring_steps", keys: "ring_id, n",
		columns: "ring_id id, n number, wave number, group_id id, group_name, person, state, reason, after_us span, for_us span, " +
			"in_turn bool, begun_at time"},
	{file: "calls", about: "An answered ring.", from: "calls", keys: "ring_id",
		columns: "ring_id id, device_id id, answered_at time, connected_at time, ended_at time, ended_by, jitter span, loss real, " +
			"round_trip span, last_sound_at time"},
	{file: "call_quality", about: "How a call sounded over its time.", from: "call_quality", keys: "ring_id",
		columns: "ring_id id, updated_at time, samples json", left: "counted"},
	{file: "recordings", about: "A recording, without its sound.", from: "recordings", keys: "ring_id",
		columns: "ring_id id, person, codec, policy, consent, began_at time, length number, bytes number, lost number", left: "chunks"},
	{file: "recording_rule", about: "Whether calls are recorded, and why.", from: "recording_rules", keys: "policy",
		columns: "policy, reason, set_by, set_at time", left: "ogg pcmu"},
	{file: "texts", about: "A text message about a missed ring.", from: "texts", keys: "ring_id",
		columns: "ring_id id, connection_id id, phone_number, at time, state, sid"},
	{file: "text_stops", about: "A phone number that wants no texts.", from: "text_stops", keys: "phone_number",
		columns: "phone_number, at time"},
	{file: "connections", about: "A connection, without its secrets.", from: "connections", only: there, keys: "id",
		columns: "id id, name, role, url, settings json, state, created_at time, failing_since time, disabled_at time, " +
			"delivered_at time", left: "sealed warned_at overlap_ends"},
	{file: "deliveries", about: "An event that was sent to a connection, or waits.", from: "deliveries", keys: "seq",
		columns: "seq number, connection_id id, event_id id, kind, ring_id id, body json, at time, state, tries number, status number, " +
			"error, ended_at time", left: "begun_at due_at"},
	{file: "sign_in_provider", about: "The tenant's own sign-in provider, without its secret.", from: "oidc_providers", keys: "issuer",
		columns: "issuer, client_id, role, only_way bool, updated_at time", left: "sealed"},
	{file: "sign_in_domains", about: "An email domain whose people sign in through the provider.", from: "oidc_domains", keys: "domain",
		columns: "domain, token, verified_at time", left: "check_at failures failed_at lost_at"},
	{file: "sign_in_subjects", about: "Whom the provider's name for a person is.", from: "oidc_subjects", keys: "issuer, subject",
		columns: "issuer, subject, user_id id, created_at time"},
	{file: "alerts", about: "An alert, open or closed.", from: "alerts", keys: "kind, target",
		columns: "kind, target, detail, first_at time, last_at time, count number, resolved_at time, told_at time", left: "tell_at"},
	{file: "alert_rules", about: "A rule that raises an alert when a figure passes a threshold, in thousandths.", from: "alert_rules",
		keys: "id", columns: "id id, name, metric, detail, split, value, above bool, threshold number, window_s number, least number, " +
			"quiet_s number, mail bool, targets, active bool, created_at time, firing bool, fired_at time", left: "due_at"},
	{file: "alert_targets", about: "Where alerts are sent, without its address and secret.", from: "alert_targets", keys: "id",
		columns: "id id, kind, name, roles, every bool, shown, created_at time, tried_at time, answer, good bool", left: "secret"},
	{file: "digests_off", about: "A person who gets no weekly email.", from: "digest_off", keys: "user_id", columns: "user_id id"},
	{file: "subscription", about: "The plan. Invoices are at Stripe, under the customer's id.", from: "subscriptions", keys: "plan",
		columns: "plan, state, every, period_start time, period_end time, trial_end time, cancel_at_end bool, past_due_since time, " +
			"overage bool, customer, stripe, quantity number, created_at time", left: "trial_cut synced_at"},
	{file: "usage", about: "Rings that count against the plan, by hour.", from: "usage", keys: "period, hour",
		columns: "period time, hour time, rings number"},
	{file: "saved_views", about: "A list that a person saved.", from: "saved_views", keys: "id",
		columns: "id id, user_id id, list, name, query, shared bool, created_at time"},
	{file: "list_columns", about: "The columns that a person chose for a list.", from: "list_columns", keys: "user_id, list",
		columns: "user_id id, list, columns"},
}

// exportOthers are the files that are written in another way, by the table that they come from.
var exportOthers = map[string]ExportFile{
	"facts": {"facts.jsonl", "Something that happened to an attempt.", []ExportField{{"ring_id", fieldID}, {"attempt_id", fieldID},
		{"kind", fieldText}, {"at", fieldTime}, {"received_at", fieldTime}, {"raw_at", fieldTime}, {"raw_sent_at", fieldTime},
		{"detail", fieldText}, {"nth", fieldNumber}}},
	"notes": {"notes.jsonl", "The notes of a call.", []ExportField{{"ring_id", fieldID}, {"changed_at", fieldTime},
		{"summary", fieldText}, {"lines", fieldJSON}}},
	"audits": {"audit.jsonl", "The audit log with its hashes and signed heads, as `carillon audit verify` reads it.", nil},
}

// exportLeft are the tables that are in no file, each with the reason.
var exportLeft = map[string]string{
	"device_phones":      "hashes of ids that apps keep",
	"ring_nodes":         "which server carries a call",
	"device_rings":       "found from attempts",
	"device_credentials": "hashes of secrets", "idempotency": "hashes of requests, for 24 hours", "agent_sounds": "sounds; download them",
	"recording_keys": "secret", "recording_chunks": "sounds; download them", "delivery_attempts": "answers of receivers, kept a few days",
	"audit_marks": "what was sent last", "audit_heads": "in audit.jsonl", "audit_repeats": "in audit.jsonl once ten minutes are over",
	"tallies": "counted from facts", "tally_days": "counted from facts", "key_tallies": "counted from facts",
	"outcomes": "counted from facts", "call_figures": "counted from calls", "ring_counts": "counted from rings",
	"step_times": "counted from facts",
	"metered":    "reports to Stripe", "sign_ins": "secrets of browsers", "exports": "exports themselves",
	"alert_sends": "what waits to be sent", "digests": "which mails were sent, with secrets of their links",
	"erasures": "who is being erased",
}
