package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"carillon/app/console"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// exportPart is the kind of a request for a part of an export's file, which another node has. The
// file stays sealed on its way: its key is in the database.
const exportPart = "export.part"

type exportPartAsked struct {
	ID   string `json:"id"`
	Node string `json:"node,omitempty"` // that wrote it
	At   int64  `json:"at"`
}

type exportPartGiven struct {
	Data []byte `json:"data"`
	Last bool   `json:"last"`
}

// answerNodes answers the requests of other nodes: for parts of this node's exports here, and
// everything about calls in the switchboard.
func answerNodes(exports console.ExportFolder, calls switchboard.Held) func(context.Context, string, []byte) ([]byte, error) {
	return func(ctx context.Context, kind string, body []byte) ([]byte, error) {
		if kind != exportPart {
			return calls.Asked(ctx, kind, body)
		}
		var q exportPartAsked
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, err
		}
		data, last, err := exports.Part(q.ID, q.Node, q.At)
		if err != nil {
			return nil, err
		}
		return json.Marshal(exportPartGiven{data, last})
	}
}

// otherExports are the files of exports that other nodes have.
type otherExports struct {
	self   tenants.NodeID
	living func(context.Context) ([]store.Node, error)
	ask    func(ctx context.Context, to tenants.NodeID, kind string, body []byte) ([]byte, error)
}

// exports are the files of exports of this node, and the way to those of the others.
func (n *node) exports(d Database) console.ExportFolder {
	f := exportFolder(d)
	if n.others != nil {
		f.Others = otherExports{n.self.ID, n.store.Nodes().Living, n.others.Ask}.open
	}
	return f
}

// open finds the node that has the file, and reads it from there. It refuses with Unknown where no
// node that lives has it, and with Gone where the one that wrote it has lost it.
func (o otherExports) open(ctx context.Context, id, node string) (io.ReadCloser, error) {
	nodes, err := o.living(ctx)
	if err != nil {
		return nil, err
	}
	err = tenants.NoSuch("export")
	for _, n := range nodes {
		if n.ID == o.self {
			continue
		}
		r := &exportReader{ctx: context.WithoutCancel(ctx), ask: o.ask, from: n.ID, id: id, node: node}
		switch asked := r.next(); {
		case asked == nil:
			return r, nil
		case tenants.KindOf(asked) != tenants.Unknown && tenants.KindOf(err) != tenants.Gone:
			err = asked
		}
	}
	return nil, err
}

// exportReader reads the file of an export part by part.
type exportReader struct {
	ctx  context.Context // of the download, whose handler has returned
	ask  func(ctx context.Context, to tenants.NodeID, kind string, body []byte) ([]byte, error)
	from tenants.NodeID
	id   string
	node string // that wrote it

	at   int64 // where the next part begins
	left []byte
	last bool
}

func (r *exportReader) next() error {
	q, err := json.Marshal(exportPartAsked{r.id, r.node, r.at})
	if err != nil {
		return err
	}
	body, err := r.ask(r.ctx, r.from, exportPart, q)
	if err != nil {
		return err
	}
	var got exportPartGiven
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	if len(got.Data) == 0 && !got.Last {
		return errors.New("an empty part of an export")
	}
	r.left, r.last, r.at = got.Data, got.Last, r.at+int64(len(got.Data))
	return nil
}

// Read gives what is left of the part at hand, and fetches the next one once that is used up.
func (r *exportReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.last {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Close has nothing to close: each part is a request of its own.
func (r *exportReader) Close() error { return nil }
