package tenants

import "time"

// Export is a file with everything that is stored of a tenant. There is one at a time.
type Export struct {
	Tenant    TenantID
	ID        string // a UUID; the file is named after it
	State     ExportState
	Node      string // the server that writes the file, and has it
	By        Actor
	AskedAt   time.Time
	EndedAt   time.Time // ready or failed
	ExpiresAt time.Time // when the file is removed; zero until it is ready
	At        string    // the file that is being written
	Rows      int64     // written so far
	Size      int64     // of the zip, in bytes
	Why       string    // it failed: a sentence
}

// ExportState is how far an export is.
type ExportState string

// The states of an export.
const (
	ExportWaiting ExportState = "waiting"
	ExportRunning ExportState = "running"
	ExportReady   ExportState = "ready"
	ExportFailed  ExportState = "failed"
)

// ExportKept is how long the file of an export can be downloaded.
const ExportKept = 7 * 24 * time.Hour

// Under reports whether the export is not over yet.
func (e Export) Under() bool { return e.State == ExportWaiting || e.State == ExportRunning }

// DeletionGrace is how long an owner can undo the deletion of a tenant.
const DeletionGrace = 14 * 24 * time.Hour

// Deletion is what remains of a deleted tenant.
type Deletion struct {
	Tenant TenantID
	Began  time.Time
	Done   time.Time // zero = rows are still being removed
	Rows   int64
	Head   AuditHead // the signed end of its audit chain
}
