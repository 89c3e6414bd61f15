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
  {{- if ne (printf "%v" .Values.replicas) "1" }}
  - {name: CARILLON_NATS_URL, value: {{ required "nats.url is missing; several servers need NATS" .Values.nats.url | quote }}}
  {{- else if .Values.nats.url }}
  - {name: CARILLON_NATS_URL, value: {{ .Values.nats.url | quote }}}
  {{- end }}
  - {name: CARILLON_RTC_UDP_ADDR, value: ":{{ .Values.voice.port }}"}
  {{- if .Values.voice.publicIPs }}
  - {name: CARILLON_RTC_PUBLIC_IPS, value: {{ join "," .Values.voice.publicIPs | quote }}}
  {{- else }}
  - {name: CARILLON_RTC_PUBLIC_IPS, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
  {{- end }}
  - {name: CARILLON_DRAIN, value: "{{ .Values.drainSeconds }}s"}
  {{- if .Values.database.secret }}
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
