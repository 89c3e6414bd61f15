{{- define "carillon.name" -}}
{{- if contains "carillon" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-carillon" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "carillon.selector" -}}
app.kubernetes.io/name: carillon
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "carillon.labels" -}}
{{ include "carillon.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The name and the host of publicURL. */}}
{{- define "carillon.host" -}}
{{ .Values.publicURL | trimPrefix "https://" | trimSuffix "/" }}
{{- end }}

{{- define "carillon.passwords" -}}
{{ required "passwords.secret is missing; name the secret with the passwords of PostgreSQL, NATS and the relay" .Values.passwords.secret | quote }}
{{- end }}

{{/* The labels of a part of the chart: (list . "nats"). The servers' own selector must not find its pods. */}}
{{- define "carillon.partSelector" -}}
app.kubernetes.io/name: carillon-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{- define "carillon.partLabels" -}}
{{ include "carillon.partSelector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* Where pods run. */}}
{{- define "carillon.placed" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Values that contradict each other. */}}
{{- define "carillon.check" -}}
{{- if and .Values.postgres.enabled .Values.database.secret }}{{ fail "database.secret is given, and postgres.enabled is true; set postgres.enabled to false to use your own PostgreSQL" }}{{ end }}
{{- if and .Values.nats.enabled (or .Values.nats.url (index .Values.secretEnv "CARILLON_NATS_URL")) }}{{ fail "the address of a NATS is given, and nats.enabled is true; set nats.enabled to false to use your own NATS" }}{{ end }}
{{- if and .Values.nats.url (index .Values.secretEnv "CARILLON_NATS_URL") }}{{ fail "CARILLON_NATS_URL is in secretEnv, and nats.url is given; leave one of them out" }}{{ end }}
{{- if and .Values.nats.enabled (not .Values.postgres.enabled) (not .Values.database.secret) }}{{ fail "nats.enabled is true, and one server on SQLite has no use for it; set nats.enabled to false" }}{{ end }}
{{- if and .Values.turn.enabled (or (index .Values.env "CARILLON_RTC_ICE_SERVERS") (index .Values.secretEnv "CARILLON_RTC_TURN_SECRET")) }}{{ fail "relays are given, and turn.enabled is true; set turn.enabled to false to use your own relay" }}{{ end }}
{{- if and .Values.turn.enabled (gt (len .Values.voice.publicIPs) 8) }}{{ fail "voice.publicIPs has more than 8 addresses, and phones take 8 relays at most; set turn.enabled to false" }}{{ end }}
{{- if and .Values.caddy.enabled .Values.ingress.enabled }}{{ fail "caddy.enabled and ingress.enabled are true; set one of them to false" }}{{ end }}
{{- end }}

{{/* What the server and the migration share. */}}
{{- define "carillon.container" -}}
image: {{ printf "%s:%s" .Values.image.repository .Values.image.tag | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: CARILLON_ADDR, value: ":8080"}
  - {name: CARILLON_METRICS_ADDR, value: ":9464"}
  - {name: CARILLON_PUBLIC_URL, value: {{ required "publicURL is missing; give the https:// address that people and phones use" .Values.publicURL | quote }}}
  - {name: CARILLON_MASTER_KEY_FILE, value: /secrets/master.key}
  - {name: CARILLON_NODE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
  - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
  {{- if .Values.nats.enabled }}
  - {name: NATS_PASSWORD, valueFrom: {secretKeyRef: {name: {{ include "carillon.passwords" . }}, key: nats}}}
  - {name: CARILLON_NATS_URL, value: "nats://carillon:$(NATS_PASSWORD)@{{ include "carillon.name" . }}-nats:4222"}
  {{- else if index .Values.secretEnv "CARILLON_NATS_URL" }}
  {{- else if ne (printf "%v" .Values.replicas) "1" }}
  - {name: CARILLON_NATS_URL, value: {{ required "nats.url is missing; several servers need NATS" .Values.nats.url | quote }}}
  {{- else if .Values.nats.url }}
  - {name: CARILLON_NATS_URL, value: {{ .Values.nats.url | quote }}}
  {{- end }}
  - {name: CARILLON_RTC_UDP_ADDR, value: ":{{ .Values.voice.port }}"}
  # The relay in this pod sends to the pod's own address. A node port would lead it to any of the servers.
  - {name: CARILLON_RTC_PUBLIC_IPS, value: "{{ join "," .Values.voice.publicIPs | default "$(HOST_IP)" }}{{ if and .Values.turn.enabled (ne .Values.voice.mode "hostNetwork") }},$(POD_IP){{ end }}"}
  {{- if .Values.turn.enabled }}
  - {name: CARILLON_RTC_ICE_SERVERS, value: {{ include "carillon.relays" . | quote }}}
  - {name: CARILLON_RTC_TURN_SECRET, valueFrom: {secretKeyRef: {name: {{ include "carillon.passwords" . }}, key: turn}}}
  {{- end }}
  - {name: CARILLON_DRAIN, value: "{{ .Values.drainSeconds }}s"}
  {{- if .Values.postgres.enabled }}
  - {name: CARILLON_DATABASE_PASSWORD, valueFrom: {secretKeyRef: {name: {{ include "carillon.passwords" . }}, key: database}}}
  - {name: CARILLON_DATABASE_URL, value: "postgres://carillon:$(CARILLON_DATABASE_PASSWORD)@{{ include "carillon.name" . }}-postgres:5432/carillon?sslmode=disable"}
  {{- else if .Values.database.secret }}
  - {name: CARILLON_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ .Values.database.secret | quote }}, key: {{ .Values.database.key | quote }}}}}
  {{- else if ne (printf "%v" .Values.replicas) "1" }}
  {{ required "database.secret is missing; several servers need PostgreSQL" .Values.database.secret }}
  {{- else }}
  # A folder in the volume that Carillon makes itself, with mode 0700.
  - {name: CARILLON_DATA, value: /data/carillon}
  {{- end }}
  {{- range $name, $value := .Values.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- range $name, $from := .Values.secretEnv }}
  - {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $from.name | quote }}, key: {{ $from.key | quote }}}}}
  {{- end }}
volumeMounts:
  - {name: master-key, mountPath: /secrets, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  - {name: data, mountPath: /data}
{{- end }}

{{/* The relays that servers give to phones: those beside them, on the addresses of voice. */}}
{{- define "carillon.relays" -}}
{{- $port := .Values.turn.port }}
{{- if eq .Values.voice.mode "loadBalancer" -}}
turn:{{ required "turn.host is missing; give the name or the address of the relay's load balancer, or set turn.enabled to false" .Values.turn.host }}:{{ $port }}?transport=tcp
{{- else if .Values.voice.publicIPs -}}
{{- range $i, $ip := .Values.voice.publicIPs }}{{ if $i }},{{ end }}turn:{{ if contains ":" $ip }}[{{ $ip }}]{{ else }}{{ $ip }}{{ end }}:{{ $port }}?transport=tcp{{ end }}
{{- else -}}
turn:$(HOST_IP):{{ $port }}?transport=tcp
{{- end }}
{{- end }}
