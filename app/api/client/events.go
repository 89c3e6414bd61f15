package client

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	longestSilence = 20 * time.Second // the server sends a comment every 4 s
	longestLine    = 1 << 20
)

// events reads server-sent events (HTML Living Standard, 9.2) and gives the id and the data of
// each, and the id of a block without data, which is only to be kept. It calls cancel, which must
// end body, if the server sends nothing for the time silence; how long give takes does not count.
// It returns nil at the end of the stream or when give wants no more.
func events(silence time.Duration, cancel func(), body io.Reader, give func(id, data string) (more bool, err error)) error {
	silent := time.AfterFunc(silence, cancel)
	defer silent.Stop()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, longestLine)
	var id string
	var data []string
	for lines.Scan() {
		silent.Reset(silence)
		line := lines.Text()
		if line == "" {
			if len(data) > 0 || id != "" {
				silent.Stop()
				if more, err := give(id, strings.Join(data, "\n")); err != nil || !more {
					return err
				}
				silent.Reset(silence)
			}
			id, data = "", nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "data":
			data = append(data, value)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return &AnswerError{"the server sent an event of more than 1 MiB", nil}
	}
	if err := lines.Err(); err != nil {
		return &AnswerError{answerCut, err}
	}
	return nil
}
